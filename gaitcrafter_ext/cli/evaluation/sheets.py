"""``gaitcrafter evaluate blind`` and ``pairs``: sheets to look at."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from gaitcrafter_ext.cli._options import at_least
from gaitcrafter_ext.cli.evaluation.options import add_trees
from gaitcrafter_ext.errors import DataError, UsageError
from gaitcrafter_ext.records import fill, read_json, to_json

BLIND = "a sheet of real and synthetic rows in random order with its key; with --score, hits of the answers"
PAIRS = "a sheet of real clips, each above a synthetic one of the same person, condition and view"


def add_blind(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``blind``."""
    add_trees(parser, required=False)
    parser.add_argument("--out", metavar="DIR", help="where sheet.png, answers.json and key.json go")
    parser.add_argument("--rows", type=at_least(2), default=20, help="rows, half of them real (default 20)")
    parser.add_argument("--seed", type=at_least(0), default=0, help="which clips, in which order (default 0)")
    parser.add_argument("--score", metavar="KEY", help="the key.json of a sheet; with --answers")
    parser.add_argument("--answers", metavar="FILE", help="the filled-in answers.json")


def add_pairs(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``pairs``."""
    add_trees(parser)
    parser.add_argument("--out", required=True, type=Path, metavar="PNG", help="the sheet to write")
    parser.add_argument("--pairs", type=at_least(1), default=8, help="how many, spread evenly over all (default 8)")
    parser.add_argument("--frames", type=at_least(1), default=12, help="frames a row (default 12)")


def blind(args: argparse.Namespace) -> int:
    """Write a mixed sheet for a viewer who does not know which is which, or score the answers."""
    if args.score or args.answers:
        return _score(args)
    missing = [name for name in ("real", "synthetic", "out") if not getattr(args, name)]
    if missing:
        raise UsageError(f"--{missing[0]} is missing; a sheet needs --real, --synthetic and --out")
    if args.rows % 2:
        raise UsageError(f"--rows {args.rows} is odd; half of the rows are real: give an even number")
    import numpy as np

    from gaitcrafter_ext.audit.blind import draw_rows, write_sheet
    from gaitcrafter_ext.audit.data import open_trees

    trees = open_trees(args.real, args.synthetic, args.views, config=args.config)
    folder = Path(args.out)
    rows = write_sheet(folder, trees, draw_rows(trees, args.rows, np.random.default_rng(args.seed)))
    if args.json:
        print(json.dumps({"sheet": str(folder / "sheet.png"), "key": str(folder / "key.json"), "rows": len(rows)}))
        return 0
    print(f"sheet to show:      {folder / 'sheet.png'}  ({len(rows)} rows, half of them real)")
    print(f"answers to fill in: {folder / 'answers.json'}  (real or synthetic for each row)")
    print(f"key to keep back:   {folder / 'key.json'}")
    return 0


def _score(args: argparse.Namespace) -> int:
    if not (args.score and args.answers):
        raise UsageError("--score KEY and --answers FILE belong together")
    from gaitcrafter_ext.audit.blind import Row, score

    key = fill(tuple[Row, ...], read_json(args.score), args.score)
    result = score(key, fill(dict[str, str], read_json(args.answers), args.answers))
    share, low, high, made, real = (
        f"{100 * value:.0f}"
        for value in (result.share, result.low, result.high, result.synthetic_as_real, result.real_as_real)
    )
    text = (
        f"{result.hits} of {result.rows} rows right: {share} % [{low}, {high}], chance 50 %, p = {result.p_value:.3f}\n"
        f"taken for real: {made} % of the synthetic rows, {real} % of the real ones"
    )
    print(to_json(result, indent=1) if args.json else text)
    return 0


def pairs(args: argparse.Namespace) -> int:
    """Write the sheet of pairs."""
    from gaitcrafter_ext.audit.blind import matching_pairs
    from gaitcrafter_ext.audit.data import open_trees
    from gaitcrafter_ext.silhouettes.pictures import contact_sheet, spread

    trees = open_trees(args.real, args.synthetic, args.views, config=args.config)
    found = matching_pairs(trees)
    if not found:
        raise DataError(f"{args.real} and {args.synthetic} share no person, condition and view; nothing to compare")
    rows = []
    for theirs, ours in (found[index] for index in spread(len(found), args.pairs)):
        clip = trees.synthetic.read(ours)
        rows += [(f"real  {theirs}", trees.real.read(theirs)[: len(clip)]), (f"synth {ours}", clip)]
    contact_sheet(rows, args.out, frames=args.frames)
    shown = {"sheet": str(args.out), "pairs": len(rows) // 2, "possible": len(found)}
    print(json.dumps(shown) if args.json else f"{args.out}: {shown['pairs']} of {len(found)} possible pairs")
    return 0

"""``gaitcrafter evaluate blind``: a mixed sheet for a viewer who does not know which is which, and the score."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from gaitcrafter_ext.cli._options import at_least
from gaitcrafter_ext.cli.evaluation.options import add_trees
from gaitcrafter_ext.errors import UsageError

HELP = "a sheet of real and synthetic rows in random order with its key; with --score, hits of the answers"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_trees(parser, required=False)
    parser.add_argument("--out", metavar="DIR", help="where sheet.png, answers.json and key.json go")
    parser.add_argument("--rows", type=at_least(2), default=20, help="rows, half of them real (default 20)")
    parser.add_argument("--seed", type=at_least(0), default=0, help="which clips, in which order (default 0)")
    parser.add_argument("--score", metavar="KEY", help="the key.json of a sheet; with --answers")
    parser.add_argument("--answers", metavar="FILE", help="the filled-in answers.json")


def run(args: argparse.Namespace) -> int:
    """Write the sheet, or score answers."""
    if args.score or args.answers:
        return _score(args)
    missing = [name for name in ("real", "synthetic", "out") if not getattr(args, name)]
    if missing:
        raise UsageError(f"--{missing[0]} is missing; a sheet needs --real, --synthetic and --out")
    if args.rows % 2:
        raise UsageError(f"--rows {args.rows} is odd; half of the rows are real: give an even number")
    return _write(args)


def _write(args: argparse.Namespace) -> int:
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
    from gaitcrafter_ext.audit.blind import read_answers, read_key, score
    from gaitcrafter_ext.audit.card import plain

    result = score(read_key(args.score), read_answers(args.answers))
    if args.json:
        print(json.dumps(plain(result), indent=1))
        return 0
    print(
        f"{result.hits} of {result.rows} rows right: {100 * result.share:.0f} %"
        f" [{100 * result.low:.0f}, {100 * result.high:.0f}], chance 50 %, p = {result.p_value:.3f}"
    )
    print(
        f"taken for real: {100 * result.synthetic_as_real:.0f} % of the synthetic rows,"
        f" {100 * result.real_as_real:.0f} % of the real ones"
    )
    return 0

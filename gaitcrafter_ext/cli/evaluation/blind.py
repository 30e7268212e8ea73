"""``gaitcrafter evaluate blind``: a mixed sheet for somebody who is not told, and the score of the answers."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from gaitcrafter_ext.cli._options import add_json, at_least
from gaitcrafter_ext.cli.evaluation.finite import finite
from gaitcrafter_ext.errors import DataError, UsageError

HELP = "a sheet of real and synthetic rows in random order with its key; with --score, hits of the answers"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--real", metavar="ROOT", help="real clips: a folder of ids")
    parser.add_argument("--synthetic", metavar="DIR", help="synthetic clips: a folder of ids")
    parser.add_argument("--out", metavar="DIR", help="where sheet.png, answers.json and key.json go")
    parser.add_argument("--rows", type=at_least(2), default=20, help="rows, half of them real (default 20)")
    parser.add_argument("--seed", type=at_least(0), default=0, help="which clips, in which order (default 0)")
    parser.add_argument("--score", metavar="KEY", help="the key.json of a sheet; with --answers")
    parser.add_argument("--answers", metavar="FILE", help="the filled-in answers.json")
    add_json(parser)


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
    from gaitcrafter_ext.cli.evaluation.clips import open_store

    (real, real_keys), (made, made_keys) = open_store(args.real), open_store(args.synthetic)
    drawn = draw_rows(real_keys, made_keys, args.rows, np.random.default_rng(args.seed))
    folder = Path(args.out)
    rows = write_sheet(folder, real, made, drawn)
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
    from gaitcrafter_ext.audit.blind import Row, read_json, score

    try:
        key = [Row(**row) for row in read_json(args.score)]
    except TypeError:
        raise DataError(f"{args.score} is not a key; give the key.json that 'evaluate blind --out' wrote") from None
    answers = read_json(args.answers)
    if not isinstance(answers, dict):
        raise DataError(f"{args.answers} is not an object of row and answer; fill in the answers.json of the sheet")
    result = score(key, answers)
    if args.json:
        print(json.dumps(finite(dataclasses.asdict(result)), indent=1))
        return 0
    print(
        f"{result.hits} of {result.rows} rows told right: {100 * result.share:.0f} %"
        f" [{100 * result.low:.0f}, {100 * result.high:.0f}], chance 50 %, p = {result.p_value:.3f}"
    )
    print(
        f"taken for real: {100 * result.synthetic_as_real:.0f} % of the synthetic rows,"
        f" {100 * result.real_as_real:.0f} % of the real ones"
    )
    return 0

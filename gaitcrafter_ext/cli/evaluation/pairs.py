"""``gaitcrafter evaluate pairs``: real walks above the same people's synthetic ones, to look at."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from gaitcrafter_ext.cli._options import at_least
from gaitcrafter_ext.cli.evaluation.options import add_trees
from gaitcrafter_ext.errors import DataError

HELP = "a sheet of real clips, each above a synthetic one of the same person, condition and view"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_trees(parser)
    parser.add_argument("--out", required=True, type=Path, metavar="PNG", help="the sheet to write")
    parser.add_argument("--pairs", type=at_least(1), default=8, help="how many, spread evenly over all (default 8)")
    parser.add_argument("--frames", type=at_least(1), default=12, help="frames a row (default 12)")


def run(args: argparse.Namespace) -> int:
    """Write the sheet."""
    from gaitcrafter_ext.audit.blind import matching_pairs
    from gaitcrafter_ext.audit.data import open_trees
    from gaitcrafter_ext.silhouettes.sheet import contact_sheet, spread

    trees = open_trees(args.real, args.synthetic, args.views, config=args.config)
    pairs = matching_pairs(trees.real_keys, trees.synthetic_keys, trees.dataset)
    if not pairs:
        raise DataError(f"{args.real} and {args.synthetic} share no person, condition and view; nothing to compare")
    rows = []
    for index in spread(len(pairs), args.pairs):
        theirs, ours = pairs[index]
        clip = trees.synthetic.read(ours)
        rows += [(f"real  {theirs}", trees.real.read(theirs)[: len(clip)]), (f"synth {ours}", clip)]
    contact_sheet(rows, args.out, frames=args.frames)
    found = {"sheet": str(args.out), "pairs": len(rows) // 2, "possible": len(pairs)}
    print(json.dumps(found) if args.json else f"{args.out}: {found['pairs']} of {len(pairs)} possible pairs")
    return 0

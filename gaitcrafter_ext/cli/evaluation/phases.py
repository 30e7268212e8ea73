"""``gaitcrafter evaluate phases``: how well gait phases are read, on simulated walkers of known phase."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from gaitcrafter_ext.cli._options import Progress, add_json, at_least
from gaitcrafter_ext.vocabulary import VIEWS

HELP = "error of gait cycle and phase by view, on simulated walkers of known phase"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--people", type=at_least(2, 1000), default=60, metavar="N", help="default: %(default)s")
    parser.add_argument("--takes", default="nm-01,cl-01", metavar="A,B", help="default: %(default)s")
    parser.add_argument("--frames", type=at_least(20, 100), default=40, metavar="T", help="default: %(default)s")
    parser.add_argument("--seed", type=at_least(0, 2**31 - 1), default=77, metavar="S", help="default: %(default)s")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the table."""
    from gaitcrafter_ext.audit.phases import phase_errors

    with Progress("walking", "person") as bar:
        rows = phase_errors(args.people, args.takes.split(","), VIEWS, args.frames, args.seed, bar)
    if args.json:
        print(json.dumps([asdict(row) for row in rows]))
        return 0
    print("view  cycle off by  phase off by, view alone (flipped)  views together (flipped)")
    for row in rows:
        print(
            f"{row.view}   {row.cycle:5.2f} frames  {row.alone:12.0f} deg ({row.alone_flipped:4.0%})"
            f"  {row.shared:20.0f} deg ({row.shared_flipped:4.0%})"
        )
    return 0

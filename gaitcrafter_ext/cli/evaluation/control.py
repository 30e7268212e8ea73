"""``gaitcrafter evaluate control`` and ``phases``: do clips walk as asked, and how well is walking read?"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from gaitcrafter_ext.cli._options import Progress, add_json, at_least
from gaitcrafter_ext.vocabulary import VIEWS

CONTROL = "gait cycles read beside those asked for, and frame-to-frame overlap at the borders of windows"
PHASES = "error of gait cycle and phase by view, on simulated walkers of known phase"


def add_control(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``control``."""
    parser.add_argument("synthetic", type=Path, metavar="DIR", help="what 'synthesize --out' wrote")
    parser.add_argument("--seed", type=at_least(0), default=0, metavar="S", help="of the bootstrap (default 0)")
    add_json(parser)


def add_phases(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``phases``."""
    parser.add_argument("--people", type=at_least(2, 1000), default=60, metavar="N", help="default: %(default)s")
    parser.add_argument("--takes", default="nm-01,cl-01", metavar="A,B", help="default: %(default)s")
    parser.add_argument("--frames", type=at_least(20, 100), default=40, metavar="T", help="default: %(default)s")
    parser.add_argument("--seed", type=at_least(0, 2**31 - 1), default=77, metavar="S", help="default: %(default)s")
    add_json(parser)


def control(args: argparse.Namespace) -> int:
    """Print cycles and seams."""
    import numpy as np

    from gaitcrafter_ext.audit.control import control
    from gaitcrafter_ext.synthesis.folder import OutputFolder

    with Progress("reading", "clip") as bar:
        found = control(OutputFolder(args.synthetic), np.random.default_rng(args.seed), bar)
    if args.json:
        print(json.dumps(asdict(found)))
        return 0
    print("view  cycle off by (mean)  clips")
    for view, (error, clips) in found.views.items():
        print(f"{view:4}  {error:11.2f} frames  {clips:5}")
    print(f"worst clip: {found.worst:.2f} frames")
    for where, overlap in (("at window borders", found.seams), ("elsewhere", found.elsewhere)):
        if overlap.count:
            interval = f"[{overlap.low:.3f}, {overlap.high:.3f}]"
            print(f"IoU of successive frames {where}: {overlap.value:.3f} {interval}")
    return 0


def phases(args: argparse.Namespace) -> int:
    """Print the errors of phases."""
    from gaitcrafter_ext.audit.control import phase_errors

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

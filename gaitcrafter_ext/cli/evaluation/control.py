"""``gaitcrafter evaluate control``: do clips walk as fast as asked, and is there no seam in long ones?"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from gaitcrafter_ext.cli._options import Progress, add_json, at_least

HELP = "gait cycles read beside those asked for, and frame-to-frame overlap at the borders of windows"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("synthetic", type=Path, metavar="DIR", help="what 'synthesize --out' wrote")
    parser.add_argument("--seed", type=at_least(0), default=0, metavar="S", help="of the bootstrap (default 0)")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the table."""
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

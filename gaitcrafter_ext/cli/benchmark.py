"""``gaitcrafter benchmark``: speed beside published video U-Nets, OpenGait and what the machine can do."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from gaitcrafter_ext.benchmarks.race import PRECISIONS, Race, run_race, usual_precisions
from gaitcrafter_ext.benchmarks.report import describe
from gaitcrafter_ext.benchmarks.results import TASKS
from gaitcrafter_ext.cli._options import Progress, add_json, at_least
from gaitcrafter_ext.silhouettes.parallel import available_cores

HELP = "measure speed beside published video U-Nets, OpenGait's recognisers and the machine's convolutions"

#: Where `make bench` puts the packages of the peers.
PEERS_FOLDER = Path(".bench-peers")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--only", choices=TASKS, help="measure this alone (default: all three)")
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="arithmetic (default: both, or fp32 where the processor only imitates bf16)",
    )
    parser.add_argument(
        "--threads", type=at_least(1), metavar="N", help="threads to compute with (default: every core)"
    )
    parser.add_argument(
        "--repeats", type=at_least(1), default=5, metavar="N", help="turns of each (default %(default)s)"
    )
    parser.add_argument(
        "--peers",
        type=Path,
        default=PEERS_FOLDER,
        metavar="DIR",
        help="folder with video-diffusion-pytorch and what it needs (default %(default)s, made by `make bench`)",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    threads = args.threads or available_cores()
    race = Race(
        tasks=(args.only,) if args.only else TASKS,
        precisions=(args.precision,) if args.precision else usual_precisions(),
        repeats=args.repeats,
        threads=threads,
        folder=args.peers,
    )
    if not args.precision and race.precisions != PRECISIONS:
        print(
            "warning: bf16 is left out: this processor only imitates it, many times slower than fp32;"
            " --precision bf16 --repeats 1 measures it all the same, in half an hour and more",
            file=sys.stderr,
        )
    with Progress("measuring", "turn") as progress:
        found = run_race(race, progress)
    if found.machine.load is not None and found.machine.load > 0.5:
        print(
            f"warning: the machine was busy before the run (load {found.machine.load:.1f}); the figures are too low",
            file=sys.stderr,
        )
    print(json.dumps(found.to_json(), indent=2) if args.json else describe(found))
    return 0

"""``gaitcrafter benchmark``: speed beside published video U-Nets and OpenGait; scale."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from gaitcrafter_ext.cli._options import Progress, add_json, at_least

HELP = "measure speed beside published video U-Nets and OpenGait's recognisers; or scale"

#: Where `make bench` puts the packages of the peers.
PEERS_FOLDER = Path(".bench-peers")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from gaitcrafter_ext.benchmarks.speed import PRECISIONS, TASKS

    parser.add_argument(
        "--only",
        choices=(*TASKS, "scale"),
        help="measure this alone (default: all three speeds); scale: listing and planning at the size of a dataset",
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="arithmetic (default: both, or fp32 where the processor only imitates bf16)",
    )
    parser.add_argument(
        "--threads", type=at_least(1), metavar="N", help="threads to compute with (default: every core)"
    )
    parser.add_argument("--repeats", type=at_least(1), default=5, metavar="N", help="rounds (default %(default)s)")
    parser.add_argument(
        "--peers",
        type=Path,
        default=PEERS_FOLDER,
        metavar="DIR",
        help="folder with video-diffusion-pytorch and what it needs (default %(default)s, made by `make bench`)",
    )
    parser.add_argument("--size", choices=("oumvlp", "grew"), default="oumvlp", help="of --only scale (default oumvlp)")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("bench-scale"),
        metavar="DIR",
        help="where --only scale builds its tree of up to 300 thousand small folders (default %(default)s)",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    return _scale(args) if args.only == "scale" else _speed(args)


def _speed(args: argparse.Namespace) -> int:
    from gaitcrafter_ext.benchmarks.speed import PRECISIONS, TASKS, measure_speed, usual_precisions
    from gaitcrafter_ext.silhouettes.parallel import available_cores

    precisions = (args.precision,) if args.precision else usual_precisions()
    if not args.precision and precisions != PRECISIONS:
        print(
            "warning: bf16 is left out: this processor only imitates it, many times slower than fp32;"
            " --precision bf16 --repeats 1 measures it all the same, in half an hour and more",
            file=sys.stderr,
        )
    tasks, threads = (args.only,) if args.only else TASKS, args.threads or available_cores()
    with Progress("measuring", "turn") as progress:
        found = measure_speed(tasks, precisions, args.repeats, threads, args.peers, progress=progress)
    if (found.machine["load"] or 0) > 0.5:
        print(
            f"warning: the machine was busy before the run (load {found.machine['load']:.1f}); the figures are too low",
            file=sys.stderr,
        )
    print(json.dumps(found.to_json(), indent=2) if args.json else found)
    return 0


def _scale(args: argparse.Namespace) -> int:
    from gaitcrafter_ext.benchmarks.scale import measure_scale

    found = []
    for cost in measure_scale(args.size, args.folder / args.size):
        found.append({**dataclasses.asdict(cost), "ok": cost.ok})
        if not args.json:
            print(cost, flush=True)
    if args.json:
        print(json.dumps(found, indent=2))
    return 0 if all(each["ok"] for each in found) else 1

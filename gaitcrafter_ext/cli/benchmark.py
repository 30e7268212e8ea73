"""``gaitcrafter benchmark``: speed beside published video U-Nets and OpenGait; scale."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from gaitcrafter_ext.cli._options import Progress, add_json, at_least

HELP = "measure speed beside published video U-Nets and OpenGait's recognisers; or scale"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from gaitcrafter_ext.benchmarks.speed import TASKS

    parser.add_argument(
        "--only",
        choices=(*TASKS, "scale"),
        help="measure this alone (default: all three speeds); scale: listing and planning at the size of a dataset",
    )
    parser.add_argument(
        "--precision",
        choices=("auto", "float32", "bfloat16"),
        default="auto",
        help="arithmetic (default auto: bfloat16 where it is fast)",
    )
    parser.add_argument(
        "--threads", type=at_least(1), metavar="N", help="threads to compute with (default: every core)"
    )
    parser.add_argument("--repeats", type=at_least(1), default=5, metavar="N", help="rounds (default %(default)s)")
    parser.add_argument(
        "--peers",
        type=Path,
        default=Path(".bench-peers"),
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
    import torch

    from gaitcrafter_ext.benchmarks.speed import TASKS, measure_speed
    from gaitcrafter_ext.hardware import resolve_precision
    from gaitcrafter_ext.silhouettes.parallel import available_cores

    tasks = (args.only,) if args.only else tuple(TASKS)
    precision = resolve_precision(args.precision, torch.device("cpu"))
    with Progress("measuring", "turn") as progress:
        found = measure_speed(
            tasks, precision, args.repeats, args.threads or available_cores(), args.peers, progress=progress
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

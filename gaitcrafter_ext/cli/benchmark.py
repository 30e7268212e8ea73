"""``gaitcrafter benchmark``: speed beside published video U-Nets and OpenGait; scale."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from gaitcrafter_ext.cli._options import COUNT, Progress, options

HELP = "measure speed beside published video U-Nets and OpenGait's recognisers; or scale"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from gaitcrafter_ext.benchmarks.speed import TASKS

    add = options(parser)
    what = "measure this alone (default: all three speeds); scale: listing and planning at the size of a dataset"
    add("--only", what, choices=(*TASKS, "scale"))
    add("--precision")
    add("--threads", "threads to compute with (default: every core)", **COUNT)
    add("--repeats", "rounds (default %(default)s)", **COUNT, default=5)
    peers = "folder with video-diffusion-pytorch and what it needs (default %(default)s, made by `make bench`)"
    add("--peers", peers, type=Path, default=Path(".bench-peers"), metavar="DIR")
    add("--size", "of --only scale (default oumvlp)", choices=("oumvlp", "grew"), default="oumvlp")
    folder = "where --only scale builds its tree of up to 300 thousand small folders (default %(default)s)"
    add("--folder", folder, type=Path, default=Path("bench-scale"), metavar="DIR")
    add("--json")


def run(args: argparse.Namespace) -> int:
    return _scale(args) if args.only == "scale" else _speed(args)


def _speed(args: argparse.Namespace) -> int:
    import torch

    from gaitcrafter_ext.benchmarks.speed import TASKS, measure_speed
    from gaitcrafter_ext.hardware import resolve_precision
    from gaitcrafter_ext.silhouettes.parallel import available_cores

    tasks = (args.only,) if args.only else tuple(TASKS)
    precision, threads = resolve_precision(args.precision, torch.device("cpu")), args.threads or available_cores()
    with Progress("measuring", "turn") as progress:
        found = measure_speed(tasks, precision, args.repeats, threads, args.peers, progress=progress)
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

"""``gaitcrafter simulate``: write a simulated cohort in CASIA-B's layout."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.silhouettes.parallel import available_cores
from gaitcrafter_ext.vocabulary import CASIA_B_TAKES, CONDITIONS, VIEWS, choose

if TYPE_CHECKING:
    from gaitcrafter_ext.simulation.writing import CohortPlan

HELP = "Simulate people walking: silhouettes in CASIA-B's layout, with a partition"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--out", type=Path, required=True, help="folder to write (pkl/, partition.json, cohort.json)")
    parser.add_argument(
        "--subjects", type=int, required=True, help="people: sim-001, sim-002, ... (of another seed S: simS-001, ...)"
    )
    parser.add_argument("--views", default="all", help="comma-separated, or all (default)")
    parser.add_argument("--conditions", default="all", help="comma-separated of nm,bg,cl, or all (default)")
    parser.add_argument("--takes", default="", help="takes of each condition (default: nm=6,bg=2,cl=2)")
    parser.add_argument("--frames", type=int, default=60, help="frames a clip, 25 a second (default %(default)s)")
    parser.add_argument("--train", type=int, default=None, help="people to train on (default: the first 60 %%)")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything (default %(default)s)")
    parser.add_argument("--jobs", type=int, default=0, help="processes (default: all cores)")
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace another cohort in --out, move its people between train and test, or write beside files",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def parse_takes(text: str, conditions: tuple[str, ...]) -> dict[str, int]:
    """Parse ``nm=6,bg=2`` and keep the chosen conditions.

    Raises:
        UsageError: It is not of that form.
    """
    counts = dict(CASIA_B_TAKES)
    for part in filter(None, (part.strip() for part in text.split(","))):
        condition, _, count = part.partition("=")
        if condition not in counts or not count.isdigit() or int(count) > 99:
            raise UsageError(f"--takes: '{part}' is not a count of nm, bg or cl; write for example nm=6,bg=2,cl=2")
        counts[condition] = int(count)
    return {condition: counts[condition] for condition in conditions if counts[condition]}


def run(args: argparse.Namespace) -> int:
    """Simulate and write the cohort."""
    from gaitcrafter_ext.simulation.writing import CohortPlan, write_cohort

    if args.jobs < 0:
        raise UsageError(f"--jobs {args.jobs} is out of range; allowed: 1 or more, or 0 for all cores")
    plan = CohortPlan(
        subjects=args.subjects,
        seed=args.seed,
        views=choose(args.views, VIEWS, "--views"),
        takes=parse_takes(args.takes, choose(args.conditions, CONDITIONS, "--conditions")),
        frames=args.frames,
        train=round(0.6 * args.subjects) if args.train is None else args.train,
    )
    started = time.perf_counter()
    made, kept = follow(write_cohort(plan, args.out, args.jobs or available_cores(), args.force), plan)
    report(args, plan, made, kept, time.perf_counter() - started)
    return 0


def follow(steps: Iterator[tuple[int, int]], plan: CohortPlan) -> tuple[int, int]:
    """Show progress on stderr; returns clips made and clips that were there."""
    from tqdm import tqdm

    made = kept = 0
    total = len(plan.clips()) * plan.frames
    with tqdm(total=total, unit=" frames", unit_scale=True, file=sys.stderr, smoothing=0.05, mininterval=0.5) as bar:
        for new, old in steps:
            made, kept = made + new, kept + old
            bar.update((new + old) * plan.frames)
    return made, kept


def report(args: argparse.Namespace, plan: CohortPlan, made: int, kept: int, seconds: float) -> None:
    """Say on stdout what was written."""
    if args.json:
        counts = {"clips_made": made, "clips_kept": kept, "frames_per_second": round(made * plan.frames / seconds)}
        print(json.dumps({"out": str(args.out), **dataclasses.asdict(plan), **counts}))
        return
    clips = f"{made} clips made, {kept} were there; {plan.frames} frames each"
    print(f"{args.out / 'pkl'}: {plan.subjects} people, {clips}")
    print(f"{args.out / 'partition.json'}: {plan.train} to train, {plan.subjects - plan.train} to test")

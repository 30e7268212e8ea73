"""``gaitcrafter simulate``: write a simulated cohort in CASIA-B's layout."""

from __future__ import annotations

import argparse
import dataclasses
import time

from gaitcrafter_ext.cli._options import Progress, options, say
from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.silhouettes.parallel import available_cores
from gaitcrafter_ext.simulation.writing import CohortPlan, write_cohort
from gaitcrafter_ext.vocabulary import CASIA_B_TAKES, CONDITIONS, VIEWS, choose

HELP = "Simulate people walking: silhouettes in CASIA-B's layout, with a partition"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = options(parser)
    add("--out", "folder to write (pkl/, partition.json, cohort.json)")
    add("--subjects", "people: sim-001, sim-002, ... (of another seed S: simS-001, ...)", type=int, required=True)
    add("--views")
    add("--conditions", "comma-separated of nm,bg,cl, or all (default)", default="all")
    add("--takes", "takes of each condition (default: nm=6,bg=2,cl=2)", default="")
    add("--frames", "frames a clip, 25 a second (default %(default)s)", type=int, default=60)
    add("--train", "people to train on (default: the first 60 %%)", type=int)
    add("--seed", "seed of everything (default %(default)s)")
    add("--jobs")
    add("--json")


def run(args: argparse.Namespace) -> None:
    plan = CohortPlan(
        subjects=args.subjects,
        seed=args.seed,
        views=choose(args.views, VIEWS, "--views"),
        takes=parse_takes(args.takes, choose(args.conditions, CONDITIONS, "--conditions")),
        frames=args.frames,
        train=round(0.6 * args.subjects) if args.train is None else args.train,
    )
    started, made, kept, total = time.perf_counter(), 0, 0, plan.subjects * len(plan.take_names()) * len(plan.views)
    with Progress("simulating", "clip") as progress:
        for new, old in write_cohort(plan, args.out, args.jobs or available_cores()):
            made, kept = made + new, kept + old
            progress(made + kept, total)
    rate = round(made * plan.frames / (time.perf_counter() - started))
    counts = {"clips_made": made, "clips_kept": kept, "frames_per_second": rate}
    say(
        args,
        {"out": str(args.out), **dataclasses.asdict(plan), **counts},
        f"{args.out / 'pkl'}: {plan.subjects} people, {made} clips made, {kept} were there; {plan.frames} frames each",
        f"{args.out / 'partition.json'}: {plan.train} to train, {plan.subjects - plan.train} to test",
    )


def parse_takes(text: str, conditions: tuple[str, ...]) -> dict[str, int]:
    """Parse ``nm=6,bg=2`` and keep the chosen conditions; ``UsageError`` where it is not of that form."""
    counts = dict(CASIA_B_TAKES)
    for part in filter(None, (part.strip() for part in text.split(","))):
        condition, _, count = part.partition("=")
        if condition not in counts or not count.isdecimal() or int(count) > 99:
            raise UsageError(f"--takes: '{part}' is not a count of nm, bg or cl; write for example nm=6,bg=2,cl=2")
        counts[condition] = int(count)
    return {condition: counts[condition] for condition in conditions if counts[condition]}

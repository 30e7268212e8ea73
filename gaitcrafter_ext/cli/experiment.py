"""``gaitcrafter experiment``: does synthetic data help a recogniser? A table and a plot."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from gaitcrafter_ext.cli._options import COUNT, SWITCH, at_least, number, options, refuse_file
from gaitcrafter_ext.errors import GaitCrafterError, UsageError, suggest
from gaitcrafter_ext.experiments.designs import DESIGNS, SIZES, Setting, default_mixing, design
from gaitcrafter_ext.experiments.results import collect, plot, summary
from gaitcrafter_ext.experiments.steps import Step, run_steps
from gaitcrafter_ext.generator.config import load_config
from gaitcrafter_ext.generator.weights import PACKAGED, locate, read_card
from gaitcrafter_ext.recognition.config import preset
from gaitcrafter_ext.recognition.evaluation import assign_roles, protocol_for
from gaitcrafter_ext.recognition.mixing_schedule import read_schedule
from gaitcrafter_ext.silhouettes.files import atomic_write_text
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import choose

#: The process's own standard error, whatever stands for ``sys.stderr``.
STDERR = 2

HELP = "does synthetic data help a recogniser? Trains all arms of a comparison; resumes; a table and a plot"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; those of a :class:`Setting` bear the names of its fields."""
    add, counts = options(parser), {"type": _counts, "metavar": "N,M"}
    add("name", "; ".join(f"{name}: {each.question}" for name, each in DESIGNS.items()), metavar="NAME")
    add("--out", "folder of all that is made; resumes; can be shared")
    add("--size", "cpu: on the simulated cohort; gpu: full schedules, with --data", default="cpu")
    add("--data", "a real dataset: folder of identities", type=Path, metavar="ROOT")
    add("--partition", "whom of it to train on and to test", type=Path)
    add("--config", "preset or file: how the dataset is read and generators are trained")
    generator = (
        "generator; training people whom it never saw are imitated as by synthesize --like; 'none': train one on them"
        " (default: bundled, with --data: none)"
    )
    add("--weights", generator, default=None)
    add("--views", "two views or more, or all (default: the size's)", default=None, metavar="A,B")
    add("--frames", "frames of a simulated clip", **COUNT)
    add("--subjects", "people to simulate (default: the size's)", **COUNT)
    add("--train", "how many of them to train on", **COUNT)
    add("--cohort-seed", "which people to simulate (default 1)", type=at_least(0), metavar="N")
    add("--takes", "synthetic takes of each condition and person", **COUNT)
    add("--identity-scale", "of synthesize (default: the weights')", type=number(0, 10), metavar="S")
    add("--generator-clips", "budget of each generator that is trained", **COUNT)
    add("--fine-tune", "few-labels: also train the weights on the people known for N clips, a further arm", **COUNT)
    add("--model", "gaitset or gaitbase (default: the size's)")
    add("--preset", "schedule of the recogniser (default: the size's)")
    add("--iterations", "instead of the schedule's, in every arm", **COUNT)
    share = (
        "share of synthetic clips in batches of both kinds, as for recognise train, or none: all alike (default: from 1"
        " to 0 in three quarters of the training)"
    )
    add("--synthetic-share", share, metavar="S")
    add("--novel", "how many novel people: each in dose, the ends in synthetic-only", **counts)
    add("--lengths", "synthetic-only: frames of the synthetic clips (default: 30,60,90)", **counts)
    add("--labels", "few-labels: how many real people", **counts)
    add("--leave-out", "real-people: how many training people are left out at a time (default 2)", **COUNT)
    add("--seeds", "trainings of each arm (default: the size's)", **COUNT)
    add("--dry-run", "print the commands; run nothing", **SWITCH)
    add("--json")


def _counts(text: str) -> tuple[int, ...]:
    """Numbers of people or frames, rising."""
    try:
        found = [int(word.encode("ascii")) for word in text.split(",")]
    except ValueError:
        found = []
    if not found or found != sorted(set(found)) or found[0] < 2:
        raise argparse.ArgumentTypeError(f"cannot read '{text}'; write rising numbers from 2, e.g. 5,10,25")
    return tuple(found)


def run(args: argparse.Namespace) -> None:
    refuse_file(args.out)
    setting = _setting(args)
    lab = design(args.name, args.out, setting)
    _check_weights(args, setting)
    lines = [step.line for step in lab.steps]
    if args.dry_run:
        print(json.dumps({"steps": lines}, indent=1) if args.json else "\n".join(lines))
        return

    def show(number: int, step: Step) -> None:
        print(f"[{number}/{len(lines)}] {step.line}", file=sys.stderr)

    run_steps(lab.steps, lab.root, _call, show)
    results = collect(lab)
    table = summary(results, DESIGNS[args.name].question)
    for name, text in (("json", results.to_json()), ("txt", table + "\n")):
        atomic_write_text(args.out / f"{args.name}.{name}", text)
    plot(results, args.name, args.out / f"{args.name}.png")
    print(results.to_json() if args.json else f"{table}\n\nplot: {args.out / f'{args.name}.png'}")


def _setting(args: argparse.Namespace) -> Setting:
    """The size with what the options change, checked."""
    if args.size not in SIZES:
        raise UsageError(f"--size: unknown '{args.size}'; {suggest(args.size, list(SIZES))}")
    if (args.data is None) != (args.partition is None):
        raise UsageError("--data and --partition go together: who is trained on, and where the clips are")
    if args.size == "gpu" and args.data is None:
        raise UsageError("--size gpu is for a real dataset; name it with --data and --partition")
    if args.synthetic_share not in (None, "none"):
        read_schedule(args.synthetic_share)
    load_config(args.config)  # refuses now what the first training of a generator would
    setting = replace(SIZES[args.size], **_chosen(args))
    setting = replace(setting, views=_views(args.views or ",".join(setting.views), setting))
    schedule = preset(setting.model, setting.preset)
    share = args.synthetic_share or default_mixing(setting.iterations or schedule.iterations)
    trained, tested = len(setting.people.train), len(setting.people.test)
    if setting.labels[-1] > trained and args.name == "few-labels":
        raise UsageError(f"--labels: {setting.labels[-1]} asked for, and there are {trained} people to train on")
    if not trained or not tested:
        raise UsageError(f"{trained} people to train on and {tested} to test; both are needed")
    _check_protocol(setting)
    return replace(setting, synthetic_share=None if share == "none" else share)


def _chosen(args: argparse.Namespace) -> dict[str, Any]:
    """Fields of the setting that options name."""
    chosen = {each.name: getattr(args, each.name, None) for each in fields(Setting)}
    chosen = {name: value for name, value in chosen.items() if value is not None and name != "views"}
    if args.config and Path(args.config).is_file():
        chosen["config"] = Path(args.config)
    if args.partition:
        chosen |= {"partition": Partition.load(args.partition), "weights": None}
    if args.weights:
        named = args.weights if args.weights in PACKAGED else Path(args.weights)
        chosen["weights"] = None if args.weights == "none" else named
    if args.preset and not args.iterations:
        chosen["iterations"] = None  # a schedule that is asked for brings its own length
    return chosen


def _check_protocol(setting: Setting) -> None:
    """Everybody in the partition is in the dataset, and its protocol can be run on the test people."""
    if setting.data is None:
        return
    store = SilhouetteStore(setting.data, setting.dataset)
    setting.people.check(store)
    tested, views = frozenset(setting.people.test), frozenset(setting.views)
    keys = [key for key in store.require_keys() if key.identity in tested and (key.view in views or "all" in views)]
    assign_roles(keys, protocol_for(setting.dataset, keys), setting.people)


def _views(text: str, setting: Setting) -> tuple[str, ...]:
    """Views that are there; ``all`` stays a word, which generators take for those that they know."""
    known = setting.known_views()
    views = choose(text, known, "--views")
    if len(views) < 2 and setting.data is None:
        raise UsageError(
            f"--views: found {len(views)} in '{text}'; recognisers are tested across views, so name at least two of: "
            + ", ".join(known)
        )
    return ("all",) if text == "all" else views


def _check_weights(args: argparse.Namespace, setting: Setting) -> None:
    """A generator given must be used, and must never have seen the test people, nor know the others by halves."""
    asked, people = DESIGNS[args.name], setting.people
    if not asked.generates:
        if args.weights not in (None, "none"):
            raise UsageError(f"--weights: {args.name} uses no generator, found '{args.weights}'; leave the option out")
        return
    if setting.weights is None:
        return
    card = read_card(locate(setting.weights))
    seen, remedy = setting.seen_by(card), "other weights, or --weights none to train them here"
    if tested := sorted(seen & set(people.test)):
        cohort = "another --cohort-seed, " if setting.data is None else ""
        raise UsageError(
            f"--weights: {setting.weights} has seen {len(tested)} of the {len(people.test)} people to test, "
            f"{tested[0]} among them; name {cohort}{remedy}"
        )
    known = seen & set(people.train)
    if known and (asked.withholds or not set(people.train) <= set(card.vocabulary.identities)):
        allowed = "none" if asked.withholds else "none or all"
        raise UsageError(
            f"--weights: {setting.weights} has seen {len(known)} of the {len(people.train)} people to train on; "
            f"{args.name} takes weights that have seen {allowed} of them; name {remedy}"
        )
    choose(",".join(setting.views), list(card.vocabulary.views), "--views")


def _call(words: tuple[str, ...]) -> None:
    """Run a command in a process of its own, whose memory is then free; its report goes to stderr.

    Where this one is interrupted or terminated, the command is too, and may save its state before it ends.

    Raises:
        GaitCrafterError: It failed; it has said why.
    """
    package = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "gaitcrafter_ext", *words]
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, stdout=STDERR)
    try:
        code = process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
    if code == 130:
        raise KeyboardInterrupt
    if code:
        raise GaitCrafterError(f"'{' '.join(words[:2])}' failed (exit {code}); see above, then run again")

"""``gaitcrafter experiment``: does synthetic data help a recogniser? A table and a plot."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaitcrafter_ext.cli._options import add_json, at_least
from gaitcrafter_ext.errors import GaitCrafterError, UsageError

if TYPE_CHECKING:
    from gaitcrafter_ext.experiments.setting import Setting
    from gaitcrafter_ext.silhouettes.partition import Partition

#: The process's own standard error, whatever stands for ``sys.stderr``.
STDERR = 2

HELP = "does synthetic data help a recogniser? Trains all arms of a comparison; resumes; a table and a plot"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from gaitcrafter_ext.experiments.designs import QUESTIONS

    parser.add_argument("name", metavar="NAME", help="; ".join(f"{name}: {asked}" for name, asked in QUESTIONS.items()))
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of all that is made; resumes; experiments may share it",
    )
    parser.add_argument("--size", default="cpu", help="cpu: on the simulated cohort; gpu: full schedules, with --data")
    parser.add_argument("--data", type=Path, metavar="ROOT", help="a real dataset: folder of identities")
    parser.add_argument("--partition", type=Path, metavar="JSON", help="whom of it to train on and to test")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="YAML",
        help="for the generators that are trained, a YAML file or a preset, e.g. simulated-small",
    )
    parser.add_argument(
        "--weights",
        metavar="NAME|DIR",
        help="same-vs-novel, synthetic-only: generator of exactly the training people; 'none': train",
    )
    parser.add_argument("--views", metavar="A,B", help="two views or more, or all (default: the size's)")
    whole = at_least(1)
    parser.add_argument("--subjects", type=whole, metavar="N", help="people to simulate (default: the size's)")
    parser.add_argument("--train", type=whole, metavar="N", help="how many of them to train on")
    parser.add_argument("--takes", type=whole, metavar="K", help="synthetic takes of each condition and person")
    parser.add_argument("--generator-clips", type=whole, metavar="N", help="budget of each generator that is trained")
    parser.add_argument("--model", help="gaitset or gaitbase (default: the size's)")
    parser.add_argument("--preset", help="schedule of the recogniser (default: the size's)")
    parser.add_argument("--iterations", type=whole, metavar="N", help="instead of the schedule's, in every arm")
    parser.add_argument(
        "--synthetic-share",
        metavar="S",
        help="share of synthetic clips in batches of both kinds, as for recognise train, or none: all alike (default:"
        " from 1 to 0 in three quarters of the training)",
    )
    parser.add_argument("--labels", metavar="P,Q", help="few-labels: shares of the training people in percent")
    parser.add_argument("--seeds", type=whole, metavar="N", help="trainings of each arm (default: the size's)")
    parser.add_argument("--dry-run", action="store_true", help="print the commands; run nothing")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run what is left of the experiment; print the table, write the results."""
    from gaitcrafter_ext.experiments.designs import QUESTIONS, design
    from gaitcrafter_ext.experiments.results import collect, plot, summary
    from gaitcrafter_ext.experiments.running import run_steps
    from gaitcrafter_ext.silhouettes.files import atomic_write_text

    if any(path.is_file() for path in (args.out, *args.out.parents)):
        raise UsageError(f"--out: {args.out} is a file, or lies in one; name a folder")
    setting = _setting(args)
    lab = design(args.name, args.out, setting)
    _check_weights(args, setting)
    if args.dry_run:
        print("\n".join(map(str, lab.steps)))
        return 0
    run_steps(lab, _call, lambda number, step: print(f"[{number}/{len(lab.steps)}] {step}", file=sys.stderr))
    results = collect(lab)
    table = summary(results, QUESTIONS[args.name])
    for name, text in (("json", results.to_json()), ("txt", table + "\n"), ("svg", plot(results, args.name))):
        atomic_write_text(args.out / f"{args.name}.{name}", text)
    print(results.to_json() if args.json else f"{table}\n\nplot: {args.out / f'{args.name}.svg'}")
    return 0


def _setting(args: argparse.Namespace) -> Setting:
    """The size with what the options change."""
    from gaitcrafter_ext.experiments.setting import SIZES, late_share
    from gaitcrafter_ext.generator.config import load_config
    from gaitcrafter_ext.generator.weights import BUNDLED
    from gaitcrafter_ext.recognition.config import preset
    from gaitcrafter_ext.recognition.mixing_schedule import read_schedule
    from gaitcrafter_ext.vocabulary import suggest

    if args.size not in SIZES:
        raise UsageError(f"--size: unknown '{args.size}'; {suggest(args.size, list(SIZES))}")
    if (args.data is None) != (args.partition is None):
        raise UsageError("--data and --partition go together: who is trained on, and where the clips are")
    if args.size == "gpu" and args.data is None:
        raise UsageError("--size gpu is for a real dataset; name it with --data and --partition")
    names = (
        "data",
        "config",
        "subjects",
        "train",
        "takes",
        "generator_clips",
        "model",
        "preset",
        "iterations",
        "seeds",
    )
    chosen: dict[str, Any] = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if args.labels is not None:
        chosen["labels"] = _labels(args.labels)
    if args.synthetic_share not in (None, "none"):
        read_schedule(args.synthetic_share)
    load_config(args.config)  # refuses now what the first training of a generator would
    if args.partition:
        chosen |= {"partition": _people(args), "weights": None}
    if args.weights:
        named = args.weights if args.weights == BUNDLED else Path(args.weights)
        chosen["weights"] = None if args.weights == "none" else named
    chosen["views"] = _views(",".join(SIZES[args.size].views) if args.views is None else args.views, args.data)
    if args.preset and not args.iterations:
        chosen["iterations"] = None  # a schedule that is asked for brings its own length
    setting = replace(SIZES[args.size], **chosen)
    schedule = preset(setting.model, setting.preset)
    share = args.synthetic_share or late_share(setting.iterations or schedule.iterations)
    trained, tested = len(setting.people.train), len(setting.people.test)
    if not trained or not tested:
        raise UsageError(f"{trained} people to train on and {tested} to test; both are needed")
    return replace(setting, synthetic_share=None if share == "none" else share)


def _people(args: argparse.Namespace) -> Partition:
    """The partition; everybody in it is in the dataset."""
    from gaitcrafter_ext.silhouettes.partition import Partition
    from gaitcrafter_ext.silhouettes.store import SilhouetteStore

    people = Partition.load(args.partition)
    people.check(SilhouetteStore(args.data))
    return people


def _views(text: str, data: Path | None) -> tuple[str, ...]:
    """Views that are there, at least two; ``all`` stays a word, which generators take for those that they know."""
    from gaitcrafter_ext.experiments.setting import known_views
    from gaitcrafter_ext.vocabulary import choose

    known = known_views(data)
    views = choose(text, known, "--views")
    if len(views) < 2:
        raise UsageError(
            f"--views: found {len(views)} in '{text}'; recognisers are tested across views, so name at least two of: "
            + ", ".join(known)
        )
    return ("all",) if text == "all" else views


def _labels(text: str) -> tuple[int, ...]:
    """Percentages, rising."""
    try:
        found = [int(word) for word in text.split(",")]
    except ValueError:
        found = []
    if not found or found != sorted(set(found)) or not all(1 <= share <= 100 for share in found):
        raise UsageError(f"--labels: cannot read '{text}'; write rising percentages from 1 to 100, e.g. 10,25,50,100")
    return tuple(found)


def _check_weights(args: argparse.Namespace, setting: Setting) -> None:
    """A generator given must be used, and know exactly the people to train on: no test person, and none fewer."""
    from gaitcrafter_ext.experiments.designs import WITH_WEIGHTS
    from gaitcrafter_ext.generator.card import read_card
    from gaitcrafter_ext.generator.weights import locate
    from gaitcrafter_ext.vocabulary import identities_hash

    if args.name not in WITH_WEIGHTS:
        if args.weights not in (None, "none"):
            raise UsageError(
                f"--weights: {args.name} uses no given generator, found '{args.weights}'; leave the option out "
                f"(allowed with: {', '.join(WITH_WEIGHTS)})"
            )
    elif setting.weights is not None:
        people = setting.people.train
        if read_card(locate(setting.weights)).trained_on.identities_hash != identities_hash(people):
            raise UsageError(
                f"--weights: {setting.weights} was not trained on exactly the {len(people)} people to train on; "
                "name weights that were, or --weights none to train them here"
            )


def _call(words: tuple[str, ...]) -> None:
    """Run a command in a process of its own, whose memory is then free; its report goes to stderr.

    Raises:
        GaitCrafterError: It failed; it has said why.
    """
    package = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "gaitcrafter_ext.cli.main", *words]
    code = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, stdout=STDERR, check=False).returncode
    if code == 130:
        raise KeyboardInterrupt
    if code:
        raise GaitCrafterError(f"'{' '.join(words[:2])}' failed (exit {code}); mend what it said above and run again")

"""``gaitcrafter train``: train a generator on an OpenGait tree."""

from __future__ import annotations

import argparse
import logging
import math
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaitcrafter_ext.cli._options import COUNT, number, options, refuse_file, say
from gaitcrafter_ext.errors import ConflictError, UsageError
from gaitcrafter_ext.generator.config import GeneratorConfig, load_config
from gaitcrafter_ext.generator.state import LOCK_PREFIX, is_training
from gaitcrafter_ext.records import read_json
from gaitcrafter_ext.silhouettes.files import FileLock
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore

if TYPE_CHECKING:
    from gaitcrafter_ext.generator.training import Objective, Trainer

HELP = "train a video diffusion model on silhouettes; run again to go on where it stopped"

#: Inside the weights folder: state to resume from, TensorBoard logs.
TRAINING_FOLDER = "training"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = options(parser)
    add("--data", "folder of <identity>/<take>/<view>/<view>.pkl", metavar="ROOT")
    add("--partition", "only people of its TRAIN_SET are ever read")
    add("--out", "where the weights go, and the state to resume from", metavar="WEIGHTS_DIR")
    add("--config", "a YAML file, or a preset by name, e.g. casia-b; defaults where left out")
    add("--init", "begin with these weights ('bundled' or a folder) instead of random ones", metavar="NAME|DIR")
    student = "make a student of these weights that needs two evaluations a clip, guidance baked in; needs no data"
    add("--distill", student, metavar="NAME|DIR")
    add("--name", "name of the dataset (default: the config's dataset.name)", metavar="DATASET")
    add("--max-clips", "stop after N clips seen (default: the config's)", **COUNT)
    minutes = "stop after M minutes of this call; run again to go on"
    add("--max-minutes", minutes, type=number(0, above=True), metavar="M")
    add("--force", "begin again where WEIGHTS_DIR holds another run")
    add("--json")


def run(args: argparse.Namespace) -> None:
    """Train, writing weights at every validation and at the end."""
    _check_options(args)
    config = load_config(args.config, student=bool(args.distill))
    if args.name:
        config = replace(config, dataset=replace(config.dataset, name=args.name))
    if args.max_clips:
        config = replace(config, training=replace(config.training, max_clips=args.max_clips))
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    if args.distill:
        from gaitcrafter_ext.generator.distillation import ImitateTeacher

        student = ImitateTeacher(config, args.distill)
        return _train(args, config, lambda cache: student)
    config, objective = _denoising(args, config)
    return _train(args, config, objective)


def _check_options(args: argparse.Namespace) -> None:
    if args.config and Path(args.config).is_dir():
        raise UsageError(f"--config: {args.config} is a folder; name a YAML file in it")
    for option in ("data", "partition"):
        if not args.distill and not getattr(args, option):
            raise UsageError(f"--{option} is missing; only --distill needs no data")
    for option in ("data", "partition", "init", "name"):
        if args.distill and getattr(args, option):
            raise UsageError(f"--{option}: a student learns from its teacher alone; leave it out beside --distill")
    refuse_file(args.out)
    if not is_training(args.out / TRAINING_FOLDER) and any(path.is_file() for path in args.out.rglob("*")):
        raise ConflictError(
            f"--out: {args.out} holds something else than a training to resume; name another folder, or empty this one"
        )


def _denoising(
    args: argparse.Namespace, config: GeneratorConfig
) -> tuple[GeneratorConfig, Callable[[Path], Objective]]:
    """The config as the clips complete it, and what makes the objective, given a file for the frames."""
    from gaitcrafter_ext.generator.data import ClipDataset, hold_out
    from gaitcrafter_ext.generator.denoising import DenoiseClips, InitialWeights

    store, partition = SilhouetteStore(args.data, config.dataset), Partition.load(args.partition)
    partition.check(store)
    if not partition.train:
        raise UsageError(f"--partition: TRAIN_SET of {args.partition} is empty; name the people to train on")
    wanted = set(partition.train)
    keys = [key for key in store.require_keys() if key.identity in wanted]
    rules, takes = store.look(keys), config.training.held_out_takes
    config = replace(config, dataset=rules)
    training, held = hold_out(keys, rules, takes)
    if takes > 1 and not held:
        raise UsageError(
            f"training.held_out_takes is {takes}: no person has more takes of a condition, so none is held out; give a "
            "lower number, or 0 to train on all"
        )
    people = tuple(sorted({key.identity for key in training}))
    initial = InitialWeights(args.init, rules.name, people) if args.init else None

    def objective(cache: Path) -> Objective:
        clips = ClipDataset(store, training, rules, cache)
        held_out = ClipDataset(store, held, rules, cache, clips.vocabulary) if held else None
        return DenoiseClips(config, clips, held_out, initial, held)

    return config, objective


def _train(args: argparse.Namespace, config: GeneratorConfig, objective: Callable[[Path], Objective]) -> None:
    from gaitcrafter_ext.generator.data import readers
    from gaitcrafter_ext.generator.training import Trainer

    folder = args.out / TRAINING_FOLDER
    made = {"command": _command(args), "data": _description(args.data), "config": asdict(config)}
    rank, local_rank = (int(os.environ.get(name, "0")) for name in ("RANK", "LOCAL_RANK"))
    clips = folder / f"clips-{rank - local_rank if readers() > 1 else rank}.u8"
    with FileLock(folder / f"{LOCK_PREFIX}{rank}.lock", str(args.out)):
        trainer = Trainer(config, objective(clips), folder, args.force)
        for _ in trainer.run(args.max_minutes):
            if trainer.accelerator.is_main_process:
                _export(args.out, made, trainer)
        if trainer.accelerator.is_main_process:
            _report(args, trainer, _export(args.out, made, trainer))
        trainer.accelerator.end_training()


def _command(args: argparse.Namespace) -> str:
    """The command line that makes such weights, with the names of files instead of this machine's paths."""
    names = ("data", "partition", "distill", "config", "init", "name", "out")
    given = [f"--{name} {Path(value).name}" for name in names if (value := getattr(args, name))]
    return " ".join(["gaitcrafter train", *given])


def _description(data: str | None) -> dict[str, Any]:
    """What ``simulate`` says of the cohort that it wrote beside ``data``; nothing for other data."""
    path = Path(data or "").resolve().parent / "cohort.json"
    return read_json(path) if data and path.is_file() else {}


def _export(out: Path, made: dict[str, Any], trainer: Trainer) -> str:
    """Write the averaged weights as they are now, with how they were made; returns their fingerprint."""
    progress = trainer.progress
    training = {
        **made,
        "clips": progress.clips,
        "minutes": round(progress.seconds / 60, 1),
        **trainer.objective.origin,
        "curve": [[row[0], *map(_figure, row[1:])] for row in progress.curve],
        "curve_columns": ["clips", "loss_train", "loss_held_out", "identity_gain"],
    }
    pipeline = trainer.pipeline(training)
    pipeline.save_pretrained(out)
    return str(pipeline.card.fingerprint) if pipeline.card else ""


def _figure(value: float) -> float | None:
    """A figure as JSON knows it."""
    return None if math.isnan(value) else round(value, 5)


def _report(args: argparse.Namespace, trainer: Trainer, fingerprint: str) -> None:
    progress = trainer.progress
    result = {
        "weights": str(args.out),
        "clips": progress.clips,
        "minutes": round(progress.seconds / 60, 1),
        "fingerprint": fingerprint,
        "loss_held_out": _figure(progress.curve[-1][2]) if progress.curve else None,
    }
    say(args, result, *(f"{name}: {value}" for name, value in result.items()))

"""``gaitcrafter train``: train a generator on an OpenGait tree."""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaitcrafter_ext.cli._options import at_least, number
from gaitcrafter_ext.errors import ConflictError, UsageError
from gaitcrafter_ext.records import read_json

if TYPE_CHECKING:
    from gaitcrafter_ext.generator.config import GeneratorConfig
    from gaitcrafter_ext.generator.training import Trainer
    from gaitcrafter_ext.silhouettes.dataset import DatasetConfig
    from gaitcrafter_ext.silhouettes.store import SilhouetteStore
    from gaitcrafter_ext.vocabulary import ClipKey

HELP = "train a video diffusion model on silhouettes; run again to go on where it stopped"

#: Inside the weights folder: state to resume from, TensorBoard logs.
TRAINING_FOLDER = "training"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``train``."""
    parser.add_argument("--data", required=True, metavar="ROOT", help="folder of <identity>/<take>/<view>/<view>.pkl")
    parser.add_argument("--partition", required=True, metavar="JSON", help="only people of its TRAIN_SET are ever read")
    parser.add_argument(
        "--out", required=True, metavar="WEIGHTS_DIR", help="where the weights go, and the state to resume from"
    )
    parser.add_argument(
        "--config", metavar="YAML", help="a YAML file, or a preset by name, e.g. casia-b; defaults where left out"
    )
    parser.add_argument(
        "--init", metavar="NAME|DIR", help="begin with these weights ('bundled' or a folder) instead of random ones"
    )
    parser.add_argument("--name", metavar="DATASET", help="name of the dataset (default: the config's dataset.name)")
    parser.add_argument(
        "--max-clips", type=at_least(1), metavar="N", help="stop after N clips seen (default: the config's)"
    )
    parser.add_argument(
        "--max-minutes",
        type=number(0, above=True),
        metavar="M",
        help="stop after M minutes of this call; run again to go on",
    )
    parser.add_argument("--force", action="store_true", help="begin again where WEIGHTS_DIR holds another run")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace) -> int:
    """Train, writing weights at every validation and at the end."""
    from gaitcrafter_ext.generator.config import load_config

    if args.config and Path(args.config).is_dir():
        raise UsageError(f"--config: {args.config} is a folder; name a YAML file in it")
    folder = _state_folder(Path(args.out))
    config = load_config(args.config)
    if args.name:
        config = replace(config, dataset=replace(config.dataset, name=args.name))
    if args.max_clips:
        config = replace(config, training=replace(config.training, max_clips=args.max_clips))
    store, keys = _training_clips(args.data, args.partition, config.dataset)
    config = replace(config, dataset=store.look(keys))
    return _train(args, config, store, keys, folder)


def _training_clips(data: str, partition: str, dataset: DatasetConfig) -> tuple[SilhouetteStore, list[ClipKey]]:
    """The clips of the people in TRAIN_SET, nobody else's."""
    from gaitcrafter_ext.silhouettes.partition import Partition
    from gaitcrafter_ext.silhouettes.store import SilhouetteStore

    store = SilhouetteStore(data, dataset)
    people = Partition.load(partition)
    people.check(store)
    if not people.train:
        raise UsageError(f"--partition: TRAIN_SET of {partition} is empty; name the people to train on")
    wanted = set(people.train)
    return store, [key for key in store.require_keys() if key.identity in wanted]


def _state_folder(out: Path) -> Path:
    """The folder for state and logs; refuses an ``--out`` with anything in it but a training of ours."""
    from gaitcrafter_ext.generator.state import is_training

    if out.exists() and not out.is_dir():
        raise UsageError(f"--out: {out} is a file; name a folder")
    training = out / TRAINING_FOLDER
    if not is_training(training) and any(path.is_file() for path in out.rglob("*")):
        raise ConflictError(
            f"--out: {out} holds something else than a training to resume; name another folder, or empty this one"
        )
    return training


def _train(
    args: argparse.Namespace, config: GeneratorConfig, store: SilhouetteStore, keys: list[ClipKey], folder: Path
) -> int:
    from gaitcrafter_ext.generator.data import ClipDataset, hold_out
    from gaitcrafter_ext.generator.shape import FRAMES
    from gaitcrafter_ext.generator.state import LOCK_PREFIX
    from gaitcrafter_ext.generator.training import InitialWeights, Trainer
    from gaitcrafter_ext.silhouettes.clip import COLUMNS
    from gaitcrafter_ext.silhouettes.files import FileLock

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    training, held = hold_out(keys, config.dataset, config.training.held_out_takes)
    if config.training.held_out_takes > 1 and not held:
        raise UsageError(
            f"training.held_out_takes is {config.training.held_out_takes}: no person has more takes of a condition, so "
            "none is held out; give a lower number, or 0 to train on all"
        )
    people = tuple(sorted({key.identity for key in training}))
    initial = InitialWeights(args.init, config.dataset.name, people) if args.init else None
    made = {"command": _command(args), "data": _description(Path(args.data)), "config": asdict(config)}
    rank = int(os.environ.get("RANK", "0"))
    with FileLock(folder / f"{LOCK_PREFIX}{rank}.lock", str(args.out)):
        cache = folder / f"clips-{rank}.u8"
        dataset = ClipDataset(store, training, config.dataset, FRAMES, COLUMNS, cache)
        held_out = None
        if held:
            held_out = ClipDataset(store, held, config.dataset, FRAMES, COLUMNS, cache, dataset.vocabulary)
        trainer = Trainer(config, dataset, held_out, folder, initial, args.force)
        for _ in trainer.run(args.max_minutes):
            if trainer.accelerator.is_main_process:
                _export(args.out, made, trainer, held)
                trainer.preview()
        if trainer.accelerator.is_main_process:
            _report(args, trainer, _export(args.out, made, trainer, held))
        trainer.accelerator.end_training()
    return 0


def _export(out: str, made: dict[str, Any], trainer: Trainer, held: list[ClipKey]) -> str:
    """Write the averaged weights as they are now, with how they were made; returns their fingerprint."""
    progress, initial = trainer.progress, trainer.initial
    training = {
        **made,
        "clips": progress.clips,
        "minutes": round(progress.seconds / 60, 1),
        "init": {"fingerprint": initial.card.fingerprint, "training": initial.card.training} if initial else None,
        "curve": [[row[0], *map(_figure, row[1:])] for row in progress.curve],
        "curve_columns": ["clips", "loss_train", "loss_held_out", "identity_gain"],
    }
    pipeline = trainer.pipeline(held, training)
    pipeline.save_pretrained(out)
    return str(pipeline.card.fingerprint) if pipeline.card else ""


def _description(data: Path) -> dict[str, Any]:
    """What ``simulate`` says of the cohort that it wrote beside ``data``; nothing for other data."""
    path = data.resolve().parent / "cohort.json"
    return read_json(path) if path.is_file() else {}


def _figure(value: float) -> float | None:
    """A figure as JSON knows it."""
    return None if math.isnan(value) else round(value, 5)


def _command(args: argparse.Namespace) -> str:
    """The command line that makes such weights, with the names of files instead of this machine's paths."""
    words = ["gaitcrafter train", f"--data {Path(args.data).name}", f"--partition {Path(args.partition).name}"]
    for option in ("config", "init", "name"):
        if getattr(args, option):
            words.append(f"--{option} {Path(getattr(args, option)).name}")
    return " ".join([*words, f"--out {Path(args.out).name}"])


def _report(args: argparse.Namespace, trainer: Trainer, fingerprint: str) -> None:
    progress = trainer.progress
    result = {
        "weights": str(args.out),
        "clips": progress.clips,
        "minutes": round(progress.seconds / 60, 1),
        "fingerprint": fingerprint,
        "loss_held_out": _figure(progress.curve[-1][2]) if progress.curve else None,
    }
    print(json.dumps(result) if args.json else "\n".join(f"{name}: {value}" for name, value in result.items()))

"""``gaitcrafter train``: train a generator on an OpenGait tree."""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaitcrafter_ext.cli._options import at_least, number
from gaitcrafter_ext.errors import ConflictError, UsageError

if TYPE_CHECKING:
    from gaitcrafter_ext.generator.config import GeneratorConfig
    from gaitcrafter_ext.generator.training import Trainer
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
    parser.add_argument("--force", action="store_true", help="begin anew where WEIGHTS_DIR holds another run")
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
    store, keys = _training_clips(args.data, args.partition)
    return _train(args, config, store, keys, folder)


def _training_clips(data: str, partition: str) -> tuple[SilhouetteStore, list[ClipKey]]:
    """The clips of the people in TRAIN_SET, nobody else's."""
    from gaitcrafter_ext.silhouettes.partition import Partition
    from gaitcrafter_ext.silhouettes.store import SilhouetteStore

    store = SilhouetteStore(data)
    people = Partition.load(partition)
    people.check(store)
    if not people.train:
        raise UsageError(f"--partition: TRAIN_SET of {partition} is empty; name the people to train on")
    wanted, clips = set(people.train), store.keys()
    return store, [key for key in clips if key.identity in wanted]


def _state_folder(out: Path) -> Path:
    """The folder for state and logs; refuses an ``--out`` with anything in it but a training of ours."""
    from gaitcrafter_ext.generator.state import is_training

    if out.exists() and not out.is_dir():
        raise UsageError(f"--out: {out} is a file; name a folder")
    training = out / TRAINING_FOLDER
    if out.exists() and any(out.iterdir()) and not is_training(training):
        raise ConflictError(
            f"--out: {out} holds something else than a training to resume; name another folder, or empty this one"
        )
    return training


def _train(
    args: argparse.Namespace, config: GeneratorConfig, store: SilhouetteStore, keys: list[ClipKey], folder: Path
) -> int:
    from gaitcrafter_ext.generator.data import ClipLibrary, hold_out, vocabulary_of
    from gaitcrafter_ext.generator.initial import InitialWeights
    from gaitcrafter_ext.generator.memory import keep_freed_memory
    from gaitcrafter_ext.generator.shape import FRAMES
    from gaitcrafter_ext.generator.training import Trainer
    from gaitcrafter_ext.silhouettes.clip import COLUMNS

    keep_freed_memory()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    training, held = hold_out(keys, config.dataset, config.training.held_out_takes)
    words = vocabulary_of(training, config.dataset)
    initial = InitialWeights(args.init, config.dataset.name, words) if args.init else None
    library = ClipLibrary(store, training, words, config.dataset, FRAMES, COLUMNS)
    held_library = ClipLibrary(store, held, words, config.dataset, FRAMES, COLUMNS) if held else None
    trainer = Trainer(config, library, held_library, folder, initial, args.force)
    for _ in trainer.run(args.max_minutes):
        _show(trainer, _export(args, config, trainer, held))
    card = _export(args, config, trainer, held)
    if trainer.accelerator.is_main_process:
        _report(args, trainer, card)
    trainer.accelerator.end_training()
    return 0


def _export(args: argparse.Namespace, config: GeneratorConfig, trainer: Trainer, held: list[ClipKey]) -> Any:
    """Write the averaged weights as they are now; only the main process does."""
    from gaitcrafter_ext.generator.card import TrainedOn
    from gaitcrafter_ext.generator.export import write_weights
    from gaitcrafter_ext.vocabulary import identities_hash

    if not trainer.accelerator.is_main_process:
        return None
    library, words, progress = trainer.library, trainer.library.vocabulary, trainer.progress
    known = TrainedOn(
        config.dataset.name,
        identities_hash(words.identities),
        tuple(sorted({f"{key.identity}/{key.take}" for key in held})),
    )
    training = {
        "command": _command(args),
        "data": _description(Path(args.data)),
        "config": asdict(config),
        "clips": progress.clips,
        "minutes": round(progress.seconds / 60, 1),
        "init": progress.init,
        "curve": [[row[0], *map(_figure, row[1:])] for row in progress.curve],
        "curve_columns": ["clips", "loss_train", "loss_held_out", "identity_gain"],
    }
    shift = config.training.noise_shift
    return write_weights(
        Path(args.out), trainer.averaged(), words, known, training, shift, gait_cycle=library.gait_cycle
    )


def _description(data: Path) -> dict[str, Any]:
    """What ``simulate`` says of the cohort that it wrote beside ``data``; nothing for other data."""
    path = data.resolve().parent / "cohort.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _figure(value: float) -> float | None:
    """A figure as JSON knows it."""
    return None if math.isnan(value) else round(value, 5)


def _show(trainer: Trainer, card: Any) -> None:
    """A sheet of clips of the weights just written, for TensorBoard."""
    from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline
    from gaitcrafter_ext.generator.samplers import make_scheduler
    from gaitcrafter_ext.generator.validation import preview

    if trainer.accelerator.is_main_process:
        scheduler = make_scheduler(card.sampling.sampler, trainer.config.training.noise_shift)
        pipeline = GaitCrafterPipeline(trainer.averaged(), scheduler)
        pipeline.card = card
        trainer.log_sheet(preview(pipeline))


def _command(args: argparse.Namespace) -> str:
    """The command line that makes such weights, with the names of files instead of this machine's paths."""
    words = ["gaitcrafter train", f"--data {Path(args.data).name}", f"--partition {Path(args.partition).name}"]
    if args.config:
        words.append(f"--config {Path(args.config).name}")
    if args.init:
        words.append(f"--init {Path(args.init).name}")
    if args.name:
        words.append(f"--name {args.name}")
    return " ".join([*words, f"--out {Path(args.out).name}"])


def _report(args: argparse.Namespace, trainer: Trainer, card: Any) -> None:
    progress = trainer.progress
    result = {
        "weights": str(args.out),
        "clips": progress.clips,
        "minutes": round(progress.seconds / 60, 1),
        "fingerprint": card.fingerprint,
        "loss_held_out": _figure(progress.curve[-1][2]) if progress.curve else None,
    }
    print(json.dumps(result) if args.json else "\n".join(f"{name}: {value}" for name, value in result.items()))

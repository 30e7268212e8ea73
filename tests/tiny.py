"""A generator small enough for a test: two people who are blocks of different width, walking in step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.generator.config import DatasetConfig, GeneratorConfig, ModelConfig, TrainingConfig
from gaitcrafter_ext.generator.data import ClipLibrary, hold_out, vocabulary_of
from gaitcrafter_ext.silhouettes.clip import COLUMNS
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey

__all__ = ["PEOPLE", "tiny_clip", "tiny_config", "tiny_library", "tiny_tree"]

PEOPLE = ("sim-001", "sim-002")


def tiny_clip(person: int, take: int, frames: int = 32) -> NDArray[np.uint8]:
    """A block that widens and narrows: uint8 [frames, 64, 64]; people differ in width, takes in phase."""
    clip = np.zeros((frames, 64, 64), np.uint8)
    for time in range(frames):
        half = 5 + 4 * person + round(2 * np.sin(2 * np.pi * (time + 5 * take) / 12))
        clip[time, 4:60, 32 - half : 32 + half] = 255
    return clip


def tiny_tree(root: Path) -> Path:
    """Two people x nm-01..03, cl-01..02 x 000, 090 in ``root/pkl``, and ``root/partition.json``; returns ``root``."""
    store = SilhouetteStore(root / "pkl", create=True)
    for person, identity in enumerate(PEOPLE):
        for take, name in enumerate(("nm-01", "nm-02", "nm-03", "cl-01", "cl-02")):
            for view in ("000", "090"):
                store.write(ClipKey(identity, name, view), tiny_clip(person, take))
    Partition(PEOPLE).save(root / "partition.json")
    return root


def tiny_config(**training: object) -> GeneratorConfig:
    """A network of a few thousand weights, in full precision."""
    settings = {"batch_size": 4, "warmup_steps": 4, "cooldown": 0.0, "validate_every": 1000, "precision": "no"}
    return GeneratorConfig(
        DatasetConfig(name="tiny"),
        ModelConfig(channels=(8, 64), blocks=(1, 1), embedding=16, canvas_channels=2),
        TrainingConfig(**{**settings, **training}),  # type: ignore[arg-type]
    )


def tiny_library(root: Path, config: GeneratorConfig, held_out: bool = False) -> ClipLibrary:
    """The training clips of :func:`tiny_tree`, or its held-out ones."""
    store = SilhouetteStore(root / "pkl")
    training, held = hold_out(store.keys(), config.dataset, 1)
    words = vocabulary_of(training, config.dataset)
    return ClipLibrary(store, held if held_out else training, words, config.dataset, 30, COLUMNS)

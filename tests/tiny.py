"""A generator small enough for a test: two people who are blocks of different width, walking in step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray

from gaitcrafter_ext.generator.config import DatasetConfig, GeneratorConfig, ModelConfig, TrainingConfig
from gaitcrafter_ext.generator.data import ClipDataset, hold_out, vocabulary_of
from gaitcrafter_ext.generator.network import GaitUNet
from gaitcrafter_ext.generator.people import PeopleSpace
from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline
from gaitcrafter_ext.generator.sampling import make_scheduler
from gaitcrafter_ext.generator.weights import Card, TrainedOn, Vocabulary
from gaitcrafter_ext.silhouettes.dataset import preset_path
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey, identities_hash

PEOPLE = ("sim-001", "sim-002")

SIZE: dict[str, Any] = {"channels": (8, 64), "blocks": (1, 1), "embedding": 16, "canvas_channels": 2, "code_dim": 4}
MODEL = ModelConfig(**SIZE)


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


def tiny_yaml(preset: str) -> str:
    """A preset's config with a network as small, which trains for two steps."""
    training = {"batch_size": 4, "precision": "no", "validate_every": 2, "max_clips": 8}
    size = {name: list(value) if isinstance(value, tuple) else value for name, value in SIZE.items()}
    config = yaml.safe_load(preset_path(preset).read_text())
    return yaml.safe_dump({**config, "model": size, "training": training})


def tiny_config(**training: object) -> GeneratorConfig:
    """A network of a few thousand weights, in full precision."""
    settings = {"batch_size": 4, "warmup_steps": 4, "cooldown": 0.0, "validate_every": 1000, "precision": "no"}
    return GeneratorConfig(
        DatasetConfig(name="tiny"),
        MODEL,
        TrainingConfig(**{**settings, **training}),  # type: ignore[arg-type]
    )


def tiny_dataset(root: Path, config: GeneratorConfig, held_out: bool = False) -> ClipDataset:
    """The training clips of :func:`tiny_tree`, or its held-out ones."""
    store = SilhouetteStore(root / "pkl")
    training, held = hold_out(store.keys(), config.dataset, 1)
    words = vocabulary_of(training, config.dataset) if held_out else None
    return ClipDataset(store, held if held_out else training, config.dataset, root / "clips.u8", words)


def tiny_network() -> GaitUNet:
    """A network whose numbers come from numpy: none is zero, and they are the same on every machine."""
    denoiser = GaitUNet(conditions=2, **SIZE).eval()
    rng, state = np.random.default_rng(0), denoiser.state_dict()
    for name in sorted(state):
        state[name] = torch.from_numpy(0.1 * rng.standard_normal(state[name].shape)).to(state[name].dtype)
    denoiser.load_state_dict(state)
    return denoiser


def tiny_pipeline(people: tuple[str, ...] = PEOPLE) -> GaitCrafterPipeline:
    """Weights that know these people, nm and cl, 000 and 090, with their card; all numbers random, seeds fixed."""
    space = PeopleSpace(people, ("nm", "cl"), (0.0, 90.0), MODEL.code_dim)
    codes = np.random.default_rng(1).standard_normal((len(people), MODEL.code_dim))
    space.codes.copy_(torch.from_numpy(codes))
    walks = dict.fromkeys(people, (24.0, 0.5))
    pipeline = GaitCrafterPipeline(tiny_network(), space, make_scheduler("euler", 3.0), ["nm", "cl"], walks)
    words = Vocabulary(people, ("nm", "cl"), {"000": 0.0, "090": 90.0})
    trained_on = TrainedOn("tiny", identities_hash(people), (f"{people[0]}/nm-03",))
    pipeline.card = Card(words, trained_on, DatasetConfig(name="tiny"), walks, code_dim=MODEL.code_dim)
    return pipeline

"""Sizes of the networks and how they are trained: published schedules, and ones that a laptop finishes in minutes."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.recognition.shares import Share, check_share
from gaitcrafter_ext.vocabulary import suggest

__all__ = [
    "MODELS",
    "PRESETS",
    "GaitBaseConfig",
    "GaitSetConfig",
    "NetworkConfig",
    "TrainingConfig",
    "network_config",
    "preset",
]


@dataclass(frozen=True)
class GaitSetConfig:
    """Sizes of a GaitSet; the defaults are the paper's, and OpenGait's for CASIA-B.

    Attributes:
        channels: Channels of the three blocks.
        embedding: Channels of each part's embedding.
        bins: Strips of the horizontal pyramid at each scale.
    """

    channels: tuple[int, int, int] = (32, 64, 128)
    embedding: int = 256
    bins: tuple[int, ...] = (16, 8, 4, 2, 1)


@dataclass(frozen=True)
class GaitBaseConfig:
    """Sizes of a GaitBase; the defaults are OpenGait's for CASIA-B (ResNet9).

    Attributes:
        channels: Channels of the four residual layers.
        layers: Blocks in each of them.
        strides: Stride of each one's first block.
        embedding: Channels of each part's embedding.
        bins: Strips of the horizontal pyramid at each scale.
    """

    channels: tuple[int, int, int, int] = (64, 128, 256, 512)
    layers: tuple[int, int, int, int] = (1, 1, 1, 1)
    strides: tuple[int, int, int, int] = (1, 2, 2, 1)
    embedding: int = 256
    bins: tuple[int, ...] = (16,)


NetworkConfig = GaitSetConfig | GaitBaseConfig

#: Model name -> sizes.
MODELS: dict[str, type[GaitSetConfig] | type[GaitBaseConfig]] = {"gaitset": GaitSetConfig, "gaitbase": GaitBaseConfig}


@dataclass(frozen=True)
class TrainingConfig:
    """One training run; everything that its result depends on besides the clips.

    Attributes:
        network: Sizes of the network; their class says which model it is.
        iterations: Optimiser steps.
        people: P, people in a batch.
        clips: K, clips of each person.
        frames: L, frames of each clip.
        learning_rate: SGD's.
        momentum: SGD's.
        weight_decay: SGD's.
        milestones: Iterations after which the learning rate falls to a tenth.
        augment: Rotate some clips a little and erase a patch of some (as OpenGait's GaitBase for CASIA-B).
        synthetic_share: Share of synthetic clips as points (iteration, share 0..1), see
            :class:`~gaitcrafter_ext.recognition.sampling.PKSampler`; None draws from all alike.
        seed: Initial weights and all batches.
        precision: ``"auto"``, ``"float32"`` or ``"bfloat16"``.
    """

    network: NetworkConfig = field(default_factory=GaitSetConfig)
    iterations: int = 500
    people: int = 8
    clips: int = 4
    frames: int = 8
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    milestones: tuple[int, ...] = ()
    augment: bool = False
    synthetic_share: Share | None = None
    seed: int = 0
    precision: str = "auto"

    def __post_init__(self) -> None:
        for name, least in (("iterations", 1), ("people", 2), ("clips", 2), ("frames", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise UsageError(f"{name} is {getattr(self, name)}; at least {least} is needed")
        if not 0 <= self.learning_rate < math.inf:
            raise UsageError(f"learning rate is {self.learning_rate}; allowed: a finite number from 0")
        if self.synthetic_share is not None:
            check_share(self.synthetic_share, self.synthetic_share)

    @property
    def model(self) -> str:
        """``"gaitset"`` or ``"gaitbase"``."""
        return next(name for name, kind in MODELS.items() if isinstance(self.network, kind))


#: (model, preset) -> schedule. ``full`` is OpenGait's for CASIA-B, ``cpu`` learns the simulated cohort in minutes to an
#: hour, ``small`` is for experiments of many trainings.
PRESETS: dict[tuple[str, str], TrainingConfig] = {
    ("gaitset", "small"): TrainingConfig(
        network=GaitSetConfig(channels=(16, 32, 64), embedding=128), iterations=200, frames=4
    ),
    ("gaitbase", "small"): TrainingConfig(
        network=GaitBaseConfig(channels=(8, 16, 32, 64), embedding=64), iterations=200, frames=4
    ),
    ("gaitset", "cpu"): TrainingConfig(),
    ("gaitbase", "cpu"): TrainingConfig(network=GaitBaseConfig(channels=(16, 32, 64, 128), embedding=128)),
    ("gaitset", "full"): TrainingConfig(iterations=40_000, clips=16, frames=30, milestones=(10_000, 20_000, 30_000)),
    ("gaitbase", "full"): TrainingConfig(
        network=GaitBaseConfig(),
        iterations=60_000,
        clips=16,
        frames=30,
        milestones=(20_000, 40_000, 50_000),
        augment=True,
    ),
}


def preset(model: str, name: str) -> TrainingConfig:
    """The schedule of a model.

    Raises:
        UsageError: There is no such model or preset.
    """
    if model not in MODELS:
        raise UsageError(f"unknown model '{model}'; {suggest(model, list(MODELS))}")
    names = [known for kind, known in PRESETS if kind == model]
    if name not in names:
        raise UsageError(f"unknown preset '{name}' of {model}; {suggest(name, names)}")
    return PRESETS[model, name]


def network_config(model: str, sizes: dict[str, object]) -> NetworkConfig:
    """Sizes as read from a JSON file.

    Raises:
        UsageError: There is no such model, or it has no such size.
    """
    if model not in MODELS:
        raise UsageError(f"unknown model '{model}'; {suggest(model, list(MODELS))}")
    known = [each.name for each in dataclasses.fields(MODELS[model])]
    for name in sizes:
        if name not in known:
            raise UsageError(f"{model} has no size '{name}'; {suggest(name, known)}")
    return MODELS[model](**{name: tuple(v) if isinstance(v, list) else v for name, v in sizes.items()})  # type: ignore[arg-type]

"""Sizes of the networks and how they are trained: published schedules, and ones that a laptop finishes in minutes."""

from __future__ import annotations

import dataclasses
from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import Field

from gaitcrafter_ext.errors import UsageError, suggest
from gaitcrafter_ext.recognition.mixing_schedule import MixingSchedule, check_schedule
from gaitcrafter_ext.records import fill, record

Count = Annotated[int, Field(ge=1)]
AtLeastTwo = Annotated[int, Field(ge=2)]
Bins = Annotated[tuple[Literal[1, 2, 4, 8, 16], ...], Field(min_length=1)]


@record
class GaitSetConfig:
    """Sizes of a GaitSet; the defaults are the paper's, and OpenGait's for CASIA-B. ``bins``: strips at each scale."""

    channels: tuple[Count, Count, Count] = (32, 64, 128)
    embedding: Count = 256
    bins: Bins = (16, 8, 4, 2, 1)
    model: Literal["gaitset"] = "gaitset"


@record
class GaitBaseConfig:
    """Sizes of a GaitBase (four residual layers); the defaults are OpenGait's for CASIA-B (ResNet9)."""

    channels: tuple[Count, Count, Count, Count] = (64, 128, 256, 512)
    layers: tuple[Count, Count, Count, Count] = (1, 1, 1, 1)
    strides: tuple[Count, Count, Count, Count] = (1, 2, 2, 1)
    embedding: Count = 256
    bins: Bins = (16,)
    model: Literal["gaitbase"] = "gaitbase"


NetworkConfig = Annotated[GaitSetConfig | GaitBaseConfig, Field(discriminator="model")]

MODELS = ("gaitset", "gaitbase")


@record
class TrainingConfig:
    """One training run; everything that its result depends on besides the clips.

    A batch is ``people`` x ``clips`` x ``frames``. The learning rate falls to a tenth at each of ``milestones``.
    ``augment`` rotates some clips a little and erases a patch of some (as OpenGait's GaitBase for CASIA-B).
    """

    network: NetworkConfig = field(default_factory=GaitSetConfig)
    iterations: Count = 500
    people: AtLeastTwo = 8
    clips: AtLeastTwo = 4
    frames: Count = 8
    learning_rate: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 5e-4
    milestones: tuple[Count, ...] = ()
    augment: bool = False
    synthetic_share: MixingSchedule | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    def __post_init__(self) -> None:
        if self.synthetic_share is not None:
            check_schedule(self.synthetic_share, self.synthetic_share)

    @property
    def model(self) -> str:
        """``"gaitset"`` or ``"gaitbase"``."""
        return self.network.model

    def replaced(self, **values: Any) -> TrainingConfig:
        """The same with some other values.

        Raises:
            UsageError: A value is outside of its range.
        """
        return fill(TrainingConfig, dataclasses.asdict(self) | values, "recogniser's training", UsageError)


#: (model, preset) -> schedule. ``full`` is OpenGait's for CASIA-B, ``cpu`` learns the simulated cohort in minutes to an
#: hour, ``small`` is for experiments of many trainings.
PRESETS: dict[tuple[str, str], TrainingConfig] = {
    ("gaitset", "small"): TrainingConfig(GaitSetConfig((16, 32, 64), 128), iterations=200, frames=4),
    ("gaitbase", "small"): TrainingConfig(GaitBaseConfig((8, 16, 32, 64), embedding=64), iterations=200, frames=4),
    ("gaitset", "cpu"): TrainingConfig(),
    ("gaitbase", "cpu"): TrainingConfig(GaitBaseConfig((16, 32, 64, 128), embedding=128)),
    ("gaitset", "full"): TrainingConfig(iterations=40_000, clips=16, frames=30, milestones=(10_000, 20_000, 30_000)),
    ("gaitbase", "full"): TrainingConfig(
        GaitBaseConfig(), 60_000, clips=16, frames=30, milestones=(20_000, 40_000, 50_000), augment=True
    ),
}


def preset(model: str, name: str) -> TrainingConfig:
    """The schedule of a model.

    Raises:
        UsageError: There is no such model or preset.
    """
    if model not in MODELS:
        raise UsageError(f"unknown model '{model}'; {suggest(model, MODELS)}")
    names = [known for kind, known in PRESETS if kind == model]
    if name not in names:
        raise UsageError(f"unknown preset '{name}' of {model}; {suggest(name, names)}")
    return PRESETS[model, name]

"""What can be chosen about a generator; a YAML file fills it. Torch-free, so that a wrong key is refused at once."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.records import fill, read_yaml, record
from gaitcrafter_ext.silhouettes.dataset import DatasetConfig, preset_path

Share = Annotated[float, Field(ge=0, le=1)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]

#: A head of the attention at the coarsest resolution.
HEAD_CHANNELS = 64


@record
class ModelConfig:
    """Size of the denoiser, see :class:`gaitcrafter_ext.generator.network.GaitUNet`."""

    channels: Annotated[tuple[Count, ...], Field(min_length=2, max_length=3)] = (64, 160, 320)
    blocks: Annotated[tuple[Count, ...], Field(min_length=2, max_length=3)] = (1, 2, 3)
    embedding: Annotated[int, Field(ge=8, multiple_of=4)] = 256
    canvas_channels: Count = 16
    code_dim: Annotated[int, Field(ge=1, le=512)] = 64

    def __post_init__(self) -> None:
        if len(self.blocks) != len(self.channels):
            raise UsageError(
                f"model.blocks names {len(self.blocks)} resolutions, model.channels {len(self.channels)}; give as many"
            )
        if self.channels[-1] % HEAD_CHANNELS:
            raise UsageError(
                f"model.channels ends with {self.channels[-1]}; the last one must be a multiple of {HEAD_CHANNELS}"
            )


@record
class TrainingConfig:
    """How the denoiser is trained."""

    max_clips: Count = 2_000_000  # training ends when so many (windows of 30 frames) are seen, all processes together
    batch_size: Count = 16  # clips a process takes a step on
    learning_rate: Rate = 5e-4
    warmup_steps: Annotated[int, Field(ge=0)] = 200
    cooldown: Share = 0.2  # last share of max_clips over which the rate falls back to 0, in a straight line
    weight_decay: Fraction = 0.01
    gradient_clip: Rate = 1.0
    ema_decay: Fraction = 0.9995  # of the averaged weights, a step, reached after a warm-up of its own
    # How often identity, condition and view are left out together (classifier-free dropout), for the unconditional
    # model that guidance leads away from; then how often each input is left out on its own.
    drop_all: Fraction = 0.1
    drop_identity: Fraction = 0.05
    drop_condition: Fraction = 0.05
    drop_view: Fraction = 0.05
    drop_phase: Fraction = 0.1
    # Standard deviation of the noise on identity codes, in their unit: people are regions, not points.
    code_noise: Annotated[float, Field(ge=0, le=2)] = 0.125
    feet: Annotated[float, Field(ge=1, le=10)] = 1.5  # weight of the lower third of each frame in the loss
    condition_balance: Share = 0.5  # 0 = conditions as often as they are recorded, 1 = all equally often
    noise_shift: Annotated[float, Field(ge=1, le=20)] = 3.0  # how far training leans to high noise, see objective.py
    # The last so many takes of each condition of each person are never trained on; they validate.
    held_out_takes: Annotated[int, Field(ge=0)] = 1
    # fp16 on CUDA only; auto: bf16 where the machine multiplies it fast, else full precision.
    precision: Literal["auto", "no", "bf16", "fp16"] = "auto"
    validate_every: Count = 500  # steps
    save_minutes: Rate = 3.0
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0


@record
class DistillationConfig:
    """What ``train --distill`` makes of a teacher: ``steps`` network evaluations a clip that stand for more of its own.

    ``guidance`` is what is baked in, by default what the teacher's card names.
    """

    steps: Annotated[int, Field(ge=1, le=8)] = 2
    teacher_steps: Annotated[int, Field(ge=1, le=64)] = 8
    guidance: Annotated[float, Field(ge=0, le=20)] | None = None

    def __post_init__(self) -> None:
        if self.teacher_steps % self.steps:
            raise UsageError(
                f"distillation.teacher_steps is {self.teacher_steps}; it must be a multiple of distillation.steps, "
                f"{self.steps}"
            )


@record
class GeneratorConfig:
    """Everything a YAML given to ``train --config`` may set."""

    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    distillation: DistillationConfig = field(default_factory=DistillationConfig)


#: What ``training`` is by default for a student, who begins with the teacher's weights.
STUDENT = {"max_clips": 100_000, "learning_rate": 1e-4, "warmup_steps": 100, "cooldown": 0.5, "ema_decay": 0.999}


def load_config(name: str | Path | None, student: bool = False) -> GeneratorConfig:
    """Read a preset of the package or a YAML file; what it leaves out keeps its default, a ``student``'s or the usual.

    ``MissingError`` where there is no such preset or file, ``DataError`` where it is not YAML, ``UsageError`` where a
    key is unknown, or a value has another type or lies outside its range.
    """
    path = None if name is None else preset_path(name)
    values = {} if path is None else read_yaml(path)
    if student and isinstance(values, dict) and isinstance(values.get("training", {}), dict):
        values = {**values, "training": {**STUDENT, **values.get("training", {})}}
    return fill(GeneratorConfig, values, path, UsageError)

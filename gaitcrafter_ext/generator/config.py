"""What can be chosen about a generator: frozen dataclasses are the truth, a YAML file fills them.

Torch-free, so that a wrong key is refused before anything heavy loads.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_origin, get_type_hints

import yaml

from gaitcrafter_ext.errors import DataError, UsageError, suggest
from gaitcrafter_ext.records import fill
from gaitcrafter_ext.silhouettes.dataset import DatasetConfig, preset_path

__all__ = ["DatasetConfig", "GeneratorConfig", "ModelConfig", "TrainingConfig", "load_config"]

T = TypeVar("T")


@dataclass(frozen=True)
class ModelConfig:
    """Size of the denoiser, see :class:`gaitcrafter_ext.generator.network.GaitUNet`."""

    channels: tuple[int, ...] = (64, 160, 320)
    blocks: tuple[int, ...] = (1, 2, 3)
    embedding: int = 256
    canvas_channels: int = 16


@dataclass(frozen=True)
class TrainingConfig:
    """How the denoiser is trained.

    Attributes:
        max_clips: Training ends after this many clips (windows of 30 frames) seen, all processes together.
        batch_size: Clips a process takes a step on.
        learning_rate: AdamW's, after the warm-up.
        warmup_steps: Steps over which the learning rate rises from 0.
        cooldown: Last share of ``max_clips`` over which it falls back to 0, in a straight line.
        weight_decay: AdamW's.
        gradient_clip: Largest norm of the gradient.
        ema_decay: Decay a step of the averaged weights, reached after a warm-up of its own.
        drop_all: How often identity, condition and view are left out together (classifier-free dropout): the walk of
            anybody that guidance leads away from.
        drop_identity: How often the identity is left out on its own.
        drop_condition: The same for the walking condition.
        drop_view: The same for the view.
        condition_balance: 0 = conditions as often as they are recorded, 1 = all equally often.
        noise_shift: How far training leans to high noise, see :mod:`gaitcrafter_ext.generator.objective`.
        held_out_takes: The last so many takes of each condition of each person are never trained on; they validate.
        precision: ``bf16``, ``fp16`` (CUDA only), ``no`` or ``auto``: bf16 where the machine multiplies it fast, else
            full precision.
        validate_every: Steps between validations.
        save_minutes: Minutes between saved states.
        seed: Of everything random.
    """

    max_clips: int = 2_000_000
    batch_size: int = 16
    learning_rate: float = 5e-4
    warmup_steps: int = 200
    cooldown: float = 0.2
    weight_decay: float = 0.01
    gradient_clip: float = 1.0
    ema_decay: float = 0.9995
    drop_all: float = 0.1
    drop_identity: float = 0.05
    drop_condition: float = 0.05
    drop_view: float = 0.05
    condition_balance: float = 0.5
    noise_shift: float = 3.0
    held_out_takes: int = 1
    precision: str = "auto"
    validate_every: int = 500
    save_minutes: float = 3.0
    seed: int = 0


@dataclass(frozen=True)
class GeneratorConfig:
    """Everything a YAML given to ``train --config`` may set."""

    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)


def load_config(path: str | Path | None) -> GeneratorConfig:
    """Read a YAML of the sections ``dataset``, ``model`` and ``training``; what it leaves out keeps its default.

    Raises:
        MissingError: There is no such file.
        DataError: It is not YAML.
        UsageError: A key is unknown (the nearest name is suggested) or a value has another type.
    """
    if path is None:
        return GeneratorConfig()
    try:
        values = yaml.safe_load(preset_path(path).read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"config {path} is not YAML: {' '.join(str(error).split())}") from None
    return _fill(GeneratorConfig, values, str(path), "")


def _fill(kind: type[T], values: Any, source: str, prefix: str) -> T:
    """Make the dataclass ``kind`` of a mapping, sections within sections."""
    if not isinstance(values, dict):
        raise UsageError(f"{source}: '{prefix or 'the file'}' must be a mapping, found {type(values).__name__}")
    types, chosen = get_type_hints(kind), {}
    for key, value in values.items():
        if key not in types:
            raise UsageError(f"{source}: unknown key '{prefix}{key}'; {suggest(str(key), list(types))}")
        chosen[key] = _value(types[key], value, source, f"{prefix}{key}")
    return kind(**chosen)


def _value(wanted: Any, value: Any, source: str, name: str) -> Any:
    """``value`` as the type that the dataclass declares."""
    if wanted is DatasetConfig:
        return fill(DatasetConfig, value, f"{source}: {name}", UsageError)
    if dataclasses.is_dataclass(wanted):
        return _fill(wanted, value, source, f"{name}.")  # type: ignore[arg-type]
    kind: type = get_origin(wanted) or wanted
    if kind is float and type(value) is int:
        return float(value)
    if kind is tuple and isinstance(value, list):
        return tuple(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise UsageError(f"{source}: '{name}' is {value!r}; expected {kind.__name__}")
    return value

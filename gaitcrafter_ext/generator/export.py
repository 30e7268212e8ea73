"""Writing a weights folder: what ``diffusers`` saves, in half precision, and the card last."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import torch

from gaitcrafter_ext.generator.card import (
    CARD_NAME,
    WEIGHTS_NAME,
    Card,
    SamplingDefaults,
    TrainedOn,
    Vocabulary,
    checksum,
)
from gaitcrafter_ext.generator.network import GaitUNet
from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline
from gaitcrafter_ext.generator.samplers import make_scheduler
from gaitcrafter_ext.silhouettes.files import STAGED_PREFIX, atomic_write_text, storage_error

__all__ = ["write_weights"]


def write_weights(
    folder: Path,
    denoiser: GaitUNet,
    vocabulary: Vocabulary,
    trained_on: TrainedOn,
    training: dict[str, Any],
    noise_shift: float,
    sampling: SamplingDefaults | None = None,
    gait_cycle: tuple[float, float] | None = None,
) -> Card:
    """Write ``denoiser`` so that :meth:`GaitCrafterPipeline.from_pretrained` loads it.

    Everything is written to a temporary folder and moved, file by file, the card last: a kill leaves either the old
    weights, or weights whose card does not match and is refused, never silently mixed ones.

    Args:
        folder: The weights folder, made where missing.
        denoiser: Network to save, as float16 safetensors.
        vocabulary: What can be asked of it.
        trained_on: Whom it knows.
        training: How it was made; anything JSON can hold.
        noise_shift: Of the noise levels in training, reused in sampling.
        sampling: Defaults for sampling.
        gait_cycle: Of the training clips, frames.

    Returns:
        The card written.

    Raises:
        StorageError: The disk refused.
    """
    sampling = sampling or SamplingDefaults()
    half = GaitUNet.from_config(denoiser.config)
    half.load_state_dict(denoiser.state_dict())
    pipeline = GaitCrafterPipeline(half.to(torch.float16), make_scheduler(sampling.sampler, noise_shift))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=STAGED_PREFIX, dir=folder) as staged:
            pipeline.save_pretrained(staged, safe_serialization=True)
            card = Card(vocabulary, trained_on, sampling, training, checksum(Path(staged) / WEIGHTS_NAME), gait_cycle)
            _move_files(Path(staged), folder)
    except OSError as error:
        raise storage_error(folder, error) from error
    atomic_write_text(folder / CARD_NAME, card.to_json())
    return card


def _move_files(source: Path, target: Path) -> None:
    """Move every file under ``source`` to the same place under ``target``."""
    for path in sorted(found for found in source.rglob("*") if found.is_file()):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, place)

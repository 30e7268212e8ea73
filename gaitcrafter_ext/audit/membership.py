"""Does the generator know its training clips from others of the same people? Membership by denoising loss.

A network that has learnt clips by heart denoises them better than new clips (Carlini et al., "Extracting Training Data
from Diffusion Models", USENIX Security 2023, section 5). The attack's AUC is the share of (training, held-out) pairs of
the same view and condition in which the training clip has the lower loss: 0.5 = it cannot tell.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError, MissingError, WeightsError
from gaitcrafter_ext.generator.objective import add_noise
from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline
from gaitcrafter_ext.recognition.bootstrap import Estimate, bootstrap_mean
from gaitcrafter_ext.silhouettes.clip import encode, window
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey

__all__ = ["LEVELS", "Membership", "clip_losses", "membership", "membership_of_weights"]

#: Noise levels at which the loss is taken, and clips of each kind at most.
LEVELS, MOST = (0.3, 0.5, 0.7, 0.9), 96

BATCH = 8


@dataclass(frozen=True)
class Membership:
    """How well training clips are told from held-out ones by their loss.

    Attributes:
        auc: 0.5 = not at all, 1 = always; interval over people.
        training: Mean loss of training clips.
        held_out: Mean loss of held-out clips.
        levels: The noise levels.
    """

    auc: Estimate
    training: float
    held_out: float
    levels: tuple[float, ...]


def membership(
    training: tuple[Sequence[ClipKey], NDArray[np.float64]],
    held_out: tuple[Sequence[ClipKey], NDArray[np.float64]],
    rng: np.random.Generator,
) -> Membership:
    """AUC within views and conditions.

    Args:
        training: Clips and their losses, float64 [N].
        held_out: The same of clips that were not trained on.
        rng: Draws the bootstrap's people.

    Raises:
        DataError: No view and condition has clips of both kinds.
    """
    wins, people = [], []
    cells = np.array([f"{key.view}/{key.condition}" for key in held_out[0]], dtype=str)
    for key, loss in zip(*training, strict=True):
        theirs = held_out[1][cells == f"{key.view}/{key.condition}"]
        if len(theirs):
            wins.append(float(np.mean(loss < theirs) + 0.5 * np.mean(loss == theirs)))
            people.append(key.identity)
    if not wins:
        raise DataError("membership: no view and condition has both training and held-out clips")
    auc = bootstrap_mean(np.array(wins), np.array(people, dtype=str), rng)
    return Membership(auc, float(training[1].mean()), float(held_out[1].mean()), LEVELS)


@torch.inference_mode()
def clip_losses(pipeline: GaitCrafterPipeline, store: SilhouetteStore, keys: Sequence[ClipKey]) -> NDArray[np.float64]:
    """Mean squared error of the clean clip that the network predicts, mean over ``LEVELS``, float64 [N].

    Each clip's noise is keyed by its name, so that a loss does not depend on which other clips are asked about.
    """
    config, words = pipeline.denoiser.config, pipeline.vocabulary
    losses = []
    for at in range(0, len(keys), BATCH):
        some = keys[at : at + BATCH]
        clean = encode(np.stack([window(store.read(key), config.frames) for key in some]), config.width)
        code = torch.eye(len(words.identities))[[words.identities.index(key.identity) for key in some]]
        condition = torch.tensor([words.conditions.index(key.condition) for key in some])
        angles = [words.views.get(key.view) for key in some]
        view = torch.tensor([float("nan") if angle is None else angle for angle in angles])
        total = torch.zeros(len(some))
        for level in LEVELS:
            levels = torch.full((len(some),), level)
            noise = torch.stack([_noise(key, level, clean.shape[1:]) for key in some])
            predicted = pipeline.denoiser(add_noise(clean, noise, levels), levels, code, condition, view)
            total += (predicted.float() - clean).square().flatten(1).mean(dim=1)
        losses += (total / len(LEVELS)).tolist()
    return np.array(losses)


def membership_of_weights(
    weights: str | None,
    store: SilhouetteStore,
    training: Sequence[ClipKey],
    held_out: Sequence[ClipKey],
    rng: np.random.Generator,
) -> Membership:
    """Attack weights with some of their training and held-out clips.

    Raises:
        DataError: There are no weights that load, or no clips to tell apart.
    """
    if weights is None:
        raise DataError("the generator's weights were not given (--weights)")
    try:
        pipeline = GaitCrafterPipeline.from_pretrained(weights)
    except (MissingError, WeightsError) as error:
        raise DataError(str(error)) from None
    known, new = (_some(pipeline, store, keys, rng) for keys in (training, held_out))
    losses = [clip_losses(pipeline, store, keys) for keys in (known, new)]
    return membership((known, losses[0]), (new, losses[1]), rng)


def _some(
    pipeline: GaitCrafterPipeline, store: SilhouetteStore, keys: Sequence[ClipKey], rng: np.random.Generator
) -> list[ClipKey]:
    """Random clips that the weights have words for and that are long enough."""
    words, frames = pipeline.vocabulary, pipeline.denoiser.config.frames
    known = [key for key in keys if key.identity in words.identities and key.condition in words.conditions]
    drawn = [known[index] for index in rng.permutation(len(known))[:MOST]]
    return [key for key in sorted(drawn) if len(store.read(key)) >= frames]


def _noise(key: ClipKey, level: float, shape: torch.Size) -> torch.Tensor:
    generator = torch.Generator().manual_seed(zlib.crc32(f"{key} {level}".encode()))
    return torch.randn(shape, generator=generator)

"""Does the generator know its training clips from others of the same people? Membership by denoising loss.

A network that has learnt clips by heart denoises them better than new clips (Carlini et al., "Extracting Training Data
from Diffusion Models", USENIX Security 2023, section 5). The attack's AUC is the share of (training, held-out) pairs of
the same view and condition in which the training clip has the lower loss: 0.5 = it cannot tell.
"""

from __future__ import annotations

import zlib

import numpy as np
import torch
from numpy.typing import NDArray

from gaitcrafter_ext.audit.clips import condition_in, named
from gaitcrafter_ext.audit.data import Keys
from gaitcrafter_ext.audit.motion import Rng
from gaitcrafter_ext.errors import DataError, MissingError, WeightsError
from gaitcrafter_ext.generator.noise import noise_of
from gaitcrafter_ext.generator.objective import add_noise
from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline
from gaitcrafter_ext.generator.weights import Vocabulary
from gaitcrafter_ext.metrics.features import FeatureSet, win_rates
from gaitcrafter_ext.metrics.intervals import Estimate, bootstrap_mean
from gaitcrafter_ext.silhouettes.clip import WIDTH, window
from gaitcrafter_ext.silhouettes.store import SilhouetteStore

#: Noise levels t at which the loss is taken, and clips of each kind at most.
NOISE_LEVELS, MOST = (0.3, 0.5, 0.7, 0.9), 96

BATCH = 8


def membership(training: FeatureSet, held_out: FeatureSet, rng: Rng) -> Estimate:
    """AUC within views and conditions of losses, float [N, 1]; ``rng`` draws the bootstrap's people."""
    cells, others = (np.array(["/".join(cell) for cell in side.cells], dtype=str) for side in (training, held_out))
    wins = np.full(len(training), np.nan)
    for cell in np.intersect1d(cells, others):
        wins[cells == cell] = win_rates(training.vectors[cells == cell, 0], held_out.vectors[others == cell, 0])
    common = np.isfinite(wins)
    if not common.any():
        raise DataError("membership: no view and condition has both training and held-out clips")
    return bootstrap_mean(wins[common], training.identity[common], rng)


def losses_of_weights(
    weights: str | None, store: SilhouetteStore, training: Keys, held_out: Keys, rng: Rng, device: torch.device | str
) -> tuple[FeatureSet, FeatureSet]:
    """Losses of at most :data:`MOST` training and held-out clips that the weights have words for, float32 [N, 1]."""
    if weights is None:
        raise DataError("the generator's weights were not given (--weights)")
    try:
        pipeline = GaitCrafterPipeline.from_pretrained(weights)
    except (MissingError, WeightsError) as error:
        raise DataError(str(error)) from None
    if pipeline.sampling.baked_in:
        raise DataError("the weights are distilled and denoise no real clips; attack those they were distilled from")
    pipeline.to(device)
    known, new = (_losses(pipeline, store, keys, rng) for keys in (training, held_out))
    return known, new


def _losses(pipeline: GaitCrafterPipeline, store: SilhouetteStore, keys: Keys, rng: Rng) -> FeatureSet:
    words, rules, frames = _vocabulary(pipeline), store.dataset, pipeline.denoiser.config.frames
    people, conditions = set(words.identities), set(words.conditions)
    known = [key for key in keys if key.identity in people and condition_in(rules, key.take) in conditions]
    drawn = sorted(known[index] for index in rng.permutation(len(known))[:MOST])
    mine = [key for key in drawn if len(store.read(key)) >= frames]
    return named(rules, clip_losses(pipeline, store, mine)[:, None], mine)


def _vocabulary(pipeline: GaitCrafterPipeline) -> Vocabulary:
    assert pipeline.card is not None  # it was loaded from a folder
    return pipeline.card.vocabulary


@torch.no_grad()
def clip_losses(pipeline: GaitCrafterPipeline, store: SilhouetteStore, keys: Keys) -> NDArray[np.float64]:
    """Mean squared error of the clean clip that the network predicts, mean over ``NOISE_LEVELS``, float64 [N].

    Each clip's noise is keyed by its name, so that a loss does not depend on which other clips are asked about.
    """
    words, config, device, losses = _vocabulary(pipeline), pipeline.denoiser.config, pipeline.denoiser.device, []
    margin, codes = (WIDTH - config.width) // 2, pipeline.people.codes.cpu()
    for some in (keys[at : at + BATCH] for at in range(0, len(keys), BATCH)):
        frames = np.stack([window(store.read(key), config.frames) for key in some])
        clean = torch.from_numpy(frames[..., margin : WIDTH - margin]).to(device).div(127.5).sub(1)
        conditions = [words.conditions.index(condition_in(store.dataset, key.take)) for key in some]
        degrees = np.array([words.views.get(store.dataset.view_name(key.view)) for key in some], dtype=np.float32)
        asked = (
            pipeline.people.blends([{key.identity: 1.0} for key in some], codes).to(device),
            torch.tensor(conditions, device=device),
            torch.from_numpy(degrees).to(device),
            torch.full(clean.shape[:2], float("nan"), device=device),  # the attacker does not know the phase
        )
        total = torch.zeros(len(some), device=device)
        for level in NOISE_LEVELS:
            t = torch.full((len(some),), level, device=device)
            noise = noise_of([zlib.crc32(f"{key} {level}".encode()) for key in some], *clean.shape[1:], device=device)
            predicted = pipeline.denoiser(add_noise(clean, noise, t), t, *asked)
            total += (predicted.float() - clean).square().flatten(1).mean(dim=1)
        losses += (total / len(NOISE_LEVELS)).tolist()
    return np.array(losses)

"""The clips a generator is trained on: read once, kept as bytes in memory, drawn by a keyed random generator."""

from __future__ import annotations

import functools
import logging
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.generator.card import Vocabulary
from gaitcrafter_ext.generator.config import DatasetConfig
from gaitcrafter_ext.silhouettes.clip import encode, window
from gaitcrafter_ext.silhouettes.cycle import cycle_of, is_reliable_deg
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import CONDITIONS, ClipKey

__all__ = ["Batch", "ClipLibrary", "hold_out", "vocabulary_of"]

logger = logging.getLogger(__name__)

#: Clips at most that the range of gait cycles is read from, and its percentiles.
CYCLE_CLIPS, CYCLE_RANGE = 4000, (1, 99)


@dataclass(frozen=True)
class Batch:
    """Windows of clips with what the denoiser is told about them.

    Attributes:
        clean: float32 [b, t, h, w] in [-1, 1].
        code: float32 [b, identities], one-hot.
        condition: long [b].
        view_deg: float32 [b], NaN where the view's angle is unknown.
    """

    clean: Tensor
    code: Tensor
    condition: Tensor
    view_deg: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        return Batch(*(getattr(self, name).to(device) for name in ("clean", "code", "condition", "view_deg")))


def vocabulary_of(keys: Iterable[ClipKey], dataset: DatasetConfig) -> Vocabulary:
    """Everything these clips show, in canonical order (known conditions first)."""
    keys = list(keys)
    seen = {dataset.condition_of(key.take) for key in keys}
    conditions = [name for name in CONDITIONS if name in seen] + sorted(seen - set(CONDITIONS))
    views = {dataset.view_name(view): dataset.view_deg(view) for view in sorted({key.view for key in keys})}
    return Vocabulary(tuple(sorted({key.identity for key in keys})), tuple(conditions), views)


def hold_out(keys: Sequence[ClipKey], dataset: DatasetConfig, takes: int) -> tuple[list[ClipKey], list[ClipKey]]:
    """Split clips into those to train on and those held out: each person's last ``takes`` takes of each condition.

    Where a person has no more than ``takes`` takes of a condition, all of them are trained on.
    """
    names: dict[tuple[str, str], set[str]] = defaultdict(set)
    for key in keys:
        names[key.identity, dataset.condition_of(key.take)].add(key.take)
    last = {
        (identity, take)
        for (identity, _), found in names.items()
        if len(found) > takes > 0
        for take in sorted(found)[-takes:]
    }
    held = [key for key in keys if (key.identity, key.take) in last]
    return [key for key in keys if (key.identity, key.take) not in last], held


class ClipLibrary:
    """Clips in memory, uint8, from which batches of windows are drawn.

    Args:
        store: Where the clips lie.
        keys: Which of them.
        vocabulary: Order of people and conditions.
        dataset: How folder names are read.
        frames: Length of a window; shorter clips are left out with a warning.
        columns: Middle columns kept.

    Raises:
        DataError: No clip is long enough, or a file is damaged.
    """

    def __init__(
        self,
        store: SilhouetteStore,
        keys: Sequence[ClipKey],
        vocabulary: Vocabulary,
        dataset: DatasetConfig,
        frames: int,
        columns: int,
    ) -> None:
        self.vocabulary, self.frames, self.columns = vocabulary, frames, columns
        clips = _read_all(store, keys)
        long_enough = [index for index, clip in enumerate(clips) if len(clip) >= frames]
        if len(long_enough) < len(clips):
            logger.warning(
                "%d of %d clips are shorter than %d frames: left out", len(clips) - len(long_enough), len(clips), frames
            )
        if not long_enough:
            raise DataError(
                f"{store.root}: none of {len(clips)} clips has {frames} frames or more; longer ones are needed"
            )
        self.keys = [keys[index] for index in long_enough]
        self.clips = [clips[index] for index in long_enough]
        self.person = np.array([vocabulary.identities.index(key.identity) for key in self.keys])
        self.condition = np.array([vocabulary.conditions.index(dataset.condition_of(key.take)) for key in self.keys])
        degrees = (vocabulary.views[dataset.view_name(key.view)] for key in self.keys)
        self.view_deg = np.array([np.nan if angle is None else angle for angle in degrees], dtype=np.float32)

    def __len__(self) -> int:
        return len(self.keys)

    @functools.cached_property
    def gait_cycle(self) -> tuple[float, float] | None:
        """Shortest and longest gait cycle, frames: percentiles 1 and 99 over the middle windows of clips.

        None where no view tells.
        """
        telling = [clip for clip, degrees in zip(self.clips, self.view_deg, strict=True) if is_reliable_deg(degrees)]
        drawn = np.random.default_rng(0).permutation(len(telling))[:CYCLE_CLIPS]
        cycles = [cycle_of(window(telling[place], self.frames)).frames for place in drawn]
        if not any(map(math.isfinite, cycles)):
            return None
        shortest, longest = np.nanpercentile(cycles, CYCLE_RANGE)
        return round(float(shortest), 1), round(float(longest), 1)

    def weights(self, condition_balance: float) -> NDArray[np.float64]:
        """Probability of drawing each clip: people equally often, conditions by ``condition_balance`` in [0, 1]."""
        cell = self.person * len(self.vocabulary.conditions) + self.condition
        cells, where, counts = np.unique(cell, return_inverse=True, return_counts=True)
        share = counts ** (1.0 - condition_balance)
        person_of_cell = cells // len(self.vocabulary.conditions)
        share = share / np.bincount(person_of_cell, weights=share)[person_of_cell]
        weights = (share / counts)[where]
        return weights / weights.sum()

    def draw(self, size: int, rng: np.random.Generator, cumulative: NDArray[np.float64]) -> Batch:
        """Random windows of random clips; ``cumulative`` is the running sum of :meth:`weights`."""
        chosen = np.minimum(np.searchsorted(cumulative, rng.random(size), side="right"), len(self) - 1)
        starts = [int(rng.integers(len(self.clips[index]) - self.frames + 1)) for index in chosen]
        return self.batch(chosen, starts)

    def batch(self, indices: Sequence[int] | NDArray[np.int64], starts: Sequence[int]) -> Batch:
        """The windows of the named clips that begin at ``starts``."""
        windows = [self.clips[i][start : start + self.frames] for i, start in zip(indices, starts, strict=True)]
        person = torch.from_numpy(self.person[indices])
        return Batch(
            clean=encode(np.stack(windows), self.columns),
            code=torch.nn.functional.one_hot(person, len(self.vocabulary.identities)).float(),
            condition=torch.from_numpy(self.condition[indices]),
            view_deg=torch.from_numpy(self.view_deg[indices]),
        )


def _read_all(store: SilhouetteStore, keys: Sequence[ClipKey]) -> list[NDArray[np.uint8]]:
    """Read clips side by side, with a bar when there are many."""
    with ThreadPoolExecutor(max_workers=4) as readers:
        found = readers.map(store.read, keys)
        return list(tqdm(found, total=len(keys), desc="reading", unit="clip", delay=2, leave=False))

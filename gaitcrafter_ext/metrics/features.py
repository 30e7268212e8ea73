"""Cached features: one vector a clip (or one a body part), what each clip is of, and how far apart they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.vocabulary import ClipKey

Floats = NDArray[np.float32]
Numbers = NDArray[np.floating]
Labels = NDArray[np.str_]

#: Euclidean, or one minus the cosine.
Distance = Literal["euc", "cos"]

#: View and condition.
Cell = tuple[str, str]


@dataclass(frozen=True)
class Features:
    """Embeddings of a recogniser, float32 [N, channels, parts], and the labels of their clips, str [N] each."""

    embeddings: Floats
    identity: Labels
    take: Labels
    view: Labels

    @cached_property
    def vectors(self) -> Floats:
        """Unit vectors in which every part counts alike, float32 [N, channels * parts]."""
        return flatten_parts(self.embeddings)

    def where(self, mask: NDArray[np.bool_]) -> Features:
        """The clips that a bool [N] mask picks."""
        return Features(self.embeddings[mask], self.identity[mask], self.take[mask], self.view[mask])


@dataclass(frozen=True)
class FeatureSet:
    """Features of many clips, float32 [N, D]: GEIs, or what a recogniser makes of them. Labels are str [N]."""

    vectors: Floats
    identity: Labels
    take: Labels
    condition: Labels
    view: Labels

    @classmethod
    def of(cls, vectors: Sequence[Numbers] | Numbers, keys: Sequence[ClipKey], conditions: Sequence[str]) -> FeatureSet:
        """Vectors of named clips, in their order."""
        found = np.stack(list(vectors)).astype(np.float32) if len(vectors) else np.zeros((0, 0), np.float32)
        rows = zip(keys, conditions, strict=True)
        labels = [(key.identity, key.take, condition, key.view) for key, condition in rows]
        return cls(found, *np.array(labels, dtype=str).reshape(-1, 4).T)

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def keys(self) -> list[ClipKey]:
        """Names of the clips."""
        return [ClipKey(*labels) for labels in zip(self.identity, self.take, self.view, strict=True)]

    @property
    def cells(self) -> list[Cell]:
        """View and condition of each clip."""
        return list(zip(self.view.tolist(), self.condition.tolist(), strict=True))

    @property
    def people(self) -> list[str]:
        """Whose clips there are, sorted."""
        return sorted(set(self.identity.tolist()))

    def where(self, mask: NDArray[np.bool_] | NDArray[np.integer]) -> FeatureSet:
        """The clips that a bool [N] mask, or indices, pick."""
        labels = (self.identity[mask], self.take[mask], self.condition[mask], self.view[mask])
        return FeatureSet(self.vectors[mask], *labels)

    def only(self, people: Iterable[str] | None = None, takes: Iterable[str] | None = None) -> FeatureSet:
        """The clips of these people and takes; None means all."""
        mask = np.ones(len(self), dtype=bool)
        for labels, allowed in ((self.identity, people), (self.take, takes)):
            if allowed is not None:
                mask &= np.isin(labels, list(allowed))
        return self.where(mask)


#: What most metrics take: vectors [N, D], whose clip each is and its view.
Labelled = Features | FeatureSet


def joined(*parts: FeatureSet) -> FeatureSet:
    """All clips of several sets; empty ones are skipped."""
    kept = [part for part in parts if len(part)] or list(parts[:1])
    columns = ("vectors", "identity", "take", "condition", "view")
    return FeatureSet(*(np.concatenate([getattr(part, name) for part in kept]) for name in columns))


def rows_of(labels: Labels) -> dict[str, NDArray[np.intp]]:
    """Indices of the clips of each label, in the order in which labels first appear."""
    names, first, index, counts = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    groups = np.split(np.argsort(index, kind="stable"), np.cumsum(counts)[:-1])
    return {str(names[at]): groups[at] for at in np.argsort(first)}


def flatten_parts(embeddings: Floats) -> Floats:
    """Embeddings as unit vectors in which every part counts alike: float32 [N, c, p] -> [N, c * p]."""
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    parts = embeddings / np.maximum(lengths, 1e-12) / np.sqrt(max(1, embeddings.shape[2]))
    return parts.reshape(len(parts), parts.shape[1] * parts.shape[2]).astype(np.float32)


def as_many_takes(
    real: Sequence[ClipKey], cells: Sequence[Cell], synthetic: Iterable[tuple[str, Cell]]
) -> NDArray[np.bool_]:
    """Which real clips to look at, so that no person has more in a cell than some synthetic one: the first takes.

    ``synthetic`` gives person and cell of each clip. A centroid of more clips is steadier: thresholds hold only among
    centroids of as many clips.
    """
    most, seen = Counter[Cell](), Counter[tuple[str, Cell]]()
    for (_, cell), count in Counter(synthetic).items():
        most[cell] = max(most[cell], count)
    mask = np.zeros(len(real), dtype=bool)
    for index in sorted(range(len(real)), key=lambda index: real[index]):
        who = real[index].identity, cells[index]
        seen[who] += 1
        mask[index] = seen[who] <= most[who[1]]
    return mask


def squared_distances(left: Numbers, right: Numbers) -> Numbers:
    """Squared Euclidean distance of every pair, [n, D] and [m, D] -> [n, m], by ||a||^2 - 2 a.b + ||b||^2."""
    found = (left**2).sum(1)[:, None] - 2 * left @ right.T + (right**2).sum(1)[None]
    return np.asarray(np.maximum(found, 0, out=found))


def cosine_distances(left: Floats, right: Floats) -> Floats:
    """One minus the cosine of every pair of unit vectors, in [0, 2]: [n, D] and [m, D] -> [n, m]."""
    return (1 - left @ right.T).astype(np.float32)


def part_mean_distances(left: Floats, right: Floats, metric: Distance = "euc") -> Floats:
    """Mean over parts of the distance of every pair, as OpenGait's ``cuda_dist``: [n, c, p] and [m, c, p] -> [n, m]."""
    if metric == "cos":
        left, right = (
            side / np.maximum(np.linalg.norm(side, axis=1, keepdims=True), np.float32(1e-12)) for side in (left, right)
        )
    total = np.zeros((len(left), len(right)), np.float32)
    for part in range(left.shape[2]):
        a, b = left[:, :, part], right[:, :, part]
        if metric == "cos":
            total += a @ b.T
        else:
            squared = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * (a @ b.T)
            total += np.sqrt(np.maximum(squared, 0, dtype=np.float32))
    mean = total / np.float32(left.shape[2])
    return 1 - mean if metric == "cos" else mean


def win_rates(values: Numbers, others: Numbers) -> NDArray[np.float64]:
    """Share of ``others`` [m] that each of ``values`` [n] is below, ties counted half; its mean is the AUC."""
    ranked = np.sort(others)
    below = np.searchsorted(ranked, values, "left") + np.searchsorted(ranked, values, "right")
    return np.asarray(1 - below / (2 * len(ranked)))

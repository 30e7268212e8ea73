"""Distances between feature vectors, and the threshold at a stated false match rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def squared_distances(left: Floats, right: Floats) -> Floats:
    """Squared Euclidean distance of every pair, [n, D] and [m, D] -> [n, m], by ||a||^2 - 2 a.b + ||b||^2."""
    found = (left**2).sum(1)[:, None] - 2 * left @ right.T + (right**2).sum(1)[None]
    return np.asarray(np.maximum(found, 0, out=found))


def cosine_distances(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """One minus the cosine of every pair of unit vectors, in [0, 2]: [n, D] and [m, D] -> [n, m]."""
    return (1 - left @ right.T).astype(np.float32)


def threshold(impostors: Floats, rate: float) -> float:
    """The distance within which ``rate`` of the pairs of different people lie: its false match rate."""
    return float(np.quantile(impostors, rate))


def win_rates(values: Floats, others: Floats) -> NDArray[np.float64]:
    """Share of ``others`` [m] that each of ``values`` [n] is below, ties counted half; its mean is the AUC."""
    ranked = np.sort(others)
    below = np.searchsorted(ranked, values, "left") + np.searchsorted(ranked, values, "right")
    return np.asarray(1 - below / (2 * len(ranked))) if len(ranked) else np.full(len(values), np.nan)

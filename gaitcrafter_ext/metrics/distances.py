"""Distances between feature vectors, and how often one set of them is below another."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

#: Euclidean, or one minus the cosine.
Distance = Literal["euc", "cos"]


def squared_distances(left: Floats, right: Floats) -> Floats:
    """Squared Euclidean distance of every pair, [n, D] and [m, D] -> [n, m], by ||a||^2 - 2 a.b + ||b||^2."""
    found = (left**2).sum(1)[:, None] - 2 * left @ right.T + (right**2).sum(1)[None]
    return np.asarray(np.maximum(found, 0, out=found))


def cosine_distances(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """One minus the cosine of every pair of unit vectors, in [0, 2]: [n, D] and [m, D] -> [n, m]."""
    return (1 - left @ right.T).astype(np.float32)


def part_mean_distances(
    left: NDArray[np.float32], right: NDArray[np.float32], metric: Distance = "euc"
) -> NDArray[np.float32]:
    """Mean over parts of the distance of every pair, as OpenGait's ``cuda_dist``.

    float32 [n, channels, parts] and [m, channels, parts] -> [n, m].
    """
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


def win_rates(values: Floats, others: Floats) -> NDArray[np.float64]:
    """Share of ``others`` [m] that each of ``values`` [n] is below, ties counted half; its mean is the AUC."""
    ranked = np.sort(others)
    below = np.searchsorted(ranked, values, "left") + np.searchsorted(ranked, values, "right")
    return np.asarray(1 - below / (2 * len(ranked))) if len(ranked) else np.full(len(values), np.nan)

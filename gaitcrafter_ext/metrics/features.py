"""Embeddings of clips with their labels, and the distance that recognisers are judged by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Distance", "Features", "part_mean_distances"]

#: Euclidean, or one minus the cosine.
Distance = Literal["euc", "cos"]


@dataclass(frozen=True)
class Features:
    """Embeddings, float32 [N, channels, parts], and the labels of their clips, str [N] each."""

    embeddings: npt.NDArray[np.float32]
    identity: npt.NDArray[np.str_]
    take: npt.NDArray[np.str_]
    view: npt.NDArray[np.str_]

    def where(self, mask: npt.NDArray[np.bool_]) -> Features:
        """The clips that a bool [N] mask picks."""
        return Features(self.embeddings[mask], self.identity[mask], self.take[mask], self.view[mask])


def part_mean_distances(
    left: npt.NDArray[np.float32], right: npt.NDArray[np.float32], metric: Distance = "euc"
) -> npt.NDArray[np.float32]:
    """Mean over parts of the distance of every pair, as OpenGait's ``cuda_dist``.

    Args:
        left: float32 [n, channels, parts].
        right: float32 [m, channels, parts].
        metric: Euclidean distance, or one minus the cosine of channels.

    Returns:
        float32 [n, m].
    """
    if metric == "cos":
        left, right = _unit(left), _unit(right)
    total = np.zeros((len(left), len(right)), np.float32)
    for part in range(left.shape[2]):
        a, b = left[:, :, part], right[:, :, part]
        inner = a @ b.T
        total += inner if metric == "cos" else _euclidean(a, b, inner)
    mean = total / np.float32(left.shape[2])
    return 1 - mean if metric == "cos" else mean


def _unit(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), np.float32(1e-12))


def _euclidean(
    a: npt.NDArray[np.float32], b: npt.NDArray[np.float32], inner: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    return np.sqrt(np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * inner, 0, dtype=np.float32))

"""Style features: where a clip lies as regards view and condition, whoever walks.

Linear discriminants of real GEIs with the cells (view, condition) as classes (Fisher 1936; pooled covariance shrunk
towards a multiple of the identity, Friedman 1989), fitted on training clips only. Distances in this space are in units
of the spread within a cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.audit.embeddings import Embedded
from gaitcrafter_ext.errors import DataError

__all__ = ["Style", "fit_style", "principal_components"]

Floats = NDArray[np.floating]

#: Principal components kept before the discriminants, and the share of the covariance that is made spherical.
COMPONENTS = 100
SHRINKAGE = 0.05


@dataclass(frozen=True)
class Style:
    """A fitted projection.

    Attributes:
        mean: float [D].
        directions: float [D, S], at most one fewer than there are cells.
    """

    mean: Floats
    directions: Floats

    def __call__(self, clips: Embedded) -> Floats:
        """Style features of pixel GEIs, float [N, S]."""
        return np.asarray((clips.vectors - self.mean) @ self.directions)


def fit_style(training: Embedded) -> Style:
    """Fit the discriminants.

    Args:
        training: Pixel GEIs of real clips.

    Raises:
        DataError: The clips are all of one view and condition.
    """
    cells = np.char.add(np.char.add(training.view, "/"), training.condition)
    classes, index = np.unique(cells, return_inverse=True)
    if len(classes) < 2 or len(training) <= len(classes):
        raise DataError(
            f"style: {len(training)} training clips of {len(classes)} view(s) and condition(s); style needs at least"
            " two of them and more clips"
        )
    count = min(COMPONENTS, len(training) - len(classes))
    mean, basis = principal_components(training.vectors, count)
    scores = (training.vectors - mean) @ basis
    centroids = np.stack([scores[index == number].mean(axis=0) for number in range(len(classes))])
    whiten = _whitening(scores - centroids[index])
    _, _, turn = np.linalg.svd((centroids - centroids.mean(axis=0)) @ whiten, full_matrices=False)
    return Style(mean, basis @ whiten @ turn[: len(classes) - 1].T)


def principal_components(vectors: Floats, count: int) -> tuple[Floats, Floats]:
    """Mean [D] and the leading directions [D, count] of vectors [N, D], fewer where there is no more spread."""
    mean = vectors.mean(axis=0)
    _, values, directions = np.linalg.svd(vectors - mean, full_matrices=False)
    spread = int((values > 1e-6 * max(float(values[0]), 1e-12)).sum())
    return mean, directions[: max(1, min(count, spread))].T


def _whitening(residuals: Floats) -> Floats:
    """Matrix [D, D] that makes the shrunk covariance of residuals [N, D] the identity."""
    covariance = residuals.T @ residuals / len(residuals)
    sphere = (np.trace(covariance) / len(covariance) + 1e-12) * np.eye(len(covariance))
    values, vectors = np.linalg.eigh((1 - SHRINKAGE) * covariance + SHRINKAGE * sphere)
    return np.asarray(vectors / np.sqrt(values))

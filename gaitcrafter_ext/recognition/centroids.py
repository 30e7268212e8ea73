"""Is it the view, the condition that was asked for? Classifiers on GEIs, fitted on real clips only.

Each question is put where only its own answer varies: the condition is told among the clips of one view, the view
among the clips of one condition. Three classifiers answer it, from plain to strong:

- ``plain``: the nearest of one centroid a class, over all people.
- ``person``: the nearest of the clip's own person's centroids (for people whose real clips are known).
- ``lda``: linear discriminants of the GEIs' leading principal components, pooled covariance shrunk towards a multiple
  of the identity (Fisher 1936; Friedman 1989), then the nearest centroid.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from gaitcrafter_ext.recognition.gei import GeiSet
from gaitcrafter_ext.recognition.nearest import squared_distances

__all__ = ["CLASSIFIERS", "Told", "tell"]

Attribute = Literal["condition", "view"]
Floats = npt.NDArray[np.floating]
Labels = npt.NDArray[np.str_]

#: Principal components kept before the discriminants, and the share of the covariance that is made spherical.
COMPONENTS = 300
SHRINKAGE = 0.05


@dataclass(frozen=True)
class Told:
    """How a classifier read some clips.

    Attributes:
        clips: The clips it could be asked about: their class was among at least two that it was fitted on.
        hits: bool [N], whether it told the asked class.
        chance: Mean over clips of 1 / number of classes to choose from.
        dropped: How many clips it could not be asked about.
    """

    clips: GeiSet
    hits: npt.NDArray[np.bool_]
    chance: float
    dropped: int


def tell(attribute: Attribute, classifier: str, fitted_on: GeiSet, clips: GeiSet) -> Told:
    """Ask a classifier for the condition (within each view) or the view (within each condition) of clips.

    Args:
        attribute: What to tell, ``"condition"`` or ``"view"``.
        classifier: One of ``CLASSIFIERS``.
        fitted_on: Real clips.
        clips: The clips to read, each labelled with what was asked for.
    """
    mine, theirs = _labels(clips, attribute), _labels(fitted_on, attribute)
    groups, fitted_groups = _groups(clips, attribute, classifier), _groups(fitted_on, attribute, classifier)
    hits, choices = np.zeros(len(clips), dtype=bool), np.zeros(len(clips), dtype=np.int64)
    for group in np.unique(groups):
        ours, there = groups == group, fitted_groups == group
        classes = np.unique(theirs[there])
        if len(classes) < 2:
            continue
        predict = _FITS[classifier](fitted_on.images[there], theirs[there])
        hits[ours] = predict(clips.images[ours]) == mine[ours]
        choices[ours] = np.where(np.isin(mine[ours], classes), len(classes), 0)
    asked = choices > 1
    chance = float(np.mean(1 / choices[asked])) if asked.any() else float("nan")
    return Told(clips.where(asked), hits[asked], chance, int((~asked).sum()))


def _labels(clips: GeiSet, attribute: Attribute) -> Labels:
    return clips.condition if attribute == "condition" else clips.view


def _groups(clips: GeiSet, attribute: Attribute, classifier: str) -> Labels:
    """What two clips must share to be compared: the other attribute, and the person where centroids are personal."""
    other = clips.view if attribute == "condition" else clips.condition
    return np.char.add(np.char.add(clips.identity, "/"), other) if classifier == "person" else other


Predict = Callable[[Floats], Labels]


def _fit_nearest_centroid(images: Floats, labels: Labels) -> Predict:
    classes = np.unique(labels)
    centroids = np.stack([images[labels == name].mean(0) for name in classes])
    return lambda clips: classes[squared_distances(clips, centroids).argmin(axis=1)]


def _fit_discriminants(pixels: Floats, labels: Labels) -> Predict:
    images = _halved(pixels)
    classes, index = np.unique(labels, return_inverse=True)
    mean, basis = _principal_components(images, min(COMPONENTS, len(images) - len(classes)))
    scores = (images - mean) @ basis
    centroids = np.stack([scores[index == number].mean(0) for number in range(len(classes))])
    whiten = _whitening(scores - centroids[index])
    nearest = _fit_nearest_centroid(centroids @ whiten, classes)
    return lambda clips: nearest((_halved(clips) - mean) @ basis @ whiten)


def _halved(pixels: Floats) -> Floats:
    """Flattened square images at half the height and width: a sixteenth of the covariance, nearly all of the shape."""
    side = math.isqrt(pixels.shape[1])
    if side * side != pixels.shape[1] or side % 2:
        return pixels
    halved: Floats = pixels.reshape(len(pixels), side // 2, 2, side // 2, 2).mean((2, 4)).reshape(len(pixels), -1)
    return halved


def _principal_components(images: Floats, count: int) -> tuple[Floats, Floats]:
    """Mean [D] and the leading directions [D, count], from the smaller of the two Gram matrices."""
    mean = images.mean(0)
    centred = images - mean
    if len(images) < images.shape[1]:
        _, vectors = np.linalg.eigh(centred @ centred.T)
        basis, _ = np.linalg.qr(centred.T @ vectors[:, ::-1][:, : max(1, count)])
        return mean, basis
    _, vectors = np.linalg.eigh(centred.T @ centred)
    return mean, vectors[:, ::-1][:, : max(1, count)]


def _whitening(residuals: Floats) -> Floats:
    """Matrix [D, D] that makes the shrunk covariance of residuals [N, D] the identity."""
    covariance = residuals.T @ residuals / max(1, len(residuals))
    sphere = np.trace(covariance) / len(covariance)
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * (sphere + 1e-12) * np.eye(len(covariance), dtype=np.float32)
    values, vectors = np.linalg.eigh(shrunk)
    return (vectors / np.sqrt(values)).astype(np.float32)


_FITS: dict[str, Callable[[Floats, Labels], Predict]] = {
    "plain": _fit_nearest_centroid,
    "person": _fit_nearest_centroid,
    "lda": _fit_discriminants,
}

#: Names of the classifiers, from plain to strong.
CLASSIFIERS = tuple(_FITS)

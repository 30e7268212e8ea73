"""Is it the condition, the view that was asked for, as plain gait energy images tell?

Classifiers are fitted on real clips only and put where only their own answer varies: the condition is read among the
clips of one view, the view among those of one condition. From plain to strong:

- ``plain``: the nearest of one centroid a class, over all people.
- ``person``: the nearest of the clip's own person's centroids (for people whose real clips are known).
- ``lda``: linear discriminants of the GEIs' leading principal components.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.metrics.distances import squared_distances
from gaitcrafter_ext.metrics.features import FeatureSet, in_order
from gaitcrafter_ext.metrics.intervals import Estimate, estimate_share
from gaitcrafter_ext.metrics.subspace import fit_discriminants

Attribute = Literal["condition", "view"]
Floats = NDArray[np.floating]
Labels = NDArray[np.str_]
Predict = Callable[[Floats], Labels]

ATTRIBUTES: tuple[Attribute, ...] = ("view", "condition")

#: Names of the classifiers, from plain to strong.
CLASSIFIERS = ("plain", "person", "lda")

#: Principal components before the discriminants.
COMPONENTS = 300


@dataclass(frozen=True)
class Reading:
    """How a classifier read the clips whose class was among at least two that it was fitted on.

    ``hits`` is bool [N], ``chance`` the mean over clips of 1 / number of classes; ``dropped`` counts the other clips.
    """

    clips: FeatureSet
    hits: NDArray[np.bool_]
    chance: float
    dropped: int

    def per_class(self, attribute: Attribute) -> dict[str, float]:
        """Share of hits of each class."""
        labels: Labels = getattr(self.clips, attribute)
        return {name: float(self.hits[labels == name].mean()) for name in in_order(labels)}


@dataclass(frozen=True)
class Faithfulness:
    """Share of synthetic clips that a classifier reads as asked, beside held-out real clips (the ceiling) and chance.

    ``dropped`` counts the synthetic clips whose class the real clips lack.
    """

    attribute: str
    classifier: str
    synthetic: Estimate
    real: Estimate
    chance: float
    per_class: dict[str, float]
    real_per_class: dict[str, float]
    dropped: int


def faithfulness(
    fitted_on: FeatureSet, real: FeatureSet, synthetic: FeatureSet, classifiers: Sequence[str] = CLASSIFIERS
) -> list[Faithfulness]:
    """Every classifier's reading of view and condition; an attribute with one class only is left out.

    Args:
        fitted_on: Real clips that the classifiers learn from.
        real: Held-out real clips, none of them in ``fitted_on``.
        synthetic: Synthetic clips, labelled with what was asked for.
        classifiers: Which of :data:`CLASSIFIERS`.
    """
    found = []
    for attribute in ATTRIBUTES:
        for name in classifiers:
            ours, theirs = read_attribute(attribute, name, fitted_on, (synthetic, real))
            if len(ours.clips):
                made, real_ones = (estimate_share(each.hits, each.clips.identity) for each in (ours, theirs))
                classes, real_classes = (each.per_class(attribute) for each in (ours, theirs))
                found.append(
                    Faithfulness(attribute, name, made, real_ones, ours.chance, classes, real_classes, ours.dropped)
                )
    return found


def read_attribute(
    attribute: Attribute, classifier: str, fitted_on: FeatureSet, probes: tuple[FeatureSet, ...]
) -> list[Reading]:
    """Have one of :data:`CLASSIFIERS` read the condition (within each view) or the view (within each condition)."""
    theirs: Labels = getattr(fitted_on, attribute)
    there = _groups(fitted_on, attribute, classifier)
    fit = _fit_discriminants if classifier == "lda" else _fit_centroids
    fits: dict[str, tuple[Labels, Predict]] = {}
    for group in np.unique(np.concatenate([_groups(clips, attribute, classifier) for clips in probes])).tolist():
        mine = there == group
        classes = np.unique(theirs[mine])
        if len(classes) > 1:
            fits[group] = classes, fit(fitted_on.vectors[mine], theirs[mine])
    return [_read(clips, attribute, _groups(clips, attribute, classifier), fits) for clips in probes]


def _read(clips: FeatureSet, attribute: Attribute, groups: Labels, fits: dict[str, tuple[Labels, Predict]]) -> Reading:
    asked: Labels = getattr(clips, attribute)
    hits, choices = np.zeros(len(clips), dtype=bool), np.zeros(len(clips), dtype=np.int64)
    for group in np.unique(groups).tolist():
        if group in fits:
            mine, (classes, predict) = groups == group, fits[group]
            hits[mine] = predict(clips.vectors[mine]) == asked[mine]
            choices[mine] = np.where(np.isin(asked[mine], classes), len(classes), 0)
    known = choices > 1
    chance = float(np.mean(1 / choices[known])) if known.any() else float("nan")
    return Reading(clips.where(known), hits[known], chance, int((~known).sum()))


def _groups(clips: FeatureSet, attribute: Attribute, classifier: str) -> Labels:
    """What two clips must share to be compared: the other attribute, and the person where centroids are personal."""
    other = clips.view if attribute == "condition" else clips.condition
    return np.char.add(np.char.add(clips.identity, "/"), other) if classifier == "person" else other


def _fit_centroids(images: Floats, labels: Labels) -> Predict:
    classes = np.unique(labels)
    centroids = np.stack([images[labels == name].mean(0) for name in classes])
    return lambda clips: classes[squared_distances(clips, centroids).argmin(axis=1)]


def _fit_discriminants(pixels: Floats, labels: Labels) -> Predict:
    if len(pixels) <= len(np.unique(labels)):
        return _fit_centroids(pixels, labels)
    fitted = fit_discriminants(_halved(pixels), labels, COMPONENTS)
    return lambda clips: np.asarray(fitted.predict(_halved(clips)))


def _halved(pixels: Floats) -> Floats:
    """Flattened square images at half the height and width: a sixteenth of the covariance, nearly all of the shape."""
    side = math.isqrt(pixels.shape[1])
    if side * side != pixels.shape[1] or side % 2:
        return pixels
    return np.asarray(pixels.reshape(len(pixels), side // 2, 2, side // 2, 2).mean((2, 4)).reshape(len(pixels), -1))

"""What plain gait energy images tell of a synthetic set, beside held-out real clips and chance.

Is it the person: rank-1 within each view. Is it the condition, the view that was asked for: classifiers fitted on real
clips only, put where only their own answer varies (the condition is read among the clips of one view, the view among
those of one condition), from plain to strong:

- ``plain``: the nearest of one centroid a class, over all people.
- ``person``: the nearest of the clip's own person's centroids (for people whose real clips are known).
- ``lda``: linear discriminants of the GEIs' leading principal components.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.distances import squared_distances
from gaitcrafter_ext.metrics.features import FeatureSet, in_order
from gaitcrafter_ext.metrics.identification import Matches, RankOne, match, rank_one, share_ratio
from gaitcrafter_ext.metrics.intervals import Estimate, estimate_share
from gaitcrafter_ext.metrics.subspace import fit_discriminants

__all__ = [
    "ATTRIBUTES",
    "CLASSIFIERS",
    "Faithfulness",
    "GeiReport",
    "Reading",
    "faithfulness",
    "gei_report",
    "read_attribute",
]

Attribute = Literal["condition", "view"]
Floats = NDArray[np.floating]
Labels = NDArray[np.str_]
Predict = Callable[[Floats], Labels]

ATTRIBUTES: tuple[Attribute, ...] = ("view", "condition")

#: Principal components before the discriminants.
COMPONENTS = 300


@dataclass(frozen=True)
class GeiReport:
    """Rank-1 by nearest GEI of the same view, one entry a condition; ``ratio`` is synthetic over real.

    ``dropped`` counts the probes, by kind, without a gallery clip of their person at their view.
    """

    people: int
    gallery_clips: int
    gallery_takes: tuple[str, ...]
    probe_takes: tuple[str, ...]
    views: tuple[str, ...]
    chance: float
    real: tuple[RankOne, ...]
    synthetic: tuple[RankOne, ...]
    ratio: dict[str, Estimate]
    dropped: dict[str, int]


@dataclass(frozen=True)
class Reading:
    """How a classifier read some clips.

    Attributes:
        clips: Those it could be asked about: their class was among at least two that it was fitted on.
        hits: bool [N], whether it read the asked class.
        chance: Mean over clips of 1 / number of classes to choose from.
        dropped: How many clips it could not be asked about.
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


def gei_report(
    gallery: FeatureSet, real: FeatureSet, synthetic: FeatureSet | None, rng: np.random.Generator
) -> GeiReport:
    """Match real and synthetic probes against one gallery of real clips.

    Args:
        gallery: Real clips of the people to be found.
        real: Real probes, other takes than the gallery's.
        synthetic: Synthetic probes of people in the gallery, or None.
        rng: Draws the bootstrap's people.

    Raises:
        DataError: The gallery is empty, or no probe is of a person and view that the gallery has.
    """
    if len(gallery) == 0:
        raise DataError("the gallery holds no clip; check the root, the gallery takes and the views")
    probes = {"real": real} if synthetic is None else {"real": real, "synthetic": synthetic}
    matched = {kind: match(gallery, clips) for kind, clips in probes.items()}
    for kind, matches in matched.items():
        if not len(matches.probes):
            raise DataError(
                f"none of the {matches.dropped} {kind} probes is of a person and view that the gallery has;"
                " check the roots, the takes and the views"
            )
    ours = matched.get("synthetic")
    return GeiReport(
        len(gallery.people),
        len(gallery),
        tuple(np.unique(gallery.take).tolist()),
        tuple(np.unique(real.take).tolist()),
        tuple(np.unique(gallery.view).tolist()),
        1 / len(gallery.people),
        rank_one(matched["real"]),
        rank_one(ours) if ours else (),
        _ratios(ours, matched["real"], rng) if ours else {},
        {kind: matches.dropped for kind, matches in matched.items()},
    )


def faithfulness(fitted_on: FeatureSet, real: FeatureSet, synthetic: FeatureSet) -> list[Faithfulness]:
    """Every classifier's reading of view and condition; an attribute with one class only is left out.

    Args:
        fitted_on: Real clips that the classifiers learn from.
        real: Held-out real clips, none of them in ``fitted_on``.
        synthetic: Synthetic clips, labelled with what was asked for.
    """
    found = []
    for attribute in ATTRIBUTES:
        for name in CLASSIFIERS:
            ours, theirs = read_attribute(attribute, name, fitted_on, (synthetic, real))
            if len(ours.clips):
                found.append(_summary(attribute, name, ours, theirs))
    return found


def read_attribute(
    attribute: Attribute, classifier: str, fitted_on: FeatureSet, probes: tuple[FeatureSet, ...]
) -> list[Reading]:
    """Have one of :data:`CLASSIFIERS` read the condition (within each view) or the view (within each condition)."""
    theirs: Labels = getattr(fitted_on, attribute)
    there = _groups(fitted_on, attribute, classifier)
    fits: dict[str, tuple[Labels, Predict]] = {}
    for group in np.unique(np.concatenate([_groups(clips, attribute, classifier) for clips in probes])).tolist():
        mine = there == group
        classes = np.unique(theirs[mine])
        if len(classes) > 1:
            fits[group] = classes, _FITS[classifier](fitted_on.vectors[mine], theirs[mine])
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


_FITS: dict[str, Callable[[Floats, Labels], Predict]] = {
    "plain": _fit_centroids,
    "person": _fit_centroids,
    "lda": _fit_discriminants,
}

#: Names of the classifiers, from plain to strong.
CLASSIFIERS = tuple(_FITS)


def _ratios(synthetic: Matches, real: Matches, rng: np.random.Generator) -> dict[str, Estimate]:
    common = set(real.probes.condition.tolist())
    names = [name for name in in_order(synthetic.probes.condition) if name in common]
    return {name: share_ratio(_of(synthetic, name), _of(real, name), rng) for name in names}


def _of(matches: Matches, condition: str) -> Matches:
    mine = matches.probes.condition == condition
    return Matches(matches.probes.where(mine), matches.hits[mine], matches.people, matches.dropped)


def _summary(attribute: Attribute, classifier: str, synthetic: Reading, real: Reading) -> Faithfulness:
    return Faithfulness(
        attribute,
        classifier,
        estimate_share(synthetic.hits, synthetic.clips.identity),
        estimate_share(real.hits, real.clips.identity),
        synthetic.chance,
        synthetic.per_class(attribute),
        real.per_class(attribute),
        synthetic.dropped,
    )

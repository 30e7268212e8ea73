"""The first gate a synthetic set must pass: pixel GEIs only, real people's own clips as the yardstick.

Three questions, each answered for synthetic clips beside held-out real clips and chance: is it the person, is it the
condition, is it the view?
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.recognition.bootstrap import Estimate, bootstrap_ratio, bootstrap_share
from gaitcrafter_ext.recognition.centroids import CLASSIFIERS, Attribute, Told, tell
from gaitcrafter_ext.recognition.gei import GeiSet
from gaitcrafter_ext.recognition.nearest import Matches, RankOne, in_order, match, rank_one

__all__ = ["ATTRIBUTES", "Faithfulness", "GeiReport", "faithfulness", "gei_report"]

ATTRIBUTES: tuple[Attribute, ...] = ("view", "condition")


@dataclass(frozen=True)
class GeiReport:
    """Rank-1 by pixel-GEI nearest neighbour within each view.

    Attributes:
        people: How many people the gallery holds.
        gallery_clips: How many clips it holds.
        gallery_takes: Their takes.
        probe_takes: The takes of the real probes.
        views: The gallery's views.
        chance: 1 / people.
        real: Rank-1 of real probes, one entry a condition.
        synthetic: Rank-1 of synthetic probes; empty where none were given.
        ratio: Synthetic over real rank-1 of each condition that both have.
        dropped: Probes without a gallery clip of their person at their view, by kind.
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
class Faithfulness:
    """How often a classifier of real clips reads the asked view or condition in synthetic ones.

    Attributes:
        attribute: ``"view"`` (told within each condition) or ``"condition"`` (told within each view).
        classifier: ``"plain"``, ``"person"`` or ``"lda"`` (see :mod:`gaitcrafter_ext.recognition.centroids`).
        synthetic: Share of synthetic clips read as asked.
        real: The ceiling: the same classifier's share on held-out real clips.
        chance: 1 / number of classes, mean over the synthetic clips.
        per_class: Share of synthetic clips read as asked, for each class asked for.
        real_per_class: The same on held-out real clips.
        dropped: Synthetic clips whose class the real clips lack.
    """

    attribute: str
    classifier: str
    synthetic: Estimate
    real: Estimate
    chance: float
    per_class: dict[str, float]
    real_per_class: dict[str, float]
    dropped: int


def gei_report(gallery: GeiSet, real: GeiSet, synthetic: GeiSet | None, rng: np.random.Generator) -> GeiReport:
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
    matched = {"real": match(gallery, real)}
    if synthetic is not None:
        matched["synthetic"] = match(gallery, synthetic)
    for kind, matches in matched.items():
        _require_probes(kind, matches)
    people = matched["real"].people
    return GeiReport(
        people,
        len(gallery),
        tuple(np.unique(gallery.take).tolist()),
        tuple(np.unique(real.take).tolist()),
        tuple(np.unique(gallery.view).tolist()),
        1 / people,
        rank_one(matched["real"], rng),
        rank_one(matched["synthetic"], rng) if synthetic is not None else (),
        _ratios(matched["synthetic"], matched["real"], rng) if synthetic is not None else {},
        {kind: matches.dropped for kind, matches in matched.items()},
    )


def faithfulness(fitted_on: GeiSet, real: GeiSet, synthetic: GeiSet, rng: np.random.Generator) -> list[Faithfulness]:
    """Every classifier's reading of view and condition; an attribute with one class only is left out.

    Args:
        fitted_on: Real clips that the classifiers learn from.
        real: Held-out real clips, none of them in ``fitted_on``.
        synthetic: Synthetic clips, labelled with what was asked for.
        rng: Draws the bootstrap's people.
    """
    readings = [
        (attribute, name, tell(attribute, name, fitted_on, synthetic), tell(attribute, name, fitted_on, real))
        for attribute in ATTRIBUTES
        for name in CLASSIFIERS
    ]
    return [_summary(*reading, rng) for reading in readings if len(reading[2].clips)]


def _require_probes(kind: str, matches: Matches) -> None:
    if len(matches.probes) == 0:
        raise DataError(
            f"none of the {matches.dropped} {kind} probes is of a person and view that the gallery has;"
            " check the roots, the takes and the views"
        )


def _ratios(synthetic: Matches, real: Matches, rng: np.random.Generator) -> dict[str, Estimate]:
    common = set(real.probes.condition.tolist())
    return {
        condition: _ratio(synthetic, real, condition, rng)
        for condition in in_order(synthetic.probes.condition)
        if condition in common
    }


def _ratio(synthetic: Matches, real: Matches, condition: str, rng: np.random.Generator) -> Estimate:
    ours, theirs = synthetic.probes.condition == condition, real.probes.condition == condition
    return bootstrap_ratio(
        synthetic.hits[ours], synthetic.probes.identity[ours], real.hits[theirs], real.probes.identity[theirs], rng
    )


def _summary(
    attribute: Attribute, classifier: str, synthetic: Told, real: Told, rng: np.random.Generator
) -> Faithfulness:
    return Faithfulness(
        attribute,
        classifier,
        bootstrap_share(synthetic.hits, synthetic.clips.identity, rng),
        bootstrap_share(real.hits, real.clips.identity, rng),
        synthetic.chance,
        _per_class(attribute, synthetic),
        _per_class(attribute, real),
        synthetic.dropped,
    )


def _per_class(attribute: Attribute, told: Told) -> dict[str, float]:
    labels = told.clips.condition if attribute == "condition" else told.clips.view
    names = in_order(labels) if attribute == "condition" else sorted(set(labels.tolist()))
    return {name: float(told.hits[labels == name].mean()) for name in names}

"""Whose clip is it, and is it the view and the condition that were asked for?

Rank-1 is by the nearest gallery clip of the same view, Euclidean distance between features (Yu, Tan & Tan, "A Framework
for Evaluating the Effect of View Angle, Clothing and Carrying Condition on Gait Recognition", ICPR 2006). The gallery
of a synthetic set holds held-out real takes only, so that a generator that copies gains nothing. View and condition are
read by classifiers fitted on real clips only, where only their own answer varies: the condition among the clips of one
view, the view among those of one condition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.features import FeatureSet, Labels, joined, squared_distances
from gaitcrafter_ext.metrics.intervals import Estimate, estimate_share
from gaitcrafter_ext.vocabulary import in_order

#: Principal components before the discriminants, and the share of the pooled covariance that is made spherical.
COMPONENTS, SHRINKAGE = 300, 0.05


@dataclass(frozen=True)
class Matches:
    """Probes whose person is in the gallery (of ``people``) at their view; ``hits`` found it, others are dropped."""

    probes: FeatureSet
    hits: NDArray[np.bool_]
    people: int
    dropped: int

    @property
    def share(self) -> Estimate:
        """Rank-1 over all probes."""
        return estimate_share(self.hits, self.probes.identity)

    def by_condition(self) -> dict[str, Estimate]:
        """Rank-1 of each condition among the probes, nm, bg and cl first."""
        condition = self.probes.condition
        return {
            name: estimate_share(self.hits[condition == name], self.probes.identity[condition == name])
            for name in in_order(condition.tolist())
        }


def identification(synthetic: FeatureSet, held_out: FeatureSet, training: FeatureSet) -> tuple[Matches, Matches]:
    """Find the person of each synthetic clip, and of each training clip (the ceiling), among held-out real clips."""
    matched = match(held_out, synthetic)
    if matched.people < 2 or not len(matched.probes):
        raise DataError(
            f"rank-1: held-out real clips of {matched.people} people, {len(matched.probes)} synthetic clips of them at"
            " the same view; at least 2 people and 1 clip are needed: check the roots and what was held out"
        )
    return matched, match(held_out, training)


def match(gallery: FeatureSet, probes: FeatureSet) -> Matches:
    """Find each probe's nearest gallery clip of the same view."""
    known = {*zip(gallery.identity.tolist(), gallery.view.tolist(), strict=True)}
    cells = zip(probes.identity.tolist(), probes.view.tolist(), strict=True)
    kept = probes.where(np.array([cell in known for cell in cells], dtype=bool))
    return Matches(kept, nearest_identity(kept, gallery) == kept.identity, len(gallery.people), len(probes) - len(kept))


def nearest_identity(clips: FeatureSet, others: FeatureSet) -> Labels:
    """Whose clip of the same view, of which there must be one, is nearest to each clip: str [N]."""
    found = np.empty(len(clips), dtype=others.identity.dtype)
    for view in np.unique(clips.view):
        ours, theirs = clips.view == view, others.view == view
        table = squared_distances(clips.vectors[ours], others.vectors[theirs])
        found[ours] = others.identity[theirs][table.argmin(axis=1)]
    return found


def faithfulness(
    attribute: Literal["view", "condition"], fitted_on: FeatureSet, real: FeatureSet, synthetic: FeatureSet
) -> tuple[Estimate, Estimate, float]:
    """Share of synthetic clips that discriminants read as asked, of held-out real ones (the ceiling), and chance.

    Clips of a class that these were not fitted on are left out.
    """
    within, both = "condition" if attribute == "view" else "view", joined(synthetic, real)
    hits, chance = np.zeros(len(both), dtype=bool), np.full(len(both), np.nan)
    asked, known = (getattr(side, attribute) for side in (both, fitted_on))
    for group in np.unique(getattr(both, within)):
        here, there = (getattr(side, within) == group for side in (both, fitted_on))
        classes = np.unique(known[there])
        if 1 < len(classes) < there.sum():
            fitted = fit_discriminants(fitted_on.vectors[there], known[there], COMPONENTS)
            hits[here] = fitted.predict(both.vectors[here]) == asked[here]
            chance[here] = np.where(np.isin(asked[here], classes), 1 / len(classes), np.nan)
    made, read = np.arange(len(both)) < len(synthetic), np.isfinite(chance)
    if not (made & read).any():
        raise DataError(f"{attribute}: the real clips to fit on are all of one {attribute}, or too few")
    ours, theirs = (estimate_share(hits[side], both.identity[side]) for side in (made & read, ~made & read))
    return ours, theirs, float(chance[made & read].mean())


def fit_discriminants(vectors: NDArray[np.floating], labels: Labels, components: int) -> Any:
    """Fisher's linear discriminants of the leading principal components, covariance shrunk (Friedman 1989).

    Of vectors float [N, D] of at least two classes, more than there are classes, and at most so many components.
    ``predict`` of the scikit-learn pipeline gives labels, ``transform`` coordinates in units of the spread within a
    class, float [N, classes - 1].
    """
    from sklearn.decomposition import PCA
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.pipeline import make_pipeline

    classes = len(np.unique(labels))
    count = max(1, min(components, len(vectors) - classes, vectors.shape[1]))
    shrunk = LinearDiscriminantAnalysis(solver="eigen", shrinkage=SHRINKAGE, priors=np.full(classes, 1 / classes))
    return make_pipeline(PCA(count, svd_solver="randomized", random_state=0), shrunk).fit(vectors, labels)

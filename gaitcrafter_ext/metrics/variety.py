"""Sets of features beside each other: KID, recall, density and coverage, and a classifier.

KID: unbiased squared MMD with the kernel (<x, y> / d + 1)^3 on random subsets (Binkowski et al., ICLR 2018,
arXiv 1801.01401). Recall: the improved one of Kynkaanniemi et al. (NeurIPS 2019, arXiv 1904.06991) within each
condition, which is DCFace's D_intra (arXiv 2304.07060). Density and coverage: Naeem et al., ICML 2020, arXiv
2002.09797. Two-sample classifier: Lopez-Paz & Oquab, ICLR 2017, arXiv 1610.06545. No Frechet distance: under some
thousand clips it measures the number of clips.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.features import FeatureSet, joined, squared_distances
from gaitcrafter_ext.metrics.intervals import ENDS, Estimate, bootstrap_mean, estimate_share
from gaitcrafter_ext.vocabulary import in_order

Floats = NDArray[np.floating]

#: KID: clips a subset at most, and how many subsets.
SUBSET, SUBSETS = 100, 100

#: Folds of the two-sample classifier.
FOLDS = 5

#: k of the balls, as in the papers.
RECALL_NEIGHBOURS, COVERAGE_NEIGHBOURS = 3, 5


def kid(left: Floats, right: Floats, rng: np.random.Generator) -> Estimate:
    """Kernel distance of two sets, float [N, D] and [M, D]: mean over subsets, about 0 for equal distributions.

    A subset has 100 clips of each kind, or half of the smaller set; the interval is where 95 % of the subsets lie, and
    the count is the size of a subset.
    """
    least = min(len(left), len(right))
    if least < 2:
        raise DataError(f"KID: {len(left)} and {len(right)} clips; at least 2 of each kind are needed")
    size = max(2, min(SUBSET, least // 2))

    def draw(points: Floats) -> Floats:
        return points[rng.choice(len(points), size, replace=False)]

    found = [squared_mmd(draw(left), draw(right)) for _ in range(SUBSETS)]
    low, high = np.quantile(found, ENDS)
    return Estimate(float(np.mean(found)), float(low), float(high), size)


def squared_mmd(left: Floats, right: Floats) -> float:
    """Unbiased estimate, of as many points each (Gretton et al. 2012, eq. 3)."""
    size = len(left)
    own = sum(float(table.sum() - np.trace(table)) for table in (_kernel(left, left), _kernel(right, right)))
    return own / (size * (size - 1)) - 2 * float(_kernel(left, right).mean())


def _kernel(left: Floats, right: Floats) -> Floats:
    return np.asarray((left @ right.T / left.shape[1] + 1.0) ** 3)


def within_balls(points: Floats, centres: Floats, neighbours: int) -> NDArray[np.bool_]:
    """Which points [N, D] lie in which ball, bool [N, M]: a ball's radius is the distance from its centre, [M, D], to
    that centre's k-th nearest other centre.
    """
    from sklearn.neighbors import NearestNeighbors

    if len(centres) <= neighbours:
        raise DataError(f"{len(centres)} clips; balls of k = {neighbours} neighbours need at least {neighbours + 1}")
    radius = NearestNeighbors(n_neighbors=neighbours, algorithm="brute").fit(centres).kneighbors()[0][:, -1]
    return np.asarray(squared_distances(points, centres) <= (radius**2 * (1 + 1e-6))[None])


def recall(real: FeatureSet, synthetic: FeatureSet) -> tuple[Estimate, dict[str, int]]:
    """Share of held-out real clips in the ball of some synthetic clip of their condition, and the balls of each.

    Conditions with no more than k synthetic clips are left out.
    """
    hits, asked = np.zeros(len(real), dtype=bool), np.zeros(len(real), dtype=bool)
    counts = {name: int((synthetic.condition == name).sum()) for name in in_order(real.condition.tolist())}
    counts = {name: count for name, count in counts.items() if count > RECALL_NEIGHBOURS}
    for name in counts:
        ours, theirs = real.condition == name, synthetic.condition == name
        hits[ours] = within_balls(real.vectors[ours], synthetic.vectors[theirs], RECALL_NEIGHBOURS).any(axis=1)
        asked |= ours
    if not counts:
        raise DataError(
            f"recall: {len(real)} real and {len(synthetic)} synthetic clips; a condition with more than"
            f" {RECALL_NEIGHBOURS} synthetic clips and a real one is needed"
        )
    return estimate_share(hits[asked], real.identity[asked]), counts


def density_coverage(real: FeatureSet, synthetic: FeatureSet, rng: np.random.Generator) -> tuple[Estimate, Estimate]:
    """Density and coverage by balls around real clips, k neighbours wide; ``rng`` draws the bootstrap's people.

    Density is the mean over synthetic clips of the number of real balls each lies in, over k: about 1 for real clips.
    Coverage is the share of real clips whose ball holds a synthetic clip.
    """
    inside = within_balls(synthetic.vectors, real.vectors, COVERAGE_NEIGHBOURS)
    density = bootstrap_mean(inside.sum(axis=1) / COVERAGE_NEIGHBOURS, synthetic.identity, rng)
    return density, estimate_share(np.asarray(inside.any(axis=0)), real.identity)


def two_sample_accuracy(left: FeatureSet, right: FeatureSet, rng: np.random.Generator) -> Estimate:
    """How often a classifier tells two sets apart; 0.5 = it cannot.

    Logistic regression on standardised features, each clip judged by one that saw no clip of its person; both sets
    weigh alike. ``rng`` deals the folds.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if (fewest := min(len(left.people), len(right.people))) < 2:
        raise DataError(f"two-sample classifier: {fewest} people in a set; at least 2 are needed")
    both, side = joined(left, right), np.repeat([0, 1], [len(left), len(right)])
    folds = StratifiedGroupKFold(min(FOLDS, fewest), shuffle=True, random_state=int(rng.integers(2**31)))
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
    said = cross_val_predict(model, both.vectors, side, groups=both.identity, cv=folds)
    return estimate_share(said == side, both.identity)


def balanced(
    left: Sequence[Hashable], right: Sequence[Hashable], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices that leave as many clips of each cell on both sides: what is compared then is not how cells are mixed."""
    picked: tuple[list[int], list[int]] = ([], [])
    for cell in sorted(set(left) & set(right), key=str):
        places = [[index for index, name in enumerate(side) if name == cell] for side in (left, right)]
        count = min(map(len, places))
        for into, there in zip(picked, places, strict=True):
            into += rng.permutation(there)[:count].tolist()
    return np.array(sorted(picked[0]), dtype=np.int64), np.array(sorted(picked[1]), dtype=np.int64)

"""Linear subspaces: principal components, and discriminants of labelled vectors, by scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

#: Share of the pooled covariance that is made spherical.
SHRINKAGE = 0.05


def principal_components(vectors: Floats, count: int) -> tuple[Floats, Floats, Floats]:
    """Mean [D], leading directions [D, c] and spread along them [c]; c is ``count``, or less where spread ends."""
    from sklearn.decomposition import PCA

    found = PCA(min(count, *vectors.shape), svd_solver="full").fit(vectors)
    spread = np.sqrt(found.explained_variance_)
    kept = max(1, int((spread > 1e-6 * max(float(spread[0]), 1e-12)).sum()))
    return found.mean_, found.components_[:kept].T, spread[:kept]


def fit_discriminants(vectors: Floats, labels: NDArray[np.str_], components: int) -> Any:
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

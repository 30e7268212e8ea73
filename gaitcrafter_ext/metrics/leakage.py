"""Leakage: how near novel identities come to the people the generator was trained on.

Three questions: does a novel clip lead back to one of its blend parents; does a novel person match some training person
better than real strangers do; and do synthetic clips lie nearer to training clips than new real clips do (the
three-sample test of Meehan, Chaudhuri & Dasgupta, AISTATS 2020, arXiv 2004.05675).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.centroids import Centroids
from gaitcrafter_ext.metrics.features import FeatureSet, cosine_distances, win_rates
from gaitcrafter_ext.metrics.identification import nearest_identity
from gaitcrafter_ext.metrics.intervals import ENDS, ROUNDS, Estimate, estimate_share

#: Share of real strangers who are as near to their nearest training person as a leak is.
LEAK_RATE = 0.05

Values = NDArray[np.float64]


def parent_retrieval(
    novel: FeatureSet, training: FeatureSet, parents: Mapping[str, Collection[str]]
) -> tuple[Estimate, float]:
    """How often a novel clip's nearest training clip of the same view is of one of its parents, and by chance.

    By chance it is the number of parents over that of training people, mean over clips.
    """
    views, known = set(training.view.tolist()), set(training.people)
    mine = {name: known & set(parents.get(name, ())) for name in novel.people}
    asked = [view in views and bool(mine[name]) for name, view in zip(novel.identity, novel.view, strict=True)]
    clips = novel.where(np.array(asked, dtype=bool))
    if not len(clips):
        raise DataError(
            f"parent retrieval: none of {len(novel)} novel clips is of a person with known parents and of a view with"
            " training clips; is the manifest.jsonl of the run beside the clips?"
        )
    found, own = nearest_identity(clips, training).tolist(), clips.identity.tolist()
    hits = np.array([name in mine[person] for name, person in zip(found, own, strict=True)])
    chance = float(np.mean([len(mine[person]) for person in own])) / len(known)
    return estimate_share(hits, clips.identity), chance


def leakage(
    novel: Centroids, training: Centroids, strangers: Centroids, rng: np.random.Generator
) -> tuple[Estimate, float]:
    """Share of novel people who leak, and that of (novel, stranger) pairs in which the novel one is nearer.

    A leak is nearer to its nearest training person than all but 5 % of strangers are to theirs; the interval allows for
    the uncertainty of that bound too. Like strangers would be 0.05 and 0.5.

    Strangers are real people, from as many clips each as novel ones; those of them who were trained on are matched to
    all others. ``rng`` draws the rounds of the interval.
    """
    if not len(novel) or len(training) < 2 or not len(strangers):
        raise DataError(
            f"leakage: {len(novel)} novel and {len(training)} training people, {len(strangers)} real strangers; at"
            " least 1, 2 and 1 are needed"
        )
    ours = cosine_distances(novel.vectors, training.vectors).min(axis=1).astype(np.float64)
    own = np.array(strangers.names)[:, None] == np.array(training.names)[None]
    others = np.where(own, np.inf, cosine_distances(strangers.vectors, training.vectors))
    theirs = others.min(axis=1).astype(np.float64)
    return _leaks(ours, theirs, rng), float(win_rates(ours, theirs).mean())


def _leaks(ours: Values, theirs: Values, rng: np.random.Generator) -> Estimate:
    """Share below the bound: each round draws other strangers, hence another bound, then a share that fits (Jeffreys).

    Brown, Cai & DasGupta, Statistical Science 16 (2001), section 4.3.
    """
    drawn = rng.choice(theirs, (ROUNDS, len(theirs)))
    hits = np.searchsorted(np.sort(ours), np.quantile(drawn, LEAK_RATE, axis=1), "left")
    low, high = np.quantile(rng.beta(hits + 0.5, len(ours) - hits + 0.5), ENDS)
    value = float((ours < np.quantile(theirs, LEAK_RATE)).mean())
    return Estimate(value, min(value, float(low)), max(value, float(high)), len(ours))


def three_sample(
    synthetic: Values, cells: NDArray[np.str_], held_out: Values, held_out_cells: NDArray[np.str_]
) -> tuple[float, float, int]:
    """C_T of distances [N] to the nearest training clip, and of held-out real clips [M], within each cell.

    It is the mean over cells of the Mann-Whitney z-score, weighted by the synthetic clips in each: far below 0 where a
    generator copies, far above 0 where it underfits. Then the chance of so low a pooled z-score did synthetic clips
    keep the distance of held-out ones, and the number of cells.
    """
    common = sorted(set(cells.tolist()) & set(held_out_cells.tolist()))
    if not common:
        raise DataError("three-sample test: synthetic and held-out clips have no view and condition in common")
    scores = np.array([_z_score(synthetic[cells == cell], held_out[held_out_cells == cell]) for cell in common])
    counts = np.array([(cells == cell).sum() for cell in common], dtype=np.float64)
    weights = counts / counts.sum()
    pooled = float(weights @ scores) / math.sqrt(float((weights**2).sum()))
    return float(weights @ scores), 0.5 * math.erfc(-pooled / math.sqrt(2)), len(common)


def _z_score(ours: Values, theirs: Values) -> float:
    """Mann & Whitney (1947): how many standard errors ours lie farther than theirs; ties count half."""
    pairs = len(ours) * len(theirs)
    wins = pairs * (1 - float(win_rates(ours, theirs).mean()))
    return (wins - pairs / 2) / math.sqrt(pairs * (len(ours) + len(theirs) + 1) / 12)

"""Are novel people nobody in particular? How near they come to the people the generator was trained on.

Three questions: does a novel clip lead back to one of its blend parents; does a novel person match some training person
better than real strangers do; and do synthetic clips lie nearer to training clips than new real clips do (the
three-sample test of Meehan, Chaudhuri & Dasgupta, AISTATS 2020, arXiv 2004.05675).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.audit.embeddings import Centres, Embedded
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.recognition.bootstrap import Estimate, bootstrap_share
from gaitcrafter_ext.recognition.nearest import squared_distances

__all__ = ["BestMatch", "Retrieval", "ThreeSample", "best_match", "parent_retrieval", "three_sample"]

#: The share of real strangers that may match a training person as well as the bound says.
STRANGERS = 0.05


@dataclass(frozen=True)
class Retrieval:
    """How often a novel clip's nearest training clip is of one of its parents.

    Attributes:
        share: Over all novel clips, with an interval over novel people.
        chance: Number of parents over number of training people, mean over clips.
        shuffled: The same share when recipes are dealt to the wrong people: chance as measured.
        left_out: Clips of people without a recipe, or of views without training clips.
    """

    share: Estimate
    chance: float
    shuffled: float
    left_out: int


@dataclass(frozen=True)
class BestMatch:
    """The nearest training person of each novel person, beside that of real strangers.

    Attributes:
        novel: Distance of each novel person's centre to the nearest training person's, float64 [P].
        nearest: Who that is.
        strangers: The same distances of real strangers, float64 [Q].
        bound: The distance that 5 % of the strangers are nearer than.
        share: Share of novel people nearer than the bound; 5 % is what strangers have.
        closer: Share of (novel, stranger) pairs in which the novel person is nearer; 0.5 = like strangers.
    """

    novel: NDArray[np.float64]
    nearest: tuple[str, ...]
    strangers: NDArray[np.float64]
    bound: float
    share: Estimate
    closer: float


@dataclass(frozen=True)
class ThreeSample:
    """The statistic C_T, far below 0 where a generator copies, far above 0 where it underfits.

    Attributes:
        score: Mean over cells of the Mann-Whitney z-score, weighted by the synthetic clips in each.
        p_copied: Chance of so low a pooled z-score did synthetic clips keep the distance of held-out ones.
        cells: How many cells had clips of both kinds.
        left_out: Synthetic clips of other cells.
    """

    score: float
    p_copied: float
    cells: int
    left_out: int


def parent_retrieval(
    novel: Embedded, training: Embedded, recipes: Mapping[str, Collection[str]], rng: np.random.Generator
) -> Retrieval:
    """Nearest training clip of the same view, of each clip of a novel person.

    Args:
        novel: Clips of novel people.
        training: Real clips that the generator was trained on.
        recipes: Novel person -> parents.
        rng: Draws the bootstrap's people, and deals recipes anew.

    Raises:
        DataError: No clip is of a person with a recipe and of a view with training clips.
    """
    views, known = set(training.view.tolist()), set(training.people)
    asked = [key.view in views and bool(known & set(recipes.get(key.identity, ()))) for key in novel.keys]
    clips = novel.where(np.array(asked, dtype=bool))
    if not len(clips):
        raise DataError(
            f"parent retrieval: none of {len(novel)} novel clips is of a person with known parents and of a view with"
            " training clips; is the manifest.jsonl of the run beside the clips?"
        )
    found = _nearest_people(clips, training)
    people = clips.people
    dealt = dict(zip(people, np.roll(people, int(rng.integers(1, max(2, len(people))))).tolist(), strict=True))
    hits = np.array([name in recipes[own] for name, own in zip(found, clips.identity.tolist(), strict=True)])
    wrong = [name in recipes[dealt[own]] for name, own in zip(found, clips.identity.tolist(), strict=True)]
    counts = [len(known & set(recipes[own])) for own in clips.identity.tolist()]
    return Retrieval(
        bootstrap_share(hits, clips.identity, rng),
        float(np.mean(counts)) / len(known),
        float(np.mean(wrong)) if len(people) > 1 else float("nan"),
        len(novel) - len(clips),
    )


def best_match(novel: Centres, training: Centres, strangers: Centres, rng: np.random.Generator) -> BestMatch:
    """Nearest training person of each novel person.

    Args:
        novel: Novel people.
        training: The people that the generator was trained on.
        strangers: Real people, from as many clips each as novel ones; whoever of them was trained on is matched to all
            others.
        rng: Draws the bootstrap's people.

    Raises:
        DataError: There is no novel person, or there are too few real people.
    """
    if not len(novel) or len(training) < 2 or not len(strangers):
        raise DataError(
            f"best match: {len(novel)} novel and {len(training)} training people, {len(strangers)} real strangers; at"
            " least 1, 2 and 1 are needed"
        )
    table = 1.0 - novel.vectors @ training.vectors.T
    ours = table.min(axis=1).astype(np.float64)
    own = np.array(strangers.people)[:, None] == np.array(training.people)[None]
    theirs = np.where(own, np.inf, 1.0 - strangers.vectors @ training.vectors.T).min(axis=1).astype(np.float64)
    bound = float(np.quantile(theirs, STRANGERS))
    closer = float((ours[:, None] < theirs[None]).mean() + 0.5 * (ours[:, None] == theirs[None]).mean())
    nearest = tuple(training.people[at] for at in table.argmin(axis=1).tolist())
    share = bootstrap_share(ours < bound, np.array(novel.people, dtype=str), rng)
    return BestMatch(ours, nearest, theirs, bound, share, closer)


def three_sample(
    synthetic: tuple[NDArray[np.float64], Sequence[object]], held_out: tuple[NDArray[np.float64], Sequence[object]]
) -> ThreeSample:
    """C_T of distances to the nearest training clip.

    Args:
        synthetic: Distances float64 [N] and the cell of each clip (its view and condition, say).
        held_out: The same of real clips that were not trained on.

    Raises:
        DataError: No cell has clips of both kinds.
    """
    ours, theirs = _by_cell(*synthetic), _by_cell(*held_out)
    common = sorted(set(ours) & set(theirs))
    if not common:
        raise DataError("three-sample test: synthetic and held-out clips have no view and condition in common")
    scores = np.array([_z_score(ours[cell], theirs[cell]) for cell in common])
    weights = np.array([len(ours[cell]) for cell in common], dtype=np.float64)
    weights /= weights.sum()
    pooled = float(weights @ scores) / math.sqrt(float((weights**2).sum()))
    chance = 0.5 * math.erfc(-pooled / math.sqrt(2))
    left_out = len(synthetic[0]) - sum(len(ours[cell]) for cell in common)
    return ThreeSample(float(weights @ scores), chance, len(common), left_out)


def _nearest_people(clips: Embedded, training: Embedded) -> list[str]:
    """Whose training clip of the same view is nearest to each clip."""
    found = np.empty(len(clips), dtype=training.identity.dtype)
    for view in np.unique(clips.view):
        ours, theirs = clips.view == view, training.view == view
        table = squared_distances(clips.vectors[ours], training.vectors[theirs])
        found[ours] = training.identity[theirs][table.argmin(axis=1)]
    return [str(name) for name in found.tolist()]


def _by_cell(distances: NDArray[np.float64], cells: Sequence[object]) -> dict[str, NDArray[np.float64]]:
    labels = np.array([str(cell) for cell in cells], dtype=str)
    return {str(cell): distances[labels == cell] for cell in np.unique(labels)}


def _z_score(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Mann & Whitney (1947): how many standard errors ours lie farther than theirs; ties count half."""
    wins = float((ours[:, None] > theirs[None]).sum() + 0.5 * (ours[:, None] == theirs[None]).sum())
    pairs = len(ours) * len(theirs)
    return (wins - pairs / 2) / math.sqrt(pairs * (len(ours) + len(theirs) + 1) / 12)

"""Identity codes: one-hot for a known person, a blend of several for a novel one.

The generator brings a code to length 1 and goes on linearly, so blending codes is what the paper (arXiv 2508.13300)
calls interpolating identity embeddings. It leaves open who is blended, and how; here

- the k parents of successive people are drawn evenly (who has been a parent least often comes first) and no set of
  parents comes back before every other one has been used;
- their weights are Dirichlet(a, ..., a). A large ``a`` keeps people away from all their parents, a small one lets one
  parent dominate, which makes a poor novelty and a privacy risk;
- person n depends on the seed and on n alone: asking for more people changes none of the earlier ones.

That is the strategy ``even``. ``spread`` draws many blends for each person and takes the one whose code lies farthest
from its nearest neighbour among the known people and the novel ones before it (farthest-point sampling, Gonzalez 1985;
by angle, since the network brings all codes to one length).
``beyond`` extrapolates: it blends all parents but one and goes on in the direction that leads away from that one, as
far as that one's share of the even blend. Of two parents it stays near the other, so it is there for three or more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count as count_up
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.vocabulary import suggest

__all__ = ["STRATEGIES", "BlendSettings", "NovelIdentity", "known_recipe", "novel_identities"]

#: How people are blended: evenly, so that codes lie far apart, or beyond the space between the parents.
STRATEGIES = ("even", "spread", "beyond")

#: Blends from which ``spread`` takes the farthest.
POOL = 64

#: Weights are multiples of one over this, so that a recipe reads well and survives a text file exactly.
GRAIN = 10_000

#: Parents, ascending, and their weights.
Blend = tuple[tuple[int, ...], list[float]]

#: A blend of more people than this is their mean, whoever they are.
MOST_PARENTS = 100


@dataclass(frozen=True)
class BlendSettings:
    """How novel people are made of known ones.

    Attributes:
        parents: How many known people each is a blend of, at least 2.
        concentration: Parameter of the symmetric Dirichlet distribution of their weights, above 0.
        seed: Who is blended, and how much of each; at least 0.
        strategy: One of :data:`STRATEGIES`.
    """

    parents: int = 2
    concentration: float = 5.0
    seed: int = 0
    strategy: str = "even"


@dataclass(frozen=True)
class NovelIdentity:
    """A person who does not exist.

    Attributes:
        name: Stable name, e.g. ``"syn-0001"``.
        recipe: Parent -> weight; weights sum to 1, and only ``beyond`` makes one that is below 0.
    """

    name: str
    recipe: Mapping[str, float]


def known_recipe(identity: str) -> dict[str, float]:
    """The recipe of a known person: nobody else in it."""
    return {identity: 1.0}


def novel_identities(
    count: int,
    subjects: Sequence[str],
    seed: int = 0,
    parents: int = 2,
    concentration: float = 5.0,
    strategy: str = "even",
) -> tuple[NovelIdentity, ...]:
    """The first ``count`` people of the series that ``seed`` names.

    Args:
        count: How many; the first ones are the same however many are asked for.
        subjects: Known people, in the order of the identity code.
        seed: Who is blended, and how much of each.
        parents: How many known people make one novel person, 2 to the smaller of ``len(subjects)`` and 100.
        concentration: Of the symmetric Dirichlet distribution of their weights, above 0.
        strategy: One of :data:`STRATEGIES`.

    Returns:
        People named ``syn-0001``, ``syn-0002``, ...; where a known person bears such a name already, ``syn2-0001``, ...

    Raises:
        UsageError: An argument is out of its range; the message names the option.
    """
    blend = BlendSettings(parents, concentration, seed, strategy)
    _check(count, len(subjects), blend)
    if count == 0:
        return ()
    prefix = _free_prefix(subjects)
    series = _SERIES[strategy](len(subjects), blend)
    people = []
    for number, (members, weights) in enumerate(islice(series, count), 1):
        recipe = {subjects[member]: weight for member, weight in zip(members, weights, strict=True)}
        people.append(NovelIdentity(f"{prefix}-{number:04d}", recipe))
    return tuple(people)


def _check(count: int, known: int, blend: BlendSettings) -> None:
    if count < 0:
        raise UsageError(f"--novel: {count} people; allowed: 0 or more")
    if blend.seed < 0:
        raise UsageError(f"--identity-seed: {blend.seed}; allowed: 0 or more")
    if not 0 < blend.concentration < math.inf:
        raise UsageError(f"--concentration: {blend.concentration}; allowed: a number above 0 (1 is uniform)")
    if count and known < 2:
        raise UsageError(f"--novel: the weights know {known} people, a blend needs 2; use --novel 0")
    if blend.strategy not in STRATEGIES:
        raise UsageError(f"--blend: unknown '{blend.strategy}'; {suggest(blend.strategy, STRATEGIES)}")
    most = min(known, MOST_PARENTS)
    if count and not 2 <= blend.parents <= most:
        raise UsageError(f"--blend-parents: {blend.parents}; allowed: 2 to {most} (the weights know {known} people)")


def _free_prefix(subjects: Sequence[str]) -> str:
    """``syn``, or the first of ``syn2``, ``syn3``, ... that begins no known person's name."""
    prefixes = (f"syn{number if number > 1 else ''}" for number in count_up(1))
    return next(prefix for prefix in prefixes if not any(name.startswith(f"{prefix}-") for name in subjects))


def _even(known: int, blend: BlendSettings) -> Iterator[Blend]:
    """Parents that were used least, and weights of each person's own."""
    sets = _parent_sets(known, blend.parents, np.random.default_rng([blend.seed]))
    for number, members in enumerate(sets, 1):
        yield members, _weights(blend, np.random.default_rng([blend.seed, number]))


def _spread(known: int, blend: BlendSettings) -> Iterator[Blend]:
    """Of a pool of random blends the one whose code is farthest from all before it and from the known people."""
    codes = np.eye(known)
    for number in count_up(1):
        rng = np.random.default_rng([blend.seed, number])
        pool = [_random_blend(known, blend, rng) for _ in range(POOL)]
        points = np.zeros((POOL, known))
        for point, (members, weights) in zip(points, pool, strict=True):
            point[list(members)] = weights
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        best = int((points @ codes.T).max(1).argmin())
        codes = np.vstack([codes, points[best]])
        yield pool[best]


def _beyond(known: int, blend: BlendSettings) -> Iterator[Blend]:
    """Even blends, led away from one of their parents, whose weight becomes negative."""
    for number, (members, weights) in enumerate(_even(known, blend), 1):
        left = int(np.random.default_rng([blend.seed, number, 1]).integers(len(members)))
        away = weights[left]
        scale = (1 + away) / (1 - away)
        led = [-away if place == left else scale * weight for place, weight in enumerate(weights)]
        yield members, _on_grain(np.array(led))


def _random_blend(known: int, blend: BlendSettings, rng: np.random.Generator) -> Blend:
    members = sorted(int(index) for index in rng.permutation(known)[: blend.parents])
    return tuple(members), _weights(blend, rng)


def _parent_sets(known: int, parents: int, rng: np.random.Generator) -> Iterator[tuple[int, ...]]:
    """Endless sets of parents, ascending indices: the least used people first, no set twice before all were used."""
    uses, seen, possible = np.zeros(known), set[tuple[int, ...]](), math.comb(known, parents)
    while True:
        members = _fresh_set(uses, parents, seen, rng)
        uses[list(members)] += 1
        seen.add(members)
        if len(seen) == possible:
            seen.clear()
        yield members


def _fresh_set(
    uses: NDArray[np.float64], parents: int, seen: set[tuple[int, ...]], rng: np.random.Generator
) -> tuple[int, ...]:
    """A set that is not in ``seen``, of people used as little as possible."""
    for attempt in count_up():
        # Equally used people come in random order; each failure lets somewhat more used people in.
        order = np.argsort(uses + rng.random(len(uses)) * (1 + attempt / 8), kind="stable")
        members = tuple(sorted(int(index) for index in order[:parents]))
        if members not in seen:
            return members
    raise AssertionError("unreachable")


def _weights(blend: BlendSettings, rng: np.random.Generator) -> list[float]:
    """Dirichlet weights as whole multiples of 1 / GRAIN, none of them zero."""
    return _on_grain(np.maximum(1 / GRAIN, rng.dirichlet(np.full(blend.parents, blend.concentration))))


def _on_grain(weights: NDArray[np.float64]) -> list[float]:
    """Weights as whole multiples of 1 / GRAIN that sum to 1."""
    shares = np.round(weights * GRAIN).astype(int)
    shares[np.argmax(shares)] += GRAIN - shares.sum()
    return [int(share) / GRAIN for share in shares]


_SERIES: dict[str, Callable[[int, BlendSettings], Iterator[Blend]]] = {
    "even": _even,
    "spread": _spread,
    "beyond": _beyond,
}

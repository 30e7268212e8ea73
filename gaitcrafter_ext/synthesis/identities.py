"""Identities: who is generated, as mixing weights of known people or as a place in the space of people.

A known person is their one-hot token. A novel one blends several: the paper (arXiv 2508.13300) interpolates identity
embeddings and leaves open whose, and how; here

- the k parents of successive people are drawn evenly (who has been a parent least often comes first) and no set of
  parents comes back before every other one has been used;
- their weights are Dirichlet(a, ..., a). A large ``a`` keeps people away from all their parents, a small one lets one
  parent dominate, which makes a poor novelty and a privacy risk;
- person n depends on the seed and on n alone: asking for more people changes none of the earlier ones.

That is the strategy ``even``. ``draw`` has no parents: a standard normal draw in the space of people, whose codes are
whitened, along the dimensions that they span.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from itertools import count as count_up
from itertools import islice
from typing import Annotated, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gaitcrafter_ext.errors import UsageError, suggest
from gaitcrafter_ext.generator.weights import mixed_cadence
from gaitcrafter_ext.records import record

Strategy = Literal["even", "draw"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)

#: Parents of a novel person. Blends of ten are as far from the known people as strangers are (``docs/results.md``); a
#: blend of more people than the second number is their mean, whoever they are.
PARENTS, MOST_PARENTS = 10, 100

#: Weights are multiples of one over this, so that they read well and survive a text file exactly.
GRAIN = 10_000

#: Known person -> share, not below 0.
Mix = dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]]

#: Known person -> mean gait cycle and its standard deviation, as on the card of the weights.
Cadences = Mapping[str, Sequence[float]]


@record
class BlendSettings:
    """How novel people are made of known ones: ``concentration`` is the Dirichlet parameter of their weights."""

    parents: int = PARENTS
    concentration: float = 5.0
    seed: int = 0
    strategy: Strategy = "even"


@record
class Cadence:
    """Gait cycle of a person, frames: its mean, and its standard deviation between takes."""

    mean: float
    spread: float


@record
class Identity:
    """Who is generated: a ``mix``, known person -> weight, or where that is empty, a place in the space of people.

    Weights sum to 1; ``cadence`` is None where it is not known.
    """

    mix: Mix = field(default_factory=dict)
    code: tuple[float, ...] = ()
    cadence: Cadence | None = None


def usual_parents(known: int) -> int:
    """Parents of a blend where no number is asked for: :data:`PARENTS`, or all known people where they are fewer."""
    return min(PARENTS, max(2, known))


def mixture(mix: dict[str, float], cadence: Cadences) -> Identity:
    """Whom known people blend to, with their cadence; of ``{name: 1.0}`` the known person."""
    found = mixed_cadence(mix, cadence)
    return Identity(mix, cadence=None if found is None else Cadence(round(found[0], 3), round(found[1], 3)))


def novel_identities(
    count: int, subjects: Sequence[str], blend: BlendSettings, cadence: Cadences | None = None, code_dim: int = 0
) -> dict[str, Identity]:
    """The first ``count`` people of the series that ``blend`` names: ``syn-0001``, ... -> identity.

    Where one of the known people, ``subjects``, bears such a name already, they are called ``syn2-0001``, ...
    ``code_dim`` are the dimensions of the weights' space of people, which drawn ones need. ``UsageError``, which names
    the option, where an argument is out of its range.
    """
    if count < 0:
        raise UsageError(f"--novel: {count} people; allowed: 0 or more")
    return dict(islice(novel_series(subjects, blend, cadence, code_dim), count)) if count else {}


def novel_series(
    subjects: Sequence[str], blend: BlendSettings, cadence: Cadences | None = None, code_dim: int = 0
) -> Iterator[tuple[str, Identity]]:
    """The endless series of :func:`novel_identities`, one person at a time; raises as it does, before the first."""
    _check(len(subjects), blend, code_dim)
    prefix = _free_prefix(subjects)
    if blend.strategy == "draw":
        people = _drawn(blend.seed, len(subjects), code_dim, cadence or {})
    else:
        people = _blended(subjects, blend, cadence or {})
    return ((f"{prefix}-{number:04d}", who) for number, who in enumerate(people, 1))


def _check(known: int, blend: BlendSettings, code_dim: int) -> None:
    if blend.seed < 0:
        raise UsageError(f"--identity-seed: {blend.seed}; allowed: 0 or more")
    if not 0 < blend.concentration < math.inf:
        raise UsageError(f"--concentration: {blend.concentration}; allowed: a number above 0 (1 is uniform)")
    if blend.strategy not in STRATEGIES:
        raise UsageError(f"--blend: unknown '{blend.strategy}'; {suggest(blend.strategy, STRATEGIES)}")
    if blend.strategy == "draw" and code_dim < 1:
        raise UsageError(f"code_dim: {code_dim}; people are drawn from the weights' space: give pipeline.card.code_dim")
    if known < 2:
        raise UsageError(f"--novel: the weights know {known} people, novel ones need 2; use --novel 0")
    most = min(known, MOST_PARENTS)
    if blend.strategy != "draw" and not 2 <= blend.parents <= most:
        raise UsageError(f"--blend-parents: {blend.parents}; allowed: 2 to {most} (the weights know {known} people)")


def _free_prefix(subjects: Sequence[str]) -> str:
    """``syn``, or the first of ``syn2``, ``syn3``, ... that begins no known person's name."""
    prefixes = (f"syn{number if number > 1 else ''}" for number in count_up(1))
    return next(prefix for prefix in prefixes if not any(name.startswith(f"{prefix}-") for name in subjects))


def _drawn(seed: int, known: int, code_dim: int, cadence: Cadences) -> Iterator[Identity]:
    """People drawn from the space; each walks as fast as some known person."""
    spanned = min(code_dim, known - 1)  # the other dimensions are 0 in every code that the weights were trained on
    walks = [Cadence(*cadence[name]) for name in sorted(cadence)]
    for number in count_up(1):
        rng = np.random.default_rng([seed, number, 2])
        code = [round(float(value), 4) for value in rng.standard_normal(spanned)]
        walk = walks[rng.integers(len(walks))] if walks else None
        yield Identity(code=(*code, *[0.0] * (code_dim - spanned)), cadence=walk)


def _blended(subjects: Sequence[str], blend: BlendSettings, cadence: Cadences) -> Iterator[Identity]:
    """Blends of those who were parents least often, with weights of each person's own."""
    sets = _parent_sets(len(subjects), blend.parents, np.random.default_rng([blend.seed]))
    for number, members in enumerate(sets, 1):
        rng = np.random.default_rng([blend.seed, number])
        weights = rng.dirichlet(np.full(blend.parents, blend.concentration))
        shares = _on_grain(np.maximum(1 / GRAIN, weights))
        yield mixture({subjects[member]: share for member, share in zip(members, shares, strict=True)}, cadence)


def _parent_sets(known: int, parents: int, rng: np.random.Generator) -> Iterator[tuple[int, ...]]:
    """Endless sets of parents, ascending indices: the least used people first, no set twice before all were used."""
    uses, seen, possible = np.zeros(known), set[tuple[int, ...]](), math.comb(known, parents)
    while True:
        for attempt in count_up():
            # Equally used people come in random order; each failure lets somewhat more used people in.
            order = np.argsort(uses + rng.random(known) * (1 + attempt / 8), kind="stable")
            members = tuple(sorted(order[:parents].tolist()))
            if members not in seen:
                break
        uses[list(members)] += 1
        seen.add(members)
        if len(seen) == possible:
            seen.clear()
        yield members


def _on_grain(weights: NDArray[np.float64]) -> list[float]:
    """Weights as whole multiples of 1 / GRAIN that sum to 1."""
    shares = np.round(weights * GRAIN).astype(int)
    shares[np.argmax(shares)] += GRAIN - shares.sum()
    return [int(share) / GRAIN for share in shares]

"""The questions of a card that are about people: asked for, different, one each, nobody in particular."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaitcrafter_ext.audit.card import Measure, Row, row
from gaitcrafter_ext.audit.embeddings import Embedded, centres
from gaitcrafter_ext.audit.leakage import BestMatch, Retrieval, best_match, parent_retrieval
from gaitcrafter_ext.audit.material import Material, Space
from gaitcrafter_ext.audit.persons import Persons, persons
from gaitcrafter_ext.audit.uniqueness import (
    FALSE_MATCH_RATE,
    Consistency,
    Threshold,
    Uniqueness,
    centre_threshold,
    clip_threshold,
    consistency,
    independent_share,
    matched_takes,
    uniqueness,
)
from gaitcrafter_ext.errors import DataError

__all__ = ["Different", "One", "people_measures"]


@dataclass(frozen=True)
class Different:
    """U of novel people and of real ones.

    Attributes:
        threshold: r from centre to centre.
        novel: Of the novel people.
        real: Of real people whom the recogniser never saw.
    """

    threshold: Threshold
    novel: Uniqueness
    real: Uniqueness


@dataclass(frozen=True)
class One:
    """C_intra of novel people, of real ones, and of novel ones with their clips dealt out anew.

    Attributes:
        threshold: r from clip to centre.
        novel: Of the novel people; of the known ones where there is no novel one.
        real: Of real people whom the recogniser never saw.
        mixed: Of the novel clips under permuted names.
    """

    threshold: Threshold
    novel: Consistency
    real: Consistency
    mixed: Consistency


def people_measures(material: Material, space: Space, seed: int) -> list[Measure]:
    """What can be asked about people in one space."""
    name = space.name

    def rng(number: int) -> np.random.Generator:
        return np.random.default_rng([seed, number])

    return [
        Measure("person", "rank1", name, lambda: persons(*space.matching, rng(0)), lambda it: _persons(it, name)),
        Measure("different", "u", name, lambda: _find_different(space), lambda it: _different(it, name)),
        Measure("one", "c_intra", name, lambda: _find_one(space, rng(1)), lambda it: _one(it, name)),
        Measure(
            "nobody",
            "parent_retrieval",
            name,
            lambda: parent_retrieval(_novel(space), space.training, material.parents, rng(2)),
            lambda it: _retrieval(it, name),
        ),
        Measure("nobody", "best_match", name, lambda: _find_best(space, rng(3)), lambda it: _best(it, name, space)),
    ]


def _novel(space: Space) -> Embedded:
    if not len(space.novel):
        raise DataError("there is no novel person among the synthetic ones")
    return space.novel


def _find_different(space: Space) -> Different:
    threshold = centre_threshold(space.strangers)
    novel = uniqueness(centres(_novel(space)), threshold.distance)
    return Different(threshold, novel, uniqueness(centres(space.strangers), threshold.distance))


def _find_one(space: Space, rng: np.random.Generator) -> One:
    threshold = clip_threshold(space.strangers)
    clips = space.novel if len(space.novel) else space.synthetic
    mixed = Embedded(rng.permutation(clips.vectors), clips.keys)
    found = [consistency(each, threshold.distance, rng) for each in (clips, space.strangers, mixed)]
    return One(threshold, *found)


def _find_best(space: Space, rng: np.random.Generator) -> BestMatch:
    novel = _novel(space)
    strangers = matched_takes(space.others if len(space.others) else space.held_out, novel)
    return best_match(centres(novel), centres(space.training), centres(strangers), rng)


def _persons(found: Persons, name: str) -> list[Row]:
    ceilings = {each.condition: each.share.value for each in found.ceiling.conditions}
    rows = [("", found.synthetic.share, found.ceiling.share.value)]
    rows += [(each.condition, each.share, ceilings.get(each.condition, np.nan)) for each in found.synthetic.conditions]
    views = " ".join(f"{view} {100 * share:.0f}" for view, share in sorted(_per_view(found).items()))
    note = f"gallery: takes of {found.people} people that the generator never saw, same view; by view, %: {views}"
    return [
        row("person", f"rank1{'_' if part else ''}{part}", name, share, ceiling=ceiling, chance=found.chance,
            note="" if part else note)
        for part, share, ceiling in rows
    ]  # fmt: skip


def _per_view(found: Persons) -> dict[str, float]:
    """Rank-1 at each view, over all conditions."""
    totals: dict[str, tuple[float, int]] = {}
    for condition in found.synthetic.conditions:
        for view, share in condition.per_view.items():
            hits, count = totals.get(view, (0.0, 0))
            totals[view] = (hits + share.value * share.count, count + share.count)
    return {view: hits / count for view, (hits, count) in totals.items()}


def _calibrated(threshold: Threshold) -> str:
    rate = f"r = {threshold.distance:.3f}, where {100 * threshold.rate:.0f} % of {threshold.pairs} pairs of"
    few = "" if threshold.resolved else "; too few pairs to tell that rate well"
    return f"{rate} {threshold.people} real strangers match{few}"


def _different(found: Different, name: str) -> list[Row]:
    count, real = len(found.novel.people), found.real
    same = min(count, len(real.people))
    note = (
        f"{int(found.novel.kept.sum())} of {count} novel people kept; of the first {same}:"
        f" {found.novel.curve[same - 1]} novel, {real.curve[same - 1]} real; {_calibrated(found.threshold)};"
        f" independent collisions alone would keep {100 * independent_share(count, FALSE_MATCH_RATE):.0f} %"
    )
    share = real.curve[same - 1] / same
    return [row("different", "u", name, found.novel.share, ceiling=float(share), chance=1 / count, note=note)]


def _one(found: One, name: str) -> list[Row]:
    return [
        row(
            "one",
            "c_intra",
            name,
            found.novel.share,
            ceiling=found.real.share.value,
            chance=found.mixed.share.value,
            note=f"{_calibrated(found.threshold)}; chance: clips dealt to the people anew",
        )
    ]


def _retrieval(found: Retrieval, name: str) -> list[Row]:
    note = f"nearest training clip of the same view; recipes dealt anew: {100 * found.shuffled:.1f} %"
    return [row("nobody", "parent_retrieval", name, found.share, chance=found.chance, note=note)]


def _best(found: BestMatch, name: str, space: Space) -> list[Row]:
    who = (
        "people whom the generator never saw"
        if len(space.others)
        else "held-out takes of training people against all others"
    )
    note = (
        f"share of novel people nearer to a training person than 5 % of {len(found.strangers)} real strangers are"
        f" ({who}); nearer in {100 * found.closer:.0f} % of pairs (50 % = like strangers)"
    )
    return [row("nobody", "best_match", name, found.share, floor=0.05, note=note)]

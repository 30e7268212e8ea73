"""Who may know whom: the generator's, the filter's, the recognisers' and the tested people must not mix.

G: the generator was trained on them; F: the filter's recogniser was; R: a recogniser of the card was; T: they are
tested on. A figure by somebody who has seen the answer is worth nothing, so overlap with T is refused, and so is a
recogniser that chose the very people it shall judge. That R or F know people of G is a caveat, since on a real data set
there may be no others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from gaitcrafter_ext.errors import DataError

__all__ = ["People", "check_disjoint"]


@dataclass(frozen=True)
class People:
    """The groups of people of one card.

    Attributes:
        generator: G, as the weights' card (or the clips' recipes) tell.
        test: T, the partition's TEST_SET.
        recognisers: R of each recogniser, by its name.
        filter: F; empty without a filter, None where nothing tells.
        judges: Names of recognisers that chose the novel people themselves.
    """

    generator: tuple[str, ...]
    test: tuple[str, ...]
    recognisers: dict[str, tuple[str, ...]]
    filter: tuple[str, ...] | None = ()
    judges: tuple[str, ...] = field(default=())


def check_disjoint(people: People) -> list[str]:
    """Refuse overlap with the tested people; tell what must be kept in mind.

    Returns:
        Caveats, one sentence each.

    Raises:
        DataError: The generator, the filter or a recogniser was trained on somebody of TEST_SET, or a recogniser chose
            the novel people.
    """
    _refuse_tested("the generator", people.generator, people, "give the partition that it was trained with")
    _refuse_tested("the filter's recogniser", people.filter or (), people, "filter with one that was not")
    remedy = "give one that was not, or --other-people where its people only bear the same names"
    for name, known in people.recognisers.items():
        _refuse_tested(f"the recogniser {name}", known, people, remedy)
    if people.judges:
        raise DataError(
            f"the recogniser {people.judges[0]} chose the novel people itself (--filter), so it cannot judge them;"
            " give another --recogniser"
        )
    return [*_unknown_filter(people), *_known_to(people)]


def _refuse_tested(who: str, known: Iterable[str], people: People, remedy: str) -> None:
    if seen := set(people.test) & set(known):
        raise DataError(f"{who} was trained on {_some(seen)} of TEST_SET; {remedy}")


def _unknown_filter(people: People) -> list[str]:
    if people.filter is not None:
        return []
    return ["a filter chose the novel people, and nothing tells whom its recogniser was trained on"]


def _known_to(people: People) -> list[str]:
    """Caveats of groups that share people: R with G, F with G, R with F."""
    filtered = {"the filter's recogniser": people.filter} if people.filter else {}
    judges = {f"the recogniser {name}": known for name, known in people.recognisers.items()}
    caveats = [
        f"{who} knows {len(both)} of the {len(people.generator)} people that the generator was trained on: its rank-1"
        " and its distances to them flatter real and synthetic clips alike"
        for who, known in {**judges, **filtered}.items()
        if (both := set(known or ()) & set(people.generator))
    ]
    return caveats + [
        f"{who} and the filter's recogniser were trained on {len(both)} people in common: they err alike, so the people"
        " that passed the filter look better than they are"
        for who, known in judges.items()
        if (both := set(known) & set(people.filter or ()))
    ]


def _some(names: Iterable[str]) -> str:
    shown = sorted(names)
    return f"{', '.join(shown[:3])} ({len(shown)} people)" if len(shown) > 1 else shown[0]

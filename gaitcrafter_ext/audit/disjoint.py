"""Who may know whom: the generator's, the recogniser's and the tested people must not mix.

G: the generator was trained on them; R: a recogniser of the card was; T: they are tested on. A figure by somebody who
has seen the answer is worth nothing, so overlap with T is refused; R that knows people of G is a caveat, since on a
real data set there may be no others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from gaitcrafter_ext.errors import DataError

__all__ = ["People", "check_disjoint"]


@dataclass(frozen=True)
class People:
    """The groups of people of one card.

    Attributes:
        generator: G, as the weights' card (or the clips' recipes) tell.
        test: T, the partition's TEST_SET.
        recognisers: R of each recogniser, by its name.
    """

    generator: tuple[str, ...]
    test: tuple[str, ...]
    recognisers: dict[str, tuple[str, ...]]


def check_disjoint(people: People) -> list[str]:
    """Refuse overlap with the tested people; tell what must be kept in mind.

    Returns:
        Caveats, one sentence each.

    Raises:
        DataError: The generator or a recogniser was trained on somebody of TEST_SET.
    """
    tested = set(people.test)
    if seen := tested & set(people.generator):
        raise DataError(
            f"the generator was trained on {_some(seen)} of TEST_SET; give the partition that it was trained with"
        )
    for name, known in people.recognisers.items():
        if seen := tested & set(known):
            raise DataError(
                f"the recogniser {name} was trained on {_some(seen)} of TEST_SET; give one that was not, or"
                " --other-people where its people only bear the same names"
            )
    return [
        f"the recogniser {name} knows {len(both)} of the {len(people.generator)} people that the generator was trained"
        " on: its rank-1 and distances to them flatter both real and synthetic clips"
        for name, known in people.recognisers.items()
        if (both := set(known) & set(people.generator))
    ]


def _some(names: Collection[str] | Iterable[str]) -> str:
    shown = sorted(names)
    return f"{', '.join(shown[:3])} ({len(shown)} people)" if len(shown) > 1 else shown[0]

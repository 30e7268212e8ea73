"""The recognisers of a card, whom each of them knows, and who must not know whom.

G: the generator was trained on them; F: the filter's recogniser was; R: a recogniser of the card was; T: they are
tested on. A figure by a judge that has seen the answer is worth nothing, so overlap with T is refused, and so is a
recogniser that chose the very people it shall judge. That R or F know people of G is a caveat, since on a real data set
there may be no others.

People bear the name of their data set (``simulated-1-seed101/sim-001``) where a recogniser's card tells it: ``sim-001``
of another seed is another person. Where it does not, equal names are taken to be the same person.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from gaitcrafter_ext.audit.data import Splits
from gaitcrafter_ext.errors import DataError, GaitCrafterError, listed
from gaitcrafter_ext.generator.weights import checksum
from gaitcrafter_ext.recognition.checkpoint import MODEL_FILE, load_recogniser
from gaitcrafter_ext.recognition.filter_card import BUNDLED, locate_filter, read_filter_card
from gaitcrafter_ext.synthesis.folder import SELECTED
from gaitcrafter_ext.synthesis.selection import read_selected


@dataclass(frozen=True)
class Recogniser:
    """A recogniser, its folder's name, and the people it was trained on, each as ``dataset/identity``.

    Its fingerprint is that of a filter's card where there is one, by which a run names the recogniser that chose its
    people; else the first 16 hex digits of its weights' SHA-256.
    """

    name: str
    network: nn.Module
    model: str
    people: tuple[str, ...]
    fingerprint: str


def open_judges(
    folders: Sequence[str], dataset: str, other_people: bool, synthetic: str, splits: Splits
) -> tuple[list[Recogniser], list[str]]:
    """Load the recognisers of a card, after checking who knows whom, and say what must be kept in mind.

    ``synthetic`` is the run's folder; the rest is as for :func:`open_recognisers` and :func:`check_disjoint`.
    """
    judges, chose = open_recognisers(folders, dataset, other_people), chosen_by(synthetic)
    if same := [each.name for each in judges if each.fingerprint == chose]:
        raise DataError(
            f"the recogniser {same[0]} chose the novel people itself (--filter), so it cannot judge them;"
            " give another --recogniser"
        )
    caveats = check_disjoint(
        {*_named(dataset, splits.generator), *splits.before},
        set(_named(dataset, splits.test)),
        {each.name: set(each.people) for each in judges},
        filter_people(chose, judges) if chose else (),
    )
    if not judges:
        caveats.append(
            "no recogniser was given: people are told apart by pixel GEIs, which see clothes and build rather than"
            " gait; give --recogniser DIR, best two, trained on other people"
        )
    return judges, caveats


def open_recognisers(folders: Sequence[str], dataset: str, other_people: bool = False) -> list[Recogniser]:
    """Load what ``recognise train`` or the filter's export wrote, or ``"bundled"``.

    ``dataset`` is the real data set, which people of the same names are taken to be of unless they are
    ``other_people``. Raises ``DataError`` where two folders bear one name, ``MissingError`` where there is no
    recogniser in one, ``WeightsError`` where it cannot be used.
    """
    found = [_open(folder, dataset, other_people) for folder in folders]
    if len({each.name for each in found}) < len(found):
        raise DataError("two --recogniser folders bear one name; rename one, the report calls them by it")
    return found


def _open(name: str, dataset: str, other_people: bool) -> Recogniser:
    folder = locate_filter(BUNDLED) if name == BUNDLED else Path(name)
    network, card = load_recogniser(folder)
    shown = BUNDLED if name == BUNDLED else folder.resolve().name
    try:
        known = read_filter_card(folder)
    except FileNotFoundError:
        people = () if other_people else _named(dataset, card.people)
        return Recogniser(shown, network, card.model, people, checksum(folder / MODEL_FILE)[:16])
    return Recogniser(shown, network, card.model, known.people, known.fingerprint)


def _named(dataset: str, people: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{dataset}/{person}" for person in people)


def chosen_by(folder: str | Path) -> str:
    """Fingerprint of the recogniser that chose a run's novel people, empty without one; ``DataError`` if unreadable."""
    path = Path(folder) / SELECTED
    return read_selected(path).request.recogniser if path.is_file() else ""


def filter_people(fingerprint: str, recognisers: Sequence[Recogniser]) -> tuple[str, ...] | None:
    """Whom a filter's recogniser was trained on; None where it is neither among these nor the packaged one."""
    known = {each.fingerprint: each.people for each in recognisers}
    with contextlib.suppress(GaitCrafterError):
        packaged = read_filter_card(locate_filter(BUNDLED))
        known.setdefault(packaged.fingerprint, packaged.people)
    return known.get(fingerprint)


def check_disjoint(
    generator: set[str], test: set[str], recognisers: Mapping[str, set[str]], filtering: Collection[str] | None
) -> list[str]:
    """Refuse overlap of G, R by name, and F with T (``DataError``); return what must be kept in mind, a sentence each.

    F is empty without a filter and None where nothing tells.
    """
    judges, filtered = {f"the recogniser {name}": known for name, known in recognisers.items()}, set(filtering or ())
    other = "give one that was not, or --other-people where its people only bear the same names"
    for who, known, remedy in (
        ("the generator", generator, "give the partition that it was trained with"),
        ("the filter's recogniser", filtered, "filter with one that was not"),
        *((who, known, other) for who, known in judges.items()),
    ):
        if seen := sorted(known & test):
            raise DataError(f"{who} was trained on {listed(seen)} of TEST_SET; {remedy}")
    unknown = "a filter chose the novel people, and nothing tells whom its recogniser was trained on"
    caveats = [unknown] if filtering is None else []
    caveats += [
        f"{who} knows {len(both)} of the {len(generator)} people that the generator was trained on: its rank-1"
        " and its distances to them flatter real and synthetic clips alike"
        for who, known in (judges | {"the filter's recogniser": filtered}).items()
        if (both := known & generator)
    ]
    return caveats + [
        f"{who} and the filter's recogniser were trained on {len(both)} people in common: they err alike, so the people"
        " that passed the filter look better than they are"
        for who, known in judges.items()
        if (both := known & filtered)
    ]

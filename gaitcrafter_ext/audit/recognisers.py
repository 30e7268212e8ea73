"""The recognisers of a card, and whom each of them knows.

People bear the name of their data set (``simulated-1-seed101/sim-001``) where a recogniser's card tells it: ``sim-001``
of another seed is somebody else. Where it does not, equal names are taken to be the same person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from gaitcrafter_ext.errors import DataError, GaitCrafterError
from gaitcrafter_ext.generator.card import checksum
from gaitcrafter_ext.recognition.checkpoint import MODEL_FILE, load_recogniser
from gaitcrafter_ext.recognition.filter_card import BUNDLED, locate_filter, read_filter_card
from gaitcrafter_ext.synthesis.folder import FROZEN
from gaitcrafter_ext.synthesis.frozen import read_frozen

__all__ = ["Recogniser", "chosen_by", "filter_people", "named", "open_recognisers"]


@dataclass(frozen=True)
class Recogniser:
    """A recogniser of the card.

    Attributes:
        name: How the report calls it: its folder's name.
        network: The network.
        model: ``"gaitset"`` or ``"gaitbase"``.
        people: Whom it was trained on, each as ``dataset/identity``.
        fingerprint: As the filter's card has it, where there is one: so a run names the recogniser that chose its
            people; else the first 16 hex digits of its weights' SHA-256.
    """

    name: str
    network: nn.Module
    model: str
    people: tuple[str, ...]
    fingerprint: str


def named(dataset: str, people: Sequence[str]) -> tuple[str, ...]:
    """People with the name of their data set before their own."""
    return tuple(f"{dataset}/{person}" for person in people)


def open_recognisers(folders: Sequence[str], dataset: str, other_people: bool = False) -> list[Recogniser]:
    """Load recognisers.

    Args:
        folders: Folders that ``recognise train`` or the filter's export wrote, or ``"bundled"``.
        dataset: Name of the real data set, which people of the same names are taken to be of.
        other_people: They are not.

    Raises:
        DataError: Two folders bear one name.
        MissingError: There is no recogniser in a folder.
        WeightsError: It cannot be used.
    """
    found = [_open(folder, dataset, other_people) for folder in folders]
    if len({each.name for each in found}) < len(found):
        raise DataError("two --recogniser folders bear one name; rename one, the report calls them by it")
    return found


def chosen_by(folder: str | Path) -> str:
    """Fingerprint of the recogniser that chose the novel people of a run; empty where none did.

    Raises:
        DataError: The run's list of chosen people cannot be read.
    """
    path = Path(folder) / FROZEN
    return read_frozen(path).request.recogniser if path.is_file() else ""


def filter_people(fingerprint: str, recognisers: Sequence[Recogniser]) -> tuple[str, ...] | None:
    """Whom a filter's recogniser was trained on; None where it is neither among these nor the packaged one."""
    for each in recognisers:
        if each.fingerprint == fingerprint:
            return each.people
    try:
        card = read_filter_card(locate_filter(BUNDLED))
    except GaitCrafterError:
        return None
    return card.people if card.fingerprint == fingerprint else None


def _open(name: str, dataset: str, other_people: bool) -> Recogniser:
    folder = locate_filter(BUNDLED) if name == BUNDLED else Path(name)
    network, card = load_recogniser(folder)
    shown = BUNDLED if name == BUNDLED else folder.resolve().name
    try:
        known = read_filter_card(folder)
    except FileNotFoundError:
        people = () if other_people else named(dataset, card.people)
        return Recogniser(shown, network, card.model, people, checksum(folder / MODEL_FILE)[:16])
    return Recogniser(shown, network, card.model, known.people, known.fingerprint)

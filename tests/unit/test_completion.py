"""Completing a real tree: whose it is, what it holds, what it lacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.errors import WeightsError
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.synthesis.completion import take_inventory
from gaitcrafter_ext.vocabulary import ClipKey
from tests.synthesis_fakes import CARD, PEOPLE

CLIP = np.full((3, 64, 64), 255, np.uint8)


def tree(root: Path, people: tuple[str, ...]) -> SilhouetteStore:
    store = SilhouetteStore(root, create=True)
    for name in people:
        store.write(ClipKey(name, "nm-02", "090"), CLIP)
    return store


def test_the_trained_people_are_inventoried_whoever_else_is_there(tmp_path: Path) -> None:
    store = tree(tmp_path, (*PEOPLE, "test-person"))
    store.write(ClipKey(PEOPLE[0], "cl-01", "000"), CLIP)
    store.write(ClipKey(PEOPLE[0], "xx-01", "045"), CLIP)
    inventory = take_inventory(CARD, store)
    assert inventory.takes == ("nm-02", "cl-01")
    assert inventory.views == ("000", "090")
    assert ClipKey("test-person", "nm-02", "090") not in inventory.there
    assert len(inventory.there) == len(PEOPLE) + 2


def test_a_tree_of_other_people_is_refused(tmp_path: Path) -> None:
    store = tree(tmp_path, PEOPLE[:3])
    with pytest.raises(WeightsError, match=r"trained on 5 people of 'simulated', .* holds 3 of them"):
        take_inventory(CARD, store)

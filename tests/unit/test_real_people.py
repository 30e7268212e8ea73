"""People of a real tree: what it lacks of those the weights know, and people read from their silhouettes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.errors import DataError, GaitCrafterError, MissingError, UsageError, WeightsError
from gaitcrafter_ext.generator.weights import read_card
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.synthesis.identities import Cadence
from gaitcrafter_ext.synthesis.real_people import people_like, permitted_people, take_inventory
from gaitcrafter_ext.vocabulary import ClipKey
from tests.synthesis_fakes import CARD, PEOPLE, TINY_PEOPLE, walking_tree, write_tiny_weights

CLIP = np.full((3, 64, 64), 255, np.uint8)


def tree(root: Path, people: tuple[str, ...], take: str = "nm-02") -> SilhouetteStore:
    store = SilhouetteStore(root, create=True)
    for name in people:
        store.write(ClipKey(name, take, "090"), CLIP)
    return store


def test_the_weights_people_are_inventoried_whoever_else_is_there(tmp_path: Path) -> None:
    store = tree(tmp_path, (*PEOPLE, "test-person"))
    store.write(ClipKey(PEOPLE[0], "cl-01", "000"), CLIP)
    store.write(ClipKey(PEOPLE[0], "xx-01", "045"), CLIP)
    inventory = take_inventory(CARD, store)
    assert (inventory.takes, inventory.views) == (("nm-02", "cl-01"), ("000", "090"))
    assert ClipKey("test-person", "nm-02", "090") not in inventory.there
    assert len(inventory.there) == len(PEOPLE) + 2
    assert {key.identity for key in take_inventory(CARD, store, ["test-person"]).there} == {"test-person"}
    with pytest.raises(WeightsError, match=r"trained on 5 people of 'simulated', .* holds 3 of them"):
        take_inventory(CARD, tree(tmp_path / "few", PEOPLE[:3]))


def test_people_to_imitate_are_those_of_train_set_or_those_asked_for_but_never_of_test_set(tmp_path: Path) -> None:
    store = tree(tmp_path / "pkl", ("a", "b", "c", "d"))
    assert permitted_people(store, None, None) == ["a", "b", "c", "d"]
    Partition(("b", "c"), ("d",)).save(tmp_path / "partition.json")  # beside the tree: found
    assert permitted_people(store, None, None) == ["b", "c"]
    assert permitted_people(store, None, ["c", "a", "c"]) == ["c", "a"]
    Partition(("a", "x"), ("b",)).save(tmp_path / "other.json")
    assert permitted_people(store, tmp_path / "other.json", None) == ["a"]
    Partition(("x",)).save(tmp_path / "strangers.json")
    for partition, asked, error, said in (
        (None, ["a", "d"], UsageError, r"--like: d belongs to TEST_SET of .*partition\.json; people to test on"),
        (None, ["zz"], MissingError, "holds no clip of zz; allowed: a, b, c, d"),
        (tmp_path / "strangers.json", None, MissingError, r"holds no person of TRAIN_SET of .*strangers\.json"),
    ):
        with pytest.raises(error, match=said):
            permitted_people(store, partition, asked)


def test_people_are_read_with_code_and_cadence_from_whatever_clips_there_are(tmp_path: Path) -> None:
    weights = write_tiny_weights(tmp_path / "weights")
    card = read_card(weights)
    store = SilhouetteStore(walking_tree(tmp_path / "pkl", ("a", "b", TINY_PEOPLE[0]), ("nm-01", "cl-01")))
    store.write(ClipKey("front", "nm-01", "000"), store.read(ClipKey("a", "nm-01", "000")))
    found = people_like(card, weights, store, ["b", "front"])
    assert list(found) == ["b", "front"]
    assert all(len(who.code) == card.code_dim and np.linalg.norm(who.code) > 0 for who in found.values())
    assert found["b"].cadence == Cadence(pytest.approx(26, abs=0.5), 0.0)  # type: ignore[arg-type]
    assert found["front"].cadence is None  # legs hide each other there
    store.write(ClipKey("dim", "nm-01", "090"), np.zeros((30, 64, 64), np.uint8))
    refused: list[tuple[str, type[GaitCrafterError], str]] = [
        (TINY_PEOPLE[0], UsageError, "--like: the weights know sim-001 already; ask for --identities sim-001"),
        ("dim", DataError, r"dim/nm-01/090/090\.pkl"),
        ("empty", MissingError, "holds no clip of empty"),
    ]
    for name, error, message in refused:
        with pytest.raises(error, match=message):
            people_like(card, weights, store, [name])

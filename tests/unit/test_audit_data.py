"""Who counts as trained on, held out, stranger and parent, and by which rules takes are read."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.audit.data import Splits, Trees, held_out_of_card, last_takes, open_trees, sort_clips, split
from gaitcrafter_ext.errors import DataError, MissingError
from gaitcrafter_ext.generator.weights import Card, TrainedOn, Vocabulary
from gaitcrafter_ext.silhouettes import manifest
from gaitcrafter_ext.silhouettes.dataset import DatasetConfig
from gaitcrafter_ext.silhouettes.manifest import ManifestRecord
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey

PEOPLE, TAKES = ("000", "001", "002", "003"), ("nm-01", "nm-02", "cl-01", "cl-02")
REAL = [ClipKey(name, take, view) for name in PEOPLE for take in TAKES for view in ("054", "090")]


def trees(root: Path, made: list[ClipKey]) -> Trees:
    store = SilhouetteStore(root)
    return Trees(store, store, REAL, made)


def clips(*people: str, take: str = "nm-01", view: str = "090") -> list[ClipKey]:
    return [ClipKey(name, take, view) for name in people]


def splits(root: Path, made: tuple[str, ...], partition: Partition, most: int = 9) -> Splits:
    both = [*clips(*made), *clips(*made, take="cl-01")]
    return sort_clips(trees(root, both), str(root), None, most, partition)


def card(people: tuple[str, ...] = ("001", "002"), held_out: tuple[str, ...] = ("001/nm-02", "002/cl-02")) -> Card:
    words = Vocabulary(people, ("nm", "cl"), {"090": 90.0})
    return Card(words, TrainedOn("tiny", "0" * 16, held_out))


def write_recipes(root: Path, recipes: dict[str, dict[str, float]], name: str = "manifest.jsonl") -> None:
    for identity, recipe in recipes.items():
        record = ManifestRecord(identity, "nm-01", "090", 0, "0" * 16, "euler", 8, 1.5, 30, "", recipe)
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        manifest.append(root / name, record)


def names(keys: tuple[ClipKey, ...] | list[ClipKey]) -> set[str]:
    return {f"{key.identity}/{key.take}" for key in keys}


def test_the_card_names_people_and_held_out_takes_and_without_one_the_last_are(tmp_path: Path) -> None:
    training, held, rule, unseen = held_out_of_card(REAL, card(), "real", DatasetConfig())
    assert names(held) == {"001/nm-02", "002/cl-02"}
    assert names(training) == {f"{i}/{t}" for i in ("001", "002") for t in TAKES} - names(held)
    assert (unseen, rule) == (True, "held out as the weights' card says (tiny)")
    training, held, rule, _ = last_takes(REAL, ("001", "003"), DatasetConfig())
    assert rule.startswith("held out: the last take")
    assert names(held) == {f"{i}/{t}" for i in ("001", "003") for t in ("nm-02", "cl-02")}
    assert {key.identity for key in training} == {"001", "003"}
    known = replace(card(), trained_on=TrainedOn("tiny", "0" * 16, ("001/nm-02", "002/cl-02"), before=("old/003",)))
    made = [*clips("001", "002"), *clips("001", "002", take="cl-01")]
    found = sort_clips(trees(tmp_path, made), str(tmp_path), known, 9, Partition(("001", "002"), ("003",)))
    assert (found.generator, found.before) == (("001", "002"), ("old/003",))


def test_common_views_and_asked_conditions_are_kept(tmp_path: Path) -> None:
    parts = last_takes(REAL, ("001", "002"), DatasetConfig())
    made = [ClipKey(i, "nm-01", view) for i in ("001", "syn-0001") for view in ("090", "126")]
    found = split(trees(tmp_path, made), *parts)
    assert {key.view for key in (*found.training, *found.held_out, *found.synthetic)} == {"090"}
    assert {key.take for key in found.training} == {"nm-01"}
    assert found.passed_over == 2


def test_the_rules_come_from_the_weights_card_unless_a_config_names_others(tmp_path: Path) -> None:
    SilhouetteStore(tmp_path).write(ClipKey("000", "00", "090"), np.zeros((2, 64, 64), np.uint8))
    numbered = replace(card(), dataset=DatasetConfig(takes_pattern=r"\d+"))
    root = str(tmp_path)
    assert open_trees(root, root, card=numbered).cell(ClipKey("000", "00", "090")) == ("090", "nm")
    assert open_trees(root, root, card=numbered, config="grew").real.dataset.name == "GREW"
    assert open_trees(root, root).real.dataset == DatasetConfig()


def test_recipes_tell_the_generators_people_and_parents(tmp_path: Path) -> None:
    recipes = {"syn-0001": {"000": 0.4, "001": 0.5, "002": 0.1}, "000": {"000": 1.0}}
    write_recipes(tmp_path, recipes)
    found = splits(tmp_path, ("syn-0001", "000"), Partition(("000", "001"), ("003",)))
    assert found.generator == ("000", "001", "002")
    assert found.parents == recipes
    assert {key.take for key in found.held_out} == {"nm-02", "cl-02"}
    assert names(found.others) == {"003/nm-01", "003/cl-01"}  # as many takes as synthetic people have
    assert any("no weights given" in each for each in found.caveats)
    write_recipes(tmp_path, {"syn-0001": {"777": 0.6}})
    assert any("1 of the 3 people" in each for each in splits(tmp_path, ("000",), Partition(("000", "001"))).caveats)
    write_recipes(tmp_path / "part", {"syn-0001": {"000": 0.4, "001": 0.6}}, ".gaitcrafter/shard-1-of-2.jsonl")
    found = splits(tmp_path / "part", ("syn-0001",), Partition(("000", "001"), ("002",)))
    assert found.parents == {"syn-0001": {"000": 0.4, "001": 0.6}}
    assert any("not finished" in each for each in found.caveats)
    (tmp_path / "bare").mkdir()
    bare = splits(tmp_path / "bare", ("000",), Partition(("000", "001")))
    assert any("no manifest beside the clips" in each for each in bare.caveats)


def test_of_many_people_those_synthesized_and_main_parents_are_looked_at(tmp_path: Path) -> None:
    write_recipes(tmp_path, {"syn-0001": {"000": 0.2, "002": 0.8}, "syn-0002": {"001": 1.0}, "003": {"003": 1.0}})
    found = splits(tmp_path, ("syn-0001", "syn-0002", "003"), Partition(PEOPLE, ()), most=2)
    assert {key.identity for key in (*found.training, *found.held_out)} == {"002", "003"}
    assert {key.identity for key in found.synthetic} == {"syn-0001", "syn-0002", "003"}
    assert found.generator == PEOPLE
    assert "2 of 4 people that the generator was trained on are looked at (--people 2)" in found.caveats[-1]
    found = splits(tmp_path, ("syn-0001", "syn-0002", "003"), Partition(("003",), ("000", "001")), most=1)
    assert [each.split(" are")[0] for each in found.caveats[-2:]] == ["1 of 3 people that the generator was trained on",
                                                                      "1 of 2 novel people"]  # fmt: skip


def test_what_cannot_be_compared_is_refused_by_name(tmp_path: Path) -> None:
    training, held, rule, _ = last_takes(REAL, ("001", "002"), DatasetConfig())
    made, rules = clips("001", "002"), DatasetConfig()
    ask = functools.partial(held_out_of_card, REAL, root="real", dataset=rules)
    cut = functools.partial(split, held_out=held, training=training, rule=rule)
    odd = [replace(key, take="00") for key in held]
    for refused, words in (
        (lambda: ask(card(("sim-001",))), "no person in common"),
        (lambda: ask(card(held_out=("001/nm-09",))), "held out 001/nm-09, which real lacks"),
        (lambda: last_takes(clips("001", "002"), PEOPLE, rules), "no person has two real clips of a condition and"),
        (lambda: cut(trees(tmp_path, made), training=odd, held_out=[]), "condition: the synthetic clips have nm, the"),
        (lambda: cut(trees(tmp_path, made), held_out=clips("001", take="nm-02")), r"1 held-out real clip\(s\)"),
        (lambda: last_takes(REAL, ("sim-1",), rules), "no common person: .* are of sim-1, .* real ones of 000, 001"),
    ):
        with pytest.raises((DataError, MissingError), match=words):
            refused()

"""Who counts as trained on, held out, stranger and parent."""

from __future__ import annotations

from pathlib import Path

import pytest

from gaitcrafter_ext.audit.sources import Sources, find_sources
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.silhouettes import manifest
from gaitcrafter_ext.silhouettes.manifest import ManifestRecord
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey

TAKES = ("nm-01", "nm-02", "nm-03")


def keys(people: tuple[str, ...], takes: tuple[str, ...] = TAKES) -> list[ClipKey]:
    return [ClipKey(name, take, "090") for name in people for take in takes]


def sources(root: Path, made: tuple[str, ...], partition: Partition) -> Sources:
    store = SilhouetteStore(root)
    real = keys(("000", "001", "002", "003"))
    return find_sources((store, real), (store, keys(made)), partition, str(root), None)


def write_recipes(root: Path, recipes: dict[str, dict[str, float]]) -> None:
    for name, recipe in recipes.items():
        record = ManifestRecord(name, "nm-01", "090", 0, "0" * 16, "euler", 8, 1.5, 30, "", recipe)
        manifest.append(root / "manifest.jsonl", record)


def test_recipes_tell_the_generators_people_and_the_last_take_is_held_out(tmp_path: Path) -> None:
    write_recipes(tmp_path, {"syn-0001": {"000": 0.4, "001": 0.6}, "000": {"000": 1.0}})
    found = sources(tmp_path, ("syn-0001", "000"), Partition(("000", "001"), ("002", "003")))
    assert found.generator == ("000", "001")
    assert found.parents == {"syn-0001": ("000", "001"), "000": ("000",)}
    assert {key.take for key in found.groups.held_out} == {"nm-03"}
    assert {key.identity for key in found.others} == {"002", "003"}
    assert any("no --weights" in each for each in found.caveats)


def test_an_unfinished_run_tells_recipes_by_its_parts(tmp_path: Path) -> None:
    (tmp_path / ".gaitcrafter").mkdir()
    record = ManifestRecord("syn-0001", "nm-01", "090", 0, "0" * 16, "euler", 8, 1.5, 30, "", {"000": 0.4, "001": 0.6})
    manifest.append(tmp_path / ".gaitcrafter" / "shard-1-of-2.jsonl", record)
    found = sources(tmp_path, ("syn-0001",), Partition(("000", "001"), ("002",)))
    assert found.parents == {"syn-0001": ("000", "001")}
    assert any("not finished" in each for each in found.caveats)


def test_people_outside_the_partition_are_not_looked_at(tmp_path: Path) -> None:
    write_recipes(tmp_path, {"syn-0001": {"000": 0.4, "001": 0.6}})
    found = sources(tmp_path, ("syn-0001",), Partition(("000", "001"), ("002",)))
    assert {key.identity for key in found.others} == {"002"}
    assert sources(tmp_path, ("syn-0001",), Partition(("000", "001"))).others == ()


def test_a_parent_who_is_tested_stays_among_the_generators_people(tmp_path: Path) -> None:
    write_recipes(tmp_path, {"syn-0001": {"000": 0.4, "002": 0.6}})
    assert "002" in sources(tmp_path, ("syn-0001",), Partition(("000", "001"), ("002", "003"))).generator


def test_absent_people_of_the_generator_are_told(tmp_path: Path) -> None:
    write_recipes(tmp_path, {"syn-0001": {"000": 0.4, "777": 0.6}})
    found = sources(tmp_path, ("syn-0001",), Partition(("000", "001"), ("002",)))
    assert any("1 of the 3 people" in each for each in found.caveats)


def test_nameless_people_without_recipes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no common person"):
        sources(tmp_path, ("syn-0001",), Partition(("000", "001"), ("002", "003")))

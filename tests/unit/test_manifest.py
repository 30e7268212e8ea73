"""Manifests survive a kill and become one in the plan's order; partitions: what OpenGait would swallow in silence."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.errors import ConflictError, DataError, MissingError
from gaitcrafter_ext.silhouettes import manifest
from gaitcrafter_ext.silhouettes.manifest import ManifestRecord
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore


def record(take: str = "nm-01", **changes: object) -> ManifestRecord:
    mix = {"sim-001": 0.25, "sim-002": 0.75}
    made = ManifestRecord("syn-0001", take, "090", 7, "abc", "euler", 10, 1.5, frames=30, sha256="0" * 64, mix=mix)
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def write(path: Path, *records: ManifestRecord) -> Path:
    for each in records:
        manifest.append(path, each)
    return path


def test_records_are_read_as_they_were_appended(tmp_path: Path) -> None:
    records = [record("nm-01"), record("nm-02", guidance=0.1 + 0.2), record("cl-01", mix={})]
    assert manifest.read(write(tmp_path / "m.jsonl", *records)) == records
    assert str(records[0].key) == "syn-0001/nm-01/090"


def test_a_torn_last_line_is_dropped_and_overwritten(tmp_path: Path) -> None:
    path, line = tmp_path / "m.jsonl", record("nm-02").to_line()
    for torn in (line[:1], line[:40], line[:-1], "x" * 10_000):
        path.write_text(record("nm-01").to_line() + torn)
        assert manifest.read(path) == [record("nm-01")]
        assert manifest.read(write(path, record("nm-03"))) == [record("nm-01"), record("nm-03")]


def test_a_whole_line_that_is_no_record_is_named(tmp_path: Path) -> None:
    path, good = tmp_path / "m.jsonl", dataclasses.asdict(record())
    for line, words in (
        ("not json", "not a manifest record"),
        (json.dumps({**good, "seed": "7"}), "'seed' is '7'; input should be a valid integer"),
        (json.dumps({**good, "extra": 1}), "unknown key 'extra'"),
    ):
        path.write_text(record().to_line() + line + "\n")
        with pytest.raises(DataError, match=rf"m\.jsonl:2: .*{words}"):
            manifest.read(path)
    with pytest.raises(MissingError, match=r"n\.jsonl"):
        manifest.read(tmp_path / "n.jsonl")


def test_parts_merge_in_the_order_of_the_plan_or_not_at_all(tmp_path: Path) -> None:
    first, second, third = record("nm-01"), record("nm-02"), record("nm-03")
    a, b = write(tmp_path / "a", third, first), write(tmp_path / "b", second, first)
    merged = manifest.merge([a, b], tmp_path / "out", [second.key, third.key, first.key])
    assert merged == manifest.read(tmp_path / "out") == [second, third, first]
    with pytest.raises(ConflictError, match="syn-0001/nm-01/090"):
        manifest.merge([a, write(tmp_path / "c", record("nm-01", seed=8))], tmp_path / "new", [first.key])
    with pytest.raises(MissingError, match="nm-02"):
        manifest.merge([a], tmp_path / "new", [first.key, second.key])
    assert not (tmp_path / "new").exists()


def test_the_hash_is_of_the_pixels() -> None:
    frames = np.arange(2 * 64 * 64, dtype=np.uint8).reshape(2, 64, 64)
    assert manifest.pixels_sha256(frames) == manifest.pixels_sha256(np.asfortranarray(frames))
    # Of two all-black frames: sha256 of 8192 zero bytes, as `head -c 8192 /dev/zero | sha256sum` prints it.
    zeros = "9f1dcbc35c350d6027f98be0f5c8b43b42ca52b7604459c0c42be3aa88913d47"
    assert manifest.pixels_sha256(np.zeros((2, 64, 64), np.uint8)) == zeros != manifest.pixels_sha256(frames)


def test_a_partition_survives_its_file_in_order(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    partition = Partition(("sim-002", "sim-001"), ("sim-003",))
    partition.save(path)
    assert Partition.load(path) == partition
    assert json.loads(path.read_text()) == {"TRAIN_SET": ["sim-002", "sim-001"], "TEST_SET": ["sim-003"]}
    by_clip = Partition(("a",), ("b",), ("b-camid1_videoid2-seq0",), ("b-camid2_videoid2-seq0",))
    by_clip.save(path)
    assert Partition.load(path) == by_clip


def test_a_byte_order_mark_other_line_ends_and_other_keys_do_no_harm(tmp_path: Path) -> None:
    text = '{"TRAIN_SET": ["001"],\r\n"NOTE": 1, "PROBE_SET": ["002-a-b"]}'
    (tmp_path / "p.json").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert Partition.load(tmp_path / "p.json") == Partition(("001",), (), ("002-a-b",))


def test_a_wrong_file_is_refused_by_name(tmp_path: Path) -> None:
    for text, words in (
        (b"{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"TEST_SET": []}', "'TRAIN_SET' is missing"),
        (b'{"TRAIN_SET": [1], "TEST_SET": []}', "'TRAIN_SET.0' is 1; .*; put it in quotes"),
        (b'{"TRAIN_SET": ["001", "001"], "TEST_SET": []}', "TRAIN_SET names 001 more than once"),
        (b'{"TRAIN_SET": ["001", "002"], "TEST_SET": ["002"]}', "002 in both TRAIN_SET and TEST_SET"),
    ):
        (tmp_path / "p.json").write_bytes(text)
        with pytest.raises(DataError, match=rf"p\.json.*{words}"):
            Partition.load(tmp_path / "p.json")


def test_people_who_are_not_there_are_named_train_first(tmp_path: Path) -> None:
    (tmp_path / "001").mkdir()
    store = SilhouetteStore(tmp_path)
    Partition(("001",)).check(store)
    for partition, words in (
        (Partition(("001", "002"), ("003",)), r"TRAIN_SET names 1 of 2 people who are not in .*: 002;"),
        (Partition(("001",), ("003",)), r"TEST_SET names 1 of 1 .*: 003;"),
        (Partition(tuple(f"1{number:02d}" for number in range(20))), r"\(20 in all\)"),
    ):
        with pytest.raises(MissingError, match=words):
            partition.check(store)

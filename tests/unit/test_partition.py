"""Partitions: OpenGait's file, and what it would swallow in silence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gaitcrafter_ext.errors import DataError, MissingError
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore


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

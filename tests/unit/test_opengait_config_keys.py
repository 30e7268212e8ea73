"""Our keys in an OpenGait config, and what changes a config from outside."""

from __future__ import annotations

from typing import Any

import pytest

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.opengait.config_keys import (
    FolderEntry,
    GeneratedEntry,
    apply_arm,
    apply_override,
    parse_override,
    read_entries,
    read_sampler,
)


def test_entries_of_both_kinds() -> None:
    folder, generated = read_entries(
        [
            {"root": "synthetic/pkl", "partition": "synthetic/partition.json"},
            {"weights": "bundled", "novel": 50, "conditions": ["nm", "bg"], "frames": 60, "cadence": 26, "steps": 3},
        ]
    )
    assert folder == FolderEntry("synthetic/pkl", "synthetic/partition.json")
    assert generated == GeneratedEntry("bundled", novel=50, conditions="nm,bg", frames=60, cadence="26", steps=3)
    assert read_entries({"weights": "w", "like": "root", "cadence": "x1.1"})[0].cadence == "x1.1"  # type: ignore[union-attr]
    assert read_entries(None) == ()


def test_a_wrong_entry_is_refused_in_one_line() -> None:
    asked = {"weights": "bundled", "novel": 3}
    for entry, said in (
        ({"root": "a", "weights": "b"}, "either 'root'"),
        ({"novel": 3}, "either 'root'"),
        ("bundled", "expected a list"),
        ({"weights": "bundled", "novl": 3}, "did you mean 'novel'"),
        ({"root": "a", "novel": 3}, "unknown key 'novel'"),
        ({**asked, "novel": -1}, "'novel' is -1"),
        ({**asked, "novel": True}, "'novel' is True"),
        ({**asked, "takes": 0}, "'takes' is 0"),
        ({**asked, "frames": 19}, "'frames' is 19"),
        ({**asked, "frames": 601}, "'frames' is 601"),
        ({**asked, "cadence": "x9"}, "factor x0.5 to x2"),
        ({**asked, "cadence": 3}, "10 to 80"),
        ({**asked, "views": [0, 18]}, "names in quotes"),
        ({**asked, "guidance": "high"}, "'guidance' is 'high'"),
        ({**asked, "guidance": float("nan")}, "finite"),
        ({**asked, "device": "tpu"}, "'auto', 'cpu'"),
        ({"weights": "bundled"}, "no people asked for"),
        ({"weights": 3, "novel": 3}, "put it in quotes"),
        ([asked, asked], "double its clips"),
    ):
        with pytest.raises(UsageError) as refused:
            read_entries([entry] if isinstance(entry, dict) else entry)
        assert said in str(refused.value), entry
        assert str(refused.value).startswith("data_cfg.synthetic")
        assert "\n" not in str(refused.value)


def test_the_sampler_takes_its_own_keys_and_opengaits() -> None:
    section = {"type": "RealSyntheticTripletSampler", "batch_size": [8, 4], "sample_type": "fixed_ordered"}
    mixing = read_sampler({**section, "synthetic_people": 0.5})
    assert mixing is not None
    assert (mixing.batch_size, mixing.synthetic_people) == ((8, 4), ((0.0, 0.5),))
    with pytest.raises(UsageError, match="did you mean 'synthetic_people'"):
        read_sampler({**section, "synthetic_poeple": 0.5})
    assert read_sampler({"type": "InferenceSampler"}) is None


def test_an_arm_merges_sections_and_replaces_lists() -> None:
    cfgs: dict[str, Any] = {"a": {"b": [1, 2], "c": 3}, "d": 4}
    apply_arm(cfgs, {"a": {"b": [5]}, "d": {"e": 6}})
    assert cfgs == {"a": {"b": [5], "c": 3}, "d": {"e": 6}}


def test_overrides_read_yaml_and_reach_into_lists_and_new_sections() -> None:
    cfgs: dict[str, Any] = {"a": {"b": [1, {"c": 2}]}, "d": None}
    for text in ("a.b.1.c=0.5", "a.b.0=[8, 16]", "d.e.f=yes", "g=text"):
        apply_override(cfgs, *parse_override(text))
    assert cfgs == {"a": {"b": [[8, 16], {"c": 0.5}]}, "d": {"e": {"f": True}}, "g": "text"}


def test_a_wrong_override_is_refused() -> None:
    for text in ("a.b", "=3", "a..b=3", "a=[1", "a.b.7=1", "a.x.y=1", "a.b.one=1"):
        with pytest.raises(UsageError, match="--set"):
            apply_override({"a": {"b": [1], "x": 3}}, *parse_override(text))

"""Our keys in an OpenGait config, what changes a config from outside, and the ready configs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.opengait.config_keys import (
    FolderEntry,
    GeneratedEntry,
    apply_arm,
    parse_override,
    read_entries,
    read_sampler,
)
from gaitcrafter_ext.silhouettes.partition import Partition

CONFIGS = Path(__file__).parents[2] / "opengait_configs"
BASES = sorted(CONFIGS.glob("*.yaml"))
ARMS = sorted(CONFIGS.glob("arms/*/*.yaml"))


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
        ({**asked, "cadence": "x9"}, "factor (x0.5 to x2)"),
        ({**asked, "cadence": 3}, "10 to 80"),
        ({**asked, "views": [0, 18]}, "names in quotes"),
        ({**asked, "guidance": "high"}, "'guidance' is 'high'"),
        ({**asked, "guidance": float("nan")}, "finite"),
        ({**asked, "device": "tpu"}, "'auto', 'cpu'"),
        ({**asked, "precision": "fp8"}, "'fp32' or 'bf16'"),
        ({**asked, "sampler": "heun"}, "unknown 'heun'"),
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
    mixing = read_sampler({**section, "frames_num_fixed": 30, "synthetic_people": 0.5})
    assert mixing is not None
    assert (mixing.batch_size, mixing.synthetic_people) == ((8, 4), ((0.0, 0.5),))
    with pytest.raises(UsageError, match="did you mean 'synthetic_people'"):
        read_sampler({**section, "synthetic_poeple": 0.5})
    assert read_sampler({"type": "InferenceSampler"}) is None


def test_arms_and_overrides_merge_sections_and_replace_lists() -> None:
    cfgs: dict[str, Any] = {"a": {"b": [1, 2], "c": 3}, "d": 4, "f": None}
    apply_arm(cfgs, {"a": {"b": [5]}, "d": {"e": 6}})
    assert cfgs == {"a": {"b": [5], "c": 3}, "d": {"e": 6}, "f": None}
    for text in ("a.c=0.5", "a.b=[8, 16]", "f.g.h=yes", "i=text"):
        apply_arm(cfgs, parse_override(text))
    assert cfgs == {"a": {"b": [8, 16], "c": 0.5}, "d": {"e": 6}, "f": {"g": {"h": True}}, "i": "text"}
    for text in ("a.b", "=3", "a..b=3", "a=[1"):
        with pytest.raises(UsageError, match="--set"):
            parse_override(text)


def load(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(path.read_text())
    return values


def test_ready_arms_change_people_sampler_and_name_of_a_base_only() -> None:
    assert (len(BASES), len(ARMS)) == (8, 12)
    for arm in map(load, ARMS):
        assert read_entries(arm["data_cfg"].pop("synthetic"))
        assert set(arm["data_cfg"]) <= {"synthetic_only", "dataset_partition"}
        assert arm["evaluator_cfg"] == {"save_name": arm["trainer_cfg"]["save_name"]}
        assert set(arm["trainer_cfg"].pop("sampler", {})) <= {"type", "synthetic_people", "synthetic_takes"}
        assert set(arm["trainer_cfg"]) == {"save_name"}
    base = load(CONFIGS / "gaitset.yaml")
    apply_arm(base, load(CONFIGS / "arms/casia-b/novel-people.yaml"))
    assert base["data_cfg"]["dataset_name"] == "CASIA-B"
    assert base["trainer_cfg"]["sampler"]["batch_size"] == [8, 16]


def test_ordered_models_skip_no_frames() -> None:
    for path in BASES:
        sampler = load(path)["trainer_cfg"]["sampler"]
        assert ("ordered" in sampler["sample_type"].split("_")) == path.stem.startswith(("gaitgl", "deepgaitv2"))
        assert sampler.get("frames_skip_num", 0) == 0


def test_the_people_of_ready_arms_are_those_that_their_names_say() -> None:
    for folder, counts, tested in (("casia-b", (7, 18, 37), 50), ("simulated", (5, 12, 25), 30)):
        for share, count in zip((10, 25, 50), counts, strict=True):
            path = CONFIGS / "arms" / folder / f"few-labels-{share}.yaml"
            data = load(path)["data_cfg"]
            partition = Partition.load(path.parent / data["dataset_partition"])
            assert (len(partition.train), len(partition.test)) == (count, tested)
            assert data["synthetic"][0]["weights"] == f"weights/{folder}-{share}"
    trained = load(CONFIGS / "arms/casia-b/same-people.yaml")["data_cfg"]["synthetic"][0]
    assert (trained["weights"], trained["identities"]) == ("weights/casia-b", "all")
    imitated = load(CONFIGS / "arms/simulated/same-people.yaml")["data_cfg"]["synthetic"][0]
    root = load(CONFIGS / "gaitset-cpu.yaml")["data_cfg"]["dataset_root"]
    assert (imitated["weights"], imitated["like"]) == ("bundled", root)


def test_commands_can_be_typed_as_they_stand() -> None:
    texts = [path.read_text() for path in [*BASES, *ARMS, CONFIGS / "README.md"]]
    assert not any(re.search(r"^(#\s+)?tools/", text, re.MULTILINE) for text in texts)

"""The ready configs: a base a model and size, and arms that change its data alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from gaitcrafter_ext.opengait.config_keys import apply_arm, read_entries
from gaitcrafter_ext.silhouettes.partition import Partition

CONFIGS = Path(__file__).parents[2] / "opengait_configs"
BASES = sorted(CONFIGS.glob("*.yaml"))
ARMS = sorted(CONFIGS.glob("arms/*/*.yaml"))


def load(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(path.read_text())
    return values


def test_arms_change_people_sampler_and_name_only() -> None:
    assert (len(BASES), len(ARMS)) == (8, 12)
    for arm in map(load, ARMS):
        assert read_entries(arm["data_cfg"].pop("synthetic"))
        assert set(arm["data_cfg"]) <= {"synthetic_only", "dataset_partition"}
        assert arm["evaluator_cfg"] == {"save_name": arm["trainer_cfg"]["save_name"]}
        assert set(arm["trainer_cfg"].pop("sampler", {})) <= {"type", "synthetic_people", "synthetic_takes"}
        assert set(arm["trainer_cfg"]) == {"save_name"}


def test_ordered_models_skip_no_frames() -> None:
    for path in BASES:
        sampler = load(path)["trainer_cfg"]["sampler"]
        assert ("ordered" in sampler["sample_type"].split("_")) == path.stem.startswith(("gaitgl", "deepgaitv2"))
        assert sampler.get("frames_skip_num", 0) == 0


def test_few_labels_take_that_share_and_generators_of_those_people() -> None:
    for folder, name, counts in (("casia-b", "casia-b", (7, 18, 37)), ("simulated", "simulated", (5, 12, 25))):
        for share, count in zip((10, 25, 50), counts, strict=True):
            path = CONFIGS / "arms" / folder / f"few-labels-{share}.yaml"
            data = load(path)["data_cfg"]
            partition = Partition.load(path.parent / data["dataset_partition"])
            assert (len(partition.train), len(partition.test)) == (count, 50 if name == "casia-b" else 30)
            assert data["synthetic"][0]["weights"] == f"weights/{name}-{share}"


def test_same_people_are_the_generators_own_or_imitated_after_the_bases_root() -> None:
    trained = load(CONFIGS / "arms/casia-b/same-people.yaml")["data_cfg"]["synthetic"][0]
    assert (trained["weights"], trained["identities"]) == ("weights/casia-b", "all")
    imitated = load(CONFIGS / "arms/simulated/same-people.yaml")["data_cfg"]["synthetic"][0]
    root = load(CONFIGS / "gaitset-cpu.yaml")["data_cfg"]["dataset_root"]
    assert (imitated["weights"], imitated["like"]) == ("bundled", root)


def test_the_names_of_a_base_are_kept_under_an_arm() -> None:
    base = load(CONFIGS / "gaitset.yaml")
    apply_arm(base, load(CONFIGS / "arms/casia-b/novel-people.yaml"))
    assert base["data_cfg"]["dataset_name"] == "CASIA-B"
    assert base["trainer_cfg"]["sampler"]["batch_size"] == [8, 16]


def test_commands_can_be_typed_as_they_stand() -> None:
    texts = [path.read_text() for path in [*BASES, *ARMS, CONFIGS / "README.md"]]
    assert not any(re.search(r"^(#\s+)?tools/", text, re.MULTILINE) for text in texts)

"""The ready configs: written by one script, arms that differ in their data only."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from gaitcrafter_ext.opengait.settings import parse_entries
from gaitcrafter_ext.silhouettes.partition import Partition

CONFIGS = Path(__file__).parents[2] / "opengait_configs"
MODELS = ("gaitset", "gaitbase", "gaitgl", "deepgaitv2")
PATHS = sorted(path for model in MODELS for path in (CONFIGS / model).glob("*.yaml"))


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_configs", CONFIGS / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(path.read_text())
    return values


def test_the_files_are_what_the_script_writes(script: ModuleType) -> None:
    written: dict[str, str] = script.files()
    there = {str(path.relative_to(CONFIGS)): path.read_text() for path in [*PATHS, *CONFIGS.glob("partitions/*.json")]}
    assert there == written
    assert len(PATHS) == 4 * 7 * 2


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_entries_are_ours_and_views_are_text(path: Path) -> None:
    entries = parse_entries(load(path)["data_cfg"].get("synthetic"))
    assert bool(entries) == (path.stem.removeprefix("cpu-") != "real")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("size", ["", "cpu-"])
def test_arms_differ_in_their_data_only(model: str, size: str) -> None:
    def rest(path: Path) -> dict[str, Any]:
        values = load(path)
        for name in ("data_cfg", "model_cfg"):
            values.pop(name)
        for engine in ("trainer_cfg", "evaluator_cfg"):
            values[engine].pop("save_name")
        for name in ("type", "synthetic_people", "synthetic_takes"):
            values["trainer_cfg"]["sampler"].pop(name, None)
        return values

    arms = [path for path in PATHS if path.parent.name == model and path.stem.startswith("cpu-") == bool(size)]
    assert len(arms) == 7
    assert all(rest(path) == rest(arms[0]) for path in arms)


def test_ordered_models_skip_no_frames() -> None:
    for path in PATHS:
        sampler = load(path)["trainer_cfg"]["sampler"]
        assert ("ordered" in sampler["sample_type"].split("_")) == (path.parent.name in ("gaitgl", "deepgaitv2"))
        assert sampler.get("frames_skip_num", 0) == 0


@pytest.mark.parametrize(("share", "casia_b", "simulated"), [(10, 7, 5), (25, 18, 12), (50, 37, 25)])
def test_few_labels_take_that_share_and_test_on_the_same_people(share: int, casia_b: int, simulated: int) -> None:
    for name, count, test in (("casia-b", casia_b, 50), ("simulated", simulated, 30)):
        partition = Partition.load(CONFIGS / "partitions" / f"{name}-{share}.json")
        assert (len(partition.train), len(partition.test)) == (count, test)
    for path in PATHS:
        if path.stem.endswith(f"-{share}"):
            entry = load(path)["data_cfg"]["synthetic"][0]
            assert entry["weights"].endswith(f"-{share}")  # a generator of those people only
            assert (path.parent / load(path)["data_cfg"]["dataset_partition"]).is_file()


def test_commands_can_be_typed_as_they_stand() -> None:
    told = [*PATHS, *CONFIGS.glob("gaitcrafter/*.yaml"), CONFIGS / "README.md"]
    assert [path.name for path in told if re.search(r"^(#\s+)?tools/", path.read_text(), re.MULTILINE)] == []

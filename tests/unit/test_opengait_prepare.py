"""A config between OpenGait's loader and OpenGait: completed, and refused where it would fail later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gaitcrafter_ext.errors import DataError, GaitCrafterError, MissingError, UsageError
from gaitcrafter_ext.opengait.checkout import Checkout
from gaitcrafter_ext.opengait.config_keys import parse_override
from gaitcrafter_ext.opengait.prepare import Run, class_counts, prepare
from gaitcrafter_ext.silhouettes.partition import Partition
from tests.opengait_fakes import config, fake_checkout, synthetic_set, write_tree

PEOPLE = tuple(f"sim-{number:03d}" for number in range(1, 7))
RECIPES = {"sim-001": {"sim-001": 1.0}, "syn-0001": {"sim-001": 0.5, "sim-002": 0.5}}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_tree(tmp_path_factory.mktemp("data"), PEOPLE, ("nm-01",), test=2)
    synthetic_set(root / "syn", RECIPES)
    return root


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    monkeypatch.chdir(tmp_path)
    return Checkout(fake_checkout(tmp_path / "OpenGait"))


def full(data: Path, model: str = "Baseline", **extra: Any) -> dict[str, Any]:
    """The config as OpenGait's loader gives it, merged with its defaults."""
    cfgs = config(data, model, **extra)
    cfgs["evaluator_cfg"] |= {"eval_func": "evaluate_indoor_dataset", "cross_view_gallery": False}
    cfgs["trainer_cfg"]["restore_hint"] = 0
    return cfgs


def run(checkout: Checkout, phase: str = "train", **changes: Any) -> Run:
    return Run(checkout, phase, (Path.cwd(),), **changes)


def synthetic(data: Path) -> list[dict[str, Any]]:
    return [{"root": str(data / "syn" / "pkl"), "partition": str(data / "syn" / "partition.json")}]


def counts(cfgs: dict[str, Any]) -> list[int]:
    return [section["class_num"] for _, section in class_counts(cfgs["model_cfg"])]


def test_a_config_without_synthetic_people_passes_unchanged_and_the_shim_leaves_it_alone(
    data: Path, checkout: Checkout
) -> None:
    assert prepare(full(data), run(checkout)) == full(data)
    broken: dict[str, Any] = {"data_cfg": {"dataset_root": "nowhere"}}
    assert prepare(dict(broken), run(checkout, strict=False)) == broken


def test_the_class_count_is_derived_with_synthetic_people(
    data: Path, checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    for model in ("Baseline", "GaitGL"):
        assert counts(prepare(full(data, model, synthetic=synthetic(data)), run(checkout))) == [5]  # 4 real, 1 novel
        assert "class_num: 4 -> 5" in capsys.readouterr().err
    gone = full(data, synthetic=[{"root": "gone"}])  # a test needs no synthetic clips
    assert counts(prepare(gone, run(checkout, "test"))) == [5]
    assert counts(prepare(full(data, synthetic=synthetic(data), synthetic_only=True), run(checkout))) == [2]
    several = full(data, synthetic=synthetic(data))
    several["data_cfg"] = [several["data_cfg"], {**full(data)["data_cfg"], "dataset_name": "other"}]
    assert counts(prepare(several, run(checkout))) == [9]


def test_counts_that_are_no_people_are_left_alone(data: Path, checkout: Checkout) -> None:
    cfgs = full(data)
    cfgs["evaluator_cfg"]["eval_func"] = "evaluate_scoliosis"
    cfgs["model_cfg"]["SeparateBNNecks"]["class_num"] = 3
    assert counts(prepare(cfgs, run(checkout))) == [3]
    cfgs["data_cfg"]["synthetic"] = synthetic(data)
    with pytest.raises(UsageError, match="no identities"):
        prepare(cfgs, run(checkout))


def test_the_test_batch_is_brought_to_the_world_size(
    data: Path, checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "2"), ("LOCAL_RANK", "0")):
        monkeypatch.setenv(name, value)
    assert prepare(full(data), run(checkout, "test"))["evaluator_cfg"]["sampler"]["batch_size"] == 2


def test_our_sampler_begins_where_the_run_is_resumed_and_counts_in_percent(data: Path, checkout: Checkout) -> None:
    cfgs = full(data, synthetic=synthetic(data))
    sampler = {"type": "RealSyntheticTripletSampler", "synthetic_takes": [[0, 1.0], ["75%", 0.0]]}
    arm = {"trainer_cfg": {"total_iter": 1000, "sampler": sampler}}
    prepare(cfgs, run(checkout, iteration=300, arms=(arm,)))
    assert cfgs["trainer_cfg"]["sampler"]["start_iter"] == 300
    assert cfgs["trainer_cfg"]["sampler"]["synthetic_takes"] == [[0, 1.0], [750, 0.0]]


def test_paths_are_found_here_in_the_checkout_and_beside_the_config(checkout: Checkout, data: Path) -> None:
    cfgs = full(data)
    cfgs["data_cfg"] |= {"dataset_root": "pkl", "dataset_partition": "./partition.json"}
    prepare(cfgs, Run(checkout, "train", (Path.cwd(), checkout.root, data)))
    assert cfgs["data_cfg"]["dataset_root"] == str(data / "pkl")


def test_what_would_fail_later_is_refused_in_one_line(data: Path, checkout: Checkout) -> None:
    half = {"type": "RealSyntheticTripletSampler", "synthetic_people": 1.0, "batch_size": [2, 2]}
    odd = {"type": "RealSyntheticTripletSampler", "synthetic_people": [["soon", 1.0]]}
    Partition((*PEOPLE[:4], "sim-070"), PEOPLE[4:]).save("absent.json")
    for change, said in (
        ("data_cfg.dataset_root=your_path", "--set data_cfg.dataset_root="),
        ("data_cfg.dataset_partition=none.json", "--set data_cfg.dataset_partition="),
        ("data_cfg.dataset_partition=absent.json", "sim-070; take them out"),
        ("data_cfg.dataset_name=", "data_cfg.dataset_name: not set"),
        ("data_cfg=", "data_cfg: expected a section"),
        ("data_cfg.synthetic_only=true", "no data_cfg.synthetic"),
        ("trainer_cfg.sampler.batch_size=[9, 2]", "batch_size=[4,2]"),
        (f"trainer_cfg.sampler={half}", "needs up to 2 novel synthetic people, 0 are there"),
        (f"trainer_cfg.sampler={odd}", "with rising iterations"),
        ("data_cfg.synthetic=[{weights: nowhere, novel: 3}]", "no weights at 'nowhere'"),
        ("data_cfg.synthetic=[{root: nowhere}]", "there is no folder nowhere"),
        ("model_cfg.SeparateBNNecks.class_num=3", "--set model_cfg.SeparateBNNecks.class_num=4"),
    ):
        with pytest.raises(GaitCrafterError) as refused:
            prepare(full(data), run(checkout, arms=(parse_override(change),)))
        assert said in str(refused.value)
        assert "\n" not in str(refused.value)
    prepare(full(data, dataset_partition="absent.json"), run(checkout, allow_missing=True))
    Partition(PEOPLE[:4], ("sim-070",)).save("absent.json")
    with pytest.raises(MissingError, match="nothing to test"):
        prepare(full(data, dataset_partition="absent.json"), run(checkout, "test", allow_missing=True))


def test_one_view_cannot_be_averaged(checkout: Checkout, tmp_path: Path) -> None:
    write_tree(tmp_path / "view", PEOPLE, ("nm-01",), ("090",), test=2)
    prepare(full(tmp_path / "view"), run(checkout))
    with pytest.raises(DataError, match=r"1 view \(090\)"):
        prepare(full(tmp_path / "view"), run(checkout, "test"))


def test_clips_on_demand_are_as_long_as_ordered_sampling_takes(
    data: Path, checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    for wanted, frames in ((10, 30), (40, 44), (700, 600)):
        cfgs = full(data, "DeepGaitV2", synthetic=[{"weights": "bundled", "novel": 2}], dataset_name="other")
        cfgs["trainer_cfg"]["sampler"] |= {"frames_num_fixed": wanted, "frames_skip_num": 4}
        prepare(cfgs, run(checkout))
        assert cfgs["data_cfg"]["synthetic"][0]["frames"] == frames
        assert ("are repeated, with a jump" in capsys.readouterr().err) == (frames < wanted)

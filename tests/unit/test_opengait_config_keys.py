"""Our keys in an OpenGait config, the ready configs, and a config between OpenGait's loader and OpenGait."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gaitcrafter_ext.errors import DataError, GaitCrafterError, MissingError, UsageError
from gaitcrafter_ext.opengait.config_keys import (
    FolderEntry,
    GeneratedEntry,
    apply_arm,
    parse_override,
    read_entries,
    read_sampler,
)
from gaitcrafter_ext.opengait.prepare import Run, class_counts, prepare
from gaitcrafter_ext.records import read_yaml
from gaitcrafter_ext.silhouettes.partition import Partition
from tests.opengait_fakes import config, synthetic_set, write_tree

CONFIGS = Path(__file__).parents[2] / "opengait_configs"


def test_entries_of_both_kinds() -> None:
    folder, generated = read_entries(
        [
            {"root": "synthetic/pkl", "partition": "synthetic/partition.json"},
            {"weights": "bundled", "novel": 50, "conditions": ["nm", "bg"], "frames": 60, "cadence": 26, "steps": 3},
        ]
    )
    assert folder == FolderEntry("synthetic/pkl", "synthetic/partition.json")
    assert generated == GeneratedEntry("bundled", novel=50, conditions="nm,bg", frames=60, cadence="26", steps=3)
    assert read_entries({"weights": "w", "like": "root", "cadence": "x1.1"})[0].cadence == "x1.1"
    assert read_entries(None) == ()


def test_a_wrong_entry_is_refused_in_one_line() -> None:
    asked = {"weights": "bundled", "novel": 3}
    for entry, said in (
        ({"root": "a", "weights": "b"}, "either 'root'"),
        ({"weights": "bundled", "novl": 3}, "did you mean 'novel'"),
        ({**asked, "novel": -1}, "'novel' is -1"),
        ({**asked, "frames": 19}, "'frames' is 19"),
        ({**asked, "cadence": "x9"}, "factor (x0.5 to x2)"),
        ({**asked, "views": [0, 18]}, "names in quotes"),
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


def test_ready_arms_change_people_sampler_and_name_of_a_base_only() -> None:
    for arm in map(read_yaml, CONFIGS.glob("arms/*/*.yaml")):
        assert read_entries(arm["data_cfg"].pop("synthetic"))
        assert set(arm["data_cfg"]) <= {"synthetic_only", "dataset_partition"}
        assert arm["evaluator_cfg"] == {"save_name": arm["trainer_cfg"]["save_name"]}
        assert set(arm["trainer_cfg"].pop("sampler", {})) <= {"type", "synthetic_people", "synthetic_takes"}
        assert set(arm["trainer_cfg"]) == {"save_name"}


def test_ordered_models_skip_no_frames() -> None:
    for path in CONFIGS.glob("*.yaml"):
        sampler = read_yaml(path)["trainer_cfg"]["sampler"]
        assert ("ordered" in sampler["sample_type"].split("_")) == path.stem.startswith(("gaitgl", "deepgaitv2"))
        assert sampler.get("frames_skip_num", 0) == 0


def test_the_people_of_ready_arms_are_those_that_their_names_say() -> None:
    for folder, counts, tested in (("casia-b", (7, 18, 37), 50), ("simulated", (5, 12, 25), 30)):
        for share, count in zip((10, 25, 50), counts, strict=True):
            path = CONFIGS / "arms" / folder / f"few-labels-{share}.yaml"
            data = read_yaml(path)["data_cfg"]
            partition = Partition.load(path.parent / data["dataset_partition"])
            assert (len(partition.train), len(partition.test)) == (count, tested)
            assert data["synthetic"][0]["weights"] == f"weights/{folder}-{share}"
    trained = read_yaml(CONFIGS / "arms/casia-b/same-people.yaml")["data_cfg"]["synthetic"][0]
    assert (trained["weights"], trained["identities"]) == ("weights/casia-b", "all")
    imitated = read_yaml(CONFIGS / "arms/simulated/same-people.yaml")["data_cfg"]["synthetic"][0]
    root = read_yaml(CONFIGS / "gaitset-cpu.yaml")["data_cfg"]["dataset_root"]
    assert (imitated["weights"], imitated["like"]) == ("bundled", root)


PEOPLE = tuple(f"sim-{number:03d}" for number in range(1, 7))
RECIPES = {"sim-001": {"sim-001": 1.0}, "syn-0001": {"sim-001": 0.5, "sim-002": 0.5}}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_tree(tmp_path_factory.mktemp("data"), PEOPLE, ("nm-01",), test=2)
    synthetic_set(root / "syn", RECIPES)
    return root


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training notes its class count below the working directory."""
    monkeypatch.chdir(tmp_path)


def full(data: Path, model: str = "gaitbase", **extra: Any) -> dict[str, Any]:
    """The config as OpenGait's loader gives it, merged with its defaults."""
    cfgs = config(data, model, **extra)
    cfgs["evaluator_cfg"] |= {"eval_func": "evaluate_indoor_dataset", "cross_view_gallery": False}
    return cfgs


def prepared(cfgs: dict[str, Any], phase: str = "train", **options: Any) -> dict[str, Any]:
    return prepare(cfgs, Run(phase, (Path.cwd(),), **options))


def synthetic(data: Path) -> list[dict[str, Any]]:
    return [{"root": str(data / "syn" / "pkl"), "partition": str(data / "syn" / "partition.json")}]


def counts(cfgs: dict[str, Any], phase: str = "train") -> list[int]:
    return [section["class_num"] for _, section in class_counts(prepared(cfgs, phase)["model_cfg"])]


def test_a_config_without_synthetic_people_passes_unchanged(data: Path) -> None:
    assert prepared(full(data)) == full(data)
    broken: dict[str, Any] = {"data_cfg": {"dataset_root": "nowhere"}}
    assert prepared(dict(broken), strict=False) == broken


def test_the_class_count_is_derived(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for model in ("gaitbase", "gaitgl"):
        assert counts(full(data, model, synthetic=synthetic(data))) == [5]  # 4 real, 1 novel
        assert "class_num: 4 -> 5" in capsys.readouterr().err
    assert counts(full(data, synthetic=[{"root": "gone"}]), "test") == [5]  # a test needs no synthetic clips
    assert counts(full(data, synthetic=synthetic(data), synthetic_only=True)) == [2]
    several = full(data, synthetic=synthetic(data))
    several["data_cfg"] = [several["data_cfg"], {**full(data)["data_cfg"], "dataset_name": "other"}]
    assert counts(several) == [9]


def test_the_test_batch_fits_the_world(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "2"), ("LOCAL_RANK", "0")):
        monkeypatch.setenv(name, value)
    assert prepared(full(data), "test")["evaluator_cfg"]["sampler"]["batch_size"] == 2


def test_our_sampler_begins_where_the_run_is_resumed_and_counts_in_percent(data: Path) -> None:
    sampler = {"type": "RealSyntheticTripletSampler", "synthetic_takes": [[0, 1.0], ["75%", 0.0]]}
    arm = {"trainer_cfg": {"total_iter": 1000, "sampler": sampler}}
    cfgs = prepared(full(data, synthetic=synthetic(data)), iteration=300, arms=(arm,))
    assert cfgs["trainer_cfg"]["sampler"]["start_iter"] == 300
    assert cfgs["trainer_cfg"]["sampler"]["synthetic_takes"] == [[0, 1.0], [750, 0.0]]


def test_paths_are_found_in_the_first_folder_that_holds_them(data: Path) -> None:
    cfgs = full(data, dataset_root="pkl", dataset_partition="./partition.json")
    prepare(cfgs, Run("train", (Path.cwd(), data)))
    assert cfgs["data_cfg"]["dataset_root"] == str(data / "pkl")


def test_what_would_fail_later_is_refused_in_one_line(data: Path) -> None:
    half = {"type": "RealSyntheticTripletSampler", "synthetic_people": 1.0, "batch_size": [2, 2]}
    Partition((*PEOPLE[:4], "sim-070"), PEOPLE[4:]).save("absent.json")
    for change, said in (
        ("data_cfg.dataset_root=your_path", "--set data_cfg.dataset_root="),
        ("data_cfg.dataset_partition=absent.json", "sim-070; take them out"),
        ("data_cfg.dataset_name=", "data_cfg.dataset_name: not set"),
        ("data_cfg.synthetic=3", "found 3; expected a list of entries"),
        ("data_cfg.synthetic_only=true", "no data_cfg.synthetic"),
        ("trainer_cfg.sampler.batch_size=[9, 2]", "batch_size=[4,2]"),
        (f"trainer_cfg.sampler={half}", "needs up to 2 novel synthetic people, 0 are there"),
        ("data_cfg.synthetic=[{weights: nowhere, novel: 3}]", "no weights at 'nowhere'"),
        ("model_cfg.SeparateBNNecks.class_num=3", "--set model_cfg.SeparateBNNecks.class_num=4"),
    ):
        with pytest.raises(GaitCrafterError) as refused:
            prepared(full(data), arms=(parse_override(change),))
        assert said in str(refused.value)
        assert "\n" not in str(refused.value)
    prepared(full(data, dataset_partition="absent.json"), allow_missing=True)
    Partition(PEOPLE[:4], ("sim-070",)).save("absent.json")
    with pytest.raises(MissingError, match="nothing to test"):
        prepared(full(data, dataset_partition="absent.json"), "test", allow_missing=True)


def test_one_view_cannot_be_averaged() -> None:
    one = write_tree(Path("one"), PEOPLE, ("nm-01",), ("090",), test=2)
    prepared(full(one))
    with pytest.raises(DataError, match=r"1 view \(090\)"):
        prepared(full(one), "test")


def test_clips_on_demand_are_as_long_as_ordered_sampling_takes(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for wanted, frames in ((10, 30), (40, 44), (700, 600)):
        cfgs = full(data, "deepgaitv2", synthetic=[{"weights": "bundled", "novel": 2}], dataset_name="other")
        cfgs["trainer_cfg"]["sampler"] |= {"frames_num_fixed": wanted, "frames_skip_num": 4}
        assert prepared(cfgs)["data_cfg"]["synthetic"][0]["frames"] == frames
        assert ("are repeated, with a jump" in capsys.readouterr().err) == (frames < wanted)

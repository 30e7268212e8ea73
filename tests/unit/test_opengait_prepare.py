"""A config between OpenGait's loader and OpenGait: completed, and refused where it would fail later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gaitcrafter_ext.errors import DataError, GaitCrafterError, MissingError, UsageError
from gaitcrafter_ext.opengait import prepare as module
from gaitcrafter_ext.opengait.checkout import Checkout
from gaitcrafter_ext.opengait.prepare import Run, class_counts, prepare
from gaitcrafter_ext.opengait.words import Words, check_keys, read_words
from gaitcrafter_ext.silhouettes.partition import Partition
from tests.opengait_fakes import config, fake_checkout, synthetic_set, write_tree

PEOPLE = tuple(f"sim-{number:03d}" for number in range(1, 7))
RECIPES = {"sim-001": {"sim-001": 1.0}, "syn-0001": {"sim-001": 0.5, "sim-002": 0.5}}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_tree(tmp_path_factory.mktemp("data"), PEOPLE, test=2)
    synthetic_set(root / "syn", RECIPES)
    return root


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A checkout that knows every word and every name."""
    monkeypatch.setattr(module, "check_keys", lambda cfgs, words: None)
    monkeypatch.setattr(module, "check_names", lambda cfgs: None)
    monkeypatch.chdir(tmp_path)
    return Checkout(fake_checkout(tmp_path / "OpenGait"))


def full(data: Path, model: str = "Baseline", **extra: Any) -> dict[str, Any]:
    """The config as OpenGait's loader gives it, merged with its defaults."""
    cfgs = config(data, model, **extra)
    cfgs["evaluator_cfg"] |= {"eval_func": "evaluate_indoor_dataset", "cross_view_gallery": False}
    cfgs["trainer_cfg"]["restore_hint"] = 0
    return cfgs


def run(checkout: Checkout, phase: str = "train", **changes: Any) -> Run:
    return Run(checkout, phase, changes.pop("world_size", 1), (Path.cwd(),), **changes)


def synthetic(data: Path) -> list[dict[str, str]]:
    return [{"root": str(data / "syn" / "pkl"), "partition": str(data / "syn" / "partition.json")}]


def test_a_sound_config_passes_unchanged(data: Path, checkout: Checkout) -> None:
    cfgs = full(data)
    assert prepare(full(data), run(checkout)) == cfgs


@pytest.mark.parametrize("phase", ["train", "test"])
@pytest.mark.parametrize(("model", "path"), [("Baseline", "SeparateBNNecks"), ("GaitGL", None)])
def test_the_class_count_is_derived_with_synthetic_people(
    data: Path, checkout: Checkout, capsys: pytest.CaptureFixture[str], phase: str, model: str, path: str | None
) -> None:
    cfgs = full(data, model, synthetic=synthetic(data))
    prepare(cfgs, run(checkout, phase, iteration=0))
    section = cfgs["model_cfg"] if path is None else cfgs["model_cfg"][path]
    assert section["class_num"] == 5  # four real ones, one novel
    assert "class_num: 4 -> 5" in capsys.readouterr().err


def test_only_synthetic_people_count_where_only_they_train(data: Path, checkout: Checkout) -> None:
    cfgs = full(data, synthetic=synthetic(data), synthetic_only=True)
    prepare(cfgs, run(checkout))
    assert cfgs["model_cfg"]["SeparateBNNecks"]["class_num"] == 2
    with pytest.raises(UsageError, match=r"no data_cfg\.synthetic"):
        prepare(full(data, synthetic_only=True), run(checkout))


def test_several_data_sets_count_together(data: Path, checkout: Checkout) -> None:
    cfgs = full(data, synthetic=synthetic(data))
    cfgs["data_cfg"] = [cfgs["data_cfg"], {**full(data)["data_cfg"], "dataset_name": "other"}]
    prepare(cfgs, run(checkout))
    assert cfgs["model_cfg"]["SeparateBNNecks"]["class_num"] == 9


def test_a_class_count_that_is_too_small_is_refused_with_the_fix(data: Path, checkout: Checkout) -> None:
    cfgs = full(data)
    cfgs["model_cfg"]["SeparateBNNecks"]["class_num"] = 3
    with pytest.raises(UsageError, match=r"--set model_cfg\.SeparateBNNecks\.class_num=4"):
        prepare(cfgs, run(checkout))
    fixed = run(checkout, overrides=((("model_cfg", "SeparateBNNecks", "class_num"), 4),))
    assert prepare(cfgs, fixed)["model_cfg"]["SeparateBNNecks"]["class_num"] == 4


def test_every_place_of_a_class_count_is_found() -> None:
    nested = {"a": {"class_num": 1}, "class_num": 2, "b": [{"c": {"class_num": 3}}]}
    assert [(path, section["class_num"]) for path, section in class_counts(nested)] == [
        ("model_cfg", 2),
        ("model_cfg.a", 1),
        ("model_cfg.b.0.c", 3),
    ]


def test_the_test_batch_is_brought_to_the_world_size(
    data: Path, checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    cfgs = full(data)
    prepare(cfgs, run(checkout, "test", iteration=0, world_size=2))
    assert cfgs["evaluator_cfg"]["sampler"]["batch_size"] == 2
    assert "16 -> 2" in capsys.readouterr().err


def test_our_sampler_goes_on_where_the_run_is_resumed(data: Path, checkout: Checkout, tmp_path: Path) -> None:
    cfgs = full(data, synthetic=synthetic(data))
    cfgs["trainer_cfg"]["sampler"]["type"] = "RealSyntheticTripletSampler"
    saved = tmp_path / "output/simulated/Baseline/tiny/checkpoints/tiny-00300.pt"
    saved.parent.mkdir(parents=True)
    saved.write_bytes(b"")
    prepare(cfgs, run(checkout, iteration=300))
    assert cfgs["trainer_cfg"]["sampler"]["start_iter"] == 300


def test_paths_are_found_here_in_the_checkout_and_beside_the_config(checkout: Checkout, data: Path) -> None:
    cfgs = full(data)
    cfgs["data_cfg"] |= {"dataset_root": "pkl", "dataset_partition": "./partition.json"}
    prepare(cfgs, Run(checkout, "train", 1, (Path.cwd(), checkout.root, data)))
    assert cfgs["data_cfg"]["dataset_root"] == str(data / "pkl")


def change(cfgs: dict[str, Any], path: str, value: Any) -> None:
    *sections, last = path.split(".")
    for name in sections:
        cfgs = cfgs[name]
    cfgs[last] = value


@pytest.mark.parametrize(
    ("phase", "path", "value", "said"),
    [
        ("train", "data_cfg.dataset_root", "your_path", "--set data_cfg.dataset_root="),
        ("train", "data_cfg.dataset_partition", "none.json", "--set data_cfg.dataset_partition="),
        ("train", "data_cfg.dataset_name", None, "data_cfg.dataset_name: not set"),
        ("train", "data_cfg", None, "data_cfg: expected a section"),
        ("train", "trainer_cfg.sampler.batch_size", [9, 2], "batch_size=[4,2]"),
        ("train", "data_cfg.synthetic", [{"weights": "nowhere", "novel": 3}], "no weights at 'nowhere'"),
        ("train", "data_cfg.synthetic", [{"root": "nowhere"}], "there is no folder nowhere"),
        ("test", "evaluator_cfg.restore_hint", 70, "no checkpoint"),
    ],
)
def test_what_would_fail_later_is_refused_in_one_line(
    data: Path, checkout: Checkout, phase: str, path: str, value: Any, said: str
) -> None:
    cfgs = full(data)
    change(cfgs, path, value)
    with pytest.raises(GaitCrafterError) as refused:
        prepare(cfgs, run(checkout, phase))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_checkpoints_that_are_there_are_named(data: Path, checkout: Checkout, tmp_path: Path) -> None:
    folder = tmp_path / "output/simulated/Baseline/tiny/checkpoints"
    folder.mkdir(parents=True)
    for number in (250, 500):
        (folder / f"tiny-{number:05d}.pt").write_bytes(b"")
    with pytest.raises(MissingError, match="there are --iter 250, 500"):
        prepare(full(data), run(checkout, "test", iteration=300))
    prepare(full(data), run(checkout, "test", iteration=500))


def test_people_who_would_vanish_are_told_before(data: Path, checkout: Checkout, tmp_path: Path) -> None:
    Partition((*PEOPLE[:4], "sim-070"), PEOPLE[4:]).save(tmp_path / "partition.json")
    cfgs = full(data, dataset_partition="partition.json")
    with pytest.raises(MissingError, match="sim-070"):
        prepare(cfgs, run(checkout))
    prepare(cfgs, run(checkout, allow_missing=True))


def test_empty_folders_are_told_before(checkout: Checkout, tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", PEOPLE[:3], ("nm-01",), test=1)
    (root / "pkl/sim-001/nm-01/018").mkdir()
    cfgs = full(root)
    cfgs["model_cfg"]["SeparateBNNecks"]["class_num"] = 2
    with pytest.raises(DataError, match="sim-001/nm-01/018"):
        prepare(cfgs, run(checkout))


def test_one_view_under_the_casia_b_protocol_is_refused(checkout: Checkout, tmp_path: Path) -> None:
    cfgs = full(write_tree(tmp_path / "tree", PEOPLE, views=("090",), test=2))
    with pytest.raises(DataError, match=r"1 view \(090\)"):
        prepare(cfgs, run(checkout, "test", iteration=0))
    prepare(full(tmp_path / "tree"), run(checkout))
    cfgs["trainer_cfg"]["with_test"] = True
    with pytest.raises(DataError, match="two views or more"):
        prepare(cfgs, run(checkout))


def test_missing_probes_under_the_casia_b_protocol_are_refused(checkout: Checkout, tmp_path: Path) -> None:
    cfgs = full(write_tree(tmp_path / "tree", PEOPLE, ("nm-01", "nm-05", "bg-01"), test=2))
    with pytest.raises(DataError, match="no take of CL"):
        prepare(cfgs, run(checkout, "test", iteration=0))


def test_short_clips_under_ordered_sampling_are_told(
    data: Path, checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    cfgs = full(data, "DeepGaitV2", synthetic=synthetic(data))
    cfgs["trainer_cfg"]["sampler"] |= {"frames_num_fixed": 30, "frames_skip_num": 4}
    prepare(cfgs, run(checkout))
    assert "frames_skip_num=0" in capsys.readouterr().err


def test_a_config_without_synthetic_people_is_left_alone_by_the_shim(checkout: Checkout) -> None:
    broken: dict[str, Any] = {"data_cfg": {"dataset_root": "nowhere"}}
    assert prepare(dict(broken), run(checkout, strict=False)) == broken


def test_words_are_what_code_looks_up_or_takes(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "def build(cfg, taken, *, only=1):\n    cfg['read']\n    cfg.get('got')\n    'asked' in cfg\n    print('not')\n"
    )
    assert read_words(tmp_path / "a.py") == {"cfg", "taken", "only", "read", "got", "asked"}


def test_a_key_that_nobody_knows_is_refused_with_the_nearest() -> None:
    words = Words(frozenset({"model_cfg", "class_num"}), frozenset({"junk"}))
    check_keys({"model_cfg": [{"class_num": 3, "junk": 1}]}, words)
    with pytest.raises(UsageError, match=r"model_cfg\[0\]\.class_nun.*did you mean 'class_num'\?"):
        check_keys({"model_cfg": [{"class_nun": 3}]}, words)

"""``gaitcrafter recognise`` as a user types it, on a tiny tree."""

from __future__ import annotations

import json
import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.silhouettes import manifest
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import CASIA_B_TAKES, ClipKey, take_names

SYNTHETIC = np.pad(np.full((3, 50, 16), 255, np.uint8), ((0, 0), (7, 7), (24, 24)))
QUICK = ["--iterations", "2", "--batch", "2x2x2"]


def blocks(store: SilhouetteStore, person: int, take: str, view: str, shift: int = 0) -> None:
    frames = np.zeros((3, 64, 64), np.uint8)
    frames[:, 4 + 4 * person : 60, 24 - shift : 40] = 255
    store.write(ClipKey(f"00{person}", take, view), frames)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    store = SilhouetteStore(root / "pkl", create=True)
    for person in range(1, 5):
        for view in ("054", "090"):
            for number, take in enumerate(take_names(CASIA_B_TAKES)):
                blocks(store, person, take, view, shift=2 * (number > 7))
    Partition(("001", "002"), ("003", "004")).save(root / "partition.json")
    return root


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    assert main(["recognise", "train", *where(data), "--out", str(out), *QUICK, "--no-test"]) == 0
    return out


def where(data: Path) -> list[str]:
    return ["--data", str(data / "pkl"), "--partition", str(data / "partition.json")]


def test_train_prints_the_table_and_writes_it_and_a_rerun_only_tests(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["recognise", "train", *where(data), "--out", str(tmp_path), *QUICK]
    assert main(command) == 0
    first = capsys.readouterr().out
    assert [line.split()[0] for line in first.splitlines()[1:4]] == ["NM", "BG", "CL"]
    weights = (tmp_path / "model.safetensors").stat().st_mtime_ns
    assert main(command) == 0
    assert capsys.readouterr().out == first
    assert (tmp_path / "model.safetensors").stat().st_mtime_ns == weights
    table = json.loads((tmp_path / "table.json").read_text())
    assert (table["people"], table["train_people"], table["views"], table["iterations"]) == (2, 2, ["054", "090"], 2)


def test_other_datasets_are_tested_by_their_own_protocol(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = tmp_path / "custom.yaml"
    rules.write_text("dataset: {views: {front: 0, side: 90}}")
    ranks, retrieval = ["rank-1", "rank-5", "rank-10"], ["mAP", "mINP"]
    cases: tuple[tuple[str, tuple[str, ...], tuple[str, ...], list[str]], ...] = (
        ("oumvlp", ("00", "01"), ("000", "015"), ranks[:1]),
        ("grew", ("01", "02"), ("walk",), [*ranks, "rank-20"]),
        ("gait3d", ("camid0_videoid2", "camid9_videoid1"), ("seq0",), ranks + retrieval),
        (str(rules), ("walk-1", "walk-2", "run-1"), ("front", "side"), ranks[:1]),
    )
    for preset, takes, views, metrics in cases:
        root = tmp_path / Path(preset).stem
        store = SilhouetteStore(root / "pkl", create=True)
        for person, take, view in product(range(1, 5), takes, views):
            blocks(store, person, take, view)
        probes = tuple(f"00{person}-{takes[1]}-{view}" for person in (3, 4) for view in views)
        Partition(("001", "002"), ("003", "004"), probes).save(root / "partition.json")
        assert main(["recognise", "test", *where(root), "--config", preset, "--out", str(trained), "--json"]) == 0
        for column in json.loads(capsys.readouterr().out)["columns"].values():
            assert list(column["metrics"]) == metrics
            assert column["metrics"]["rank-1"] == 100.0


def test_gaitbase_trains_on_synthetic_people_too_and_writes_scalars(data: Path, tmp_path: Path) -> None:
    synthetic = SilhouetteStore(tmp_path / "synthetic" / "pkl", create=True)
    for take in ("nm-01", "nm-02"):
        synthetic.write(ClipKey("syn-0001", take, "090"), SYNTHETIC)
    out = tmp_path / "run"
    options = ["--model", "gaitbase", "--batch", "2x2x2", "--synthetic", str(tmp_path / "synthetic")]
    options += ["--synthetic-share", "0.5", "--iterations", "10", "--no-test"]
    assert main(["recognise", "train", *where(data), "--out", str(out), *options]) == 0
    card = json.loads((out / "recogniser.json").read_text())
    assert card["people"] == ["001", "002", "syn-0001"]
    assert len(list((out / "tensorboard").iterdir())) == 1


def test_export_and_test_of_the_exported_checkpoint_agree(
    data: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = tmp_path / "gaitset.pt"
    assert main(["recognise", "export", "--recogniser", str(trained), "--out", str(checkpoint)]) == 0
    assert "OpenGait model GaitSet" in capsys.readouterr().out
    assert main(["recognise", "test", *where(data), "--out", str(trained)]) == 0
    ours = capsys.readouterr().out
    assert main(["recognise", "test", *where(data), "--out", str(tmp_path), "--checkpoint", str(checkpoint)]) == 0
    assert capsys.readouterr().out == ours
    assert main(["recognise", "export", "--recogniser", str(trained), "--out", str(checkpoint)]) == 1


def test_force_starts_again_and_deletes_only_what_a_run_wrote(data: Path, trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "run" / "notes.txt").write_text("mine")
    command = ["recognise", "train", *where(data), "--out", str(tmp_path / "run"), *QUICK, "--seed", "5", "--no-test"]
    assert main(command) == 1
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()}
    assert main([*command, "--force", "--synthetic-share", "0.5"]) == 2
    assert main([*command, "--force", "--learning-rate", "nan"]) == 2
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()} == before
    assert main([*command, "--force"]) == 0
    assert json.loads((tmp_path / "run" / "recogniser.json").read_text())["training"]["seed"] == 5
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


def made_of(folder: Path, *parents: str) -> Path:
    """Clips of a novel person, as ``synthesize`` leaves them, blended from ``parents``."""
    store = SilhouetteStore(folder / "pkl", create=True)
    for take in ("nm-01", "nm-02"):
        store.write(ClipKey("syn-0001", take, "090"), SYNTHETIC)
        recipe = dict.fromkeys(parents, 1 / len(parents))
        record = manifest.ManifestRecord("syn-0001", take, "090", 0, "w", "euler", 2, 1.0, 3, "0" * 64, recipe)
        manifest.append(folder / "manifest.jsonl", record)
    return folder


def test_clips_of_a_generator_that_saw_the_test_people_are_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = made_of(tmp_path / "made", "002", "003")
    command = ["recognise", "train", *where(data), "--out", str(tmp_path / "out"), *QUICK, "--no-test", "--synthetic"]
    assert main([*command, str(folder)]) == 1
    (folder / ".gaitcrafter").mkdir()  # the set is unfinished, and its tree is named
    (folder / "manifest.jsonl").rename(folder / ".gaitcrafter" / "shard-1-of-2.jsonl")
    assert main([*command, str(folder / "pkl")]) == 1
    assert capsys.readouterr().err.count("its generator was trained on 003 of TEST_SET") == 2
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_trained_or_tested_is_one_line_and_writes_nothing(
    data: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    Partition(("003",), ("001", "004")).save(tmp_path / "other.json")
    train, test = (["recognise", action, *where(data), "--out"] for action in ("train", "test"))
    for command, code, words in (
        ([*train, str(out), "--model", "gaitsett"], 2, "did you mean 'gaitset'"),
        ([*train, str(out), "--learning-rate", "nan"], 2, "--learning-rate: 'nan' is not a finite number from 0"),
        ([*train, str(out), "--batch", "8x1x8"], 2, "'clips' is 1"),
        ([*train, str(out), "--synthetic-share", "0.5"], 2, "synthetic share"),
        ([*train, str(out), "--views", "090"], 1, "test two views or more"),
        ([*train, str(out), "--config", "oumvlp"], 1, "no probe among 40 test clips; the protocol takes '00'; there"),
        ([*test, str(trained), "--partition", str(tmp_path / "other.json")], 1, "trained on 001, who is in TEST_SET"),
    ):
        assert main(command) == code
        errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
        assert len(errors) == 1
        assert words in errors[0]
        assert not out.exists()

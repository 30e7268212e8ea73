"""``gaitcrafter merge`` as a user types it: one tree, one partition, undone without a trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey
from tests.opengait_fakes import synthetic_set, write_tree

PEOPLE = ("sim-001", "sim-002", "sim-003", "sim-004")
BLEND = {"sim-001": 0.5, "sim-002": 0.5}


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """Three people to train on, one to test; a synthetic set with one of them and a novel one."""
    write_tree(tmp_path / "real", PEOPLE, ("nm-01", "nm-02"), ("000",), test=1)
    synthetic_set(tmp_path / "syn", {"sim-001": {"sim-001": 1.0}, "syn-0001": BLEND}, takes=("nm-01", "cl-01"))
    return tmp_path


def everything(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def merge(sets: Path, *more: str, out: str = "merged", synthetic: str = "syn", dataset: str = "simulated") -> int:
    real = ["--real", str(sets / "real/pkl"), "--partition", str(sets / "real/partition.json"), "--dataset", dataset]
    return main(["merge", *real, "--synthetic", str(sets / synthetic), "--out", str(sets / out), *more])


def refused(capsys: pytest.CaptureFixture[str], code: int, wanted: int = 1) -> str:
    error = capsys.readouterr().err
    assert code == wanted, error
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize("how", [[], ["--copy"]])
def test_a_merged_tree_holds_both_and_undo_leaves_nothing(
    sets: Path, capsys: pytest.CaptureFixture[str], how: list[str]
) -> None:
    before = everything(sets)
    assert merge(sets, "--json", *how) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["train"], told["novel"], told["test"], told["class_num"]) == (4, 1, 1, 4)
    store = SilhouetteStore(told["dataset_root"])
    assert Partition.load(told["dataset_partition"]) == Partition(
        ("sim-001", "sim-002", "sim-003", "syn-0001"), ("sim-004",)
    )
    names = {str(key) for key in store if key.identity in ("sim-001", "syn-0001") and key.view == "000"}
    assert names == {
        "sim-001/nm-01/000",
        "sim-001/nm-02/000",
        "sim-001/nm-syn-01/000",  # the real nm-01 is not shadowed
        "sim-001/cl-01/000",
        "syn-0001/nm-01/000",
        "syn-0001/cl-01/000",
    }
    real = SilhouetteStore(sets / "real/pkl")
    assert all((store.read(key) == real.read(key)).all() for key in real)
    synthetic = SilhouetteStore(sets / "syn/pkl").read(ClipKey("sim-001", "nm-01", "000"))
    assert (store.read(ClipKey("sim-001", "nm-syn-01", "000")) == synthetic).all()
    assert main(["merge", "--undo", str(sets / "merged")]) == 0
    assert everything(sets) == before
    assert not (sets / "merged").exists()


def test_merging_again_is_the_same_and_finishes_what_a_kill_left(sets: Path) -> None:
    assert merge(sets, "--copy") == 0
    whole = everything(sets / "merged")
    (sets / "merged/partition.json").unlink()
    (sets / "merged/pkl/syn-0001/nm-01/000/000.pkl").unlink()
    assert merge(sets, "--copy") == 0
    assert everything(sets / "merged") == whole


def test_undo_leaves_what_somebody_added(sets: Path) -> None:
    assert merge(sets, "--copy") == 0
    mine = sets / "merged/pkl/sim-001/nm-01/000/notes.txt"
    mine.write_text("mine")
    assert main(["merge", "--undo", str(sets / "merged")]) == 0
    assert everything(sets / "merged") == {"pkl/sim-001/nm-01/000/notes.txt": b"mine"}


def test_without_real_trains_on_synthetic_clips_and_tests_on_real_ones(sets: Path) -> None:
    assert merge(sets, "--without-real") == 0
    partition = Partition.load(sets / "merged/partition.json")
    assert partition == Partition(("sim-001", "syn-0001"), ("sim-004",))
    keys = SilhouetteStore(sets / "merged/pkl").keys()
    assert {key.take for key in keys if key.identity == "sim-001"} == {"nm-syn-01", "cl-01"}


def test_two_people_of_one_name_get_two_folders(sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    synthetic_set(sets / "other", {"syn-0001": {"sim-001": 0.9, "sim-002": 0.1}})
    assert merge(sets, "--synthetic", str(sets / "other")) == 0
    train = Partition.load(sets / "merged/partition.json").train
    assert train[:4] == ("sim-001", "sim-002", "sim-003", "syn-0001")
    assert train[4].startswith("syn-0001-")


def test_what_must_not_be_merged_is_refused(sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = everything(sets)
    assert "trained on 'simulated'" in refused(capsys, merge(sets, dataset="CASIA-B"))
    assert "no folder" in refused(capsys, merge(sets, synthetic="nowhere"))
    assert "--synthetic" in refused(capsys, main(["merge", "--out", str(sets / "merged")]), 2)
    write_tree(sets / "clash", ("sim-002",), ("nm-01",))
    assert "somebody else here" in refused(capsys, merge(sets, synthetic="clash"))
    assert {name: data for name, data in everything(sets).items() if not name.startswith("clash")} == before


def test_a_set_that_is_named_twice_is_refused(sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for again in ("syn", "syn/pkl", "real/../syn"):
        assert "named twice" in refused(capsys, merge(sets, "--synthetic", str(sets / again)), 2)
    assert not (sets / "merged").exists()


@pytest.mark.parametrize("out", ["real/pkl/merged", "syn/merged", "syn/pkl/sim-001/merged"])
def test_an_output_among_what_is_merged_is_refused(sets: Path, capsys: pytest.CaptureFixture[str], out: str) -> None:
    before = everything(sets)
    error = refused(capsys, merge(sets, out=out), 2)
    assert f"is in {'--real' if out.startswith('real') else '--synthetic'} " in error
    assert everything(sets) == before


def test_a_partition_of_nobody_is_refused(sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Partition(()).save(sets / "real/partition.json")
    assert "--partition: TRAIN_SET and TEST_SET" in refused(capsys, merge(sets))


def test_a_wrong_root_is_told_by_the_option_that_merge_has(sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (sets / "real/pkl").rename(sets / "real/clips")
    error = refused(capsys, merge(sets))
    assert "--real: there is no folder" in error
    assert "data_cfg" not in error
    (sets / "real/pkl").mkdir()
    assert "by --real" in refused(capsys, merge(sets))


def test_a_folder_that_is_not_ours_is_refused(sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert merge(sets) == 0
    capsys.readouterr()
    assert "another merge" in refused(capsys, merge(sets, "--copy"))
    (sets / "mine").mkdir()
    (sets / "mine/thesis.tex").write_text("mine")
    assert "not ours" in refused(capsys, merge(sets, out="mine"))
    assert "no merge of ours" in refused(capsys, main(["merge", "--undo", str(sets / "mine")]))
    assert everything(sets / "mine") == {"thesis.tex": b"mine"}

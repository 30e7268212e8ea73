"""``gaitcrafter merge`` as a user types it: one tree and one partition, in a folder that can be deleted."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore, write_clip
from gaitcrafter_ext.vocabulary import ClipKey
from tests.opengait_fakes import synthetic_set, write_tree
from tests.refusals import content_of, refused

PEOPLE = ("sim-001", "sim-002", "sim-003", "sim-004")
BLEND = {"sim-001": 0.5, "sim-002": 0.5}


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """Three people to train on, one to test; a synthetic set with one of them and a novel one."""
    write_tree(tmp_path / "real", PEOPLE, ("nm-01", "nm-02"), ("000",), test=1)
    synthetic_set(tmp_path / "syn", {"sim-001": {"sim-001": 1.0}, "syn-0001": BLEND}, takes=("nm-01", "cl-01"))
    return tmp_path


def merge(sets: Path, *more: str, out: str = "merged", synthetic: str = "syn", dataset: str = "simulated") -> int:
    real = ["--real", str(sets / "real/pkl"), "--partition", str(sets / "real/partition.json"), "--dataset", dataset]
    return main(["merge", *real, "--synthetic", str(sets / synthetic), "--out", str(sets / out), *more])


def test_a_merged_tree_holds_both_and_can_be_deleted(sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = content_of(sets)
    for how in ([], ["--copy"]):
        assert merge(sets, "--json", *how) == 0
        facts = json.loads(capsys.readouterr().out)
        assert (facts["train"], facts["novel"], facts["test"], facts["class_num"]) == (4, 1, 1, 4)
        store, partition = SilhouetteStore(facts["dataset_root"]), Partition.load(facts["dataset_partition"])
        assert partition == Partition((*PEOPLE[:3], "syn-0001"), PEOPLE[3:])
        assert {str(key) for key in store if key.identity in ("sim-001", "syn-0001") and key.view == "000"} == {
            "sim-001/nm-01/000",
            "sim-001/nm-02/000",
            "sim-001/nm-syn-01/000",  # the real nm-01 is not shadowed
            "sim-001/cl-syn-01/000",
            "syn-0001/nm-01/000",
            "syn-0001/cl-01/000",
        }
        real = SilhouetteStore(sets / "real/pkl")
        assert all((store.read(key) == real.read(key)).all() for key in real)
        synthetic = SilhouetteStore(sets / "syn/pkl").read(ClipKey("sim-001", "nm-01", "000"))
        assert (store.read(ClipKey("sim-001", "nm-syn-01", "000")) == synthetic).all()
        shutil.rmtree(sets / "merged")
        assert content_of(sets) == before


def test_without_real_trains_on_synthetic_clips_and_the_named_probes_stay(sets: Path) -> None:
    real = Partition.load(sets / "real/partition.json")
    named = replace(real, probes=("sim-004-nm-01-000",), gallery=("sim-004-nm-02-000",))
    named.save(sets / "real/partition.json")
    assert merge(sets, "--without-real") == 0
    merged = Partition.load(sets / "merged/partition.json")
    assert merged == replace(named, train=("sim-001", "syn-0001"))
    takes = {key.take for key in SilhouetteStore(sets / "merged/pkl") if key.identity == "sim-001"}
    assert takes == {"nm-syn-01", "cl-syn-01"}


def test_two_people_of_one_name_get_two_folders(sets: Path) -> None:
    synthetic_set(sets / "other", {"syn-0001": {"sim-001": 0.9, "sim-002": 0.1}})
    assert merge(sets, "--synthetic", str(sets / "other")) == 0
    train = Partition.load(sets / "merged/partition.json").train
    assert train[:4] == ("sim-001", "sim-002", "sim-003", "syn-0001")
    assert train[4].startswith("syn-0001-")


def test_of_several_files_a_view_the_silhouettes_are_named(sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in list((sets / "real/pkl").rglob("*.pkl")):
        path.rename(path.with_name("000-sils.pkl"))
        path.with_name("000-rgbs.pkl").write_bytes(b"pictures")
    assert "000-rgbs.pkl, 000-sils.pkl" in refused(capsys, merge(sets))
    assert merge(sets, "--file", "{view}-sils.pkl") == 0
    names = {path.name for path in (sets / "merged/pkl").rglob("*.pkl")}
    assert names == {"000-sils.pkl", "000.pkl", "090.pkl"}
    (sets / "real/pkl/sim-001/nm-01/000/000-sils.pkl").unlink()  # what is left must not pass for silhouettes
    error = refused(capsys, merge(sets, "--file", "{view}-sils.pkl", out="other"))
    assert "holds 1 file (000-rgbs.pkl), none called '000-sils.pkl'" in error


def test_people_without_a_clip_are_named_whatever_lies_in_their_place(
    sets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """OpenGait would count a class for them, or stop at a file where it looks for a folder."""
    for tree, name in (("real", "sim-002"), ("syn", "syn-0001")):
        folder = sets / tree / "pkl" / name
        folder.rename(sets / "kept")
        for take in ("", "nm-01", "nm-01/000"):
            (folder / take).parent.mkdir(parents=True, exist_ok=True)
            (folder / take).write_text("a file")
            assert f"have no clip in {sets / tree / 'pkl'} ({name})" in refused(capsys, merge(sets))
            shutil.rmtree(folder) if take else folder.unlink()
        (sets / "kept").rename(folder)
    (sets / "real/pkl/sim-001/notes").write_text("beside clips")
    assert merge(sets) == 0
    assert not (sets / "merged/pkl/sim-001/notes").exists()


def test_what_must_not_be_merged_is_refused_and_nothing_written(sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tree(sets / "clash", ("sim-002",), ("nm-01",))
    (sets / "mine").mkdir()
    before = content_of(sets)
    assert "trained on 'simulated'" in refused(capsys, merge(sets, dataset="CASIA-B"))
    assert "another person here" in refused(capsys, merge(sets, synthetic="clash"))
    for again in ("syn", "syn/pkl", "real/../syn"):
        assert "named twice" in refused(capsys, merge(sets, "--synthetic", str(sets / again)), 2)
    for out, option in (("real/pkl/merged", "--real"), ("syn/merged", "--synthetic")):
        assert f"is in {option} " in refused(capsys, merge(sets, out=out), 2)
    assert "is there already" in refused(capsys, merge(sets, out="mine"))
    large = sets / "large/x-1/nm-01/000/000.pkl"
    write_clip(large, np.full((4, 128, 128), 255, np.uint8))
    assert "large: frames are 128 rows high, the real ones 64" in refused(capsys, merge(sets, synthetic="large"))
    shutil.rmtree(sets / "large")
    assert content_of(sets) == before

"""``gaitcrafter evaluate card`` as a user types it, on walkers drawn with lines."""

from __future__ import annotations

import errno
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.generator import weights as weights_card
from gaitcrafter_ext.silhouettes import manifest
from gaitcrafter_ext.silhouettes.dataset import load_dataset
from gaitcrafter_ext.silhouettes.manifest import ManifestRecord
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey
from tests.stick_walkers import CYCLES, stick_clip

TAKES = ("nm-01", "nm-02", "nm-03", "nm-04", "cl-01", "cl-02", "cl-03")
TRAIN, TEST = ("000", "001", "002", "003"), ("004", "005")
HELD_OUT = tuple(f"{identity}/{take}" for identity in TRAIN for take in ("nm-04", "cl-03"))


def write_clip(root: Path, name: str, person: int, take: str, seed: int, frames: int) -> None:
    rng = np.random.default_rng([seed, person, TAKES.index(take)])
    extra = 4 if take.startswith("cl") else 0
    clip = stick_clip(person, CYCLES[person], frames, rng.random(), extra, 100 * seed + TAKES.index(take))
    SilhouetteStore(root / "pkl", create=True).write(ClipKey(name, take, "090"), clip)


def write_manifest(root: Path, recipes: dict[str, dict[str, float]], weights: str) -> None:
    for key in SilhouetteStore(root / "pkl").keys():  # noqa: SIM118
        record = ManifestRecord(
            key.identity, key.take, key.view, 0, weights, "euler", 8, 1.5, 30, "", recipes[key.identity]
        )
        manifest.append(root / "manifest.jsonl", record)


def write_weights(root: Path) -> str:
    words = weights_card.Vocabulary(TRAIN, ("nm", "cl"), {"090": 90.0})
    trained_on = weights_card.TrainedOn("drawn", "0" * 16, HELD_OUT)
    card = weights_card.Card(words, trained_on)
    (root / "weights").mkdir()
    (root / "weights" / "card.json").write_text(card.to_json())
    return card.fingerprint


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six real people; synthetic clips of the four trained on, and of two novel ones who are new walkers."""
    root = tmp_path_factory.mktemp("card")
    for person in range(6):
        for take in TAKES:
            write_clip(root / "real", f"{person:03d}", person, take, seed=1, frames=45)
    Partition(TRAIN, TEST).save(root / "real" / "partition.json")
    recipes = {name: {name: 1.0} for name in TRAIN}
    for person in range(4):
        for take in ("nm-01", "nm-02", "cl-01", "cl-02"):
            write_clip(root / "made", f"{person:03d}", person, take, seed=2, frames=30)
    for number, person in ((1, 4), (2, 5)):
        recipes[f"syn-000{number}"] = {"000": 0.5, "001": 0.5}
        for take in ("nm-01", "nm-02", "cl-01"):
            write_clip(root / "made", f"syn-000{number}", person, take, seed=3, frames=30)
    write_manifest(root / "made", recipes, write_weights(root))
    return root


def card(folder: Path, out: Path, *words: str, synthetic: str = "made", partition: str = "real/partition.json") -> int:
    options = ["--real", str(folder / "real"), "--partition", str(folder / partition), "--jobs", "1"]
    return main(["evaluate", "card", *options, "--synthetic", str(folder / synthetic), "--out", str(out), *words])


@pytest.fixture(scope="module")
def report(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "out"
    assert card(folder, out, "--weights", str(folder / "weights")) == 0
    return out


def test_every_question_is_answered_with_bounds(report: Path) -> None:
    found = json.loads((report / "report.json").read_text())
    assert found["schema"] == 2
    rows = {(row["question"], row["measure"]): row for row in found["rows"]}
    for question, measure, bound in (
        ("identification", "rank1", "ceiling"), ("identification", "rank1", "chance"),
        ("faithfulness", "condition", "ceiling"), ("uniqueness", "u", "ceiling"), ("consistency", "c_intra", "chance"),
        ("variety", "d_intra", "ceiling"), ("leakage", "parent_retrieval", "chance"), ("leakage", "leak", "floor"),
        ("copies", "copies", "floor"), ("copies", "closer", "chance"), ("likeness", "kid", "floor"),
        ("likeness", "coverage", "ceiling"), ("motion", "forward", "chance"), ("motion", "cadence_error", "floor"),
        ("masks", "mask_outside", "floor"),
    ):  # fmt: skip
        row = rows[question, measure]
        assert row["value"] is not None
        assert row[bound] is not None
    rank1 = rows["identification", "rank1"]
    assert rank1["low"] < rank1["value"] < rank1["high"]
    assert (rows["copies", "copies"]["value"], rows["copies", "copies"]["high"] > 0.05) == (0.0, True)
    assert {each["measure"] for each in found["unmeasured"]} == {"membership_auc", "rank1_gain"}
    assert found["groups"]["novel_people"] == 2
    assert any("no recogniser" in each for each in found["caveats"])


def test_the_page_needs_nothing_but_itself(report: Path) -> None:
    text = (report / "report.html").read_text()
    assert re.findall(r'(?:src|href)="(?!data:)|url\((?!data:)', text) == []
    assert "<script" not in text
    for part in ("Is it the person asked for?", "Match scores", "People kept", "Gait cycle", "Nearest to a training"):
        assert part in text
    assert text.count('class="clip"') == 8 * 2 + 2


def test_real_training_clips_passed_off_as_synthetic_are_found_out(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "real" / "pkl", tmp_path / "made" / "pkl")
    for test in TEST:
        shutil.rmtree(tmp_path / "made" / "pkl" / test)
    for clip in HELD_OUT:
        shutil.rmtree(tmp_path / "made" / "pkl" / clip)
    options = ("--weights", str(folder / "weights"))
    assert card(folder, tmp_path / "out", *options, synthetic=str(tmp_path / "made")) == 0
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    rows = {row["measure"]: row for row in found["rows"]}
    assert rows["copies"]["value"] == 1.0
    assert rows["closer"]["value"] == 1.0
    assert rows["rank1"]["value"] == rows["rank1"]["ceiling"]
    assert {each["measure"] for each in found["unmeasured"]} == {
        "u", "parent_retrieval", "leak", "membership_auc", "rank1_gain"
    }  # fmt: skip
    assert any("parents of novel people are not known" in each for each in found["caveats"])


def test_swapped_people_with_shuffled_frames_fail_where_they_should(folder: Path, report: Path, tmp_path: Path) -> None:
    made, spoilt = SilhouetteStore(folder / "made" / "pkl"), SilhouetteStore(tmp_path / "made" / "pkl", create=True)
    swapped = dict(zip(TRAIN, (*TRAIN[1:], TRAIN[0]), strict=True))
    rng = np.random.default_rng(0)
    for key in made.keys():  # noqa: SIM118
        if key.identity in TRAIN:
            spoilt.write(replace(key, identity=swapped[key.identity]), rng.permutation(made.read(key)))
    options = ("--weights", str(folder / "weights"))
    assert card(folder, tmp_path / "out", *options, synthetic=str(tmp_path / "made")) == 0
    honest, found = (
        {row["measure"]: row for row in json.loads((out / "report.json").read_text())["rows"]}
        for out in (report, tmp_path / "out")
    )
    assert found["rank1"]["low"] <= found["rank1"]["chance"] <= found["rank1"]["high"]
    assert honest["rank1"]["value"] > 2 * honest["rank1"]["chance"]
    assert found["kid"]["value"] > honest["kid"]["value"] + 0.5
    assert found["motion_outside"]["value"] == 1.0
    assert found["forward"]["value"] < 0.8


def test_a_dataset_of_one_take_a_condition_is_compared_by_cameras_and_says_so(tmp_path: Path) -> None:
    """CCPG: nothing was held out, so copies are looked for among all clips, and nothing claims to be unseen."""
    takes, cameras = ("U0_D0", "U1_D1"), ("01_0", "02_0", "03_0", "04_0")
    real = SilhouetteStore(tmp_path / "real" / "pkl", load_dataset("ccpg"), create=True)
    made = SilhouetteStore(tmp_path / "made" / "pkl", load_dataset("ccpg"), create=True)
    for person, (number, take) in itertools.product(range(3), enumerate(takes)):
        for at, camera in enumerate(cameras):
            clip = stick_clip(person, CYCLES[person], 45, 0.2 * at, 4 * number, 10 * number + at)
            real.write(ClipKey(f"{person:03d}", take, camera), clip)
            if at == 1:  # clips of the cameras that stand in for held-out ones
                made.write(ClipKey(f"{person:03d}", take, "any"), clip[5:35])
    Partition(TRAIN[:3], ()).save(tmp_path / "real" / "partition.json")
    assert card(tmp_path, tmp_path / "out", "--config", "ccpg") == 0
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    rows = {row["measure"]: row for row in found["rows"]}
    assert found["groups"]["held_out_rule"].startswith("not held out")
    assert any(each.startswith("not held out") for each in found["caveats"])
    assert "not held out" in rows["rank1"]["note"]
    assert rows["copies"]["value"] == 1.0
    assert not {"closer", "three_sample"} & set(rows)
    assert {"closer", "membership_auc"} <= {each["measure"] for each in found["unmeasured"]}
    assert "not held out" in (tmp_path / "out" / "report.html").read_text()


def test_a_report_folder_in_use_is_refused(folder: Path, report: Path, tmp_path: Path,
                                           capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    assert card(folder, report) == 1
    assert "--force to replace the report" in capsys.readouterr().err
    (tmp_path / "thesis.tex").write_text("mine")
    assert card(folder, tmp_path, "--force") == 1
    assert "is in use (thesis.tex)" in capsys.readouterr().err


def test_a_report_folder_that_cannot_be_written_is_refused_before_anything_is_read(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    def nothing_read(*_: object) -> None:
        raise AssertionError("clips were read")

    monkeypatch.setattr("gaitcrafter_ext.cli.evaluation.card._splits", nothing_read)
    (tmp_path / "notes.txt").write_text("mine")
    for out in ("notes.txt/x/y", "full/x"):
        assert card(folder, tmp_path / out) == 1
        error = capsys.readouterr().err
        assert error.startswith(f"error: cannot write {tmp_path / out}: ")
        assert error.count("\n") == 1
        assert [path.name for path in tmp_path.rglob("*")] == ["notes.txt"]
        monkeypatch.setattr("tempfile.TemporaryFile", full)


def test_broken_files_are_named_and_left_out_only_when_asked(folder: Path, tmp_path: Path,
                                                             capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    shutil.copytree(folder / "made", tmp_path / "made")
    (tmp_path / "made" / "pkl" / "000" / "nm-01" / "090" / "090.pkl").write_bytes(b"torn")
    assert card(folder, tmp_path / "out", synthetic=str(tmp_path / "made")) == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert len(errors) == 1
    assert "000/nm-01/090" in errors[0]
    assert "--skip-broken" in errors[0]
    assert not (tmp_path / "out").exists()
    assert card(folder, tmp_path / "out", "--skip-broken", "--json", synthetic=str(tmp_path / "made")) == 0
    shown = capsys.readouterr()
    assert "left out:" in shown.err
    assert any("1 broken synthetic file" in each for each in json.loads(shown.out)["caveats"])


def recogniser(people: tuple[str, ...], out: Path) -> Path:
    """A small network of random weights that says it was trained on these people."""
    from gaitcrafter_ext.recognition.checkpoint import Card, save_recogniser
    from gaitcrafter_ext.recognition.config import GaitSetConfig
    from gaitcrafter_ext.recognition.networks import build_network

    sizes = GaitSetConfig((4, 6, 8), 12, (4, 2))
    save_recogniser(out, build_network(sizes, len(people)), Card(sizes, people))
    return out


def test_a_recogniser_of_tested_people_is_refused_and_of_others_is_used(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    knows_test = recogniser(("000", "004"), tmp_path / "leaky")
    assert card(folder, tmp_path / "out", "--recogniser", str(knows_test)) == 1
    assert "leaky was trained on real/004 of TEST_SET" in capsys.readouterr().err
    honest = recogniser(("000", "001"), tmp_path / "honest")
    assert card(folder, tmp_path / "out", "--recogniser", str(honest)) == 0
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    assert {row["features"] for row in found["rows"] if row["measure"] == "rank1"} == {"pixel GEI", "honest"}
    assert any("honest knows 2 of the 4 people" in each for each in found["caveats"])


@pytest.mark.slow
def test_two_processes_of_a_launcher_write_one_report_as_one_does(folder: Path, tmp_path: Path) -> None:
    judge = str(recogniser(("900", "901"), tmp_path / "judge"))
    assert card(folder, tmp_path / "alone", "--recogniser", judge, "--device", "cpu") == 0
    words = ["--real", str(folder / "real"), "--partition", str(folder / "real" / "partition.json"), "--jobs", "1",
             "--synthetic", str(folder / "made"), "--recogniser", judge, "--device", "cpu"]  # fmt: skip
    command = [sys.executable, "-m", "gaitcrafter_ext", "evaluate", "card", *words, "--out", str(tmp_path / "both")]
    both = [
        subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         env={**os.environ, "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2"})
        for rank in ("0", "1")
    ]  # fmt: skip
    (first, _), (second, told) = (process.communicate(timeout=300) for process in both)
    assert [process.returncode for process in both] == [0, 0], told
    assert "report.json" in first
    assert second == ""
    assert "this process has embedded its share" in told
    assert sorted(path.name for path in (tmp_path / "both").iterdir()) == ["report.html", "report.json"]
    found, wanted = (
        {
            (row["measure"], row["features"]): row["value"]
            for row in json.loads((out / "report.json").read_text())["rows"]
        }
        for out in (tmp_path / "both", tmp_path / "alone")
    )
    assert found == pytest.approx(wanted, abs=1e-4)


def test_bad_input_is_one_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Partition((*TRAIN[1:], *TEST), TRAIN[:1]).save(tmp_path / "swapped.json")
    novel = tmp_path / "novel"
    write_clip(novel, "syn-0001", 0, "nm-01", 3, 30)
    write_clip(tmp_path / "one", "000", 0, "nm-01", 3, 30)
    for words, keywords, message in (
        (
            ("--weights", str(folder / "weights")),
            {"partition": str(tmp_path / "swapped.json")},
            "trained on real/000 of TEST",
        ),
        ((), {"synthetic": str(novel)}, "no common person"),
        ((), {"synthetic": str(tmp_path / "one")}, "1 synthetic clip(s)"),
        (("--weights", "bundled"), {}, "was made by weights"),
        ((), {"synthetic": "weights"}, "holds no clip"),
        (("--recogniser", str(folder / "made")), {}, "no recogniser in"),
        (("--views", "091"), {}, "did you mean '090'"),
    ):
        assert card(folder, tmp_path / "out", *words, **keywords) != 0
        errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
        assert len(errors) == 1, errors
        assert message in errors[0]

"""``gaitcrafter evaluate card``, ``clips``, ``blind``, ``pairs`` and ``gei`` as a user types them, on drawn walkers."""

from __future__ import annotations

import errno
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
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
from tests.filter_fakes import write_recogniser
from tests.refusals import refused
from tests.stick_walkers import CYCLES, stick_clip

TAKES = ("nm-01", "nm-02", "nm-03", "nm-04", "cl-01", "cl-02", "cl-03")
TRAIN, TEST = ("000", "001", "002", "003"), ("004", "005")
HELD_OUT = tuple(f"{identity}/{take}" for identity in TRAIN for take in ("nm-04", "cl-03"))


def write_clip(root: Path, name: str, person: int, take: str, seed: int, frames: int, view: str = "090") -> None:
    number = TAKES.index(take) if take in TAKES else int(take)
    phase = np.random.default_rng([seed, person, number]).random()
    extra = 4 if take.startswith("cl") else 0
    clip = stick_clip(person, CYCLES[person], frames, phase, extra, 100 * seed + number)
    SilhouetteStore(root / "pkl", create=True).write(ClipKey(name, take, view), clip)


def write_weights(root: Path) -> str:
    words = weights_card.Vocabulary(TRAIN, ("nm", "cl"), {"090": 90.0})
    card = weights_card.Card(words, weights_card.TrainedOn("drawn", "0" * 16, HELD_OUT))
    (root / "weights").mkdir()
    (root / "weights" / "card.json").write_text(card.to_json())
    return card.fingerprint


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("evaluate")
    for person, take in itertools.product(range(6), TAKES):
        write_clip(root / "real", f"{person:03d}", person, take, seed=1, frames=45)
    Partition(TRAIN, TEST).save(root / "real" / "partition.json")
    blends = {name: {name: 1.0} for name in TRAIN} | {f"syn-000{n}": {"000": 0.5, "001": 0.5} for n in (1, 2)}
    for person, take in itertools.product(range(4), ("nm-01", "nm-02", "cl-01", "cl-02")):
        write_clip(root / "made", f"{person:03d}", person, take, seed=2, frames=30)
    for (number, person), take in itertools.product(((1, 4), (2, 5)), ("nm-01", "nm-02", "cl-01")):
        for out in ("made", "novel"):
            write_clip(root / out, f"syn-000{number}", person, take, seed=3, frames=30)
    fingerprint = write_weights(root)
    for key in SilhouetteStore(root / "made" / "pkl").keys():  # noqa: SIM118
        made_by = (0, fingerprint, "euler", 8, 1.5, 30, "", blends[key.identity])
        manifest.append(root / "made" / "manifest.jsonl", ManifestRecord(key.identity, key.take, key.view, *made_by))
    write_clip(root / "single", "000", 0, "nm-01", seed=2, frames=30)
    write_clip(root / "other_view", "000", 0, "nm-01", seed=2, frames=30, view="126")
    (root / "empty").mkdir()
    return root


def evaluate(folder: Path, *words: str) -> int:
    """Run ``evaluate``; a word that names something in the folder stands for its path."""
    return main(["evaluate", *(str(folder / word) if (folder / word).exists() else word for word in words)])


def card(folder: Path, out: Path, *words: str, made: str = "made", partition: str = "real/partition.json") -> int:
    options = ("--real", "real", "--partition", partition, "--jobs", "1", "--synthetic", made, "--out", str(out))
    return evaluate(folder, "card", *options, *words)


def clips(folder: Path, capsys: pytest.CaptureFixture[str], *words: str, made: str = "made") -> dict[str, Any]:
    assert evaluate(folder, "clips", "--real", "real", "--synthetic", made, "--json", "--jobs", "1", *words) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer | {"rows": {row["measure"]: row for row in answer["rows"]}}


@pytest.fixture(scope="module")
def report(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "out"
    honest = str(write_recogniser(out.parent / "honest", ("000", "001")))
    assert card(folder, out, "--weights", "weights", "--recogniser", honest) == 0
    return out


def test_every_question_is_answered_with_bounds_and_the_page_needs_nothing_but_itself(report: Path) -> None:
    found = json.loads((report / "report.json").read_text())
    assert found["schema"] == 2
    rows = {(row["question"], row["measure"]): row for row in found["rows"] if row["features"] != "honest"}
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
    unmeasured = {each["measure"]: each["why"] for each in found["unmeasured"]}
    assert set(unmeasured) == {"view", "membership_auc", "rank1_gain"}
    assert "all of one view" in unmeasured["view"]
    assert found["groups"]["novel_people"] == 2
    assert {row["features"] for row in found["rows"] if row["measure"] == "rank1"} == {"pixel GEI", "honest"}
    assert any("honest knows 2 of the 4 people" in each for each in found["caveats"])
    text = (report / "report.html").read_text()
    assert re.findall(r'(?:src|href)="(?!data:)|url\((?!data:)', text) == []
    assert "<script" not in text
    for part in ("Is it the person asked for?", "Match scores", "4 people", "Nearest to a training"):
        assert part in text
    assert text.count('class="clip"') == 8 * 2 + 2


def test_a_report_folder_in_use_or_not_writable_is_refused_before_anything_is_read(
    folder: Path, report: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("gaitcrafter_ext.cli._card._splits", None)
    (tmp_path / "thesis.tex").write_text("mine")
    assert "--force to replace the report" in refused(capsys, card(folder, report))
    assert "is in use (thesis.tex)" in refused(capsys, card(folder, tmp_path, "--force"))
    for out in ("thesis.tex/x/y", "full/x"):
        assert f"error: cannot write {tmp_path / out}: " in refused(capsys, card(folder, tmp_path / out))
        assert [path.name for path in tmp_path.rglob("*")] == ["thesis.tex"]
        monkeypatch.setattr("tempfile.TemporaryFile", full)


@pytest.mark.slow
def test_two_processes_of_a_launcher_write_one_report_as_one_does(folder: Path, tmp_path: Path) -> None:
    words = ["evaluate", "card", "--real", str(folder / "real"), "--partition", str(folder / "real" / "partition.json"),
             "--jobs", "1", "--synthetic", str(folder / "made"), "--device", "cpu",
             "--recogniser", str(write_recogniser(tmp_path / "judge", ("900", "901")))]  # fmt: skip
    assert main([*words, "--out", str(tmp_path / "alone")]) == 0
    command = [sys.executable, "-m", "gaitcrafter_ext", *words, "--out", str(tmp_path / "both")]
    both = [
        subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         env={**os.environ, "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2"})
        for rank in ("0", "1")
    ]  # fmt: skip
    (first, _), (second, said) = (process.communicate(timeout=300) for process in both)
    assert [process.returncode for process in both] == [0, 0], said
    assert "report.json" in first
    assert second == ""
    assert "this process has embedded its share" in said
    assert sorted(path.name for path in (tmp_path / "both").iterdir()) == ["report.html", "report.json"]
    reports = (json.loads((tmp_path / out / "report.json").read_text()) for out in ("both", "alone"))
    found, wanted = ({(row["measure"], row["features"]): row["value"] for row in each["rows"]} for each in reports)
    assert found == pytest.approx(wanted, abs=1e-4)


def test_bad_input_of_a_card_is_one_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Partition((*TRAIN[1:], *TEST), TRAIN[:1]).save(tmp_path / "swapped.json")
    swapped, leaky = str(tmp_path / "swapped.json"), str(write_recogniser(tmp_path / "leaky", ("000", "004")))
    for words, keywords, message in (
        (("--weights", "weights"), {"partition": swapped}, "trained on real/000 of TEST"),
        (("--recogniser", leaky), {}, "leaky was trained on real/004 of TEST_SET"),
        (("--weights", "bundled"), {}, "was made by weights"),
        ((), {"made": "novel"}, "no common person"),
    ):
        assert message in refused(capsys, card(folder, tmp_path / "out", *words, **keywords))
    assert not (tmp_path / "out").exists()


def test_the_card_tells_what_was_held_out_and_json_all(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(folder, "clips", "--real", "real", "--synthetic", "made/pkl", "--jobs", "1") == 0
    text = capsys.readouterr().out
    for words in ("25.0 %", "ceiling", "floor", "everyone given the median", "1-99 %", "shuffled", "is guessed"):
        assert words in text
    assert "nan" not in text
    answer = clips(folder, capsys, "--trained-weights", "weights")
    assert answer["groups"]["held_out_rule"] == "held out as the weights' card says (drawn)"
    assert [answer["groups"][f"{kind}_clips"] for kind in ("synthetic", "held_out", "training")] == [22, 8, 20]
    assert answer["unmeasured"] == []
    assert answer["rows"]["copies"]["value"] == 0.0
    assert answer["rows"]["forward"]["value"] == 1.0
    assert {"rank1", "closer", "three_sample"} <= set(answer["rows"])


def test_a_dataset_of_one_take_a_condition_is_compared_by_cameras(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """CCPG: nothing was held out, and nothing claims to be unseen."""
    real, made = (SilhouetteStore(tmp_path / n / "pkl", load_dataset("ccpg"), create=True) for n in ("real", "made"))
    for person, (number, take) in itertools.product(range(3), enumerate(("U0_D0", "U1_D1"))):
        for at, camera in enumerate(("01_0", "02_0", "03_0", "04_0")):
            clip = stick_clip(person, CYCLES[person], 45, 0.2 * at, 4 * number, 10 * number + at)
            real.write(ClipKey(f"{person:03d}", take, camera), clip)
            if at == 1:  # clips of the cameras that stand in for held-out ones
                made.write(ClipKey(f"{person:03d}", take, "any"), clip[5:35])
    answer = clips(tmp_path, capsys, "--config", "ccpg", "--measures", "rank,copies")
    assert answer["groups"]["held_out_rule"].startswith("not held out")
    assert any(each.startswith("not held out") for each in answer["caveats"])
    assert "not held out" in answer["rows"]["rank1"]["note"]
    assert answer["rows"]["copies"]["value"] == 1.0
    assert {each["measure"] for each in answer["unmeasured"]} == {"closer"}


def test_a_tree_is_read_by_its_presets_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As OU-MVLP and GREW: real takes 00 and 01, synthetic ones nm-01."""
    for person in range(3):
        for take in ("00", "01"):
            write_clip(tmp_path / "real", f"{person:03d}", person, take, seed=1, frames=45)
        write_clip(tmp_path / "made", f"{person:03d}", person, "nm-01", seed=2, frames=30)
    answer = clips(tmp_path, capsys, "--config", "oumvlp", "--measures", "rank")
    assert answer["groups"]["held_out_clips"] == answer["groups"]["training_clips"] == 3
    assert set(answer["rows"]) == {"rank1", "rank1_nm"}
    for command in (("blind", "--out", str(tmp_path / "blind"), "--rows", "4"), ("pairs", "--out", "sheet.png")):
        options = ("--real", "real", "--synthetic", "made", "--config", "oumvlp", "--json")
        words = (str(tmp_path / word) if word == "sheet.png" else word for word in command)
        assert evaluate(tmp_path, *words, *options) == 0
    capsys.readouterr()
    assert evaluate(tmp_path, "gei", "real", "--config", "oumvlp", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["gallery_takes"], answer["probe_takes"]) == (["01"], ["00"])


def test_broken_files_are_left_out_only_when_asked(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(folder / "made", tmp_path / "made")
    take = tmp_path / "made" / "pkl" / "000" / "nm-01"
    take.joinpath("126").mkdir()
    shutil.copy(take / "090" / "090.pkl", take / "126" / "126.pkl")  # a view that no real clip shows
    (take / "090" / "090.pkl").write_bytes(b"torn")
    options = ("clips", "--real", "real", "--synthetic", str(tmp_path / "made"), "--measures", "masks", "--jobs", "1")
    assert re.search("000/nm-01/090.*--skip-broken", refused(capsys, evaluate(folder, *options)))
    assert evaluate(folder, *options, "--skip-broken") == 0
    shown = capsys.readouterr()
    assert "left out: 000/nm-01/090" in shown.err
    assert "caveat: 1 broken synthetic file" in shown.out
    assert "synthetic clips, 1 of other views left out; real:" in shown.out


def test_a_blind_sheet_is_written_and_scored(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "blind"
    options = ("--real", "real", "--synthetic", "made", "--out", str(out))
    assert evaluate(folder, "blind", *options, "--rows", "8") == 0
    assert "half of them real" in capsys.readouterr().out
    answers = {row["label"]: row["kind"] for row in json.loads((out / "key.json").read_text())}
    (out / "answers.json").write_text(json.dumps(answers))
    assert evaluate(folder, "blind", "--score", str(out / "key.json"), "--answers", str(out / "answers.json")) == 0
    assert capsys.readouterr().out.startswith("8 of 8 rows right: 100 % [63, 100], chance 50 %, p = 0.004")
    assert "is there already" in refused(capsys, evaluate(folder, "blind", *options, "--rows", "8"))


def test_pairs_are_two_rows_each(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("pairs", "--real", "real", "--out", str(tmp_path / "s.png"), "--json")
    assert evaluate(folder, *options, "--synthetic", "made") == 0
    assert json.loads(capsys.readouterr().out)["pairs"] == 8
    assert cv2.imread(str(tmp_path / "s.png")).shape[0] == 16 * 65


def test_gei_gives_rank_one_by_condition_beside_chance_and_of_synthetic_probes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(folder, "gei", "real") == 0
    rows = {line.split()[0]: float(line.split()[1]) for line in capsys.readouterr().out.splitlines()[2:]}
    assert set(rows) == {"nm", "cl", "chance"}
    assert rows["nm"] > rows["chance"] == 16.7
    assert evaluate(folder, "gei", "real", "--probe-root", "made", "--probes", "nm-04,cl-03", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["gallery_takes"], answer["probe_takes"]) == (["nm-01", "nm-02"], ["cl-03", "nm-04"])
    assert (answer["rank1"]["synthetic"]["nm"]["count"], answer["dropped"]["synthetic"]) == (8, 6)
    assert answer["rank1"]["synthetic"]["nm"]["value"] > answer["chance"]


def test_bad_input_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = ("--real", "real", "--synthetic")
    for words, code, message in (
        (("clips", *both, "other_view"), 1, "no common view"),
        (("clips", *both, "empty"), 1, "holds no clip"),
        (("clips", *both, "single"), 1, "1 synthetic clip(s)"),
        (("clips", *both, "made", "--measures", "copys"), 2, "did you mean 'copies'"),
        (("clips", *both, "made", "--views", "091"), 2, "did you mean '090'"),
        (("pairs", *both, "novel", "--out", "x.png"), 1, "share no person, condition and view"),
        (("blind", "--real", "real"), 2, "--synthetic is missing"),
        (("blind", *both, "made", "--out", "x", "--rows", "7"), 2, "is odd"),
        (("blind", "--score", "key.json"), 2, "belong together"),
        (("gei", "real", "--gallery", "nm-0[1-3]", "--probes", "nm-03"), 2, "nm-03 is in the gallery and among the"),
        (("gei", "real", "--probes", "nm-09"), 1, "no clip of take nm-09"),
        (("gei", "real", "--config", "gait3d"), 2, "names its probes clip by clip"),
    ):
        assert message in refused(capsys, evaluate(folder, *words), code)

"""``experiment`` as a user runs it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gaitcrafter_ext.cli.experiment import _call
from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.errors import GaitCrafterError
from gaitcrafter_ext.silhouettes.partition import Partition
from tests.refusals import assert_refused
from tests.tiny import tiny_tree

CONFIG = """
dataset: {name: simulated}
model: {channels: [8, 64], blocks: [1, 1], embedding: 16, canvas_channels: 2}
training: {batch_size: 4, precision: "no"}
"""


def test_a_dry_run_prints_the_commands_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["experiment", "dose", "--out", str(tmp_path / "x"), "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("gaitcrafter simulate")
    assert sum(line.startswith("gaitcrafter recognise train") for line in lines) == 7 * 3
    assert not (tmp_path / "x").exists()
    assert main(["experiment", "dose", "--out", str(tmp_path / "x"), "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == lines


def test_what_cannot_be_is_one_line_before_anything_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    tree = tiny_tree(tmp_path)
    shutil.copytree(tree / "pkl" / "sim-002", tree / "pkl" / "sim-003")
    Partition(("sim-001",), ("sim-002", "sim-003")).save(tmp_path / "split.json")
    Partition(("sim-001", "sim-009"), ("sim-002",)).save(tmp_path / "wrong.json")
    given = ["--partition", str(tmp_path / "split.json"), "--views", "all", "--data"]
    real, nowhere = ["missing-views", *given, str(tree / "pkl")], ["dose", *given, str(tmp_path / "nowhere")]
    known, late = ["--cohort-seed", "2508"], ["--cohort-seed", "2508", "--subjects", "1010", "--train"]
    command = ["experiment", "--out", str(tmp_path / "x"), "--dry-run"]
    for words in (["dose", "--train", "40"], ["dose", *known, "--weights", "none"], ["dose", *late, "1000"], real):
        assert main([*command, *words]) == 0
    capsys.readouterr()
    for words, code, message in (
        (["dos"], 2, "did you mean 'dose'?"),
        (["dose", "--size", "gpu"], 2, "name it with --data and --partition"),
        (["dose", "--data", "x"], 2, "--data and --partition go together"),
        (["few-labels", "--labels", "50,10"], 2, "--labels: cannot read '50,10'; write rising numbers"),
        (["few-labels", "--labels", "5,60"], 2, "--labels: 60 asked for, and there are 50 people to train on"),
        (["dose", "--views", "036"], 2, "--views: found 1 in '036'; recognisers are tested across views"),
        (["dose", "--train", "75"], 2, "75 people to train on and 0 to test; both are needed"),
        (["dose", "--out", str(tmp_path / "file/below")], 2, "below is a file, or lies in one; name a folder"),
        (["dose", *known], 2, "bundled has seen 25 of the 25 people to test, sim2508-051 among them; name another"),
        (["dose", *late, "1001"], 2, "has seen 1000 of the 1001 people to train on"),
        (["few-labels", *late, "1000"], 2, "takes weights that have seen none of them"),
        (["clip-length", "--weights", "bundled"], 2, "clip-length uses no generator, found 'bundled'"),
        (nowhere, 1, f"there is no folder {tmp_path / 'nowhere'}; expected a root of"),
        (["real-people", *real[1:]], 2, "--weights: real-people takes weights that have seen none of its people"),
        ([*real, "--views", "000,036"], 2, "--views: unknown '036'; allowed: 000, 090"),
        ([*real, "--partition", str(tmp_path / "wrong.json")], 1, "TRAIN_SET names 1 of 2 people who are not in"),
    ):
        assert_refused([*command, *words], code, message, tmp_path, capsys)


def test_a_preset_that_is_asked_for_brings_its_own_length(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def shares(*words: str) -> set[str]:
        main(["experiment", "dose", "--out", str(tmp_path), "--preset", "cpu", "--dry-run", *words])
        lines = [line.split() for line in capsys.readouterr().out.splitlines() if "--synthetic-share" in line]
        return {words[words.index("--synthetic-share") + 1] for words in lines}

    assert shares() == {"0:1,375:0"}
    assert shares("--iterations", "40") == {"0:1,30:0"}


@pytest.mark.slow
def test_a_tiny_experiment_ends_with_a_table_and_a_plot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "missing-conditions"
    (tmp_path / "config.yaml").write_text(CONFIG)
    size = ["--subjects", "6", "--train", "4", "--views", "054,090", "--seeds", "1", "--iterations", "1"]
    generator = ["--weights", "none", "--config", str(tmp_path / "config.yaml"), "--generator-clips", "4"]
    words = ["experiment", name, "--out", str(tmp_path / "x"), *size, *generator]
    assert main([*words, "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert results["chance"] == 50.0
    assert [arm["name"] for arm in results["arms"]][-1] == "untrained"
    assert all(len(arm["figures"][f"{column} rank-1"]) == 1 for arm in results["arms"] for column in ("NM", "BG", "CL"))
    assert (tmp_path / "x" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert main(words) == 0


def test_a_step_is_a_command_in_a_process_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    _call(("--version",))
    assert capfd.readouterr().err.startswith("gaitcrafter ")
    with pytest.raises(GaitCrafterError, match=r"'walk x' failed \(exit 2\)"):
        _call(("walk", "x"))


def test_a_terminated_experiment_ends_the_command_that_it_runs(tmp_path: Path) -> None:
    words = ["experiment", "clip-length", "--out", str(tmp_path), "--subjects", "60", "--train", "50"]
    with subprocess.Popen([sys.executable, "-m", "gaitcrafter_ext", *words], stderr=subprocess.DEVNULL) as process:
        while not any(tmp_path.glob("cohort/pkl/*")):
            time.sleep(0.1)
        process.terminate()
        assert process.wait() == 130
    made = len(list(tmp_path.glob("cohort/pkl/*/*/*")))
    time.sleep(1.5)
    assert made == len(list(tmp_path.glob("cohort/pkl/*/*/*"))) < 60 * 30

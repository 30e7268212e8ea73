"""``experiment`` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gaitcrafter_ext.cli.main import main

CONFIG = """
dataset: {name: simulated}
model: {channels: [8, 64], blocks: [1, 1], embedding: 16, canvas_channels: 2}
training: {batch_size: 4, precision: "no"}
"""


def test_a_dry_run_prints_the_commands_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["experiment", "same-vs-novel", "--out", str(tmp_path / "x"), "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("gaitcrafter simulate")
    assert sum(line.startswith("gaitcrafter recognise train") for line in lines) == 4 * 3
    assert not (tmp_path / "x").exists()


def test_a_preset_that_is_asked_for_brings_its_own_length(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def shares(*words: str) -> set[str]:
        main(["experiment", "same-vs-novel", "--out", str(tmp_path), "--preset", "cpu", "--dry-run", *words])
        lines = [line.split() for line in capsys.readouterr().out.splitlines() if "--synthetic-share" in line]
        return {words[words.index("--synthetic-share") + 1] for words in lines}

    assert shares() == {"0:1,375:0"}
    assert shares("--iterations", "40") == {"0:1,30:0"}


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["same-vs-nobel"], 2, "did you mean 'same-vs-novel'?"),
        (["same-vs-novel", "--size", "huge"], 2, "--size: unknown 'huge'"),
        (["same-vs-novel", "--size", "gpu"], 2, "name it with --data and --partition"),
        (["same-vs-novel", "--data", "x"], 2, "--data and --partition go together"),
        (["same-vs-novel", "--model", "gaitbas"], 2, "unknown model 'gaitbas'"),
        (["few-labels", "--labels", "50,10"], 2, "--labels: cannot read '50,10'; write rising percentages"),
        (["same-vs-novel", "--synthetic-share", "2"], 2, "synthetic share: found '2'"),
        (["same-vs-novel", "--train", "40"], 2, "--weights: bundled was not trained on exactly the 40 people"),
        (["same-vs-novel", "--train", "75"], 2, "75 people to train on and 0 to test; both are needed"),
        (["same-vs-novel", "--data", "x", "--partition", "nowhere.json"], 1, "there is no partition file nowhere.json"),
    ],
)
def test_bad_options_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, message: str
) -> None:
    assert main(["experiment", *words, "--out", str(tmp_path / "x")]) == code
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "x").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["completion", "synthetic-only"])
def test_a_tiny_experiment_ends_with_a_table_and_a_plot(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    size = ["--subjects", "6", "--train", "4", "--views", "054,090", "--seeds", "1", "--iterations", "1"]
    generator = ["--weights", "none", "--config", str(tmp_path / "config.yaml"), "--generator-clips", "4"]
    words = ["experiment", name, "--out", str(tmp_path / "x"), *size, *generator]
    assert main([*words, "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert results["chance"] == 50.0
    assert [arm["name"] for arm in results["arms"]][-1] == "untrained"
    assert all(len(arm["rank1"][condition]) == 1 for arm in results["arms"] for condition in ("NM", "BG", "CL"))
    assert (tmp_path / "x" / f"{name}.svg").read_text().startswith("<svg")
    assert main(words) == 0

"""``gaitcrafter simulate`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from tests.refusals import assert_refused, content_of, full_disk, refused

SMALL = ("--subjects", "2", "--views", "054,090", "--takes", "nm=2,bg=1,cl=1", "--frames", "5")


def simulate(*arguments: object) -> int:
    return main(["simulate", *map(str, arguments)])


def test_what_is_asked_for_is_made_of_the_same_bytes_by_any_processes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate("--out", tmp_path / "1", *SMALL, "--jobs", 1, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["clips_made"], result["clips_kept"], result["subjects"], result["train"]) == (16, 0, 2, 1)
    assert simulate("--out", tmp_path / "2", *SMALL, "--jobs", 2) == 0
    assert len(content_of(tmp_path / "1")) == 16 + 2
    assert content_of(tmp_path / "1") == content_of(tmp_path / "2")
    assert simulate("--out", tmp_path / "c", *SMALL, "--jobs", 1, "--conditions", "cl") == 0
    assert {key.take for key in SilhouetteStore(tmp_path / "c" / "pkl")} == {"cl-01"}


def test_wrong_usage_is_one_line_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for option, value in (("--subjects", "0"), ("--views", "091"), ("--takes", "nm=many"), ("--takes", "nm=²")):
        command = ["simulate", "--out", str(tmp_path / "c"), "--subjects", "2", option, value]
        assert_refused(command, 2, option, tmp_path, capsys)
    paper = tmp_path / "paper.tex"
    paper.write_text("x")
    for out, words in ((tmp_path, "paper.tex"), (paper, "is a file")):
        assert_refused(["simulate", "--out", str(out), *SMALL], 1, words, tmp_path, capsys)


def test_a_full_disk_is_one_line_and_the_next_run_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for largest in (100, 5000):  # a clip has 20 kB
        with full_disk(largest):
            code = simulate("--out", tmp_path / "c", *SMALL, "--jobs", 1)
        assert "free space" in refused(capsys, code)
        assert not list((tmp_path / "c" / "pkl").rglob("*.*"))
    assert simulate("--out", tmp_path / "c", *SMALL, "--jobs", 1) == 0
    assert "16 clips made" in capsys.readouterr().out

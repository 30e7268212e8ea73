"""``gaitcrafter simulate`` as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.silhouettes.store import SilhouetteStore

TOOL = Path(__file__).parents[2] / "tools" / "simulate.py"
SMALL = ("--subjects", "2", "--views", "054,090", "--takes", "nm=2,bg=1,cl=1", "--frames", "5", "--jobs", "1")


def simulate(*arguments: object) -> int:
    return main(["simulate", *map(str, arguments)])


def content(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_the_bytes_do_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    assert simulate("--out", tmp_path / "1", *SMALL) == 0
    two = [sys.executable, TOOL, "--out", tmp_path / "2", *SMALL, "--jobs", "2"]
    done = subprocess.run([*map(str, two)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(content(tmp_path / "1")) == 2 * 4 * 2 + 2
    assert content(tmp_path / "1") == content(tmp_path / "2")


def test_the_result_is_on_stdout_and_a_rerun_keeps_what_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate("--out", tmp_path / "c", *SMALL, "--json") == 0
    out = capsys.readouterr().out
    result = json.loads(out)
    assert (result["clips_made"], result["clips_kept"]) == (16, 0)
    assert (result["subjects"], result["train"]) == (2, 1)
    assert simulate("--out", tmp_path / "c", *SMALL) == 0
    assert "0 clips made, 16 were there" in capsys.readouterr().out


def test_conditions_choose_among_the_takes(tmp_path: Path) -> None:
    assert simulate("--out", tmp_path / "c", *SMALL, "--conditions", "cl") == 0
    assert {key.take for key in SilhouetteStore(tmp_path / "c" / "pkl")} == {"cl-01"}


def test_wrong_usage_is_one_line_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for option, value in (
        ("--subjects", "0"),
        ("--subjects", "two"),
        ("--views", "091"),
        ("--conditions", "rain"),
        ("--takes", "nm=many"),
        ("--frames", "1000"),
        ("--jobs", "-1"),
        ("--train", "3"),
    ):
        assert simulate("--out", tmp_path / "c", "--subjects", "2", option, value) == 2
        err = capsys.readouterr().err
        assert err.startswith((f"error: {option}", f"error: argument {option}"))
        assert value in err
        assert err.count("\n") == 1
        assert not (tmp_path / "c").exists()


def test_a_folder_in_use_or_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paper = tmp_path / "paper.tex"
    paper.write_text("x")
    for out, message in ((tmp_path, "paper.tex"), (paper, "is a file")):
        assert simulate("--out", out, *SMALL) == 1
        last = capsys.readouterr().err.strip().splitlines()[-1]
        assert last.startswith("error: ")
        assert message in last
    assert paper.read_text() == "x"


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limit there")
def test_a_full_disk_is_one_line_and_the_next_run_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    limited = (  # a clip has 20 kB
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)); "
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-c", limited, str(TOOL), "--out", str(tmp_path / "c"), *SMALL]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "free space" in done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "c" / "pkl").rglob("*.*"))
    assert simulate("--out", tmp_path / "c", *SMALL) == 0
    assert "16 clips made" in capsys.readouterr().out

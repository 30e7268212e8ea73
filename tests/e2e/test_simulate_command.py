"""``tools/simulate.py`` as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gaitcrafter_ext.silhouettes.store import SilhouetteStore

TOOL = Path(__file__).parents[2] / "tools" / "simulate.py"
SMALL = ("--subjects", "2", "--views", "054,090", "--takes", "nm=2,bg=1,cl=1", "--frames", "5")


def simulate(*arguments: object, limit: int | None = None) -> tuple[int, str, str]:
    """Run the command; ``limit`` is the largest file it may write, bytes: a disk that is full half-way."""
    start = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); " if limit else ""
    script = f"{start}import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, *(("-c", script) if limit else ()), str(TOOL), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def content(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_the_bytes_do_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    for jobs in (1, 2):
        code, _, err = simulate("--out", tmp_path / str(jobs), *SMALL, "--jobs", jobs)
        assert code == 0, err
    one, two = content(tmp_path / "1"), content(tmp_path / "2")
    assert len(one) == 2 * 4 * 2 + 2
    assert one == two


def test_the_result_is_on_stdout_and_the_progress_on_stderr(tmp_path: Path) -> None:
    code, out, err = simulate("--out", tmp_path / "c", *SMALL, "--jobs", 1, "--json")
    assert code == 0
    result = json.loads(out)
    assert (result["clips_made"], result["clips_kept"]) == (16, 0)
    assert (result["subjects"], result["train"]) == (2, 1)
    assert "frames/s" in err
    code, out, _ = simulate("--out", tmp_path / "c", *SMALL, "--jobs", 1)
    assert code == 0
    assert "0 clips made, 16 were there" in out


def test_conditions_choose_among_the_takes(tmp_path: Path) -> None:
    code, _, _ = simulate("--out", tmp_path / "c", *SMALL, "--conditions", "cl", "--jobs", 1)
    assert code == 0
    assert {key.take for key in SilhouetteStore(tmp_path / "c" / "pkl").keys()} == {"cl-01"}  # noqa: SIM118


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--subjects", "0"), "--subjects 0"),
        (("--subjects", "2", "--views", "091"), "'091'"),
        (("--subjects", "2", "--conditions", "rain"), "'rain'"),
        (("--subjects", "2", "--takes", "nm=many"), "--takes"),
        (("--subjects", "2", "--frames", "1000"), "--frames 1000"),
        (("--subjects", "2", "--jobs", "-1"), "--jobs -1"),
        (("--subjects", "2", "--train", "3"), "--train 3"),
        (("--subjects", "two"), "--subjects"),
    ],
)
def test_wrong_usage_is_one_line_and_writes_nothing(tmp_path: Path, arguments: tuple[str, ...], word: str) -> None:
    code, out, err = simulate("--out", tmp_path / "c", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert word in err
    assert err.count("\n") == 1
    assert not (tmp_path / "c").exists()


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "paper.tex").write_text("x")
    code, _, err = simulate("--out", tmp_path, *SMALL, "--jobs", 1)
    assert code == 1
    assert err.strip().splitlines()[-1].startswith("error: ")
    assert "paper.tex" in err
    assert "Traceback" not in err


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limit there")
def test_a_full_disk_is_one_line_and_the_next_run_goes_on(tmp_path: Path) -> None:
    code, _, err = simulate("--out", tmp_path / "c", *SMALL, "--jobs", 1, limit=5000)  # a clip has 20 kB
    assert code == 1
    assert "free space" in err.strip().splitlines()[-1]
    assert "Traceback" not in err
    assert not list((tmp_path / "c" / "pkl").rglob("*.*"))
    code, out, _ = simulate("--out", tmp_path / "c", *SMALL, "--jobs", 1)
    assert code == 0
    assert "16 clips made" in out


def test_the_sides_stay_when_the_number_to_train_on_is_left_out(tmp_path: Path) -> None:
    assert simulate("--out", tmp_path / "c", *SMALL, "--train", 2, "--jobs", 1)[0] == 0
    before = content(tmp_path / "c")
    code, out, err = simulate("--out", tmp_path / "c", *SMALL, "--jobs", 1)
    assert (code, out) == (1, "")
    assert "1 of its 2 people would change" in err
    assert "sim-002" in err
    assert "--train 2" in err
    assert content(tmp_path / "c") == before


def test_an_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("x")
    code, _, err = simulate("--out", tmp_path / "c", *SMALL)
    assert code == 1
    assert "is a file" in err
    assert (tmp_path / "c").read_text() == "x"

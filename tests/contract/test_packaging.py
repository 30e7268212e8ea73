"""What an installed package needs travels with it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import gaitcrafter_ext

ROOT = Path(__file__).parents[2]


def test_every_file_of_the_package_that_is_no_module_is_package_data() -> None:
    tomllib = pytest.importorskip("tomllib")  # from Python 3.11 on
    listed = subprocess.run(["git", "ls-files", "gaitcrafter_ext"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    packed = {
        path.relative_to(ROOT).as_posix()
        for package, patterns in data.items()
        for pattern in patterns
        for path in (ROOT / package.replace(".", "/")).glob(pattern.replace("**", "**/*"))
    }
    assert {name for name in listed.stdout.split() if not name.endswith(".py")} - packed == set()


def test_the_changelog_begins_with_this_version() -> None:
    first = next(line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## "))
    assert first.split()[1].rstrip(",") == gaitcrafter_ext.__version__

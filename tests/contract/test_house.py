"""The house rules that a reader of any file may rely on."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gaitcrafter_ext

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "gaitcrafter_ext"
LONGEST_FUNCTION = 50

# Import names of distributions that bear another name, and of one that is used without an import statement.
IMPORT_NAME = {
    "huggingface-hub": "huggingface_hub",
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
    "tensorboard": "torch.utils.tensorboard",
}
OPTIONAL = {"typing_extensions", "shtab", "pyarrow", "ray"}  # for the type checker alone; extras, if asked for


@functools.cache
def modules() -> dict[str, ast.Module]:
    """Every module of the package by its path below the root, parsed."""
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}


@functools.cache
def imported() -> set[str]:
    """Every module that the package names in an import statement, and what it imports from it."""
    found = set()
    for tree in modules().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def tracked(*below: str) -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z", *below], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_functions_are_short() -> None:
    long = [
        f"{name}: {node.name}"
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION
    ]
    assert long == []


def test_no_drawer_for_odds_and_ends() -> None:
    drawers = {"utils", "util", "common", "helpers", "misc"}
    assert [name for name in modules() if Path(name).stem in drawers] == []


def test_no_path_of_a_developers_machine_is_tracked() -> None:
    machine_path = re.compile(r"(?<![\w.])/(work|farm|root|home/\w+|Users/\w+)/|/tmp/[a-z]")
    found = []
    for name in tracked():
        text = (ROOT / name).read_text(errors="ignore")
        if machine_path.search(text) and "\0" not in text:
            found += [f"{name}: {line.strip()}" for line in text.splitlines() if machine_path.search(line)]
    assert found == []


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    block = re.search(r"^dependencies = \[\n(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL)
    assert block is not None
    names = [re.split(r"[<>=!~; \[]", line.strip(' "'))[0].lower() for line in block[1].splitlines()]
    declared = {IMPORT_NAME.get(name, name) for name in names}
    found = {name.split(".")[0] for name in imported()}
    assert declared - found - imported() == set()
    foreign = found - set(sys.stdlib_module_names) - {"gaitcrafter_ext"}
    assert foreign - declared - OPTIONAL == set()


def test_every_file_of_the_package_that_is_no_module_is_package_data() -> None:
    tomllib = pytest.importorskip("tomllib")  # from Python 3.11 on
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    packed = {
        path.relative_to(ROOT).as_posix()
        for package, patterns in data.items()
        for pattern in patterns
        for path in (ROOT / package.replace(".", "/")).glob(pattern.replace("**", "**/*"))
    }
    assert {name for name in tracked("gaitcrafter_ext") if not name.endswith(".py")} - packed == set()


def test_the_changelog_begins_with_this_version() -> None:
    first = next(line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## "))
    assert first.split()[1].rstrip(",") == gaitcrafter_ext.__version__

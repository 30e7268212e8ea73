"""The house rules that a reader of any file may rely on."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "gaitcrafter_ext").rglob("*.py"))
LONGEST_MODULE = 300
LONGEST_FUNCTION = 60

# Import names of distributions that bear another name.
IMPORT_NAME = {"opencv-python-headless": "cv2", "pyyaml": "yaml"}

# Used without an import statement: torch.utils.tensorboard needs it.
IMPLIED = {"tensorboard": "torch.utils.tensorboard"}


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_modules_and_functions_are_short(path: Path) -> None:
    source = path.read_text()
    assert source.count("\n") < LONGEST_MODULE
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert (node.end_lineno or 0) - node.lineno + 1 <= LONGEST_FUNCTION, f"{node.name} is too long"


def test_no_drawer_for_odds_and_ends() -> None:
    assert [relative(path) for path in MODULES if path.stem in {"utils", "util", "common", "helpers", "misc"}] == []


def test_no_path_of_somebodys_machine_is_tracked() -> None:
    machine_path = re.compile(r"(?<![\w.])/(work|farm|root|home/\w+|Users/\w+)/|/tmp/[a-z]")
    found = []
    for path in tracked_files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{relative(path)}: {line.strip()}" for line in text.splitlines() if machine_path.search(line)]
    assert found == []


def declared_dependencies() -> list[str]:
    requirements = importlib.metadata.requires("gaitcrafter-ext") or []
    names = [re.split(r"[<>=!~; \[]", line)[0] for line in requirements if "extra ==" not in line]
    return [name.lower() for name in names]


@pytest.mark.parametrize("name", declared_dependencies())
def test_every_declared_dependency_is_imported_somewhere(name: str) -> None:
    module = IMPLIED.get(name, IMPORT_NAME.get(name, name))
    statement = re.compile(rf"^\s*(from|import) {re.escape(module)}\b", re.MULTILINE)
    assert any(statement.search(path.read_text()) for path in MODULES), f"no module imports {module}"


def test_every_third_party_import_is_declared() -> None:
    declared = {IMPORT_NAME.get(name, name) for name in declared_dependencies()}
    optional = {"anny"}
    found = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            found |= {name.split(".")[0] for name in names}
    foreign = found - set(sys.stdlib_module_names) - {"gaitcrafter_ext"}
    assert foreign - declared - optional == set()

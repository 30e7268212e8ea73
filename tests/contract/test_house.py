"""The house rules that a reader of any file may rely on."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "gaitcrafter_ext").rglob("*.py"))
LONGEST_FUNCTION = 60

# Import names of distributions that bear another name.
IMPORT_NAME = {
    "huggingface-hub": "huggingface_hub",
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
}

# Declared ahead of the rooms that will use them.
COMING = {"filelock", "scipy", "sklearn", "kornia", "matplotlib", "jinja2"}

# Used without an import statement: torch.utils.tensorboard needs it.
IMPLIED = {"tensorboard": "torch.utils.tensorboard"}


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_functions_are_short() -> None:
    long = [
        f"{relative(path)}: {node.name}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION
    ]
    assert long == []


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
    block = re.search(r"^dependencies = \[\n(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL)
    assert block is not None
    return [re.split(r"[<>=!~; \[]", line.strip(' "'))[0].lower() for line in block[1].splitlines()]


def test_every_declared_dependency_is_imported_somewhere() -> None:
    text = "\n".join(path.read_text() for path in MODULES)
    modules = [IMPLIED.get(name, IMPORT_NAME.get(name, name)) for name in declared_dependencies()]
    unused = {name for name in modules if not re.search(rf"^\s*(from|import) {re.escape(name)}\b", text, re.MULTILINE)}
    assert unused <= COMING


def test_every_third_party_import_is_declared() -> None:
    declared = {IMPORT_NAME.get(name, name) for name in declared_dependencies()}
    optional = {"typing_extensions", "shtab", "pyarrow", "ray"}  # for the type checker alone; extras, if asked for
    found = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            found |= {name.split(".")[0] for name in names}
    foreign = found - set(sys.stdlib_module_names) - {"gaitcrafter_ext"}
    assert foreign - declared - optional == set()

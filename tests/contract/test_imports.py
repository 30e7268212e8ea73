"""Arrows run one way: a room imports only from floors below it, and stays light where it promises to."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import gaitcrafter_ext

PACKAGE = Path(gaitcrafter_ext.__file__).parent
FLOORS = (
    ("errors",),
    ("records",),
    ("vocabulary", "hardware", "torchvision_build"),
    ("silhouettes", "metrics"),
    ("simulation", "generator", "recognition"),
    ("synthesis",),
    ("audit",),
    ("opengait",),
    ("benchmarks", "experiments"),
    ("cli",),
)
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
FACADE = ("__init__", "__main__")

# Rooms the command line reads before it knows that it will need torch, and those that old environments import.
TORCH_FREE = ("errors", "records", "vocabulary", "cli", "synthesis", "silhouettes")
TORCH_FREE_MODULES = ("generator.samplers", "generator.shape", "generator.weights")


def module_paths() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every module named by an import statement, wherever it stands, with the level of a relative one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield from ((f"{module}.{alias.name}", node.level) for alias in node.names)


def offences(source: str, room: str) -> list[str]:
    """What a module of ``room`` imports that it must not."""
    found = []
    for name, level in imported(ast.parse(source)):
        parts = name.split(".")
        if level:
            found.append(f"relative import of {name}")
        elif parts[0] == "gaitcrafter_ext" and parts[1:] != ["__version__"]:
            target = parts[1] if len(parts) > 1 else "the facade"
            if target != room and FLOOR_OF.get(target, len(FLOORS)) >= FLOOR_OF[room]:
                found.append(f"{room} imports {target}")
    return found


def test_modules_import_only_from_floors_below() -> None:
    found = {}
    for path in module_paths():
        room = module_name(path).split(".")[0]
        if room not in FACADE:
            assert room in FLOOR_OF, f"{room} stands on no floor: add it to FLOORS"
            found[module_name(path)] = offences(path.read_text(), room)
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    ("room", "statement"),
    [
        ("silhouettes", "from gaitcrafter_ext.generator import card"),
        ("generator", "import gaitcrafter_ext.simulation"),
        ("simulation", "def late():\n    from gaitcrafter_ext.cli.main import main"),
        ("synthesis", "from . import plan"),
        ("synthesis", "from gaitcrafter_ext import SilhouetteStore"),
    ],
)
def test_an_arrow_that_runs_upward_or_sideways_is_found(room: str, statement: str) -> None:
    assert len(offences(statement, room)) == 1


def torch_free_modules() -> list[str]:
    names = [module_name(path) for path in module_paths()]
    chosen = [name for name in names if name.split(".")[0] in TORCH_FREE]
    return [f"gaitcrafter_ext.{name}" for name in chosen + [name for name in TORCH_FREE_MODULES if name in names]]


def test_the_light_rooms_import_without_torch() -> None:
    names = ["gaitcrafter_ext", *torch_free_modules()]
    script = (
        "import importlib, sys\n"
        f"for name in {names!r}:\n"
        "    importlib.import_module(name)\n"
        "    heavy = {'torch', 'diffusers', 'accelerate'} & set(sys.modules)\n"
        "    assert not heavy, f'{name} loads {heavy}'\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_public_name_loads() -> None:
    for name in gaitcrafter_ext.__all__:
        home = gaitcrafter_ext._HOME.get(name)
        assert home is None or (PACKAGE / f"{home.replace('.', '/')}.py").exists(), f"{name}: no module {home}"
        assert getattr(gaitcrafter_ext, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = gaitcrafter_ext.nothing

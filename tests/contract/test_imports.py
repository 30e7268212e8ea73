"""Arrows run one way: a room imports only from floors below it, and stays light where it promises to."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest

import gaitcrafter_ext
from tests.contract.test_house import modules

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
TORCH_FREE_MODULES = ("generator.sampling", "generator.weights")


def imported(tree: ast.Module) -> Iterator[str]:
    """Every module named by an import statement, wherever it stands; a relative one begins with a dot."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


def offences(tree: ast.Module, room: str) -> list[str]:
    """What a module of ``room`` imports that it must not."""
    found = []
    for name in imported(tree):
        parts = name.split(".")
        if not parts[0]:
            found.append(f"relative import of {name}")
        elif parts[0] == "gaitcrafter_ext" and parts[1:] != ["__version__"]:
            target = parts[1] if len(parts) > 1 else "the facade"
            if target != room and FLOOR_OF.get(target, len(FLOORS)) >= FLOOR_OF[room]:
                found.append(f"{room} imports {target}")
    return found


def module_name(path: str) -> str:
    return path.removeprefix("gaitcrafter_ext/").removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def test_modules_import_only_from_floors_below() -> None:
    found = {}
    for path, tree in modules().items():
        room = module_name(path).split(".")[0]
        if room not in FACADE:
            assert room in FLOOR_OF, f"{room} stands on no floor: add it to FLOORS"
            found[path] = offences(tree, room)
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


def test_an_arrow_that_runs_upward_or_sideways_is_found() -> None:
    for room, statement in (
        ("silhouettes", "from gaitcrafter_ext.generator import card"),
        ("generator", "import gaitcrafter_ext.simulation"),
        ("simulation", "def late():\n    from gaitcrafter_ext.cli.main import main"),
        ("synthesis", "from . import plan"),
        ("synthesis", "from gaitcrafter_ext import SilhouetteStore"),
    ):
        assert len(offences(ast.parse(statement), room)) == 1


def test_the_light_rooms_import_without_torch() -> None:
    there = [module_name(path) for path in modules()]
    light = [name for name in there if name.split(".")[0] in TORCH_FREE or name in TORCH_FREE_MODULES]
    names = ["gaitcrafter_ext", *(f"gaitcrafter_ext.{name}" for name in light)]
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
        assert getattr(gaitcrafter_ext, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = gaitcrafter_ext.nothing

"""``tools/X.py`` and ``gaitcrafter X`` are one command, and no tool hides a module from the others."""

from __future__ import annotations

import argparse
import importlib.metadata
import subprocess
import sys
from pathlib import Path

from gaitcrafter_ext.cli.main import command_names, load_command

TOOLS = Path(__file__).parents[2] / "tools"
SCRIPTS = {"export_bodies", "_command"}  # a maintainer's, of no command; what the others share
NAMES = command_names()
TEMPLATE = '''"""``gaitcrafter {name}`` for people working in a checkout."""

from _command import run

if __name__ == "__main__":
    run(__file__)
'''


def test_each_command_has_its_tool_and_each_tool_its_command() -> None:
    assert sorted({path.stem for path in TOOLS.glob("*.py")} - SCRIPTS) == NAMES


def test_every_command_module_keeps_the_contract() -> None:
    for name in NAMES:
        command = load_command(name)
        command.add_arguments(argparse.ArgumentParser())
        assert command.HELP.splitlines()[0].strip(), name
        assert callable(command.run), name


def test_no_tool_bears_the_name_of_a_module() -> None:
    # `python tools/x.py` puts the folder first on the path: a tools/json.py would break every import of json.
    ours = {"gaitcrafter_ext"}
    installed = set(importlib.metadata.packages_distributions()) | set(sys.stdlib_module_names)
    assert {path.stem for path in TOOLS.glob("*.py")} & (installed - ours) == set()


def test_a_tool_only_calls_its_command() -> None:
    assert {name: (TOOLS / f"{name}.py").read_text() for name in NAMES} == {
        name: TEMPLATE.format(name=name) for name in NAMES
    }


def test_a_tool_answers_as_its_command_does() -> None:
    done = subprocess.run(
        [sys.executable, "tools/simulate.py", "--outt"], capture_output=True, text=True, cwd=TOOLS.parent
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")

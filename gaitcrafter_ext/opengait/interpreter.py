"""Running a module of this package in another process, and if need be by another interpreter.

OpenGait's environment may be too old for the generator. The child runs the code of this very package, loaded from
its folder, whichever interpreter runs it; only third-party packages come from the other environment.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from gaitcrafter_ext.errors import MissingError, StorageError
from gaitcrafter_ext.opengait.device import VISIBLE_VARIABLE

__all__ = ["PYTHON_VARIABLE", "choose_python", "start_module"]

#: Environment variable that names the interpreter of the generator's environment.
PYTHON_VARIABLE = "GAITCRAFTER_PYTHON"

#: Loads the package from its folder, and from nowhere else, then runs one of its modules.
BOOT = """
import importlib.util, runpy, sys
folder, module = sys.argv[1:3]
sys.path[:] = [entry for entry in sys.path if entry]
spec = importlib.util.spec_from_file_location(
    "gaitcrafter_ext", folder + "/__init__.py", submodule_search_locations=[folder])
package = sys.modules["gaitcrafter_ext"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
sys.argv = [module, *sys.argv[3:]]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""

# The child is no rank of the run that starts it.
_RANK_VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT")


def choose_python(wanted: str | None) -> str:
    """The interpreter for the generator: the entry's ``python``, else $GAITCRAFTER_PYTHON, else this one.

    Raises:
        MissingError: There is no such program.
    """
    named = wanted or os.environ.get(PYTHON_VARIABLE) or sys.executable
    found = shutil.which(os.path.expanduser(named))
    if found is None:
        raise MissingError(
            f"there is no interpreter '{named}'; set 'python:' or {PYTHON_VARIABLE} to one that is there"
        )
    return found


def start_module(python: str, module: str, arguments: Sequence[str], gpu: str | None = None) -> subprocess.Popen[str]:
    """Start ``gaitcrafter_ext.<module>``; its stdin and stdout are pipes, its stderr is ours.

    The pipe to its stdin closes when this process ends, however it ends; a child that reads it can end, too.

    Args:
        python: The interpreter.
        module: E.g. ``"opengait.generate"``.
        arguments: Of the module.
        gpu: The one GPU it shall see; every GPU that this run was started with where not given.

    Raises:
        StorageError: The system cannot start it.
    """
    folder = str(Path(__file__).resolve().parents[1])
    command = [python, "-c", BOOT, folder, f"gaitcrafter_ext.{module}", *arguments]
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in _RANK_VARIABLES and not name.startswith("TORCHELASTIC_")
    }
    visible = environment.pop(VISIBLE_VARIABLE, None)
    visible = visible if gpu is None else gpu
    if visible == "all":
        environment.pop("CUDA_VISIBLE_DEVICES", None)
    elif visible is not None:
        environment["CUDA_VISIBLE_DEVICES"] = visible
    try:
        return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    except OSError as error:
        raise StorageError(f"cannot start {python}: {error.strerror or error}") from error

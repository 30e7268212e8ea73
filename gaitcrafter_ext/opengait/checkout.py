"""An OpenGait checkout, and the one file that may be put into it; nothing of it is imported here.

OpenGait imports every file of its models' folder, so a *shim* there introduces us to OpenGait's own ``main.py``.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from gaitcrafter_ext import __version__
from gaitcrafter_ext.errors import ConflictError, MissingError, UsageError
from gaitcrafter_ext.silhouettes.files import atomic_write_text, cache_root, storage_error

#: Environment variable that names the checkout where no option does.
ROOT_VARIABLE = "OPENGAIT_ROOT"

#: Files that hold what we hook into.
REQUIRED = (
    "configs/default.yaml",
    "opengait/main.py",
    "opengait/data/dataset.py",
    "opengait/data/collate_fn.py",
    "opengait/data/sampler.py",
    "opengait/data/transform.py",
    "opengait/evaluation/evaluator.py",
    "opengait/modeling/base_model.py",
    "opengait/modeling/models/__init__.py",
    "opengait/utils/common.py",
)

#: Sorted before OpenGait's own models, one of which may fail on a package that is missing.
SHIM_NAME = "AAA_gaitcrafter.py"

_HEAD = "# gaitcrafter shim"

_SHIM = (
    _HEAD
    + ''', package {version}
"""Introduces gaitcrafter_ext to this OpenGait: synthetic people under data_cfg, and a sampler for them.

Written by `gaitcrafter opengait install`; take it away by `gaitcrafter opengait uninstall`, or delete it.
"""
import importlib.util
import os
import sys

if importlib.util.find_spec("gaitcrafter_ext") is None:
    folder = {package!r}
    file = os.path.join(folder, "__init__.py")
    if not os.path.isfile(file):
        sys.exit("error: gaitcrafter_ext is neither installed here nor at " + folder
                 + "; install the shim again, or delete " + __file__)
    spec = importlib.util.spec_from_file_location("gaitcrafter_ext", file, submodule_search_locations=[folder])
    sys.modules["gaitcrafter_ext"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["gaitcrafter_ext"])

from gaitcrafter_ext.opengait import plugin

plugin.register_from_shim(__file__)
'''
)


class Checkout:
    """A folder that holds OpenGait.

    Args:
        root: The folder with ``opengait/`` and ``configs/`` in it; where None, what ``$OPENGAIT_ROOT`` names, else
            ``OpenGait`` in the cache (``~/.cache/gaitcrafter``).

    Raises:
        UsageError: No folder was named.
        MissingError: There is no such folder, or it lacks what we hook into; the message names what.
    """

    def __init__(self, root: str | os.PathLike[str] | None = None) -> None:
        cached = cache_root() / "OpenGait"
        named = root or os.environ.get(ROOT_VARIABLE) or (cached if cached.is_dir() else None)
        if not named:
            raise UsageError(
                f"no OpenGait checkout named; give --opengait PATH, set {ROOT_VARIABLE}, or run: "
                f"git clone https://github.com/ShiqiYu/OpenGait {cached}"
            )
        self.root = Path(named).expanduser().resolve()
        self.package = self.root / "opengait"
        self.shim = self.package / "modeling" / "models" / SHIM_NAME
        if not self.package.is_dir():
            raise MissingError(f"no OpenGait checkout at {named}: there is no folder 'opengait' in it; clone it there")
        lacking = [name for name in REQUIRED if not (self.root / name).is_file()]
        if lacking:
            raise MissingError(
                f"the OpenGait checkout at {named} is too old or too new: it lacks {', '.join(lacking)}; "
                "check out a commit of 2024 to 2026"
            )

    @property
    def commit(self) -> str:
        """Short commit, ``"unknown"`` where it is no git checkout."""
        try:
            command = ["git", "-C", str(self.root), "rev-parse", "--short", "HEAD"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=20)
        except (OSError, subprocess.SubprocessError):
            return "unknown"
        return done.stdout.strip() if done.returncode == 0 else "unknown"

    @property
    def is_current(self) -> bool:
        """Whether the shim is what ``install`` would write."""
        return self._installed() == _shim_text()

    def describe(self) -> str:
        """The shim's state in one line."""
        found = self._installed()
        if found is None:
            return f"not installed ({self.shim} is not there)"
        if not found.startswith(_HEAD):
            return f"{self.shim} is not ours"
        again = "" if self.is_current else ", but changed or of another version; run install again"
        return f"installed: {self.shim}{again}"

    def install(self) -> None:
        """Write the shim; one of ours, of whatever version, is replaced."""
        self._refuse_foreign()
        atomic_write_text(self.shim, _shim_text())

    def uninstall(self) -> bool:
        """Take the shim away, with what Python compiled of it; False where there was none."""
        self._refuse_foreign()
        there = self.shim.exists()
        try:
            self.shim.unlink(missing_ok=True)
            for compiled in (self.shim.parent / "__pycache__").glob(f"{self.shim.stem}.*.pyc"):
                compiled.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(self.shim, error, "delete") from error
        return there

    def _installed(self) -> str | None:
        try:
            return self.shim.read_text(encoding="utf-8", errors="replace") if self.shim.exists() else None
        except OSError as error:
            raise storage_error(self.shim, error, "read") from error

    def _refuse_foreign(self) -> None:
        if not (self._installed() or _HEAD).startswith(_HEAD):
            raise ConflictError(f"{self.describe()}; look at it and delete it yourself, then run this again")


def _shim_text() -> str:
    return _SHIM.format(package=str(Path(__file__).resolve().parents[1]), version=__version__)

"""An OpenGait checkout: is it one, and has it what we hook into? Nothing of it is imported here."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from gaitcrafter_ext.errors import MissingError, UsageError
from gaitcrafter_ext.silhouettes.files import cache_root

__all__ = ["ROOT_VARIABLE", "Checkout"]

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
        if not self.package.is_dir():
            raise MissingError(f"no OpenGait checkout at {named}: there is no folder 'opengait' in it; clone it there")
        lacking = [name for name in REQUIRED if not (self.root / name).is_file()]
        if lacking:
            raise MissingError(
                f"the OpenGait checkout at {named} is too old or too new: it lacks {', '.join(lacking)}; "
                "check out a commit of 2024 to 2026"
            )

    @property
    def package(self) -> Path:
        """The folder that ``main.py`` runs from, ``<root>/opengait``."""
        return self.root / "opengait"

    @property
    def models(self) -> Path:
        """The folder whose every file OpenGait imports."""
        return self.package / "modeling" / "models"

    @property
    def commit(self) -> str:
        """Short commit, ``"unknown"`` where it is no git checkout."""
        try:
            command = ["git", "-C", str(self.root), "rev-parse", "--short", "HEAD"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=20)
        except (OSError, subprocess.SubprocessError):
            return "unknown"
        return done.stdout.strip() if done.returncode == 0 else "unknown"

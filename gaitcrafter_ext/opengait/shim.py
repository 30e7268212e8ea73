"""The one file that may be put into a checkout: OpenGait imports every model file, so this one introduces us."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from gaitcrafter_ext import __version__
from gaitcrafter_ext.errors import ConflictError, StorageError
from gaitcrafter_ext.opengait.checkout import Checkout
from gaitcrafter_ext.opengait.plugin import SHIM_FORMAT
from gaitcrafter_ext.silhouettes.files import atomic_write_text, storage_error

__all__ = ["SHIM_NAME", "ShimState", "install", "state_of", "uninstall"]

#: Sorted before OpenGait's own models, one of which may fail on a package that is missing.
SHIM_NAME = "AAA_gaitcrafter.py"

_HEAD = re.compile(r"# gaitcrafter shim (?P<format>\d+), package (?P<version>\S+), sha256 (?P<sha>[0-9a-f]{64})\n")

_TEXT = '''\
"""Introduces gaitcrafter_ext to this OpenGait: synthetic people under data_cfg, and a sampler for them.

Written by `gaitcrafter opengait install`; take it away by `gaitcrafter opengait uninstall`, or delete it.
"""
import importlib.util as _util
import os as _os
import sys as _sys

_PACKAGE = {package!r}


def _introduce():
    if _util.find_spec("gaitcrafter_ext") is None:
        if not _os.path.isfile(_os.path.join(_PACKAGE, "__init__.py")):
            _sys.exit("error: gaitcrafter_ext is neither installed here nor at " + _PACKAGE
                      + "; install the shim again, or delete " + __file__)
        spec = _util.spec_from_file_location(
            "gaitcrafter_ext", _os.path.join(_PACKAGE, "__init__.py"), submodule_search_locations=[_PACKAGE])
        _sys.modules["gaitcrafter_ext"] = _util.module_from_spec(spec)
        spec.loader.exec_module(_sys.modules["gaitcrafter_ext"])
    from gaitcrafter_ext.opengait import plugin
    plugin.register_from_shim(__file__, {format})


_introduce()
'''


@dataclass(frozen=True)
class ShimState:
    """What there is of a shim in a checkout.

    Attributes:
        path: Where it is, or would be.
        there: Whether there is a file.
        ours: Whether we wrote it.
        changed: Whether somebody changed it since.
        format: Its version; None where it is not ours.
        package: Version of the package that wrote it.
    """

    path: Path
    there: bool = False
    ours: bool = False
    changed: bool = False
    format: int | None = None
    package: str = ""

    @property
    def current(self) -> bool:
        """Whether it is what ``install`` would write."""
        return self.ours and not self.changed and self.path.read_text(encoding="utf-8") == shim_text()

    def describe(self) -> str:
        """One line for people."""
        if not self.there:
            return f"not installed ({self.path} is not there)"
        if not self.ours:
            return f"{self.path} is not ours"
        if self.changed:
            return f"{self.path} was changed after we wrote it"
        if self.current:
            return f"installed: {self.path} (shim {self.format}, package {self.package})"
        return (
            f"installed, of another version: {self.path} (shim {self.format}, package {self.package}; this is shim "
            f"{SHIM_FORMAT}, package {__version__}); run install again"
        )


def shim_text() -> str:
    """The file that ``install`` writes."""
    body = _TEXT.format(package=str(Path(__file__).resolve().parents[1]), format=SHIM_FORMAT)
    return f"# gaitcrafter shim {SHIM_FORMAT}, package {__version__}, sha256 {_sha(body)}\n{body}"


def state_of(checkout: Checkout) -> ShimState:
    """Look for a shim in a checkout."""
    path = checkout.models / SHIM_NAME
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ShimState(path)
    except OSError as error:
        raise storage_error(path, error, "read") from error
    head = _HEAD.match(text)
    if head is None:
        return ShimState(path, there=True)
    changed = _sha(text[head.end() :]) != head["sha"]
    return ShimState(path, True, True, changed, int(head["format"]), head["version"])


def install(checkout: Checkout) -> ShimState:
    """Write the shim; one of ours, of whatever version, is replaced.

    Raises:
        ConflictError: A file of that name is not ours, or was changed since we wrote it.
        StorageError: The checkout cannot be written.
    """
    _refuse_foreign(state_of(checkout))
    atomic_write_text(checkout.models / SHIM_NAME, shim_text())
    return state_of(checkout)


def uninstall(checkout: Checkout) -> bool:
    """Take the shim away, with what Python compiled of it; False where there was none.

    Raises:
        ConflictError: The file is not ours, or was changed since we wrote it.
        StorageError: The checkout cannot be written.
    """
    state = state_of(checkout)
    _refuse_foreign(state)
    try:
        state.path.unlink(missing_ok=True)
        for compiled in (checkout.models / "__pycache__").glob(f"{state.path.stem}.*.pyc"):
            compiled.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(str(storage_error(state.path, error, "delete"))) from error
    return state.there


def _refuse_foreign(state: ShimState) -> None:
    if state.there and (not state.ours or state.changed):
        raise ConflictError(f"{state.describe()}; look at it and delete it yourself, then run this again")


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

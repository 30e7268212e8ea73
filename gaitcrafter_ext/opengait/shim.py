"""The one file that may be put into a checkout: OpenGait imports every model file, so this one introduces us."""

from __future__ import annotations

import re
from pathlib import Path

from gaitcrafter_ext import __version__
from gaitcrafter_ext.errors import ConflictError
from gaitcrafter_ext.opengait.checkout import Checkout
from gaitcrafter_ext.opengait.plugin import SHIM_FORMAT
from gaitcrafter_ext.silhouettes.files import atomic_write_text, storage_error

__all__ = ["SHIM_NAME", "describe", "install", "is_current", "uninstall"]

#: Sorted before OpenGait's own models, one of which may fail on a package that is missing.
SHIM_NAME = "AAA_gaitcrafter.py"

_HEAD = re.compile(r"# gaitcrafter shim (\d+), package (\S+)")

_TEXT = '''\
# gaitcrafter shim {format}, package {version}
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


def shim_text() -> str:
    """The file that ``install`` writes."""
    return _TEXT.format(package=str(Path(__file__).resolve().parents[1]), format=SHIM_FORMAT, version=__version__)


def describe(checkout: Checkout) -> str:
    """The shim's state in one line."""
    path, text = checkout.models / SHIM_NAME, _text(checkout)
    head = _HEAD.match(text or "")
    if text is None:
        return f"not installed ({path} is not there)"
    if head is None:
        return f"{path} is not ours"
    if is_current(checkout):
        return f"installed: {path}"
    return f"installed, but changed or of another version: {path} ({head[0][2:]}); run install again"


def is_current(checkout: Checkout) -> bool:
    """Whether the shim is what ``install`` would write."""
    return _text(checkout) == shim_text()


def install(checkout: Checkout) -> None:
    """Write the shim; one of ours, of whatever version, is replaced."""
    _refuse_foreign(checkout)
    atomic_write_text(checkout.models / SHIM_NAME, shim_text())


def uninstall(checkout: Checkout) -> bool:
    """Take the shim away, with what Python compiled of it; False where there was none."""
    _refuse_foreign(checkout)
    path, there = checkout.models / SHIM_NAME, _text(checkout) is not None
    try:
        path.unlink(missing_ok=True)
        for compiled in (checkout.models / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(path, error, "delete") from error
    return there


def _text(checkout: Checkout) -> str | None:
    path = checkout.models / SHIM_NAME
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error(path, error, "read") from error


def _refuse_foreign(checkout: Checkout) -> None:
    text = _text(checkout)
    if text is not None and _HEAD.match(text) is None:
        raise ConflictError(f"{describe(checkout)}; look at it and delete it yourself, then run this again")

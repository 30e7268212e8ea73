"""What can go wrong, in words its reader can act on.

Every message is one line that says what failed, what was found, what is allowed and what to change.
Each class is also the built-in it refines, so callers who know only Python catch it too.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence


class GaitCrafterError(Exception):
    """Anything this package refuses to do; the command line prints it without a traceback."""

    exit_code = 1


class UsageError(GaitCrafterError, ValueError):
    """An option or argument is not one of what is allowed."""

    exit_code = 2


class DataError(GaitCrafterError, ValueError):
    """A file is there but does not hold what it should."""


class MissingError(GaitCrafterError, FileNotFoundError):
    """A file, a folder or a person named by the user is not there."""


class ConflictError(GaitCrafterError, FileExistsError):
    """Going on would mix with, or overwrite, something that is not ours."""


class StorageError(GaitCrafterError, OSError):
    """The disk refused: full, read-only, no permission."""


class WeightsError(GaitCrafterError, ValueError):
    """A weights folder cannot be used: truncated, of another version, trained on other data."""


def suggest(name: str, allowed: Sequence[str]) -> str:
    """The tail of an error message: the allowed names, the nearest one first where there is one."""
    near = difflib.get_close_matches(name, allowed, n=1)
    return (f"did you mean '{near[0]}'? " if near else "") + f"allowed: {listed(allowed, 16)}"


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first names, and how many there are."""
    return ", ".join(names[:most]) + (f", ... ({len(names)} in all)" if len(names) > most else "")

"""What a label means: identity ``"001"``, take ``"nm-01"`` (condition ``nm``), view ``"090"``.

The words are OpenGait's own folder names, ``<root>/<identity>/<take>/<view>/<view>.pkl``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from gaitcrafter_ext.errors import DataError, UsageError, suggest

#: CASIA-B's walking conditions: normal, with a bag, in a coat.
CONDITIONS = ("nm", "bg", "cl")

#: CASIA-B's eleven views, degrees between walking direction and camera (000 = at the camera, 090 = from the side).
VIEWS = tuple(f"{degrees:03d}" for degrees in range(0, 181, 18))

#: The file of a view folder that holds the silhouettes, unless a dataset names another.
DEFAULT_FILE = "{view}.pkl"

#: How many takes of each condition one CASIA-B person has.
CASIA_B_TAKES = {"nm": 6, "bg": 2, "cl": 2}


@dataclass(frozen=True, order=True)
class ClipKey:
    """The name of one clip in an OpenGait tree; a take is OpenGait's *type* folder, e.g. ``"nm-01"``."""

    identity: str
    take: str
    view: str

    @property
    def condition(self) -> str:
        """The covariate of the take: ``"nm"`` of ``"nm-01"``."""
        return condition_of(self.take)

    def path(self, file: str = DEFAULT_FILE) -> PurePosixPath:
        """Where the clip lies under the root, ``001/nm-01/090/090.pkl``; ``file`` as in a dataset's rules."""
        return PurePosixPath(self.identity, self.take, self.view, file_name(file, self.view))

    def __str__(self) -> str:
        return f"{self.identity}/{self.take}/{self.view}"


def file_name(file: str, view: str) -> str:
    """Name of a view folder's file: ``"090-sils.pkl"`` of ``"{view}-sils.pkl"``."""
    return file.replace("{view}", view)


def condition_of(take: str) -> str:
    """Condition of a take: what stands before the first dash, or all of it where there is none."""
    return take.split("-", 1)[0]


def in_order(conditions: Iterable[str]) -> list[str]:
    """Each condition once, the known ones (:data:`CONDITIONS`) first, any others after them by name."""
    there = set(conditions)
    return [*(name for name in CONDITIONS if name in there), *sorted(there - set(CONDITIONS))]


def take_names(takes: dict[str, int], conditions: Iterable[str] = CONDITIONS) -> list[str]:
    """Take names of the given counts, in order: ``{"nm": 2, "bg": 1}`` -> ``nm-01 nm-02 bg-01``."""
    return [f"{condition}-{number:02d}" for condition in conditions for number in range(1, takes[condition] + 1)]


def view_deg(view: str) -> float:
    """Angle that a view's name stands for; ``DataError`` where it is not a number of degrees in [0, 360)."""
    try:
        degrees = float(view)
    except ValueError:
        degrees = -1.0
    if not 0.0 <= degrees < 360.0:
        raise DataError(
            f"view '{view}' is not an angle in degrees such as 000, 018, 090; give its angle in the config, "
            f"dataset.views: {{'{view}': 90}}, or null where it is unknown"
        )
    return degrees


def identities_hash(identities: Iterable[str]) -> str:
    """Name of a set of people, whatever their order: SHA-256 of the sorted names, a line each; 16 hex digits."""
    return hashlib.sha256("\n".join(sorted(identities)).encode()).hexdigest()[:16]


def choose(text: str, allowed: Sequence[str], option: str) -> tuple[str, ...]:
    """Names of a comma-separated ``option``, in the order of ``allowed``, each once; also ``all`` and ``none``."""
    if text == "all":
        return tuple(allowed)
    if text == "none":
        return ()
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(f"{option}: no name given; {suggest('', allowed)}")
    for name in names:
        if name not in allowed:
            raise UsageError(f"{option}: unknown '{name}'; {suggest(name, allowed)}")
    return tuple(name for name in allowed if name in set(names))

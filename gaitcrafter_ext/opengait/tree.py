"""What is on disk of the people a config names, as OpenGait will find it; no clip is opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.silhouettes.store import entry_names

__all__ = ["TreeFacts", "look_at"]


@dataclass(frozen=True)
class TreeFacts:
    """The clips of some people.

    Attributes:
        clips: How many.
        takes: Every take that somebody has.
        views: Every view that somebody has.
        empty: Folders without anything in them, relative to the root.
    """

    clips: int
    takes: frozenset[str]
    views: frozenset[str]
    empty: tuple[str, ...]


def look_at(root: Path, people: Sequence[str]) -> TreeFacts:
    """List the takes and views of people who are there.

    Raises:
        DataError: A file lies where OpenGait expects a folder.
    """
    clips, takes, views = 0, set(), set()
    empty: list[str] = []
    for person in people:
        for take in _inside(root, Path(person), empty):
            takes.add(take)
            for view in _inside(root, Path(person, take), empty):
                if _inside(root, Path(person, take, view), empty):
                    views.add(view)
                    clips += 1
    return TreeFacts(clips, frozenset(takes), frozenset(views), tuple(empty))


def _inside(root: Path, folder: Path, empty: list[str]) -> list[str]:
    if not (root / folder).is_dir():
        raise DataError(
            f"{root / folder}: a file where OpenGait expects a folder; move it, or run tools/verify.py {root}"
        )
    names = entry_names(root / folder)
    if not names:
        empty.append(folder.as_posix())
    return names

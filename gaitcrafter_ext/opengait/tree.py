"""What lies in a tree of clips, as OpenGait will list it; no clip is opened."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gaitcrafter_ext.errors import DataError, MissingError
from gaitcrafter_ext.silhouettes.files import storage_error
from gaitcrafter_ext.vocabulary import ClipKey

__all__ = ["Tree", "ViewFolder", "scan_tree"]


@dataclass(frozen=True)
class ViewFolder:
    """A view folder that is not empty; ``files`` are sorted, as OpenGait counts them."""

    key: ClipKey
    files: tuple[str, ...]


@dataclass(frozen=True)
class Tree:
    """The view folders of some people, in OpenGait's order, and the empty folders among them, relative to the root."""

    root: Path
    folders: tuple[ViewFolder, ...]
    empty: tuple[str, ...]

    @property
    def takes(self) -> set[str]:
        """Every take."""
        return {folder.key.take for folder in self.folders}

    @property
    def views(self) -> set[str]:
        """Every view."""
        return {folder.key.view for folder in self.folders}

    def path(self, folder: ViewFolder, pattern: str | None) -> Path:
        """The file of that pattern, e.g. ``{view}-aligned-sils.pkl``; without a pattern the only file.

        Raises:
            MissingError: There is no such file.
            DataError: There are several, and no pattern.
        """
        key = folder.key
        place = self.root / key.identity / key.take / key.view
        if pattern is None:
            if len(folder.files) == 1:
                return place / folder.files[0]
            raise DataError(
                f"{place} holds {len(folder.files)} files ({', '.join(folder.files[:4])}); name the silhouettes by "
                "'file', e.g. {view}-aligned-sils.pkl"
            )
        name = pattern.replace("{view}", key.view)
        if name not in folder.files:
            raise MissingError(f"{place}: there is no {name}, but {', '.join(folder.files[:4])}; correct 'file'")
        return place / name


def scan_tree(root: Path, people: Iterable[str], hidden: bool = False) -> Tree:
    """List the view folders of people who are there.

    Args:
        root: Folder of identities.
        people: Whose.
        hidden: Count names that begin with a dot, as OpenGait does.

    Raises:
        DataError: A file lies where OpenGait expects a folder.
    """
    folders, empty = list[ViewFolder](), list[str]()

    def inside(*parts: str) -> list[str]:
        names = _names(os.path.join(root, *parts), hidden)
        if not names:
            empty.append("/".join(parts))
        return names

    for person in people:
        for take in inside(person):
            for view in inside(person, take):
                if files := inside(person, take, view):
                    folders.append(ViewFolder(ClipKey(person, take, view), tuple(files)))
    return Tree(root, tuple(folders), tuple(empty))


def _names(folder: str, hidden: bool) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if hidden or name[0] != ".")
    except NotADirectoryError:
        raise DataError(f"{folder}: a file where OpenGait expects a folder; move it away") from None
    except OSError as error:
        raise storage_error(folder, error, "read") from error

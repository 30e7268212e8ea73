"""What lies in a tree of clips, as OpenGait will list it; no clip is opened."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gaitcrafter_ext.errors import DataError, MissingError
from gaitcrafter_ext.silhouettes.files import storage_error
from gaitcrafter_ext.vocabulary import ClipKey

__all__ = ["ViewFolder", "scan_tree"]


@dataclass(frozen=True)
class ViewFolder:
    """A view folder that is not empty; ``files`` are sorted, as OpenGait counts them."""

    root: Path
    key: ClipKey
    files: tuple[str, ...]

    def path(self, file: str | None = None) -> Path:
        """The file of that name, e.g. ``{view}-aligned-sils.pkl``; without a name the only one there is.

        Raises:
            MissingError: There is no such file.
            DataError: There are several, and no name.
        """
        place, some = Path(self.root, self.key.identity, self.key.take, self.key.view), ", ".join(self.files[:4])
        if file is None and len(self.files) > 1:
            raise DataError(
                f"{place} holds {len(self.files)} files ({some}); name the silhouettes by 'file': {{view}}-sils.pkl"
            )
        name = self.files[0] if file is None else file.replace("{view}", self.key.view)
        if name not in self.files:
            raise MissingError(f"{place}: there is no {name}, but {some}; correct 'file'")
        return place / name


def scan_tree(root: Path, people: Iterable[str]) -> Iterator[ViewFolder]:
    """The view folders of people who are there, in OpenGait's order; names that begin with a dot are passed over.

    Raises:
        DataError: A file lies where OpenGait expects a folder.
    """
    for person in people:
        for take in _names(root, person):
            for view in _names(root, person, take):
                if files := _names(root, person, take, view):
                    yield ViewFolder(root, ClipKey(person, take, view), tuple(files))


def _names(*parts: str | Path) -> list[str]:
    folder = os.path.join(*parts)
    try:
        return sorted(name for name in os.listdir(folder) if name[0] != ".")
    except NotADirectoryError:
        raise DataError(f"{folder}: a file where OpenGait expects a folder; move it away") from None
    except OSError as error:
        raise storage_error(folder, error, "read") from error

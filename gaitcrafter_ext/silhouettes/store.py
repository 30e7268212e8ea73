"""The OpenGait tree on disk: ``<root>/<identity>/<take>/<view>/<view>.pkl``, one uint8 clip [T, 64, 64] a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import MissingError
from gaitcrafter_ext.silhouettes import pickled
from gaitcrafter_ext.silhouettes.clip import check_frames
from gaitcrafter_ext.silhouettes.files import atomic_write, storage_error
from gaitcrafter_ext.vocabulary import ClipKey

__all__ = ["SilhouetteStore", "read_clip", "write_clip"]


def read_clip(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Read one clip; whatever the file holds, no code in it runs.

    Returns:
        uint8 [T, 64, 64], T >= 2, 0-255.

    Raises:
        MissingError: There is no such file.
        StorageError: The file cannot be read.
        DataError: It holds anything but such a clip; the message names the file.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise MissingError(f"there is no clip {os.fspath(path)}") from None
    except OSError as error:
        raise storage_error(path, error, "read") from error
    return check_frames(pickled.loads(data, os.fspath(path)), os.fspath(path))


def write_clip(
    path: str | os.PathLike[str], frames: NDArray[np.uint8], *, staging: str | os.PathLike[str] | None = None
) -> None:
    """Write one clip, complete or not at all; equal frames give equal bytes.

    Args:
        path: The file; missing folders are made.
        frames: uint8 [T, 64, 64], T >= 2, 0-255.
        staging: Where the temporary file lies, see ``atomic_write``.

    Raises:
        DataError: ``frames`` is not such a clip.
        StorageError: Disk full, read-only, no permission.
    """
    data = pickled.dumps(check_frames(frames, os.fspath(path)))
    with atomic_write(path, staging=staging) as file:
        file.write(data)


class SilhouetteStore:
    """A folder of clips in OpenGait's layout.

    Args:
        root: The folder that holds one folder an identity.
        create: Make the folder where it is missing, instead of refusing.

    Raises:
        MissingError: There is no such folder.
        StorageError: The folder cannot be made.
    """

    def __init__(self, root: str | os.PathLike[str], *, create: bool = False) -> None:
        self.root = Path(root)
        if create:
            try:
                self.root.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise storage_error(self.root, error) from error
        if not self.root.is_dir():
            raise MissingError(
                f"there is no folder {self.root}; expected a root of <identity>/<take>/<view>/<view>.pkl"
            )

    def path(self, key: ClipKey) -> Path:
        """Where the clip of ``key`` lies, whether it is there or not."""
        return self.root / key.relative_path

    def identities(self) -> list[str]:
        """Names of the identity folders, sorted, whether or not they hold a clip."""
        return folder_names(self.root)

    def keys(self) -> list[ClipKey]:
        """Every clip there is, sorted; names that begin with a dot are passed over, and no file is opened."""
        found = []
        for identity in folder_names(self.root):
            for take in folder_names(self.root / identity):
                takes = self.root / identity / take
                views = [view for view in folder_names(takes) if (takes / view / f"{view}.pkl").is_file()]
                found += [ClipKey(identity, take, view) for view in views]
        return sorted(found)

    def require_keys(self) -> list[ClipKey]:
        """Every clip, as ``keys``, for those who can do nothing without one.

        Raises:
            MissingError: There is none; where they lie in ``<root>/pkl``, the message says so.
        """
        keys = self.keys()
        if not keys:
            inner = self.root / "pkl"
            hint = f"did you mean {inner}?" if inner.is_dir() else "expected <identity>/<take>/<view>/<view>.pkl"
            raise MissingError(f"{self.root} holds no clip; {hint}")
        return keys

    def read(self, key: ClipKey) -> NDArray[np.uint8]:
        """The clip of ``key``, uint8 [T, 64, 64]; raises as ``read_clip`` does."""
        return read_clip(self.path(key))

    def write(self, key: ClipKey, frames: NDArray[np.uint8]) -> Path:
        """Write the clip of ``key`` and return its path; raises as ``write_clip`` does.

        The temporary file lies in the root, not beside the clip: OpenGait reads every file of a view folder, also one
        that a kill left behind.
        """
        path = self.path(key)
        write_clip(path, frames, staging=self.root)
        return path

    def __iter__(self) -> Iterator[ClipKey]:
        return iter(self.keys())

    def __contains__(self, key: object) -> bool:
        return isinstance(key, ClipKey) and self.path(key).is_file()

    def __repr__(self) -> str:
        return f"SilhouetteStore({str(self.root)!r})"


def folder_names(folder: Path) -> list[str]:
    """Sorted names of the folders in ``folder`` (links to folders too) that do not begin with a dot."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.name[0] != "." and entry.is_dir())
    except OSError as error:
        raise storage_error(folder, error, "read") from error


def entry_names(folder: Path) -> list[str]:
    """Sorted names of everything in ``folder``."""
    try:
        return sorted(os.listdir(folder))
    except OSError as error:
        raise storage_error(folder, error, "read") from error

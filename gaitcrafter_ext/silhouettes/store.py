"""The OpenGait tree on disk: ``<root>/<identity>/<take>/<view>/<file>``, one clip a file.

What is read is uint8 [T, 64, 64], whatever the size on disk: frames of 64x44 get their ten empty columns on either side
back, frames of 128x128 or 128x88 are shrunk.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError, MissingError
from gaitcrafter_ext.silhouettes import pickled
from gaitcrafter_ext.silhouettes.clip import check_frames, level_fault, normalise, trim
from gaitcrafter_ext.silhouettes.dataset import DatasetConfig
from gaitcrafter_ext.silhouettes.files import atomic_write, storage_error
from gaitcrafter_ext.vocabulary import ClipKey, file_name


def read_clip(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Read one clip, uint8 [T, 64, 64], T >= 2, 0-255; whatever the file holds, no code in it runs.

    Raises:
        MissingError: There is no such file.
        StorageError: The file cannot be read.
        DataError: It holds anything but a clip of 64x64, 64x44, 128x128 or 128x88; the message names the file.
    """
    return normalise(read_frames(path))


def read_frames(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """The same at the file's own size, as OpenGait reads it; raises as ``read_clip`` does."""
    return check_frames(read_pickle(path), os.fspath(path), any_size=True)


def read_pickle(path: str | os.PathLike[str]) -> object:
    """Whatever plain data a pickle holds; raises as ``read_clip`` does."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise MissingError(f"there is no clip {os.fspath(path)}") from None
    except OSError as error:
        raise storage_error(path, error, "read") from error
    return pickled.loads(data, os.fspath(path))


def write_clip(
    path: str | os.PathLike[str], frames: NDArray[np.uint8], *, staging: str | os.PathLike[str] | None = None
) -> None:
    """Write one clip of any size that can be read, see :func:`atomic_write`; equal frames give equal bytes.

    Raises:
        DataError: ``frames`` is not such a clip.
        StorageError: Disk full, read-only, no permission.
    """
    data = pickled.dumps(check_frames(frames, os.fspath(path), any_size=True))
    with atomic_write(path, staging=staging) as file:
        file.write(data)


def clips_in(folder: str | os.PathLike[str]) -> Path:
    """The tree in a folder: its ``pkl`` where there is one, as ``synthesize`` leaves it, else the folder itself."""
    inner = Path(folder) / "pkl"
    return inner if inner.is_dir() else Path(folder)


def folder_around(root: Path) -> Path:
    """What a tree is called by: the folder around a ``pkl``, else the tree itself."""
    return root.parent if root.name == "pkl" else root


class SilhouetteStore:
    """A folder of clips in OpenGait's layout, one folder an identity; ``create`` makes it where it is missing.

    ``dataset`` says which file of a view folder is meant, and how wide frames are written. ``MissingError`` where there
    is no such folder, ``StorageError`` where it cannot be made.
    """

    def __init__(
        self, root: str | os.PathLike[str], dataset: DatasetConfig | None = None, *, create: bool = False
    ) -> None:
        self.root = Path(root)
        self.dataset = dataset or DatasetConfig()
        if create:
            try:
                self.root.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise storage_error(self.root, error) from error
        if not self.root.is_dir():
            raise MissingError(f"there is no folder {self.root}; expected a root of {self._layout}")

    def path(self, key: ClipKey) -> Path:
        """Where the clip of ``key`` lies, whether it is there or not."""
        return self.root / key.path(self.dataset.file)

    def identities(self) -> list[str]:
        """Names of the identity folders, sorted, whether or not they hold a clip."""
        return folder_names(self.root)

    def keys(self) -> list[ClipKey]:
        """Every clip there is, sorted; names that begin with a dot are passed over, and no file is opened."""
        root, file = str(self.root), self.dataset.file  # paths as text: OUMVLP has 290,000 of them
        return [key for key in view_folders(self.root) if os.path.isfile(f"{root}/{key}/{file_name(file, key.view)}")]

    def require_keys(self) -> list[ClipKey]:
        """Every clip; ``MissingError`` where there is none, which says what lies there instead, with one example."""
        keys = self.keys()
        if not keys:
            raise MissingError(f"{self.root} holds no clip; expected {self._layout}; {_instead(self.root)}")
        return keys

    def look(self, keys: Sequence[ClipKey]) -> DatasetConfig:
        """The reading rules with ``columns`` as found in the first of ``keys``, where the rules leave it open."""
        if self.dataset.columns is not None or not keys:
            return self.dataset
        height, width = read_frames(self.path(keys[0])).shape[1:]
        return replace(self.dataset, columns=44 if width < height else 64)

    def read(self, key: ClipKey) -> NDArray[np.uint8]:
        """The clip of ``key``, uint8 [T, 64, 64]; raises as ``read_clip`` does."""
        return read_clip(self.path(key))

    def read_real(self, key: ClipKey) -> NDArray[np.uint8]:
        """The same, for data to train or judge on; ``DataError`` for values like no silhouette's (``level_fault``)."""
        frames = self.read(key)
        if fault := level_fault(frames):
            raise DataError(f"{self.path(key)}: {fault}")
        return frames

    def write(self, key: ClipKey, frames: NDArray[np.uint8]) -> Path:
        """Write a clip [T, 64, 64] or [T, 128, 128] as wide as the dataset's are; raises as ``write_clip`` does.

        The temporary file lies in the root, not beside the clip: OpenGait reads every file of a view folder, also one
        that a kill left behind.
        """
        path = self.path(key)
        write_clip(path, trim(frames) if self.dataset.columns == 44 else frames, staging=self.root)
        return path

    def __iter__(self) -> Iterator[ClipKey]:
        return iter(self.keys())

    def __contains__(self, key: object) -> bool:
        return isinstance(key, ClipKey) and self.path(key).is_file()

    @property
    def _layout(self) -> str:
        return f"<identity>/<take>/<view>/{self.dataset.file.replace('{view}', '<view>')}"


def view_folders(root: Path) -> Iterator[ClipKey]:
    """Every folder ``<root>/<identity>/<take>/<view>``, whatever it holds, sorted level by level."""
    for identity in folder_names(root):
        for take in folder_names(root / identity):
            for view in folder_names(root / identity / take):
                yield ClipKey(identity, take, view)


def layout_fault(root: Path, suffixes: tuple[str, ...]) -> str:
    """Where files lie too deep or not deep enough below ``root``, with one of them; nothing where they lie right."""
    found = _first_files(root, suffixes)
    if not found:
        return ""
    parts = found[0].relative_to(root).parts
    if len(parts) < 4:
        return f"found {found[0]}, {4 - len(parts)} folder level(s) too few: name the folder that holds the identities"
    if len(parts) > 4:
        return f"found {found[0]}, {len(parts) - 4} folder level(s) too many: did you mean {root / parts[0]}?"
    return ""


def _instead(root: Path) -> str:
    """What lies in a root that holds no clip where it was expected, and what to do about it."""
    found = _first_files(root, (".pkl",))
    if not found:
        return "there is no pickle in it; make clips of pictures with 'pretreat'"
    names = ", ".join(sorted({path.name for path in found})[:4])
    return layout_fault(root, (".pkl",)) or (
        f"its view folders hold {names}: name one by dataset.file in a config, or by --config of a preset"
    )


def _first_files(root: Path, suffixes: tuple[str, ...], deepest: int = 6) -> list[Path]:
    """Files with these endings of the first folder, walking down, that holds any."""
    for folder, folders, names in os.walk(root, followlinks=True):
        if found := [name for name in sorted(names) if name[0] != "." and name.lower().endswith(suffixes)]:
            return [Path(folder, name) for name in found]
        is_deep = len(Path(folder).relative_to(root).parts) >= deepest
        folders[:] = [] if is_deep else sorted(name for name in folders if name[0] != ".")[:8]
    return []


def folder_names(folder: Path) -> list[str]:
    """Sorted names of the folders in ``folder`` (links to folders too) that do not begin with a dot."""
    return split_entries(folder)[0]


def split_entries(folder: Path) -> tuple[list[str], list[str]]:
    """Sorted names in ``folder``: folders, as :func:`folder_names` lists them, and everything else."""
    folders: list[str] = []
    others: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                (folders if entry.name[0] != "." and entry.is_dir() else others).append(entry.name)
    except OSError as error:
        raise storage_error(folder, error, "read") from error
    return sorted(folders), sorted(others)


def entry_names(folder: str | Path) -> list[str]:
    """Sorted names of everything in ``folder``."""
    try:
        return sorted(os.listdir(folder))
    except OSError as error:
        raise storage_error(folder, error, "read") from error

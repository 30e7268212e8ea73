"""Is a silhouette tree whole? Counts, missing cells, frame statistics, and every bad file by name."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from math import prod
from pathlib import Path
from statistics import median
from typing import Any

from gaitcrafter_ext.errors import DataError, GaitCrafterError
from gaitcrafter_ext.silhouettes.clip import level_fault
from gaitcrafter_ext.silhouettes.dataset import DatasetConfig
from gaitcrafter_ext.silhouettes.files import STAGED_PREFIX
from gaitcrafter_ext.silhouettes.parallel import map_in_order
from gaitcrafter_ext.silhouettes.store import SilhouetteStore, entry_names, read_frames, split_entries
from gaitcrafter_ext.vocabulary import DEFAULT_FILE, ClipKey, file_name

__all__ = ["BadFile", "FrameStatistics", "StoreReport", "verify"]

#: Beyond this many cells, identity x take x view is no grid that was meant to be filled (OUMVLP: 300 thousand).
LARGEST_GRID = 1_000_000


@dataclass(frozen=True)
class BadFile:
    """A file or folder, relative to the root, that OpenGait would trip over or misread, and what is wrong with it."""

    path: str
    why: str


@dataclass(frozen=True)
class FrameStatistics:
    """Frames a clip, over all good clips."""

    minimum: int
    median: float
    maximum: int
    total: int


@dataclass(frozen=True)
class StoreReport:
    """What ``verify`` found.

    Attributes:
        root: The tree.
        clips: Number of good clips.
        identities: Good clips of each identity.
        conditions: Good clips of each condition (``nm``, ``bg``, ``cl``...).
        views: Good clips of each view.
        sizes: Good clips of each size, e.g. ``"64x44"``.
        cells: Size of the full grid: every identity x take x view that occurs.
        missing: Cells without a file; None where ``cells`` exceeds ``LARGEST_GRID``: takes are then named person by
            person (GREW, Gait3D) and the grid means nothing.
        frames: Lengths of the good clips; None where there is none.
        grey_share: Mean share of pixels strictly between 0 and 255 (CASIA-B by OpenGait: about 0.05; 0 = binary).
        border_share: Share of frames that touch the left or right border: a walker cut off, or badly centred.
        empty_frames: Frames without a single pixel.
        bad: Every bad file.
    """

    root: str
    clips: int
    identities: Mapping[str, int]
    conditions: Mapping[str, int]
    views: Mapping[str, int]
    sizes: Mapping[str, int]
    cells: int
    missing: tuple[ClipKey, ...] | None
    frames: FrameStatistics | None
    grey_share: float
    border_share: float
    empty_frames: int
    bad: tuple[BadFile, ...]

    @property
    def ok(self) -> bool:
        """Whether every file is good."""
        return not self.bad

    def to_json(self) -> dict[str, Any]:
        """The report as plain JSON values; missing cells as ``identity/take/view``."""
        missing = None if self.missing is None else [str(key) for key in self.missing]
        return {**asdict(self), "missing": missing, "ok": self.ok}


def verify(
    root: str | os.PathLike[str],
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    dataset: DatasetConfig | None = None,
) -> StoreReport:
    """Read every clip of a tree and report.

    Args:
        root: The folder of identities.
        jobs: Number of processes.
        progress: Called with (clips read, clips in all).
        dataset: How its folders are read.

    Raises:
        MissingError: There is no such folder, or it holds no clip, good or bad.
        StorageError: A folder cannot be read.
    """
    store = SilhouetteStore(root, dataset)
    keys, bad = store.require_keys(), list(_layout_faults(store))
    measures = []
    results = map_in_order(partial(_measure, store), keys, jobs, chunk=64)
    for done, (key, result) in enumerate(zip(keys, results, strict=True), 1):
        if isinstance(result, str):
            bad.append(BadFile(str(key.path(store.dataset.file)), result))
        else:
            measures.append((key, result))
        if progress is not None:
            progress(done, len(keys))
    return _report(store, keys, measures, bad)


@dataclass(frozen=True)
class _Measure:
    """What is counted in one clip: frames, grey pixels, frames at the border, empty frames."""

    frames: int
    grey: float
    border: int
    empty: int
    size: str
    condition: str


def _measure(store: SilhouetteStore, key: ClipKey) -> _Measure | str:
    """Measure one clip; text says why it is bad."""
    path = f"{store.root}/{key}/{file_name(store.dataset.file, key.view)}"  # OUMVLP has 290,000 of them
    try:
        clip = read_frames(path)
        condition = store.dataset.condition_of(key.take)
        fault = level_fault(clip)
        if fault:
            raise DataError(fault)
    except GaitCrafterError as error:
        return str(error).removeprefix(f"{path}: ")
    grey = float(((clip > 0) & (clip < 255)).mean())
    border = int(clip[:, :, [0, -1]].any(axis=(1, 2)).sum())
    empty = int((~clip.any(axis=(1, 2))).sum())
    return _Measure(len(clip), grey, border, empty, "x".join(map(str, clip.shape[1:])), condition)


def _report(
    store: SilhouetteStore, keys: list[ClipKey], measures: list[tuple[ClipKey, _Measure]], bad: list[BadFile]
) -> StoreReport:
    lengths = [measure.frames for _, measure in measures]
    total = sum(lengths)
    cells, missing = missing_cells(keys)
    return StoreReport(
        root=str(store.root),
        clips=len(measures),
        identities=_counts(key.identity for key, _ in measures),
        conditions=_counts(measure.condition for _, measure in measures),
        views=_counts(key.view for key, _ in measures),
        sizes=_counts(measure.size for _, measure in measures),
        cells=cells,
        missing=missing,
        frames=FrameStatistics(min(lengths), median(lengths), max(lengths), total) if lengths else None,
        grey_share=sum(m.grey * m.frames for _, m in measures) / total if total else 0.0,
        border_share=sum(m.border for _, m in measures) / total if total else 0.0,
        empty_frames=sum(m.empty for _, m in measures),
        bad=tuple(sorted(bad, key=lambda fault: fault.path)),
    )


def _counts(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def missing_cells(keys: Iterable[ClipKey]) -> tuple[int, tuple[ClipKey, ...] | None]:
    """Size of the grid of every identity x take x view that occurs, and its cells without a clip (None: no grid)."""
    there = set(keys)
    axes = [sorted({getattr(key, axis) for key in there}) for axis in ("identity", "take", "view")]
    cells = prod(len(axis) for axis in axes)
    if cells > LARGEST_GRID:
        return cells, None
    return cells, tuple(key for cell in product(*axes) if (key := ClipKey(*cell)) not in there)


def _layout_faults(store: SilhouetteStore) -> Iterator[BadFile]:
    """Files where a folder belongs, folders without a clip, and second files beside one."""
    for identity in split_entries(store.root)[0]:
        takes, others = split_entries(store.root / identity)
        yield from _folder_faults(Path(identity), takes, others)
        for take in takes:
            views, others = split_entries(store.root / identity / take)
            yield from _folder_faults(Path(identity, take), views, others)
            for view in views:
                yield from _view_faults(store, ClipKey(identity, take, view))


def _folder_faults(folder: Path, folders: list[str], others: list[str]) -> Iterator[BadFile]:
    """What OpenGait would take for a take or view folder of an identity: it lists every name it finds."""
    if not folders and not others:
        yield BadFile(str(folder), "an empty folder; delete it")
    for name in others:
        yield BadFile(str(folder / name), "only folders of clips belong here, OpenGait fails on this; delete it")


def _view_faults(store: SilhouetteStore, key: ClipKey) -> Iterator[BadFile]:
    names, clip = entry_names(f"{store.root}/{key}"), file_name(store.dataset.file, key.view)
    if clip not in names:
        yield BadFile(str(key), f"no {clip} in it; " + (f"it holds {names[0]}" if names else "it is empty"))
        return
    for name in names:
        if name.startswith(STAGED_PREFIX):
            yield BadFile(f"{key}/{name}", "left by a killed write; delete it")
        elif name != clip and store.dataset.file == DEFAULT_FILE:
            yield BadFile(
                f"{key}/{name}",
                "a second file in a view folder, which OpenGait reads as a second modality; delete it, or name the "
                "silhouettes' file by dataset.file in a --config",
            )

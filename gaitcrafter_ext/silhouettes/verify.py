"""Is a silhouette tree whole? Counts, missing cells, frame statistics, and every bad file by name."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from math import prod
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from gaitcrafter_ext.errors import DataError, GaitCrafterError
from gaitcrafter_ext.silhouettes.clip import level_fault
from gaitcrafter_ext.silhouettes.dataset import DatasetConfig
from gaitcrafter_ext.silhouettes.files import STAGED_PREFIX
from gaitcrafter_ext.silhouettes.parallel import map_in_order
from gaitcrafter_ext.silhouettes.store import SilhouetteStore, entry_names, read_frames, split_entries
from gaitcrafter_ext.vocabulary import DEFAULT_FILE, ClipKey, file_name

#: Beyond this many cells, identity x take x view is no grid that was meant to be filled (OUMVLP: 300 thousand).
LARGEST_GRID = 1_000_000

LINK = "a link to nothing; delete it, or bring back what it links to"


@dataclass(frozen=True)
class BadFile:
    """A file or folder, relative to the root, that OpenGait would trip over or misread, and what is wrong with it."""

    path: str
    why: str


@dataclass(frozen=True)
class StoreReport:
    """What ``verify`` found; all counts and shares but ``cells`` are of the good clips."""

    root: str
    clips: int
    identities: Mapping[str, int]
    conditions: Mapping[str, int]
    views: Mapping[str, int]
    sizes: Mapping[str, int]
    #: Size of the full grid: every identity x take x view that occurs.
    cells: int
    #: Cells without a file, ``identity/take/view``; None where there are more than ``LARGEST_GRID`` cells: takes are
    #: then named person by person (GREW, Gait3D) and the grid means nothing.
    missing: tuple[str, ...] | None
    #: Frames a clip: ``minimum``, ``median``, ``maximum``, and ``total``; None without a good clip.
    frames: Mapping[str, float] | None
    #: Mean share of pixels strictly between 0 and 255 (CASIA-B by OpenGait: about 0.05; 0 = binary).
    grey_share: float
    #: Share of frames that touch the left or right border: a walker cut off, or badly centred.
    border_share: float
    empty_frames: int
    bad: tuple[BadFile, ...]

    @property
    def ok(self) -> bool:
        """Whether every file is good."""
        return not self.bad

    def to_json(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {**asdict(self), "ok": self.ok}


def verify(
    root: str | os.PathLike[str],
    jobs: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
    dataset: DatasetConfig | None = None,
) -> StoreReport:
    """Read every clip of a tree, on ``jobs`` processes, and report; ``progress`` is given (clips read, clips in all).

    Raises:
        MissingError: There is no such folder, or it holds no clip, good or bad.
        StorageError: A folder cannot be read.
    """
    store = SilhouetteStore(root, dataset)
    keys, bad = store.require_keys(), list(_layout_faults(store))
    measures: list[_Measure] = []
    for done, result in enumerate(map_in_order(partial(_measure, store), keys, jobs, chunk=64), 1):
        if isinstance(result, BadFile):
            bad.append(result)
        else:
            measures.append(result)
        progress(done, len(keys))
    lengths = [measure.frames for measure in measures]
    total = max(1, sum(lengths))
    cells, missing = missing_cells(keys)
    return StoreReport(
        root=str(store.root),
        clips=len(measures),
        identities=_counts(m.key.identity for m in measures),
        conditions=_counts(m.condition for m in measures),
        views=_counts(m.key.view for m in measures),
        sizes=_counts(m.size for m in measures),
        cells=cells,
        missing=missing,
        frames=_frame_statistics(lengths) if lengths else None,
        grey_share=sum(m.grey * m.frames for m in measures) / total,
        border_share=sum(m.border for m in measures) / total,
        empty_frames=sum(m.empty for m in measures),
        bad=tuple(sorted(bad, key=lambda fault: fault.path)),
    )


class _Measure(NamedTuple):
    """What is counted in one clip: share of grey pixels, frames in all, at the border, empty."""

    key: ClipKey
    condition: str
    size: str
    grey: float
    frames: int
    border: int
    empty: int


def _measure(store: SilhouetteStore, key: ClipKey) -> _Measure | BadFile:
    path = f"{store.root}/{key}/{file_name(store.dataset.file, key.view)}"  # OUMVLP has 290,000 of them
    try:
        clip = read_frames(path)
        condition = store.dataset.condition_of(key.take)
        if fault := level_fault(clip):
            raise DataError(fault)
    except GaitCrafterError as error:
        return BadFile(str(key.path(store.dataset.file)), str(error).removeprefix(f"{path}: "))
    grey = float(np.count_nonzero(clip - np.uint8(1) < 254) / clip.size)  # 0 - 1 is 255
    border = int(np.count_nonzero(clip[:, :, 0].any(1) | clip[:, :, -1].any(1)))
    empty = int(np.count_nonzero(~clip.any(axis=(1, 2))))
    return _Measure(key, condition, "x".join(map(str, clip.shape[1:])), grey, len(clip), border, empty)


def _frame_statistics(lengths: list[int]) -> dict[str, float]:
    return {"minimum": min(lengths), "median": median(lengths), "maximum": max(lengths), "total": sum(lengths)}


def _counts(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def missing_cells(keys: Iterable[ClipKey]) -> tuple[int, tuple[str, ...] | None]:
    """Size of the grid of every identity x take x view that occurs, and its cells without a clip (None: no grid)."""
    there = set(keys)
    axes = [sorted({getattr(key, axis) for key in there}) for axis in ("identity", "take", "view")]
    cells = prod(len(axis) for axis in axes)
    if cells > LARGEST_GRID:
        return cells, None
    return cells, tuple(str(key) for cell in product(*axes) if (key := ClipKey(*cell)) not in there)


def _layout_faults(store: SilhouetteStore) -> Iterator[BadFile]:
    """Files where a folder belongs, folders without a clip, second files beside one, links to nothing."""
    people, strays = split_entries(store.root)
    yield from (BadFile(name, LINK) for name in strays if not (store.root / name).exists())
    for identity in people:
        takes, others = split_entries(store.root / identity)
        yield from _folder_faults(identity, takes, others)
        for take in takes:
            views, others = split_entries(store.root / identity / take)
            yield from _folder_faults(f"{identity}/{take}", views, others)
            for view in views:
                yield from _view_faults(store, ClipKey(identity, take, view))


def _folder_faults(folder: str, folders: list[str], others: list[str]) -> Iterator[BadFile]:
    """What OpenGait would take for a take or view folder of an identity: it lists every name it finds."""
    if not folders and not others:
        yield BadFile(folder, "an empty folder; delete it")
    for name in others:
        yield BadFile(f"{folder}/{name}", "only folders of clips belong here, OpenGait fails on this; delete it")


def _view_faults(store: SilhouetteStore, key: ClipKey) -> Iterator[BadFile]:
    names, clip = entry_names(f"{store.root}/{key}"), file_name(store.dataset.file, key.view)
    if clip not in names:
        yield BadFile(str(key), f"no {clip} in it; " + (f"it holds {names[0]}" if names else "it is empty"))
        return
    if not store.path(key).exists():
        yield BadFile(f"{key}/{clip}", LINK)
    for name in names:
        if name.startswith(STAGED_PREFIX):
            yield BadFile(f"{key}/{name}", "left by a killed write; delete it")
        elif name != clip and store.dataset.file == DEFAULT_FILE:
            yield BadFile(
                f"{key}/{name}",
                "a second file in a view folder, which OpenGait reads as a second modality; delete it, or name the "
                "silhouettes' file by dataset.file in a --config",
            )

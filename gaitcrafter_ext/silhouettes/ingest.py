"""From a source of pictures (a CASIA-B tree, a folder of masks, a video) to clips in an OpenGait tree."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from gaitcrafter_ext.errors import MissingError
from gaitcrafter_ext.silhouettes.parallel import map_in_order
from gaitcrafter_ext.silhouettes.pretreat import NamedMask, align_all, image_files, read_mask
from gaitcrafter_ext.silhouettes.store import SilhouetteStore, folder_names
from gaitcrafter_ext.silhouettes.video import video_masks
from gaitcrafter_ext.vocabulary import ClipKey

__all__ = ["MIN_FRAMES", "IngestOptions", "Ingested", "find_walks", "ingest_frames", "ingest_tree", "ingest_video"]

#: Walks with fewer good frames are refused (OpenGait writes them and warns).
MIN_FRAMES = 5

_SHOWN = 3


@dataclass(frozen=True)
class IngestOptions:
    """How walks become clips.

    Attributes:
        min_frames: Least number of good frames, 2 or more.
        drop_border: Leave out frames in which the person touches the picture's edge.
        force: Make clips anew that are there already.
    """

    min_frames: int = MIN_FRAMES
    drop_border: bool = False
    force: bool = False


@dataclass(frozen=True)
class Ingested:
    """What became of one walk.

    Attributes:
        key: The clip's name.
        frames: Frames of the clip that was written; 0 where none was.
        state: ``"written"``, ``"kept"`` (it was there already) or ``"refused"``.
        warnings: Kind of trouble -> what to tell of it, e.g. ``{"empty mask": "3 frames: a.png, b.png, c.png"}``.
    """

    key: ClipKey
    frames: int
    state: str
    warnings: dict[str, str] = field(default_factory=dict)


def find_walks(root: str | os.PathLike[str]) -> list[tuple[ClipKey, Path]]:
    """Folders ``<root>/<id>/<type>/<view>`` of a raw tree, sorted by name.

    Raises:
        MissingError: There is no such folder, or no walk in it.
    """
    top = Path(root)
    if not top.is_dir():
        raise MissingError(f"there is no folder {top}")
    walks = [
        (ClipKey(identity, take, view), top / identity / take / view)
        for identity in folder_names(top)
        for take in folder_names(top / identity)
        for view in folder_names(top / identity / take)
    ]
    if not walks:
        packed = " (unpack the archives in it first)" if any(top.glob("*.tar*")) or any(top.glob("*.zip")) else ""
        raise MissingError(f"{top} holds no walk; expected <id>/<type>/<view>/*.png{packed}")
    return sorted(walks)


def ingest_tree(
    walks: Sequence[tuple[ClipKey, Path]],
    root: Path,
    options: IngestOptions,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[Ingested]:
    """Align every walk of a raw tree and write it to the OpenGait tree ``root``, on ``jobs`` processes.

    Raises:
        StorageError: A picture cannot be read or a clip cannot be written; clips written so far stay.
    """
    done = []
    for result in map_in_order(partial(_ingest_walk, root, options), walks, jobs, chunk=4):
        done.append(result)
        if progress is not None:
            progress(len(done), len(walks))
    return done


def ingest_frames(folder: Path, key: ClipKey, root: Path, options: IngestOptions) -> Ingested:
    """Align one folder of masks; raises as ``ingest_tree`` does."""
    return _ingest_walk(root, options, (key, folder))


def ingest_video(
    path: Path,
    key: ClipKey,
    root: Path,
    options: IngestOptions,
    progress: Callable[[int, int], None] | None = None,
) -> Ingested:
    """Cut the walker out of a video and align it; raises as ``ingest_tree`` and ``video_masks`` do."""
    return _ingest(root, options, key, lambda: video_masks(path, progress))


def _ingest_walk(root: Path, options: IngestOptions, walk: tuple[ClipKey, Path]) -> Ingested:
    key, folder = walk
    return _ingest(root, options, key, lambda: ((path.name, read_mask(path)) for path in image_files(folder)))


def _ingest(root: Path, options: IngestOptions, key: ClipKey, masks: Callable[[], Iterable[NamedMask]]) -> Ingested:
    """Align and write one walk; its masks are made only where its clip is not there yet."""
    if not options.force and (root / key.relative_path).is_file():
        return Ingested(key, 0, "kept")
    aligned = align_all(masks(), options.drop_border)
    warnings = {reason: _told(names) for reason, names in aligned.dropped.items()}
    if aligned.border:
        warnings["person at the border, kept"] = _told(aligned.border)
    count = len(aligned.frames)
    if count < options.min_frames:
        warnings["too few frames"] = f"{count} good frame{'' if count == 1 else 's'}, {options.min_frames} are needed"
        return Ingested(key, 0, "refused", warnings)
    SilhouetteStore(root, create=True).write(key, aligned.frames)
    return Ingested(key, count, "written", warnings)


def _told(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > _SHOWN else ""
    return f"{len(names)} frame{'' if len(names) == 1 else 's'}: {', '.join(names[:_SHOWN])}{more}"

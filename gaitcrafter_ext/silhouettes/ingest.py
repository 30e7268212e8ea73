"""From what people have on their disks to clips in an OpenGait tree.

A tree of ``<id>/<take>/<view>`` folders of pictures or pickles, CASIA-B's download (a zip of one ``.tar.gz`` a person)
or any zip or tar of such a tree, OU-MVLP's ``Silhouette_<view>-<take>/<id>`` folders, one folder of frames, or a video.
"""

from __future__ import annotations

import lzma
import os
import re
import tarfile
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError, GaitCrafterError, MissingError
from gaitcrafter_ext.silhouettes.dataset import DatasetConfig
from gaitcrafter_ext.silhouettes.files import storage_error
from gaitcrafter_ext.silhouettes.masks import Frame, decode, flatten
from gaitcrafter_ext.silhouettes.parallel import map_in_order
from gaitcrafter_ext.silhouettes.pretreat import AlignOptions, align_all
from gaitcrafter_ext.silhouettes.store import SilhouetteStore, entry_names, layout_fault, read_pickle, split_entries
from gaitcrafter_ext.vocabulary import ClipKey

#: Walks with fewer good frames are refused (OpenGait writes them and warns).
MIN_FRAMES = 5

_IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif")
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_SETS = {"train", "test", "gallery", "probe", "TRAIN", "TEST"}
_OUMVLP = re.compile(r"Silhouette_(?P<view>\d+)-(?P<take>\d+)")
_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    NotImplementedError,
)


@dataclass(frozen=True)
class IngestOptions(AlignOptions):
    """How walks become clips; ``force`` makes clips again that are there already."""

    min_frames: int = MIN_FRAMES
    force: bool = False
    #: Which pickle of a view folder is read, and what the clip is called.
    dataset: DatasetConfig = field(default_factory=DatasetConfig)


@dataclass(frozen=True)
class Ingested:
    """What became of one walk; for an archive that cannot be read, its own name stands for the identity."""

    key: ClipKey
    #: Of the clip that was written; 0 where none was.
    frames: int
    #: ``"written"``, ``"kept"`` (it was there already) or ``"refused"``.
    state: str
    #: Kind of trouble -> details, e.g. ``{"empty mask": "3 frames: a.png, b.png, c.png"}``.
    warnings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Walk:
    """Where the frames of a walk lie: a folder of pictures or pickles, or these ``members`` of a zip.

    Without a ``key``, ``path`` (or its one member) is an archive of many walks.
    """

    key: ClipKey | None
    path: Path
    members: tuple[str, ...] = ()


def find_walks(source: str | os.PathLike[str]) -> list[Walk]:
    """Everything that a tree or an archive holds, sorted by name; no picture is opened.

    Raises:
        MissingError: There is no such folder or file, or no walk in it; the message says what was found instead.
        DataError: The archive is damaged.
    """
    top = Path(source)
    if top.is_file():
        return _walks_of_zip(top) if top.suffix.lower() == ".zip" else [Walk(None, top)]
    if not top.is_dir():
        raise MissingError(f"there is no folder {top}")
    if packed := [Walk(None, top / name) for name in entry_names(top) if is_archive(name)]:
        return packed
    walks = _walks_of_tree(top)
    oumvlp = any(_OUMVLP.fullmatch(walk.path.parent.name) for walk in walks)
    fault = "" if oumvlp else layout_fault(top, (*_IMAGES, ".pkl"))
    if fault or not walks:
        raise MissingError(f"{top} holds no walk; expected <id>/<type>/<view>/*.png{fault and '; '}{fault}")
    return walks


def _walks_of_tree(top: Path) -> list[Walk]:
    """Walks by the three folders that they lie in, or OU-MVLP's two; refuses sets of people that pass for people."""
    walks: dict[ClipKey, Path] = {}
    for first in _folders(top):
        oumvlp = _OUMVLP.fullmatch(first)
        for second in _folders(top / first):
            if _OUMVLP.fullmatch(second):
                raise _one_level_too_high(top, top / first)
            if oumvlp:
                walks[ClipKey(second, oumvlp["take"], oumvlp["view"])] = top / first / second
                continue
            for third in _folders(top / first / second):
                walks[ClipKey(first, second, third)] = top / first / second / third
    people = {key.identity for key in walks}
    if people and people <= _SETS:
        raise _one_level_too_high(top, top / min(people))
    return [Walk(key, walks[key]) for key in sorted(walks)]


def _one_level_too_high(top: Path, inner: Path) -> MissingError:
    return MissingError(f"{top}: {inner} is a set of people, not a person; give each set by itself: {inner}")


def _folders(folder: Path) -> list[str]:
    """Folders and links to nothing, below which there is one thing, ``*``: the walk that will be refused."""
    if not folder.is_dir():
        return ["*"]
    folders, others = split_entries(folder)
    return sorted(folders + [name for name in others if not (folder / name).exists()])


def is_archive(name: str) -> bool:
    """Whether a file's name is that of an archive."""
    return name.lower().endswith(_ARCHIVES) and not name.startswith(".")


def is_image(name: str) -> bool:
    """Whether a file's name is that of a frame; energy images and hidden files are none."""
    path = PurePosixPath(name.lower())
    return path.suffix in _IMAGES and not path.name.startswith(".") and not path.stem.endswith("gei")


def _walks_of_zip(path: Path) -> list[Walk]:
    """A zip's pictures by walk, or the archives in it."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
    except OSError as error:
        raise storage_error(path, error, "read") from error
    except _DAMAGED as error:
        raise DataError(f"{path}: not a zip archive that can be read ({error}); load it again") from None
    walks = [Walk(None, path, (name,)) for name in sorted(names) if is_archive(PurePosixPath(name).name)]
    try:
        walks += [Walk(key, path, tuple(frames)) for key, frames in sorted(_by_walk(names).items())]
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    if not walks:
        shown = f", e.g. {names[0]}" if names else ""
        raise MissingError(f"{path} holds no walk{shown}; expected <id>/<type>/<view>/*.png, or .tar.gz archives")
    return walks


def _by_walk(names: Iterable[str]) -> dict[ClipKey, list[str]]:
    """Pictures of an archive by the three folders that they lie in; ``DataError`` where two walks would be one."""
    found: dict[ClipKey, list[str]] = defaultdict(list)
    for name in names:
        path = PurePosixPath(name)
        if is_image(name) and len(path.parts) >= 4 and not set(path.parts[-4:]) & {"..", "/", "__MACOSX"}:
            walk = found[ClipKey(*path.parts[-4:-1])]
            if walk and (other := PurePosixPath(walk[-1]).parent) != path.parent:
                raise DataError(
                    f"{other} and {path.parent} are one walk by their names; unpack it, and give each set of people by "
                    "itself"
                )
            walk.append(name)
    return found


def ingest_walks(
    walks: Sequence[Walk],
    root: Path,
    options: IngestOptions,
    jobs: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Ingested]:
    """Align walks and write them to the OpenGait tree ``root``, on ``jobs`` processes.

    What cannot be read is refused by name, and the rest goes on.

    Raises:
        StorageError: A clip cannot be written; clips written so far stay.
    """
    done: list[Ingested] = []
    for count, results in enumerate(map_in_order(partial(_ingest, root, options), walks, jobs, chunk=4), 1):
        done += results
        progress(count, len(walks))
    return done


def _ingest(root: Path, options: IngestOptions, walk: Walk) -> list[Ingested]:
    if walk.key is not None:
        return [ingest_frames(lambda: frames_of(walk, options), walk.key, root, options)]
    try:
        by_walk = _unpack(walk)
    except (OSError, DataError, *_DAMAGED) as error:
        name = PurePosixPath(walk.members[0]).name if walk.members else walk.path.name
        return [Ingested(ClipKey(name, "*", "*"), 0, "refused", {"archive that cannot be read": str(error)})]
    return [
        ingest_frames(partial(_decoders, data, options.as_opengait), key, root, options)
        for key, data in by_walk.items()
    ]


def _unpack(walk: Walk) -> dict[ClipKey, dict[str, bytes]]:
    """The undecoded pictures of a tar, alone or within a zip, by walk."""
    if not walk.members:
        with tarfile.open(walk.path) as archive:
            return _contents(archive)
    with (
        zipfile.ZipFile(walk.path) as outer,
        outer.open(walk.members[0]) as inner,
        tarfile.open(fileobj=inner, mode="r|*") as archive,
    ):
        return _contents(archive)


def _contents(archive: tarfile.TarFile) -> dict[ClipKey, dict[str, bytes]]:
    data = dict[str, bytes]()
    for member in archive:
        if member.isfile() and is_image(member.name) and (file := archive.extractfile(member)) is not None:
            data[member.name] = file.read()
    return {
        key: {PurePosixPath(name).name: data[name] for name in names} for key, names in sorted(_by_walk(data).items())
    }


def frames_of(walk: Walk, options: IngestOptions) -> list[Frame]:
    """The frames of a folder of pictures, of a pickle in it, or of a zip's members."""
    if walk.members:
        with zipfile.ZipFile(walk.path) as archive:
            data = {PurePosixPath(name).name: archive.read(name) for name in walk.members}
        return _decoders(data, options.as_opengait)
    names = entry_names(walk.path)
    if images := sorted(filter(is_image, names), key=_natural):
        return [(name, partial(_read_image, walk.path / name, options.as_opengait)) for name in images]
    pickles = [name for name in names if name.endswith(".pkl")]
    wanted = options.dataset.file.replace("{view}", walk.path.name)
    if wanted not in pickles and len(pickles) > 1:
        raise DataError(f"no {wanted} in it; it holds {', '.join(pickles[:4])}: name one by dataset.file in a --config")
    return _frames_of_pickle(walk.path / (wanted if wanted in pickles else pickles[0])) if pickles else []


def _decoders(data: dict[str, bytes], grey: bool) -> list[Frame]:
    return [(name, partial(decode, data[name], grey)) for name in sorted(data, key=_natural)]


def _read_image(path: Path, grey: bool) -> NDArray[Any] | None:
    try:
        return decode(path.read_bytes(), grey)
    except OSError:
        return None


def _frames_of_pickle(path: Path) -> list[Frame]:
    """Frames of a pickled [T, H, W], [T, H, W, 1] or list of [H, W], of any type."""
    content = read_pickle(path)
    frames = list(content) if isinstance(content, (list, tuple, np.ndarray)) and np.ndim(content) != 0 else []
    arrays = [
        np.asarray(frame[..., 0] if np.ndim(frame) == 3 and np.shape(frame)[2] == 1 else frame) for frame in frames
    ]
    if not arrays or any(array.ndim != 2 or not array.size or array.dtype.kind not in "buif" for array in arrays):
        shape = list(np.shape(frames[0])) if frames else type(content).__name__
        raise DataError(f"{path}: its frames are {shape}; expected silhouettes [T, H, W]")
    plain = [array.astype(np.uint8) * 255 if array.dtype == bool else array for array in arrays]
    return [(f"frame {number}", partial(flatten, array)) for number, array in enumerate(plain)]


def ingest_frames(frames: Callable[[], Sequence[Frame]], key: ClipKey, root: Path, options: IngestOptions) -> Ingested:
    """Align and write one walk; its frames are asked for only where its clip is not there yet."""
    if not options.force and (root / key.path(options.dataset.file)).is_file():
        return Ingested(key, 0, "kept")
    try:
        found = frames()
    except (GaitCrafterError, OSError, *_DAMAGED) as error:
        return Ingested(key, 0, "refused", {"frames that cannot be read": str(error)})
    clip = align_all(found, options)
    warnings = {reason: _listed(names) for reason, names in {**clip.dropped, **clip.mended}.items()}
    count = len(clip.frames)
    if count < options.min_frames:
        warnings["too few frames"] = f"{count} good frame{'' if count == 1 else 's'}, {options.min_frames} are needed"
        return Ingested(key, 0, "refused", warnings)
    SilhouetteStore(root, options.dataset, create=True).write(key, clip.frames)
    return Ingested(key, count, "written", warnings)


def _listed(names: Sequence[str], most: int = 3) -> str:
    more = ", ..." if len(names) > most else ""
    return f"{len(names)} frame{'' if len(names) == 1 else 's'}: {', '.join(names[:most])}{more}"


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort key: ``2.png`` before ``10.png``."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]

"""From an entry under ``data_cfg.synthetic`` to people and clips: checked first, made (if at all) when asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError, MissingError, listed
from gaitcrafter_ext.generator.weights import check_weights, locate, names_in, read_card
from gaitcrafter_ext.opengait.config_keys import Entry, FolderEntry, GeneratedEntry
from gaitcrafter_ext.opengait.on_demand import get_or_synthesize, plan_of
from gaitcrafter_ext.opengait.people import (
    RealPeople,
    SyntheticPerson,
    check_origin,
    person_of_folder,
    person_of_plan,
)
from gaitcrafter_ext.silhouettes.clip import SIZES, normalise, trim, upsample
from gaitcrafter_ext.silhouettes.files import storage_error
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import folder_names, read_frames
from gaitcrafter_ext.synthesis.folder import OutputFolder
from gaitcrafter_ext.synthesis.plan import Plan
from gaitcrafter_ext.vocabulary import ClipKey

__all__ = ["Source", "ViewFolder", "fit", "frame_size", "open_source", "scan_tree"]

#: People of a folder whose first clip is read before training starts.
CHECKED = 50


@dataclass(frozen=True)
class Source:
    """What an entry comes to; ``clips`` gives each clip's name and file, and makes them first if they are made on
    demand (raises as ``on_demand.get_or_synthesize`` does)."""

    people: tuple[SyntheticPerson, ...]
    clips: Callable[[], Sequence[tuple[ClipKey, Path]]]


def open_source(entry: Entry, real: RealPeople, pattern: str | None = None) -> Source:
    """Look an entry up and check that its people may join the config's (``people.check_origin``); nothing is made yet.

    Args:
        entry: What the config says.
        real: The config's own people.
        pattern: File of the real clips, e.g. ``{view}-aligned-sils.pkl``, for view folders that hold several files.
    """
    return _folder(entry, real, pattern) if isinstance(entry, FolderEntry) else _generated(entry, real)


def _folder(entry: FolderEntry, real: RealPeople, pattern: str | None) -> Source:
    root = Path(entry.root)
    names = _train_people(entry, root)
    plan = OutputFolder(root.parent).plan() if root.name == "pkl" else None
    known = {} if plan is None else plan.people
    origin, weights = str(root.resolve()), "" if plan is None else plan.weights
    people = tuple(
        person_of_plan(name, known[name], weights) if name in known else person_of_folder(name, origin)
        for name in names
    )
    parents = {f"{plan.dataset}/{parent}" for who in known.values() for parent in who.mix} if plan else set()
    seen = names_in(parents.union(plan.seen) if plan else (), real.dataset)
    check_origin(entry.root, plan.dataset if plan else "", seen, people, real)
    folders = tuple(scan_tree(root, names))
    if not folders:
        raise MissingError(f"{root} holds no clip; {_layout(root)}")
    several = any(len(folder.files) > 1 for folder in folders)
    file = entry.file or (pattern if several else None)
    if file or not several:
        first = {folder.key.identity: folder for folder in reversed(folders)}
        for folder in list(first.values())[:: max(1, len(first) // CHECKED)]:
            read_frames(folder.path(file))
    return Source(people, lambda: [(folder.key, folder.path(file)) for folder in folders])


def _train_people(entry: FolderEntry, root: Path) -> Sequence[str]:
    if not root.is_dir():
        raise MissingError(f"there is no folder {root}; expected a root of <identity>/<take>/<view>/<view>.pkl")
    there = folder_names(root)
    if entry.partition is None:
        return there
    train = Partition.load(entry.partition).train
    absent = sorted(set(train) - set(there))
    if absent or not train:
        raise MissingError(
            f"{entry.partition}: TRAIN_SET names {len(train)} people, of whom {len(absent)} are not in {root} "
            f"({listed(absent) or 'it is empty'}); name the partition that was written with this folder"
        )
    return train


def _layout(root: Path) -> str:
    inner = root / "pkl"
    return f"did you mean {inner}?" if inner.is_dir() else "expected <identity>/<take>/<view>/<view>.pkl"


def _generated(entry: GeneratedEntry, real: RealPeople) -> Source:
    weights = locate(entry.weights)
    card = read_card(weights)
    plan = plan_of(entry, card, weights, real)
    alike = _alike(entry, plan, real)
    others = tuple(person_of_plan(name, who, plan.weights) for name, who in plan.people.items() if name not in alike)
    people = tuple(SyntheticPerson(name, True) for name in alike) + others
    check_origin(f"weights '{entry.weights}'", card.trained_on.dataset, card.seen(real.dataset), others, real)
    check_weights(weights, card)

    def clips() -> Sequence[tuple[ClipKey, Path]]:
        folder = get_or_synthesize(plan, weights, entry.python, entry.device)
        return [(key, folder.path(key)) for key in plan.keys]

    return Source(people, clips)


def _alike(entry: GeneratedEntry, plan: Plan, real: RealPeople) -> tuple[str, ...]:
    """Train people whom the generator imitates after their own silhouettes: they join themselves."""
    if entry.like is None or Path(entry.like).resolve() != real.root.resolve():
        return ()
    return tuple(name for name in real.train if name in plan.people and plan.people[name].code)


def frame_size(clip: Any, where: str) -> tuple[int, int]:
    """Height and width of real silhouettes; whatever else OpenGait reads is refused by its name."""
    remedy = "synthetic clips are silhouettes: choose the silhouettes by data_cfg.data_in_use"
    shape = tuple(getattr(clip, "shape", ()))
    if len(shape) != 3 or shape[1] < 32:
        kind = "poses" if 2 <= len(shape) <= 3 else "pictures or heat maps" if len(shape) == 4 else "no array of frames"
        raise DataError(f"{where}: {kind}, shape {list(shape)}; {remedy}")
    brightest = float(np.max(clip)) if clip.size else 0.0
    if brightest <= 1:
        raise DataError(f"{where}: masks of 0 and {brightest:g}; OpenGait divides by 255: write them as 0 and 255")
    if brightest < 64:
        raise DataError(f"{where}: values up to {brightest:g}, as labels of body parts have them; {remedy}")
    if shape[1:] not in SIZES:
        sizes = ", ".join(f"{height} x {width}" for height, width in SIZES)
        raise DataError(f"{where}: frames of {shape[1]} x {shape[2]}; synthetic clips are brought to {sizes}")
    return shape[1], shape[2]


def fit(frames: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Bring a clip of any of ``silhouettes.clip.SIZES`` to another of them, so that both fit into one batch."""
    if frames.shape[1] != size[0]:
        frames = upsample(normalise(frames)) if size[0] > frames.shape[1] else normalise(frames)
    margin = (size[1] - frames.shape[2]) // 2
    return np.pad(frames, ((0, 0), (0, 0), (margin, margin))) if margin > 0 else trim(frames) if margin < 0 else frames


@dataclass(frozen=True)
class ViewFolder:
    """A view folder that is not empty; ``files`` are sorted, as OpenGait counts them."""

    root: Path
    key: ClipKey
    files: tuple[str, ...]

    def path(self, file: str | None = None) -> Path:
        """The file of that name, e.g. ``{view}-aligned-sils.pkl``; without a name the only one there is."""
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
    """The view folders of people who are there, in OpenGait's order; names that begin with a dot are passed over."""
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

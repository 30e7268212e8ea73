"""From an entry under ``data_cfg.synthetic`` to people and clips: checked first, made (if at all) when asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError, MissingError, listed
from gaitcrafter_ext.generator.weights import check_weights, locate, names_in, read_card
from gaitcrafter_ext.opengait.config_keys import Entry, FolderEntry, GeneratedEntry
from gaitcrafter_ext.opengait.on_demand import get_or_synthesize, plan_of
from gaitcrafter_ext.opengait.people import RealPeople, SyntheticPerson, check_origin, person_of
from gaitcrafter_ext.silhouettes.clip import SIZES, normalise, trim, upsample
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore, entry_names, folder_around, read_frames, view_folders
from gaitcrafter_ext.synthesis.folder import OutputFolder
from gaitcrafter_ext.vocabulary import ClipKey, condition_of, file_name

#: A clip's name and file.
NamedClip = tuple[ClipKey, Path]

#: Clips of a folder that are read before training starts.
CHECKED = 50


@dataclass(frozen=True)
class Source:
    """What an entry comes to; ``clips`` makes them first where they are made on demand, and raises as
    ``on_demand.get_or_synthesize`` does."""

    people: tuple[SyntheticPerson, ...]
    clips: Callable[[], Sequence[NamedClip]]


def open_source(entry: Entry, real: RealPeople, pattern: str | None = None) -> Source:
    """Look an entry up and check that its people may join the config's (``people.check_origin``); nothing is made yet.

    ``pattern``: file of the real clips, e.g. ``{view}-aligned-sils.pkl``, for view folders that hold several files.
    """
    return _folder(entry, real, pattern) if isinstance(entry, FolderEntry) else _generated(entry, real)


def joined(sources: Iterable[Source]) -> Iterator[tuple[SyntheticPerson, ClipKey, Path]]:
    """Every clip with whose it is; the takes of a person who has clips already, real or synthetic, are renamed.

    ``nm-01`` becomes ``nm-syn-01``, of one more source ``nm-syn2-01``: the condition stays.
    """
    earlier = Counter[SyntheticPerson]()
    for source in sources:
        people = {person.name: person for person in source.people}
        for key, path in source.clips():
            person = people[key.identity]
            count = earlier[person] + person.known
            yield person, replace(key, take=_tagged(key.take, count)) if count else key, path
        earlier.update(source.people)


def _tagged(take: str, count: int) -> str:
    condition = condition_of(take)
    tag, rest = f"syn{count if count > 1 else ''}", take[len(condition) :].lstrip("-")
    return "-".join(part for part in (condition, tag, rest) if part)


def _folder(entry: FolderEntry, real: RealPeople, pattern: str | None) -> Source:
    root = Path(entry.root)
    identities = SilhouetteStore(root).identities()
    asked = identities if entry.partition is None else Partition.load(entry.partition).train
    folders = list(view_files(root, asked))
    there = {key.identity for key, _ in folders}
    names = [name for name in asked if name in there]
    if entry.partition and (len(names) < len(asked) or not asked):
        absent = sorted(set(asked) - there)
        raise MissingError(
            f"{entry.partition}: TRAIN_SET names {len(asked)} people, of whom {len(absent)} have no clip in {root} "
            f"({listed(absent) or 'it is empty'}); name the partition that was written with this folder"
        )
    if not folders:
        inner = root / "pkl"
        layout = f"did you mean {inner}?" if inner.is_dir() else "expected <identity>/<take>/<view>/<view>.pkl"
        raise MissingError(f"{root} holds no clip; {layout}")
    plan = OutputFolder(folder_around(root)).plan()
    dataset, known, seen = (plan.dataset, plan.people, set(plan.seen)) if plan else ("", {}, set())
    people = tuple(
        person_of(name, known.get(name), plan.weights if plan and name in known else str(root.resolve()))
        for name in names
    )
    seen |= {f"{dataset}/{parent}" for who in known.values() for parent in who.mix}
    check_origin(entry.root, dataset, names_in(seen, real.dataset), people, real)
    several = any(len(files) > 1 for _, files in folders)
    file = entry.file or (pattern if several else None)  # a set of its own files may call them otherwise
    clips = partial(chosen, root, folders, file)
    if file or not several:
        for _, path in clips()[:: max(1, len(folders) // CHECKED)]:
            read_frames(path)
    return Source(people, clips)


def view_files(root: Path, people: Collection[str]) -> Iterator[tuple[ClipKey, list[str]]]:
    """The files of each view folder that is not empty; names that begin with a dot are passed over."""
    wanted = frozenset(people)
    for key in view_folders(root):
        if key.identity in wanted:
            files = [name for name in entry_names(f"{root}/{key}") if name[0] != "."]
            if files:
                yield key, files


def chosen(root: Path, folders: Iterable[tuple[ClipKey, list[str]]], file: str | None) -> list[NamedClip]:
    """Of each view folder the file called ``file``, without a name its only one; ``DataError`` where there is none."""
    clips = []
    for key, files in folders:
        name = file_name(file, key.view) if file else files[0] if len(files) == 1 else ""
        if name not in files:
            found = f"{root / str(key)} holds {len(files)} file{'s' * (len(files) > 1)} ({listed(files, 4)})"
            raise DataError(f"{found}, none called '{name}'; name the silhouettes by 'file': {{view}}-sils.pkl")
        clips.append((key, Path(f"{root}/{key}/{name}")))
    return clips


def _generated(entry: GeneratedEntry, real: RealPeople) -> Source:
    weights = locate(entry.weights)
    card = read_card(weights)
    plan = plan_of(entry, card, weights, real)
    # Train people whom the generator imitates after their own silhouettes join themselves.
    own = entry.like is not None and Path(entry.like).resolve() == real.root.resolve()
    alike = tuple(name for name in real.train if own and name in plan.people and plan.people[name].code)
    others = tuple(person_of(name, who, plan.weights) for name, who in plan.people.items() if name not in alike)
    check_origin(f"weights '{entry.weights}'", card.trained_on.dataset, card.seen(real.dataset), others, real)
    check_weights(weights, card)

    def clips() -> list[NamedClip]:
        folder = get_or_synthesize(plan, weights, entry.python, entry.device)
        return [(key, folder.path(key)) for key in plan.keys]

    return Source(tuple(SyntheticPerson(name, True) for name in alike) + others, clips)


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

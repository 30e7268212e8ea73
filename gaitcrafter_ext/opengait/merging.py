"""One tree and one partition of real and synthetic sets, for OpenGait without any plug-in: a folder one can delete."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gaitcrafter_ext.errors import ConflictError, DataError, MissingError, UsageError, listed
from gaitcrafter_ext.opengait.config_keys import FolderEntry
from gaitcrafter_ext.opengait.people import SyntheticPerson, real_people
from gaitcrafter_ext.opengait.sources import chosen, frame_size, joined, open_source, view_files
from gaitcrafter_ext.silhouettes.files import STAGED_PREFIX, storage_error
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import read_pickle
from gaitcrafter_ext.vocabulary import ClipKey

PARTITION, CLIPS = "partition.json", "pkl"


@dataclass(frozen=True)
class Merged:
    """What a merge makes: each clip's name below ``pkl/``, with the file it stands for, and who is novel."""

    files: dict[ClipKey, Path]
    partition: Partition
    novel: tuple[str, ...]


def plan_merge(
    dataset: str,
    root: str | Path,
    partition: str | Path,
    synthetic: Sequence[FolderEntry],
    file: str | None = None,
    without_real: bool = False,
) -> Merged:
    """Lay out a merge of a real tree and synthetic sets; nothing is written.

    ``dataset`` is the real one's name; a generator's ``trained_on`` must match it for its known people to join.
    ``file`` names the silhouettes where view folders hold several files. ``without_real`` trains on synthetic clips
    only; test people stay real.

    Raises:
        GaitCrafterError: See ``sources.open_source``; or people of the partition are not there, or heights differ.
    """
    roots = [Path(entry.root).resolve() for entry in synthetic]
    if twice := [str(folder) for folder in roots if roots.count(folder) > 1]:
        raise UsageError(f"--synthetic: {twice[0]} is named twice, which would double its clips; name each set once")
    real = real_people(dataset, root, partition)
    folders = list(view_files(real.root, real.train + real.test))
    there = {key.identity for key, _ in folders}
    absent = [name for name in dict.fromkeys(real.absent + real.train + real.test) if name not in there]
    if absent or not folders:
        raise MissingError(
            f"--partition: {partition}: {len(absent) or 'all'} of its people have no clip in {real.root} "
            f"({listed(absent) or 'it names none'}); correct it, or name their folder by --real"
        )
    sources = [open_source(entry, real, file) for entry in synthetic]
    stay = frozenset(real.test) if without_real else there
    files = dict(chosen(real.root, [each for each in folders if each[0].identity in stay], file))
    _check_heights([(root, list(files.values()))] + [
        (entry.root, [path for _, path in source.clips()]) for entry, source in zip(synthetic, sources, strict=True)
    ])  # fmt: skip
    names, taken = dict[SyntheticPerson, str](), set[str]()
    for person, key, path in joined(sources):
        if person not in names:  # of two people of one name, the second bears a mark
            names[person] = f"{person.name}-{person.mark}" if person.name in taken else person.name
            taken.add(person.name)
        files[replace(key, identity=names[person])] = path
    known = {person.name for person in names if person.known}
    novel = tuple(name for person, name in names.items() if not person.known)
    train = tuple(name for name in real.train if not without_real or name in known)
    return Merged(files, replace(Partition.load(partition), train=train + novel), novel)


def _check_heights(sets: Sequence[tuple[str | Path, Sequence[Path]]]) -> None:
    """Refuse sets whose first clip has not as many rows as the first set's."""
    heights = [(root, frame_size(read_pickle(paths[0]), str(paths[0]))[0]) for root, paths in sets if paths]
    for root, height in heights:
        if height != heights[0][1]:
            raise DataError(
                f"{root}: frames are {height} rows high, the real ones {heights[0][1]}, and OpenGait takes one height; "
                f"make them with --size {heights[0][1]}, or name them by 'synthetic:' in a config, which brings them "
                "to it"
            )


def merge(plan: Merged, out: str | Path, copy: bool = False) -> None:
    """Make what the plan says, complete or not at all: links to the clips, or copies of them.

    Raises:
        ConflictError: There is such a folder already.
        StorageError: The disk refused, or links are not possible there.
    """
    out = Path(out)
    if out.exists():
        raise ConflictError(f"--out: {out} is there already; delete it, or choose another folder")
    staged = out.parent / f"{STAGED_PREFIX}{secrets.token_hex(8)}"
    try:
        for key, path in plan.files.items():
            target = staged / CLIPS / str(key) / path.name
            os.makedirs(target.parent, exist_ok=True)
            if copy:
                shutil.copyfile(path, target)
            else:
                os.symlink(path.resolve(), target)
        plan.partition.save(staged / PARTITION)
        os.replace(staged, out)
    except (OSError, NotImplementedError) as error:
        shutil.rmtree(staged, ignore_errors=True)
        what = error if isinstance(error, OSError) else OSError("this system knows no links; use --copy")
        raise storage_error(out, what) from error

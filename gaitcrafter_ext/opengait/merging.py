"""One tree and one partition of real and synthetic sets, for OpenGait without any plug-in; undone without a trace.

``<out>/merge.json`` is written first and names all that will be made, so that a merge which was killed is finished by
the same command, and undoing deletes what the merge made and nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from gaitcrafter_ext.errors import ConflictError, DataError, MissingError, StorageError, UsageError
from gaitcrafter_ext.opengait.people import RealPeople, SyntheticPerson, free_take, real_people, takes_of
from gaitcrafter_ext.opengait.settings import MadeEntry
from gaitcrafter_ext.opengait.sources import MadeSource, open_source
from gaitcrafter_ext.silhouettes.files import STAGED_PREFIX, atomic_write, atomic_write_text, link_folder, storage_error
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import folder_names

__all__ = ["Merge", "merge", "plan_merge", "undo"]

RECORD, PARTITION, CLIPS = "merge.json", "partition.json", "pkl"


@dataclass(frozen=True)
class Merge:
    """All that a merge makes.

    Attributes:
        takes: Take folder below ``pkl/`` -> the folder it stands for, e.g. ``"001/nm-syn-01"``.
        train: TRAIN_SET of the merged partition: real people, then novel ones.
        test: TEST_SET, real people only.
        novel: How many of ``train`` are novel.
        copy: Whether clips are copied instead of linked.
        files: Of a copy, every file below ``pkl/``; nothing of links.
    """

    takes: dict[str, str]
    train: tuple[str, ...]
    test: tuple[str, ...]
    novel: int
    copy: bool = False
    files: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The text of ``merge.json``."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"


def plan_merge(
    dataset: str,
    root: str | Path,
    partition: str | Path,
    synthetic: Sequence[MadeEntry],
    copy: bool = False,
    without_real: bool = False,
) -> Merge:
    """Lay out a merge; nothing is written.

    Args:
        dataset: Name of the real data set; a generator's ``trained_on`` must match it for its known people to join.
        root: Root of the real tree.
        partition: Its partition.
        synthetic: The synthetic sets.
        copy: Copy clips instead of linking them.
        without_real: Train on the synthetic clips only; test people stay real.

    Raises:
        UsageError: A synthetic set is named twice.
        GaitCrafterError: See ``sources.open_source``; or the partition names nobody, or people who are not there.
    """
    _refuse_twice([entry.root for entry in synthetic])
    real = _real_people(dataset, root, partition)
    takes: dict[str, str] = {}
    for person in real.test if without_real else real.train + real.test:
        for take in folder_names(real.root / person):
            takes[f"{person}/{take}"] = str((real.root / person / take).resolve())
    names: dict[SyntheticPerson, str] = {}
    known: set[str] = set()
    for entry in synthetic:
        source = open_source(entry, real)
        assert isinstance(source, MadeSource)
        known |= {person.name for person in source.people if person.known}
        _name_people(source.people, names)
        _add_takes(source, real, names, takes)
    train = tuple(name for name in real.train if not without_real or name in known)
    novel = tuple(name for person, name in names.items() if not person.known)
    files = tuple(f"{take}/{name}" for take, folder in takes.items() for name in _files(folder)) if copy else ()
    return Merge(takes, train + novel, real.test, len(novel), copy, files)


def _refuse_twice(roots: Sequence[str]) -> None:
    folders = [Path(root).resolve() for root in roots]
    for number, root in enumerate(roots):
        if folders[number] in folders[:number]:
            raise UsageError(f"--synthetic: {root} is named twice, which would double its clips; name each set once")


def _real_people(dataset: str, root: str | Path, partition: str | Path) -> RealPeople:
    """The people of the real tree; somebody, and all of them there."""
    if not Path(root).is_dir():
        raise MissingError(f"--real: there is no folder {root}; name the folder of the real identities")
    real = real_people(dataset, root, partition)
    if real.absent:
        raise MissingError(
            f"{partition} names people who are not in {root}: {', '.join(real.absent[:3])}; take them out, or name the "
            "folder that holds them by --real"
        )
    if not real.train and not real.test:
        raise DataError(f"--partition: TRAIN_SET and TEST_SET of {partition} are empty; name people of {root} there")
    return real


def _files(folder: str) -> list[str]:
    """Files below a folder, relative to it."""
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def _name_people(people: Iterable[SyntheticPerson], names: dict[SyntheticPerson, str]) -> None:
    """Give each person a folder of their own: their name, with their mark where somebody else bears it already."""
    for person in people:
        if person not in names:
            taken = set(names.values())
            names[person] = f"{person.name}-{person.mark}" if person.name in taken and person.mark else person.name


def _add_takes(source: MadeSource, real: RealPeople, names: dict[SyntheticPerson, str], takes: dict[str, str]) -> None:
    people = {person.name: person for person in source.people}
    for name, take in sorted({(key.identity, key.take) for key in source.keys}):
        person = people[name]
        own = names[person]
        taken = {path.split("/", 1)[1] for path in takes if path.startswith(f"{own}/")}
        if person.known:
            taken |= takes_of(real.root, name)
        takes[f"{own}/{free_take(take, taken)}"] = str((source.store.root / name / take).resolve())


def merge(plan: Merge, out: str | Path) -> None:
    """Make what the plan says; an equal, unfinished merge is gone on with.

    Raises:
        ConflictError: The folder holds another merge, or somebody else's files.
        StorageError: The disk refused, or links are not possible there.
    """
    out = Path(out)
    earlier = _read(out)
    if earlier is None and out.exists() and (not out.is_dir() or any(not _staged(path) for path in out.iterdir())):
        raise ConflictError(f"{out} holds what is not ours; choose an empty folder for --out")
    if earlier is not None and earlier != plan:
        raise ConflictError(f"{out} holds another merge; choose another --out, or take it away by --undo {out}")
    atomic_write_text(out / RECORD, plan.to_json())
    if not plan.copy:
        for take, source in plan.takes.items():
            _link(Path(source), out / CLIPS / take)
    for name in plan.files:
        take = "/".join(name.split("/")[:2])
        _copy(Path(plan.takes[take], *name.split("/")[2:]), out / CLIPS / name, out)
    Partition(plan.train, plan.test).save(out / PARTITION)


def undo(out: str | Path) -> int:
    """Delete what a merge made, and empty folders it leaves; returns the number of takes.

    Raises:
        MissingError: There is no merge of ours.
        StorageError: Something cannot be deleted.
    """
    out = Path(out)
    plan = _read(out)
    if plan is None:
        raise MissingError(f"{out} holds no merge of ours: there is no {RECORD}")
    try:
        for take in plan.takes:
            if (out / CLIPS / take).is_symlink():
                (out / CLIPS / take).unlink()
        for name in plan.files:
            (out / CLIPS / name).unlink(missing_ok=True)
        (out / PARTITION).unlink(missing_ok=True)
        made = {parent for name in (*plan.takes, *plan.files) for parent in (out / CLIPS / name).parents}
        made |= {out / CLIPS / take for take in plan.takes if plan.copy}
        for folder in sorted((path for path in made if out in path.parents), reverse=True):
            _remove_empty(folder)
        (out / RECORD).unlink()
        _remove_empty(out)
    except OSError as error:
        raise storage_error(out, error, "delete in") from error
    return len(plan.takes)


def _read(out: Path) -> Merge | None:
    try:
        facts = json.loads((out / RECORD).read_text(encoding="utf-8"))
        lists = {name: tuple(facts[name]) for name in ("train", "test", "files")}
        return Merge(takes=facts["takes"], novel=facts["novel"], copy=facts["copy"], **lists)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{out / RECORD}: not a merge of ours ({error}); delete the folder yourself") from None


def _link(source: Path, target: Path) -> None:
    """Let ``target`` stand for the folder ``source``."""
    try:
        link_folder(source, target)
    except StorageError as error:
        raise StorageError(f"{error}; where links are not possible, use --copy") from error


def _copy(source: Path, target: Path, staging: Path) -> None:
    if not target.is_file():
        with atomic_write(target, staging=staging) as file:
            file.write(source.read_bytes())


def _remove_empty(folder: Path) -> None:
    for path in folder.glob(f"{STAGED_PREFIX}*"):
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not empty: somebody else's file is in it
        os.rmdir(folder)


def _staged(path: Path) -> bool:
    return path.name.startswith(STAGED_PREFIX)

"""Writing a cohort to disk: resumable, on several cores, the same bytes whatever their number."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path

from gaitcrafter_ext.errors import ConflictError, GaitCrafterError, StorageError, UsageError
from gaitcrafter_ext.records import fill, read_json, record
from gaitcrafter_ext.silhouettes.files import STAGED_PREFIX, atomic_write_text
from gaitcrafter_ext.silhouettes.parallel import map_in_order
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.simulation.cohort import (
    COHORT_VERSION,
    FRAMES_MAX,
    FRAMES_MIN,
    identity_name,
    person,
    render_take,
)
from gaitcrafter_ext.vocabulary import CASIA_B_TAKES, VIEWS, ClipKey, take_names

#: The plan as JSON; it marks a folder as ours.
RECORD = "cohort.json"


@record
class CohortPlan:
    """What a cohort consists of.

    Raises:
        UsageError: A number is out of range.
    """

    subjects: int
    seed: int = 0
    views: tuple[str, ...] = VIEWS
    #: Takes of each condition.
    takes: dict[str, int] = field(default_factory=lambda: dict(CASIA_B_TAKES))
    #: Length of every clip.
    frames: int = 60
    #: How many of the first people are in the partition's training set; the others are tested.
    train: int = 0
    cohort_version: str = COHORT_VERSION

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("--subjects", self.subjects, 1, 100_000),
            ("--seed", self.seed, 0, 2**31 - 1),
            ("--frames", self.frames, FRAMES_MIN, FRAMES_MAX),
            ("--train", self.train, 0, self.subjects),
        ):
            if not low <= value <= high:
                raise UsageError(f"{name} {value} is out of range; allowed: {low} to {high}")
        if not self.views or not self.take_names():
            raise UsageError("nothing to simulate; name at least one view and one take")

    def identities(self) -> list[str]:
        """Names of the people, in order."""
        return [identity_name(number, self.seed) for number in range(1, self.subjects + 1)]

    def take_names(self) -> list[str]:
        """Names of the takes, in order."""
        return take_names(self.takes, self.takes)

    def clips(self) -> set[ClipKey]:
        """Every clip of the plan."""
        return {ClipKey(i, t, v) for i in self.identities() for t in self.take_names() for v in self.views}

    def partition(self) -> Partition:
        """The first ``train`` people to train on, the others to test on."""
        names = self.identities()
        return Partition(tuple(names[: self.train]), tuple(names[self.train :]))


def read_plan(out: Path) -> CohortPlan | None:
    """The plan of a folder that we wrote, or None where it holds no record; ``ConflictError`` where that is damaged."""
    path = out / RECORD
    if not path.is_file():
        return None
    try:
        return fill(CohortPlan, read_json(path), path)
    except GaitCrafterError as error:
        raise ConflictError(f"not a cohort's record: {error}; choose another --out or delete the file") from None


def check_folder(out: Path, plan: CohortPlan, force: bool) -> None:
    """Refuse a folder that holds something else, and make way in one where ``force`` allows it.

    A folder of the same seed, length and version may grow: the new plan must include all that is there and leave
    every person in the same set. With ``force`` people may change sets, and the clips of another cohort that the
    folder's own record lists are deleted; files that are not ours never are.
    """
    if out.exists() and not out.is_dir():
        raise ConflictError(f"{out} is a file; choose another --out")
    old = read_plan(out)
    if old is None:
        if not force:
            _refuse_foreign_files(out)
    elif is_part(old, plan):
        if not force:
            _refuse_moves(out / "partition.json", plan)
    elif force:
        delete_clips(out, old)
    else:
        raise ConflictError(
            f"{out} holds another cohort (version {old.cohort_version}, seed {old.seed}, {old.frames} frames, "
            f"{old.subjects} subjects); choose another --out or replace its clips with --force"
        )


def is_part(old: CohortPlan, plan: CohortPlan) -> bool:
    """Whether every clip of ``old`` is, byte for byte, a clip of ``plan``."""
    same = all(getattr(old, name) == getattr(plan, name) for name in ("cohort_version", "seed", "frames"))
    return same and old.clips() <= plan.clips()


def _refuse_foreign_files(out: Path) -> None:
    foreign = sorted(p.name for p in out.iterdir() if not p.name.startswith(STAGED_PREFIX)) if out.is_dir() else []
    if foreign:
        raise ConflictError(
            f"{out} holds files that simulate did not write ({', '.join(foreign[:3])}); choose an empty --out "
            f"or write beside them with --force"
        )


def _refuse_moves(path: Path, plan: CohortPlan) -> None:
    if not path.is_file():
        return
    there, planned = Partition.load(path), plan.partition()
    moved = sorted({*there.train} & {*planned.test} | {*there.test} & {*planned.train})
    if moved:
        raise ConflictError(
            f"{path}: {len(moved)} of its {len(there.train + there.test)} people would change between TRAIN_SET and "
            f"TEST_SET (such as {moved[0]}) by --train {plan.train}; give --train {len(there.train)} as before, "
            "another --out, or --force"
        )


def delete_clips(out: Path, plan: CohortPlan) -> None:
    """Delete the clips of a plan, the folders that this empties, and the record."""
    root = out / "pkl"
    try:
        for key in sorted(plan.clips()):
            path = root / key.relative_path
            path.unlink(missing_ok=True)
            for folder in list(path.parents)[:3]:
                if folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()
        (out / RECORD).unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"cannot delete the old cohort in {out}: {error.strerror or error}") from error


def write_take(plan: CohortPlan, root: Path, task: tuple[int, str]) -> tuple[int, int]:
    """Render what is missing of one take; returns (clips made, clips that were there)."""
    number, take = task
    store = SilhouetteStore(root)
    keys = [ClipKey(identity_name(number, plan.seed), take, view) for view in plan.views]
    missing = [key for key in keys if key not in store]
    if missing:
        clips = render_take(plan.seed, person(plan.seed, number), take, [key.view for key in missing], plan.frames)
        for key in missing:
            store.write(key, clips[key.view])
    return len(missing), len(keys) - len(missing)


def write_cohort(plan: CohortPlan, out: Path, jobs: int = 1, force: bool = False) -> Iterator[tuple[int, int]]:
    """Write ``out/pkl``, ``out/partition.json`` and ``out/cohort.json``; what is there already is kept.

    The bytes do not depend on ``jobs``, the number of processes; for ``force`` see :func:`check_folder`.

    Yields:
        After each take: (clips made, clips that were there).

    Raises:
        ConflictError: The folder holds another cohort or foreign files, or people would change sets.
        StorageError: The disk refused.
    """
    check_folder(out, plan, force)
    store = SilhouetteStore(out / "pkl", create=True)
    atomic_write_text(out / RECORD, json.dumps(dataclasses.asdict(plan), indent=1) + "\n")
    tasks = [(number, take) for number in range(1, plan.subjects + 1) for take in plan.take_names()]
    yield from map_in_order(functools.partial(write_take, plan, store.root), tasks, jobs, chunk=2)
    plan.partition().save(out / "partition.json")

"""Writing a cohort to disk: resumable, on several cores, the same bytes whatever their number."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import asdict, field
from pathlib import Path

from gaitcrafter_ext.errors import ConflictError, GaitCrafterError, UsageError, listed
from gaitcrafter_ext.records import fill, read_json, record
from gaitcrafter_ext.silhouettes.files import STAGED_PREFIX, atomic_write_text
from gaitcrafter_ext.silhouettes.parallel import map_in_order
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.simulation.cohort import COHORT_VERSION, FRAMES_MAX, FRAMES_MIN, identity_name, person, render_take
from gaitcrafter_ext.vocabulary import CASIA_B_TAKES, VIEWS, ClipKey, take_names

#: The plan as JSON; it marks a folder as ours.
RECORD = "cohort.json"


@record
class CohortPlan:
    """What a cohort consists of; ``UsageError`` where a number is out of range."""

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
        for name, low, high in (
            ("subjects", 1, 100_000),
            ("seed", 0, 2**31 - 1),
            ("frames", FRAMES_MIN, FRAMES_MAX),
            ("train", 0, self.subjects),
        ):
            if not low <= getattr(self, name) <= high:
                raise UsageError(f"--{name} {getattr(self, name)} is out of range; allowed: {low} to {high}")
        if not self.views or not self.take_names():
            raise UsageError("nothing to simulate; name at least one view and one take")

    def identities(self) -> list[str]:
        """Names of the people, in order."""
        return [identity_name(number, self.seed) for number in range(1, self.subjects + 1)]

    def take_names(self) -> list[str]:
        """Names of the takes, in order."""
        return take_names(self.takes, self.takes)

    def partition(self) -> Partition:
        """The first ``train`` people to train on, the others to test on."""
        names = self.identities()
        return Partition(tuple(names[: self.train]), tuple(names[self.train :]))

    def includes(self, other: CohortPlan) -> bool:
        """Whether every clip of ``other`` is, byte for byte, a clip of this plan."""
        same = all(getattr(self, name) == getattr(other, name) for name in ("cohort_version", "seed", "frames"))
        seen = {*other.take_names()} <= {*self.take_names()} and {*other.views} <= {*self.views}
        return same and seen and other.subjects <= self.subjects


def read_plan(out: Path) -> CohortPlan | None:
    """The plan of a folder that we wrote, or None where it holds no record; ``ConflictError`` where that is damaged."""
    if not (out / RECORD).is_file():
        return None
    try:
        return fill(CohortPlan, read_json(out / RECORD), out / RECORD)
    except GaitCrafterError as error:
        raise ConflictError(f"not a cohort's record: {error}; choose another --out or delete the file") from None


def write_cohort(plan: CohortPlan, out: Path, jobs: int = 1) -> Iterator[tuple[int, int]]:
    """Write ``out/pkl``, ``out/partition.json`` and ``out/cohort.json``; what is there already is kept.

    The bytes do not depend on ``jobs``, the number of processes. A folder of the same seed, length and version may
    grow: the plan must include all that is there and leave every person in the same set.

    Yields:
        After each take: (clips made, clips that were there).

    Raises:
        ConflictError: The folder holds another cohort or foreign files, or people would change sets.
        StorageError: The disk refused.
    """
    _check_folder(out, plan)
    atomic_write_text(out / RECORD, json.dumps(asdict(plan), indent=1) + "\n")  # first: it marks what follows as ours
    store = SilhouetteStore(out / "pkl", create=True)
    tasks = [(number, take) for number in range(1, plan.subjects + 1) for take in plan.take_names()]
    yield from map_in_order(functools.partial(_write_take, plan, store), tasks, jobs, chunk=2)
    plan.partition().save(out / "partition.json")


def _check_folder(out: Path, plan: CohortPlan) -> None:
    """Refuse a folder that holds something else, or the same people in other sets."""
    old = read_plan(out)
    if old is None:
        foreign = sorted(path.name for path in out.glob("*") if not path.name.startswith(STAGED_PREFIX))
        if foreign:
            raise ConflictError(
                f"{out} holds files that simulate did not write ({listed(foreign)}); choose an empty --out"
            )
    elif not plan.includes(old):
        raise ConflictError(
            f"{out} holds another cohort (version {old.cohort_version}, seed {old.seed}, {old.frames} frames, "
            f"{old.subjects} subjects, {len(old.take_names())} takes, {len(old.views)} views); "
            "choose another --out, or delete it"
        )
    elif (path := out / "partition.json").is_file():
        there, planned = Partition.load(path), plan.partition()
        moved = sorted({*there.train} & {*planned.test} | {*there.test} & {*planned.train})
        if moved:
            raise ConflictError(
                f"{path}: {len(moved)} of its {len(there.train + there.test)} people would change between TRAIN_SET "
                f"and TEST_SET (such as {moved[0]}) by --train {plan.train}; give --train {len(there.train)} as "
                "before, or another --out"
            )


def _write_take(plan: CohortPlan, store: SilhouetteStore, task: tuple[int, str]) -> tuple[int, int]:
    """Render what is missing of one take; returns (clips made, clips that were there)."""
    number, take = task
    keys = [ClipKey(identity_name(number, plan.seed), take, view) for view in plan.views]
    missing = [key for key in keys if key not in store]
    if missing:
        clips = render_take(plan.seed, person(plan.seed, number), take, [key.view for key in missing], plan.frames)
        for key in missing:
            store.write(key, clips[key.view])
    return len(missing), len(keys) - len(missing)

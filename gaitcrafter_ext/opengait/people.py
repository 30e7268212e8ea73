"""Who is who: which synthetic person is a real one, which label each carries, and what must never be mixed up."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gaitcrafter_ext.errors import ConflictError, MissingError, WeightsError
from gaitcrafter_ext.silhouettes import manifest
from gaitcrafter_ext.silhouettes.files import storage_error
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import folder_names
from gaitcrafter_ext.vocabulary import condition_of

__all__ = ["NOVEL_MARK", "RealPeople", "SyntheticPerson", "check_origin", "free_take", "person_of", "real_people"]

#: First letter of a novel person's label: sorts after every letter and digit of a dataset's name.
NOVEL_MARK = "~"


@dataclass(frozen=True)
class RealPeople:
    """The people of a config's own dataset.

    Attributes:
        dataset: ``data_cfg.dataset_name``.
        train: TRAIN_SET as far as it is on disk.
        test: TEST_SET.
        absent: People of either set who are not on disk.
        root: Where they lie.
    """

    dataset: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    absent: tuple[str, ...]
    root: Path


@dataclass(frozen=True)
class SyntheticPerson:
    """Somebody in a synthetic set.

    Attributes:
        name: The folder's name, e.g. ``"syn-0001"`` or ``"001"``.
        known: Whether this is the real person of that name.
        mark: What tells two novel people of one name apart: 8 hex digits; empty for a known person.
    """

    name: str
    known: bool
    mark: str = ""

    def label(self, dataset: str) -> str:
        """What OpenGait sorts and counts: a known person's is the real one's, a novel person's sorts after them all."""
        return f"{dataset}-{self.name}" if self.known else f"{NOVEL_MARK}{self.name}@{self.mark}"


def real_people(dataset: str, root: str | Path, partition: str | Path) -> RealPeople:
    """Who trains and who is tested on.

    Raises:
        MissingError: There is no such root or partition.
        DataError: The partition is none.
    """
    root = Path(root)
    if not root.is_dir():
        raise MissingError(f"data_cfg.dataset_root: there is no folder {root}; --set data_cfg.dataset_root=FOLDER")
    sets, there = Partition.load(partition), set(folder_names(root))
    absent = tuple(name for name in sets.train + sets.test if name not in there)
    return RealPeople(dataset, tuple(name for name in sets.train if name in there), sets.test, absent, root)


def person_of(name: str, recipe: Mapping[str, float], weights: str) -> SyntheticPerson:
    """A person of a plan: known where the recipe is that person alone.

    Args:
        name: The person's name in the plan.
        recipe: Training person -> weight.
        weights: Fingerprint of the weights; the same blend by other weights is somebody else.
    """
    if dict(recipe) == {name: 1.0}:
        return SyntheticPerson(name, True)
    return SyntheticPerson(name, False, _mark([weights, sorted(recipe.items())]))


def stranger(name: str, origin: str) -> SyntheticPerson:
    """A person of whom nothing is known but the name and where the clips lie."""
    return SyntheticPerson(name, False, _mark([origin, name]))


def _mark(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:8]


def check_origin(
    source: str, dataset: str, trained: Iterable[str], people: Iterable[SyntheticPerson], real: RealPeople
) -> None:
    """Refuse people who would be mixed up with real ones, or whose generator has seen whom the config tests on.

    Args:
        source: The weights or root, for messages.
        dataset: What the generator was trained on.
        trained: The people it was trained on.
        people: Whom the entry brings.
        real: The config's own.

    Raises:
        WeightsError: Known people of another dataset; or the generator saw people who are not in TRAIN_SET.
        ConflictError: A novel person bears a real person's name.
    """
    people = list(people)
    known = [person.name for person in people if person.known]
    if known and dataset != real.dataset:
        raise WeightsError(
            f"{source}: {_some(known)} as known people, but its generator was trained on '{dataset}' and the config's "
            f"dataset is '{real.dataset}'; equal names are not the same people: use novel people, or matching weights"
        )
    if dataset == real.dataset:
        trained = set(trained)
        manifest.refuse_tested(source, trained, real.test)
        beyond = sorted(trained - set(real.train))
        if beyond:
            raise WeightsError(
                f"{source}: its generator was trained on '{dataset}' people the config '{real.dataset}' does not train "
                f"on ({_some(beyond)}, not in TRAIN_SET); train it on this partition's TRAIN_SET"
            )
    taken = set(real.train) | set(real.test)
    both = sorted(person.name for person in people if not person.known and person.name in taken)
    if both:
        raise ConflictError(
            f"{source}: {_some(both)} is a real person of '{real.dataset}' and somebody else here; rename the folder, "
            "or make the clips with tools/synthesize.py, whose plan.json says who is who"
        )


def free_take(take: str, taken: Collection[str]) -> str:
    """``take`` if nobody has it, else ``nm-syn-01`` for ``nm-01``, ``nm-syn2-01``...; the condition stays."""
    if take not in taken:
        return take
    condition = condition_of(take)
    rest = take[len(condition) :].lstrip("-")
    number = 1
    while True:
        tag = "syn" if number == 1 else f"syn{number}"
        name = "-".join(part for part in (condition, tag, rest) if part)
        if name not in taken:
            return name
        number += 1


def takes_of(root: Path, person: str) -> set[str]:
    """Takes that a person has below a root; none where the person is not there."""
    folder = root / person
    try:
        return set(folder_names(folder)) if folder.is_dir() else set()
    except OSError as error:
        raise storage_error(folder, error, "read") from error


def _some(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f", ... ({len(names)} people)" if len(names) > most else "")

"""Who is who: which synthetic person is a real one, which label each carries, and what must never be mixed up."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from gaitcrafter_ext.errors import ConflictError, MissingError, WeightsError, listed
from gaitcrafter_ext.silhouettes import manifest
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import folder_names
from gaitcrafter_ext.synthesis.identities import Identity


@dataclass(frozen=True)
class RealPeople:
    """The people of a config's own dataset, which is ``data_cfg.dataset_name``."""

    dataset: str
    train: tuple[str, ...]  # TRAIN_SET as far as it is on disk
    test: tuple[str, ...]  # TEST_SET
    absent: tuple[str, ...]  # of either set, not on disk
    there: frozenset[str]  # all who are on disk, in a set or not
    root: Path


@dataclass(frozen=True)
class SyntheticPerson:
    """A person of a synthetic set, by the name of the folder, e.g. ``syn-0001`` or ``001``.

    ``known``: whether this is the real person of that name. ``mark``: 8 hex digits that tell two novel people of one
    name apart.
    """

    name: str
    known: bool
    mark: str = ""

    @property
    def label(self) -> str:
        """What a class is called: a known person's is the real one's, a novel person's sorts after all of them."""
        return self.name if self.known else f"~{self.name}@{self.mark}"


def real_people(dataset: str, root: str | Path, partition: str | Path) -> RealPeople:
    """Who trains and who is tested."""
    root = Path(root)
    if not root.is_dir():
        raise MissingError(f"data_cfg.dataset_root: there is no folder {root}; --set data_cfg.dataset_root=FOLDER")
    sets, there = Partition.load(partition), frozenset(folder_names(root))
    absent = tuple(name for name in sets.train + sets.test if name not in there)
    return RealPeople(dataset, tuple(name for name in sets.train if name in there), sets.test, absent, there, root)


def person_of(name: str, who: Identity | None, origin: str) -> SyntheticPerson:
    """A person of a plan, made by the weights ``origin``, or without one of the folder ``origin``.

    Known where the mixture is that person alone; equal blends of other weights are other people.
    """
    if who is not None and who.mix == {name: 1.0}:
        return SyntheticPerson(name, True)
    facts = [origin, name] if who is None else [origin, sorted(who.mix.items()), list(who.code)]
    return SyntheticPerson(name, False, hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:8])


def check_origin(
    source: str, dataset: str, seen: Collection[str], people: Collection[SyntheticPerson], real: RealPeople
) -> None:
    """Refuse people who would be mixed up with real ones, or whose generator has seen whom the config tests on.

    The generator of ``source`` was trained on ``dataset`` and saw the people ``seen`` of the config's own; ``people``
    are those whom the entry brings.
    """
    known = [person.name for person in people if person.known]
    if known and dataset != real.dataset:
        raise WeightsError(
            f"{source}: {listed(known)} as known people, but its generator was trained on '{dataset}' and the config's "
            f"dataset is '{real.dataset}'; equal names are not the same people: use novel people, or matching weights"
        )
    manifest.refuse_tested(source, seen, real.test)
    beyond = sorted(set(seen) & real.there - set(real.train))
    if beyond:
        raise WeightsError(
            f"{source}: its generator was trained on {len(seen)} people of '{real.dataset}', of whom {listed(beyond)} "
            f"not in TRAIN_SET; train on all {len(seen)}, or train a generator on this partition's TRAIN_SET"
        )
    taken = set(real.train) | set(real.test)
    both = sorted(person.name for person in people if not person.known and person.name in taken)
    if both:
        raise ConflictError(
            f"{source}: {listed(both)} is a real person of '{real.dataset}' and another person here; rename the folder,"
            " or make the clips with tools/synthesize.py, whose plan.json says who is who (people imitated by --like"
            " join by an entry with 'weights' and 'like')"
        )

"""Who is trained on and who is tested: OpenGait's ``{"TRAIN_SET": [...], "TEST_SET": [...]}``."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from gaitcrafter_ext.errors import DataError, MissingError, listed
from gaitcrafter_ext.records import fill, read_json, record
from gaitcrafter_ext.silhouettes.files import atomic_write_text
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey


@record
class _Sets:
    """OpenGait's file; a test set is not needed to train."""

    TRAIN_SET: tuple[Annotated[str, Field(min_length=1)], ...]
    TEST_SET: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    PROBE_SET: tuple[str, ...] = ()
    GALLERY_SET: tuple[str, ...] = ()


@dataclass(frozen=True)
class Partition:
    """A split of people, in the file's order; ``DataError`` where a name occurs twice, in one set or in both."""

    train: tuple[str, ...]
    test: tuple[str, ...] = ()
    #: PROBE_SET and GALLERY_SET, where the file has them (Gait3D, CCGR-MINI, FreeGait): clips ``identity-take-view``.
    probes: tuple[str, ...] = ()
    gallery: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, people in (("TRAIN_SET", self.train), ("TEST_SET", self.test)):
            twice = [person for person, count in Counter(people).items() if count > 1]
            if twice:
                raise DataError(f"partition: {name} names {listed(twice, 8)} more than once; name each person once")
        tested = set(self.test)
        both = [person for person in self.train if person in tested]
        if both:
            raise DataError(f"partition: {listed(both, 8)} in both TRAIN_SET and TEST_SET; a person belongs to one")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Partition:
        """Read a partition file; raises as ``read_json``, and ``DataError`` where TRAIN_SET is missing."""
        content = read_json(Path(path))
        if isinstance(content, dict):  # other keys belong to whoever wrote them
            content = {name: content[name] for name in _Sets.__annotations__ if name in content}
        try:
            sets = fill(_Sets, content, "partition")
            return cls(sets.TRAIN_SET, sets.TEST_SET, sets.PROBE_SET, sets.GALLERY_SET)
        except DataError as error:
            raise DataError(f"{os.fspath(path)}: {error}") from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file that OpenGait reads; raises ``StorageError`` where the disk refuses."""
        content = {"TRAIN_SET": self.train, "TEST_SET": self.test}
        content |= {name: clips for name, clips in (("PROBE_SET", self.probes), ("GALLERY_SET", self.gallery)) if clips}
        atomic_write_text(path, json.dumps(content, indent=4, ensure_ascii=False) + "\n")

    def is_probe(self, keys: Iterable[ClipKey]) -> list[bool]:
        """Which clips are looked up among the others: PROBE_SET, or without one all but GALLERY_SET, as in OpenGait."""
        named = frozenset(self.probes or self.gallery)
        inside = bool(self.probes) or not named
        return [(f"{key.identity}-{key.take}-{key.view}" in named) is inside for key in keys]

    def check(self, store: SilhouetteStore) -> None:
        """Raise ``MissingError`` where ``store`` lacks people that are named: OpenGait would drop them in silence."""
        there = set(store.identities())
        for name, people in (("TRAIN_SET", self.train), ("TEST_SET", self.test)):
            absent = [person for person in people if person not in there]
            if absent:
                raise MissingError(
                    f"{name} names {len(absent)} of {len(people)} people who are not in {store.root}: "
                    f"{listed(absent, 8)}; take them out of the partition or give the root that holds them"
                )

"""What an experiment does, one step after the other; each step can be done again without harm."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any, Protocol

from gaitcrafter_ext.generator.card import checksum
from gaitcrafter_ext.silhouettes.files import link_folder
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import condition_of

__all__ = ["Call", "Command", "Reduction", "Split", "Step"]

#: Runs a command of this package, given its words; raises where it fails.
Call = Callable[[tuple[str, ...]], None]


class Step(Protocol):
    """One thing to do."""

    @property
    def name(self) -> str:
        """Unique within the experiment."""

    @property
    def output(self) -> Path:
        """The folder or file that it makes."""

    def do(self, call: Call) -> None:
        """Do it, or go on with it."""

    def facts(self, root: Path) -> dict[str, Any]:
        """All that its result depends on; a step whose facts have changed is another step.

        Args:
            root: The experiment's folder; what lies in it is named from there, so that it may be moved.
        """

    def __str__(self) -> str:
        """As a line of a shell script."""


@dataclass(frozen=True)
class Command:
    """A command of this package.

    Attributes:
        name: Of the step.
        words: The command line after ``gaitcrafter``; files and folders are paths.
        given: A file among them that the user wrote: what is in it counts, not what it is called.
    """

    name: str
    words: tuple[str | Path, ...]
    given: Path | None = None

    @property
    def output(self) -> Path:
        """What stands behind ``--out``."""
        return Path(self.words[self.words.index("--out") + 1])

    def do(self, call: Call) -> None:
        """Run it."""
        call(tuple(map(str, self.words)))

    def facts(self, root: Path) -> dict[str, Any]:
        """The command line."""
        return {"words": [self._fact(word, root) for word in self.words]}

    def _fact(self, word: str | Path, root: Path) -> str:
        if isinstance(word, str):
            return word
        return checksum(word) if word == self.given else _place(word, root)

    def __str__(self) -> str:
        return shlex.join(["gaitcrafter", *map(str, self.words)])


@dataclass(frozen=True)
class Split:
    """A partition file.

    Attributes:
        name: Of the step.
        path: The file to write.
        partition: What to write into it.
    """

    name: str
    path: Path
    partition: Partition

    @property
    def output(self) -> Path:
        """The file."""
        return self.path

    def do(self, call: Call) -> None:
        """Write it."""
        self.partition.save(self.path)

    def facts(self, root: Path) -> dict[str, Any]:
        """Who is in it."""
        return {"path": _place(self.path, root), **asdict(self.partition)}

    def __str__(self) -> str:
        return f"# {self.path}: {len(self.partition.train)} people to train on, {len(self.partition.test)} to test"


@dataclass(frozen=True)
class Reduction:
    """A tree of links to another, in which some people lack something.

    Attributes:
        name: Of the step.
        source: The whole tree.
        target: The reduced one.
        lacking: Person -> conditions and views that are left out of theirs.
    """

    name: str
    source: Path
    target: Path
    lacking: Mapping[str, tuple[str, ...]]

    @property
    def output(self) -> Path:
        """The reduced tree."""
        return self.target

    def do(self, call: Call) -> None:
        """Link every clip that stays; links that are there already stay."""
        store = SilhouetteStore(self.source)
        for key in store.keys():  # noqa: SIM118
            if {condition_of(key.take), key.view}.isdisjoint(self.lacking.get(key.identity, ())):
                self._link(key.relative_path.parent)

    def _link(self, relative: PurePath) -> None:
        """Link a clip's folder; links to what lies beside the tree are relative, so that both may be moved."""
        clip, link = (self.source / relative).resolve(), self.target / relative
        beside = self.source.is_relative_to(self.target.parent)
        link_folder(Path(os.path.relpath(clip, link.parent.resolve())) if beside else clip, link)

    def facts(self, root: Path) -> dict[str, Any]:
        """From what, and what is left out."""
        lacking = {person: list(names) for person, names in self.lacking.items()}
        return {"source": _place(self.source, root), "target": _place(self.target, root), "lacking": lacking}

    def __str__(self) -> str:
        return f"# {self.target}: links to {self.source}, where {len(self.lacking)} people lack something"


def _place(path: Path, root: Path) -> str:
    """A path told alike from wherever the user is: from ``root`` where it lies in it, absolute elsewhere."""
    whole, folder = (Path(os.path.abspath(each)) for each in (path, root))
    return (whole.relative_to(folder) if whole.is_relative_to(folder) else whole).as_posix()

"""What an experiment does, one step after the other; each step can be done again without harm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

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

    def do(self, call: Call) -> None:
        """Do it, or go on with it."""

    def facts(self) -> dict[str, Any]:
        """All that its result depends on; a step whose facts have changed is another step."""

    def __str__(self) -> str:
        """As a line of a shell script."""


@dataclass(frozen=True)
class Command:
    """A command of this package.

    Attributes:
        name: Of the step.
        words: The command line after ``gaitcrafter``.
    """

    name: str
    words: tuple[str, ...]

    def do(self, call: Call) -> None:
        """Run it."""
        call(self.words)

    def facts(self) -> dict[str, Any]:
        """The command line."""
        return {"words": list(self.words)}

    def __str__(self) -> str:
        return " ".join(["gaitcrafter", *self.words])


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

    def do(self, call: Call) -> None:
        """Write it."""
        self.partition.save(self.path)

    def facts(self) -> dict[str, Any]:
        """Who is in it."""
        return {"path": str(self.path), **asdict(self.partition)}

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

    def do(self, call: Call) -> None:
        """Link every clip that stays; links that are there already stay."""
        store = SilhouetteStore(self.source)
        for key in store.keys():  # noqa: SIM118
            if {condition_of(key.take), key.view}.isdisjoint(self.lacking.get(key.identity, ())):
                relative = key.relative_path.parent
                link_folder((self.source / relative).resolve(), self.target / relative)

    def facts(self) -> dict[str, Any]:
        """From what, and what is left out."""
        lacking = {person: list(names) for person, names in self.lacking.items()}
        return {"source": str(self.source), "target": str(self.target), "lacking": lacking}

    def __str__(self) -> str:
        return f"# {self.target}: links to {self.source}, where {len(self.lacking)} people lack something"

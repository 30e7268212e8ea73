"""What an experiment does, one step after the other; a run goes on where an earlier one stopped."""

from __future__ import annotations

import json
import os
import shlex
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePath
from typing import Any

from gaitcrafter_ext.errors import ConflictError
from gaitcrafter_ext.generator.weights import checksum
from gaitcrafter_ext.silhouettes.dataset import DatasetConfig
from gaitcrafter_ext.silhouettes.files import FileLock, atomic_write_text, link_folder
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore

__all__ = ["Call", "Command", "Reduction", "Split", "Step", "run_steps"]

#: Where it is noted which steps are done.
NOTES = "steps"

#: Runs a command of this package, given its words; raises where it fails.
Call = Callable[[tuple[str, ...]], None]


@dataclass(frozen=True)
class Step(ABC):
    """One thing to do; ``name`` is unique within the experiment, and ``str`` is a line of a shell script."""

    name: str

    @property
    @abstractmethod
    def output(self) -> Path:
        """The folder or file that it makes."""

    @abstractmethod
    def do(self, call: Call) -> None:
        """Do it, or go on with it."""

    @abstractmethod
    def facts(self, root: Path) -> dict[str, Any]:
        """All that its result depends on; files are named from the experiment's folder, so that it may be moved."""


@dataclass(frozen=True)
class Command(Step):
    """A command of this package: the words after ``gaitcrafter``, files and folders among them as paths.

    ``given`` is a file among them that the user wrote: what is in it counts, not what it is called.
    """

    words: tuple[str | Path, ...]
    given: str | Path | None = None

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
class Split(Step):
    """A partition file to write."""

    path: Path
    partition: Partition

    @property
    def output(self) -> Path:
        """The partition file."""
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
class Reduction(Step):
    """A tree of links to another; ``lacking``: person -> conditions and views that are left out of theirs."""

    source: Path
    target: Path
    lacking: Mapping[str, tuple[str, ...]]
    dataset: DatasetConfig = field(default_factory=DatasetConfig)

    @property
    def output(self) -> Path:
        """The reduced tree."""
        return self.target

    def do(self, call: Call) -> None:
        """Link every clip that stays; links that are there already stay."""
        store = SilhouetteStore(self.source, self.dataset)
        for key in store.keys():  # noqa: SIM118
            if {self.dataset.condition_of(key.take), key.view}.isdisjoint(self.lacking.get(key.identity, ())):
                self._link(PurePath(key.identity, key.take, key.view))

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


def run_steps(
    steps: Sequence[Step],
    root: Path,
    call: Call,
    on_step: Callable[[int, Step], None] = lambda number, step: None,
) -> int:
    """Do every step of the experiment in ``root`` that is not done yet; ``on_step`` hears of each, from 1, before.

    Returns:
        How many steps were done.

    Raises:
        ConflictError: The folder holds steps of other settings, or another process is at work on the same step.
    """
    notes = root / NOTES
    for step in steps:
        _is_done(step, root)
    done = 0
    for number, step in enumerate(steps, start=1):
        if _is_done(step, root):
            continue
        # A lock a step, not a folder: experiments at different steps may be at work in it at the same time.
        with FileLock(notes / f"{step.name}.lock", f"step '{step.name}' in {root}"):
            if _is_done(step, root):
                continue
            on_step(number, step)
            _do(step, call, root)
            done += 1
    return done


def _do(step: Step, call: Call, root: Path) -> None:
    """Do a step and note it; where it fails before it has made anything, other settings may be tried."""
    text, begun = _text(step, root), root / NOTES / f"{step.name}.begun"
    atomic_write_text(begun, text)
    try:
        step.do(call)
    except BaseException:
        if not any(path.is_symlink() or not path.is_dir() for path in step.output.rglob("*")):
            begun.unlink()
        raise
    atomic_write_text(begun.with_name(f"{step.name}.json"), text)


def _is_done(step: Step, root: Path) -> bool:
    """Whether a step was done.

    Raises:
        ConflictError: It was done or begun with other settings, whose results must not be mixed with ours.
    """
    found = [path for name in ("json", "begun") if (path := root / NOTES / f"{step.name}.{name}").is_file()]
    if any(path.read_text(encoding="utf-8") != _text(step, root) for path in found):
        raise ConflictError(
            f"--out: step '{step.name}' in {root} was made with other settings; "
            "give the same ones, or name another folder"
        )
    return bool(found) and found[0].suffix == ".json"


def _text(step: Step, root: Path) -> str:
    return json.dumps(step.facts(root), indent=1) + "\n"


def _place(path: Path, root: Path) -> str:
    """A path named alike from wherever the user is: from ``root`` where it lies in it, absolute elsewhere."""
    whole, folder = (Path(os.path.abspath(each)) for each in (path, root))
    return (whole.relative_to(folder) if whole.is_relative_to(folder) else whole).as_posix()

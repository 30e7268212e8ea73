"""What an experiment does, one step after the other; a run goes on where an earlier one stopped."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gaitcrafter_ext.errors import ConflictError
from gaitcrafter_ext.generator.weights import checksum
from gaitcrafter_ext.silhouettes.dataset import DatasetConfig
from gaitcrafter_ext.silhouettes.files import FileLock, atomic_write_text, link_folder
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore

#: Where it is noted which steps are done.
NOTES = "steps"

#: Runs a command of this package, given its words; raises where it fails.
Call = Callable[[tuple[str, ...]], None]


@dataclass(frozen=True)
class Step:
    """One thing to do, and its line in a shell script.

    ``name`` is unique within the experiment. ``output`` is the folder or file that it makes, and ``facts`` all that
    this depends on; files are named from the experiment's folder, so that it may be moved.
    """

    name: str
    line: str
    output: Path
    facts: dict[str, Any]
    do: Callable[[Call], None]


def command(root: Path, name: str, words: Sequence[str | Path], given: str | Path | None = None) -> Step:
    """A command of this package: the words after ``gaitcrafter``, files and folders among them as paths.

    ``given`` is a file among them that the user wrote: what is in it counts, not what it is called.
    """
    text = tuple(map(str, words))
    facts = [
        word if isinstance(word, str) else checksum(word) if word == given else _place(word, root) for word in words
    ]
    output = Path(words[words.index("--out") + 1])
    return Step(name, shlex.join(["gaitcrafter", *text]), output, {"words": facts}, lambda call: call(text))


def split(root: Path, name: str, path: Path, partition: Partition) -> Step:
    """Write a partition file."""
    line = f"# {path}: {len(partition.train)} people to train on, {len(partition.test)} to test"
    facts = {"path": _place(path, root), **asdict(partition)}
    return Step(name, line, path, facts, lambda call: partition.save(path))


def reduction(
    root: Path, target: Path, source: Path, lacking: Mapping[str, tuple[str, ...]], dataset: DatasetConfig
) -> Step:
    """Make a tree of links to another; ``lacking``: person -> conditions and views that are left out of theirs."""

    def do(call: Call) -> None:
        for key in SilhouetteStore(source, dataset):
            if {dataset.condition_of(key.take), key.view}.isdisjoint(lacking.get(key.identity, ())):
                clip, link = (source / str(key)).resolve(), target / str(key)
                # Links to what lies beside the tree are relative, so that both may be moved.
                beside = source.is_relative_to(target.parent)
                link_folder(Path(os.path.relpath(clip, link.parent.resolve())) if beside else clip, link)

    facts = {"source": _place(source, root), "target": _place(target, root), "lacking": dict(lacking)}
    line = f"# {target}: links to {source}, where {len(lacking)} people lack something"
    return Step(target.name, line, target, facts, do)


def run_steps(steps: Sequence[Step], root: Path, call: Call, on_step: Callable[[int, Step], None]) -> None:
    """Do every step of the experiment in ``root`` that is not done yet; ``on_step`` hears of each, from 1, before.

    Raises:
        ConflictError: The folder holds steps of other settings, or another process is at work on the same step.
    """
    for step in steps:
        _is_done(step, root)
    for number, step in enumerate(steps, start=1):
        if _is_done(step, root):
            continue
        # A lock a step, not a folder: experiments at different steps may be at work in it at the same time.
        with FileLock(root / NOTES / f"{step.name}.lock", f"step '{step.name}' in {root}"):
            if _is_done(step, root):
                continue
            on_step(number, step)
            _do(step, call, root)


def _do(step: Step, call: Call, root: Path) -> None:
    """Do a step and note it; where it fails before it has made anything, other settings may be tried."""
    begun = root / NOTES / f"{step.name}.begun"
    atomic_write_text(begun, _text(step))
    try:
        step.do(call)
    except BaseException:
        if not any(path.is_symlink() or not path.is_dir() for path in step.output.rglob("*")):
            begun.unlink()
        raise
    atomic_write_text(begun.with_suffix(".json"), _text(step))


def _is_done(step: Step, root: Path) -> bool:
    """Whether a step was done.

    Raises:
        ConflictError: It was done or begun with other settings, whose results must not be mixed with ours.
    """
    found = [path for name in ("json", "begun") if (path := root / NOTES / f"{step.name}.{name}").is_file()]
    if any(path.read_text(encoding="utf-8") != _text(step) for path in found):
        raise ConflictError(
            f"--out: step '{step.name}' in {root} was made with other settings; "
            "give the same ones, or name another folder"
        )
    return bool(found) and found[0].suffix == ".json"


def _text(step: Step) -> str:
    return json.dumps(step.facts, indent=1) + "\n"


def _place(path: Path, root: Path) -> str:
    """A path named alike from wherever the user is: from ``root`` where it lies in it, absolute elsewhere."""
    whole, folder = (Path(os.path.abspath(each)) for each in (path, root))
    return (whole.relative_to(folder) if whole.is_relative_to(folder) else whole).as_posix()

"""What an experiment does, one step after the other; a run goes on where an earlier one stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gaitcrafter_ext.errors import ConflictError
from gaitcrafter_ext.silhouettes.files import FileLock, atomic_write_text

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

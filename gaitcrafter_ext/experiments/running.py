"""Doing the steps of an experiment, and going on where an earlier run stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from gaitcrafter_ext.errors import ConflictError
from gaitcrafter_ext.experiments.lab import Lab
from gaitcrafter_ext.experiments.steps import Call, Step
from gaitcrafter_ext.silhouettes.files import FileLock, atomic_write_text

__all__ = ["run_steps"]

#: Where it is noted which steps are done.
NOTES = "steps"


def run_steps(lab: Lab, call: Call, tell: Callable[[int, Step], None] = lambda number, step: None) -> int:
    """Do every step that is not done yet.

    Args:
        lab: The experiment.
        call: Runs a command.
        tell: Told the number of each step, from 1, before it is done.

    Returns:
        How many steps were done.

    Raises:
        ConflictError: The folder holds steps of other settings, or another process is at work on the same step.
    """
    notes = lab.root / NOTES
    for step in lab.steps:
        _is_done(step, lab.root)
    done = 0
    for number, step in enumerate(lab.steps, start=1):
        if _is_done(step, lab.root):
            continue
        # A lock a step, not a folder: experiments at different steps may be at work in it at the same time.
        with FileLock(notes / f"{step.name}.lock", f"step '{step.name}' in {lab.root}"):
            if _is_done(step, lab.root):
                continue
            tell(number, step)
            _do(step, call, lab.root)
            done += 1
    return done


def _do(step: Step, call: Call, root: Path) -> None:
    """Do a step and note it; where it fails before it has made anything, other settings may be tried."""
    text, begun = _text(step, root), root / NOTES / f"{step.name}.begun"
    atomic_write_text(begun, text)
    try:
        step.do(call)
    except BaseException:
        if not _holds_something(step.output):
            begun.unlink()
        raise
    atomic_write_text(begun.with_name(f"{step.name}.json"), text)


def _holds_something(folder: Path) -> bool:
    """Whether there is more in a folder than empty folders."""
    return any(path.is_symlink() or not path.is_dir() for path in folder.rglob("*"))


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

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
    _refuse_others(lab, notes)
    done = 0
    notes.mkdir(parents=True, exist_ok=True)
    for number, step in enumerate(lab.steps, start=1):
        note = notes / f"{step.name}.json"
        if note.is_file():
            continue
        # A lock a step, not a folder: experiments side by side share what they have in common.
        with FileLock(notes / f"{step.name}.lock"):
            if note.is_file():
                continue
            tell(number, step)
            atomic_write_text(notes / f"{step.name}.begun", _text(step))
            step.do(call)
            atomic_write_text(note, _text(step))
            done += 1
    return done


def _refuse_others(lab: Lab, notes: Path) -> None:
    """Steps begun with other settings must not be mixed with ours."""
    for step in lab.steps:
        for name in (f"{step.name}.json", f"{step.name}.begun"):
            note = notes / name
            if note.is_file() and note.read_text(encoding="utf-8") != _text(step):
                raise ConflictError(
                    f"--out: step '{step.name}' in {lab.root} was made with other settings; "
                    "give the same ones, or name another folder"
                )


def _text(step: Step) -> str:
    return json.dumps(step.facts(), indent=1) + "\n"

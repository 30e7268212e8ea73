"""The state of a training on disk: never half-written, and resumed only by the configuration and data that began it."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaitcrafter_ext.errors import ConflictError
from gaitcrafter_ext.generator.config import GeneratorConfig
from gaitcrafter_ext.generator.weights import refused_writes
from gaitcrafter_ext.silhouettes.files import atomic_write_text

if TYPE_CHECKING:
    from accelerate import Accelerator

#: What a training begins with in its folder, before there is any state; the lock comes first, one a process.
MARK_NAME, LOCK_PREFIX = "gaitcrafter-train.json", "gaitcrafter-train-"

#: Where a whole state may lie, the newer one first, and where one is written.
STATES, FRESH, PROGRESS_NAME = ("state", "state.old"), "state.new", "progress.json"

#: Settings that may change between two calls of one training.
FREE = ("max_clips", "cooldown", "save_minutes", "learning_rate", "validate_every")


@dataclass
class Progress:
    """How far training is, over all resumptions and processes; saved with the state by ``accelerate``.

    ``curve`` has a row a validation: clips, training loss since the last row, validation loss, identity gain.
    """

    step: int = 0
    clips: int = 0
    seconds: float = 0.0
    curve: list[tuple[int, float, float, float]] = field(default_factory=list)

    def state_dict(self) -> dict[str, Any]:  # noqa: D102
        return asdict(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:  # noqa: D102
        vars(self).update({**state, "curve": [tuple(row) for row in state["curve"]]})


def is_training(folder: Path) -> bool:
    """Whether a training of ours was begun in a folder, as its files tell."""
    marks = (MARK_NAME, *(f"{state}/{PROGRESS_NAME}" for state in STATES))
    return any((folder / mark).is_file() for mark in marks) or any(folder.glob(f"{LOCK_PREFIX}*"))


@contextmanager
def stop_requests() -> Iterator[list[int]]:
    """A list that becomes non-empty when the process is asked to stop; a second request is obeyed at once."""
    received: list[int] = []

    def note(number: int, _frame: Any) -> None:
        received.append(number)
        signal.signal(number, previous[number])

    previous: dict[int, Any] = {name: signal.signal(name, note) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class StateFolder:
    """Where a training keeps its state, in ``folder/state``.

    ``data`` are fingerprints of what it is trained on and began with; a resumed run must have the same.
    """

    def __init__(self, folder: Path, config: GeneratorConfig, data: dict[str, str], accelerator: Accelerator) -> None:
        self.folder, self.accelerator = folder, accelerator
        self.facts = json.loads(json.dumps({**asdict(config), "data": data}))

    @property
    def saved(self) -> Path | None:
        """The newest whole state there is to resume from."""
        states = (self.folder / name for name in STATES)
        return next((state for state in states if (state / PROGRESS_NAME).is_file()), None)

    def save(self, progress: Progress) -> None:
        """Write the state beside the old one, then swap: a kill or a full disk (``StorageError``) leaves one whole."""
        current, old = (self.folder / name for name in STATES)
        fresh = self.folder / FRESH
        if self.accelerator.is_main_process:
            shutil.rmtree(fresh, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        with refused_writes(fresh):
            self.accelerator.save_state(str(fresh))
            if self.accelerator.is_main_process:
                atomic_write_text(fresh / PROGRESS_NAME, json.dumps({"run": self.facts, **asdict(progress)}))
                if current.exists():
                    shutil.rmtree(old, ignore_errors=True)
                    current.rename(old)
                fresh.rename(current)
                shutil.rmtree(old, ignore_errors=True)
        self.accelerator.wait_for_everyone()

    def begin(self, restart: bool) -> None:
        """Mark the folder as a training's; with ``restart`` first delete what an earlier one kept, and nothing else."""
        if self.accelerator.is_main_process:
            if restart:
                for name in (*STATES, FRESH):
                    shutil.rmtree(self.folder / name, ignore_errors=True)
                for events in self.folder.glob("logs/events.out.tfevents.*"):
                    events.unlink()
            atomic_write_text(self.folder / MARK_NAME, json.dumps(self.facts))
        self.accelerator.wait_for_everyone()

    def resume(self) -> bool:
        """Load the newest whole state, if there is one; ``ConflictError`` where it has other settings or other data."""
        if self.saved is None:
            return False
        path = self.saved / PROGRESS_NAME
        try:
            began = json.loads(path.read_text(encoding="utf-8"))["run"]
        except (ValueError, TypeError, KeyError):
            raise ConflictError(f"{path} is damaged; restore it, or give --force to begin again") from None
        changed = [
            f"{section}.{key}"
            for section, settings in self.facts.items()
            for key in settings
            if key not in FREE and began.get(section, {}).get(key) != settings[key]
        ]
        if changed:
            raise ConflictError(
                f"{self.saved}: the run to resume had other settings or other data ({', '.join(changed)}); "
                "give the same ones, another --out, or --force to begin again"
            )
        self.accelerator.load_state(str(self.saved))
        return True

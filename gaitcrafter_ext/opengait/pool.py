"""A bounded pool of clips on disk: one process fills it, any number of others read from it.

``<folder>/<slot>.pkl`` is a clip of the person whom the slot belongs to; ``<slot>.uses`` is as many bytes long as the
clip was read, which needs no lock: appending one byte is atomic, and the length of a file is one question to the disk.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import MissingError, StorageError
from gaitcrafter_ext.silhouettes.files import atomic_write_text, storage_error
from gaitcrafter_ext.silhouettes.store import read_clip, write_clip

__all__ = ["Pool", "PoolStatus"]


@dataclass(frozen=True)
class PoolStatus:
    """What the process that fills a pool tells of it.

    Attributes:
        made: Clips made so far, over all runs; the number of the next one.
        filled: Slots that hold a clip.
        worn: Slots whose clip was used at least ``reuse`` times and waits for a fresh one.
        uses: Mean number of uses of the clips there now.
    """

    made: int = 0
    filled: int = 0
    worn: int = 0
    uses: float = 0.0


class Pool:
    """The pool's folder.

    Args:
        folder: Where it lies.
        people: Whose clips it holds; slot n belongs to person ``n % len(people)``.
        slots: How many clips it holds, at least one a person.
    """

    def __init__(self, folder: str | os.PathLike[str], people: Sequence[str], slots: int) -> None:
        self.folder, self.people = Path(folder), tuple(people)
        self.slots = max(slots, len(self.people))

    def owner(self, slot: int) -> str:
        """Whose clip is in a slot."""
        return self.people[slot % len(self.people)]

    def path(self, slot: int) -> Path:
        """File of a slot's clip."""
        return self.folder / f"{slot:05d}.pkl"

    def _uses_path(self, slot: int) -> Path:
        return self.folder / f"{slot:05d}.uses"

    def read(self, slot: int) -> NDArray[np.uint8]:
        """A clip of the slot's person, uint8 [T, 64, 64]; counts as one use.

        While the slot is still empty, an earlier slot of the same person answers for it.

        Raises:
            MissingError: The person has no clip yet.
        """
        for near in range(slot, -1, -len(self.people)):
            with contextlib.suppress(MissingError):
                frames = read_clip(self.path(near))
                self._count_use(near)
                return frames
        raise MissingError(f"{self.folder}: no clip of {self.owner(slot)} yet")

    def _count_use(self, slot: int) -> None:
        try:
            handle = os.open(self._uses_path(slot), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            try:
                os.write(handle, b".")
            finally:
                os.close(handle)
        except OSError as error:
            raise storage_error(self.folder, error) from error

    def uses(self, slot: int) -> int:
        """How often the clip in a slot was read."""
        try:
            return self._uses_path(slot).stat().st_size
        except FileNotFoundError:
            return 0

    def put(self, slot: int, frames: NDArray[np.uint8]) -> None:
        """Replace a slot's clip by a fresh one."""
        write_clip(self.path(slot), frames)
        self._uses_path(slot).unlink(missing_ok=True)

    def wanted(self, reuse: int) -> list[int]:
        """Slots that want a clip: empty ones first, in order, then worn ones, the most used first."""
        empty = [slot for slot in range(self.slots) if not self.path(slot).is_file()]
        uses = {slot: self.uses(slot) for slot in range(self.slots)}
        worn = [slot for slot, count in uses.items() if count >= reuse and slot not in set(empty)]
        return empty + sorted(worn, key=lambda slot: (-uses[slot], slot))

    def is_ready(self) -> bool:
        """Whether everybody has a clip."""
        return all(self.path(slot).is_file() for slot in range(len(self.people)))

    def count(self, reuse: int, made: int) -> PoolStatus:
        """Look at every slot."""
        there = [self.uses(slot) for slot in range(self.slots) if self.path(slot).is_file()]
        worn = sum(count >= reuse for count in there)
        return PoolStatus(made, len(there), worn, sum(there) / len(there) if there else 0.0)

    def tell(self, status: PoolStatus) -> None:
        """Leave a note for the other processes."""
        atomic_write_text(self.folder / "status.json", json.dumps(asdict(status)))

    def status(self) -> PoolStatus:
        """The last note; zeros where there is none."""
        try:
            facts: Any = json.loads((self.folder / "status.json").read_text(encoding="utf-8"))
            return PoolStatus(**facts)
        except FileNotFoundError:
            return PoolStatus()
        except (ValueError, TypeError, OSError) as error:
            raise StorageError(f"{self.folder / 'status.json'} cannot be read ({error}); delete the folder") from None

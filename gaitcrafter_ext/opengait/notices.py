"""What the user should know while OpenGait runs: one line on stderr, from the first process only."""

from __future__ import annotations

import os
import sys

__all__ = ["is_first_process", "listed", "notify"]


def is_first_process() -> bool:
    """Whether this is rank 0, or the only process."""
    return os.environ.get("RANK", "0") == "0"


def notify(message: str, every_process: bool = False) -> None:
    """Print ``gaitcrafter: message`` on stderr; unless for ``every_process``, rank 0 alone does."""
    if every_process or is_first_process():
        print(f"gaitcrafter: {' '.join(message.split())}", file=sys.stderr, flush=True)


def listed(names: list[str] | tuple[str, ...], most: int = 3) -> str:
    """The first names, and how many there are."""
    return ", ".join(names[:most]) + (f", ... ({len(names)} in all)" if len(names) > most else "")

"""What the user should know while OpenGait runs: one line on stderr, from one process only."""

from __future__ import annotations

import os
import sys

__all__ = ["is_first_process", "tell"]


def is_first_process() -> bool:
    """Whether this is rank 0, or the only process."""
    return os.environ.get("RANK", "0") == "0"


def tell(message: str) -> None:
    """Print ``gaitcrafter: message`` on stderr; processes other than rank 0 stay silent."""
    if is_first_process():
        print(f"gaitcrafter: {' '.join(message.split())}", file=sys.stderr, flush=True)

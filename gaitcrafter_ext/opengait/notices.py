"""What the user should know while OpenGait runs: one line on stderr, from one process only."""

from __future__ import annotations

import os
import sys

__all__ = ["is_first_process", "tell"]


def is_first_process() -> bool:
    """Whether this is rank 0, or the only process."""
    return os.environ.get("RANK", "0") == "0"


def tell(message: str, anyone: bool = False) -> None:
    """Print ``gaitcrafter: message`` on stderr; unless ``anyone`` may speak, only rank 0 does."""
    if anyone or is_first_process():
        print(f"gaitcrafter: {' '.join(message.split())}", file=sys.stderr, flush=True)

"""Being asked to stop, by Ctrl-C or a batch system, and stopping between two steps instead of within one."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["stop_requests"]


@contextmanager
def stop_requests() -> Iterator[list[int]]:
    """A list that becomes non-empty when the process is asked to stop; a second request is obeyed at once."""
    received: list[int] = []
    previous: dict[signal.Signals, Any] = {}

    def note(number: int, _frame: Any) -> None:
        received.append(number)
        signal.signal(number, previous[signal.Signals(number)])

    for name in (signal.SIGINT, signal.SIGTERM):
        previous[name] = signal.signal(name, note)
    try:
        yield received
    finally:
        for name, handler in previous.items():
            signal.signal(name, handler)

"""Options that several commands share."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from types import TracebackType


def at_least(minimum: int, maximum: int = 2**63 - 1) -> Callable[[str], int]:
    """An argparse type: whole numbers from ``minimum`` to ``maximum``, in ASCII digits."""

    def parse(text: str) -> int:
        try:
            value = int(text.encode("ascii"))
        except ValueError:
            raise argparse.ArgumentTypeError(f"'{text}' is not a whole number") from None
        if value < minimum:
            raise argparse.ArgumentTypeError(f"{value} is too small; at least {minimum}")
        if value > maximum:
            raise argparse.ArgumentTypeError(f"{value} is too large; at most {maximum}")
        return value

    return parse


def number(minimum: float, maximum: float = math.inf, *, above: bool = False) -> Callable[[str], float]:
    """An argparse type: finite numbers from ``minimum``, or only ``above`` it, to ``maximum``, in ASCII digits."""
    allowed = f"{'above' if above else 'from'} {minimum:g}" + (f" to {maximum:g}" if maximum < math.inf else "")

    def parse(text: str) -> float:
        try:
            value = float(text.encode("ascii"))
        except ValueError:
            value = math.nan
        if not minimum <= value <= maximum or math.isinf(value) or (above and value == minimum):
            raise argparse.ArgumentTypeError(f"'{text}' is not a finite number {allowed}")
        return value

    return parse


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """``--jobs J``; None stands for every core."""
    parser.add_argument("--jobs", type=at_least(1), metavar="J", help="processes to use (default: every core)")


def add_json(parser: argparse.ArgumentParser) -> None:
    """``--json``: the result for machines."""
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the report")


class Progress:
    """A bar on stderr that a library function drives by ``bar(done, total)``.

    Args:
        what: What is being done, e.g. ``"reading"``.
        unit: What is counted, e.g. ``"clip"``.
    """

    def __init__(self, what: str, unit: str) -> None:
        from tqdm import tqdm

        self._bar = tqdm(desc=what, unit=unit, file=sys.stderr, leave=False, mininterval=0.5, delay=0.5)

    def __call__(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` are done."""
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

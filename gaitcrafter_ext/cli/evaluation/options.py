"""Options that several measures share, and how takes are spelled: ``nm-05,nm-06`` or ``nm-05..06``."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from gaitcrafter_ext.cli._options import Progress, add_jobs, add_json, at_least
from gaitcrafter_ext.errors import UsageError

__all__ = ["add_config", "add_measuring", "add_trees", "bars", "parse_takes"]

_RANGE = re.compile(r"(?P<condition>[^.,]+)-(?P<first>\d+)\.\.(?:(?P=condition)-)?(?P<last>\d+)")


def add_trees(parser: argparse.ArgumentParser, synthetic: str = "a folder of ids", required: bool = True) -> None:
    """``--real``, ``--synthetic``, ``--config``, ``--views`` and ``--json``."""
    parser.add_argument("--real", required=required, metavar="ROOT", help="real clips: a folder of ids")
    parser.add_argument("--synthetic", required=required, metavar="DIR", help=f"synthetic clips: {synthetic}")
    add_config(parser)
    parser.add_argument("--views", default="all", help="comma-separated views, or all (default all)")
    add_json(parser)


def add_config(parser: argparse.ArgumentParser) -> None:
    """``--config``: how takes and views are read."""
    parser.add_argument(
        "--config", metavar="PRESET|YAML",
        help="how takes and views are read: the dataset of this config (default: as the weights' card says)",
    )  # fmt: skip


def add_measuring(parser: argparse.ArgumentParser) -> None:
    """``--skip-broken``, ``--seed`` and ``--jobs``."""
    parser.add_argument("--skip-broken", action="store_true", help="leave broken files out instead of refusing them")
    parser.add_argument("--seed", type=at_least(0), default=0, help="of bootstrap and subsets (default 0)")
    add_jobs(parser)


@contextmanager
def bars(unit: str) -> Iterator[Callable[[str], Progress]]:
    """Progress bars on stderr, one after the other: each call names the next and ends the one before."""
    shown: list[Progress] = []

    def following(what: str) -> Progress:
        if shown:
            shown.pop().__exit__(None, None, None)
        shown.append(Progress(what, unit))
        return shown[-1]

    try:
        yield following
    finally:
        for bar in shown:
            bar.__exit__(None, None, None)


def parse_takes(text: str, option: str) -> tuple[str, ...]:
    """Take names of a comma-separated option, ranges spelled out.

    Args:
        text: ``"nm-05,nm-06"``, ``"nm-05..06"``, ``"nm-01..nm-04,bg-01"``.
        option: The option's name for error messages, e.g. ``"--gallery"``.

    Returns:
        The takes in the order written, each once.

    Raises:
        UsageError: Nothing was named, or a range runs backwards or cannot be read.
    """
    names = [name for part in text.split(",") if part.strip() for name in _spell_out(part.strip(), option)]
    if not names:
        raise UsageError(f"{option}: no take given; write takes such as nm-01,nm-02 or nm-01..04")
    return tuple(dict.fromkeys(names))


def _spell_out(part: str, option: str) -> Sequence[str]:
    if ".." not in part:
        return (part,)
    match = _RANGE.fullmatch(part)
    if match is None:
        raise UsageError(f"{option}: cannot read the range '{part}'; write it as nm-01..04")
    first, last, digits = int(match["first"]), int(match["last"]), len(match["first"])
    if last < first:
        raise UsageError(f"{option}: the range '{part}' runs backwards; write the lower take first")
    return [f"{match['condition']}-{number:0{digits}d}" for number in range(first, last + 1)]

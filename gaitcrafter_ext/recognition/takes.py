"""Which takes are meant: ``nm-05,nm-06`` or ``nm-05..06``, the way the command line spells them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gaitcrafter_ext.errors import UsageError

__all__ = ["GALLERY_TAKES", "PROBE_TAKES", "parse_takes"]

#: CASIA-B's gallery and probes.
GALLERY_TAKES = ("nm-01", "nm-02", "nm-03", "nm-04")
PROBE_TAKES = ("nm-05", "nm-06", "bg-01", "bg-02", "cl-01", "cl-02")

_RANGE = re.compile(r"(?P<condition>[^.,]+)-(?P<first>\d+)\.\.(?:(?P=condition)-)?(?P<last>\d+)")


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

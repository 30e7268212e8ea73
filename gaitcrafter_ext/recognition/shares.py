"""How much of a batch is synthetic, which may change while training goes on."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from gaitcrafter_ext.errors import UsageError

__all__ = ["Share", "check_share", "is_share", "read_share", "round_at_random", "share_at"]

#: Points (iteration, share 0..1) with straight lines between them, iterations rising.
Share = tuple[tuple[float, float], ...]


def share_at(points: Sequence[tuple[float, float]], iteration: int) -> float:
    """The share at an iteration: straight lines between the points, constant before the first and after the last."""
    return float(np.interp(iteration, [point[0] for point in points], [point[1] for point in points]))


def round_at_random(value: float, rng: np.random.Generator) -> int:
    """Down or up at random, right in the mean."""
    whole = int(np.floor(value + 1e-9))
    return whole + int(rng.random() < value - whole)


def read_share(text: str) -> Share:
    """A share as it is written on a command line: ``0.5``, or points ``0:1,150:0``.

    Raises:
        UsageError: It is no share from 0 to 1, or the iterations do not rise.
    """
    pairs = [point.partition(":") for point in text.split(",")]
    if len(pairs) == 1 and not pairs[0][1]:
        pairs = [("0", ":", text)]
    try:
        points = tuple((float(iteration), float(share)) for iteration, _, share in pairs)
    except ValueError:
        points = ()
    check_share(points, text)
    return points


def is_share(points: Sequence[tuple[float, float]]) -> bool:
    """Whether there is a point, iterations are numbers and rise, and shares are from 0 to 1."""
    rising = all(before[0] < after[0] for before, after in itertools.pairwise(points))
    return bool(points) and rising and all(math.isfinite(iteration) and 0 <= share <= 1 for iteration, share in points)


def check_share(points: Share, found: object) -> None:
    """See that points are a share.

    Args:
        points: The points.
        found: What was written, to be named.

    Raises:
        UsageError: They are not.
    """
    if not is_share(points):
        raise UsageError(
            f"synthetic share: found '{found}'; allowed: a share from 0 to 1, or points ITERATION:SHARE with rising"
            " iterations, e.g. 0:1,150:0"
        )

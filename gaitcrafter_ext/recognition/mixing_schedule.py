"""Which share of a batch is synthetic, as a function of the iteration."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from gaitcrafter_ext.errors import UsageError

#: Points (iteration, synthetic share 0..1) with straight lines between them, iterations rising.
MixingSchedule = tuple[tuple[float, float], ...]


def share_at(schedule: Sequence[tuple[float, float]], iteration: int) -> float:
    """Synthetic share at an iteration, constant before the first point and after the last."""
    return float(np.interp(iteration, [point[0] for point in schedule], [point[1] for point in schedule]))


def round_at_random(value: float, rng: np.random.Generator) -> int:
    """Down or up at random, right in the mean."""
    whole = int(np.floor(value + 1e-9))
    return whole + int(rng.random() < value - whole)


def read_schedule(text: str) -> MixingSchedule:
    """Parse ``0.5``, a constant share, or points ``0:1,150:0``; raises as ``check_schedule``."""
    pairs = [point.partition(":") for point in text.split(",")]
    if len(pairs) == 1 and not pairs[0][1]:
        pairs = [("0", ":", text)]
    try:
        schedule = tuple((float(iteration), float(share)) for iteration, _, share in pairs)
    except ValueError:
        schedule = ()
    check_schedule(schedule, text)
    return schedule


def check_schedule(schedule: MixingSchedule, found: object) -> None:
    """Refuse what is no schedule: no point, shares outside of 0 to 1, iterations that do not rise.

    Raises:
        UsageError: It quotes ``found``.
    """
    rising = all(before[0] < after[0] for before, after in itertools.pairwise(schedule))
    if not (schedule and rising and all(math.isfinite(point) and 0 <= share <= 1 for point, share in schedule)):
        raise UsageError(
            f"synthetic share: found '{found}'; allowed: a share from 0 to 1, or points of iteration and share with"
            " rising iterations, e.g. 0:1,150:0 (in YAML [[0, 1.0], [150, 0.0]])"
        )

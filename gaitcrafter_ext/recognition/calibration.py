"""Thresholds at stated false match rates, from real people whom the recogniser never saw.

The false match rate of a radius is the share of pairs of different real people that lie within it; pairs are counted in
the statistic that the radius is used on, centre to centre or clip to centre.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from gaitcrafter_ext.errors import DataError, UsageError
from gaitcrafter_ext.metrics.features import Features
from gaitcrafter_ext.recognition.separation import (
    cosine_distances,
    find_centres,
    greedily_unique,
    to_other_centres,
    to_own_centre,
)

__all__ = ["RATES", "Calibration", "calibrate"]

#: False match rates whose radii are kept; between them the radius is interpolated over the rate's logarithm.
RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)

#: Group sizes of which the unique share is kept, and from how many random orders it is averaged.
GROUPS, ORDERS = (50, 100, 200), 50


@dataclass(frozen=True)
class Calibration:
    """What distances mean.

    Attributes:
        people: How many real people it comes from.
        clips: How many clips each of them has.
        views: The views of these clips.
        rates: False match rates, ascending.
        centre: Distance between two people's centres at each rate.
        clip: Distance of a clip to another person's centre at each rate.
        genuine: Share of real clips that lie within ``clip`` of the centre of their own person's other clips.
        unique: Size of a group of real people -> share of it that greedy selection keeps at a rate of 1 %.
        alone: Size of a group of real people -> share of other real people who are near nobody in it at a rate of 1 %.
    """

    people: int
    clips: int
    views: tuple[str, ...]
    rates: tuple[float, ...]
    centre: tuple[float, ...]
    clip: tuple[float, ...]
    genuine: tuple[float, ...]
    unique: Mapping[str, float] = field(default_factory=dict)
    alone: Mapping[str, float] = field(default_factory=dict)

    def centre_radius(self, rate: float) -> float:
        """Distance between centres within which ``rate`` of the pairs of different real people lie.

        Raises:
            UsageError: The rate is outside of what was calibrated.
        """
        return self._at(rate, self.centre)

    def clip_radius(self, rate: float) -> float:
        """The same of a clip and another person's centre."""
        return self._at(rate, self.clip)

    def genuine_share(self, rate: float) -> float:
        """Share of real clips within ``clip_radius`` of their own person's centre."""
        return self._at(rate, self.genuine)

    def _at(self, rate: float, values: tuple[float, ...]) -> float:
        if not self.rates[0] <= rate <= self.rates[-1]:
            raise UsageError(
                f"--false-match-rate: {rate:g}; allowed: {self.rates[0]:g} to {self.rates[-1]:g} "
                f"(calibrated on {self.people} people)"
            )
        return float(np.interp(np.log(rate), np.log(self.rates), values))


def calibrate(clips: Features) -> Calibration:
    """Radii and shares of real people, two or more clips each.

    Raises:
        DataError: There are too few pairs of people for the lowest rate, or somebody has one clip only.
    """
    centres = find_centres(clips)
    count = len(centres)
    needed = next(number for number in range(2, 10_000) if number * (number - 1) / 2 * RATES[0] >= 1)
    if count < needed:
        raise DataError(f"{count} people to calibrate on; a rate of {RATES[0]:g} needs {needed} or more")
    between = cosine_distances(centres.vectors, centres.vectors)[np.triu_indices(count, 1)]
    clip = np.quantile(to_other_centres(clips), RATES)
    own = to_own_centre(clips)
    radius = float(np.quantile(between, 0.01))
    return Calibration(
        people=count,
        clips=len(clips.identity) // count,
        views=tuple(np.unique(clips.view).tolist()),
        rates=RATES,
        centre=_rounded(np.quantile(between, RATES)),
        clip=_rounded(clip),
        genuine=_rounded(np.array([(own <= value).mean() for value in clip])),
        unique={str(size): _unique_share(centres.vectors, radius, size) for size in GROUPS if size <= count},
        alone={str(size): _alone_share(centres.vectors, radius, size) for size in GROUPS if size < count},
    )


def _unique_share(vectors: np.ndarray, radius: float, size: int) -> float:
    """Mean share of a group that is kept, over random groups."""
    rng = np.random.default_rng(0)
    groups = [vectors[rng.permutation(len(vectors))[:size]] for _ in range(ORDERS)]
    return round(float(np.mean([greedily_unique(group, radius).mean() for group in groups])), 4)


def _alone_share(vectors: np.ndarray, radius: float, size: int) -> float:
    """Mean share of the people outside of a group who are near nobody in it, over random groups."""
    near, rng, shares = cosine_distances(vectors, vectors) <= radius, np.random.default_rng(0), list[float]()
    for _ in range(ORDERS):
        order = rng.permutation(len(vectors))
        shares.append(1 - near[np.ix_(order[size:], order[:size])].any(axis=1).mean())
    return round(float(np.mean(shares)), 4)


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(value), 8) for value in values)

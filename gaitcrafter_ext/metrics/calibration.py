"""What a recogniser's distances mean, from real people whom it never saw.

The false match rate of a radius is the share of pairs of different real people that lie within it; pairs are counted in
the statistic that the radius is used on, centroid to centroid or clip to centroid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError, UsageError
from gaitcrafter_ext.metrics import centroids
from gaitcrafter_ext.metrics.features import Labelled, cosine_distances
from gaitcrafter_ext.metrics.leakage import LEAK_RATE

Floats = NDArray[np.float32]

#: False match rates whose radii are kept; between them the radius is interpolated over the rate's logarithm.
RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)

#: The fewest people of whom one pair stands for the lowest rate.
LEAST_PEOPLE = 46

#: Sizes of populations for which shares and leak radii are kept, and from how many random ones each is averaged.
GROUPS, ORDERS = (50, 100, 200, 400, 1000), 50


@dataclass(frozen=True)
class Calibration:
    """What distances mean, from ``people`` real ones with so many ``clips`` each of these ``views``.

    At each of the false match ``rates``, ascending: ``centre``, the distance between two people's centroids; ``clip``,
    that of a clip to another person's centroid; ``genuine``, the share of real clips that lie within ``clip`` of the
    centroid of their own person's other clips. By the size of a population of real people: ``unique``, the share of it
    that greedy selection keeps at a rate of 1 %; ``alone``, the share of other real people who are near none of them at
    that rate; ``leak``, the distance that 5 % of other real people are nearer than to their nearest of them.
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
    leak: Mapping[str, float] = field(default_factory=dict)

    def centre_radius(self, rate: float) -> float:
        """Distance between centroids within which ``rate`` of pairs of real people lie; ``UsageError`` out of range."""
        return self._at(rate, self.centre)

    def clip_radius(self, rate: float) -> float:
        """The same of a clip and another person's centroid."""
        return self._at(rate, self.clip)

    def leak_radius(self, population: int) -> float:
        """Distance that 5 % of strangers are nearer than to their nearest of ``population`` people.

        Interpolated over the logarithm of the size; beyond the largest population of the calibration it falls as a
        power of the size, below the smallest it stays. Without such figures, the radius at which that would hold were
        all pairs independent.
        """
        if not self.leak:
            rate = 1 - (1 - LEAK_RATE) ** (1 / population)
            return self.centre_radius(float(np.clip(rate, self.rates[0], self.rates[-1])))
        sizes, radii = np.array(sorted((np.log(float(size)), radius) for size, radius in self.leak.items())).T
        slope = np.polyfit(sizes, np.log(np.maximum(radii, 1e-8)), 1)[0] if len(sizes) > 1 else 0.0
        beyond = max(0.0, float(np.log(population) - sizes[-1]))
        return float(np.interp(np.log(population), sizes, radii) * np.exp(min(slope, 0.0) * beyond))

    def _at(self, rate: float, values: tuple[float, ...]) -> float:
        if not self.rates[0] <= rate <= self.rates[-1]:
            raise UsageError(
                f"--false-match-rate: {rate:g}; allowed: {self.rates[0]:g} to {self.rates[-1]:g} "
                f"(calibrated on {self.people} people)"
            )
        return float(np.interp(np.log(rate), np.log(self.rates), values))


def calibrate(clips: Labelled, population: Labelled | None = None) -> Calibration:
    """Radii and shares of real people, strangers to the recogniser, two or more clips each; ``DataError`` of too few.

    For the leak radii all of ``clips`` are strangers to ``population``; without it, some of them stand for it and the
    rest for strangers.
    """
    vectors = centroids.find_centroids(clips).vectors
    count = len(vectors)
    if count < LEAST_PEOPLE:
        raise DataError(f"{count} people to calibrate on; a rate of {RATES[0]:g} needs {LEAST_PEOPLE} or more")
    centre, clip = (
        [round(float(np.quantile(found, rate)), 8) for rate in RATES]
        for found in (centroids.between_centroids(clips), centroids.to_other_centroids(clips))
    )
    own, radius = centroids.to_own_centroid(clips), centre[RATES.index(0.01)]

    def unique(group: Floats, _: Floats) -> float:
        return float(centroids.greedily_unique(group, radius).mean())

    def alone(group: Floats, others: Floats) -> float:
        return float((cosine_distances(others, group) > radius).all(axis=1).mean())

    return Calibration(
        people=count,
        clips=len(clips.identity) // count,
        views=tuple(np.unique(clips.view).tolist()),
        rates=RATES,
        centre=tuple(centre),
        clip=tuple(clip),
        genuine=tuple(round(float((own <= value).mean()), 8) for value in clip),
        unique={str(size): _over_groups(vectors, size, unique) for size in GROUPS if size <= count},
        alone={str(size): _over_groups(vectors, size, alone) for size in GROUPS if size < count},
        leak=_leak_radii(vectors, None if population is None else centroids.find_centroids(population).vectors),
    )


def _leak_radii(strangers: Floats, known: Floats | None) -> dict[str, float]:
    def leak(group: Floats, others: Floats) -> float:
        near = cosine_distances(others if known is None else strangers, group).min(axis=1)
        return float(np.quantile(near, LEAK_RATE))

    population = strangers if known is None else known
    sizes = [size for size in GROUPS if size <= len(population)]
    if known is None:
        sizes = [size for size in sizes if (len(strangers) - size) * LEAK_RATE >= 2]
    return {str(size): _over_groups(population, size, leak) for size in sizes}


def _over_groups(vectors: Floats, size: int, measure: Callable[[Floats, Floats], float]) -> float:
    """Mean of ``measure(group, others)`` over random groups of ``size`` people."""
    rng = np.random.default_rng(0)
    orders = [rng.permutation(len(vectors)) for _ in range(ORDERS)]
    return round(float(np.mean([measure(vectors[order[:size]], vectors[order[size:]]) for order in orders])), 8)

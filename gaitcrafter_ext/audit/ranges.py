"""Statistics of clips beside the range that real clips have, within each view and condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.recognition.bootstrap import Estimate, bootstrap_median, bootstrap_share

__all__ = ["Beside", "Measured", "RangeCheck", "check_ranges", "mean_of", "outside"]

Table = NDArray[np.float64]

#: The range that counts as real, per cent of the training clips of the same view and condition.
QUANTILES = (1.0, 99.0)


@dataclass(frozen=True)
class Measured:
    """Statistics of some clips.

    Attributes:
        cells: (view, condition) of each.
        people: Whose each is.
        values: float64 [N, S].
    """

    cells: Sequence[tuple[str, str]]
    people: Sequence[str]
    values: Table


@dataclass(frozen=True)
class Beside:
    """One statistic of synthetic clips, held-out real clips and training clips.

    Attributes:
        name: What is measured.
        synthetic: Median over the synthetic clips, with an interval over people.
        held_out: Median over the held-out real clips.
        training: Median over the training clips.
        synthetic_outside: Share of synthetic clips outside the 1-99 % range of the training clips of their view and
            condition, likewise.
        held_out_outside: The floor: the same share of held-out real clips (2 % were there no end of clips).
    """

    name: str
    synthetic: Estimate
    held_out: float
    training: float
    synthetic_outside: Estimate
    held_out_outside: float


@dataclass(frozen=True)
class RangeCheck:
    """Several statistics at once.

    Attributes:
        statistics: One entry a statistic.
        synthetic_outside: Share of synthetic clips outside in at least one of them, with an interval over people.
        held_out_outside: The same of held-out real clips.
        left_out: Synthetic clips of a view and condition without training clips.
    """

    statistics: tuple[Beside, ...]
    synthetic_outside: Estimate
    held_out_outside: float
    left_out: int


def check_ranges(
    names: Sequence[str], synthetic: Measured, held_out: Measured, training: Measured, rng: np.random.Generator
) -> RangeCheck:
    """Compare statistics, one column a name; ``rng`` draws the bootstrap's people.

    Raises:
        DataError: No synthetic clip is of a view and condition that the training clips have.
    """
    known = set(training.cells)
    asked = [row for row, cell in enumerate(synthetic.cells) if cell in known]
    if not asked:
        raise DataError("no synthetic clip is of a view and condition that the training clips have; check the roots")
    people = np.array([synthetic.people[row] for row in asked], dtype=str)
    (ours, values), (theirs, real) = outside(synthetic, training), outside(held_out, training)
    statistics = tuple(
        Beside(
            name,
            bootstrap_median(values[:, column], people, rng),
            _median(real[:, column]),
            _median(training.values[:, column]),
            bootstrap_share(ours[:, column], people, rng),
            mean_of(theirs[:, column]),
        )
        for column, name in enumerate(names)
    )
    every = bootstrap_share(np.any(ours, axis=1), people, rng)
    return RangeCheck(statistics, every, mean_of(np.any(theirs, axis=1)), len(synthetic.values) - len(values))


def outside(clips: Measured, training: Measured) -> tuple[NDArray[np.bool_], Table]:
    """Which values lie outside the training range of their cell, bool [n, S], and the n rows that could be asked."""
    known = {cell: _range(training, cell) for cell in set(training.cells)}
    kept = [row for row, cell in enumerate(clips.cells) if cell in known]
    if not kept:
        return np.zeros((0, training.values.shape[1]), bool), clips.values[:0]
    low, high = (np.stack([known[clips.cells[row]][end] for row in kept]) for end in (0, 1))
    values = clips.values[kept]
    return (values < low) | (values > high), values


def _range(training: Measured, cell: tuple[str, str]) -> tuple[Table, Table]:
    """1 % and 99 % quantile of each statistic in one cell; a hair wider, so that rounding puts nothing outside."""
    mine = training.values[[other == cell for other in training.cells]]
    low, high = np.percentile(mine, QUANTILES, axis=0)
    slack = 1e-6 + 1e-6 * np.abs(high)
    return low - slack, high + slack


def _median(values: Table) -> float:
    return float(np.median(values)) if len(values) else float("nan")


def mean_of(values: NDArray[Any]) -> float:
    """Mean of numbers or marks; NaN where there are none."""
    return float(values.mean()) if len(values) else float("nan")

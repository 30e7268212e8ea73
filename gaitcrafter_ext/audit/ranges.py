"""Statistics of clips beside the range that real clips have, within each view and condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError

__all__ = ["Beside", "RangeCheck", "check_ranges"]

Cells = Sequence[tuple[str, str]]
Table = NDArray[np.float64]

#: The range that counts as real, per cent of the training clips of the same view and condition.
QUANTILES = (1.0, 99.0)


@dataclass(frozen=True)
class Beside:
    """One statistic of synthetic clips, held-out real clips and training clips.

    Attributes:
        name: What is measured.
        synthetic: Median over the synthetic clips.
        held_out: Median over the held-out real clips.
        training: Median over the training clips.
        synthetic_outside: Share of synthetic clips outside the 1-99 % range of the training clips of their view and
            condition.
        held_out_outside: The floor: the same share of held-out real clips (2 % were there no end of clips).
    """

    name: str
    synthetic: float
    held_out: float
    training: float
    synthetic_outside: float
    held_out_outside: float


@dataclass(frozen=True)
class RangeCheck:
    """Several statistics at once.

    Attributes:
        statistics: One entry a statistic.
        synthetic_outside: Share of synthetic clips outside in at least one of them.
        held_out_outside: The same of held-out real clips.
        left_out: Synthetic clips of a view and condition without training clips.
    """

    statistics: tuple[Beside, ...]
    synthetic_outside: float
    held_out_outside: float
    left_out: int


def check_ranges(
    names: Sequence[str],
    synthetic: tuple[Cells, Table],
    held_out: tuple[Cells, Table],
    training: tuple[Cells, Table],
) -> RangeCheck:
    """Compare tables of statistics, float64 [N, len(names)] each, with the (view, condition) of their rows.

    Raises:
        DataError: No synthetic clip is of a view and condition that the training clips have.
    """
    ours, values = outside(synthetic, training)
    theirs, real = outside(held_out, training)
    if not len(values):
        raise DataError("no synthetic clip is of a view and condition that the training clips have; check the roots")
    medians = [np.median(table, axis=0) if len(table) else np.full(len(names), np.nan)
               for table in (values, real, training[1])]  # fmt: skip
    shares = [_share(part) for part in (ours, theirs)]
    rows = zip(names, *medians, *shares, strict=True)
    every = [float(_share(part.any(axis=1, keepdims=True))[0]) for part in (ours, theirs)]
    statistics = tuple(Beside(name, *map(float, numbers)) for name, *numbers in rows)
    return RangeCheck(statistics, every[0], every[1], len(synthetic[1]) - len(values))


def outside(clips: tuple[Cells, Table], training: tuple[Cells, Table]) -> tuple[NDArray[np.bool_], Table]:
    """Which values lie outside the training range of their cell, bool [n, S], and the n rows that could be asked."""
    cells, values = clips
    known = {cell: _range(training, cell) for cell in set(training[0])}
    kept = [row for row, cell in enumerate(cells) if cell in known]
    if not kept:
        return np.zeros((0, training[1].shape[1]), bool), values[:0]
    low, high = (np.stack([known[cells[row]][end] for row in kept]) for end in (0, 1))
    return (values[kept] < low) | (values[kept] > high), values[kept]


def _range(training: tuple[Cells, Table], cell: tuple[str, str]) -> tuple[Table, Table]:
    """1 % and 99 % quantile of each statistic in one cell; a hair wider, so that rounding puts nothing outside."""
    mine = training[1][[other == cell for other in training[0]]]
    low, high = np.percentile(mine, QUANTILES, axis=0)
    slack = 1e-6 + 1e-6 * np.abs(high)
    return low - slack, high + slack


def _share(marks: Any) -> NDArray[np.float64]:
    """Share of true marks in each column, NaN where there is no row; bool [N, S] -> float64 [S]."""
    return np.asarray(marks.mean(axis=0) if len(marks) else np.full(marks.shape[1], np.nan))

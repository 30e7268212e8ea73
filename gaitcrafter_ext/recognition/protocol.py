"""The CASIA-B protocol: rank-1 for each probe view against each gallery view, the identical view excluded.

Yu, Tan & Tan, ICPR 2006, in the form every recent paper reports: gallery nm-01..04, probes nm-05/06 (NM),
bg-01/02 (BG), cl-01/02 (CL); distance is the mean over parts of the Euclidean (or cosine) distance. The tables
agree to the digit with those of OpenGait's ``evaluate_indoor_dataset``, which rounds each cell to two decimals of a
percent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.features import Distance, Features, part_mean_distances
from gaitcrafter_ext.recognition.takes import GALLERY_TAKES

__all__ = ["PROBES", "PROTOCOL_TAKES", "CasiaBTable", "ConditionTable", "casia_b_table"]

#: Probe takes of each condition.
PROBES = {"NM": ("nm-05", "nm-06"), "BG": ("bg-01", "bg-02"), "CL": ("cl-01", "cl-02")}

#: Every take that the protocol looks at.
PROTOCOL_TAKES = frozenset(GALLERY_TAKES).union(*PROBES.values())


@dataclass(frozen=True)
class ConditionTable:
    """Rank-1 of one condition, percent.

    Attributes:
        rank1: Mean over probe views of ``per_view``.
        per_view: Rank-1 of each probe view, mean over the other gallery views.
        cells: Rank-1 of [probe view][gallery view], the identical view included.
        probes: How many probes there are.
    """

    rank1: float
    per_view: dict[str, float]
    cells: tuple[tuple[float, ...], ...]
    probes: int


@dataclass(frozen=True)
class CasiaBTable:
    """The whole table.

    Attributes:
        conditions: ``"NM"``, ``"BG"``, ``"CL"`` -> rank-1; a condition without probes is not in it.
        views: The views, in order.
        people: How many people the gallery holds.
        gallery: How many clips it holds.
        metric: ``"euc"`` or ``"cos"``.
    """

    conditions: dict[str, ConditionTable]
    views: tuple[str, ...]
    people: int
    gallery: int
    metric: str = field(default="euc")

    @property
    def chance(self) -> float:
        """Rank-1 of guessing a person at random, percent."""
        return 100 / self.people

    def __str__(self) -> str:
        """The table as papers print it: one row a condition, one column a probe view."""
        head = "probe view " + "".join(f"{view:>7}" for view in self.views) + "   mean"
        rows = [
            f"{name:<11}" + "".join(f"{rank:7.1f}" for rank in table.per_view.values()) + f"{table.rank1:7.1f}"
            for name, table in self.conditions.items()
        ]
        note = f"rank-1 %, identical view excluded; gallery {self.people} people, {self.gallery} clips"
        summary = "\t".join(f"{name}@R1: {table.rank1:.2f}%" for name, table in self.conditions.items())
        return "\n".join([head, *rows, f"{note}; chance {self.chance:.1f}", summary])


def casia_b_table(features: Features, metric: Distance = "euc") -> CasiaBTable:
    """Match every probe against the gallery at every other view.

    Args:
        features: Embeddings of test people.
        metric: ``"euc"`` or ``"cos"``.

    Raises:
        DataError: There is no gallery clip at some view, no probe, or one view only.
    """
    views = tuple(np.unique(features.view).tolist())
    gallery = features.where(np.isin(features.take, GALLERY_TAKES))
    _check(views, gallery)
    probes = {name: features.where(np.isin(features.take, takes)) for name, takes in PROBES.items()}
    tables = {name: _condition(probe, gallery, views, metric) for name, probe in probes.items() if len(probe.view)}
    if not tables:
        raise DataError("no probe (nm-05/06, bg-01/02, cl-01/02) among the test clips; CASIA-B's protocol needs them")
    return CasiaBTable(tables, views, len(np.unique(gallery.identity)), len(gallery.view), metric)


def _check(views: Sequence[str], gallery: Features) -> None:
    if len(views) < 2:
        raise DataError(f"CASIA-B's protocol excludes the identical view, and there is one view only ({views[0]})"
                        if views else "there are no test clips")  # fmt: skip
    lacking = [view for view in views if view not in set(gallery.view.tolist())]
    if lacking:
        raise DataError(f"no gallery clip (nm-01..04) at view {lacking[0]}; every view needs some")


def _condition(probes: Features, gallery: Features, views: Sequence[str], metric: Distance) -> ConditionTable:
    lacking = [view for view in views if view not in set(probes.view.tolist())]
    if lacking:
        raise DataError(f"no probe such as {probes.take[0]} at view {lacking[0]}; every view needs some")
    cells = np.array([[_rank1(probes, gallery, probe, other, metric) for other in views] for probe in views])
    others = np.where(np.eye(len(views), dtype=bool), 0, cells).sum(1) / (len(views) - 1)
    per_view = dict(zip(views, others.tolist(), strict=True))
    return ConditionTable(float(np.mean(others)), per_view, tuple(map(tuple, cells.tolist())), len(probes.view))


def _rank1(probes: Features, gallery: Features, probe_view: str, gallery_view: str, metric: Distance) -> float:
    """Percent of the probes of one view whose nearest gallery clip of another is of their person, two decimals."""
    ours, theirs = probes.where(probes.view == probe_view), gallery.where(gallery.view == gallery_view)
    nearest = part_mean_distances(ours.embeddings, theirs.embeddings, metric).argmin(1)
    return float(np.round(np.sum(theirs.identity[nearest] == ours.identity) * 100 / len(ours.view), 2))

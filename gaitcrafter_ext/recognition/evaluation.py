"""Testing a recogniser by a dataset's protocol: who is gallery, who is looked up, and how often rightly.

Figures agree to the digit with OpenGait's evaluation functions. Across views (CASIA-B, OU-MVLP) rank-K is that of
``evaluate_indoor_dataset``: of each probe view in each other gallery view, rounded to two decimals of a percent, then
averaged. Elsewhere, and for mAP and mINP, the whole gallery is ranked as in ``evaluate_real_scene`` (GREW),
``evaluate_Gait3D`` and, without clips of the probe's person at the probe's view, ``evaluate_CCPG``.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError, listed
from gaitcrafter_ext.metrics.features import Distance, Features, part_mean_distances
from gaitcrafter_ext.silhouettes.dataset import DatasetConfig, Protocol, load_dataset
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.vocabulary import CASIA_B_TAKES, ClipKey, take_names

Mask = NDArray[np.bool_]

#: Probes that are ranked at a time.
ROWS = 256


@dataclass(frozen=True)
class Roles:
    """Column -> the gallery and the probes among some clips, bool [N] each."""

    protocol: Protocol
    columns: dict[str, tuple[Mask, Mask]]

    @property
    def used(self) -> Mask:
        """The clips that are anything, bool [N]."""
        return np.any([mask for masks in self.columns.values() for mask in masks], axis=0)

    def where(self, mask: Mask) -> Roles:
        """The roles of the clips that a bool [N] mask picks."""
        return Roles(self.protocol, {name: (each[mask], other[mask]) for name, (each, other) in self.columns.items()})


@dataclass(frozen=True)
class Column:
    """Figures of one group of probes, percent.

    ``unmatched`` probes have no gallery clip of their person; rankings leave them out. ``per_person``: share of each
    person's lookups whose nearest gallery clip is theirs. Across views, ``per_view`` is rank-1 of each probe view, mean
    over the other gallery views, and ``cells`` that of [probe view][gallery view], the identical view included.
    """

    metrics: dict[str, float]
    probes: int
    unmatched: int
    per_view: dict[str, float]
    per_person: dict[str, float]
    cells: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True)
class Table:
    """All columns; ``people`` and ``gallery`` count the people and clips of all galleries, ``chance`` is in percent."""

    columns: dict[str, Column]
    views: tuple[str, ...]
    people: int
    gallery: int
    chance: float
    distance: str
    exclude_identical_view: bool

    def __str__(self) -> str:
        """As papers print it: a row for each column's probes, rank-1 by probe view, then the figures as in OpenGait."""
        across = any(column.per_view for column in self.columns.values())
        cells = self._by_view() if across else self._by_metric()
        width = max(11, *(len(name) + 1 for name in self.columns))
        rows = [f"{row[0]:<{width}}" + "".join(f"{cell:>8}" for cell in row[1:]) for row in cells]
        excluded = ", identical view excluded" if self.exclude_identical_view else ""
        note = f"{'rank-1 ' if across else ''}%{excluded}; gallery {self.people} people, {self.gallery} clips"
        unmatched = sum(column.unmatched for column in self.columns.values())
        left_out = f"; {unmatched} probes have no gallery clip of their person" if unmatched else ""
        return "\n".join([*rows, f"{note}; chance {self.chance:.1f}{left_out}", *self._summary()])

    def _by_view(self) -> Iterator[list[str]]:
        yield ["probe view", *self.views, "mean"]
        for name, column in self.columns.items():
            ranks = (column.per_view.get(view, math.nan) for view in self.views)
            yield [name, *(f"{rank:.1f}" for rank in ranks), f"{np.mean(list(column.per_view.values())):.1f}"]

    def _by_metric(self) -> Iterator[list[str]]:
        first = next(iter(self.columns.values()))
        yield ["probes", *first.metrics]
        for name, column in self.columns.items():
            yield [name, *(f"{value:.2f}" for value in column.metrics.values())]

    def _summary(self) -> Iterator[str]:
        for metric in next(iter(self.columns.values())).metrics:
            label = metric.replace("rank-", "R")
            yield "\t".join(f"{name}@{label}: {column.metrics[metric]:.2f}%" for name, column in self.columns.items())


def protocol_for(dataset: DatasetConfig, keys: Sequence[ClipKey]) -> Protocol:
    """The dataset's protocol; where it names none, CASIA-B's if takes are named as there, else one made for the clips.

    Raises:
        DataError: There is a single take.
    """
    takes = {key.take for key in keys}
    if dataset.protocol is None and {"nm-05", "nm-06"} & takes and takes <= set(take_names(CASIA_B_TAKES)):
        dataset = load_dataset("casia-b")
    return dataset.protocol_of(keys)


def assign_roles(keys: Sequence[ClipKey], protocol: Protocol, partition: Partition | None = None) -> Roles:
    """Find the gallery and the probes among clips of people to test, at the views to test.

    ``partition`` names the probes, or the gallery, where the protocol leaves that to it.

    Raises:
        DataError: There is no gallery, no probe, or no probe that could be found.
    """
    if not keys:
        raise DataError("there are no test clips; check TEST_SET of the partition and --views")
    named = np.array((partition or Partition(())).is_probe(keys))
    columns = {"all": (~named, named)} if protocol.probe_set else _by_take(keys, protocol)
    columns = {name: masks for name, masks in columns.items() if masks[1].any()}
    if not columns:
        wanted = (
            "PROBE_SET or GALLERY_SET of the partition" if protocol.probe_set else _patterns(protocol.probes.values())
        )
        raise DataError(f"no probe among {len(keys)} test clips; the protocol takes {wanted}; {_remedy(keys)}")
    for name, masks in columns.items():
        gallery, probes = ([key for key, mine in zip(keys, mask, strict=True) if mine] for mask in masks)
        _check(name, gallery, probes, protocol, keys)
    return Roles(protocol, columns)


def evaluate(features: Features, roles: Roles, distance: Distance = "euc") -> Table:
    """Look every probe up in the gallery; embeddings are of the clips that ``roles`` is about, in their order."""
    protocol = roles.protocol
    features = replace(features, view=np.array([protocol.view_of(folder) for folder in features.view.tolist()]))
    views = np.unique(features.view[roles.used]).tolist()
    columns = {
        name: _column(features.where(gallery), features.where(probes), protocol, views, distance)
        for name, (gallery, probes) in roles.columns.items()
    }
    galleries = np.any([gallery for gallery, _ in roles.columns.values()], axis=0)
    people = len(np.unique(features.identity[galleries]))
    excluded = protocol.exclude_identical_view
    return Table(columns, tuple(views), people, int(galleries.sum()), 100 / people, distance, excluded)


def _by_take(keys: Sequence[ClipKey], protocol: Protocol) -> dict[str, tuple[Mask, Mask]]:
    takes, number = np.unique([key.take for key in keys], return_inverse=True)
    columns = {}
    for name in protocol.probes:
        gallery = np.array([protocol.in_gallery(take, name) for take in takes.tolist()])
        probes = np.array([protocol.is_probe(take, name) for take in takes.tolist()])
        columns[name] = (gallery[number], probes[number])
    return columns


def _check(
    name: str, gallery: Sequence[ClipKey], probes: Sequence[ClipKey], protocol: Protocol, keys: Sequence[ClipKey]
) -> None:
    seen: dict[str, set[str]] = defaultdict(set)
    for key in gallery:
        seen[key.identity].add(protocol.view_of(key.view))
    if len(seen) < 2:
        wanted = "the partition's" if protocol.probe_set else _patterns([protocol.gallery_of(name)])
        raise DataError(
            f"the gallery of '{name}' ({wanted}) has clips of {len(seen)} people, 2 or more are needed; {_remedy(keys)}"
        )
    excluded = protocol.exclude_identical_view
    if not any(seen.get(key.identity, set()) - ({protocol.view_of(key.view)} if excluded else set()) for key in probes):
        raise DataError(
            f"no probe of '{name}' has a gallery clip of the same person{' at another view' if excluded else ''};"
            " test two views or more, or set dataset.protocol.exclude_identical_view: false in --config"
        )


def _patterns(takes: Collection[Sequence[str]]) -> str:
    return ", ".join(f"'{pattern}'" for patterns in takes for pattern in patterns)


def _remedy(keys: Sequence[ClipKey]) -> str:
    takes = sorted({key.take for key in keys})
    return f"there are the takes {listed(takes, 6)}: name others in dataset.protocol of --config"


def _column(
    gallery: Features, probes: Features, protocol: Protocol, views: Sequence[str], distance: Distance
) -> Column:
    across = protocol.exclude_identical_view
    ranks: dict[str, int] = {metric: int(metric[5:]) for metric in protocol.metrics if metric.startswith("rank-")}
    metrics, per_view, found = dict[str, float](), dict[str, float](), Lookups([], [])
    cells = np.empty((0, 0))
    if not across or set(protocol.metrics) - ranks.keys():
        metrics, found = _ranked(gallery, probes, ranks, across, distance)
    if across:
        table, found = _across_views(gallery, probes, views, max(ranks.values(), default=1), distance)
        means = {metric: _off_diagonal(table[:, :, rank - 1]) for metric, rank in ranks.items()}
        metrics |= {metric: float(np.mean(mean[~np.isnan(mean)])) for metric, mean in means.items()}
        cells, first = table[:, :, 0], _off_diagonal(table[:, :, 0])
        per_view = {view: float(rank) for view, rank in zip(views, first, strict=True) if not np.isnan(rank)}
    return Column(
        {metric: metrics[metric] for metric in protocol.metrics},
        len(probes.view),
        int((~np.isin(probes.identity, gallery.identity)).sum()),
        per_view,
        found.per_person(),
        tuple(tuple(None if np.isnan(cell) else float(cell) for cell in row) for row in cells),
    )


class Lookups(NamedTuple):
    """Lookups, part by part: whose probe it was, str [n], and whether the nearest gallery clip is theirs, bool [n]."""

    people: list[NDArray[np.str_]]
    hits: list[Mask]

    def per_person(self) -> dict[str, float]:
        """Share of hits of each person, percent."""
        names, number = np.unique(np.concatenate(self.people), return_inverse=True)
        shares = 100 * np.bincount(number, np.concatenate(self.hits)) / np.bincount(number)
        return dict(zip(names.tolist(), shares.tolist(), strict=True))


def _across_views(
    gallery: Features, probes: Features, views: Sequence[str], most: int, distance: Distance
) -> tuple[NDArray[np.float64], Lookups]:
    """Percent of probes found among the nearest 1 to ``most``: [probe view, gallery view, most]; NaN without clips."""
    cells, lookups = np.full((len(views), len(views), most), np.nan), Lookups([], [])
    for row, probe_view in enumerate(views):
        ours = probes.where(probes.view == probe_view)
        for place, gallery_view in enumerate(views):
            theirs = gallery.where(gallery.view == gallery_view)
            if len(ours.view) and len(theirs.view):
                apart = part_mean_distances(ours.embeddings, theirs.embeddings, distance)
                nearest = apart.argsort(1)[:, :most] if most > 1 else apart.argmin(1)[:, None]
                hits = (theirs.identity[nearest] == ours.identity[:, None]).cumsum(1) > 0
                found = np.round(hits.sum(0) * 100 / len(ours.view), 2)
                cells[row, place] = np.pad(found, (0, most - len(found)), mode="edge")
                if probe_view != gallery_view:
                    lookups.people.append(ours.identity)
                    lookups.hits.append(hits[:, 0])
    return cells, lookups


def _off_diagonal(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of each row without the identical view and without empty cells; NaN where nothing is left."""
    counted = ~(np.eye(len(cells), dtype=bool) | np.isnan(cells))
    total, count = np.where(counted, cells, 0).sum(1), counted.sum(1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _ranked(
    gallery: Features, probes: Features, ranks: dict[str, int], exclude_view: bool, distance: Distance
) -> tuple[dict[str, float], Lookups]:
    """Figures of the ranked gallery, percent; probes that have no clip of their person in it are left out."""
    people, found = zip(*_places(gallery, probes, exclude_view, distance), strict=True)
    first = np.array([places[0] for places in found])
    shares = {metric: float(np.mean(first <= rank)) for metric, rank in ranks.items()}
    shares["mAP"] = float(np.mean([np.mean(np.arange(1, len(places) + 1) / places) for places in found]))
    shares["mINP"] = float(np.mean([len(places) / places[-1] for places in found]))
    return {metric: 100 * share for metric, share in shares.items()}, Lookups([np.array(people)], [first == 1])


def _places(
    gallery: Features, probes: Features, exclude_view: bool, distance: Distance
) -> Iterator[tuple[str, NDArray[np.integer]]]:
    """For each probe its person, and the places, from 1, of its person's clips in the gallery sorted by distance."""
    for start in range(0, len(probes.view), ROWS):
        part = probes.where(np.arange(len(probes.view)) // ROWS == start // ROWS)
        order = part_mean_distances(part.embeddings, gallery.embeddings, distance).argsort(1)
        for person, view, nearest in zip(part.identity, part.view, order, strict=True):
            same = gallery.identity[nearest] == person
            if exclude_view:
                same = same[~(same & (gallery.view[nearest] == view))]
            if same.any():
                yield str(person), np.flatnonzero(same) + 1

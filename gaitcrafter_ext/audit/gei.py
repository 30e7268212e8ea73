"""Whose clip it is, as the nearest gait energy image of the same view tells: rank-1 of real and synthetic probes."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import filter as matching
from typing import Any

import numpy as np

from gaitcrafter_ext.errors import DataError, UsageError, suggest
from gaitcrafter_ext.metrics.features import FeatureSet
from gaitcrafter_ext.metrics.identification import match
from gaitcrafter_ext.recognition.evaluation import protocol_for
from gaitcrafter_ext.silhouettes.dataset import DatasetConfig
from gaitcrafter_ext.vocabulary import ClipKey

Takes = tuple[str, ...]


def gallery_and_probes(
    dataset: DatasetConfig, keys: Sequence[ClipKey], gallery: str | None, probes: str | None
) -> tuple[Takes, Takes]:
    """Takes of each: those that the texts name, comma-separated or as patterns, else those of the dataset's protocol.

    Raises ``DataError`` where no clip is of a take that is named, ``UsageError`` where a take is in both, or the
    dataset names its probes clip by clip.
    """
    takes = sorted({key.take for key in keys})
    enrolled, asked = _takes(gallery, takes, "gallery"), _takes(probes, takes, "probes")
    if not (enrolled and asked):
        protocol = protocol_for(dataset, keys)
        if protocol.probe_set:
            raise UsageError(f"{dataset.name} names its probes clip by clip; name takes by --gallery and --probes")
        columns = protocol.probes
        enrolled = enrolled or tuple(take for take in takes if any(protocol.in_gallery(take, each) for each in columns))
        usual = (take for take in takes if any(protocol.is_probe(take, each) for each in columns))
        asked = asked or tuple(take for take in usual if take not in enrolled)
    if both := [take for take in enrolled if take in asked]:
        raise UsageError(f"take {both[0]} is in the gallery and among the probes; it would only find itself")
    return enrolled, asked


def _takes(text: str | None, takes: Sequence[str], option: str) -> Takes:
    found = list[str]()
    for name in text.split(",") if text else ():
        mine = matching(takes, name.strip())
        if not mine:
            raise DataError(f"--{option}: no clip of take {name.strip()} at these views; {suggest(name, takes)}")
        found += mine
    return tuple(dict.fromkeys(found))


def rank_one(gallery: FeatureSet, probes: dict[str, FeatureSet]) -> dict[str, Any]:
    """Rank-1 of ``real`` and ``synthetic`` probes against one gallery of real clips, by condition."""
    matched = {kind: match(gallery, clips) for kind, clips in probes.items()}
    for kind, matches in matched.items():
        if not len(matches.probes):
            raise DataError(
                f"none of the {matches.dropped} {kind} probes is of a person and view that the gallery has;"
                " check the roots, the takes and the views"
            )
    return {
        "people": len(gallery.people),
        "gallery_clips": len(gallery),
        "gallery_takes": np.unique(gallery.take).tolist(),
        "probe_takes": np.unique(probes["real"].take).tolist(),
        "views": np.unique(gallery.view).tolist(),
        "chance": 1 / len(gallery.people),
        "rank1": {kind: matches.by_condition() for kind, matches in matched.items()},
        "dropped": {kind: matches.dropped for kind, matches in matched.items()},
    }


def describe(report: dict[str, Any]) -> str:
    """The table of what :func:`rank_one` gives."""
    takes, views = (" ".join(report[name]) for name in ("gallery_takes", "views"))
    rows = [
        f"Pixel-GEI nearest neighbour, same view; gallery {takes}: {report['people']} people, {report['gallery_clips']}"
        f" clips, views {views}",
        f"{'rank-1 %':<22}{'95 % interval':>18}{'probes':>8}",
    ]
    for kind, shares in report["rank1"].items():
        for condition, share in shares.items():
            value, low, high = (f"{100 * number:.1f}" for number in (share.value, share.low, share.high))
            name = kind if len(report["rank1"]) > 1 else ""
            rows.append(f"{name:<10}{condition:<4}{value:>8}{f'[{low}, {high}]':>18}{share.count:>8}")
    rows.append(f"{'chance':<14}{100 * report['chance']:>8.1f}")
    for kind, count in report["dropped"].items():
        if count:
            rows.append(f"left out: {count} {kind} probes without a gallery clip of their person and view")
    return "\n".join(rows)

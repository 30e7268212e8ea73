"""Every measure of an identity card: what it computes, and the rows it becomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Literal

import numpy as np
import torch

from gaitcrafter_ext.audit.card import FRAMES, NONE, Measure, Row, row
from gaitcrafter_ext.audit.clips import Clips, geis, length_of, of_known_cells, small_geis, some
from gaitcrafter_ext.audit.copies import Match
from gaitcrafter_ext.audit.data import MOST, AuditData
from gaitcrafter_ext.audit.membership import NOISE_LEVELS, losses_of_weights, membership
from gaitcrafter_ext.audit.motion import CONTROLS, Rng, cadence, masks, motion
from gaitcrafter_ext.audit.spaces import PIXELS, Space, fit_ordered, fit_style
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics import variety
from gaitcrafter_ext.metrics.centroids import (
    FALSE_MATCH_RATE,
    Threshold,
    between_centroids,
    consistency,
    find_centroids,
    find_threshold,
    greedily_unique,
    matched_takes,
    to_other_centroids,
)
from gaitcrafter_ext.metrics.features import FeatureSet, win_rates
from gaitcrafter_ext.metrics.identification import faithfulness, identification
from gaitcrafter_ext.metrics.intervals import NOTHING, bootstrap_mean, estimate_share
from gaitcrafter_ext.metrics.leakage import LEAK_RATE, leakage, parent_retrieval, three_sample

STYLE, ORDERED = "view and condition style", "ordered frames"

#: Why some measures cannot be had.
NOTHING_UNSEEN = "needs real clips that the generator never saw, and nothing was held out"


def people_measures(data: AuditData, space: Space, seed: int) -> list[Measure]:
    """What can be asked about people in one space."""
    consistent, leaking = (np.random.default_rng([seed, number]) for number in (1, 3))
    return [
        Measure("identification", "rank1", space.name, lambda: _identification(data, space.name, *space.probes)),
        Measure("uniqueness", "u", space.name, lambda: _uniqueness(space)),
        Measure("consistency", "c_intra", space.name, lambda: _consistency(space, consistent)),
        Measure("leakage", "parent_retrieval", space.name, lambda: _retrieval(data, space)),
        Measure("leakage", "leak", space.name, lambda: _leakage(space, leaking)),
    ]


def clip_measures(data: AuditData, seed: int) -> list[Measure]:
    """What can be asked about clips."""

    def rng(number: int) -> Rng:
        return np.random.default_rng([seed, 100 + number])

    return [
        Measure("faithfulness", "view", f"{PIXELS}, discriminants", lambda: _faithfulness(data, "view")),
        Measure("faithfulness", "condition", f"{PIXELS}, discriminants", lambda: _faithfulness(data, "condition")),
        Measure("variety", "d_intra", STYLE, lambda: _variety(data, rng(1))),
        Measure("copies", "copies", FRAMES, lambda: _copied(data, *data.matches)),
        Measure("copies", "closer", FRAMES, lambda: _closer(data, *data.matches, rng(5))),
        Measure("likeness", "likeness", ORDERED, lambda: _likeness(data, rng(2))),
        Measure("motion", "motion", FRAMES, lambda: motion(data.sides, rng(3))),
        Measure("motion", "cadence", FRAMES, lambda: cadence(data.sides, rng(4))),
        Measure("masks", "masks", FRAMES, lambda: masks(data.sides, rng(6))),
    ]


def rank_measure(data: AuditData) -> Measure:
    """Rank-1 by pixel GEI."""
    return Measure("identification", "rank", PIXELS, lambda: _identification(data, PIXELS, *map(geis, data.sides)))


def _identification(
    data: AuditData, name: str, synthetic: FeatureSet, held_out: FeatureSet, training: FeatureSet
) -> list[Row]:
    found, ceiling = identification(synthetic, held_out, training)
    ceilings = ceiling.by_condition()
    rows = [("", found.share, ceiling.share)]
    rows += [(f"_{each}", share, ceilings.get(each, NOTHING)) for each, share in found.by_condition().items()]
    views = np.unique(found.probes.view).tolist()
    shares = " ".join(f"{view} {100 * found.hits[found.probes.view == view].mean():.0f}" for view in views)
    note = (
        f"gallery: {found.people} people, {data.splits.gallery}, same view; by view, %: {shares}; {found.dropped} clips"
        " left out, without a real clip of their person and view"
    )
    return [
        row("identification", f"rank1{part}", name, share, ceiling=top.value, chance=1 / found.people,
            note="" if part else note)
        for part, share, top in rows
    ]  # fmt: skip


def _novel(space: Space, least: int = 1) -> FeatureSet:
    if len(space.novel.people) < least:
        raise DataError(f"{len(space.novel.people)} novel people; at least {least} needed")
    return space.novel


def _calibrated(threshold: Threshold) -> str:
    rate = f"threshold {threshold.distance:.3f}, where {100 * FALSE_MATCH_RATE:.0f} % of {threshold.pairs} pairs of"
    few = "" if threshold.pairs * FALSE_MATCH_RATE >= 1 else "; too few pairs to tell that rate well"
    return f"{rate} {threshold.people} real strangers match{few}"


def _uniqueness(space: Space) -> list[Row]:
    """U of novel people, beside real ones whom the recogniser never saw."""
    threshold, people = find_threshold(space.strangers, between_centroids), find_centroids(_novel(space, 2))
    novel, real = (
        greedily_unique(each.vectors, threshold.distance) for each in (people, find_centroids(space.strangers))
    )
    count, same = len(novel), min(len(novel), len(real))
    share, ceiling = estimate_share(novel, np.array(people.names, dtype=str)), float(real[:same].sum() / same)
    note = (
        f"{int(novel.sum())} of {count} novel people kept; of the first {same}: {novel[:same].sum()} novel,"
        f" {real[:same].sum()} real; {_calibrated(threshold)}"
    )
    return [row("uniqueness", "u", space.name, share, ceiling=ceiling, chance=1 / count, note=note)]


def _consistency(space: Space, rng: Rng) -> list[Row]:
    """C_intra of novel people (of known ones where there is none), of unseen real ones, and under permuted names."""
    threshold = find_threshold(space.strangers, to_other_centroids)
    clips = space.novel if len(space.novel) else space.synthetic
    permuted = replace(clips, vectors=rng.permutation(clips.vectors))
    novel, real, chance = (consistency(each, threshold.distance) for each in (clips, space.strangers, permuted))
    note = f"{_calibrated(threshold)}; chance: clips dealt to people at random"
    found = row("consistency", "c_intra", space.name, novel, ceiling=real.value, chance=chance.value, note=note)
    return [found]


def _retrieval(data: AuditData, space: Space) -> list[Row]:
    share, chance = parent_retrieval(_novel(space), space.training, data.splits.parents)
    note = "nearest training clip of the same view"
    return [row("leakage", "parent_retrieval", space.name, share, chance=chance, note=note)]


def _leakage(space: Space, rng: Rng) -> list[Row]:
    novel = _novel(space)
    strangers = matched_takes(space.others if len(space.others) else space.held_out, novel)
    share, closer = leakage(find_centroids(novel), find_centroids(space.training), find_centroids(strangers), rng)
    others = "other takes of training people against all others"
    who = "people whom the generator never saw" if len(space.others) else others
    note = (
        f"share of novel people nearer to one of {len(space.training.people)} training people than 5 % of"
        f" {len(strangers.people)} real strangers are ({who}); nearer in {100 * closer:.0f} % of pairs (50 % ="
        " like strangers)"
    )
    return [row("leakage", "leak", space.name, share, floor=LEAK_RATE, note=note)]


def _faithfulness(data: AuditData, attribute: Literal["view", "condition"]) -> list[Row]:
    synthetic, held_out, training = (geis(clips, half=True) for clips in data.sides)
    made, real, chance = faithfulness(attribute, training, held_out, synthetic)
    note = f"fitted on training clips; ceiling: {data.splits.gallery}"
    features = f"{PIXELS}, discriminants"
    return [row("faithfulness", attribute, features, made, ceiling=real.value, chance=chance, note=note)]


def _variety(data: AuditData, rng: Rng) -> list[Row]:
    """Recall by synthetic clips, beside that by real training clips, as many in each condition."""
    length = length_of(data.kinds[0])
    made, held, known = (small_geis(clips, length) for clips in data.sides)
    style = fit_style(known)
    ours, theirs = variety.balanced(made.condition.tolist(), known.condition.tolist(), rng)
    (share, counts), (real, _) = (
        variety.recall(style(held), style(clips)) for clips in (made.where(ours), known.where(theirs))
    )
    balls = " ".join(f"{name} {count}" for name, count in counts.items())
    note = f"improved recall, k = {variety.RECALL_NEIGHBOURS}; clips a condition: {balls}; ceiling: as many real ones"
    return [row("variety", "d_intra", STYLE, share, ceiling=real.value, note=note)]


def _copied(data: AuditData, ours: list[Match], theirs: list[Match]) -> list[Row]:
    worst = min(ours, key=attrgetter("ratio"))
    share, floor = (estimate_share(*_of(side, "copied")) for side in (ours, theirs))
    note = (
        f"nearest of {len(data.trained_on)} training clips less than a third as far as the nearest other take, phases"
        f" aligned; nearest of all: {worst.clip} to {worst.nearest} from frame {worst.shift}, ratio {worst.ratio:.2f}"
    )
    return [row("copies", "copies", FRAMES, share, floor=floor.value, note=note)]


def _closer(data: AuditData, ours: list[Match], theirs: list[Match], rng: Rng) -> list[Row]:
    """Whether synthetic clips lie nearer to training clips than new real ones do."""
    if not data.splits.unseen or not theirs:
        raise DataError(NOTHING_UNSEEN)
    (made, people), (held, _) = (_of(side, "distance") for side in (ours, theirs))
    cells, held_cells = (np.array([match.cell for match in side], dtype=str) for side in (ours, theirs))
    closer = bootstrap_mean(win_rates(made, held), people, rng)
    score, p_copied, count = three_sample(made, cells, held, held_cells)
    note = (
        f"C_T over {count} cells: far below 0 = copied, above 0 = farther than real clips are; p of copying"
        f" {p_copied:.2g}"
    )
    return [
        row("copies", "closer", FRAMES, closer, chance=0.5,
            note="pairs in which the synthetic clip lies nearer to training clips than a held-out one"),
        Row("copies", "three_sample", FRAMES, "z", score, NONE, NONE, closer.count, floor=0.0, note=note),
    ]  # fmt: skip


def _of(matches: Sequence[Match], what: str) -> tuple[np.ndarray, np.ndarray]:
    """A field of each match, and the person."""
    people = np.array([match.clip.identity for match in matches], dtype=str)
    return np.array([getattr(match, what) for match in matches]), people


def membership_measure(data: AuditData, weights: str | None, seed: int, device: torch.device) -> Measure:
    """The membership attack on the generator."""
    rng, splits = np.random.default_rng([seed, 200]), data.splits

    def find() -> list[Row]:
        if not splits.unseen:
            raise DataError(NOTHING_UNSEEN)
        known, new = losses_of_weights(weights, data.trees.real, splits.training, splits.held_out, rng, device)
        auc = membership(known, new, rng)
        mean, beside = (float(losses.vectors.mean(dtype=np.float64)) for losses in (known, new))
        note = (
            f"denoising loss of {auc.count} training clips at noise levels {' '.join(map(str, NOISE_LEVELS))}:"
            f" {mean:.4f}, of held-out takes of the same people {beside:.4f}; 50 % = cannot be told apart"
        )
        return [row("copies", "membership_auc", "generator", auc, chance=0.5, note=note)]

    return Measure("copies", "membership_auc", "generator", find)


def _likeness(data: AuditData, rng: Rng) -> list[Row]:
    """Distances to held-out real clips in ordered features, beside those of as many training clips of each cell."""
    space = fit_ordered(data.sides[2], length_of(data.kinds[0]))
    made, held, known = (some(clips, MOST, rng) for clips in of_known_cells(data.sides))
    sides = [_balanced(space, clips, held, rng) for clips in (made, known)]
    spoilt = {}
    for name, spoil in CONTROLS.items():
        clips = [replace(clip, frames=spoil(clip.frames, rng)) for clip in known]
        left, right = _balanced(space, clips, held, rng)
        spoilt[name] = variety.kid(left.vectors, right.vectors, rng).value
    distance, floor = (variety.kid(left.vectors, right.vectors, rng) for left, right in sides)
    (density, coverage), (real, real_coverage) = (variety.density_coverage(right, left, rng) for left, right in sides)
    told, by_chance = (variety.two_sample_accuracy(left, right, rng) for left, right in sides)
    controls = ", ".join(f"{name} {value:.3f}" for name, value in spoilt.items())
    balls = f"k = {variety.COVERAGE_NEIGHBOURS}"
    return [
        row("likeness", "kid", ORDERED, distance, "number", floor=floor.value, chance=spoilt["shuffled"],
            note=f"subsets of {distance.count} clips, the interval is theirs; real clips with time spoilt: {controls}"),
        row("likeness", "density", ORDERED, density, "number", ceiling=real.value,
            note=f"{balls}; much above the real value = crowded around few clips"),
        row("likeness", "coverage", ORDERED, coverage, ceiling=real_coverage.value, note=balls),
        row("likeness", "two_sample", ORDERED, told, floor=by_chance.value, chance=0.5,
            note=f"accuracy of a classifier that tells synthetic from {len(sides[0][1])} real clips of other people"
                 f" ({data.splits.gallery})"),
    ]  # fmt: skip


def _balanced(
    space: Callable[[Clips], FeatureSet], left: Clips, right: Clips, rng: Rng
) -> tuple[FeatureSet, FeatureSet]:
    """Features of both sides, as many clips of each view and condition."""
    ours, theirs = variety.balanced([clip.cell for clip in left], [clip.cell for clip in right], rng)
    return space([left[index] for index in ours]), space([right[index] for index in theirs])

"""Every measure of an identity card: what it computes, and the rows it becomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

import numpy as np

from gaitcrafter_ext.audit.cadence import Cadence, cadence
from gaitcrafter_ext.audit.card import NONE, Measure, Row, row
from gaitcrafter_ext.audit.clips import ClipFeatures, common_length, geis, small_geis
from gaitcrafter_ext.audit.copies import Copies, Scope, copies
from gaitcrafter_ext.audit.data import AuditData
from gaitcrafter_ext.audit.membership import Membership
from gaitcrafter_ext.audit.spaces import PIXELS, Space
from gaitcrafter_ext.audit.statistics import CONTROLS, Beside, Motion, RangeCheck, masks, motion
from gaitcrafter_ext.audit.video_features import OrderedSpace, fit_ordered, fit_style
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.centroids import find_centroids
from gaitcrafter_ext.metrics.distances import win_rates
from gaitcrafter_ext.metrics.features import FeatureSet
from gaitcrafter_ext.metrics.gei_protocol import Faithfulness, faithfulness
from gaitcrafter_ext.metrics.identification import Identification, Ranks, identification, rank_one, ranks
from gaitcrafter_ext.metrics.intervals import Estimate, bootstrap_mean, estimate_share
from gaitcrafter_ext.metrics.leakage import Leakage, Retrieval, ThreeSample, leakage, parent_retrieval, three_sample
from gaitcrafter_ext.metrics.uniqueness import (
    FALSE_MATCH_RATE,
    Consistency,
    Threshold,
    Uniqueness,
    centroid_threshold,
    clip_threshold,
    consistency,
    independent_share,
    matched_takes,
    uniqueness,
)
from gaitcrafter_ext.metrics.variety import (
    DensityCoverage,
    Recall,
    balanced,
    density_coverage,
    kid,
    recall,
    two_sample_accuracy,
)

__all__ = [
    "ConsistencyBeside",
    "Copied",
    "UniquenessBeside",
    "clip_measures",
    "membership_measure",
    "people_measures",
    "rank_measure",
]

STYLE, ORDERED, FRAMES = "view and condition style", "ordered frames", "frames"

#: Why some measures cannot be had.
NOTHING_UNSEEN = "needs real clips that the generator never saw, and nothing was held out"

Rng = np.random.Generator


@dataclass(frozen=True)
class UniquenessBeside:
    """U of novel people and of real people whom the recogniser never saw."""

    threshold: Threshold
    novel: Uniqueness
    real: Uniqueness


@dataclass(frozen=True)
class ConsistencyBeside:
    """C_intra of novel people (of known ones where there is none), of unseen real ones, and of novel clips under
    permuted names.
    """

    threshold: Threshold
    novel: Consistency
    real: Consistency
    permuted: Consistency


@dataclass(frozen=True)
class Copied:
    """Nearest training clips and what follows.

    Attributes:
        share: Share of copies.
        closer: Share of (synthetic, held-out) pairs in which the synthetic clip lies nearer: 0.5 where synthetic clips
            keep the distance that real ones keep, 1 where all are nearer; None where nothing was held out.
    """

    copies: Copies
    share: Estimate
    closer: Estimate | None = None
    test: ThreeSample | None = None


@dataclass(frozen=True)
class Likeness:
    """Distances to held-out real clips in ordered features.

    Attributes:
        kid: Of the synthetic clips.
        floor: Of the training clips, as many of each view and condition.
        controls: Of training clips whose time was spoilt.
        classifier: Accuracy of a classifier of synthetic and held-out clips, and of training and held-out ones.
    """

    kid: Estimate
    floor: Estimate
    controls: dict[str, float]
    synthetic: DensityCoverage
    real: DensityCoverage
    classifier: tuple[Estimate, Estimate]


def people_measures(data: AuditData, space: Space, seed: int) -> list[Measure]:
    """What can be asked about people in one space."""
    name = space.name

    def rng(number: int) -> Rng:
        return np.random.default_rng([seed, number])

    return [
        Measure("identification", "rank1", name, lambda: identification(*space.probes),
                lambda it: _ranks(it, name, data.splits.gallery)),
        Measure("uniqueness", "u", name, lambda: _find_uniqueness(space), lambda it: _uniqueness(it, name)),
        Measure("consistency", "c_intra", name, lambda: _find_consistency(space, rng(1)),
                lambda it: _consistency(it, name)),
        Measure("leakage", "parent_retrieval", name,
                lambda: parent_retrieval(_novel(space), space.training, data.splits.parents, rng(2)),
                lambda it: _retrieval(it, name)),
        Measure("leakage", "leak", name, lambda: _find_leakage(space, rng(3)), lambda it: _leakage(it, space)),
    ]  # fmt: skip


def clip_measures(data: AuditData, seed: int, scope: Scope = "same", cyclic: bool = False) -> list[Measure]:
    """What can be asked about clips; ``scope`` and ``cyclic`` are those of :func:`copies`."""

    def rng(number: int) -> Rng:
        return np.random.default_rng([seed, 100 + number])

    def never_seen() -> None:
        if not data.splits.unseen:
            raise DataError(NOTHING_UNSEEN)

    synthetic, held_out, training = data.clips
    return [
        Measure("faithfulness", "read_as_asked", PIXELS,
                lambda: faithfulness(geis(training), geis(held_out), geis(synthetic)),
                lambda it: _faithful(it, data.splits.gallery)),
        Measure("variety", "d_intra", STYLE, lambda: _find_variety(data, rng(1)), _variety),
        Measure("copies", "copies", FRAMES, lambda: _find_copies(data, rng(5), scope, cyclic), _copied),
        Measure("copies", "closer", FRAMES, never_seen, lambda _: []),
        Measure("likeness", "likeness", ORDERED, lambda: _find_likeness(data, rng(2)), _likeness),
        Measure("motion", "motion", FRAMES, lambda: motion(data.clips, rng(3)), _motion),
        Measure("motion", "cadence", FRAMES, lambda: cadence(data.clips, rng(4)), _cadence),
        Measure("masks", "masks", FRAMES, lambda: masks(data.clips, rng(6)), _masks),
    ]  # fmt: skip


def rank_measure(data: AuditData, seed: int) -> Measure:
    """Rank-1 by pixel GEI with every ceiling."""

    def find() -> Ranks:
        synthetic, held_out, training = map(geis, data.clips)
        return ranks(synthetic, held_out, training, np.random.default_rng([seed, 0]))

    return Measure("identification", "rank", PIXELS, find, lambda it: _every_rank(it, data.splits.gallery))


def membership_measure(data: AuditData, attack: Callable[[], Membership]) -> Measure:
    """The membership attack on the generator."""

    def find() -> Membership:
        if not data.splits.unseen:
            raise DataError(NOTHING_UNSEEN)
        return attack()

    return Measure("copies", "membership_auc", "generator", find, _membership)


def _ranks(found: Identification, name: str, gallery: str) -> list[Row]:
    ceilings = {each.condition: each.share.value for each in rank_one(found.ceiling)}
    rows = [("", found.synthetic.share, found.ceiling.share.value)]
    rows += [
        (f"_{each.condition}", each.share, ceilings.get(each.condition, NONE)) for each in rank_one(found.synthetic)
    ]
    matches = found.synthetic
    views = np.unique(matches.probes.view).tolist()
    shares = " ".join(f"{view} {100 * matches.hits[matches.probes.view == view].mean():.0f}" for view in views)
    note = f"gallery: {found.people} people, {gallery}, same view; by view, %: {shares}"
    return [
        row("identification", f"rank1{part}", name, share, ceiling=ceiling, chance=found.chance,
            note="" if part else note)
        for part, share, ceiling in rows
    ]  # fmt: skip


def _every_rank(found: Ranks, gallery: str) -> list[Row]:
    ceilings = {each.condition: each.share.value for each in found.same_gallery.conditions}
    ratio = found.of_same_gallery
    note = (
        f"gallery: {gallery}; {ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}] of the ceiling, real training takes"
        f" as probes; real, leave one take out: {100 * found.leave_one_out.share.value:.1f} %; against"
        f" training takes, which the generator saw: {100 * found.seen.share.value:.1f} %, held-out real"
        f" {100 * found.seen_ceiling.share.value:.1f} %; {found.synthetic.left_out} clips left out, without a held-out"
        " clip of their person and view"
    )
    total = row("identification", "rank1", PIXELS, found.synthetic.share, ceiling=found.same_gallery.share.value,
                chance=found.chance, note=note)  # fmt: skip
    return [total] + [
        row("identification", f"rank1_{each.condition}", PIXELS, each.share,
            ceiling=ceilings.get(each.condition, NONE), chance=found.chance)
        for each in found.synthetic.conditions
    ]  # fmt: skip


def _novel(space: Space) -> FeatureSet:
    if not len(space.novel):
        raise DataError("there is no novel person among the synthetic ones")
    return space.novel


def _find_uniqueness(space: Space) -> UniquenessBeside:
    threshold = centroid_threshold(space.strangers)
    novel, real = (uniqueness(find_centroids(each), threshold.distance) for each in (_novel(space), space.strangers))
    return UniquenessBeside(threshold, novel, real)


def _uniqueness(found: UniquenessBeside, name: str) -> list[Row]:
    count, real = len(found.novel.people), found.real
    same = min(count, len(real.people))
    note = (
        f"{int(found.novel.kept.sum())} of {count} novel people kept; of the first {same}:"
        f" {found.novel.curve[same - 1]} novel, {real.curve[same - 1]} real; {_calibrated(found.threshold)};"
        f" independent collisions alone would keep {100 * independent_share(count, FALSE_MATCH_RATE):.0f} %"
    )
    share = float(real.curve[same - 1] / same)
    return [row("uniqueness", "u", name, found.novel.share, ceiling=share, chance=1 / count, note=note)]


def _calibrated(threshold: Threshold) -> str:
    rate = f"threshold {threshold.distance:.3f}, where {100 * threshold.rate:.0f} % of {threshold.pairs} pairs of"
    few = "" if threshold.resolved else "; too few pairs to tell that rate well"
    return f"{rate} {threshold.people} real strangers match{few}"


def _find_consistency(space: Space, rng: Rng) -> ConsistencyBeside:
    threshold = clip_threshold(space.strangers)
    clips = space.novel if len(space.novel) else space.synthetic
    permuted = replace(clips, vectors=rng.permutation(clips.vectors))
    found = [consistency(each, threshold.distance) for each in (clips, space.strangers, permuted)]
    return ConsistencyBeside(threshold, *found)


def _consistency(found: ConsistencyBeside, name: str) -> list[Row]:
    note = f"{_calibrated(found.threshold)}; chance: clips dealt to people at random"
    return [row("consistency", "c_intra", name, found.novel.share, ceiling=found.real.share.value,
                chance=found.permuted.share.value, note=note)]  # fmt: skip


def _retrieval(found: Retrieval, name: str) -> list[Row]:
    note = f"nearest training clip of the same view; with permuted recipes: {100 * found.shuffled:.1f} %"
    return [row("leakage", "parent_retrieval", name, found.share, chance=found.chance, note=note)]


def _find_leakage(space: Space, rng: Rng) -> Leakage:
    novel = _novel(space)
    strangers = matched_takes(space.others if len(space.others) else space.held_out, novel)
    return leakage(find_centroids(novel), find_centroids(space.training), find_centroids(strangers), rng)


def _leakage(found: Leakage, space: Space) -> list[Row]:
    unseen = "people whom the generator never saw"
    who = unseen if len(space.others) else "held-out takes of training people against all others"
    note = (
        f"share of novel people nearer to a training person than 5 % of {len(found.strangers)} real strangers are"
        f" ({who}); nearer in {100 * found.closer:.0f} % of pairs (50 % = like strangers)"
    )
    return [row("leakage", "leak", space.name, found.share, floor=0.05, note=note)]


def _faithful(found: list[Faithfulness], real: str) -> list[Row]:
    return [
        row("faithfulness", each.attribute, f"{PIXELS}, discriminants", each.synthetic, ceiling=each.real.value,
            chance=each.chance, note=f"fitted on training clips; ceiling: {real}")
        for each in found
        if each.classifier == "lda"
    ]  # fmt: skip


def _find_variety(data: AuditData, rng: Rng) -> tuple[Recall, Recall]:
    """Recall of synthetic clips and of real training clips, as many in each condition."""
    length = common_length(data.synthetic)
    made, held, known = (small_geis(clips, length) for clips in data.clips)
    style = fit_style(known)
    ours, theirs = balanced(made.condition.tolist(), known.condition.tolist(), rng)
    real = style(held)
    return recall(real, style(made.where(ours))), recall(real, style(known.where(theirs)))


def _variety(found: tuple[Recall, Recall]) -> list[Row]:
    ours, real = found
    balls = " ".join(f"{name} {count}" for name, count in ours.balls.items())
    note = f"improved recall, k = {ours.neighbours}; clips a condition: {balls}; ceiling: as many real ones"
    return [row("variety", "d_intra", STYLE, ours.share, ceiling=real.share.value, note=note)]


def _find_copies(data: AuditData, rng: Rng, scope: Scope, cyclic: bool) -> Copied:
    found = copies(data.clips, data.trained_on, scope, cyclic)
    ours, theirs = found.synthetic, found.held_out
    people = np.array([match.clip.identity for match in ours.matches], dtype=str)
    share = estimate_share(np.array([match.copied for match in ours.matches]), people)
    if not data.splits.unseen:
        return Copied(found, share)
    return Copied(
        found,
        share,
        bootstrap_mean(win_rates(ours.distances, theirs.distances), people, rng),
        three_sample(ours.distances, ours.cells, theirs.distances, theirs.cells),
    )


def _copied(found: Copied) -> list[Row]:
    floor, worst = found.copies.held_out.share, min(found.copies.synthetic.matches, key=attrgetter("ratio"))
    note = (
        "nearest training clip less than a third as far as the nearest other take, phases aligned; nearest of all:"
        f" {worst.clip} to {worst.nearest} from frame {worst.shift}, ratio {worst.ratio:.2f}"
    )
    share = row("copies", "copies", FRAMES, found.share, floor=floor, note=note)
    if found.closer is None or found.test is None:
        return [share]
    test = found.test
    return [
        share,
        row("copies", "closer", FRAMES, found.closer, chance=0.5,
            note="pairs in which the synthetic clip lies nearer to training clips than a held-out one"),
        Row("copies", "three_sample", FRAMES, "z", test.score, NONE, NONE, found.share.count, floor=0.0,
            note=f"C_T over {test.cells} cells: far below 0 = copied, above 0 = farther than real clips are;"
                 f" p of copying {test.p_copied:.2g}"),
    ]  # fmt: skip


def _membership(found: Membership) -> list[Row]:
    note = (
        f"denoising loss at noise levels {' '.join(map(str, found.levels))}: training {found.training:.4f}, held-out"
        f" takes of the same people {found.held_out:.4f}; 50 % = cannot be told apart"
    )
    return [row("copies", "membership_auc", "generator", found.auc, chance=0.5, note=note)]


def _find_likeness(data: AuditData, rng: Rng) -> Likeness:
    space = fit_ordered(data.training, data.synthetic)
    made, held, known = ([clip for clip in clips if space.knows(clip)] for clips in data.clips)
    (ours, beside_ours), (theirs, beside_theirs) = (_balanced(space, clips, held, rng) for clips in (made, known))
    spoilt = {}
    for name, spoil in CONTROLS.items():
        clips = [replace(clip, frames=spoil(clip.frames, rng)) for clip in known]
        left, right = _balanced(space, clips, held, rng)
        spoilt[name] = kid(left.vectors, right.vectors, rng).value
    return Likeness(
        kid(ours.vectors, beside_ours.vectors, rng),
        kid(theirs.vectors, beside_theirs.vectors, rng),
        spoilt,
        density_coverage(beside_ours, ours, rng),
        density_coverage(beside_theirs, theirs, rng),
        (two_sample_accuracy(ours, beside_ours, rng), two_sample_accuracy(theirs, beside_theirs, rng)),
    )


def _balanced(
    space: OrderedSpace, left: Sequence[ClipFeatures], right: Sequence[ClipFeatures], rng: Rng
) -> list[FeatureSet]:
    """Features of both sides, as many clips of each view and condition."""
    picked = balanced([clip.cell for clip in left], [clip.cell for clip in right], rng)
    return [space([side[index] for index in rows]) for side, rows in zip((left, right), picked, strict=True)]


def _likeness(found: Likeness) -> list[Row]:
    spoilt = ", ".join(f"{name} {value:.3f}" for name, value in found.controls.items())
    note = f"subsets of {found.kid.count} clips, the interval is theirs; real clips with time spoilt: {spoilt}"
    ours, real, k = found.synthetic, found.real, f"k = {found.synthetic.neighbours}"
    return [
        row("likeness", "kid", ORDERED, found.kid, "number", floor=found.floor.value,
            chance=found.controls["shuffled"], note=note),
        row("likeness", "density", ORDERED, ours.density, "number", ceiling=real.density.value,
            note=f"{k}; much above the real value = crowded around few clips"),
        row("likeness", "coverage", ORDERED, ours.coverage, ceiling=real.coverage.value, note=k),
        row("likeness", "two_sample", ORDERED, found.classifier[0], floor=found.classifier[1].value, chance=0.5,
            note="accuracy of a classifier that tells synthetic from held-out real clips of other people"),
    ]  # fmt: skip


def _motion(found: Motion) -> list[Row]:
    spoilt, wrong = (
        ", ".join(f"{each.name} {100 * getattr(each, what):.0f} %" for each in found.controls)
        for what in ("outside", "forward")
    )
    worst = next(each.outside for each in found.controls if each.name == "shuffled")
    return [
        row("motion", "motion_outside", FRAMES, found.synthetic_outside, floor=found.held_out_outside, chance=worst,
            note=f"overlap, flicker or periodicity outside the real 1-99 % range; controls: {spoilt}"),
        row("motion", "forward", FRAMES, found.synthetic_forward, ceiling=found.held_out_forward,
            chance=0.5, note=f"nearer to real clips played forward than backward; controls: {wrong}"),
        *_medians("motion", found.statistics),
    ]  # fmt: skip


def _masks(found: RangeCheck) -> list[Row]:
    note = "outside the real 1-99 % range in at least one of the following"
    worst = row("masks", "mask_outside", FRAMES, found.synthetic_outside, floor=found.held_out_outside, note=note)
    return [worst, *_medians("masks", found.statistics)]


def _medians(question: str, statistics: Sequence[Beside]) -> list[Row]:
    return [
        row(question, each.name, FRAMES, each.synthetic, "number", floor=each.held_out,
            note=f"median; {100 * each.synthetic_outside.value:.0f} % outside the real range, real"
                 f" {100 * each.held_out_outside:.0f} %")
        for each in statistics
    ]  # fmt: skip


def _cadence(found: Cadence) -> list[Row]:
    gain = found.difference
    note = (
        "mean error of the gait cycle; floor: the person's training takes; chance: everyone given the median;"
        f" difference to that {gain.value:.2f} [{gain.low:.2f}, {gain.high:.2f}]; {found.left_out} clips left out"
    )
    return [row("motion", "cadence_error", FRAMES, found.synthetic, "frames", floor=found.floor.value,
                chance=found.median.value, note=note)]  # fmt: skip

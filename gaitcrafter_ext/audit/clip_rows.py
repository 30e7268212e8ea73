"""The questions of a card that are about clips: as asked, varied, not copied, like gait, moving like it, valid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.audit.cadence import Cadence, cadence
from gaitcrafter_ext.audit.card import NONE, Measure, Row, row
from gaitcrafter_ext.audit.copies import Copies, Nearness, copies
from gaitcrafter_ext.audit.diversity import Recall, recall
from gaitcrafter_ext.audit.embeddings import Embedded, of_pixels
from gaitcrafter_ext.audit.features import ClipFeatures, common_length
from gaitcrafter_ext.audit.leakage import ThreeSample, three_sample
from gaitcrafter_ext.audit.likeness import Prdc, density_coverage, kid, matched
from gaitcrafter_ext.audit.masks import Masks, masks
from gaitcrafter_ext.audit.material import PIXELS, Material
from gaitcrafter_ext.audit.membership import Membership
from gaitcrafter_ext.audit.motion import CONTROLS, Motion, motion
from gaitcrafter_ext.audit.ordered import OrderedSpace, fit_ordered
from gaitcrafter_ext.audit.ranges import Beside
from gaitcrafter_ext.audit.ranks import geis_of
from gaitcrafter_ext.audit.style import Style, fit_style
from gaitcrafter_ext.recognition.bootstrap import Estimate, bootstrap_mean, bootstrap_share
from gaitcrafter_ext.recognition.gate import Faithfulness, faithfulness

__all__ = ["Copied", "Likeness", "Varied", "clip_measures", "membership_rows"]

Floats = NDArray[np.floating]
Points = tuple[Floats, NDArray[np.str_]]

ORDERED, FRAMES = "ordered frames", "frames"


@dataclass(frozen=True)
class Varied:
    """Recall of synthetic clips and of real training clips, as many in each condition."""

    synthetic: Recall
    real: Recall


@dataclass(frozen=True)
class Copied:
    """Nearest training clips and what follows.

    Attributes:
        copies: Every match.
        share: Share of copies, with an interval over people.
        closer: Share of (synthetic, held-out) pairs in which the synthetic clip lies nearer, likewise.
        test: The three-sample test.
    """

    copies: Copies
    share: Estimate
    closer: Estimate
    test: ThreeSample


@dataclass(frozen=True)
class Likeness:
    """Distances to held-out real clips in ordered features.

    Attributes:
        kid: Of the synthetic clips.
        floor: Of the training clips, as many of each view and condition.
        controls: Of training clips whose time was spoilt.
        prdc: Density and coverage of the synthetic clips.
        real_prdc: Of the training clips.
    """

    kid: Estimate
    floor: Estimate
    controls: dict[str, float]
    prdc: Prdc
    real_prdc: Prdc


def clip_measures(material: Material, seed: int) -> list[Measure]:
    """What can be asked about clips."""

    def rng(number: int) -> np.random.Generator:
        return np.random.default_rng([seed, 100 + number])

    clips = material.clips
    synthetic, held_out, training = clips
    return [
        Measure("asked", "read_as_asked", PIXELS,
                lambda: faithfulness(geis_of(training), geis_of(held_out), geis_of(synthetic), rng(0)), _faithful),
        Measure("vary", "d_intra", "view and condition style", lambda: _find_varied(material, rng(1)), _varied),
        Measure("copied", "copies", FRAMES, lambda: _find_copies(material, rng(5)), _copied),
        Measure("looks", "likeness", ORDERED, lambda: _find_likeness(material, rng(2)), _likeness),
        Measure("moves", "motion", FRAMES, lambda: motion(*clips, rng(3)), _motion),
        Measure("moves", "cadence", FRAMES, lambda: cadence(*clips, rng(4)), _cadence),
        Measure("mask", "masks", FRAMES, lambda: masks(*clips, rng(6)), _masks),
    ]  # fmt: skip


def _faithful(found: list[Faithfulness]) -> list[Row]:
    return [
        row("asked", each.attribute, f"{PIXELS}, discriminants", each.synthetic, ceiling=each.real.value,
            chance=each.chance, note="fitted on training clips; ceiling: held-out real clips")
        for each in found
        if each.classifier == "lda"
    ]  # fmt: skip


def _find_varied(material: Material, rng: np.random.Generator) -> Varied:
    length = common_length(material.synthetic)
    made, held, known = (of_pixels(clips, length) for clips in material.clips)
    style = fit_style(known)
    real = (style(held), held.condition, held.identity)
    ours, theirs = matched(made.condition.tolist(), known.condition.tolist(), rng)
    parts = [_labelled(style, clips, rows) for clips, rows in ((made, ours), (known, theirs))]
    return Varied(*(recall(real, part, rng) for part in parts))


def _labelled(style: Style, clips: Embedded, rows: NDArray[np.int64]) -> tuple[Floats, NDArray[np.str_]]:
    return style(clips)[rows], clips.condition[rows]


def _varied(found: Varied) -> list[Row]:
    balls = " ".join(f"{name} {count}" for name, count in found.synthetic.balls.items())
    note = f"improved recall, k = {found.synthetic.neighbours}; clips a condition: {balls}; ceiling: as many real ones"
    style = "view and condition style"
    return [row("vary", "d_intra", style, found.synthetic.share, ceiling=found.real.share.value, note=note)]


def _find_copies(material: Material, rng: np.random.Generator) -> Copied:
    found = copies(*material.clips)
    ours, theirs = found.synthetic.matches, found.held_out.matches
    people = np.array([match.clip.identity for match in ours], dtype=str)
    real = np.array([match.distance for match in theirs])
    wins = [float(np.mean(match.distance < real) + 0.5 * np.mean(match.distance == real)) for match in ours]
    return Copied(
        found,
        bootstrap_share(np.array([match.copied for match in ours]), people, rng),
        bootstrap_mean(np.array(wins), people, rng),
        three_sample(_distances(found.synthetic), _distances(found.held_out)),
    )


def _copied(found: Copied) -> list[Row]:
    test, floor = found.test, found.copies.held_out.share
    return [
        row("copied", "copies", FRAMES, found.share, floor=floor,
            note="nearest training clip less than a third as far as the nearest other take, phases aligned"),
        row("copied", "closer", FRAMES, found.closer, chance=0.5,
            note="pairs in which the synthetic clip lies nearer to training clips than a held-out one"),
        Row("copied", "three_sample", FRAMES, "z", test.score, NONE, NONE, found.share.count, floor=0.0,
            note=f"C_T over {test.cells} cells: far below 0 = copied, above 0 = farther than real clips are;"
                 f" p of copying {test.p_copied:.2g}"),
    ]  # fmt: skip


def membership_rows(found: Membership) -> list[Row]:
    """AUC of the membership attack."""
    note = (
        f"denoising loss at levels {' '.join(map(str, found.levels))}: training {found.training:.4f}, held-out takes of"
        f" the same people {found.held_out:.4f}; 50 % = cannot be told apart"
    )
    return [row("copied", "membership_auc", "generator", found.auc, chance=0.5, note=note)]


def _distances(side: Nearness) -> tuple[NDArray[np.float64], list[str]]:
    cells = [f"{match.clip.view}/{match.clip.condition}" for match in side.matches]
    return np.array([match.distance for match in side.matches]), cells


def _find_likeness(material: Material, rng: np.random.Generator) -> Likeness:
    space = fit_ordered(material.training, material.synthetic)
    made, held, known = ([clip for clip in clips if space.knows(clip)] for clips in material.clips)
    ours, theirs = _points(space, made, held, rng), _points(space, known, held, rng)
    spoilt = {name: _spoilt(space, known, held, name, rng) for name in CONTROLS}
    return Likeness(
        kid(ours[0][0], ours[1][0], rng),
        kid(theirs[0][0], theirs[1][0], rng),
        {name: kid(left[0], right[0], rng).value for name, (left, right) in spoilt.items()},
        density_coverage(ours[1], ours[0], rng),
        density_coverage(theirs[1], theirs[0], rng),
    )


def _points(
    space: OrderedSpace, left: Sequence[ClipFeatures], right: Sequence[ClipFeatures], rng: np.random.Generator
) -> list[Points]:
    """Features and people of both sides, as many clips of each view and condition."""
    picked = matched([clip.cell for clip in left], [clip.cell for clip in right], rng)
    chosen = [[side[index] for index in rows] for side, rows in zip((left, right), picked, strict=True)]
    return [(space(clips), np.array([clip.key.identity for clip in clips], dtype=str)) for clips in chosen]


def _spoilt(
    space: OrderedSpace,
    known: Sequence[ClipFeatures],
    held: Sequence[ClipFeatures],
    name: str,
    rng: np.random.Generator,
) -> list[Points]:
    """The same of training clips whose time is spoilt."""
    clips = [replace(clip, frames=CONTROLS[name](clip.frames, rng)) for clip in known]
    return _points(space, clips, held, rng)


def _likeness(found: Likeness) -> list[Row]:
    spoilt = ", ".join(f"{name} {value:.3f}" for name, value in found.controls.items())
    note = f"subsets of {found.kid.count} clips, the interval is theirs; real clips with time spoilt: {spoilt}"
    ours, real = found.prdc, found.real_prdc
    return [
        row("looks", "kid", ORDERED, found.kid, "number", floor=found.floor.value,
            chance=found.controls["shuffled"], note=note),
        row("looks", "density", ORDERED, ours.density, "number", ceiling=real.density.value,
            note=f"k = {ours.neighbours}; much above the real value = crowded around few clips"),
        row("looks", "coverage", ORDERED, ours.coverage, ceiling=real.coverage.value, note=f"k = {ours.neighbours}"),
    ]  # fmt: skip


def _motion(found: Motion) -> list[Row]:
    spoilt = ", ".join(f"{each.name} {100 * each.outside:.0f} %" for each in found.controls)
    wrong = ", ".join(f"{each.name} {100 * each.forward:.0f} %" for each in found.controls)
    worst = next(each.outside for each in found.controls if each.name == "shuffled")
    shares = [
        row("moves", "motion_outside", FRAMES, found.synthetic_outside, floor=found.held_out_outside, chance=worst,
            note=f"overlap, flicker or periodicity outside the real 1-99 % range; controls: {spoilt}"),
        row("moves", "forward", FRAMES, found.synthetic_forward, ceiling=found.held_out_forward,
            chance=0.5, note=f"nearer to real clips played forward than backward; controls: {wrong}"),
    ]  # fmt: skip
    return shares + _medians("moves", found.statistics)


def _masks(found: Masks) -> list[Row]:
    share = found.synthetic_outside
    note = "outside the real 1-99 % range in at least one of the following"
    worst = row("mask", "mask_outside", FRAMES, share, floor=found.held_out_outside, note=note)
    return [worst, *_medians("mask", found.statistics)]


def _medians(question: str, statistics: Sequence[Beside]) -> list[Row]:
    return [
        row(question, each.name, FRAMES, each.synthetic, "number", floor=each.held_out,
            note=f"median; {100 * each.synthetic_outside.value:.0f} % outside the real range, real"
                 f" {100 * each.held_out_outside:.0f} %")
        for each in statistics
    ]  # fmt: skip


def _cadence(found: Cadence) -> list[Row]:
    note = "mean error of the gait cycle; floor: the person's training takes; chance: everyone given the median"
    return [row("moves", "cadence_error", FRAMES, found.synthetic, "frames", floor=found.floor.value,
                chance=found.median.value, note=note)]  # fmt: skip

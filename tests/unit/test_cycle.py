"""The gait cycle and its phases, on drawn walkers and on simulated ones, whose truth is known."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from gaitcrafter_ext.audit.clips import thumbnails
from gaitcrafter_ext.silhouettes.cycle import FPS, cycle_of, gait_phases
from gaitcrafter_ext.simulation import cohort
from tests.stick_walkers import stick_clip

VIEWS = ("000", "036", "090")
WALKS = ((201, "nm-01"), (202, "nm-01"), (204, "cl-01"), (205, "bg-01"))


@dataclass(frozen=True)
class Walkers:
    """Simulated clips, a walk and view a row, with their true cycle, frames, and phases [n, T], radians."""

    clips: list[NDArray[np.uint8]]
    take: NDArray[np.int64]
    view: NDArray[np.int64]
    cycle: NDArray[np.float64]
    phase: NDArray[np.float64]

    def errors(self, shared_clock: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Error of the cycles, frames, and deviation of the estimated phases from the true ones, radians, [n, T]."""
        degrees = np.array([float(VIEWS[view]) for view in self.view], dtype=np.float32)
        found = gait_phases(self.clips, self.take, self.view, degrees, shared_clock)
        time = np.arange(self.phase.shape[1])
        estimated = 2 * np.pi * time / found.cycle[:, None] + found.start[:, None]
        return found.cycle - self.cycle, estimated - self.phase


@pytest.fixture(scope="module")
def walkers() -> Walkers:
    truths = [cohort.true_phase(3, number, take, 40) for number, take in WALKS]
    clips = [
        clip
        for number, take in WALKS
        for clip in cohort.render_take(3, cohort.person(3, number), take, VIEWS, 40).values()
    ]
    walk, view = (index.ravel() for index in np.indices((len(WALKS), len(VIEWS))))
    cycle = np.repeat([cycle for _, cycle in truths], len(VIEWS))
    phase = 2 * np.pi * np.repeat([phase for phase, _ in truths], len(VIEWS), axis=0)
    return Walkers(clips, walk, view, cycle, phase)


def _spread_deg(deviation: NDArray[np.float64], turns: int = 1) -> float:
    """Mean deviation from the common offset, degrees, of phases that are known up to 1 / ``turns`` of a cycle."""
    rotated = np.exp(1j * turns * deviation)
    return float(np.degrees(np.abs(np.angle(rotated / rotated.mean())).mean() / turns))


def test_the_cycle_of_a_drawn_walker_is_read_to_a_fraction_of_a_frame() -> None:
    for cycle, phase in ((22.0, 0.0), (27.0, 0.3), (31.0, 0.6)):
        for frames, tolerance in ((30, 1.0), (60, 0.2)):
            read = cycle_of(thumbnails(stick_clip(1, cycle, frames, phase)))
            assert read.frames == pytest.approx(cycle, abs=tolerance)
            assert read.strength > 0.7


@pytest.mark.parametrize("cycle", [19.8, 36.5, 39.5])
def test_a_slow_walk_and_a_run_of_half_its_cycle_are_told_apart(cycle: float, monkeypatch: pytest.MonkeyPatch) -> None:
    vary = cohort.vary_gait
    monkeypatch.setattr(cohort, "vary_gait", lambda *given: replace(vary(*given), cycle_s=cycle / FPS))
    for number in (1, 2):
        clips = cohort.render_take(77, cohort.person(77, number), "nm-01", ("054", "090", "126"), 60)
        assert [cycle_of(clip).frames for clip in clips.values()] == pytest.approx([cycle] * 3, abs=0.8)
        seen = [cycle_of(clip, float(view)).frames for view, clip in clips.items()]
        assert seen == pytest.approx([cycle] * 3, abs=0.8)


def test_a_step_seen_from_the_side_is_not_taken_for_a_cycle() -> None:
    for cycle in (18.0, 20.0, 36.0, 40.0):
        clip = thumbnails(stick_clip(1, cycle, 60, 0.2))
        for view_deg in (90.0, 270.0):
            assert cycle_of(clip, view_deg).frames == pytest.approx(cycle, abs=0.4)
    assert cycle_of(clip).frames == pytest.approx(20.0, abs=0.2)  # its steps do not differ, and no view tells why


def test_a_clip_that_is_frozen_or_too_short_has_no_cycle_and_a_shuffled_one_a_weak_one() -> None:
    clip = thumbnails(stick_clip(0, 26.0, 30))
    for without in (np.repeat(clip[:1], 30, axis=0), clip[:19]):
        assert math.isnan(cycle_of(without).frames)
        assert cycle_of(without).strength == 0.0
    shuffled = np.random.default_rng(0).permutation(clip)
    assert cycle_of(shuffled).strength < cycle_of(clip).strength - 0.2


def test_cycle_and_phase_of_simulated_walkers_are_known_with_and_without_a_shared_clock(walkers: Walkers) -> None:
    cycle, deviation = walkers.errors(shared_clock=True)
    assert np.abs(cycle).mean() < 0.5
    assert _spread_deg(deviation) < 10
    # Without it each view tells the phase up to half a cycle; frontal views take over the cycle.
    cycle, deviation = walkers.errors(shared_clock=False)
    assert np.abs(cycle).mean() < 0.6
    for view in (1, 2):
        assert _spread_deg(deviation[walkers.view == view], turns=2) < 12


def test_views_of_unequal_length_are_not_taken_to_begin_together(walkers: Walkers) -> None:
    """A side view that was cut later must not be turned by another view's clock."""
    late, rows = 7, np.flatnonzero(walkers.view > 0)
    view = walkers.view[rows]
    cut = [slice(late, 40) if number == 2 else slice(39) for number in view]
    clips = [walkers.clips[row][part] for row, part in zip(rows, cut, strict=True)]
    phase = np.stack([walkers.phase[row][part][: 40 - late] for row, part in zip(rows, cut, strict=True)])
    _, deviation = Walkers(clips, walkers.take[rows], view, walkers.cycle[rows], phase).errors(shared_clock=True)
    assert _spread_deg(deviation[view == 2], turns=2) < 12


def test_what_cannot_be_told_is_nan() -> None:
    frozen = np.repeat(stick_clip(0, 26.0, 1), 30, axis=0)
    clips = [stick_clip(0, 26.0, 30), frozen, stick_clip(0, 26.0, 15), stick_clip(0, 26.0, 30)]
    degrees = np.array([90, 90, 90, 0], np.float32)  # the last one: a walk seen from the front only
    found = gait_phases(clips, np.arange(4), np.array([0, 0, 0, 1]), degrees, shared_clock=False)
    assert np.isfinite(found.cycle).tolist() == np.isfinite(found.start).tolist() == [True, False, False, False]

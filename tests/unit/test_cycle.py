"""The gait cycle, on drawn walkers and on the simulated cohort, where it is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gaitcrafter_ext.audit.clips import thumbnails
from gaitcrafter_ext.silhouettes.clip import window
from gaitcrafter_ext.silhouettes.cycle import cycle_of, is_reliable
from gaitcrafter_ext.simulation import cohort, pose
from tests.stick_walkers import stick_clip


@pytest.mark.parametrize("cycle", [22.0, 24.5, 27.0, 29.5, 31.0])
@pytest.mark.parametrize("frames", [30, 60])
def test_the_cycle_of_a_drawn_walker_is_read_to_a_fraction_of_a_frame(cycle: float, frames: int) -> None:
    for phase in (0.0, 0.3, 0.6):
        read = cycle_of(thumbnails(stick_clip(1, cycle, frames, phase)))
        assert read.frames == pytest.approx(cycle, abs=1.0 if frames == 30 else 0.2)
        assert read.strength > 0.7


def test_a_drift_beside_the_steps_does_not_pass_for_a_longer_cycle() -> None:
    clip = stick_clip(0, 26.0, 42)
    drift = [np.roll(frame, round(2 * math.sin(math.pi * time / 42)), axis=1) for time, frame in enumerate(clip)]
    assert cycle_of(thumbnails(np.stack(drift))).frames == pytest.approx(26.0, abs=0.5)


def test_a_clip_that_is_frozen_or_too_short_has_no_cycle_and_a_shuffled_one_a_weak_one() -> None:
    clip = thumbnails(stick_clip(0, 26.0, 30))
    for without in (np.repeat(clip[:1], 30, axis=0), clip[:19]):
        assert math.isnan(cycle_of(without).frames)
        assert cycle_of(without).strength == 0.0
    shuffled = np.random.default_rng(0).permutation(clip)
    assert cycle_of(shuffled).strength < cycle_of(clip).strength - 0.2


def test_the_frontal_views_are_named_unreliable() -> None:
    views = ("000", "018", "036", "090", "144", "162", "180", "unknown")
    assert [view for view in views if not is_reliable(view)] == ["000", "018", "162", "180"]


def test_the_cycle_of_simulated_walkers_is_read_from_the_side_and_obliquely(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cohort's own phase is recorded while it renders: the truth, wander included."""
    phases, errors = [], {"036": [], "090": [], "126": []}
    original = pose.phase_of
    monkeypatch.setattr(pose, "phase_of", lambda *args: phases.append(original(*args)) or phases[-1])
    for number, take in ((201, "nm-01"), (204, "cl-01"), (205, "bg-01")):
        for view, clip in cohort.render_take(3, cohort.person(3, number), take, tuple(errors), 42).items():
            true = 29 / (phases[-1][35] - phases[-1][6])
            errors[view].append(abs(cycle_of(thumbnails(window(clip, 30))).frames - true))
    assert len(phases) == 3
    assert all(np.mean(errors[view]) < bound for view, bound in (("036", 1.0), ("090", 0.5), ("126", 0.8)))

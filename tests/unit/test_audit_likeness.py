"""KID, density, coverage and the ordered features they are taken on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gaitcrafter_ext.audit.features import ClipFeatures
from gaitcrafter_ext.audit.likeness import density_coverage, kid, matched
from gaitcrafter_ext.audit.motion import CONTROLS
from gaitcrafter_ext.audit.ordered import OrderedSpace, fit_ordered
from gaitcrafter_ext.errors import DataError
from tests.stick_walkers import stick_people

TAKES = ("nm-01", "nm-02", "nm-03", "cl-01", "cl-02", "cl-03")


@pytest.fixture(scope="module")
def training() -> list[ClipFeatures]:
    return stick_people(TAKES, people=6)


@pytest.fixture(scope="module")
def fresh() -> list[ClipFeatures]:
    return stick_people(TAKES, people=6, seed=1)


@pytest.fixture(scope="module")
def space(training: list[ClipFeatures]) -> OrderedSpace:
    return fit_ordered(training, stick_people(("nm-01",), people=2, frames=45, seed=3))


def test_kid_is_the_mmd_of_a_loop() -> None:
    left, right = np.random.default_rng(0).normal(size=(2, 6, 3))

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / 3 + 1) ** 3)

    own = sum(kernel(side[i], side[j]) for side in (left, right) for i in range(6) for j in range(6) if i != j) / 30
    cross = sum(kernel(a, b) for a in left for b in right) / 36
    assert kid(left, right, np.random.default_rng(0), 6, 3).value == pytest.approx(own - 2 * cross)


def test_kid_is_nothing_for_one_distribution_and_grows_with_the_shift() -> None:
    draws = np.random.default_rng(0).normal(size=(2, 400, 5))
    values = [kid(draws[0], draws[1] + shift, np.random.default_rng(1)).value for shift in (0.0, 0.5, 1.0)]
    assert abs(values[0]) < 0.02
    assert values[0] < values[1] < values[2]


def test_density_and_coverage_are_full_for_one_distribution_and_fall_for_few_modes() -> None:
    rng = np.random.default_rng(0)
    real, same = rng.normal(size=(2, 300, 3))
    names = np.array([f"{row % 10}" for row in range(300)])
    full = density_coverage((real, names), (same, names), rng)
    assert full.density.value == pytest.approx(1.0, abs=0.15)
    assert full.coverage.value > 0.9
    collapsed = density_coverage((real, names), (np.repeat(same[:3], 100, axis=0), names), rng)
    assert collapsed.coverage.value < 0.2
    noise = density_coverage((real, names), (same + 9, names), rng)
    assert (noise.density.value, noise.coverage.value) == (0.0, 0.0)


@pytest.mark.parametrize("control", ["frozen", "shuffled", "reversed"])
def test_spoilt_time_scores_worse_than_new_real_clips(
    training: list[ClipFeatures], fresh: list[ClipFeatures], space: OrderedSpace, control: str
) -> None:
    rng = np.random.default_rng(0)
    spoilt = [replace(clip, frames=CONTROLS[control](clip.frames, rng)) for clip in fresh]
    known = space(training)
    floor, worse = (kid(space(clips), known, np.random.default_rng(1)).value for clips in (fresh, spoilt))
    assert worse > floor + 0.1


def test_the_phase_a_clip_begins_with_tells_nothing(space: OrderedSpace) -> None:
    clips = stick_people(("nm-01",), people=6, frames=90)
    early, late = (space([replace(c, frames=c.frames[at : at + 45]) for c in clips]) for at in (20, 30))
    others = np.roll(early, 1, axis=0)
    assert np.linalg.norm(early - late) < 0.5 * np.linalg.norm(early - others)


def test_cells_are_matched() -> None:
    left, right = matched(["a"] * 5 + ["b"] * 2, ["b"] * 4 + ["a"] + ["c"], np.random.default_rng(0))
    assert (len(left), len(right)) == (3, 3)
    assert (left < 5).sum() == 1
    assert 5 not in right


def test_empty_and_single_sets_are_refused(training: list[ClipFeatures]) -> None:
    rng, one, names = np.random.default_rng(0), np.zeros((1, 2)), np.array(["a"])
    with pytest.raises(DataError, match="1 and 1 clips; at least 2"):
        kid(one, one, rng)
    with pytest.raises(DataError, match="1 real and 1 synthetic"):
        density_coverage((one, names), (one, names), rng)
    with pytest.raises(DataError, match="no synthetic clip"):
        fit_ordered(training, [])
    with pytest.raises(DataError, match="2 training clips"):
        fit_ordered(training[:2], training[:2])

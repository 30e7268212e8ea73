"""The spaces that clips are compared in: views taken off, style, order of frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gaitcrafter_ext.audit.clips import ClipFeatures, small_geis
from gaitcrafter_ext.audit.frames import CONTROLS
from gaitcrafter_ext.audit.spaces import OrderedSpace, centred, fit_ordered, fit_style
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.variety import kid
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


def test_the_views_mean_is_taken_off_and_the_rest_is_of_unit_length(training: list[ClipFeatures]) -> None:
    clips = small_geis(training)
    found = centred(clips, clips).vectors
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    rest = clips.vectors[0] - clips.vectors.mean(axis=0)
    np.testing.assert_allclose(found[0], rest / np.linalg.norm(rest), atol=1e-5)
    with pytest.raises(DataError, match="no real clip of view 090"):
        centred(clips.where(np.zeros(len(clips), bool)), clips)


def test_style_tells_conditions_apart_and_not_people(fresh: list[ClipFeatures]) -> None:
    takes = tuple(f"{condition}-{number:02d}" for condition in ("nm", "cl") for number in range(1, 6))
    style = fit_style(small_geis(stick_people(takes, people=6)))(small_geis(fresh))
    assert style.vectors.shape == (len(fresh), 1)
    nm, cl = (style.vectors[style.condition == name] for name in ("nm", "cl"))
    assert abs(nm.mean() - cl.mean()) > 2 * max(nm.std(), cl.std())
    with pytest.raises(DataError, match="4 training clips of 1 view"):
        fit_style(small_geis(stick_people(("nm-01",), people=4)))


def test_spoilt_time_scores_worse_than_new_real_clips(
    training: list[ClipFeatures], fresh: list[ClipFeatures], space: OrderedSpace
) -> None:
    def distance(clips: list[ClipFeatures]) -> float:
        return kid(space(clips).vectors, space(training).vectors, np.random.default_rng(1)).value

    floor, rng = distance(fresh), np.random.default_rng(0)
    for name, spoil in CONTROLS.items():
        spoilt = [replace(clip, frames=spoil(clip.frames, rng)) for clip in fresh]
        assert distance(spoilt) > floor + 0.1, name


def test_the_phase_a_clip_begins_with_tells_nothing(space: OrderedSpace) -> None:
    clips = stick_people(("nm-01",), people=6, frames=90)
    early, late = (space([replace(c, frames=c.frames[at : at + 45]) for c in clips]).vectors for at in (20, 30))
    assert np.linalg.norm(early - late) < 0.5 * np.linalg.norm(early - np.roll(early, 1, axis=0))


def test_too_few_clips_are_refused(training: list[ClipFeatures]) -> None:
    with pytest.raises(DataError, match="no synthetic clip"):
        fit_ordered(training, [])
    with pytest.raises(DataError, match="2 training clips"):
        fit_ordered(training[:2], training[:2])

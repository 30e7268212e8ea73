"""Radii at stated false match rates, found again on the very people they were taken from."""

from __future__ import annotations

import numpy as np
import pytest

from gaitcrafter_ext.errors import DataError, UsageError
from gaitcrafter_ext.metrics.features import Features
from gaitcrafter_ext.recognition.calibration import RATES, calibrate
from gaitcrafter_ext.recognition.separation import cosine_distances, find_centres, to_other_centres
from tests.filter_fakes import features


def crowd(count: int = 80, spread: float = 0.2) -> Features:
    """People at random places, four clips around each."""
    rng = np.random.default_rng(0)
    places = rng.normal(size=(count, 6))
    return features(
        {f"p{number:03d}": list(place + spread * rng.normal(size=(4, 6))) for number, place in enumerate(places)}
    )


def test_the_stated_share_of_pairs_lies_within_each_radius() -> None:
    clips = crowd()
    found, vectors = calibrate(clips), find_centres(clips).vectors
    pairs = cosine_distances(vectors, vectors)[np.triu_indices(80, 1)]
    for rate in RATES:
        assert (pairs <= found.centre_radius(rate)).mean() == pytest.approx(rate, abs=1 / len(pairs))
        assert (to_other_centres(clips) <= found.clip_radius(rate)).mean() == pytest.approx(rate, abs=1e-4)


def test_radii_grow_with_the_rate_also_between_the_kept_ones() -> None:
    found = calibrate(crowd())
    radii = [found.centre_radius(rate) for rate in (0.001, 0.003, 0.01, 0.013, 0.04, 0.1)]
    assert radii == sorted(radii)
    assert len(set(radii)) == len(radii)


def test_clips_of_scattered_people_are_found_less_often() -> None:
    assert calibrate(crowd(spread=0.1)).genuine_share(0.01) > calibrate(crowd(spread=1.0)).genuine_share(0.01) + 0.2


def test_fewer_of_a_larger_group_are_unique() -> None:
    unique = calibrate(crowd(100)).unique
    assert 0 < unique["100"] < unique["50"] < 1
    assert set(unique) == {"50", "100"}


def test_fewer_are_near_nobody_of_a_larger_group() -> None:
    alone = calibrate(crowd(110)).alone
    # At a rate of 1 % of all pairs, were they independent: 0.99 ** 50 = 0.605 and 0.99 ** 100 = 0.366.
    assert 0.55 < alone["50"] < 0.95
    assert alone["100"] < alone["50"]


@pytest.mark.parametrize("rate", [0.0, 0.0005, 0.2, float("nan")])
def test_a_rate_that_was_not_calibrated_is_refused(rate: float) -> None:
    with pytest.raises(UsageError, match=r"--false-match-rate: .*; allowed: 0.001 to 0.1"):
        calibrate(crowd()).centre_radius(rate)


def test_too_few_people_cannot_tell_the_lowest_rate() -> None:
    with pytest.raises(DataError, match=r"20 people to calibrate on; a rate of 0.001 needs 46 or more"):
        calibrate(crowd(20))

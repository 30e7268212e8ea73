"""U, C_intra and their threshold on people whose places are known."""

from __future__ import annotations

import numpy as np
import pytest

from gaitcrafter_ext.audit.embeddings import Embedded, centred, centres, of_network, of_pixels
from gaitcrafter_ext.audit.uniqueness import (
    centre_threshold,
    clip_threshold,
    consistency,
    independent_share,
    matched_takes,
    uniqueness,
)
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.features import Features
from gaitcrafter_ext.vocabulary import ClipKey
from tests.audit_people import draw_people, renamed
from tests.stick_walkers import stick_people

REAL = draw_people(40, seed=1)


def test_one_person_under_twenty_names_counts_once() -> None:
    one = draw_people(1, seed=2, takes=40)
    split = Embedded(one.vectors, tuple(renamed(key, f"syn-{at % 20:02d}") for at, key in enumerate(one.keys)))
    found = uniqueness(centres(split), centre_threshold(REAL).distance)
    assert found.share.value == pytest.approx(1 / 20)
    assert found.curve.tolist() == [1] * 20
    assert found.blocker == ("", *["syn-00"] * 19)


def test_people_as_different_as_real_ones_are_kept_as_real_ones_are() -> None:
    distance = centre_threshold(REAL).distance
    novel, real = (uniqueness(centres(draw_people(40, seed=seed)), distance) for seed in (3, 4))
    assert novel.share.value == pytest.approx(real.share.value, abs=0.15)
    assert novel.share.value > 0.6
    assert novel.share.low <= novel.share.value <= novel.share.high
    assert novel.curve[-1] == round(40 * novel.share.value)


def test_the_threshold_lets_the_stated_share_of_strangers_pass() -> None:
    for threshold in (centre_threshold, clip_threshold):
        found = threshold(draw_people(200, seed=5, takes=2), 0.05)
        assert found.resolved
        assert found.people == 200
    fresh = centres(draw_people(200, seed=6, takes=2)).vectors
    distances = (1 - fresh @ fresh.T)[np.triu_indices(200, 1)]
    assert (distances < centre_threshold(draw_people(200, seed=5, takes=2), 0.05).distance).mean() == pytest.approx(
        0.05, abs=0.02
    )
    assert not centre_threshold(draw_people(5, seed=5), 0.01).resolved


def test_independent_collisions_keep_what_the_card_says() -> None:
    assert independent_share(200, 0.01) == pytest.approx(0.55, abs=0.01)
    assert independent_share(50, 0.0) == 1.0


def test_twenty_people_under_one_name_are_no_person() -> None:
    distance = clip_threshold(REAL).distance
    honest = draw_people(20, seed=7)
    mixed = Embedded(honest.vectors, tuple(renamed(key, f"syn-{at % 20:02d}") for at, key in enumerate(honest.keys)))
    shuffled = np.random.default_rng(0).permutation(len(honest))
    mixed = Embedded(honest.vectors[shuffled], mixed.keys)
    rng = np.random.default_rng(0)
    assert consistency(honest, distance, rng).share.value > 0.95
    assert consistency(mixed, distance, rng).share.value < 0.3


def test_real_takes_are_matched_to_the_synthetic_number() -> None:
    real, few = draw_people(3, seed=8, takes=5), draw_people(2, seed=9, takes=2)
    assert len(matched_takes(real, few)) == 3 * 2
    assert len(matched_takes(few, real)) == len(few)


def test_empty_single_clip_and_single_identity_sets_are_refused() -> None:
    one, single = draw_people(1, seed=1), draw_people(4, seed=1, takes=1)
    nobody = one.where(np.zeros(len(one), bool))
    with pytest.raises(DataError, match="1 people; at least 2"):
        uniqueness(centres(one), 0.1)
    with pytest.raises(DataError, match="1 real people to calibrate"):
        centre_threshold(one)
    with pytest.raises(DataError, match="0 real people to calibrate"):
        clip_threshold(nobody)
    with pytest.raises(DataError, match="no clip to take people's centres of"):
        centres(nobody)
    with pytest.raises(DataError, match="none of 4 people has two clips"):
        consistency(single, 0.1, np.random.default_rng(0))
    with pytest.raises(DataError, match="no real clip of view 090"):
        centred(nobody, one)


def test_centres_are_of_views_first_then_of_people() -> None:
    vectors = np.array([[1, 0], [1, 0], [1, 0], [0, 1]], np.float32)
    keys = [ClipKey("a", f"nm-0{take}", view) for take, view in ((1, "000"), (2, "000"), (3, "000"), (1, "090"))]
    np.testing.assert_allclose(centres(Embedded(vectors, tuple(keys))).vectors, [[0.5**0.5, 0.5**0.5]], rtol=1e-6)


def test_pixels_become_unit_vectors_and_parts_count_alike_in_one() -> None:
    clips = of_pixels(stick_people(("nm-01", "nm-02"), people=3))
    np.testing.assert_allclose(np.linalg.norm(centred(clips, clips).vectors, axis=1), 1, rtol=1e-5)
    parts = np.random.default_rng(0).normal(size=(2, 8, 4)).astype(np.float32)
    names = [np.array(each) for each in (["a", "b"], ["nm-01", "nm-01"], ["090", "090"])]
    vectors = of_network(Features(parts, *names)).vectors.reshape(2, 8, 4)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 0.5, rtol=1e-5)
    nobody = [np.zeros(0, dtype=str)] * 3
    assert len(of_network(Features(np.zeros((0, 0, 0), np.float32), *nobody))) == 0

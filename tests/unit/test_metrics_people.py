"""Centroids, thresholds, uniqueness, consistency, leakage and calibration on people whose places are known."""

from __future__ import annotations

import numpy as np
import pytest

from gaitcrafter_ext.errors import DataError, UsageError
from gaitcrafter_ext.metrics.calibration import RATES, calibrate
from gaitcrafter_ext.metrics.centroids import (
    between_centroids,
    consistency,
    find_centroids,
    find_threshold,
    greedily_unique,
    matched_takes,
    nearest,
    to_other_centroids,
    to_own_centroid,
)
from gaitcrafter_ext.metrics.distances import cosine_distances, part_mean_distances, win_rates
from gaitcrafter_ext.metrics.features import Features, FeatureSet, flatten_parts, joined, rows_of
from gaitcrafter_ext.metrics.leakage import leakage, parent_retrieval, three_sample
from tests.filter_fakes import features
from tests.metric_people import draw_people, renamed

EAST, NORTH, UP = np.eye(3)
REAL = draw_people(40, seed=1)
TRAINING = draw_people(30, seed=1, takes=6)
EMPTY = TRAINING.where(np.zeros(len(TRAINING), bool))


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def crowd(count: int = 80, spread: float = 0.2) -> Features:
    """People at random places, four clips around each."""
    draws = rng()
    places = draws.normal(size=(count, 6))
    return features(
        {f"p{number:03d}": list(place + spread * draws.normal(size=(4, 6))) for number, place in enumerate(places)}
    )


def test_distances_of_flattened_parts_are_the_mean_over_parts_of_the_cosine_distance() -> None:
    draws = rng()
    left, right = draws.normal(size=(5, 6, 3)).astype(np.float32), draws.normal(size=(4, 6, 3)).astype(np.float32)
    ours = cosine_distances(flatten_parts(left), flatten_parts(right))
    np.testing.assert_allclose(ours, part_mean_distances(left, right, "cos"), atol=1e-6)


def test_win_rates_are_those_of_a_loop() -> None:
    values, others = np.array([0.0, 1.0, 2.0, 9.0]), np.array([1.0, 1.0, 2.0, 3.0])
    naive = [np.mean([(a < b) + 0.5 * (a == b) for b in others]) for a in values]
    assert win_rates(values, others).tolist() == naive


def test_sets_are_grouped_picked_and_joined_by_their_labels() -> None:
    found = rows_of(np.array(["b", "a", "b", "c", "a"]))
    assert [(name, rows.tolist()) for name, rows in found.items()] == [("b", [0, 2]), ("a", [1, 4]), ("c", [3])]
    assert rows_of(np.zeros(0, dtype=str)) == {}
    one = REAL.only(people=["003"], takes=["nm-02", "nm-03"])
    assert [str(key) for key in one.keys] == ["003/nm-02/090", "003/nm-03/090"]
    assert len(joined(EMPTY, one, one)) == 4
    assert len(FeatureSet.of([], [], [])) == 0


def test_a_centroid_counts_views_alike_however_many_clips_they_have() -> None:
    clips = features({"b": [EAST, NORTH, EAST, EAST], "a": [UP]}, views=("000", "090"))  # b, 090: north, east
    found = find_centroids(clips)
    assert found.names == ("b", "a")
    np.testing.assert_allclose(found.vectors[0], np.array([3, 1, 0]) / np.sqrt(10), atol=1e-6)
    assert nearest(UP.astype(np.float32), found) == ("a", pytest.approx(0.0))


def test_clips_are_measured_against_their_persons_others_and_against_other_people() -> None:
    clips = features({"a": [EAST, NORTH], "b": [UP, UP]})
    np.testing.assert_allclose(to_own_centroid(clips), [1, 1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(to_other_centroids(clips), [1, 1, 1, 1], atol=1e-6)
    with pytest.raises(DataError, match="b has one clip only"):
        to_own_centroid(features({"a": [EAST, EAST], "b": [UP]}))


def test_greedy_uniqueness_drops_what_is_near_one_that_stayed() -> None:
    near = (EAST + 0.1 * NORTH) / np.linalg.norm(EAST + 0.1 * NORTH)
    vectors = np.stack([EAST, near, NORTH, EAST]).astype(np.float32)
    assert greedily_unique(vectors, 0.05).tolist() == [True, False, True, False]
    assert greedily_unique(vectors, 1.5).tolist() == [True, False, False, False]


def test_one_person_under_twenty_names_counts_once_and_new_people_as_real_ones() -> None:
    distance, one = find_threshold(REAL, between_centroids).distance, draw_people(1, seed=2, takes=40)
    split = renamed(one, [f"syn-{at % 20:02d}" for at in range(40)])
    assert greedily_unique(find_centroids(split).vectors, distance).sum() == 1
    novel, real = (
        greedily_unique(find_centroids(draw_people(40, seed=seed)).vectors, distance).mean() for seed in (3, 4)
    )
    assert novel == pytest.approx(real, abs=0.15)


def test_thresholds_let_the_stated_share_of_strangers_pass() -> None:
    known, fresh = draw_people(200, seed=5, takes=2), draw_people(200, seed=6, takes=2)
    for statistic in (between_centroids, to_other_centroids):
        threshold = find_threshold(known, statistic)
        assert (statistic(fresh) < threshold.distance).mean() == pytest.approx(0.01, abs=0.005)
        assert (threshold.people, threshold.pairs >= 200 * 199 / 2) == (200, True)


def test_twenty_people_under_one_name_are_no_person() -> None:
    distance, honest = find_threshold(REAL, to_other_centroids).distance, draw_people(20, seed=7)
    mixed = renamed(honest, rng().permutation(honest.identity).tolist())
    assert consistency(honest, distance).value > 0.95
    assert consistency(honest, 2.0).low == pytest.approx(0.025 ** (1 / 20))
    assert consistency(mixed, distance).value < 0.4


def test_real_takes_are_matched_to_the_synthetic_number() -> None:
    real, few = draw_people(3, seed=8, takes=5), draw_people(2, seed=9, takes=2)
    assert sorted(set(matched_takes(real, few).take.tolist())) == ["nm-01", "nm-02"]
    assert len(matched_takes(few, real)) == len(few)


def test_training_people_under_new_names_lead_back_to_their_parents_and_new_people_by_chance() -> None:
    names = TRAINING.people
    disguised = renamed(TRAINING, [f"syn-{name}" for name in TRAINING.identity])
    share, chance = parent_retrieval(disguised, TRAINING, {f"syn-{name}": [name, names[0]] for name in names})
    assert share.value == 1.0
    assert chance == pytest.approx((29 * 2 + 1) / 30 / 30)
    novel = draw_people(200, seed=2, name="syn-{:03d}")
    parents = {name: [names[2 * row % 30], names[(2 * row + 1) % 30]] for row, name in enumerate(novel.people)}
    share, chance = parent_retrieval(novel, TRAINING, parents)
    assert share.low <= chance <= share.high


def test_training_people_leak_new_people_as_strangers_do_and_few_strangers_make_it_less_sure() -> None:
    known, novel = find_centroids(TRAINING), find_centroids(draw_people(400, seed=4))
    many, few = (find_centroids(draw_people(count, seed=3)) for count in (400, 20))
    own = find_centroids(draw_people(30, seed=1, takes=6, name="syn-{:03d}"))
    copied, closer = leakage(own, known, many, rng())
    assert copied.value == 1.0
    assert closer > 0.99
    (fresh, closer), (unsure, _) = (leakage(novel, known, strangers, rng()) for strangers in (many, few))
    assert fresh.low < 0.05 < fresh.high
    assert closer == pytest.approx(0.5, abs=0.12)
    assert unsure.high - unsure.low > 1.5 * (fresh.high - fresh.low)
    assert leakage(own, known, known, rng())[1] > 0.99  # people trained on are matched to all others


def test_three_samples_of_one_kind_copies_and_underfitting() -> None:
    draws, cells = rng(), np.repeat(["090/nm", "054/nm"], 100)
    held_out = draws.uniform(1, 2, 200)
    fair, copied, far = (three_sample(draws.uniform(at, at + 1, 200), cells, held_out, cells) for at in (1, 0, 2))
    assert abs(fair[0]) < 2
    assert 0.01 < fair[1] < 0.99
    assert copied[0] < -10
    assert copied[1] < 1e-6
    assert far[0] > 10
    half = np.concatenate([draws.uniform(1, 2, 100), np.zeros(100)])
    assert three_sample(half, cells, held_out, cells)[0] < -5
    other = np.repeat(["000/nm", "090/nm"], 100)
    assert three_sample(draws.uniform(1, 2, 200), other, held_out, cells)[2] == 1


def test_radii_hold_the_stated_share_of_pairs_and_grow_with_the_rate() -> None:
    clips = crowd()
    found, pairs = calibrate(clips), between_centroids(clips)
    for rate in RATES:
        assert (pairs <= found.centre_radius(rate)).mean() == pytest.approx(rate, abs=1 / len(pairs))
        assert (to_other_centroids(clips) <= found.clip_radius(rate)).mean() == pytest.approx(rate, abs=1e-4)
    radii = [found.centre_radius(rate) for rate in (0.001, 0.003, 0.01, 0.013, 0.04, 0.1)]
    assert radii == sorted(set(radii))
    assert found.genuine[3] > calibrate(crowd(spread=1.0)).genuine[3] + 0.2


def test_larger_populations_hold_more_doubles_and_nearer_neighbours() -> None:
    found, few = calibrate(crowd(150)), calibrate(crowd(48))
    assert set(found.unique) == {"50", "100"}
    assert 0 < found.unique["100"] < found.unique["50"] < 1
    # At a rate of 1 % of all pairs, were they independent: 0.99 ** 50 = 0.605 and 0.99 ** 100 = 0.366.
    assert 0.55 < found.alone["50"] < 0.95
    assert found.alone["100"] < found.alone["50"]
    radii = [found.leak_radius(population) for population in (50, 80, 100, 1000)]
    assert radii == sorted(radii, reverse=True)
    assert radii[0] == found.leak["50"]
    assert few.leak_radius(20) == pytest.approx(few.centre_radius(1 - 0.95**0.05))
    strangers, population = draw_people(100, seed=5), draw_people(120, seed=6)
    near = cosine_distances(find_centroids(strangers).vectors, find_centroids(population).vectors).min(1)
    assert (near < calibrate(strangers, population).leak_radius(120)).mean() == pytest.approx(0.05, abs=0.02)


def test_too_few_people_or_clips_are_refused() -> None:
    one, single, people = draw_people(1, seed=1), draw_people(4, seed=1, takes=1), find_centroids(TRAINING)
    novel, alone = draw_people(30, seed=2), np.zeros(1)
    for ask, message in (
        (lambda: find_threshold(one, between_centroids), "1 real people to calibrate"),
        (lambda: consistency(single, 0.1), "none of 4 people has two clips"),
        (lambda: parent_retrieval(novel, TRAINING, {}), r"none of 120 novel clips .* manifest.jsonl"),
        (lambda: parent_retrieval(EMPTY, TRAINING, {}), "none of 0 novel clips"),
        (lambda: leakage(people, find_centroids(one), people, rng()), "1 training people"),
        (lambda: three_sample(alone, np.array(["a"]), alone, np.array(["b"])), "no view and condition in common"),
        (lambda: calibrate(crowd(20)), r"20 people to calibrate on; a rate of 0.001 needs 46 or more"),
    ):
        with pytest.raises(DataError, match=message):
            ask()
    with pytest.raises(UsageError, match=r"--false-match-rate: 0.2; allowed: 0.001 to 0.1"):
        calibrate(crowd()).centre_radius(0.2)

"""Measures on people whose places are known, against closed forms and naive loops."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from gaitcrafter_ext.errors import DataError, UsageError
from gaitcrafter_ext.metrics import variety
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
from gaitcrafter_ext.metrics.features import FeatureSet, cosine_distances, flatten_parts, joined, part_mean_distances
from gaitcrafter_ext.metrics.identification import faithfulness, identification, match
from gaitcrafter_ext.metrics.intervals import bootstrap_mean, bootstrap_median, estimate_share, exact_interval
from gaitcrafter_ext.metrics.leakage import leakage, parent_retrieval, three_sample
from gaitcrafter_ext.vocabulary import ClipKey
from tests.filter_fakes import features

#: Dimensions, and how far clips scatter around their person.
SIZE, SCATTER = 8, 0.15


def draw_people(
    people: int, seed: int = 0, takes: int = 4, name: str = "{:03d}", scatter: float = SCATTER
) -> FeatureSet:
    """Unit vectors of ``people`` x ``takes`` that scatter around each person; another seed draws other people."""
    rng = np.random.default_rng(seed)
    places = rng.normal(size=(people, 1, SIZE))
    places /= np.linalg.norm(places, axis=-1, keepdims=True)
    points = (places + scatter * rng.normal(size=(people, takes, SIZE))).reshape(-1, SIZE)
    keys = [ClipKey(name.format(i), f"nm-{t + 1:02d}", "090") for i in range(people) for t in range(takes)]
    return FeatureSet.of(points / np.linalg.norm(points, axis=1, keepdims=True), keys, ["nm"] * len(keys))


def renamed(clips: FeatureSet, names: list[str]) -> FeatureSet:
    """The same clips under other people's names."""
    return replace(clips, identity=np.array(names, dtype=str))


EAST, NORTH, UP = np.eye(3)
REAL = draw_people(40, seed=1)
TRAINING = draw_people(30, seed=1, takes=6)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_distances_of_flattened_parts_are_the_mean_over_parts_of_the_cosine_distance() -> None:
    draws = rng()
    left, right = draws.normal(size=(5, 6, 3)).astype(np.float32), draws.normal(size=(4, 6, 3)).astype(np.float32)
    ours = cosine_distances(flatten_parts(left), flatten_parts(right))
    np.testing.assert_allclose(ours, part_mean_distances(left, right, "cos"), atol=1e-6)


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


def test_real_takes_are_matched_to_the_synthetic_number_and_cells_are_balanced() -> None:
    real, few = draw_people(3, seed=8, takes=5), draw_people(2, seed=9, takes=2)
    assert sorted(set(matched_takes(real, few).take.tolist())) == ["nm-01", "nm-02"]
    left, right = variety.balanced(["a"] * 5 + ["b"] * 2, ["b"] * 4 + ["a"] + ["c"], rng())
    assert (len(left), len(right), (left < 5).sum(), 5 in right) == (3, 3, 1, False)


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
    clips = draw_people(80)
    found, pairs = calibrate(clips), between_centroids(clips)
    for rate in RATES:
        assert (pairs <= found.centre_radius(rate)).mean() == pytest.approx(rate, abs=1 / len(pairs))
        assert (to_other_centroids(clips) <= found.clip_radius(rate)).mean() == pytest.approx(rate, abs=1e-4)
    radii = [found.centre_radius(rate) for rate in (0.001, 0.003, 0.01, 0.013, 0.04, 0.1)]
    assert radii == sorted(set(radii))
    assert found.genuine[3] > calibrate(draw_people(80, scatter=0.6)).genuine[3] + 0.2


def test_larger_populations_hold_more_doubles_and_nearer_neighbours() -> None:
    found, few = calibrate(draw_people(150)), calibrate(draw_people(48))
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
    single = draw_people(4, seed=1, takes=1)
    novel, alone, one = draw_people(30, seed=2), np.zeros(1), labelled(np.zeros((1, 2)))
    for ask, message in (
        (lambda: consistency(single, 0.1), "none of 4 people has two clips"),
        (lambda: parent_retrieval(novel, TRAINING, {}), r"none of 120 novel clips .* manifest.jsonl"),
        (lambda: three_sample(alone, np.array(["a"]), alone, np.array(["b"])), "no view and condition in common"),
        (lambda: variety.recall(labelled(cloud(5, 0)), one), "5 real and 1 synthetic clips"),
        (lambda: variety.two_sample_accuracy(labelled(cloud(9, 0)), one, rng()), "1 people in a set"),
        (lambda: variety.density_coverage(one, one, rng()), "1 clips; balls of k = 5 neighbours need at least 6"),
        (lambda: calibrate(draw_people(20)), r"20 people to calibrate on; a rate of 0.001 needs 46 or more"),
    ):
        with pytest.raises(DataError, match=message):
            ask()
    with pytest.raises(UsageError, match=r"--false-match-rate: 0.2; allowed: 0.001 to 0.1"):
        calibrate(draw_people(80)).centre_radius(0.2)


def cloud(count: int, seed: int, spread: float = 1.0) -> np.ndarray:
    return spread * np.random.default_rng(seed).normal(size=(count, 2))


def labelled(points: np.ndarray, conditions: list[str] | None = None) -> FeatureSet:
    keys = [ClipKey(f"{row % 10}", "nm-01", "090") for row in range(len(points))]
    return FeatureSet.of(points, keys, conditions or ["nm"] * len(points))


def test_kid_is_the_mmd_of_a_loop_and_grows_with_the_shift() -> None:
    left, right = rng().normal(size=(2, 6, 3))

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / 3 + 1) ** 3)

    own = sum(kernel(side[i], side[j]) for side in (left, right) for i in range(6) for j in range(6) if i != j) / 30
    cross = sum(kernel(a, b) for a in left for b in right) / 36
    assert variety.squared_mmd(left, right) == pytest.approx(own - 2 * cross)
    draws = rng().normal(size=(2, 400, 5))
    values = [variety.kid(draws[0], draws[1] + shift, rng()).value for shift in (0.0, 0.5, 1.0)]
    assert abs(values[0]) < 0.02
    assert values[0] < values[1] < values[2]


def test_balls_are_those_of_a_loop() -> None:
    real, made = cloud(30, 0), cloud(20, 1)
    naive = [
        [
            np.linalg.norm(point - centre) <= sorted(np.linalg.norm(np.delete(made, row, 0) - centre, axis=1))[2]
            for row, centre in enumerate(made)
        ]
        for point in real
    ]
    assert variety.within_balls(real, made, 3).tolist() == naive


def test_the_same_distribution_is_covered_and_a_collapsed_one_is_not() -> None:
    real, same, narrow = labelled(cloud(200, 0)), labelled(cloud(200, 1)), labelled(cloud(200, 1, 0.1))
    full, _ = variety.recall(real, same)
    density, coverage = variety.density_coverage(real, same, rng())
    assert full.low < full.value < full.high
    assert full.value > 0.85
    assert variety.recall(real, narrow)[0].value < 0.1
    assert density.value == pytest.approx(1.0, abs=0.15)
    assert coverage.value > 0.9
    few = labelled(np.repeat(same.vectors[:3], 60, axis=0))
    assert variety.density_coverage(real, few, rng())[1].value < 0.2
    far = variety.density_coverage(real, labelled(same.vectors + 9), rng())
    assert [each.value for each in far] == [0.0, 0.0]


def test_variety_of_another_condition_does_not_count() -> None:
    names = ["nm"] * 50 + ["cl"] * 50
    real, made = (np.concatenate([cloud(50, seed), cloud(50, seed + 1) + 20]) for seed in (0, 2))
    share, balls = variety.recall(labelled(real, names), labelled(made, names))
    assert share.value > 0.8
    assert list(balls.items()) == [("nm", 50), ("cl", 50)]
    assert variety.recall(labelled(real, names), labelled(made, names[::-1]))[0].value == 0.0


def test_a_classifier_tells_shifted_sets_apart_and_equal_ones_not() -> None:
    left, same, far = labelled(cloud(200, 0)), labelled(cloud(200, 1)), labelled(cloud(200, 1) + 3)
    found = variety.two_sample_accuracy(left, same, rng())
    assert found.low < 0.5 < found.high
    assert variety.two_sample_accuracy(left, far, rng()).value > 0.95


def who_of(count: int, clips: int = 1) -> np.ndarray:
    return np.repeat([f"{number:03d}" for number in range(count)], clips)


def test_the_exact_interval_is_that_of_the_binomial_tails_and_of_a_share_of_one_clip_a_person() -> None:
    low, high = exact_interval(7, 12)
    tails = [
        sum(math.comb(12, k) * share**k * (1 - share) ** (12 - k) for k in hits)
        for share, hits in ((low, range(7, 13)), (high, range(8)))
    ]
    assert tails == pytest.approx([0.025, 0.025])
    assert exact_interval(0, 12) == (0.0, pytest.approx(1 - 0.025 ** (1 / 12)))
    for hits in (0, 1, 13, 25):
        found = estimate_share(np.arange(25) < hits, who_of(25))
        assert (found.value, found.count) == (hits / 25, 25)
        assert (found.low, found.high) == pytest.approx(exact_interval(hits, 25))


def test_clips_of_one_person_count_together() -> None:
    """20 people, each all right or all wrong: the interval is nearly that of 20 trials, not of 2000."""
    who = who_of(20, 100)
    share = estimate_share(np.isin(who, who[:1000]), who)
    low, high = exact_interval(10, 20)
    assert (share.low, share.high) == pytest.approx((low, high), abs=0.02)
    sure = estimate_share(np.zeros(2000, bool), who)
    assert (sure.low, sure.high) == (0.0, pytest.approx(exact_interval(0, 20)[1]))


def test_intervals_of_means_are_normal_ones_and_of_medians_those_of_order_statistics() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, 400)
    mean = bootstrap_mean(values, who_of(400), rng())
    assert mean.value == pytest.approx(values.mean())
    assert mean.high - mean.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    median = bootstrap_median(np.random.default_rng(1).permutation(401).astype(float), who_of(401), rng())
    assert (median.value, median.count) == (200.0, 401)
    assert (median.low, median.high) == pytest.approx((200 - 0.98 * 401**0.5, 200 + 0.98 * 401**0.5), abs=2)
    who = who_of(2, 50)
    together = bootstrap_median((who == who[-1]).astype(float), who, rng())
    assert (together.low, together.high) == (0.0, 1.0)


PIXELS, TAKES = 60, ("nm-01", "nm-02", "nm-05", "nm-06", "bg-01", "bg-02", "cl-01", "cl-02")


def direction(*seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=PIXELS)


def walking(noise: float, seed: int, count: int = 8, loud: float = 1.0) -> FeatureSet:
    """Clips that are the sum of a person's, a view's and a condition's own direction, and noise."""
    rng = np.random.default_rng(seed)
    keys = [ClipKey(f"{n:03d}", take, view) for n in range(count) for view in ("054", "090") for take in TAKES]
    rows = [
        loud * direction(1, int(key.identity))
        + direction(2, int(key.view))
        + direction(3, ord(key.take[0]))
        + noise * rng.normal(size=PIXELS)
        for key in keys
    ]
    return FeatureSet.of(rows, keys, [key.take[:2] for key in keys])


def test_matches_are_those_of_a_naive_loop_by_condition_and_probes_that_cannot_be_found_are_counted() -> None:
    clips = walking(noise=4.0, seed=0)
    gallery, probes = clips.only(takes=("nm-01", "nm-02")), clips.only(takes=("cl-01", "bg-01", "nm-05"))
    hits = []
    for image, person, view in zip(probes.vectors, probes.identity, probes.view, strict=True):
        there = gallery.where(gallery.view == view)
        hits.append(there.identity[np.linalg.norm(there.vectors - image, axis=1).argmin()] == person)
    found = match(gallery, probes)
    assert found.hits.tolist() == hits
    assert 0 < np.mean(hits) < 1
    assert [(name, share.count) for name, share in found.by_condition().items()] == [("nm", 16), ("bg", 16), ("cl", 16)]
    without = gallery.where(~((gallery.identity == "002") & (gallery.view == "090")))
    assert match(without, clips.only(takes=("nm-05",))).dropped == 1


def test_real_clips_passed_off_as_synthetic_reach_the_ceiling_and_permuted_names_chance() -> None:
    clips = walking(noise=1.0, seed=0, count=20)
    training, held_out = clips.only(takes=("nm-01", "nm-02")), clips.only(takes=("nm-06",))
    found, ceiling = identification(training, held_out, training)
    assert found.share == ceiling.share
    assert found.share.value > 0.8
    assert found.people == 20
    names = dict(zip(clips.people, np.roll(clips.people, 7).tolist(), strict=True))
    wrong = replace(training, identity=np.array([names[name] for name in training.identity]))
    assert identification(wrong, held_out, training)[0].share.value <= 1 / 20
    stranger = replace(training.where(np.arange(3)), identity=np.array(["syn-0001"] * 3))
    assert identification(joined(training, stranger), held_out, training)[0].dropped == 3
    with pytest.raises(DataError, match="0 synthetic clips of them"):
        identification(stranger, held_out, training)
    with pytest.raises(DataError, match="of 1 people"):
        identification(training, held_out.only(people=["000"]), training)


def test_view_and_condition_are_read_through_people_and_shuffled_labels_are_not() -> None:
    """People differ more than conditions: the discriminants drop the walking's directions."""
    clips = walking(noise=1.0, seed=0, loud=5.0)
    fitted_on, held = clips.only(takes=TAKES[:2] + TAKES[4::2]), clips.only(takes=TAKES[3::2])
    made = walking(noise=1.0, seed=1, loud=5.0)
    for attribute, classes in (("view", 2), ("condition", 3)):
        share, real, chance = faithfulness(attribute, fitted_on, held, made)
        shuffled = replace(made, **{attribute: np.random.default_rng(0).permutation(getattr(made, attribute))})
        assert share.value > 0.9
        assert real.count == len(held)
        assert chance == pytest.approx(1 / classes)
        wrong, _, _ = faithfulness(attribute, fitted_on, held, shuffled)
        assert wrong.value < share.value - 0.3

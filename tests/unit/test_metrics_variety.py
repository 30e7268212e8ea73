"""KID, recall, density and coverage: closed forms, naive loops, what they say of missing variety."""

from __future__ import annotations

import numpy as np
import pytest

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.features import FeatureSet
from gaitcrafter_ext.metrics.variety import balanced, density_coverage, kid, recall, two_sample_accuracy, within_balls
from gaitcrafter_ext.vocabulary import ClipKey


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


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
    assert kid(left, right, rng(), 6).value == pytest.approx(own - 2 * cross)
    draws = rng().normal(size=(2, 400, 5))
    values = [kid(draws[0], draws[1] + shift, rng()).value for shift in (0.0, 0.5, 1.0)]
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
    assert within_balls(real, made, 3).tolist() == naive


def test_the_same_distribution_is_covered_and_a_collapsed_one_is_not() -> None:
    real, same, narrow = labelled(cloud(200, 0)), labelled(cloud(200, 1)), labelled(cloud(200, 1, 0.1))
    full, _ = recall(real, same)
    density, coverage = density_coverage(real, same, rng())
    assert full.low < full.value < full.high
    assert full.value > 0.85
    assert recall(real, narrow)[0].value < 0.1
    assert density.value == pytest.approx(1.0, abs=0.15)
    assert coverage.value > 0.9
    few = labelled(np.repeat(same.vectors[:3], 60, axis=0))
    assert density_coverage(real, few, rng())[1].value < 0.2
    far = density_coverage(real, labelled(same.vectors + 9), rng())
    assert [each.value for each in far] == [0.0, 0.0]


def test_variety_of_another_condition_does_not_count() -> None:
    names = ["nm"] * 50 + ["cl"] * 50
    real, made = (np.concatenate([cloud(50, seed), cloud(50, seed + 1) + 20]) for seed in (0, 2))
    share, balls = recall(labelled(real, names), labelled(made, names))
    assert share.value > 0.8
    assert list(balls.items()) == [("nm", 50), ("cl", 50)]
    assert recall(labelled(real, names), labelled(made, names[::-1]))[0].value == 0.0


def test_a_classifier_tells_shifted_sets_apart_and_equal_ones_not() -> None:
    left, same, far = labelled(cloud(200, 0)), labelled(cloud(200, 1)), labelled(cloud(200, 1) + 3)
    found = two_sample_accuracy(left, same, rng())
    assert found.low < 0.5 < found.high
    assert two_sample_accuracy(left, far, rng()).value > 0.95


def test_cells_are_balanced() -> None:
    left, right = balanced(["a"] * 5 + ["b"] * 2, ["b"] * 4 + ["a"] + ["c"], rng())
    assert (len(left), len(right)) == (3, 3)
    assert (left < 5).sum() == 1
    assert 5 not in right


def test_too_few_clips_are_refused() -> None:
    one = labelled(np.zeros((1, 2)))
    for ask, message in (
        (lambda: kid(one.vectors, one.vectors, rng()), "1 and 1 clips; at least 2"),
        (lambda: density_coverage(one, one, rng()), "1 real and 1 synthetic"),
        (lambda: recall(labelled(cloud(5, 0)), one), "5 real and 1 synthetic clips"),
        (lambda: within_balls(cloud(5, 0), cloud(3, 1), 3), "3 clips: balls of k = 3"),
        (lambda: two_sample_accuracy(labelled(cloud(9, 0)), one, rng()), "1 people in a set"),
    ):
        with pytest.raises(DataError, match=message):
            ask()

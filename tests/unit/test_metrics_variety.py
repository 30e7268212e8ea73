"""KID, recall, density and coverage: closed forms, naive loops, what they say of missing variety."""

from __future__ import annotations

import numpy as np
import pytest

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.features import FeatureSet
from gaitcrafter_ext.metrics.subspace import fit_discriminants, principal_components
from gaitcrafter_ext.metrics.variety import balanced, density_coverage, kid, recall, two_sample_accuracy, within_balls
from gaitcrafter_ext.vocabulary import ClipKey


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def cloud(count: int, seed: int, spread: float = 1.0) -> np.ndarray:
    return spread * np.random.default_rng(seed).normal(size=(count, 2))


def labelled(points: np.ndarray, conditions: list[str] | None = None) -> FeatureSet:
    keys = [ClipKey(f"{row % 10}", "nm-01", "090") for row in range(len(points))]
    return FeatureSet.of(points, keys, conditions or ["nm"] * len(points))


def test_kid_is_the_mmd_of_a_loop() -> None:
    left, right = rng().normal(size=(2, 6, 3))

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / 3 + 1) ** 3)

    own = sum(kernel(side[i], side[j]) for side in (left, right) for i in range(6) for j in range(6) if i != j) / 30
    cross = sum(kernel(a, b) for a in left for b in right) / 36
    assert kid(left, right, rng(), 6, 3).value == pytest.approx(own - 2 * cross)


def test_kid_is_nothing_for_one_distribution_and_grows_with_the_shift() -> None:
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
    full, prdc = recall(real, same), density_coverage(real, same, rng())
    assert full.share.low < full.share.value < full.share.high
    assert full.share.value > 0.85
    assert recall(real, narrow).share.value < 0.1
    assert prdc.density.value == pytest.approx(1.0, abs=0.15)
    assert prdc.coverage.value > 0.9
    few = density_coverage(real, labelled(np.repeat(same.vectors[:3], 60, axis=0)), rng())
    assert few.coverage.value < 0.2
    far = density_coverage(real, labelled(same.vectors + 9), rng())
    assert (far.density.value, far.coverage.value) == (0.0, 0.0)


def test_variety_of_another_condition_does_not_count() -> None:
    names = ["nm"] * 50 + ["cl"] * 50
    real, made = (np.concatenate([cloud(50, seed), cloud(50, seed + 1) + 20]) for seed in (0, 2))
    assert recall(labelled(real, names), labelled(made, names)).share.value > 0.8
    swapped = recall(labelled(real, names), labelled(made, names[::-1]))
    assert swapped.share.value == 0.0
    assert list(swapped.conditions) == ["nm", "cl"]


def test_a_classifier_tells_shifted_sets_apart_and_equal_ones_not() -> None:
    left, same, far = labelled(cloud(200, 0)), labelled(cloud(200, 1)), labelled(cloud(200, 1) + 3)
    found = two_sample_accuracy(left, same, rng())
    assert found.low < 0.5 < found.high
    assert two_sample_accuracy(left, far, rng()).value > 0.95
    with pytest.raises(DataError, match="1 people in a set"):
        two_sample_accuracy(left, left.only(people=["0"]), rng())


def test_cells_are_balanced() -> None:
    left, right = balanced(["a"] * 5 + ["b"] * 2, ["b"] * 4 + ["a"] + ["c"], rng())
    assert (len(left), len(right)) == (3, 3)
    assert (left < 5).sum() == 1
    assert 5 not in right


def test_components_end_with_the_spread_and_discriminants_are_in_units_of_a_class() -> None:
    flat = np.concatenate([cloud(40, 0), np.zeros((40, 3))], axis=1)
    mean, basis, spread = principal_components(flat, 4)
    assert basis.shape == (5, 2)
    np.testing.assert_allclose(((flat - mean) @ basis).std(axis=0, ddof=1), spread, rtol=1e-6)
    labels = np.repeat(["a", "b"], 200)
    points = np.concatenate([cloud(200, 0), cloud(200, 1) + (6, 0)])
    fitted = fit_discriminants(points, labels, 2)
    placed = fitted.transform(points)[:, 0]
    assert abs(placed[labels == "a"].mean() - placed[labels == "b"].mean()) == pytest.approx(6, rel=0.15)
    assert (fitted.predict(points) == labels).mean() > 0.99


def test_too_few_clips_are_refused() -> None:
    one = labelled(np.zeros((1, 2)))
    with pytest.raises(DataError, match="1 and 1 clips; at least 2"):
        kid(one.vectors, one.vectors, rng())
    with pytest.raises(DataError, match="1 real and 1 synthetic"):
        density_coverage(one, one, rng())
    with pytest.raises(DataError, match="5 real and 1 synthetic clips"):
        recall(labelled(cloud(5, 0)), one)
    with pytest.raises(DataError, match="3 clips: balls of k = 3"):
        within_balls(cloud(5, 0), cloud(3, 1), 3)

"""Recall in style features: full for real clips, small where variety is missing."""

from __future__ import annotations

import numpy as np
import pytest

from gaitcrafter_ext.audit.diversity import recall, within_balls
from gaitcrafter_ext.audit.embeddings import of_pixels
from gaitcrafter_ext.audit.style import fit_style
from gaitcrafter_ext.errors import DataError
from tests.stick_walkers import stick_people


def cloud(count: int, seed: int, spread: float = 1.0) -> np.ndarray:
    return spread * np.random.default_rng(seed).normal(size=(count, 2))


def labelled(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return points, np.array(["nm"] * len(points)), np.array([f"{row % 10:02d}" for row in range(len(points))])


def test_balls_are_those_of_a_loop() -> None:
    real, made = cloud(30, 0), cloud(20, 1)
    naive = []
    for point in real:
        inside = False
        for row, centre in enumerate(made):
            radius = sorted(np.linalg.norm(np.delete(made, row, 0) - centre, axis=1))[2]
            inside |= bool(np.linalg.norm(point - centre) <= radius)
        naive.append(inside)
    assert within_balls(real, made, 3).tolist() == naive


def test_the_same_distribution_covers_and_a_collapsed_one_does_not() -> None:
    rng, real = np.random.default_rng(0), labelled(cloud(200, 0))
    same, narrow = ((cloud(200, 1, spread), np.array(["nm"] * 200)) for spread in (1.0, 0.1))
    full = recall(real, same, rng)
    assert full.share.value > 0.85
    assert full.share.low <= full.share.value <= full.share.high
    assert recall(real, narrow, rng).share.value < 0.1
    assert full.neighbours == 3


def test_variety_of_another_condition_does_not_count() -> None:
    points = np.concatenate([cloud(50, 0), cloud(50, 1) + 20])
    conditions = np.repeat(["nm", "cl"], 50)
    real = (points, conditions, np.array([f"{row % 10}" for row in range(100)]))
    rng = np.random.default_rng(0)
    honest = recall(real, (np.concatenate([cloud(50, 2), cloud(50, 3) + 20]), conditions), rng)
    swapped = recall(real, (np.concatenate([cloud(50, 2), cloud(50, 3) + 20]), conditions[::-1]), rng)
    assert honest.share.value > 0.8
    assert swapped.share.value == 0.0
    assert list(swapped.conditions) == ["nm", "cl"]


def test_style_tells_conditions_apart_and_not_people() -> None:
    takes = tuple(f"{condition}-{number:02d}" for condition in ("nm", "cl") for number in range(1, 6))
    training = of_pixels(stick_people(takes, people=6))
    style = fit_style(training)
    points = style(of_pixels(stick_people(("nm-01", "nm-02", "cl-01", "cl-02"), people=6, seed=1)))
    assert points.shape == (24, 1)
    nm, cl = points.reshape(6, 2, 2).transpose(1, 0, 2)
    assert abs(nm.mean() - cl.mean()) > 2 * max(nm.std(), cl.std())


def test_empty_and_single_sets_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match="0 clips, balls of k = 3"):
        within_balls(cloud(5, 0), cloud(0, 1))
    with pytest.raises(DataError, match="5 real and 1 synthetic clips"):
        recall(labelled(cloud(5, 0)), (cloud(1, 0), np.array(["nm"])), rng)
    with pytest.raises(DataError, match="4 training clips of 1 view"):
        fit_style(of_pixels(stick_people(("nm-01",), people=4)))

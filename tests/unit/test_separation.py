"""Distances between people: parts count alike, views count alike, a clip is not compared to itself."""

from __future__ import annotations

import numpy as np
import pytest

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.features import part_mean_distances
from gaitcrafter_ext.recognition.separation import (
    cosine_distances,
    directions,
    find_centres,
    greedily_unique,
    to_other_centres,
    to_own_centre,
)
from tests.filter_fakes import features

EAST, NORTH, UP = np.eye(3)


def test_distances_are_the_mean_over_parts_of_the_cosine_distance() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(5, 6, 3)).astype(np.float32), rng.normal(size=(4, 6, 3)).astype(np.float32)
    ours = cosine_distances(directions(left), directions(right))
    np.testing.assert_allclose(ours, part_mean_distances(left, right, "cos"), atol=1e-6)


def test_a_centre_counts_views_alike_however_many_clips_they_have() -> None:
    clips = features({"a": [EAST, NORTH, EAST, EAST]}, views=("000", "090"))  # 000: east, east; 090: north, east
    np.testing.assert_allclose(find_centres(clips).vectors[0], np.array([3, 1, 0]) / np.sqrt(10), atol=1e-6)


def test_centres_keep_the_order_of_appearance() -> None:
    assert find_centres(features({"b": [EAST], "a": [NORTH]})).names == ("b", "a")


def test_a_clip_is_measured_against_the_others_of_its_person_only() -> None:
    np.testing.assert_allclose(to_own_centre(features({"a": [EAST, NORTH], "b": [UP, UP]})), [1, 1, 0, 0], atol=1e-6)


def test_a_person_of_one_clip_cannot_be_judged() -> None:
    with pytest.raises(DataError, match="b has one clip only"):
        to_own_centre(features({"a": [EAST, EAST], "b": [UP]}))


def test_strangers_are_every_clip_and_every_other_person() -> None:
    rng = np.random.default_rng(1)
    clips = features({name: list(rng.normal(size=(2, 3))) for name in "abc"})
    centres, vectors = find_centres(clips), directions(clips.embeddings)
    naive = [
        1 - vector @ centre
        for vector, owner in zip(vectors, clips.identity, strict=True)
        for name, centre in zip(centres.names, centres.vectors, strict=True)
        if name != owner
    ]
    np.testing.assert_allclose(to_other_centres(clips), naive, atol=1e-6)


def test_greedy_uniqueness_drops_what_is_near_one_that_stayed() -> None:
    near = (EAST + 0.1 * NORTH) / np.linalg.norm(EAST + 0.1 * NORTH)
    vectors = np.stack([EAST, near, NORTH, EAST]).astype(np.float32)
    assert greedily_unique(vectors, 0.05).tolist() == [True, False, True, False]
    assert greedily_unique(vectors, 1.5).tolist() == [True, False, False, False]


def test_one_person_under_twenty_names_counts_once() -> None:
    assert greedily_unique(np.tile(EAST, (20, 1)).astype(np.float32), 1e-6).sum() == 1

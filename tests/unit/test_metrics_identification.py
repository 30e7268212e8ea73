"""Rank-1 within each view, and how view and condition are read, on clips that are sums of known directions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.features import FeatureSet, joined
from gaitcrafter_ext.metrics.identification import faithfulness, fit_discriminants, identification, match
from gaitcrafter_ext.vocabulary import ClipKey

PIXELS, TAKES = 60, ("nm-01", "nm-02", "nm-05", "nm-06", "bg-01", "bg-02", "cl-01", "cl-02")


def direction(*seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=PIXELS)


def people(noise: float, seed: int, count: int = 8, loud: float = 1.0) -> FeatureSet:
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
    clips = people(noise=4.0, seed=0)
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
    clips = people(noise=1.0, seed=0, count=20)
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
    """People differ more than conditions: the discriminants drop the people's directions."""
    clips = people(noise=1.0, seed=0, loud=5.0)
    fitted_on, held = (
        clips.only(takes=("nm-01", "nm-02", "bg-01", "cl-01")),
        clips.only(takes=("nm-06", "bg-02", "cl-02")),
    )
    made = people(noise=1.0, seed=1, loud=5.0)
    for attribute, classes in (("view", 2), ("condition", 3)):
        share, real, chance = faithfulness(attribute, fitted_on, held, made)  # type: ignore[arg-type]
        shuffled = replace(made, **{attribute: np.random.default_rng(0).permutation(getattr(made, attribute))})
        assert share.value > 0.9
        assert real.count == len(held)
        assert chance == pytest.approx(1 / classes)
        wrong, _, _ = faithfulness(attribute, fitted_on, held, shuffled)  # type: ignore[arg-type]
        assert wrong.value < share.value - 0.3


def test_classes_that_were_not_fitted_are_left_out_and_a_single_one_cannot_be_read() -> None:
    clips = people(noise=1.0, seed=0)
    without = clips.where(clips.condition != "bg")
    assert faithfulness("condition", without, clips, clips)[0].count == int((clips.condition != "bg").sum())
    side = clips.where(clips.view == "090")
    with pytest.raises(DataError, match="all of one view"):
        faithfulness("view", side, side, side)


def test_discriminants_are_in_units_of_the_spread_within_a_class() -> None:
    labels = np.repeat(["a", "b"], 200)
    points = np.random.default_rng(0).normal(size=(400, 2)) + 6 * np.eye(2)[0] * (labels == "b")[:, None]
    placed = fit_discriminants(points, labels, 2).transform(points)[:, 0]
    assert abs(placed[labels == "a"].mean() - placed[labels == "b"].mean()) == pytest.approx(6, rel=0.15)

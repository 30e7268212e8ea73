"""Rank-1 within each view, and the classifiers of view and condition, on GEIs and in any space."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.faithfulness import ATTRIBUTES, CLASSIFIERS, faithfulness, read_attribute
from gaitcrafter_ext.metrics.features import FeatureSet, joined
from gaitcrafter_ext.metrics.identification import identification, match, share_ratios
from gaitcrafter_ext.vocabulary import CASIA_B_TAKES, ClipKey, take_names

PIXELS = 120
EVERY_TAKE = tuple(take_names(CASIA_B_TAKES))


def direction(*seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=PIXELS)


def people(noise: float, seed: int, count: int = 8, loud: float = 1.0) -> FeatureSet:
    """Clips that are the sum of a person's, a view's and a condition's own direction, and noise."""
    rng = np.random.default_rng(seed)
    keys = [ClipKey(f"{n:03d}", take, view) for n in range(count) for view in ("054", "090") for take in EVERY_TAKE]
    rows = [
        loud * direction(1, int(key.identity))
        + direction(2, int(key.view))
        + direction(3, ord(key.take[0]))
        + noise * rng.normal(size=PIXELS)
        for key in keys
    ]
    return FeatureSet.of(rows, keys, [key.take[:2] for key in keys])


def test_matches_are_those_of_a_naive_loop_and_probes_that_cannot_be_found_are_counted() -> None:
    clips = people(noise=6.0, seed=0)
    gallery, probes = clips.only(takes=("nm-01", "nm-02")), clips.only(takes=("nm-05", "cl-01"))
    hits = []
    for image, person, view in zip(probes.vectors, probes.identity, probes.view, strict=True):
        there = gallery.only(views=[view])
        hits.append(there.identity[np.linalg.norm(there.vectors - image, axis=1).argmin()] == person)
    found = match(gallery, probes)
    assert found.hits.tolist() == hits
    assert 0 < np.mean(hits) < 1
    without = gallery.where(~((gallery.identity == "002") & (gallery.view == "090")))
    assert match(without, clips.only(takes=("nm-05",))).dropped == 1


def test_rank_one_is_given_for_each_condition_in_casia_b_order() -> None:
    clips = people(noise=0.1, seed=0)
    ranks = match(clips.only(takes=("nm-01",)), clips.only(takes=("cl-01", "bg-01", "nm-05"))).rank_one()
    assert [rank.condition for rank in ranks] == ["nm", "bg", "cl"]
    assert [rank.share.count for rank in ranks] == [16, 16, 16]
    assert set(ranks[0].per_view) == {"054", "090"}


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


def test_each_classifier_reads_clean_clips_and_fails_where_labels_were_shuffled() -> None:
    real, clips = people(noise=1.0, seed=0), people(noise=1.0, seed=1)
    for classifier, attribute in itertools.product(CLASSIFIERS, ATTRIBUTES):
        shuffled = np.random.default_rng(0).permutation(getattr(clips, attribute))
        probes = (clips, replace(clips, **{attribute: shuffled}))
        right, wrong = (read_attribute(attribute, classifier, real, (each,))[0] for each in probes)
        assert right.hits.mean() > 0.95
        assert wrong.hits.mean() < right.hits.mean() - 0.3
        assert right.chance == pytest.approx(1 / (2 if attribute == "view" else 3))


def test_discriminants_see_through_people_where_plain_centroids_do_not() -> None:
    """People differ much more than conditions: the discriminants drop the people's directions."""
    real, clips = people(noise=2.0, seed=0, count=30, loud=10.0), people(noise=2.0, seed=1, count=30, loud=10.0)
    lda, plain = (read_attribute("condition", name, real, (clips,))[0] for name in ("lda", "plain"))
    assert lda.hits.mean() > plain.hits.mean() + 0.1


def test_clips_of_a_class_that_was_never_fitted_are_left_out_and_counted() -> None:
    real, clips = people(noise=1.0, seed=0), people(noise=1.0, seed=1)
    (found,) = read_attribute("condition", "plain", real.where(real.condition != "bg"), (clips,))
    assert found.dropped == int((clips.condition == "bg").sum())
    assert "bg" not in found.clips.condition


def test_the_ratio_to_real_probes_is_given_for_each_condition_that_both_have() -> None:
    real = people(noise=2.0, seed=0, count=20)
    gallery, takes = real.only(takes=("nm-01", "nm-02")), ("nm-05", "cl-01")
    ours, theirs = match(gallery, real.only(takes=takes)), match(gallery, real.only(takes=(*takes[:1], "bg-01")))
    ratios = share_ratios(ours, theirs, np.random.default_rng(0))
    assert set(ratios) == {"nm"}
    assert ratios["nm"].value == pytest.approx(1.0)


def test_faithfulness_gives_the_ceiling_beside_every_reading() -> None:
    real = people(noise=2.0, seed=0)
    fitted_on, held = (
        real.only(takes=("nm-01", "nm-02", "bg-01", "cl-01")),
        real.only(takes=("nm-06", "bg-02", "cl-02")),
    )
    told = faithfulness(fitted_on, held, people(noise=2.0, seed=1))
    assert {(each.attribute, each.classifier) for each in told} == {
        (a, name) for a in ATTRIBUTES for name in CLASSIFIERS
    }
    assert all(each.real.count == 48 and each.synthetic.count == 160 for each in told)

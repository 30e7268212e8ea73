"""Training, held-out and synthetic clips are told apart as the weights' card, or training's own rule, says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gaitcrafter_ext.audit.groups import common_clips, held_out_of_card, held_out_of_last_takes
from gaitcrafter_ext.errors import DataError, MissingError
from gaitcrafter_ext.generator.card import Card, SamplingDefaults, TrainedOn, Vocabulary
from gaitcrafter_ext.vocabulary import ClipKey

REAL = [
    ClipKey(identity, take, view)
    for identity in ("001", "002", "003")
    for take in ("nm-01", "nm-02", "cl-01", "cl-02")
    for view in ("054", "090")
]


def card(people: tuple[str, ...] = ("001", "002"), held_out: tuple[str, ...] = ("001/nm-02", "002/cl-02")) -> Card:
    words = Vocabulary(people, ("nm", "cl"), {"090": 90.0})
    return Card(words, TrainedOn("tiny", "0" * 16, held_out), SamplingDefaults(), {}, "0" * 64)


def names(keys: list[ClipKey]) -> set[str]:
    return {f"{key.identity}/{key.take}" for key in keys}


def test_the_card_names_people_and_held_out_takes() -> None:
    training, held, rule = held_out_of_card(REAL, card(), "real")
    assert names(held) == {"001/nm-02", "002/cl-02"}
    assert names(training) == {
        f"{i}/{t}" for i in ("001", "002") for t in ("nm-01", "nm-02", "cl-01", "cl-02")
    } - names(held)
    assert "tiny" in rule


def test_without_a_card_the_last_takes_are_held_out_as_training_does() -> None:
    training, held, _ = held_out_of_last_takes(REAL, ("001", "003"), 1)
    assert names(held) == {f"{i}/{t}" for i in ("001", "003") for t in ("nm-02", "cl-02")}
    assert {key.identity for key in training} == {"001", "003"}


def test_common_clips_keeps_common_views_and_asked_conditions() -> None:
    training, held, rule = held_out_of_last_takes(REAL, ("001", "002"), 1)
    made = [ClipKey(i, "nm-01", view) for i in ("001", "syn-0001") for view in ("090", "126")]
    groups = common_clips(training, held, made, rule)
    assert {key.view for key in (*groups.training, *groups.held_out, *groups.synthetic)} == {"090"}
    assert {key.condition for key in groups.training} == {"nm"}
    assert (groups.people, groups.passed_over) == (("001",), 2)


def test_what_cannot_be_compared_is_refused_by_name() -> None:
    training, held, rule = held_out_of_last_takes(REAL, ("001", "002"), 1)
    made = [ClipKey(i, "nm-01", "090") for i in ("001", "002")]
    with pytest.raises(DataError, match=r"nobody in common"):
        held_out_of_card(REAL, card(("sim-001",)), "real")
    with pytest.raises(DataError, match="held no take out"):
        held_out_of_card(REAL, card(held_out=()), "real")
    with pytest.raises(MissingError, match="held out 001/nm-09, which real lacks"):
        held_out_of_card(REAL, card(held_out=("001/nm-09",)), "real")
    with pytest.raises(DataError, match="nobody has more than 2 takes"):
        held_out_of_last_takes(REAL, ("001",), 2)
    with pytest.raises(DataError, match=r"no common view: the synthetic clips have 126, the real ones 054, 090"):
        common_clips(training, held, [replace(key, view="126") for key in made], rule)
    with pytest.raises(DataError, match="no common condition"):
        common_clips(training, held, [replace(key, take="bg-01") for key in made], rule)
    with pytest.raises(DataError, match=r"1 synthetic clip\(s\)"):
        common_clips(training, held, made[:1], rule)
    with pytest.raises(DataError, match=r"1 held-out real clip\(s\)"):
        common_clips(training, [ClipKey("001", "nm-02", "090")], made, rule)

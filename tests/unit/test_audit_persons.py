"""Rank-1 in any space: at the ceiling for real clips, at chance for permuted names."""

from __future__ import annotations

import numpy as np
import pytest

from gaitcrafter_ext.audit.embeddings import Embedded, geis
from gaitcrafter_ext.audit.persons import persons
from gaitcrafter_ext.errors import DataError
from tests.audit_people import draw_people, renamed

PEOPLE = draw_people(20, seed=1, takes=6)


def of_takes(*takes: str) -> Embedded:
    return PEOPLE.where(np.array([key.take in takes for key in PEOPLE.keys]))


TRAINING, HELD_OUT = of_takes("nm-01", "nm-02", "nm-03"), of_takes("nm-04")


def test_real_clips_passed_off_as_synthetic_reach_the_ceiling() -> None:
    found = persons(geis(TRAINING), geis(HELD_OUT), geis(TRAINING), np.random.default_rng(0))
    assert found.synthetic.share.value == found.ceiling.share.value > 0.8
    assert found.people == 20
    assert found.chance == 1 / 20


def test_permuted_names_fall_to_chance() -> None:
    names = np.random.default_rng(1).permutation(PEOPLE.people)
    dealt = dict(zip(PEOPLE.people, names.tolist(), strict=True))
    wrong = Embedded(TRAINING.vectors, tuple(renamed(key, dealt[key.identity]) for key in TRAINING.keys))
    found = persons(geis(wrong), geis(HELD_OUT), geis(TRAINING), np.random.default_rng(0))
    assert found.synthetic.share.value == pytest.approx(found.chance, abs=0.1)
    assert found.ceiling.share.value > 0.8


def test_strangers_are_left_out_and_counted_and_nobody_is_refused() -> None:
    stranger = Embedded(TRAINING.vectors[:3], tuple(renamed(key, "syn-0001") for key in TRAINING.keys[:3]))
    both = Embedded(np.concatenate([TRAINING.vectors, stranger.vectors]), (*TRAINING.keys, *stranger.keys))
    assert persons(geis(both), geis(HELD_OUT), geis(TRAINING), np.random.default_rng(0)).synthetic.left_out == 3
    with pytest.raises(DataError, match="0 synthetic clips of them"):
        persons(geis(stranger), geis(HELD_OUT), geis(TRAINING), np.random.default_rng(0))
    one = HELD_OUT.of(["000"])
    with pytest.raises(DataError, match="of 1 people"):
        persons(geis(TRAINING), geis(one), geis(TRAINING), np.random.default_rng(0))

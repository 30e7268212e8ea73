"""Whoever hides behind a novel name is found: parents, training people, training clips."""

from __future__ import annotations

import numpy as np
import pytest

from gaitcrafter_ext.audit.embeddings import Embedded, centres
from gaitcrafter_ext.audit.leakage import best_match, parent_retrieval, three_sample
from gaitcrafter_ext.errors import DataError
from tests.audit_people import draw_people, renamed

TRAINING = draw_people(30, seed=1, takes=6)
NAMES = TRAINING.people


def parents_of(novel: Embedded) -> dict[str, list[str]]:
    return {name: [NAMES[2 * row % 30], NAMES[(2 * row + 1) % 30]] for row, name in enumerate(novel.people)}


def test_training_people_under_new_names_lead_back_to_their_parents() -> None:
    disguised = Embedded(
        TRAINING.vectors + np.float32(0.01), tuple(renamed(key, f"syn-{key.identity}") for key in TRAINING.keys)
    )
    recipes = {f"syn-{name}": [name, NAMES[0]] for name in NAMES}
    found = parent_retrieval(disguised, TRAINING, recipes, np.random.default_rng(0))
    assert found.share.value == 1.0
    assert found.chance == pytest.approx((29 * 2 + 1) / 30 / 30)
    assert found.shuffled < 0.15


def test_unrelated_people_lead_to_parents_by_chance_only() -> None:
    novel = draw_people(200, seed=2, name="syn-{:03d}")
    found = parent_retrieval(novel, TRAINING, parents_of(novel), np.random.default_rng(0))
    assert found.share.low <= found.chance <= found.share.high
    assert found.left_out == 0


def test_training_people_match_better_than_strangers_and_new_people_do_not() -> None:
    strangers, rng = centres(draw_people(400, seed=3)), np.random.default_rng(0)
    own = centres(draw_people(30, seed=1, takes=6, name="syn-{:03d}"))
    copied = best_match(own, centres(TRAINING), strangers, rng)
    assert copied.share.value == 1.0
    assert copied.closer > 0.99
    assert [f"syn-{name}" for name in copied.nearest] == list(own.people)
    fresh = best_match(centres(draw_people(400, seed=4)), centres(TRAINING), strangers, rng)
    assert fresh.share.value == pytest.approx(0.05, abs=0.05)
    assert fresh.closer == pytest.approx(0.5, abs=0.12)
    themselves = best_match(own, centres(TRAINING), centres(TRAINING), rng)
    assert themselves.share.value == 1.0
    assert themselves.strangers.min() > 0.01


def test_three_samples_of_one_kind_copies_and_underfitting() -> None:
    rng = np.random.default_rng(0)
    cells = ["090/nm"] * 100 + ["054/nm"] * 100
    held_out = (rng.uniform(1, 2, 200), cells)
    fair = three_sample((rng.uniform(1, 2, 200), cells), held_out)
    copied = three_sample((rng.uniform(0, 1, 200), cells), held_out)
    far = three_sample((rng.uniform(2, 3, 200), cells), held_out)
    assert abs(fair.score) < 2
    assert 0.01 < fair.p_copied < 0.99
    assert copied.score < -10
    assert copied.p_copied < 1e-6
    assert far.score > 10
    assert three_sample((rng.uniform(1, 2, 200), ["000/nm"] * 100 + cells[:100]), held_out).left_out == 100


def test_half_of_the_set_copied_lowers_the_score() -> None:
    rng = np.random.default_rng(1)
    held_out = (rng.uniform(1, 2, 200), ["090/nm"] * 200)
    half = np.concatenate([rng.uniform(1, 2, 100), np.zeros(100)])
    assert three_sample((half, ["090/nm"] * 200), held_out).score < -5


def test_empty_sets_are_refused() -> None:
    rng, people = np.random.default_rng(0), centres(TRAINING)
    nobody = TRAINING.where(np.zeros(len(TRAINING), bool))
    with pytest.raises(DataError, match=r"none of 120 novel clips .* manifest.jsonl"):
        parent_retrieval(draw_people(30, seed=2), TRAINING, {}, rng)
    with pytest.raises(DataError, match="none of 0 novel clips"):
        parent_retrieval(nobody, TRAINING, {}, rng)
    with pytest.raises(DataError, match="1 training people"):
        best_match(people, centres(draw_people(1, seed=0)), people, rng)
    with pytest.raises(DataError, match="no view and condition in common"):
        three_sample((np.zeros(1), ["a"]), (np.zeros(1), ["b"]))

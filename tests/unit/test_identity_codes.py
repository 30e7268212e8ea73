"""Novel people: on the simplex, distinct, stable, evenly descended, and refused where they cannot be."""

from __future__ import annotations

import json
import math
from collections import Counter

import numpy as np
import pytest
from gaitcrafter_ext.recipes import code_matrix

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.synthesis.identities import NovelIdentity, known_recipe, novel_identities

SUBJECTS = [f"sim-{number:03d}" for number in range(1, 21)]


def parents_of(people: tuple[NovelIdentity, ...]) -> list[frozenset[str]]:
    return [frozenset(person.recipe) for person in people]


@pytest.mark.parametrize(("parents", "concentration"), [(2, 5.0), (3, 1.0), (20, 0.01)])
def test_codes_lie_on_the_simplex_with_as_many_parents_as_asked(parents: int, concentration: float) -> None:
    people = novel_identities(30, SUBJECTS, 3, parents, concentration)
    codes = code_matrix([person.recipe for person in people], SUBJECTS)
    assert codes.dtype == np.float32
    assert codes.shape == (30, 20)
    assert (np.count_nonzero(codes, axis=1) == parents).all()
    assert (codes >= 0).all()
    np.testing.assert_allclose(codes.sum(axis=1), 1, atol=1e-6)


def test_a_known_person_is_a_vertex() -> None:
    assert (code_matrix([known_recipe(name) for name in SUBJECTS], SUBJECTS) == np.eye(20)).all()


def test_names_are_numbered_and_avoid_known_people() -> None:
    assert [person.name for person in novel_identities(2, SUBJECTS)] == ["syn-0001", "syn-0002"]
    known = ["syn-0001", "syn-0002", "syn2-0001"]
    assert [person.name for person in novel_identities(1, known)] == ["syn3-0001"]


def test_a_person_is_the_same_however_many_are_asked_for() -> None:
    assert novel_identities(3, SUBJECTS, 7) == novel_identities(50, SUBJECTS, 7)[:3]


def test_the_series_of_a_seed_never_changes() -> None:
    # People are named by number: another recipe under the same name would be another person.
    first, second = novel_identities(2, SUBJECTS)
    assert first.recipe == {"sim-004": 0.6111, "sim-012": 0.3889}
    assert second.recipe == {"sim-001": 0.5532, "sim-002": 0.4468}


def test_another_seed_gives_other_people() -> None:
    assert parents_of(novel_identities(10, SUBJECTS, 0)) != parents_of(novel_identities(10, SUBJECTS, 1))


def test_no_parents_come_back_before_all_others_were_used() -> None:
    pairs = parents_of(novel_identities(2 * math.comb(6, 2), SUBJECTS[:6]))
    assert len(set(pairs[:15])) == 15
    assert len(set(pairs[15:])) == 15


@pytest.mark.parametrize("parents", [2, 3, 7])
def test_parents_are_used_evenly(parents: int) -> None:
    uses = Counter(name for pair in parents_of(novel_identities(60, SUBJECTS, 5, parents)) for name in pair)
    assert max(uses.values()) - min(uses[name] for name in SUBJECTS) <= 2


def test_concentration_keeps_people_away_from_their_parents() -> None:
    def strongest(concentration: float) -> float:
        people = novel_identities(100, SUBJECTS, 1, 2, concentration)
        return float(np.mean([max(person.recipe.values()) for person in people]))

    # E max(w, 1 - w) is 3/4 for uniform weights (concentration 1), and nears 1/2 as the concentration grows.
    assert strongest(1.0) == pytest.approx(0.75, abs=0.03)
    assert strongest(500.0) == pytest.approx(0.5, abs=0.03)


def test_a_recipe_survives_a_text_file_exactly() -> None:
    for person in novel_identities(50, SUBJECTS, 2, 3, 0.3):
        assert json.loads(json.dumps(person.recipe)) == person.recipe
        assert sum(round(weight * 10_000) for weight in person.recipe.values()) == 10_000


@pytest.mark.parametrize(
    ("count", "subjects", "seed", "parents", "concentration", "said"),
    [
        (-1, SUBJECTS, 0, 2, 5.0, "--novel: -1 people; allowed: 0 or more"),
        (1, SUBJECTS, -1, 2, 5.0, "--identity-seed: -1"),
        (1, SUBJECTS, 0, 1, 5.0, "--blend-parents: 1; allowed: 2 to 20"),
        (1, SUBJECTS, 0, 21, 5.0, "--blend-parents: 21; allowed: 2 to 20"),
        (1, SUBJECTS, 0, 2, 0.0, "--concentration: 0.0"),
        (1, SUBJECTS, 0, 2, math.nan, "--concentration: nan"),
        (1, SUBJECTS[:1], 0, 2, 5.0, "the weights know 1 people, a blend needs 2"),
    ],
)
def test_what_cannot_be_blended_is_refused(
    count: int, subjects: list[str], seed: int, parents: int, concentration: float, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        novel_identities(count, subjects, seed, parents, concentration)


@pytest.mark.parametrize("parents", [2, 3])
def test_beyond_leads_away_from_one_parent_and_keeps_the_others_shares(parents: int) -> None:
    even = novel_identities(20, SUBJECTS, 3, parents)
    left = set()
    for person, plain in zip(novel_identities(20, SUBJECTS, 3, parents, strategy="beyond"), even, strict=True):
        assert person.recipe.keys() == plain.recipe.keys()
        (gone,) = [name for name, weight in person.recipe.items() if weight < 0]
        left.add(list(person.recipe).index(gone))
        assert person.recipe[gone] == -plain.recipe[gone]
        assert sum(person.recipe.values()) == pytest.approx(1)
        others = [name for name in person.recipe if name != gone]
        shares = [person.recipe[name] / plain.recipe[name] for name in others]
        assert shares == pytest.approx([shares[0]] * len(others), rel=1e-2)
    assert left == set(range(parents))


def test_people_beyond_their_parents_are_all_different() -> None:
    people = novel_identities(400, SUBJECTS, 3, 2, strategy="beyond")
    assert len({json.dumps(person.recipe) for person in people}) == 400


def spread_people(count: int, seed: int = 0) -> tuple[NovelIdentity, ...]:
    return novel_identities(count, SUBJECTS, seed, 2, 1.0, "spread")


def nearest_codes(people: tuple[NovelIdentity, ...]) -> float:
    """Median distance of a code to the nearest other one, known people included."""
    codes = np.vstack([code_matrix([person.recipe for person in people], SUBJECTS), np.eye(len(SUBJECTS))])
    between = np.linalg.norm(codes[:, None] - codes[None], axis=-1)
    np.fill_diagonal(between, np.inf)
    return float(np.median(between[: len(people)].min(1)))


def test_spread_out_people_lie_farther_apart_than_evenly_drawn_ones() -> None:
    for seed in range(3):
        even = novel_identities(60, SUBJECTS, seed, 2, 1.0)
        assert nearest_codes(spread_people(60, seed)) > 1.2 * nearest_codes(even)


def test_spread_out_people_do_not_depend_on_how_many_are_asked_for() -> None:
    assert spread_people(5) == spread_people(30)[:5]
    assert spread_people(5) != spread_people(5, seed=1)


def test_an_unknown_strategy_is_refused() -> None:
    with pytest.raises(UsageError, match="--blend: unknown 'sprad'; did you mean 'spread'"):
        novel_identities(1, SUBJECTS, strategy="sprad")

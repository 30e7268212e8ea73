"""Novel people: mixing weights, descent, order, cadence and codes; and what is refused."""

from __future__ import annotations

import math
import time
from collections import Counter
from itertools import islice

import numpy as np
import pytest

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.generator.weights import mixed_cadence
from gaitcrafter_ext.synthesis.identities import (
    STRATEGIES,
    BlendSettings,
    Cadence,
    Identity,
    mixture,
    novel_identities,
    novel_series,
)

SUBJECTS = [f"sim-{number:03d}" for number in range(1, 21)]
CADENCE = {name: (20.0 + number, 1.0) for number, name in enumerate(SUBJECTS)}


def people(count: int, known: int = 20, **blend: object) -> list[Identity]:
    settings = BlendSettings(**{"parents": 2, **blend})  # type: ignore[arg-type]
    return list(novel_identities(count, SUBJECTS[:known], settings, CADENCE, 8).values())


def codes(found: list[Identity]) -> np.ndarray:
    return np.array([[who.mix.get(name, 0.0) for name in SUBJECTS] for who in found])


def test_weights_of_as_many_parents_as_asked_are_positive_and_sum_to_one() -> None:
    for parents, concentration in ((2, 5.0), (3, 1.0), (20, 0.01)):
        found = codes(people(30, parents=parents, concentration=concentration, seed=3))
        assert (np.count_nonzero(found, axis=1) == parents).all()
        assert (found >= 0).all()
        assert (np.rint(found * 10_000).sum(axis=1) == 10_000).all()
    # E max(w, 1 - w) is 3/4 for uniform weights (concentration 1), and nears 1/2 as the concentration grows.
    strongest = [codes(people(100, concentration=a)).max(axis=1).mean() for a in (1.0, 500.0)]
    assert strongest == [pytest.approx(0.75, abs=0.03), pytest.approx(0.5, abs=0.03)]


def test_names_are_numbered_and_avoid_known_people() -> None:
    assert list(novel_identities(2, SUBJECTS, BlendSettings())) == ["syn-0001", "syn-0002"]
    assert list(novel_identities(1, ["syn-0001", "syn2-0001"], BlendSettings(2))) == ["syn3-0001"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_asking_for_more_people_changes_none_of_the_earlier(strategy: str) -> None:
    few, many = (people(count, parents=3, strategy=strategy, seed=7) for count in (5, 30))
    assert many[:5] == few
    assert len({(*who.mix.items(), *who.code) for who in many}) == 30
    assert people(5, parents=3, strategy=strategy, seed=8) != few


def test_the_series_of_a_seed_never_changes() -> None:
    # People are named by number: other weights under the same name would be another person.
    first, second = people(2)
    assert first.mix == {"sim-004": 0.6111, "sim-012": 0.3889}
    assert second.mix == {"sim-001": 0.5532, "sim-002": 0.4468}


def test_no_set_of_parents_comes_back_before_all_were_used_and_people_are_parents_equally_often() -> None:
    pairs = [frozenset(who.mix) for who in people(2 * math.comb(6, 2), known=6)]
    assert len(set(pairs[:15])) == len(set(pairs[15:])) == 15
    uses = Counter(name for who in people(60, parents=3) for name in who.mix)
    assert max(uses.values()) - min(uses[name] for name in SUBJECTS) <= 2


def test_drawn_people_have_no_parents_and_lie_in_the_dimensions_that_known_people_span() -> None:
    drawn = people(200, known=6, strategy="draw")
    found = np.array([who.code for who in drawn])
    assert not any(who.mix for who in drawn)
    assert (found[:, 5:] == 0).all()  # six people span five dimensions
    np.testing.assert_allclose(found[:, :5].std(axis=0), 1, atol=0.2)
    assert {who.cadence for who in drawn} <= {Cadence(*walk) for walk in CADENCE.values()}


def test_a_novel_person_walks_as_fast_as_those_they_are_mixed_of() -> None:
    (who,) = people(1)
    mean = sum(weight * CADENCE[name][0] for name, weight in who.mix.items())
    assert who.cadence == Cadence(round(mean, 3), 1.0)
    assert mixture({"sim-003": 1.0}, CADENCE) == Identity({"sim-003": 1.0}, cadence=Cadence(22.0, 1.0))
    assert mixture({"sim-003": 1.0}, {}).cadence is None
    cadence = {"slow": (30.0, 3.0), "fast": (20.0, 1.0)}
    assert mixed_cadence({"slow": 0.25, "fast": 0.75}, cadence) == pytest.approx((22.5, math.sqrt(3)))
    assert mixed_cadence({"unknown": 0.5, "slow": 0.5}, cadence) == pytest.approx((30.0, 3.0))
    assert mixed_cadence({"unknown": 1.0}, cadence) is None


def test_what_cannot_be_made_is_refused() -> None:
    refused: list[tuple[int, int, dict[str, object], str]] = [
        (-1, 20, {}, "--novel: -1 people; allowed: 0 or more"),
        (1, 20, {"seed": -1}, "--identity-seed: -1"),
        (1, 20, {"parents": 1}, "--blend-parents: 1; allowed: 2 to 20"),
        (1, 20, {"parents": 21}, "--blend-parents: 21; allowed: 2 to 20"),
        (1, 20, {"concentration": 0.0}, "--concentration: 0.0"),
        (1, 20, {"concentration": math.nan}, "--concentration: nan"),
        (1, 20, {"strategy": "spread"}, "--blend: unknown 'spread'; allowed: even, draw"),
        (1, 1, {"strategy": "draw"}, "the weights know 1 people, novel ones need 2"),
    ]
    for count, known, blend, said in refused:
        with pytest.raises(UsageError, match=said):
            people(count, known, **blend)
    with pytest.raises(UsageError, match="code_dim: 0; people are drawn from the weights' space"):
        novel_identities(1, SUBJECTS, BlendSettings(strategy="draw"))  # who would all be nobody


def test_a_person_of_a_large_set_takes_no_longer_than_one_of_a_small_set_in_proportion() -> None:
    known = [f"{number:05d}" for number in range(5000)]
    for strategy in STRATEGIES:
        series = novel_series(known, BlendSettings(strategy=strategy), dict.fromkeys(known, (25.0, 1.0)), 64)
        started = time.process_time()
        list(islice(series, 20))
        assert time.process_time() - started < 8  # a dense search takes minutes

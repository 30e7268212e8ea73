"""The sieve on constructed people: each kind of bad candidate falls, for its own reason."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from gaitcrafter_ext.metrics.centroids import Centroids, find_centroids, to_own_centroid
from gaitcrafter_ext.synthesis.selection import Criteria, Sieve, parent_retrieval, shares_within, tally
from tests.filter_fakes import features

AXES = np.eye(30, dtype=np.float32)
CRITERIA = Criteria(clip=0.2, consistency=0.75, known=0.1, unique=0.1)
KNOWN = Centroids(("sim-001", "sim-002"), AXES[:2])


def sieve() -> Sieve:
    return Sieve(CRITERIA, KNOWN)


def towards(one: int, other: int, share: float) -> NDArray[np.float32]:
    vector = AXES[one] * (1 - share) + AXES[other] * share
    return vector / np.linalg.norm(vector)


def test_twenty_different_people_all_stay() -> None:
    judge = sieve()
    verdicts = [judge.judge(f"n{number}", AXES[number + 2], 1.0) for number in range(20)]
    assert tally(verdicts) == {"kept": 20, "inconsistent": 0, "known": 0, "duplicate": 0}
    assert judge.kept == tuple(f"n{number}" for number in range(20))


def test_one_person_under_twenty_names_stays_once() -> None:
    judge = sieve()
    verdicts = [judge.judge(f"n{number}", AXES[5], 1.0) for number in range(20)]
    assert tally(verdicts) == {"kept": 1, "inconsistent": 0, "known": 0, "duplicate": 19}
    assert {verdict.nearest for verdict in verdicts[1:]} == {"n0"}


def test_half_of_the_training_people_passed_off_as_novel_fall() -> None:
    judge = sieve()
    verdicts = [judge.judge("a", AXES[4], 1.0), judge.judge("b", towards(1, 7, 0.1), 1.0)]
    assert [verdict.outcome for verdict in verdicts] == ["kept", "known"]
    assert (verdicts[1].nearest, judge.kept) == ("sim-002", ("a",))


def test_many_people_under_one_name_fall_as_inconsistent() -> None:
    clips = features({"crowd": [AXES[4], AXES[5], AXES[6], AXES[7]], "one": [AXES[8]] * 4})
    shares = shares_within(to_own_centroid(clips), clips.identity, CRITERIA.clip)
    judge = sieve()
    centres = find_centroids(clips)
    verdicts = [
        judge.judge(name, vector, shares[name]) for name, vector in zip(centres.names, centres.vectors, strict=True)
    ]
    assert shares == {"crowd": 0.0, "one": 1.0}
    assert [verdict.outcome for verdict in verdicts] == ["inconsistent", "kept"]


def test_who_fell_is_nobodys_duplicate() -> None:
    judge = sieve()
    judge.judge("scattered", AXES[4], 0.0)
    assert judge.judge("same place", AXES[4], 1.0).outcome == "kept"


def test_a_threshold_itself_is_too_near_and_consistent_enough() -> None:
    vector = towards(0, 9, 0.3)
    exact = float(1 - vector @ AXES[0])
    assert Sieve(Criteria(0.2, 0.75, exact, 0.1), KNOWN).judge("a", vector, 0.75).outcome == "known"
    assert Sieve(Criteria(0.2, 0.75, exact - 1e-4, 0.1), KNOWN).judge("a", vector, 0.75).outcome == "kept"


def test_distances_tell_how_near_the_nearest_was() -> None:
    judge = sieve()
    first = judge.judge("a", AXES[4], 1.0)
    assert (first.nearest, first.distance) == ("sim-001", pytest.approx(1.0))
    second = judge.judge("b", towards(4, 9, 0.5), 1.0)
    assert (second.nearest, second.distance) == ("a", pytest.approx(1 - np.sqrt(0.5), abs=1e-6))


def test_parents_are_found_or_not() -> None:
    people = Centroids(("a", "b"), np.stack([towards(0, 9, 0.4), towards(1, 9, 0.4)]))
    assert parent_retrieval(people, [["sim-001", "sim-009"], ["sim-001"]], KNOWN) == 0.5

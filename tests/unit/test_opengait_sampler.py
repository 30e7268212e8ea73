"""P x K batches of real and synthetic people."""

from __future__ import annotations

import inspect
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.opengait.sampler import RealSyntheticTripletSampler


@pytest.fixture(autouse=True)
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, 0, 1)


def pretend(monkeypatch: pytest.MonkeyPatch, rank: int, world_size: int) -> None:
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: rank)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: world_size)


def people(real: int = 6, both: int = 2, novel: int = 6, takes: int = 5) -> Any:
    """``real`` people, of whom ``both`` have synthetic takes too, and ``novel`` ones; ``takes`` of each kind."""
    names = [f"x-{number}" for number in range(real)]
    kinds = (*names, *names[:both], *(f"~{number}" for number in range(novel)))
    owner = [label for label in kinds for _ in range(takes)]
    indices = {label: [index for index, other in enumerate(owner) if other == label] for label in sorted(set(owner))}
    synthetic = frozenset(range(real * takes, len(owner)))
    return SimpleNamespace(label_set=list(indices), indices_dict=indices, synthetic_indices=synthetic, owner=owner)


def novel(sampler: RealSyntheticTripletSampler, number: int) -> int:
    owners = {sampler.dataset.owner[index] for index in sampler.batch(number)}
    return sum(label[0] == "~" for label in owners)


def test_every_batch_has_k_different_takes_of_p_different_people() -> None:
    dataset = people()
    options: tuple[dict[str, Any], ...] = ({}, {"synthetic_people": 0.5}, {"synthetic_takes": 0.4})
    for shares in options:
        sampler = RealSyntheticTripletSampler(dataset, [4, 3], True, **shares)
        for number in range(20):
            batch = sampler.batch(number)
            assert len(set(batch)) == 12
            assert sorted(Counter(dataset.owner[index] for index in batch).values()) == [3] * 4
    few = Counter(RealSyntheticTripletSampler(people(takes=2), [3, 5], synthetic_people=0.0).batch(0))
    assert (sum(few.values()), max(few.values())) == (15, 3)  # few takes come more than once


def test_shares_are_kept_exactly_or_in_the_mean_and_may_change_while_training_goes_on() -> None:
    dataset = people(both=6)
    for share, counts in ((0.5, {2}), (0.0, {0}), (1.0, {4}), (0.3, {1, 2})):
        sampler = RealSyntheticTripletSampler(dataset, [4, 2], synthetic_people=share)
        found = [novel(sampler, number) for number in range(100)]
        assert set(found) == counts
        assert sum(found) / 100 == pytest.approx(4 * share, abs=0.1)
    sampler = RealSyntheticTripletSampler(dataset, [4, 2], synthetic_people=[[10, 1.0], [20, 0.0]])
    assert [novel(sampler, number) for number in (0, 10, 15, 20, 99)] == [4, 4, 2, 0, 0]
    sampler = RealSyntheticTripletSampler(dataset, [4, 4], synthetic_people=0.0, synthetic_takes=0.25)
    for number in range(50):
        assert sum(index in dataset.synthetic_indices for index in sampler.batch(number)) == 4


def test_ranks_share_one_batch_and_a_resumed_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = people()
    whole = RealSyntheticTripletSampler(dataset, [4, 2], True, 0.5)
    for rank in range(2):
        pretend(monkeypatch, rank, 2)
        batches = iter(RealSyntheticTripletSampler(dataset, [4, 2], True, 0.5))
        assert [next(batches) for _ in range(5)] == [whole.batch(number)[rank::2] for number in range(5)]
    pretend(monkeypatch, 0, 1)
    assert next(iter(RealSyntheticTripletSampler(dataset, [4, 2], True, 0.5, start_iter=3))) == whole.batch(3)
    assert whole.batch(3) != RealSyntheticTripletSampler(dataset, [4, 2], True, 0.5, seed=1).batch(3)


def test_values_that_cannot_be_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # OpenGait drops what is keyword-only.
    assert inspect.getfullargspec(RealSyntheticTripletSampler.__init__).kwonlyargs == []
    mistakes: tuple[tuple[dict[str, Any], str], ...] = (
        ({"batch_size": [20, 2]}, "20 people a batch, 12 are there"),
        ({"batch_size": [10, 2], "synthetic_people": [[0, 0.6], [5, 0.1]]}, "needs up to 9 real"),
        ({"batch_size": [4, 2], "synthetic_people": 1.5}, "a share from 0 to 1"),
        ({"batch_size": [4, 2], "synthetic_takes": [[5, 0.1], [5, 0.2]]}, "rising iterations"),
    )
    for values, said in mistakes:
        with pytest.raises(UsageError, match=said):
            RealSyntheticTripletSampler(people(), **values)
    pretend(monkeypatch, 0, 3)
    with pytest.raises(UsageError, match="3 processes cannot share"):
        RealSyntheticTripletSampler(people(), [4, 2])

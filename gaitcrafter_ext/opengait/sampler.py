"""P x K batches with a set share of synthetic people, or of synthetic takes, that may change while training goes on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import torch

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.opengait.config_keys import Mixing
from gaitcrafter_ext.recognition.mixing_schedule import round_at_random, share_at
from gaitcrafter_ext.records import fill

T = TypeVar("T")
Share = float | Sequence[Sequence[float]]


class RealSyntheticTripletSampler(torch.utils.data.Sampler[list[int]]):
    """Endless batches of P people x K takes; each rank gets its part of the same batch.

    Batch n depends on ``seed`` and n alone, so ranks agree without a word, and a resumed run goes on where it was.
    A share is a number 0..1, or points ``[[iteration, share], ...]`` with straight lines between them:
    ``[[0, 1.0], [20000, 0.0]]`` starts synthetic and ends real. Where P or K times the share is no whole number, it is
    rounded up or down at random so that the mean is right.

    Args:
        dataset: OpenGait's data set; ours, where a share is given.
        batch_size: ``[P, K]``.
        batch_shuffle: Mix the order within a batch.
        synthetic_people: Share of novel people among the P; None draws from all people alike.
        synthetic_takes: Share of synthetic takes among the K of a real person who has both; None draws from all alike.
        seed: Key of all batches.
        start_iter: First batch's number; the plug-in sets it where a run is resumed.

    Raises:
        UsageError: A value is not allowed, or there are fewer people of a kind than a batch needs.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: Sequence[int],
        batch_shuffle: bool = False,
        synthetic_people: Share | None = None,
        synthetic_takes: Share | None = None,
        seed: int = 0,
        start_iter: int = 0,
    ) -> None:
        self.dataset = dataset
        given = {"batch_size": batch_size, "batch_shuffle": batch_shuffle, "seed": seed, "start_iter": start_iter}
        shares = {"synthetic_people": synthetic_people, "synthetic_takes": synthetic_takes}
        self.mixing = fill(Mixing, given | shares, "trainer_cfg.sampler", UsageError)
        self.rank, self.world_size = torch.distributed.get_rank(), torch.distributed.get_world_size()
        synthetic: frozenset[int] = getattr(dataset, "synthetic_indices", frozenset())
        #: Label -> real and synthetic clips.
        self.indices: dict[str, tuple[list[int], list[int]]] = {label: ([], []) for label in dataset.label_set}
        for label, clips in self.indices.items():
            for index in dataset.indices_dict[label]:
                clips[index in synthetic].append(index)
        self.novel = [label for label, (real, _) in self.indices.items() if not real]
        self.real = [label for label, (real, _) in self.indices.items() if real]
        check_enough(self.mixing, len(self.real), len(self.novel), self.world_size)

    def batch(self, number: int) -> list[int]:
        """All P x K indices of batch ``number``, the same in every process."""
        rng, mixing = np.random.default_rng([self.mixing.seed, number]), self.mixing
        (people, takes), schedules = mixing.batch_size, (mixing.synthetic_people, mixing.synthetic_takes)
        novel, synthetic = (None if each is None else share_at(each, number) for each in schedules)
        chosen: list[int] = []
        for label in _draw_both(self.real, self.novel, people, novel, rng):
            real, made = self.indices[label]
            chosen += _draw_both(real, made, takes, synthetic if real and made else None, rng)
        return [chosen[place] for place in rng.permutation(len(chosen))] if mixing.batch_shuffle else chosen

    def __iter__(self) -> Iterator[list[int]]:
        for number in itertools.count(self.mixing.start_iter):
            yield self.batch(number)[self.rank :: self.world_size]

    def __len__(self) -> int:
        return len(self.dataset)


def check_enough(mixing: Mixing, real: int, novel: int, world_size: int) -> None:
    """Refuse batches that cannot be filled (from ``real`` people with real clips and ``novel`` others), or shared."""
    where, (people, takes) = "trainer_cfg.sampler", mixing.batch_size
    if people * takes % world_size:
        raise UsageError(
            f"{where}.batch_size: {world_size} processes cannot share {people} x {takes} clips; choose a multiple"
        )
    if mixing.synthetic_people is None:
        if real + novel < people:
            raise UsageError(
                f"{where}.batch_size: {people} people a batch, {real + novel} are there, and no one may come twice; "
                f"--set {where}.batch_size=[{real + novel},{takes}]"
            )
        return
    shares = [share for _, share in mixing.synthetic_people]
    for kind, have, most in (("novel synthetic", novel, max(shares)), ("real", real, 1 - min(shares))):
        need = int(np.ceil(round(people * most, 6)))
        if need > have:
            raise UsageError(
                f"{where}.synthetic_people: a batch of {people} needs up to {need} {kind} people, {have} are there; "
                "change the share, batch_size or data_cfg.synthetic"
            )


def _draw_both(real: list[T], synthetic: list[T], count: int, share: float | None, rng: np.random.Generator) -> list[T]:
    """``count`` items, of which ``share`` are synthetic, in the mean; None draws from all alike."""
    if share is None:
        return _draw(real + synthetic, count, rng)
    made = round_at_random(share * count, rng)
    return _draw(real, count - made, rng) + _draw(synthetic, made, rng)


def _draw(items: list[T], count: int, rng: np.random.Generator) -> list[T]:
    """``count`` items, each at most once where there are enough, else each at least ``count // len(items)`` times."""
    drawn: list[T] = []
    while len(drawn) < count:
        drawn += [items[place] for place in rng.permutation(len(items))[: count - len(drawn)]]
    return drawn

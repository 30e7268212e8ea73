"""P x K batches with a set share of synthetic people, or of synthetic takes, that may change while training goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.recognition.mixing_schedule import is_schedule, round_at_random, share_at

__all__ = ["RealSyntheticTripletSampler"]

Share = float | Sequence[Sequence[float]]


class RealSyntheticTripletSampler(torch.utils.data.Sampler):
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
        self.people, self.takes = _batch_size(batch_size)
        self.batch_size = [self.people, self.takes]
        self.batch_shuffle, self.seed, self.start_iter = batch_shuffle, seed, start_iter
        self.synthetic_people = _check_share(synthetic_people, "synthetic_people")
        self.synthetic_takes = _check_share(synthetic_takes, "synthetic_takes")
        self.rank, self.world_size = torch.distributed.get_rank(), torch.distributed.get_world_size()
        if self.people * self.takes % self.world_size:
            raise UsageError(
                f"trainer_cfg.sampler.batch_size: {self.people} x {self.takes} clips cannot be shared by "
                f"{self.world_size} processes; choose a multiple"
            )
        self._sort_people()

    def _sort_people(self) -> None:
        labels = list(self.dataset.label_set)
        synthetic: frozenset[int] = getattr(self.dataset, "synthetic_indices", frozenset())
        self.indices = {label: [list[int](), list[int]()] for label in labels}
        for label in labels:
            for index in self.dataset.indices_dict[label]:
                self.indices[label][index in synthetic].append(index)
        self.novel = [label for label in labels if not self.indices[label][0]]
        self.real = [label for label in labels if self.indices[label][0]]
        self._check_enough()

    def _check_enough(self) -> None:
        where = "trainer_cfg.sampler"
        if self.synthetic_people is None:
            if len(self.real) + len(self.novel) < self.people:
                raise UsageError(
                    f"{where}.batch_size: {self.people} people a batch, {len(self.real) + len(self.novel)} are there; "
                    "choose fewer"
                )
            return
        shares = [share for _, share in self.synthetic_people]
        for kind, have, most in (
            ("novel synthetic", len(self.novel), max(shares)),
            ("real", len(self.real), 1 - min(shares)),
        ):
            need = int(np.ceil(round(self.people * most, 6)))
            if need > have:
                raise UsageError(
                    f"{where}.synthetic_people: a batch of {self.people} needs up to {need} {kind} people, {have} are "
                    "there; change the share, batch_size or data_cfg.synthetic"
                )

    def batch(self, number: int) -> list[int]:
        """All P x K indices of batch ``number``, the same in every process."""
        rng = np.random.default_rng([self.seed, number])
        chosen = [
            index for label in self._choose_people(number, rng) for index in self._choose_takes(label, number, rng)
        ]
        return [chosen[place] for place in rng.permutation(len(chosen))] if self.batch_shuffle else chosen

    def _choose_people(self, number: int, rng: np.random.Generator) -> list[str]:
        if self.synthetic_people is None:
            return _draw(self.real + self.novel, self.people, rng)
        count = round_at_random(share_at(self.synthetic_people, number) * self.people, rng)
        return _draw(self.real, self.people - count, rng) + _draw(self.novel, count, rng)

    def _choose_takes(self, label: str, number: int, rng: np.random.Generator) -> list[int]:
        real, synthetic = self.indices[label]
        if self.synthetic_takes is None or not real or not synthetic:
            return _draw(real + synthetic, self.takes, rng)
        count = round_at_random(share_at(self.synthetic_takes, number) * self.takes, rng)
        return _draw(real, self.takes - count, rng) + _draw(synthetic, count, rng)

    def __iter__(self) -> Iterator[list[int]]:
        number = self.start_iter
        while True:
            yield self.batch(number)[self.rank :: self.world_size]
            number += 1

    def __len__(self) -> int:
        return len(self.dataset)


def _check_share(share: Share | None, name: str) -> list[tuple[float, float]] | None:
    """A share as points, checked."""
    if share is None:
        return None
    points = [[0, share]] if isinstance(share, (int, float)) and not isinstance(share, bool) else share
    try:
        checked = [(float(iteration), float(value)) for iteration, value in points]  # type: ignore[union-attr]
    except (TypeError, ValueError):
        checked = []
    if not is_schedule(checked):
        raise UsageError(
            f"trainer_cfg.sampler.{name}: found {share!r}; allowed: a share from 0 to 1, or points such as "
            "[[0, 1.0], [20000, 0.0]] with rising iterations"
        )
    return checked


def _batch_size(batch_size: Any) -> tuple[int, int]:
    sizes = list(batch_size) if isinstance(batch_size, (list, tuple)) else []
    if len(sizes) != 2 or not all(isinstance(size, int) and size >= 1 for size in sizes):
        raise UsageError(f"trainer_cfg.sampler.batch_size: found {batch_size!r}; expected [P, K], e.g. [8, 16]")
    return sizes[0], sizes[1]


def _draw(items: Sequence[Any], count: int, rng: np.random.Generator) -> list[Any]:
    """``count`` items, each at most once where there are enough, else each at least ``count // len(items)`` times."""
    if not count:
        return []
    drawn: list[Any] = []
    while len(drawn) < count:
        drawn += [items[place] for place in rng.permutation(len(items))[: count - len(drawn)]]
    return drawn

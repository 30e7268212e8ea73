"""Training a recogniser: triplets, and cross-entropy where there is a classifier; a run that was cut goes on."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from gaitcrafter_ext.errors import ConflictError, DataError, WeightsError
from gaitcrafter_ext.hardware import autocast, resolve_precision
from gaitcrafter_ext.recognition.checkpoint import CARD_FILE, MODEL_FILE, Card, read_tensors, save_recogniser
from gaitcrafter_ext.recognition.config import TrainingConfig
from gaitcrafter_ext.recognition.data import Batch, ClipRef, PKSampler, TrainingSet, augment, to_sils
from gaitcrafter_ext.recognition.losses import cross_entropy_loss, triplet_loss
from gaitcrafter_ext.recognition.networks import build_network
from gaitcrafter_ext.silhouettes.files import atomic_write, storage_error
from gaitcrafter_ext.silhouettes.store import folder_around

STATE_FILE = "state.pt"

#: Clips whose bytes stand for all when a run is resumed.
WITNESSES = 64


@dataclass(frozen=True)
class Step:
    """Losses after ``iteration`` iterations; cross-entropy and accuracy (of the parts) where there is a classifier."""

    iteration: int
    triplet: float
    cross_entropy: float | None
    accuracy: float | None
    learning_rate: float


def sampler_of(config: TrainingConfig, people: TrainingSet) -> PKSampler:
    """What draws the batches; nothing is read or written.

    Raises:
        UsageError: The share of synthetic clips cannot be met.
    """
    shape = (config.people, config.clips, config.frames)
    return PKSampler(people, shape, config.seed, config.synthetic_share)


def train(
    config: TrainingConfig,
    people: TrainingSet,
    out: Path,
    device: torch.device | str = "cpu",
    save_every: int = 100,
    on_step: Callable[[Step], None] = lambda step: None,
) -> nn.Module:
    """Train, or go on training, a recogniser; ``out`` then holds it, and ``state.pt`` to go on from.

    The same configuration, people, machine and thread count give the same weights, whether or not the run was cut.

    Raises:
        UsageError: A value is outside of its range, or the share of synthetic clips cannot be met.
        ConflictError: ``out`` holds a run of another configuration, other people, other clips or more iterations; or a
            recogniser that no run of ours left there.
        DataError: The loss is no longer finite.
        StorageError: The disk refuses.
    """
    device = torch.device(device)
    config = config.replaced(precision=resolve_precision(config.precision, device))
    sampler = sampler_of(config, people)
    network = build_network(config.network, len(people.people), config.seed).to(device)
    optimizer = torch.optim.SGD(
        network.parameters(), config.learning_rate, config.momentum, weight_decay=config.weight_decay
    )
    run = _Run(config, people, network, optimizer, device, out)
    done = run.resume()
    for number, batch in _prefetched(sampler, range(done, config.iterations)):
        on_step(run.step(number, batch))
        if (number + 1) % save_every == 0 and number + 1 < config.iterations:
            run.save(number + 1)
    if done < config.iterations or not (out / MODEL_FILE).is_file():
        # The state goes last: a kill in between leaves an older state, and the rerun writes both again.
        save_recogniser(out, network, _card(config, people))
        run.save(config.iterations)
    return network


@dataclass(frozen=True)
class _Run:
    """The state of one training run."""

    config: TrainingConfig
    people: TrainingSet
    network: nn.Module
    optimizer: torch.optim.SGD
    device: torch.device
    out: Path

    @functools.cached_property
    def name(self) -> str:
        """What must be equal for a run to be resumed; it may be made longer."""
        options = dataclasses.asdict(self.config)
        del options["iterations"]
        clips = [[folder_around(clip.store.root.resolve()).name, str(clip.key)] for clip in self.people.clips]
        return json.dumps([options, self.people.people, clips, _fingerprint(self.people.clips)])

    def step(self, number: int, batch: Batch) -> Step:
        """One optimiser step."""
        rate = self.config.learning_rate * 0.1 ** sum(number >= milestone for milestone in self.config.milestones)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.network.train()
        labels = torch.from_numpy(batch.labels).to(self.device)
        with autocast(self.config.precision, self.device):
            embeddings, logits = self.network(self._sils(number, batch), batch.lengths)
        triplet = triplet_loss(embeddings, labels)
        entropy = None if logits is None else cross_entropy_loss(logits, labels)
        loss = triplet if entropy is None else triplet + entropy
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        if not math.isfinite(loss.item()):
            raise DataError(f"the loss is {loss.item()} at iteration {number + 1}; try a lower --learning-rate")
        right = None if logits is None else (logits.argmax(1) == labels[:, None]).float().mean().item()
        return Step(number + 1, triplet.item(), None if entropy is None else entropy.item(), right, rate)

    def _sils(self, number: int, batch: Batch) -> Tensor:
        sils = to_sils(batch.frames, self.device)
        if not self.config.augment:
            return sils
        rng = np.random.default_rng([self.config.seed, number, 1])
        return augment(sils.unflatten(0, (len(batch.lengths), -1)), rng).flatten(0, 1)

    def save(self, done: int) -> None:
        """Write all that ``resume`` needs."""
        state = {"model": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}
        with atomic_write(self.out / STATE_FILE) as file:
            torch.save({"iteration": done, "run": self.name, **state}, file)

    def resume(self) -> int:
        """Take up the state on disk where there is one; how many iterations are done."""
        state, name = self.out / STATE_FILE, self.name  # of the clips as they are now
        if not state.exists():
            for file in (MODEL_FILE, CARD_FILE):
                if (self.out / file).exists():
                    raise ConflictError(
                        f"{self.out} holds a {file} and no {STATE_FILE} of a run to resume;"
                        " choose another --out, or --force to delete it"
                    )
            return 0
        content = read_tensors(state)
        if content.get("run") != name:
            raise ConflictError(
                f"{self.out} holds a training run of other options, people or clips;"
                " choose another --out, or --force to delete it"
            )
        try:
            self.network.load_state_dict(content["model"])
            self.optimizer.load_state_dict(content["optimizer"])
            done = int(content["iteration"])
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise WeightsError(f"{state}: cannot be resumed ({error}); --force starts again") from None
        if done > self.config.iterations:
            raise ConflictError(
                f"--iterations: {self.config.iterations} asked for, and {self.out} holds a run of {done}; allowed:"
                f" {done} or more, another --out, or --force to delete it"
            )
        return done


def _card(config: TrainingConfig, people: TrainingSet) -> Card:
    """What the recogniser is at the end."""
    return Card(
        config.network,
        people.people,
        tuple(sorted({folder_around(clip.store.root.resolve()).name for clip in people.clips})),
        tuple(sorted({clip.key.view for clip in people.clips})),
        config.iterations,
        dataclasses.asdict(config),
    )


def _fingerprint(clips: Sequence[ClipRef]) -> str:
    """What tells data of equal names apart: a hash of the files of some clips, spread evenly over all."""
    content = hashlib.sha256()
    for number in np.linspace(0, len(clips) - 1, min(WITNESSES, len(clips))).astype(int):
        path = clips[number].store.path(clips[number].key)
        try:
            content.update(path.read_bytes())
        except OSError as error:
            raise storage_error(path, error, "read") from error
    return content.hexdigest()


def _prefetched(sampler: PKSampler, numbers: Iterable[int]) -> Iterator[tuple[int, Batch]]:
    """Batches, the next one read while the current one is computed on."""
    with ThreadPoolExecutor(1) as pool:
        ahead = None
        for number in numbers:
            batch = sampler.batch(number) if ahead is None else ahead.result()
            ahead = pool.submit(sampler.batch, number + 1)
            yield number, batch

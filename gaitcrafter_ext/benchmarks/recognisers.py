"""Our recognisers to measure: training iterations on batches of the CPU preset."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor, nn

from gaitcrafter_ext.benchmarks.denoisers import autocast
from gaitcrafter_ext.benchmarks.results import Contender
from gaitcrafter_ext.benchmarks.timing import Stopwatch
from gaitcrafter_ext.recognition.config import TrainingConfig, preset
from gaitcrafter_ext.recognition.data import to_sils
from gaitcrafter_ext.recognition.losses import cross_entropy_loss, triplet_loss
from gaitcrafter_ext.recognition.networks import build_network

__all__ = ["CLASSES", "Iteration", "RecogniserWork", "gaitbase", "gaitset", "stopwatch"]

CLASSES = 74


class Iteration(ABC):
    """A recogniser in training, whoever wrote it; the unit is an iteration."""

    def __init__(self, network: nn.Module, config: TrainingConfig) -> None:
        self.network = network.train()
        self.labels = torch.arange(config.people).repeat_interleave(config.clips)
        self.optimizer = torch.optim.SGD(network.parameters(), 1e-4, config.momentum)

    @abstractmethod
    def loss(self, precision: str) -> Tensor:
        """Forward pass and losses of a batch."""

    def train(self, precision: str) -> float:
        """One iteration: forward, losses, backward, SGD step."""
        loss = self.loss(precision)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return 1.0


class RecogniserWork(Iteration):
    """A recogniser of ours."""

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__(build_network(config.network, CLASSES), config)
        rng = np.random.default_rng(0)
        self.lengths = (config.frames,) * len(self.labels)
        self.frames = rng.integers(0, 256, (sum(self.lengths), 64, 44), np.uint8)

    def loss(self, precision: str) -> Tensor:  # noqa: D102
        with autocast(precision):
            embeddings, logits = self.network(to_sils(self.frames), self.lengths)
        triplet = triplet_loss(embeddings, self.labels)
        return triplet if logits is None else triplet + cross_entropy_loss(logits, self.labels)


def gaitset() -> Stopwatch:
    """GaitSet as its CPU preset trains it."""
    return _recogniser("gaitset")


def gaitbase() -> Stopwatch:
    """GaitBase as its CPU preset trains it."""
    return _recogniser("gaitbase")


def _recogniser(model: str) -> Stopwatch:
    config = preset(model, "cpu")
    label = f"{model}, {config.people} x {config.clips} clips of {config.frames} frames"
    return stopwatch(model, label, RecogniserWork(config))


def stopwatch(name: str, label: str, work: Iteration) -> Stopwatch:
    """The recogniser, ready to be measured."""
    parameters = sum(parameter.numel() for parameter in work.network.parameters())
    return Stopwatch(Contender(name, label, parameters, {"recognition": len(work.labels)}), {"recognition": work.train})

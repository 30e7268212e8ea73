"""Our recognisers to measure: training iterations on batches of the CPU preset."""

from __future__ import annotations

import numpy as np
import torch

from gaitcrafter_ext.benchmarks.denoisers import autocast
from gaitcrafter_ext.benchmarks.results import Contender
from gaitcrafter_ext.benchmarks.timing import Stopwatch
from gaitcrafter_ext.recognition.clips import to_sils
from gaitcrafter_ext.recognition.config import TrainingConfig, preset
from gaitcrafter_ext.recognition.losses import cross_entropy_loss, triplet_loss
from gaitcrafter_ext.recognition.networks import build_network

__all__ = ["RecogniserWork", "gaitbase", "gaitset"]

CLASSES = 74


class RecogniserWork:
    """A recogniser in training; the unit is an iteration."""

    def __init__(self, config: TrainingConfig) -> None:
        rng = np.random.default_rng(0)
        clips = config.people * config.clips
        self.frames = rng.integers(0, 256, (clips * config.frames, 64, 44), np.uint8)
        self.lengths = (config.frames,) * clips
        self.labels = torch.arange(config.people).repeat_interleave(config.clips)
        self.network = build_network(config.network, CLASSES).train()
        self.optimizer = torch.optim.SGD(self.network.parameters(), 1e-4, config.momentum)

    def train(self, precision: str) -> float:
        """One iteration: forward, losses, backward, SGD step."""
        with autocast(precision):
            embeddings, logits = self.network(to_sils(self.frames), self.lengths)
        loss = triplet_loss(embeddings, self.labels)
        if logits is not None:
            loss = loss + cross_entropy_loss(logits, self.labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return 1.0


def gaitset() -> Stopwatch:
    """GaitSet as its CPU preset trains it."""
    return _recogniser("gaitset")


def gaitbase() -> Stopwatch:
    """GaitBase as its CPU preset trains it."""
    return _recogniser("gaitbase")


def _recogniser(model: str) -> Stopwatch:
    config = preset(model, "cpu")
    work = RecogniserWork(config)
    parameters = sum(parameter.numel() for parameter in work.network.parameters())
    label = f"{model}, {config.people} x {config.clips} clips of {config.frames} frames"
    batch = {"recognition": config.people * config.clips}
    return Stopwatch(Contender(model, label, parameters, batch), {"recognition": work.train})

"""Training: examples keyed by (seed, step, process), averaged weights, a state on disk from which nothing is lost.

A resumed run sees exactly the examples that an uninterrupted one would have seen. What they are is up to the objective:
noisy clips (:mod:`~gaitcrafter_ext.generator.denoising`) or a teacher's trajectories
(:mod:`~gaitcrafter_ext.generator.distillation`).
"""

from __future__ import annotations

import ctypes
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import parse_flag_from_env
from torch import Tensor
from tqdm import tqdm

from gaitcrafter_ext.errors import DataError, UsageError
from gaitcrafter_ext.generator.conditioning import Conditioning
from gaitcrafter_ext.generator.config import GeneratorConfig, TrainingConfig
from gaitcrafter_ext.generator.framework import EMAModel
from gaitcrafter_ext.generator.network import GaitUNet
from gaitcrafter_ext.generator.objective import denoising_loss
from gaitcrafter_ext.generator.people import PeopleSpace
from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline
from gaitcrafter_ext.generator.sampling import make_scheduler
from gaitcrafter_ext.generator.state import Progress, StateFolder, stop_requests
from gaitcrafter_ext.generator.weights import Card
from gaitcrafter_ext.hardware import multiplies_bfloat16, pick_device

#: Examples of a validation that are computed at once.
HELD_OUT_BATCH = 16

#: Steps between two looks at the loss, and between two exchanges of wishes among processes: each makes a GPU wait.
GLANCE = 10


@dataclass(frozen=True)
class Examples:
    """What the denoiser is shown, and the clean clips that it is to answer with.

    ``x_t`` and ``target`` are float32 [b, frames, h, w], ``t`` is [b], noise levels in [0, 1].
    """

    x_t: Tensor
    t: Tensor
    target: Tensor
    given: Conditioning


class HeldOut:
    """Denoising loss on the same examples at every call; ``swapped`` [b, d] are the codes of other people."""

    def __init__(self, examples: Examples, swapped: Tensor) -> None:
        self.examples, self.swapped = examples, swapped

    def __call__(self, denoiser: GaitUNet) -> tuple[float, float]:
        """Mean loss, and the identity gain: the share by which it is lower than with others' codes."""
        true = self._loss(denoiser, self.examples.given.code)
        return true, 1.0 - true / self._loss(denoiser, self.swapped)

    @torch.no_grad()
    def _loss(self, denoiser: GaitUNet, code: Tensor) -> float:
        losses, every, device = [], self.examples, denoiser.device
        for rows in torch.arange(len(every.t)).split(HELD_OUT_BATCH):
            given = every.given._replace(code=code).rows(rows).to(device)
            t = every.t[rows].to(device)
            predicted = denoiser(every.x_t[rows].to(device), t, *given)
            losses.append(denoising_loss(predicted, every.target[rows].to(device), t))
        return float(torch.cat(losses).mean())


class Objective(Protocol):
    """What a denoiser is trained to do.

    ``shift`` is how far the noise levels lean to high noise. ``facts`` are fingerprints of what it is trained on and
    began with; a resumed run must have the same. ``origin`` is what the weights descend from, for their card.
    """

    people: PeopleSpace
    shift: float
    facts: dict[str, str]
    origin: dict[str, Any]

    @property
    def held_out(self) -> HeldOut | None:
        """What validates; made with some effort, so not before it is needed."""

    def network(self) -> GaitUNet:
        """The network to begin with; the same at every call."""

    def to(self, device: torch.device) -> None:
        """Make examples there."""

    def examples(self, rng: np.random.Generator) -> Examples:
        """Those of one step of one process."""

    def card(self, training: dict[str, Any]) -> Card:
        """Card of the weights, before their checksums."""


class Trainer:
    """Trains a denoiser; state and logs are kept in ``folder``.

    ``restart`` deletes the state of an earlier run there, once everything else is found to be right; without it,
    ``ConflictError`` where that had another configuration or other data. ``UsageError`` where the precision is not
    possible on this device, or the initial weights are of another size.
    """

    def __init__(self, config: GeneratorConfig, objective: Objective, folder: Path, restart: bool = False) -> None:
        self.config, self.objective = config, objective
        settings = config.training
        self.accelerator = _accelerator(settings.precision, folder)
        denoiser = objective.network()
        self.ema = EMAModel(denoiser.parameters(), decay=settings.ema_decay, foreach=True)
        decay, rate = settings.weight_decay, settings.learning_rate
        optimizer = torch.optim.AdamW(denoiser.parameters(), rate, (0.9, 0.99), weight_decay=decay, fused=True)
        self.denoiser, self.optimizer = self.accelerator.prepare(denoiser, optimizer)
        self.progress = Progress()
        self.accelerator.register_for_checkpointing(self.ema, self.progress)
        self.state = StateFolder(folder, config, objective.facts, self.accelerator)
        if restart or not self.state.resume():
            self.state.begin(restart)
        self.ema.to(self.accelerator.device)  # a state that was saved is read to the CPU
        objective.to(self.accelerator.device)
        self.accelerator.init_trackers("logs")

    def run(self, max_minutes: float | None = None) -> Iterator[None]:
        """Train until ``max_clips``, ``max_minutes`` of this call, or SIGINT/SIGTERM; yields at each validation.

        The state is saved every ``save_minutes`` and at the end. ``DataError`` where the loss is no longer finite; a
        state that was saved is kept.
        """
        settings, started = self.config.training, time.monotonic()
        before, saved, losses = self.progress.seconds, started, list[Tensor]()
        with fast_arithmetic(), stop_requests() as signals, self._bar() as bar:
            while self.progress.clips < settings.max_clips:
                losses.append(self._step())
                bar.update(settings.batch_size * self.accelerator.num_processes)
                if self.progress.step % GLANCE == 0:
                    self._mean(losses[-GLANCE:])
                now = time.monotonic()
                self.progress.seconds = before + now - started
                if self.progress.step % settings.validate_every == 0:
                    self._validate(self._mean(losses), bar)
                    losses.clear()
                    yield
                if self.accelerator.num_processes > 1 and self.progress.step % GLANCE:
                    continue
                late = max_minutes is not None and now - started > 60 * max_minutes
                stop, save = self._agree(bool(signals) or late, now - saved > 60 * settings.save_minutes)
                if stop:
                    break
                if save:
                    self._mean(losses)
                    self.state.save(self.progress)
                    saved = time.monotonic()
        self._mean(losses)
        self.state.save(self.progress)

    def averaged(self) -> GaitUNet:
        """The averaged weights in a network of their own."""
        size = self.accelerator.unwrap_model(self.denoiser).config
        average: GaitUNet = GaitUNet.from_config(size).to(self.accelerator.device)
        self.ema.copy_to(average.parameters())
        return average.eval()

    def pipeline(self, training: dict[str, Any]) -> GaitCrafterPipeline:
        """The averaged weights as they are now, in half precision, with their card; ``training`` is a part of it."""
        card, people = self.objective.card(training), self.objective.people
        conditions, scheduler = list(card.vocabulary.conditions), make_scheduler("euler", self.objective.shift)
        how = asdict(card.sampling)
        pipeline = GaitCrafterPipeline(self.averaged().half(), people, scheduler, conditions, card.cadence, **how)
        pipeline.card = card
        return pipeline

    def _agree(self, *wishes: bool) -> list[bool]:
        """What any process wishes, all do: they stop and save at the same step, whatever their clocks say."""
        if self.accelerator.num_processes == 1:
            return list(wishes)
        votes = torch.tensor(wishes, dtype=torch.float32, device=self.accelerator.device)
        return [bool(vote) for vote in self.accelerator.reduce(votes, reduction="sum")]

    def _mean(self, losses: list[Tensor]) -> float:
        """Mean of some losses; a value that is not finite ends the training."""
        mean = float(torch.stack(losses).mean()) if losses else 0.0
        if not np.isfinite(mean):
            kept = "the last saved state is kept" if self.state.saved else "no state was saved yet"
            raise DataError(
                f"training: the loss is {mean} near step {self.progress.step}: it diverged; {kept}; lower "
                "training.learning_rate and begin again"
            )
        return mean

    def _step(self) -> Tensor:
        """One optimisation step; returns its mean loss."""
        settings, progress = self.config.training, self.progress
        rng = np.random.default_rng([settings.seed, progress.step, self.accelerator.process_index])
        with torch.no_grad(), self.accelerator.autocast():
            examples = self.objective.examples(rng)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(settings, progress.step, progress.clips)
        predicted = self.denoiser(examples.x_t, examples.t, *examples.given)
        loss = denoising_loss(predicted, examples.target, examples.t, settings.feet).mean()
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.denoiser.parameters(), settings.gradient_clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.ema.step(self.accelerator.unwrap_model(self.denoiser).parameters())
        progress.step += 1
        progress.clips += settings.batch_size * self.accelerator.num_processes
        return loss.detach()

    def _validate(self, training_loss: float, bar: tqdm[Any]) -> None:
        """Validate the averaged weights, log the figures and show them on the bar; NaN where nothing is held out."""
        loss, gain = math.nan, math.nan
        if self.accelerator.is_main_process:
            with self.accelerator.autocast():
                if held_out := self.objective.held_out:
                    loss, gain = held_out(self.averaged())
        self.progress.curve.append((self.progress.clips, training_loss, loss, gain))
        scalars = {"loss/train": training_loss, "loss/held_out": loss, "identity_gain": gain}
        self.accelerator.log(scalars, step=self.progress.clips)
        bar.set_postfix({name: f"{value:.3f}" for name, value in scalars.items()})

    def _bar(self) -> tqdm[Any]:
        """Progress in clips, with rate and time left, on stderr."""
        total, done, quiet = self.config.training.max_clips, self.progress.clips, not self.accelerator.is_main_process
        return tqdm(total=total, initial=done, unit="clip", desc="training", disable=quiet, mininterval=2.0)


def learning_rate(settings: TrainingConfig, step: int, clips: int) -> float:
    """Warm-up over ``warmup_steps``, plateau, and a fall to 0 over the last ``cooldown`` of ``max_clips``."""
    rising = min(1.0, (step + 1) / max(1, settings.warmup_steps))
    left = 1.0 - clips / settings.max_clips
    return settings.learning_rate * rising * min(1.0, left / settings.cooldown if settings.cooldown else 1.0)


@contextmanager
def fast_arithmetic() -> Iterator[None]:
    """Make a CPU step fast: no denormal numbers (a backward pass took ten times as long with them), memory kept."""
    keep_freed_memory()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def keep_freed_memory() -> None:
    """Make glibc keep large freed blocks instead of returning them to the system: 6-7 % of a step on a CPU."""
    trim_threshold, mmap_threshold, kept_bytes = -1, -3, 1 << 30  # mallopt's parameters, malloc.h
    if sys.platform.startswith("linux") and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(mmap_threshold, kept_bytes)
        mallopt(trim_threshold, kept_bytes)


def _accelerator(precision: str, folder: Path) -> Accelerator:
    device = "cpu" if parse_flag_from_env("ACCELERATE_USE_CPU") else pick_device("auto").type
    if precision == "auto":
        precision = "bf16" if multiplies_bfloat16(device) else "no"
    try:
        if precision == "fp16" and device != "cuda":  # accelerate would take full precision in silence
            raise ValueError("needs a CUDA GPU")
        return Accelerator(mixed_precision=precision, log_with="tensorboard", project_dir=str(folder))
    except ValueError as error:
        allowed = "allowed here: auto, no, bf16"
        raise UsageError(f"training.precision '{precision}': {error}; {allowed}") from None

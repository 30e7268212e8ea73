"""Training: batches keyed by (seed, step, process), averaged weights, a state on disk from which nothing is lost.

Every random draw of a step comes from a generator keyed by (seed, step, process), so a resumed run sees exactly the
batches that an uninterrupted one would have seen.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.generator.config import GeneratorConfig, TrainingConfig
from gaitcrafter_ext.generator.data import Batch, ClipLibrary
from gaitcrafter_ext.generator.framework import EMAModel
from gaitcrafter_ext.generator.initial import InitialWeights
from gaitcrafter_ext.generator.interruption import stop_requests
from gaitcrafter_ext.generator.network import GaitUNet
from gaitcrafter_ext.generator.objective import add_noise, denoising_loss, shifted_levels
from gaitcrafter_ext.generator.state import Progress, StateFolder
from gaitcrafter_ext.generator.validation import HeldOutLoss, Validation
from gaitcrafter_ext.hardware import multiplies_bfloat16

__all__ = ["Trainer", "build_denoiser", "learning_rate"]


def build_denoiser(config: GeneratorConfig, library: ClipLibrary) -> GaitUNet:
    """A fresh network for these people, the same for the same seed."""
    words = library.vocabulary
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.training.seed)
        return GaitUNet(
            identities=len(words.identities),
            conditions=len(words.conditions),
            frames=library.frames,
            width=library.columns,
            **asdict(config.model),
        )


class Trainer:
    """Trains a denoiser on a library of clips.

    Args:
        config: How.
        library: The clips to train on.
        held_out: Clips to validate on; may be ``None``.
        folder: Where state and logs are kept.
        initial: Weights to begin with instead of random ones; a state to resume goes before them.
        anew: Delete the state of an earlier run in ``folder``, once everything else is found to be right.

    Raises:
        ConflictError: ``folder`` holds the state of a run with another configuration.
        UsageError: The precision is not possible on this device.
    """

    def __init__(
        self,
        config: GeneratorConfig,
        library: ClipLibrary,
        held_out: ClipLibrary | None,
        folder: Path,
        initial: InitialWeights | None = None,
        anew: bool = False,
    ) -> None:
        self.config, self.library, self.folder = config, library, folder
        settings = config.training
        try:
            self.accelerator = Accelerator(
                mixed_precision=_precision(settings.precision), log_with="tensorboard", project_dir=str(folder)
            )
        except ValueError as error:
            allowed = "allowed here: auto, no, bf16"
            raise UsageError(f"training.precision '{settings.precision}': {error}; {allowed}") from None
        denoiser = build_denoiser(config, library)
        if initial is not None:
            initial.give(denoiser)
        self.ema = EMAModel(denoiser.parameters(), decay=settings.ema_decay, foreach=True)
        self.ema.to(self.accelerator.device)
        optimizer = torch.optim.AdamW(
            denoiser.parameters(),
            settings.learning_rate,
            weight_decay=settings.weight_decay,
            betas=(0.9, 0.99),
            fused=True,
        )
        self.denoiser, self.optimizer = self.accelerator.prepare(denoiser, optimizer)
        self.progress = Progress(init=initial.facts() if initial else None)
        self.accelerator.register_for_checkpointing(self.ema, self.progress)
        self.cumulative = np.cumsum(library.weights(settings.condition_balance))
        self.held_out_loss = None
        if held_out is not None:
            self.held_out_loss = HeldOutLoss(held_out, settings.noise_shift, settings.seed)
        self.state = StateFolder(folder, config, self.accelerator)
        if anew or not self.state.resume():
            self.state.begin(anew)
        self.accelerator.init_trackers("logs")

    def run(self, max_minutes: float | None = None) -> Iterator[Validation]:
        """Train until ``max_clips``, ``max_minutes`` of this call, or SIGINT/SIGTERM; yields at each validation.

        The state is saved every ``save_minutes`` and at the end.
        """
        settings, started = self.config.training, time.monotonic()
        before, saved, losses = self.progress.seconds, started, []
        with stop_requests() as signals, self._bar() as bar:
            stop = False
            while self.progress.clips < settings.max_clips and not stop:
                losses.append(self._step())
                bar.update(settings.batch_size * self.accelerator.num_processes)
                now = time.monotonic()
                self.progress.seconds = before + now - started
                if self.progress.step % settings.validate_every == 0:
                    mean, losses = float(torch.stack(losses).mean()), []
                    yield self._validated(mean, bar)
                late = max_minutes is not None and now - started > 60 * max_minutes
                stop, save = self._agree(bool(signals) or late, now - saved > 60 * settings.save_minutes)
                if save and not stop:
                    self.save()
                    saved = time.monotonic()
        self.save()

    def _agree(self, *wishes: bool) -> list[bool]:
        """What any process wishes, all do: they stop and save at the same step, whatever their clocks say."""
        if self.accelerator.num_processes == 1:
            return list(wishes)
        votes = torch.tensor(wishes, dtype=torch.float32, device=self.accelerator.device)
        return [bool(vote) for vote in self.accelerator.reduce(votes, reduction="sum")]

    def log_sheet(self, image: NDArray[np.uint8]) -> None:
        """Show a grey image [h, w] in TensorBoard."""
        for tracker in self.accelerator.trackers:
            tracker.writer.add_image("samples", image, self.progress.clips, dataformats="HW")

    def averaged(self) -> GaitUNet:
        """The averaged weights in a network of their own."""
        copy = build_denoiser(self.config, self.library).to(self.accelerator.device)
        self.ema.copy_to(copy.parameters())
        return copy.eval()

    def save(self) -> None:
        """Write the state, from which the same configuration goes on."""
        self.state.save(self.progress)

    def _step(self) -> Tensor:
        """One optimisation step; returns its mean loss."""
        settings, state = self.config.training, self.progress
        rng = np.random.default_rng([settings.seed, state.step, self.accelerator.process_index])
        batch = self._drop(self.library.draw(settings.batch_size, rng, self.cumulative), rng).to(
            self.accelerator.device
        )
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        level = shifted_levels(_stratified(settings.batch_size, generator), settings.noise_shift).to(batch.clean.device)
        noise = torch.randn(batch.clean.shape, generator=generator).to(batch.clean.device)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(settings, state.step, state.clips)
        predicted = self.denoiser(
            add_noise(batch.clean, noise, level), level, batch.code, batch.condition, batch.view_deg
        )
        loss = denoising_loss(predicted, batch.clean, level).mean()
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.denoiser.parameters(), settings.gradient_clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.ema.step(self.accelerator.unwrap_model(self.denoiser).parameters())
        state.step += 1
        state.clips += settings.batch_size * self.accelerator.num_processes
        return loss.detach()

    def _drop(self, batch: Batch, rng: np.random.Generator) -> Batch:
        """Leave out identity, condition and view, one by one or together (classifier-free, arXiv 2207.12598)."""
        settings, size = self.config.training, len(batch.clean)
        everything = rng.random(size) < settings.drop_all
        drop = [
            torch.from_numpy(everything | (rng.random(size) < p))
            for p in (settings.drop_identity, settings.drop_condition, settings.drop_view)
        ]
        return Batch(
            batch.clean,
            batch.code.masked_fill(drop[0][:, None], 0.0),
            batch.condition.masked_fill(drop[1], -1),
            batch.view_deg.masked_fill(drop[2], torch.nan),
        )

    def _validated(self, training_loss: float, bar: tqdm[Any]) -> Validation:
        """Validate the averaged weights, log the figures and show them on the bar."""
        found = Validation()
        if self.held_out_loss is not None and self.accelerator.is_main_process:
            with self.accelerator.autocast():
                found = self.held_out_loss(self.averaged())
        self.progress.curve.append((self.progress.clips, training_loss, found.loss, found.identity_gain))
        scalars = {"loss/train": training_loss, "loss/held_out": found.loss, "identity_gain": found.identity_gain}
        self.accelerator.log(scalars, step=self.progress.clips)
        shown = {"train": training_loss, "held_out": found.loss, "identity": found.identity_gain}
        bar.set_postfix({name: f"{value:.3f}" for name, value in shown.items()})
        return found

    def _bar(self) -> tqdm[Any]:
        """Progress in clips, with rate and time left, on stderr."""
        return tqdm(
            total=self.config.training.max_clips,
            initial=self.progress.clips,
            unit="clip",
            desc="training",
            disable=not self.accelerator.is_main_process,
            mininterval=2.0,
        )


def _precision(asked: str) -> str:
    """What ``accelerate`` calls the precision; ``auto`` made definite."""
    if asked != "auto":
        return asked
    return "bf16" if multiplies_bfloat16("cuda" if torch.cuda.is_available() else "cpu") else "no"


def learning_rate(settings: TrainingConfig, step: int, clips: int) -> float:
    """Warm-up over ``warmup_steps``, plateau, and a fall to 0 over the last ``cooldown`` of ``max_clips``."""
    rising = min(1.0, (step + 1) / settings.warmup_steps)
    left = 1.0 - clips / settings.max_clips
    return settings.learning_rate * rising * min(1.0, left / settings.cooldown if settings.cooldown else 1.0)


def _stratified(size: int, generator: torch.Generator) -> Tensor:
    """``size`` uniform numbers, one in each of ``size`` equal parts of [0, 1], in random order: less noisy a loss."""
    offsets = torch.rand(size, generator=generator)
    return (torch.randperm(size, generator=generator) + offsets) / size

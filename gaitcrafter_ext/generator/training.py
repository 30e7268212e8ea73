"""Training: batches keyed by (seed, step, process), averaged weights, a state on disk from which nothing is lost.

Every random draw of a step comes from a generator keyed by (seed, step, process), so a resumed run sees exactly the
batches that an uninterrupted one would have seen.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor
from tqdm import tqdm

from gaitcrafter_ext.errors import DataError, UsageError
from gaitcrafter_ext.generator.config import GeneratorConfig, TrainingConfig
from gaitcrafter_ext.generator.data import ClipDataset, drop_conditions
from gaitcrafter_ext.generator.framework import EMAModel
from gaitcrafter_ext.generator.network import GaitUNet
from gaitcrafter_ext.generator.objective import add_noise, denoising_loss, shift_t
from gaitcrafter_ext.generator.people import PeopleSpace
from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline, SampleRequest
from gaitcrafter_ext.generator.samplers import make_scheduler
from gaitcrafter_ext.generator.shape import TILE
from gaitcrafter_ext.generator.state import Progress, StateFolder, stop_requests
from gaitcrafter_ext.generator.weights import (
    PEOPLE_NAME,
    WEIGHTS_NAME,
    Card,
    TrainedOn,
    Vocabulary,
    check_weights,
    locate,
    read_card,
)
from gaitcrafter_ext.hardware import multiplies_bfloat16
from gaitcrafter_ext.silhouettes.pictures import strip
from gaitcrafter_ext.vocabulary import ClipKey, identities_hash

__all__ = ["HeldOutLoss", "InitialWeights", "Trainer", "Validation", "fast_arithmetic", "keep_freed_memory", "preview"]

#: Held-out windows on which the validation loss is taken, and how many are computed at once.
HELD_OUT_WINDOWS, HELD_OUT_BATCH = 64, 16

#: Steps between two looks at the loss, and between two exchanges of wishes among processes: each makes a GPU wait.
GLANCE = 10

#: Share of a GPU's free memory that the clips may take.
ON_DEVICE = 0.5


class Trainer:
    """Trains a denoiser on a dataset of clips.

    Args:
        config: How.
        dataset: The clips to train on.
        held_out: Clips to validate on; may be ``None``.
        folder: Where state and logs are kept.
        initial: Weights to begin with instead of random ones; a state to resume goes before them.
        restart: Delete the state of an earlier run in ``folder``, once everything else is found to be right.

    Raises:
        ConflictError: ``folder`` holds the state of a run with another configuration or other data.
        UsageError: The precision is not possible on this device.
    """

    def __init__(
        self,
        config: GeneratorConfig,
        dataset: ClipDataset,
        held_out: ClipDataset | None,
        folder: Path,
        initial: InitialWeights | None = None,
        restart: bool = False,
    ) -> None:
        self.config, self.dataset, self.initial = config, dataset, initial
        settings = config.training
        self.accelerator = _accelerator(settings.precision, folder)
        self.people = dataset.encode_people(initial.people) if initial else dataset.fit_people(config.model.code_dim)
        dataset.place(self.people)
        denoiser = self._build()
        if initial is not None:
            initial.load_into(denoiser, dataset.vocabulary)
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
        self.progress = Progress()
        self.accelerator.register_for_checkpointing(self.ema, self.progress)
        self.cumulative = np.cumsum(dataset.weights(settings.condition_balance))
        self.held_out_loss = None
        if held_out is not None:
            held_out.place(self.people)
            self.held_out_loss = HeldOutLoss(held_out, settings.noise_shift, settings.seed)
        began = {"clips": dataset.fingerprint, "init": initial.card.fingerprint if initial else ""}
        self.state = StateFolder(folder, config, began, self.accelerator)
        if restart or not self.state.resume():
            self.state.begin(restart)
        self._keep_on_device()
        self.accelerator.init_trackers("logs")

    def run(self, max_minutes: float | None = None) -> Iterator[Validation]:
        """Train until ``max_clips``, ``max_minutes`` of this call, or SIGINT/SIGTERM; yields at each validation.

        The state is saved every ``save_minutes`` and at the end.

        Raises:
            DataError: The loss is no longer finite; a state that was saved is kept.
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
                    mean, losses = self._mean(losses), []
                    yield self._validated(mean, bar)
                if self.accelerator.num_processes > 1 and self.progress.step % GLANCE:
                    continue
                late = max_minutes is not None and now - started > 60 * max_minutes
                stop, save = self._agree(bool(signals) or late, now - saved > 60 * settings.save_minutes)
                if stop:
                    break
                if save:
                    self._mean(losses)
                    self.save()
                    saved = time.monotonic()
        self._mean(losses)
        self.save()

    def save(self) -> None:
        """Write the state, from which the same configuration goes on."""
        self.state.save(self.progress)

    def averaged(self) -> GaitUNet:
        """The averaged weights in a network of their own."""
        copy = self._build().to(self.accelerator.device)
        self.ema.copy_to(copy.parameters())
        return copy.eval()

    def pipeline(self, held: list[ClipKey], training: dict[str, Any]) -> GaitCrafterPipeline:
        """The averaged weights as they are now, in half precision, with their card.

        Args:
            held: Clips of the training people that were held out.
            training: How the weights were made; anything JSON can hold.
        """
        words, config, cadence = self.dataset.vocabulary, self.config, self.dataset.cadence
        before = self.initial.card.everybody() if self.initial else set()
        known = {f"{config.dataset.name}/{name}" for name in words.identities}
        trained_on = TrainedOn(
            config.dataset.name,
            identities_hash(words.identities),
            tuple(sorted({f"{key.identity}/{key.take}" for key in held})),
            tuple(sorted({key.take for key in (*self.dataset.keys, *held)})),
            tuple(sorted(before - known)),
        )
        scheduler = make_scheduler("euler", config.training.noise_shift)
        half = self.averaged().half()
        pipeline = GaitCrafterPipeline(half, self.people, scheduler, list(words.conditions), cadence)
        pipeline.card = Card(
            words, trained_on, config.dataset, cadence, training=training, code_dim=config.model.code_dim
        )
        return pipeline

    def preview(self) -> None:
        """Show a sheet of clips of the averaged weights in TensorBoard."""
        words = self.dataset.vocabulary
        scheduler = make_scheduler("euler", self.config.training.noise_shift)
        pipeline = GaitCrafterPipeline(
            self.averaged(), self.people, scheduler, list(words.conditions), self.dataset.cadence
        )
        image = preview(pipeline, words)
        for tracker in self.accelerator.trackers:
            tracker.writer.add_image("samples", image, self.progress.clips, dataformats="HW")

    def _build(self) -> GaitUNet:
        """A fresh network for these people, the same for the same seed."""
        size = asdict(self.config.model)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.training.seed)
            return GaitUNet(
                conditions=len(self.dataset.vocabulary.conditions),
                frames=self.dataset.window,
                width=self.dataset.columns,
                **size,
            )

    def _keep_on_device(self) -> None:
        """Gather batches on the GPU where all clips fit there."""
        device = self.accelerator.device
        if device.type == "cuda" and self.dataset.frames.numel() < ON_DEVICE * torch.cuda.mem_get_info(device)[0]:
            self.dataset.to(device)

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
        shares = (
            settings.drop_all,
            settings.drop_identity,
            settings.drop_condition,
            settings.drop_view,
            settings.drop_phase,
        )
        batch = self.dataset.sample_batch(settings.batch_size, rng, self.cumulative)
        batch = drop_conditions(batch, shares, rng).to(self.accelerator.device)
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        t = shift_t(_stratified(settings.batch_size, generator), settings.noise_shift).to(batch.clean.device)
        wander = settings.code_noise * torch.randn(batch.code.shape, generator=generator).to(batch.code.device)
        noise = self._noise(batch.clean, generator)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(settings, progress.step, progress.clips)
        predicted = self.denoiser(
            add_noise(batch.clean, noise, t), t, batch.code + wander, batch.condition, batch.view_deg, batch.phase
        )
        loss = denoising_loss(predicted, batch.clean, t, settings.feet).mean()
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.denoiser.parameters(), settings.gradient_clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.ema.step(self.accelerator.unwrap_model(self.denoiser).parameters())
        progress.step += 1
        progress.clips += settings.batch_size * self.accelerator.num_processes
        return loss.detach()

    def _noise(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Noise of a batch, drawn where the batch lies."""
        if like.device.type == "cpu":
            return torch.randn(like.shape, generator=generator)
        own = torch.Generator(like.device).manual_seed(generator.initial_seed())
        return torch.randn(like.shape, generator=own, device=like.device)

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


@dataclass(frozen=True)
class Validation:
    """One validation of the averaged weights on held-out clips; NaN where no clips are held out.

    Attributes:
        loss: Mean denoising loss.
        identity_gain: Share by which the loss is lower with the true identity than with another one; 0 = the model does
            not tell people apart.
    """

    loss: float = float("nan")
    identity_gain: float = float("nan")


class HeldOutLoss:
    """Denoising loss on the same windows, noise and noise levels at every call.

    Args:
        dataset: Held-out clips.
        noise_shift: As in training.
        seed: Of the windows and the noise.
    """

    def __init__(self, dataset: ClipDataset, noise_shift: float, seed: int) -> None:
        chosen = np.sort(np.random.default_rng([seed, 1]).permutation(len(dataset))[:HELD_OUT_WINDOWS])
        generator = torch.Generator().manual_seed(seed)
        self.batch = dataset.batch(chosen, np.zeros(len(chosen), dtype=np.int64))
        evenly = (torch.randperm(len(chosen), generator=generator) + 0.5) / len(chosen)
        self.t = shift_t(evenly, noise_shift)
        self.noise = torch.randn(self.batch.clean.shape, generator=generator)
        others = dataset.person[chosen]
        self.swapped = dataset.codes[(torch.from_numpy(others) + 1) % len(dataset.codes)]

    def __call__(self, denoiser: GaitUNet) -> Validation:
        """Loss with the true identities, and how much higher it is with other people's."""
        true = self._loss(denoiser, self.batch.code)
        return Validation(true, 1.0 - true / self._loss(denoiser, self.swapped))

    @torch.no_grad()
    def _loss(self, denoiser: GaitUNet, code: Tensor) -> float:
        losses = []
        for rows in torch.arange(len(self.t)).split(HELD_OUT_BATCH):
            part, t = self.batch[rows], self.t[rows]
            x_t = add_noise(part.clean, self.noise[rows], t).to(denoiser.device)
            part, t = part.to(denoiser.device), t.to(denoiser.device)
            codes = code[rows].to(denoiser.device)
            predicted = denoiser(x_t, t, codes, part.condition, part.view_deg, part.phase)
            losses.append(denoising_loss(predicted, part.clean, t))
        return float(torch.cat(losses).mean())


class InitialWeights:
    """Weights to begin a training with: tensors of one name and shape are taken over, conditions by their names.

    People are placed in the space that the weights know (:meth:`ClipDataset.encode_people`), so that those whom the
    network has never seen begin near people who look like them.

    Args:
        name: ``"bundled"`` or a folder of weights.
        dataset: Name of the dataset that will be trained on.
        people: Its people.

    Raises:
        MissingError: No weights are there.
        WeightsError: They are damaged or of another version.
        UsageError: They know people of the same dataset who are not among those to train on: the new weights would
            know them too, and test people would no longer be unseen.
    """

    def __init__(self, name: str | Path, dataset: str, people: tuple[str, ...]) -> None:
        self.folder = locate(name)
        self.card = read_card(self.folder)
        check_weights(self.folder, self.card)
        known = {entry.partition("/")[2] for entry in self.card.everybody() if entry.partition("/")[0] == dataset}
        strangers = sorted(known - set(people))
        if strangers:
            raise UsageError(
                f"--init: {name} has seen {len(strangers)} people of '{dataset}' outside TRAIN_SET "
                f"({', '.join(strangers[:3])}...); start from other weights, or from none"
            )
        self.people = PeopleSpace.from_pretrained(self.folder / Path(PEOPLE_NAME).parent)

    def load_into(self, denoiser: GaitUNet, vocabulary: Vocabulary) -> None:
        """Overwrite what ``denoiser`` has in common with the weights.

        Raises:
            UsageError: The network is of another size.
        """
        rows = "conditioner.condition"
        ours, theirs = denoiser.state_dict(), load_file(self.folder / WEIGHTS_NAME)
        taken = {name: tensor.float() for name, tensor in theirs.items() if name in ours and name != rows}
        if any(ours[name].shape != tensor.shape for name, tensor in taken.items()):
            size = json.loads((self.folder / "denoiser" / "config.json").read_text(encoding="utf-8"))
            keys = ("channels", "blocks", "embedding", "canvas_channels", "code_dim")
            model = ", ".join(f"{key}: {size[key]}" for key in keys)
            raise UsageError(f"--init: {self.folder.name} is of another size; set 'model: {{{model}}}' in --config")
        conditions = ours[rows].clone()
        for index, name in enumerate(vocabulary.conditions):
            if name in self.card.vocabulary.conditions:
                conditions[index] = theirs[rows][self.card.vocabulary.conditions.index(name)]
        conditions[-1] = theirs[rows][-1]  # not given
        denoiser.load_state_dict({**ours, **taken, rows: conditions})


def preview(pipeline: GaitCrafterPipeline, words: Vocabulary) -> NDArray[np.uint8]:
    """One tile of clips, people, conditions and views mixed: uint8 image [TILE * 64, columns]."""
    views = list(words.views.values())
    requests = [
        SampleRequest(
            weights={words.identities[index // 2 % len(words.identities)]: 1.0},
            condition=words.conditions[index % len(words.conditions)],
            view_deg=views[index * len(views) // TILE],
            seed=index,
        )
        for index in range(TILE)
    ]
    return np.concatenate([strip(clip) for clip in pipeline(requests).clips])


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


def keep_freed_memory() -> bool:
    """Tell glibc to keep large freed blocks instead of returning them to the system: 6-7 % of a step on a CPU.

    Returns:
        Whether it took effect; elsewhere it does nothing.
    """
    trim_threshold, mmap_threshold, kept_bytes = -1, -3, 1 << 30  # mallopt's parameters, malloc.h
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(mmap_threshold, kept_bytes) and mallopt(trim_threshold, kept_bytes))


def _accelerator(precision: str, folder: Path) -> Accelerator:
    if precision == "auto":
        precision = "bf16" if multiplies_bfloat16("cuda" if torch.cuda.is_available() else "cpu") else "no"
    try:
        if precision == "fp16" and not torch.cuda.is_available():  # accelerate would take full precision in silence
            raise ValueError("needs a CUDA GPU")
        return Accelerator(mixed_precision=precision, log_with="tensorboard", project_dir=str(folder))
    except ValueError as error:
        allowed = "allowed here: auto, no, bf16"
        raise UsageError(f"training.precision '{precision}': {error}; {allowed}") from None


def _stratified(size: int, generator: torch.Generator) -> Tensor:
    """``size`` uniform numbers, one in each of ``size`` equal parts of [0, 1], in random order: less noisy a loss."""
    offsets = torch.rand(size, generator=generator)
    return (torch.randperm(size, generator=generator) + offsets) / size

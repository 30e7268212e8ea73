"""From requests to clips: the sampler around the denoiser, as a ``diffusers`` pipeline.

A clip of any length is sampled in windows of 30 frames, every 15, along one ramp of phases. At each step the windows'
clean predictions are averaged with triangular weights (MultiDiffusion, arXiv 2302.08113), so there is no seam. Windows
are computed in tiles of one size, the last one padded, because a matrix product may round differently at another batch
size.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gaitcrafter_ext.errors import UsageError, WeightsError, suggest
from gaitcrafter_ext.generator.conditioning import Conditioning
from gaitcrafter_ext.generator.framework import BaseOutput, DiffusionPipeline, diffusers_logging
from gaitcrafter_ext.generator.network import GaitUNet
from gaitcrafter_ext.generator.noise import noise_of
from gaitcrafter_ext.generator.objective import guided, velocity
from gaitcrafter_ext.generator.people import PeopleSpace
from gaitcrafter_ext.generator.postprocess import postprocess, ragged
from gaitcrafter_ext.generator.sampling import (
    FRAMES,
    LONGEST,
    PRECISIONS,
    SHORTEST,
    TILE,
    IdentityScale,
    make_scheduler,
    scale_of,
    windows,
)
from gaitcrafter_ext.generator.weights import (
    CARD_NAME,
    PEOPLE_NAME,
    WEIGHTS_NAME,
    Card,
    SamplingDefaults,
    check_weights,
    checksum,
    fetch,
    mixed_cadence,
    model_card,
    push,
    read_card,
    refused_writes,
)
from gaitcrafter_ext.silhouettes.files import STAGED_PREFIX, atomic_write_text, move_files

#: Windows of a tile on accelerators; ``sampling.TILE`` on a CPU.
TILES = {"cuda": 128, "mps": 32}

#: Batches on their way at once. On a GPU, one is computed while another is drawn as masks or waits for its noise (with
#: more of them Python's lock is the limit); on a CPU, each has a thread of its own, which is faster than all threads
#: together at one batch.
LANES = {"cuda": 2, "mps": 1}
CPU_LANES = 8


@dataclass(frozen=True)
class SampleRequest:
    """One clip to make.

    Attributes:
        weights: Known person -> mixing weight. One entry = that person.
        view_deg: View in degrees; ``None`` = whatever view the model likes.
        seed: Key of the clip's noise, 0 <= seed < 2**63.
        cycle: Gait cycle in frames; ``None`` = that of the person, or the mixture's.
        start: Phase of the first frame, radians; 0 = the legs farthest apart.
        code: A place in the space of people, instead of ``weights``.
    """

    weights: Mapping[str, float]
    condition: str
    view_deg: float | None
    seed: int
    cycle: float | None = None
    start: float = 0.0
    code: Sequence[float] = ()


@dataclass
class GaitCrafterOutput(BaseOutput):
    """What a call of the pipeline gives: ``clips``, uint8 [n, frames, 64, 64], 0-255."""

    clips: NDArray[np.uint8]


class GaitCrafterPipeline(DiffusionPipeline):
    """Samples silhouette clips of known, blended or encoded people.

    Args:
        denoiser: The trained network.
        people: The space of people it was trained with.
        scheduler: A ``diffusers`` scheduler for rectified flow; its shift is reused for every sampler.
        conditions: Walking conditions, in the order of their index; those of ``people`` where left out.
        cadence: Person -> mean gait cycle and its standard deviation, frames.

    The other arguments are the defaults of a call, see :class:`SamplingDefaults`.
    """

    card: Card | None

    def __init__(
        self,
        denoiser: GaitUNet,
        people: PeopleSpace,
        scheduler: Any,
        conditions: list[str] | None = None,
        cadence: dict[str, Any] | None = None,
        sampler: str = SamplingDefaults.sampler,
        steps: int = SamplingDefaults.steps,
        guidance: float = SamplingDefaults.guidance,
        identity_scale: IdentityScale = SamplingDefaults.identity_scale,
        baked_in: bool = False,
    ) -> None:
        super().__init__()
        self.register_modules(denoiser=denoiser, people=people, scheduler=scheduler)
        how = {"steps": steps, "guidance": guidance, "identity_scale": identity_scale, "baked_in": baked_in}
        conditions = conditions or list(people.config.conditions)
        self.register_to_config(conditions=conditions, cadence=cadence or {}, sampler=sampler, **how)
        self.card = None

    @classmethod
    def from_pretrained(cls, folder: str | Path, **options: Any) -> GaitCrafterPipeline:
        """Load weights, checked against their card.

        ``folder`` is ``"bundled"``, a folder that ``train --out`` or ``save_pretrained`` wrote, or a repository of the
        Hugging Face Hub, ``owner/name``. Options go on to ``diffusers``, e.g. ``dtype``; full precision by default.
        ``MissingError`` where no weights are there, ``WeightsError`` where they are truncated, changed, or of another
        version.
        """
        path = fetch(folder)
        card = read_card(path)
        check_weights(path, card)
        diffusers_logging.disable_progress_bar()
        asked = {"dtype", "torch_dtype"} & options.keys()
        try:
            pipeline = super().from_pretrained(str(path), **(options if asked else {**options, "dtype": torch.float32}))
        except (OSError, ValueError, TypeError, KeyError, RuntimeError, AttributeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise WeightsError(f"{path}: the weights do not load ({reason}); copy the folder again") from None
        pipeline.card = card
        pipeline.denoiser.eval().to(memory_format=torch.channels_last)  # which loading loses
        return pipeline

    def save_pretrained(self, folder: str | Path, **options: Any) -> None:
        """Write the weights, the card last: a kill leaves the old ones or such as are refused, never mixed ones.

        ``UsageError`` where the pipeline has no card to write (it was made of parts), ``StorageError`` where the disk
        refuses.
        """
        if self.card is None:
            raise UsageError("save_pretrained: a pipeline made of parts has no card; set pipeline.card first")
        target = Path(folder)
        with refused_writes(target):
            target.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=STAGED_PREFIX, dir=target) as staged:
                super().save_pretrained(staged, **{"safe_serialization": True, **options})
                files = {name: checksum(Path(staged) / name) for name in (WEIGHTS_NAME, PEOPLE_NAME)}
                move_files(Path(staged), target)
        self.card = replace(self.card, files=files)
        atomic_write_text(target / CARD_NAME, self.card.to_json())

    def push_to_hub(
        self,
        repo_id: str,
        licence: str = "other",
        private: bool | None = None,
        token: str | None = None,
        report: str | Path | None = None,
    ) -> str:
        """Upload the weights with a model card made of theirs; returns the upload's address.

        The repository ``owner/name`` of the Hugging Face Hub is made where it is missing, ``private`` or not. The
        ``licence`` is that of the weights, which the training data decides, ``token`` by default the one that ``hf auth
        login`` stored, ``report`` the ``report.json`` of ``evaluate card``, for the card's figures. ``UsageError``
        where the pipeline has no card (it was made of parts), ``StorageError`` where the upload fails.
        """
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            assert self.card is not None
            (Path(folder) / "README.md").write_text(model_card(self.card, repo_id, licence, report))
            return push(Path(folder), repo_id, private, token)

    @property
    def identities(self) -> tuple[str, ...]:
        """Known people."""
        return tuple(self.people.config.identities)

    def __call__(
        self,
        requests: Sequence[SampleRequest],
        frames: int = FRAMES,
        steps: int | None = None,
        sampler: str | None = None,
        guidance: float | None = None,
        identity_scale: IdentityScale | None = None,
        precision: str = "fp32",
        batch_size: int | None = None,
    ) -> GaitCrafterOutput:
        """Make one clip a request.

        Args:
            requests: What to make; the order has no influence on a clip's content.
            frames: Length of each clip, 20 to 600.
            steps: Steps of the sampler; ``None`` = the weights' default.
            sampler: One of ``sampling.SAMPLER_NAMES``; ``None`` = the weights' default.
            guidance: Weight of the guidance towards what is asked for, 1 = none; ``None`` = the weights' default.
            identity_scale: How far people stand from the average one, see :data:`sampling.IdentityScale`; ``None`` =
                the weights' default.
            precision: One of ``sampling.PRECISIONS``.
            batch_size: Clips in memory at once; no influence on their content.

        Raises:
            UsageError: A request or option is not one that the weights allow.
        """
        if not SHORTEST <= frames <= LONGEST:
            raise UsageError(f"frames: {frames}; allowed: {SHORTEST} to {LONGEST}")
        how = self.sampling.choose(sampler, steps, guidance, identity_scale)
        run = self._sampler(how, precision)
        scales = self._scales(how.identity_scale)
        codes = self.people.codes.cpu()
        size = self._batch(frames) if batch_size is None else _at_least(1, batch_size, "batch_size")

        for request in requests:
            self._check(request)
        clips = np.empty((len(requests), frames, 64, 64), np.uint8)

        def make(start: int) -> None:
            batch = slice(start, start + size)
            seeds = [each.seed for each in requests[batch]]
            sample = run(self._given(requests[batch], frames, scales, codes), seeds)
            clips[batch] = postprocess(ragged(sample[:, :frames], seeds))

        with _lanes(self.denoiser.device) as pool:
            list(pool.map(make, range(0, len(requests), size)))  # raises what any of them did
        return GaitCrafterOutput(clips)

    def at_once(self, frames: int) -> int:
        """Clips of that length in a call that keeps the device busy: some batches for each lane."""
        lanes, _ = _count_lanes(self.device)
        return self._batch(frames) * lanes * (1 if self.device.type == "cpu" else 4)

    def _batch(self, frames: int) -> int:
        """Clips of that length whose windows fill a tile."""
        return _tile(self.device) // len(windows(frames)) or 1

    @property
    def sampling(self) -> SamplingDefaults:
        """Defaults of a call."""
        return SamplingDefaults(**{each.name: self.config[each.name] for each in fields(SamplingDefaults)})

    def _sampler(self, how: SamplingDefaults, precision: str) -> _Sampler:
        if precision not in PRECISIONS:
            raise UsageError(f"precision: unknown '{precision}'; {suggest(precision, PRECISIONS)}")
        return _Sampler(
            self.denoiser,
            partial(make_scheduler, how.sampler, self.shift),
            _at_least(1, how.steps, "steps"),
            1.0 if how.baked_in else _at_least(0.0, how.guidance, "guidance"),
            precision,
            how.baked_in,
        )

    @property
    def shift(self) -> float:
        """How far the noise levels of training and sampling lean to high noise."""
        return float(self.scheduler.config.get("flow_shift") or self.scheduler.config.shift)

    def _scales(self, scale: IdentityScale) -> dict[str, float]:
        """Condition -> factor on the codes of its clips."""
        conditions = tuple(self.config.conditions)
        if isinstance(scale, dict) and (unknown := sorted(scale.keys() - set(conditions))):
            known = suggest(unknown[0], conditions)
            raise UsageError(f"identity_scale: condition '{unknown[0]}' is unknown to these weights; {known}")
        return {name: _at_least(0.0, scale_of(scale, name), "identity_scale") for name in conditions}

    def _check(self, request: SampleRequest) -> None:
        """Refuse what cannot be asked of these weights."""
        conditions, shares = tuple(self.config.conditions), request.weights.values()
        if request.condition not in conditions:
            known = suggest(request.condition, conditions)
            raise UsageError(f"condition '{request.condition}' is unknown to these weights; {known}")
        if request.cycle is not None and request.cycle <= 0:
            raise UsageError(f"cycle: {request.cycle} frames asked for; allowed: above 0")
        if len(request.code):
            if len(request.code) != self.people.config.code_dim:
                raise UsageError(f"code: {len(request.code)} numbers; expected {self.people.config.code_dim}")
            if not all(map(math.isfinite, request.code)):
                raise UsageError("code: a number is not finite; expected finite numbers")
        elif unknown := sorted(name for name in request.weights if name not in self.people.row):
            known = suggest(unknown[0], self.identities)
            raise UsageError(f"identity '{unknown[0]}' is unknown to these weights; {known}")
        elif not all(0 <= share < math.inf for share in shares) or not sum(shares) > 0:
            raise UsageError(f"weights: {dict(request.weights)}; expected finite numbers from 0, not all of them 0")

    def _given(
        self, requests: Sequence[SampleRequest], frames: int, scales: Mapping[str, float], codes: Tensor
    ) -> Conditioning:
        """Requests as what the network is conditioned on; phases are NaN where no gait cycle is known."""
        conditions, time = list(self.config.conditions), torch.arange(max(frames, FRAMES), dtype=torch.float64)
        places = self.people.blends([{} if len(each.code) else each.weights for each in requests], codes)
        for place, each in zip(places, requests, strict=True):
            if len(each.code):
                place[:] = torch.tensor(each.code)
        own = [(mixed_cadence(each.weights, self.config.cadence) or (math.nan, 0.0))[0] for each in requests]
        cycle = [mean if each.cycle is None else each.cycle for each, mean in zip(requests, own, strict=True)]
        cycles, starts = (
            torch.tensor(each, dtype=torch.float64)[:, None] for each in (cycle, [each.start for each in requests])
        )
        return Conditioning(
            places * torch.tensor([scales[each.condition] for each in requests])[:, None],
            torch.tensor([conditions.index(each.condition) for each in requests]),
            torch.tensor([math.nan if each.view_deg is None else float(each.view_deg) for each in requests]),
            (2 * math.pi * time / cycles + starts).float(),
        )


@dataclass(frozen=True)
class _Sampler:
    """One choice of sampler, applied to clips of one length."""

    denoiser: GaitUNet
    make_scheduler: Callable[[], Any]
    steps: int
    guidance: float
    precision: str
    even: bool = False

    @property
    def tile(self) -> int:
        """Windows computed at once."""
        return _tile(self.denoiser.device)

    @torch.no_grad()
    def __call__(self, given: Conditioning, seeds: Sequence[int]) -> Tensor:
        """Sample clips: float32 [n, frames, h, w]. The device is not waited for."""
        device, frames = self.denoiser.device, given.phase.shape[1]
        clip, time = self._cells(len(seeds), frames)
        given = given.rows(clip)._replace(phase=given.phase[clip[:, None], time]).to(device)
        clip, time = clip.to(device), time.to(device)
        size = (frames, self.denoiser.config.height, self.denoiser.config.width)
        x_t = noise_of(seeds, *size, device=device)
        # Noise levels stay on the CPU, and are the scheduler's own: some schedulers round their timesteps.
        scheduler = self.make_scheduler()  # it counts steps, so each batch has its own
        if self.even:
            scheduler.set_timesteps(sigmas=[1 - step / self.steps for step in range(self.steps)])
        else:
            scheduler.set_timesteps(self.steps)
        for timestep, sigma in zip(scheduler.timesteps, scheduler.sigmas, strict=False):
            t = float(sigma)
            clean = self._fold(x_t, self._clean(x_t[clip[:, None], time], t, given))
            x_t = scheduler.step(velocity(x_t, clean, t), timestep, x_t).prev_sample
        return x_t

    def _cells(self, clips: int, frames: int) -> tuple[Tensor, Tensor]:
        """Clip [n] and frames [n, 30] of every window, in whole tiles: the last window fills the last one."""
        starts = torch.tensor(windows(frames))
        count = clips * len(starts)
        cell = torch.arange(-(-count // self.tile) * self.tile).clamp(max=count - 1)
        return cell // len(starts), starts[cell % len(starts), None] + torch.arange(FRAMES)

    def _clean(self, x_t: Tensor, t: float, given: Conditioning) -> Tensor:
        """Predicted clean windows [n, 30, h, w], tile by tile."""
        x_t = x_t.to(self.denoiser.dtype)
        tiles = [slice(start, start + self.tile) for start in range(0, len(x_t), self.tile)]
        # The cache of cast weights is one for all threads, and would be read before another stream has written it.
        with torch.autocast(x_t.device.type, torch.bfloat16, self.precision == "bf16", cache_enabled=False):
            return torch.cat([guided(self.denoiser, x_t[tile], t, given.rows(tile), self.guidance) for tile in tiles])

    def _fold(self, x_t: Tensor, clean: Tensor) -> Tensor:
        """Windows [n, 30, h, w] back to clips like ``x_t``, averaged where they overlap."""
        starts = windows(x_t.shape[1])
        by_clip = clean[: len(x_t) * len(starts)].unflatten(0, (len(x_t), len(starts)))
        rising = torch.arange(1, FRAMES + 1, device=x_t.device)
        weight = torch.minimum(rising, rising.flip(0)).float()[:, None, None]
        total, covered = torch.zeros_like(x_t), torch.zeros_like(x_t[0, :, :1, :1])
        for number, start in enumerate(starts):
            total[:, start : start + FRAMES] += by_clip[:, number] * weight
            covered[start : start + FRAMES] += weight
        return total / covered


@contextmanager
def _lanes(device: torch.device) -> Iterator[ThreadPoolExecutor]:
    """Threads that make batches side by side: on CUDA each with its own stream, on a CPU with its share of threads."""
    before, (count, threads) = torch.get_num_threads(), _count_lanes(device)

    def enter() -> None:
        torch.set_num_threads(threads)
        if device.type == "cuda":
            torch.cuda.set_stream(stream := torch.cuda.Stream(device))
            stream.wait_stream(torch.cuda.default_stream(device))

    try:
        with ThreadPoolExecutor(count, initializer=enter) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)  # the number set in a thread is that of threads begun later, too


def _count_lanes(device: torch.device) -> tuple[int, int]:
    """Batches on their way at once on a device, and CPU threads for each."""
    threads = torch.get_num_threads()
    count = LANES.get(device.type) or min(threads, CPU_LANES)
    return count, max(1, threads // count)


def _tile(device: torch.device) -> int:
    """Windows computed at once on a device."""
    return TILES.get(device.type, TILE)


def _at_least(least: Any, value: Any, option: str) -> Any:
    """``value``, if it is no less than ``least``."""
    if not least <= value < math.inf:  # a code that is not finite would count as not given
        raise UsageError(f"{option}: {value} asked for; allowed: {least} or more")
    return value

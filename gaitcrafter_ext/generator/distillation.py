"""Distillation: a student that answers in one or two evaluations as its guided teacher does in eight steps.

The teacher's flow is cut into as many segments as the student has steps. From where the teacher is at a segment's start
the student is to predict the clean clip whose Euler step lands where the teacher, guided, gets to by several
(progressive distillation, arXiv 2202.00512, in one stage; guidance baked in, arXiv 2210.03142). It begins with the
teacher's weights.

No clips are needed: every trajectory begins with pure noise and with what users ask for, known people, blends and drawn
ones, from any view, at any cadence. Segments after the first begin at the teacher's state, so that one trajectory gives
the examples of all; the student's differs by little, since the first segment is the shortest.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.generator.conditioning import Conditioning
from gaitcrafter_ext.generator.config import GeneratorConfig
from gaitcrafter_ext.generator.data import drop_conditions
from gaitcrafter_ext.generator.network import GaitUNet
from gaitcrafter_ext.generator.noise import keyed, noise_like
from gaitcrafter_ext.generator.objective import guided, shift_t, velocity
from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline
from gaitcrafter_ext.generator.sampling import scale_of
from gaitcrafter_ext.generator.training import Examples, HeldOut
from gaitcrafter_ext.generator.weights import Card, SamplingDefaults, trainable

#: Shares of people of the weights and of people drawn from the space; the others are blends of up to so many parents.
KNOWN, DRAWN, PARENTS = 0.5, 0.25, 10

#: Dirichlet parameter of a blend's shares, as in synthesis.
CONCENTRATION = 5.0

#: Half of all clips walk slower or faster than the person, and show the person more or less distinct, by up to this
#: factor.
SPREAD = 1.4

#: Trajectories on which the student is validated.
VALIDATION = 8


class ImitateTeacher:
    """An objective: examples from the trajectories of a teacher, which must not be distilled itself (``UsageError``).

    It is named as weights are: ``"bundled"``, a folder, or a repository of the Hub.
    """

    def __init__(self, config: GeneratorConfig, name: str | Path) -> None:
        name = trainable(name)
        self.config, self.teacher = config, GaitCrafterPipeline.from_pretrained(name)
        assert self.teacher.card is not None
        self.taught = known = self.teacher.card
        if known.sampling.baked_in:
            raise UsageError(f"--distill: {name} is distilled already; name the weights that it was distilled from")
        how = config.distillation
        self.guidance = known.sampling.guidance if how.guidance is None else how.guidance
        self.people, self.shift = self.teacher.people, self.teacher.shift
        self.facts = {"teacher": known.fingerprint}
        teacher = {"name": Path(name).name, "fingerprint": known.fingerprint, "training": known.training}
        self.origin = {"teacher": teacher}
        self.times = shift_t(1 - torch.arange(how.teacher_steps + 1) / how.teacher_steps, self.shift).tolist()
        self.cycles = np.array([known.cadence.get(name, (math.nan,))[0] for name in known.vocabulary.identities])

    def network(self) -> GaitUNet:
        """The student: a copy of the teacher."""
        # A copy of the module would bear the teacher's folder in its configuration, and so in what is published.
        size = {name: value for name, value in self.teacher.denoiser.config.items() if not name.startswith("_")}
        student = GaitUNet(**size)
        student.load_state_dict(self.teacher.denoiser.state_dict())
        return student

    def to(self, device: torch.device) -> None:
        """Move the teacher."""
        self.teacher.to(device)

    def examples(self, rng: np.random.Generator) -> Examples:
        """All segments of as many trajectories as a batch has clips."""
        settings = self.config.training
        given = self.requests(settings.batch_size, rng)
        given = drop_conditions(given, (0.0, 0.0, 0.0, settings.drop_view, settings.drop_phase), rng)
        generator = keyed(rng)
        wander = settings.code_noise * torch.randn(given.code.shape, generator=generator)
        return self._trajectory(given._replace(code=given.code + wander), generator)

    def requests(self, size: int, rng: np.random.Generator) -> Conditioning:
        """What users may ask for: float32 codes, and phases of the frames of one window."""
        people, words = self.people, self.taught.vocabulary
        kind, count = rng.random(size), len(words.identities)
        parents = rng.random((size, count)).argsort(axis=1)[:, :PARENTS]
        number = np.where(kind < KNOWN, 1, rng.integers(2, PARENTS + 1, size))
        shares = rng.gamma(CONCENTRATION, size=parents.shape)
        shares[np.arange(parents.shape[1]) >= number[:, None]] = 0
        shares /= shares.sum(axis=1, keepdims=True)
        mix = torch.from_numpy(shares / np.linalg.norm(shares, axis=1, keepdims=True)).float()
        codes = torch.einsum("bp,bpd->bd", mix, people.codes.cpu().float()[parents])
        drawn = torch.from_numpy(kind >= 1 - DRAWN)
        codes[drawn] = torch.stack([codes[0], *(people.draw(keyed(rng)) for _ in range(int(drawn.sum())))])[1:]
        cycle = (shares * np.where(shares > 0, self.cycles[parents], 0)).sum(axis=1)
        cycle *= _spread(size, rng)
        factors = _spread(size, rng)
        time = np.arange(self.teacher.denoiser.config.frames)
        phase = 2 * np.pi * (rng.random((size, 1)) + time / cycle[:, None])
        views = [math.nan if degrees is None else degrees for degrees in words.views.values()]
        conditions = rng.integers(len(words.conditions), size=size)
        factors *= [scale_of(self.taught.sampling.identity_scale, words.conditions[each]) for each in conditions]
        return Conditioning(
            codes * torch.from_numpy(factors).float()[:, None],
            torch.from_numpy(conditions),
            torch.tensor(rng.choice(views, size), dtype=torch.float32),
            torch.from_numpy(phase.astype(np.float32)),
        )

    def _trajectory(self, given: Conditioning, generator: torch.Generator) -> Examples:
        """The teacher's way from noise to clips, a segment a step of the student."""
        denoiser, steps = self.teacher.denoiser, self.config.distillation.steps
        given = given.to(denoiser.device)
        shape = (*given.phase.shape, denoiser.config.height, denoiser.config.width)
        x_t, states = noise_like(shape, denoiser.device, generator), list[Tensor]()
        for t, later in pairwise(self.times):
            states.append(x_t)
            x_t = x_t + (later - t) * velocity(x_t, guided(denoiser, x_t, t, given, self.guidance), t)
        each = len(states) // steps
        starts, times = [*states[::each], x_t], self.times[::each]
        targets = [
            start - t * (start - end) / (t - later)
            for (start, end), (t, later) in zip(pairwise(starts), pairwise(times), strict=True)
        ]
        t = torch.tensor(times[:-1], device=x_t.device).repeat_interleave(len(x_t))
        repeated = Conditioning(*(torch.cat([part] * steps) for part in given))
        return Examples(torch.cat(starts[:-1]), t, torch.cat(targets), repeated)

    @cached_property
    @torch.no_grad()
    def held_out(self) -> HeldOut:
        """Trajectories of fixed noise; the codes of others for the identity gain."""
        rng = np.random.default_rng([self.config.training.seed, 0, 0, 1])
        given = self.requests(VALIDATION, rng)
        examples = self._trajectory(given, keyed(rng))
        return HeldOut(examples, examples.given.code.roll(1, 0))

    def card(self, training: dict[str, Any]) -> Card:
        """The teacher's, with what is baked in: whoever the teacher saw, the student has seen."""
        steps, scale = self.config.distillation.steps, self.taught.sampling.identity_scale
        sampling = SamplingDefaults("euler", steps, self.guidance, scale, baked_in=True)
        return replace(self.taught, sampling=sampling, training=training, files={})


def _spread(size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Factors [size]: half of them 1."""
    return np.where(rng.random(size) < 0.5, SPREAD ** rng.uniform(-1, 1, size), 1.0)

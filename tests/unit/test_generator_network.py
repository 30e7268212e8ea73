"""The denoiser: what each input does, what is learned, and that every sampler undoes it; clips of it are golden."""

from __future__ import annotations

import math

import pytest
import torch

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.generator.conditioning import Conditioner, Conditioning, PhaseEmbedding
from gaitcrafter_ext.generator.network import PATCH_FRAMES, Block, GlobalAttention, Refinement
from gaitcrafter_ext.generator.objective import LOWER_THIRD, T_MIN, add_noise, denoising_loss, guided, velocity
from gaitcrafter_ext.generator.sampling import SAMPLER_NAMES, make_scheduler
from tests.tiny import tiny_network


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_what_is_zero_initialised_changes_nothing_at_first() -> None:
    x, embedding = _random(1, 3, 4, 4, 64), _random(1, 3, 4)
    for layer in (Block(64, 4), GlobalAttention(64, 4)):
        assert torch.equal(layer(x, embedding), x)
    clips = _random(1, 2, 8, 8)
    assert torch.equal(Refinement()(clips), clips)
    phases = PhaseEmbedding(8, PATCH_FRAMES)(_random(1, 30))
    assert torch.equal(phases, torch.zeros_like(phases))


def test_every_input_matters_and_each_frame_has_its_own_phase() -> None:
    network, x_t, phase = tiny_network(), _random(1, 30, 64, 48), _random(1, 30)
    inputs = {"t": torch.tensor([0.5]), "code": _random(1, 4), "condition": torch.tensor([0])}
    inputs |= {"view_deg": torch.tensor([0.0]), "phase": phase}
    base, late = network(x_t, **inputs), phase.clone()
    late[:, 20] += 1.0
    others = {"t": torch.tensor([0.9]), "code": _random(1, 4, seed=1), "condition": torch.tensor([1]), "phase": late}
    for name, value in {**others, "view_deg": torch.tensor([90.0])}.items():
        assert not torch.allclose(network(x_t, **{**inputs, name: value}), base), name
    given = network.phase(phase) - network.phase(late)
    assert given.abs().sum(dim=(0, 2)).nonzero().tolist() == [[20 // PATCH_FRAMES]]


def test_inputs_that_are_not_given_leave_no_trace() -> None:
    torch.manual_seed(0)
    conditioner = Conditioner(3, 2, 16)
    nothing = (torch.full((1, 3), math.nan), torch.tensor([-1]), torch.tensor([math.nan]))
    before = conditioner(*nothing)
    with torch.no_grad():
        conditioner.identity.weight.add_(1.0)
        conditioner.condition[:-1].add_(1.0)
    assert torch.isfinite(before).all()
    assert torch.equal(conditioner(*nothing), before)


def test_loss_is_that_of_the_velocity_and_held_near_no_noise() -> None:
    clean, noise, guess = _random(3, 2, 4, 3, 3)
    t = torch.tensor([0.4, 0.9])
    implied = (add_noise(clean, noise, t) - guess) / t[:, None, None, None]
    naive = ((implied - (noise - clean)) ** 2).mean(dim=(1, 2, 3))
    torch.testing.assert_close(denoising_loss(guess, clean, t), naive)
    held = denoising_loss(torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1), torch.tensor([1e-6]))
    assert held.item() == pytest.approx(1 / T_MIN**2)


def test_feet_weigh_as_much_more_as_asked() -> None:
    clean, head, feet = torch.zeros(3, 1, 2, 64, 48)
    head[:, :, 10], feet[:, :, LOWER_THIRD] = 1.0, 1.0
    t = torch.ones(1)
    ratio = denoising_loss(feet, clean, t, feet=1.5) / denoising_loss(head, clean, t, feet=1.5)
    assert ratio.item() == pytest.approx(1.5)


def test_guidance_leads_away_from_the_unconditional_walk_in_step() -> None:
    def denoise(
        x_t: torch.Tensor, t: torch.Tensor, code: torch.Tensor, condition: torch.Tensor, *rest: torch.Tensor
    ) -> torch.Tensor:
        view_deg, phase = rest
        given = code.isfinite().all(1)
        assert torch.equal(given, condition >= 0)
        assert torch.equal(given, view_deg.isfinite())
        assert given.all() or torch.equal(phase[given], phase[~given])
        return torch.where(given, 0.3, 0.2)[:, None, None, None].expand_as(x_t)

    given = Conditioning(torch.zeros(2, 4), torch.zeros(2).long(), torch.zeros(2), torch.rand(2, 30))
    for t, guidance, expected in ((0.5, 3.0, 0.5), (0.5, 1.0, 0.3), (0.99, 3.0, 0.3), (0.1, 3.0, 0.3)):
        found = guided(denoise, torch.zeros(2, 30, 8, 8), t, given, guidance)
        torch.testing.assert_close(found, torch.full((2, 30, 8, 8), expected))


def test_with_a_perfect_denoiser_every_sampler_goes_from_pure_noise_to_the_clip() -> None:
    for name in SAMPLER_NAMES:
        clean, sample = _random(2, 1, 2, 4, 4)
        scheduler = make_scheduler(name, shift=3.0)
        scheduler.set_timesteps(6)
        assert float(scheduler.sigmas[0]) == pytest.approx(1.0, abs=1e-3)
        for timestep, t in zip(scheduler.timesteps, scheduler.sigmas, strict=False):
            sample = scheduler.step(velocity(sample, clean, t), timestep, sample).prev_sample
        torch.testing.assert_close(sample, clean, atol=1e-4, rtol=0)
    with pytest.raises(UsageError, match="did you mean 'euler'"):
        make_scheduler("eular", shift=3.0)

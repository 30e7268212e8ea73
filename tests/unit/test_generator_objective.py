"""What is learned, and that every sampler undoes it."""

import pytest
import torch

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.generator.conditioning import Conditioning
from gaitcrafter_ext.generator.objective import (
    LOWER_THIRD,
    T_MIN,
    add_noise,
    denoising_loss,
    guided,
    shift_t,
    velocity,
)
from gaitcrafter_ext.generator.sampling import SAMPLER_NAMES, make_scheduler


def _clips(count: int, *shape: int) -> torch.Tensor:
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(0))


def test_shift_keeps_the_ends_and_leans_to_noise() -> None:
    uniform = torch.tensor([0.0, 0.5, 1.0])
    torch.testing.assert_close(shift_t(uniform, 3.0), torch.tensor([0.0, 0.75, 1.0]))
    torch.testing.assert_close(shift_t(uniform, 1.0), uniform)


def test_the_path_leads_from_the_clip_to_the_noise_at_constant_velocity() -> None:
    clean, noise = _clips(2, 3, 1, 2, 2)
    t = torch.tensor([0.0, 0.7, 1.0])
    x_t = add_noise(clean, noise, t)
    torch.testing.assert_close(x_t[[0, 2]], torch.stack([clean[0], noise[2]]))
    torch.testing.assert_close(velocity(x_t[1], clean[1], t[1]), (noise - clean)[1])


def test_loss_is_that_of_the_velocity_and_held_near_no_noise() -> None:
    clean, noise, guess = _clips(3, 2, 4, 3, 3)
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
        clean, sample = _clips(2, 1, 2, 4, 4)
        scheduler = make_scheduler(name, shift=3.0)
        scheduler.set_timesteps(6)
        assert float(scheduler.sigmas[0]) == pytest.approx(1.0, abs=1e-3)
        for timestep, t in zip(scheduler.timesteps, scheduler.sigmas, strict=False):
            sample = scheduler.step(velocity(sample, clean, t), timestep, sample).prev_sample
        torch.testing.assert_close(sample, clean, atol=1e-4, rtol=0)
    with pytest.raises(UsageError, match="did you mean 'euler'"):
        make_scheduler("eular", shift=3.0)

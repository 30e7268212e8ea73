import pytest
import torch

from gaitcrafter_ext.generator.objective import LEAST_LEVEL, add_noise, denoising_loss, shifted_levels, velocity


def test_shift_keeps_the_ends_and_leans_to_noise() -> None:
    torch.testing.assert_close(shifted_levels(torch.tensor([0.0, 0.5, 1.0]), 3.0), torch.tensor([0.0, 0.75, 1.0]))


def test_shift_of_one_changes_nothing() -> None:
    uniform = torch.linspace(0, 1, 7)
    torch.testing.assert_close(shifted_levels(uniform, 1.0), uniform)


def test_the_path_leads_from_the_clip_to_the_noise() -> None:
    clean, noise = torch.zeros(3, 1, 2, 2), torch.ones(3, 1, 2, 2)
    noisy = add_noise(clean, noise, torch.tensor([0.0, 0.25, 1.0]))
    assert noisy[:, 0, 0, 0].tolist() == [0.0, 0.25, 1.0]


def test_velocity_is_noise_minus_clip() -> None:
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, 2, 1, 3, 3, generator=generator)
    level = torch.tensor([0.7, 0.7])
    torch.testing.assert_close(velocity(add_noise(clean, noise, level), clean, level[0]), noise - clean)


def test_loss_is_that_of_the_velocity() -> None:
    generator = torch.Generator().manual_seed(0)
    clean, noise, guess = torch.randn(3, 2, 4, 3, 3, generator=generator)
    level = torch.tensor([0.4, 0.9])
    noisy = add_noise(clean, noise, level)
    implied = (noisy - guess) / level[:, None, None, None]
    naive = ((implied - (noise - clean)) ** 2).mean(dim=(1, 2, 3))
    torch.testing.assert_close(denoising_loss(guess, clean, level), naive)


def test_loss_near_no_noise_is_held() -> None:
    one, zero = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
    held = denoising_loss(one, zero, torch.tensor([1e-6]))
    assert held.item() == pytest.approx(1 / LEAST_LEVEL**2)

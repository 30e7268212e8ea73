import pytest
import torch

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.generator.objective import velocity
from gaitcrafter_ext.generator.samplers import SAMPLER_NAMES, make_scheduler


@pytest.mark.parametrize("name", SAMPLER_NAMES)
def test_with_a_perfect_denoiser_every_sampler_arrives_at_the_clip(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    clean, sample = torch.randn(2, 1, 2, 4, 4, generator=generator)
    scheduler = make_scheduler(name, shift=3.0)
    scheduler.set_timesteps(6)
    for timestep, level in zip(scheduler.timesteps, scheduler.sigmas, strict=False):
        sample = scheduler.step(velocity(sample, clean, level), timestep, sample).prev_sample
    torch.testing.assert_close(sample, clean, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", SAMPLER_NAMES)
def test_every_sampler_begins_at_pure_noise(name: str) -> None:
    scheduler = make_scheduler(name, shift=3.0)
    scheduler.set_timesteps(6)
    assert float(scheduler.sigmas[0]) == pytest.approx(1.0, abs=1e-3)


def test_an_unknown_sampler_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'euler'"):
        make_scheduler("eular", shift=3.0)

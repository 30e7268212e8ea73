"""The denoiser: layers against naive twins, and what each input does."""

from __future__ import annotations

import math

import pytest
import torch

from gaitcrafter_ext.generator.conditioning import Conditioner, PhaseEmbedding, view_features
from gaitcrafter_ext.generator.network import (
    PATCH_FRAMES,
    PATCH_PIXELS,
    Block,
    GaitUNet,
    GlobalAttention,
    Refinement,
    SpatialConv,
    TemporalConv,
    patchify,
    unpatchify,
)
from tests.tiny import tiny_network


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def network() -> GaitUNet:
    return tiny_network()


def _inputs(size: int, frames: int = 30) -> dict[str, torch.Tensor]:
    return {
        "t": torch.full((size,), 0.5),
        "code": _random(size, 4),
        "condition": torch.arange(size) % 2,
        "view_deg": torch.arange(size) * 18.0,
        "phase": _random(size, frames),
    }


def test_patchify_keeps_each_block_of_pixels_together_and_unpatchify_undoes_it() -> None:
    clips = _random(2, 4, 8, 12)
    tokens = patchify(clips)
    naive = clips[0, :PATCH_FRAMES, PATCH_PIXELS : 2 * PATCH_PIXELS, :PATCH_PIXELS].flatten()
    assert torch.equal(tokens[0, 0, 1, 0], naive)
    assert torch.equal(unpatchify(tokens), clips)


def test_convolutions_are_those_of_each_frame_and_of_each_position() -> None:
    x, spatial, temporal = _random(2, 4, 6, 6, 3), SpatialConv(3, 5), TemporalConv(3)
    frames = torch.stack([torch.nn.Conv2d.forward(spatial, clip.permute(0, 3, 1, 2)) for clip in x])
    torch.testing.assert_close(spatial(x), frames.permute(0, 1, 3, 4, 2))
    series = x[1, :, 0, 1].T[None]
    one = torch.nn.functional.conv1d(series, temporal.weight[..., 0], temporal.bias, padding=1)[0].T
    torch.testing.assert_close(temporal(x)[1, :, 0, 1], one)


def test_attention_bias_is_that_of_the_lag() -> None:
    layer, embedding = GlobalAttention(128, 4), _random(2, 4)
    torch.nn.init.normal_(layer.lags.weight)
    bias = layer._bias(3, 2, embedding).detach()
    lags = layer.lags(embedding).detach().unflatten(1, (2, -1))
    naive = torch.stack([torch.stack([lags[:, :, abs(i // 2 - j // 2)] for j in range(6)], -1) for i in range(6)], -2)
    assert torch.equal(bias, naive)


def test_what_is_zero_initialised_changes_nothing_at_first() -> None:
    x, embedding = _random(1, 3, 4, 4, 64), _random(1, 3, 4)
    for layer in (Block(64, 4), GlobalAttention(64, 4)):
        assert torch.equal(layer(x, embedding), x)
    clips = _random(1, 2, 8, 8)
    assert torch.equal(Refinement()(clips), clips)
    phases = PhaseEmbedding(8, PATCH_FRAMES)(_random(1, 30))
    assert torch.equal(phases, torch.zeros_like(phases))


def test_clips_of_odd_sizes_and_in_any_batch_are_denoised_alike(network: GaitUNet) -> None:
    odd = GaitUNet(3, 1, 10, 32, 32, channels=(5, 7, 64), blocks=(1, 2, 1), embedding=12, canvas_channels=1)
    inputs = {**_inputs(2, 10), "code": _random(2, 3), "condition": torch.zeros(2, dtype=torch.long)}
    assert odd(_random(2, 10, 32, 32), **inputs).shape == (2, 10, 32, 32)
    x_t, inputs = _random(3, 30, 64, 48), _inputs(3)
    alone = network(x_t[2:3], **{name: value[2:3] for name, value in inputs.items()})
    torch.testing.assert_close(network(x_t, **inputs)[2:3], alone, atol=1e-4, rtol=1e-4)


def test_every_input_matters_and_each_frame_has_its_own_phase(network: GaitUNet) -> None:
    x_t, inputs = _random(1, 30, 64, 48), _inputs(1)
    base = network(x_t, **inputs)
    late = inputs["phase"].clone()
    late[:, 20] += 1.0
    others = {"t": torch.tensor([0.9]), "code": _random(1, 4, seed=1), "condition": torch.tensor([1]), "phase": late}
    for name, value in {**others, "view_deg": torch.tensor([90.0])}.items():
        assert not torch.allclose(network(x_t, **{**inputs, name: value}), base), name
    given = network.phase(inputs["phase"]) - network.phase(late)
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


def test_codes_enter_at_full_strength_and_views_are_angles() -> None:
    torch.manual_seed(0)
    assert Conditioner(64, 3, 256).identity(_random(500, 64)).std().item() == pytest.approx(1.0, abs=0.02)
    turned = view_features(torch.tensor([30.0 + 360.0]))
    torch.testing.assert_close(view_features(torch.tensor([30.0])), turned, atol=1e-5, rtol=0)

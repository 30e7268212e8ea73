import math

import pytest
import torch

from gaitcrafter_ext.generator.conditioning import Conditioner, view_features
from gaitcrafter_ext.generator.network import (
    FOLD_SPACE,
    FOLD_TIME,
    Block,
    GaitUNet,
    GlobalAttention,
    SpatialConv,
    TemporalConv,
    fold,
    unfold,
)


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def network() -> GaitUNet:
    torch.manual_seed(0)
    made = GaitUNet(identities=3, conditions=2, channels=(8, 64), blocks=(1, 1), embedding=16, canvas_channels=2)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return made.eval()


def _told(size: int) -> dict[str, torch.Tensor]:
    return {
        "level": torch.full((size,), 0.5),
        "code": torch.eye(3)[torch.arange(size) % 3],
        "condition": torch.arange(size) % 2,
        "view_deg": torch.arange(size) * 18.0,
    }


def test_unfold_undoes_fold() -> None:
    clips = _random(2, 30, 64, 48)
    assert torch.equal(unfold(fold(clips)), clips)


def test_fold_keeps_each_block_of_pixels_together() -> None:
    clips = _random(1, 4, 8, 12)
    naive = clips[0, :FOLD_TIME, FOLD_SPACE : 2 * FOLD_SPACE, :FOLD_SPACE].flatten()
    assert torch.equal(fold(clips)[0, 0, 1, 0], naive)


def test_spatial_convolution_is_that_of_each_frame() -> None:
    layer, x = SpatialConv(3, 5), _random(2, 4, 6, 6, 3)
    naive = torch.stack([torch.nn.Conv2d.forward(layer, clip.permute(0, 3, 1, 2)) for clip in x]).permute(0, 1, 3, 4, 2)
    torch.testing.assert_close(layer(x), naive)


def test_temporal_convolution_is_that_of_each_position() -> None:
    layer, x = TemporalConv(3), _random(2, 5, 2, 2, 3)
    one = torch.nn.functional.conv1d(x[1, :, 0, 1].T[None], layer.weight[..., 0], layer.bias, padding=1)[0].T
    torch.testing.assert_close(layer(x)[1, :, 0, 1], one)


def test_a_fresh_block_hardly_changes_what_passes() -> None:
    x = _random(1, 3, 4, 4, 8)
    assert torch.equal(Block(8, 4)(x, _random(1, 4)), x)


def test_output_has_the_shape_of_the_input(network: GaitUNet) -> None:
    noisy = _random(2, 30, 64, 48)
    assert network(noisy, **_told(2)).shape == noisy.shape


def test_every_input_matters(network: GaitUNet) -> None:
    noisy, told = _random(1, 30, 64, 48), _told(1)
    base = network(noisy, **told)
    others = {
        "level": torch.tensor([0.9]),
        "code": torch.tensor([[0.0, 1.0, 0.0]]),
        "condition": torch.tensor([1]),
        "view_deg": torch.tensor([90.0]),
    }
    for name, value in others.items():
        assert not torch.allclose(network(noisy, **{**told, name: value}), base), name


def test_views_a_full_turn_apart_are_the_same() -> None:
    turned = view_features(torch.tensor([30.0 + 360.0]))
    torch.testing.assert_close(view_features(torch.tensor([30.0])), turned, atol=1e-5, rtol=0)


def test_identity_codes_start_at_full_strength() -> None:
    torch.manual_seed(0)
    assert Conditioner(50, 3, 256).identities.std().item() == pytest.approx(1.0, abs=0.02)


def test_a_blend_is_as_strong_as_a_known_person() -> None:
    conditioner = Conditioner(2, 2, 16)
    told = {"condition": torch.tensor([0]), "view_deg": torch.tensor([90.0])}
    blend, longer = (conditioner(code=scale * torch.tensor([[0.5, 0.5]]), **told) for scale in (1.0, 2**0.5))
    torch.testing.assert_close(blend, longer)
    assert not torch.allclose(blend, conditioner(code=torch.tensor([[1.0, 0.0]]), **told))


def test_attention_bias_is_that_of_the_lag() -> None:
    layer = GlobalAttention(128, 4)
    torch.nn.init.normal_(layer.lags.weight)
    embedding = _random(2, 4)
    bias = layer._bias(3, 2, embedding).detach()
    lags = layer.lags(embedding).detach().unflatten(1, (2, -1))
    assert bias.shape == (2, 2, 6, 6)
    for i in range(6):
        for j in range(6):
            assert torch.equal(bias[:, :, i, j], lags[:, :, abs(i // 2 - j // 2)])


def test_attention_begins_silent_and_then_heeds_what_it_is_told_about_lags() -> None:
    torch.manual_seed(0)
    layer, x, embedding = GlobalAttention(64, 4), _random(1, 3, 1, 2, 64), _random(1, 4)
    assert torch.equal(layer(x, embedding), x)
    torch.nn.init.normal_(layer.out.weight)
    before = layer(x, embedding)
    torch.nn.init.normal_(layer.lags.weight)
    assert not torch.allclose(layer(x, embedding), before)


def test_left_out_inputs_do_not_depend_on_anything() -> None:
    torch.manual_seed(0)
    conditioner = Conditioner(3, 2, 16)
    nothing = {"code": torch.zeros(1, 3), "condition": torch.tensor([-1]), "view_deg": torch.tensor([math.nan])}
    before = conditioner(**nothing)
    with torch.no_grad():
        conditioner.identities.add_(1.0)
        conditioner.condition[:-1].add_(1.0)
    assert torch.equal(conditioner(**nothing), before)


def test_the_same_weights_whatever_the_batch(network: GaitUNet) -> None:
    noisy, told = _random(4, 30, 64, 48), _told(4)
    alone = network(noisy[2:3], **{name: value[2:3] for name, value in told.items()})
    torch.testing.assert_close(network(noisy, **told)[2:3], alone, atol=1e-4, rtol=1e-4)

"""The parts of GaitSet and GaitBase against naive twins."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from gaitcrafter_ext.recognition.config import GaitBaseConfig, GaitSetConfig, NetworkConfig
from gaitcrafter_ext.recognition.networks import (
    MaxPool,
    SeparateBNNecks,
    as_images,
    build_network,
    horizontal_pyramid,
    set_max,
)

SMALL: list[NetworkConfig] = [
    GaitSetConfig((16, 16, 16), 16),
    GaitBaseConfig((16, 16, 16, 16), (1, 2, 1, 1), embedding=16),
]


@pytest.mark.parametrize("lengths", [(3, 3), (2, 1, 4), (1, 1)])
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_set_max_is_the_maximum_over_each_clips_frames(lengths: tuple[int, ...], memory: torch.memory_format) -> None:
    frames = torch.randn(sum(lengths), 5, 4, 6).contiguous(memory_format=memory)
    naive = torch.stack([clip.max(0).values for clip in frames.split(list(lengths))])
    assert torch.equal(set_max(frames, lengths), naive)
    assert torch.equal(set_max(frames.requires_grad_(), lengths), naive)


def test_set_max_gives_the_whole_gradient_to_the_first_frame_that_holds_the_maximum() -> None:
    frames = torch.tensor([1.0, 3.0, 3.0, 2.0]).reshape(4, 1, 1, 1).requires_grad_()
    set_max(frames, (4,)).backward(torch.full((1, 1, 1, 1), 5.0))
    assert frames.grad is not None
    assert frames.grad.flatten().tolist() == [0.0, 5.0, 0.0, 0.0]


def test_set_max_has_torchs_gradient_where_nothing_ties() -> None:
    frames = torch.randn(6, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: set_max(x, (3, 3)), frames)


def test_max_pool_is_torchs_with_and_without_gradient() -> None:
    planes = torch.randn(2, 3, 8, 6)
    assert torch.equal(MaxPool()(planes), F.max_pool2d(planes, 2))
    assert torch.equal(MaxPool()(planes.requires_grad_()), F.max_pool2d(planes, 2))


def test_horizontal_pyramid_is_mean_plus_maximum_of_each_strip() -> None:
    x = torch.randn(2, 3, 4, 5)
    strips = [x, *x.split(2, dim=2), *x.split(1, dim=2)]
    naive = torch.stack([strip.flatten(2).mean(2) + strip.flatten(2).amax(2) for strip in strips], dim=-1)
    torch.testing.assert_close(horizontal_pyramid(x, (1, 2, 4)), naive)


def test_logits_are_cosines() -> None:
    necks = SeparateBNNecks(parts=3, inputs=4, classes=5).eval()
    x = torch.randn(2, 4, 3)
    logits = necks(x)
    normed = x / (1 + necks.bn1d.eps) ** 0.5
    assert logits.shape == (2, 5, 3)
    expected = F.cosine_similarity(normed[1, :, 2], necks.fc_bin[2, :, 4], dim=0)
    assert logits[1, 4, 2].item() == pytest.approx(expected.item(), abs=1e-6)


def test_gaitbases_shortcut_is_a_strided_convolution() -> None:
    shortcut = build_network(SMALL[1], 2).get_submodule("Backbone.forward_block.layer2.0.downsample.0")
    x = torch.randn(2, 16, 9, 6)
    torch.testing.assert_close(shortcut(x), F.conv2d(x, shortcut.weight, stride=2))


def test_as_images_copies_nothing_and_says_channels_last() -> None:
    sils = torch.rand(2, 64, 44)
    images = as_images(sils)
    assert images.data_ptr() == sils.data_ptr()
    assert images.shape == (2, 1, 64, 44)
    assert images.stride()[1:] == (1, 44, 1)


@pytest.mark.parametrize("config", SMALL)
def test_embeddings_do_not_depend_on_frame_order_or_on_the_clips_beside(config: NetworkConfig) -> None:
    network = build_network(config, classes=3).eval()
    first, second = torch.rand(4, 64, 44), torch.rand(2, 64, 44)
    with torch.inference_mode():
        together = network(torch.cat([first.flip(0), second]), (4, 2)).embeddings
        alone = network(first, (4,)).embeddings
    assert together.shape == (2, config.embedding, sum(config.bins) * (2 if isinstance(config, GaitSetConfig) else 1))
    torch.testing.assert_close(together[:1], alone, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("config", SMALL)
def test_weights_are_a_function_of_the_seed(config: NetworkConfig) -> None:
    first, same, other = (build_network(config, 3, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("config", SMALL)
def test_training_step_in_bfloat16_has_nearly_the_gradient_of_float32(config: NetworkConfig) -> None:
    network = build_network(config, classes=3)
    frames = torch.rand(6, 64, 44)

    def gradient(enabled: bool) -> torch.Tensor:
        network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            embeddings = network(frames, (3, 3)).embeddings
        (embeddings[0] - embeddings[1]).square().sum().backward()
        return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])

    assert F.cosine_similarity(gradient(False), gradient(True), dim=0) > 0.9

"""GaitSet and GaitBase: parts and losses against naive twins; on disk, round trips and files not to be trusted."""

from __future__ import annotations

import json
import math
import os
import pickle
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from gaitcrafter_ext.errors import MissingError, WeightsError
from gaitcrafter_ext.recognition.checkpoint import (
    CARD_FILE,
    MODEL_FILE,
    Card,
    load_opengait,
    load_recogniser,
    save_opengait,
    save_recogniser,
)
from gaitcrafter_ext.recognition.config import GaitBaseConfig, GaitSetConfig, NetworkConfig
from gaitcrafter_ext.recognition.embedding import embed_frames
from gaitcrafter_ext.recognition.losses import cross_entropy_loss, triplet_loss
from gaitcrafter_ext.recognition.networks import SeparateBNNecks, build_network, horizontal_pyramid, set_max

SMALL: list[NetworkConfig] = [
    GaitSetConfig((16, 16, 16), 16),
    GaitBaseConfig((16, 16, 16, 16), (1, 2, 1, 1), embedding=16),
]


def test_set_max_is_the_maximum_over_each_clips_frames() -> None:
    for lengths in ((3, 3), (2, 1, 4), (1, 1)):
        for memory in (torch.contiguous_format, torch.channels_last):
            frames = torch.randn(sum(lengths), 5, 4, 6).contiguous(memory_format=memory)
            naive = torch.stack([clip.max(0).values for clip in frames.split(list(lengths))])
            assert torch.equal(set_max(frames, lengths), naive)
            assert torch.equal(set_max(frames.requires_grad_(), lengths), naive)
    frames = torch.tensor([1.0, 3.0, 3.0, 2.0]).reshape(4, 1, 1, 1).requires_grad_()
    set_max(frames, (4,)).backward(torch.full((1, 1, 1, 1), 5.0))
    assert frames.grad is not None
    assert frames.grad.flatten().tolist() == [0.0, 5.0, 0.0, 0.0]  # all of it to one


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


@pytest.mark.parametrize("config", SMALL)
def test_embeddings_do_not_depend_on_frame_order_or_the_clips_beside(config: NetworkConfig) -> None:
    network, same, other = (build_network(config, 3, seed).eval() for seed in (1, 1, 2))
    first, second = torch.rand(4, 64, 44), torch.rand(2, 64, 44)
    with torch.inference_mode():
        together = network(torch.cat([first.flip(0), second]), (4, 2)).embeddings
        alone, elsewhere = same(first, (4,)).embeddings, other(first, (4,)).embeddings
    assert together.shape == (2, config.embedding, sum(config.bins) * (2 if isinstance(config, GaitSetConfig) else 1))
    torch.testing.assert_close(together[:1], alone, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(alone, elsewhere, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("config", SMALL)
def test_training_step_in_bfloat16_has_nearly_the_gradient_of_float32(config: NetworkConfig) -> None:
    network = build_network(config, classes=3)
    frames = torch.rand(4, 64, 44)

    def gradient(enabled: bool) -> torch.Tensor:
        network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            embeddings = network(frames, (2, 2)).embeddings
        (embeddings[0] - embeddings[1]).square().sum().backward()
        return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])

    assert F.cosine_similarity(gradient(False), gradient(True), dim=0) > 0.9


@pytest.mark.parametrize("config", SMALL)
def test_embeddings_in_bfloat16_are_near_those_in_float32(config: NetworkConfig) -> None:
    network = build_network(config, classes=3)
    clips = np.random.default_rng(0).integers(0, 256, (2, 4, 64, 64), dtype=np.uint8)
    full, half = embed_frames(network, clips), embed_frames(network, clips, precision="bfloat16")
    assert half.dtype == np.float32
    assert 0 < np.linalg.norm(half - full) < 0.05 * np.linalg.norm(full)


def naive_triplets(embeddings: torch.Tensor, labels: list[int]) -> float:
    """The mean over parts of the mean over the triplets that violate the margin of 0.2."""
    parts = []
    for x in embeddings.detach().unbind(-1):
        triplets = [(a, p, n) for a, p, n in product(range(6), repeat=3) if labels[a] == labels[p] != labels[n]]
        losses = [float((x[a] - x[p]).norm() - (x[a] - x[n]).norm()) + 0.2 for a, p, n in triplets]
        wrong = [loss for loss in losses if loss > 0]
        parts.append(sum(wrong) / len(wrong))
    return sum(parts) / len(parts)


def test_triplet_loss_agrees_with_a_loop_over_all_triplets_and_its_gradient_is_finite() -> None:
    for people in ([0, 1, 0, 1, 0, 1], [0, 0, 1, 0, 1, 2], [2, 0, 0, 0, 0, 1]):
        embeddings = torch.randn(6, 4, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
        loss = triplet_loss(embeddings, torch.tensor(people), 0.2)
        assert loss.item() == pytest.approx(naive_triplets(embeddings, people), rel=1e-4)
        loss.backward()
        assert embeddings.grad is not None
        assert torch.isfinite(embeddings.grad).all()
        assert embeddings.grad.abs().sum() > 0
    assert triplet_loss(embeddings, torch.ones(6)).item() == 0.0  # of one person


def test_cross_entropy_with_smoothing_has_its_closed_form() -> None:
    logits = torch.zeros(1, 4, 1)
    logits[0, 2] = 0.5
    log_partition = math.log(3 + math.exp(8.0))
    expected = log_partition - 8.0 * (0.9 + 0.1 / 4)
    assert cross_entropy_loss(logits, torch.tensor([2]), scale=16.0, smoothing=0.1).item() == pytest.approx(expected)


CONFIGS: list[NetworkConfig] = [
    GaitSetConfig((4, 6, 8), 12, (4, 2)),
    GaitBaseConfig((4, 6, 8, 10), (1, 2, 1, 1), (1, 2, 2, 1), 12),
]
PEOPLE = ("001", "002", "syn-0001")


def saved(folder: Path, config: NetworkConfig) -> nn.Module:
    network = build_network(config, len(PEOPLE), seed=1)
    save_recogniser(folder, network, Card(config, PEOPLE, ("cohort",), ("054", "090"), 5, {"seed": 1}))
    return network


def same_weights(left: nn.Module, right: nn.Module) -> bool:
    one, other = left.state_dict(), right.state_dict()
    return list(one) == list(other) and all(torch.equal(one[name], other[name]) for name in one)


def test_what_is_saved_is_loaded_in_our_form_and_in_opengaits(tmp_path: Path) -> None:
    for number, config in enumerate((*CONFIGS, GaitSetConfig((4, 6, 8), 12))):
        network = saved(tmp_path / str(number), config)
        again, card = load_recogniser(tmp_path / str(number))
        assert same_weights(network, again)
        assert (card.network, card.people, card.views, card.trained_on) == (config, PEOPLE, ("054", "090"), ("cohort",))
    for config in (GaitSetConfig((4, 6, 8), 12), CONFIGS[1]):  # strips leave no trace: OpenGait's own are assumed
        network = build_network(config, 7, seed=1)
        save_opengait(tmp_path / "a.pt", network, iteration=9)
        again, card = load_opengait(tmp_path / "a.pt")
        assert same_weights(network, again)
        assert card.network == config


def test_parameter_names_are_opengaits() -> None:
    """As listed by a checkpoint that OpenGait wrote; the contract test holds them against a checkout."""
    gaitset = set(build_network(GaitSetConfig(), 1).state_dict())
    assert gaitset == {
        *(f"set_block{block}.forward_block.{layer}.conv.weight" for block in (1, 2, 3) for layer in (0, 2)),
        *(f"gl_block{block}.{layer}.conv.weight" for block in (2, 3) for layer in (0, 2)),
        "Head.fc_bin",
    }
    gaitbase = build_network(GaitBaseConfig(), 74).state_dict()
    assert gaitbase["BNNecks.fc_bin"].shape == (16, 256, 74)
    assert gaitbase["Backbone.forward_block.layer2.0.downsample.0.weight"].shape == (128, 64, 1, 1)
    assert "Backbone.forward_block.layer1.0.downsample.0.weight" not in gaitbase


def test_a_recogniser_that_is_not_whole_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    saved(tmp_path, CONFIGS[0])
    card = json.loads((tmp_path / CARD_FILE).read_text())
    changes: tuple[tuple[dict[str, object], str], ...] = (
        ({"format": 1}, "format 1; this version reads format 2: train the recogniser again"),
        ({"network": {"model": "gaitgl"}}, "'gaitset', 'gaitbase'"),
        ({"network": {"model": "gaitset", "chanels": [1]}}, "did you mean 'channels'"),
        ({"network": {"model": "gaitset", "channels": [8, 8, 8]}}, "do not fit"),
    )
    for change, words in changes:
        (tmp_path / CARD_FILE).write_text(json.dumps(card | change))
        with pytest.raises(WeightsError, match=words):
            load_recogniser(tmp_path)
    (tmp_path / CARD_FILE).write_text(json.dumps(card))
    (tmp_path / MODEL_FILE).write_bytes((tmp_path / MODEL_FILE).read_bytes()[:-100])
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        load_recogniser(tmp_path)
    (tmp_path / MODEL_FILE).unlink()
    with pytest.raises(MissingError, match=MODEL_FILE):
        load_recogniser(tmp_path)


class Payload:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("payload-ran",)


def test_other_checkpoints_are_refused_and_no_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"model": {"fc.weight": torch.zeros(2)}}, "other.pt")
    torch.save({"model": Payload()}, "zip.pt")
    Path("bare.pt").write_bytes(pickle.dumps({"model": Payload()}))
    whole = Path("other.pt").read_bytes()
    Path("half.pt").write_bytes(whole[: len(whole) // 2])
    for name, kind, words in (
        ("nowhere", MissingError, r"no checkpoint .*nowhere"),
        ("other", WeightsError, "neither OpenGait's GaitSet nor"),
        ("zip", WeightsError, "refused"),
        ("bare", WeightsError, "refused"),
        ("half", WeightsError, "not a whole checkpoint"),
    ):
        with pytest.raises(kind, match=words):
            load_opengait(tmp_path / f"{name}.pt")
    assert not Path("payload-ran").exists()

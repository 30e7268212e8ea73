"""Recognisers on disk: round trips, and files that must not be trusted."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

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
from gaitcrafter_ext.recognition.networks import build_network

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
        ({"network": {"model": "gaitset", "channels": [8, 0, 8]}}, "greater than or equal to 1"),
        ({"people": None}, "'people' is None"),
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


def test_checkpoints_of_something_else_are_refused_and_code_in_them_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"model": {"fc.weight": torch.zeros(2)}}, "other.pt")
    torch.save([1], "list.pt")
    torch.save({"model": Payload()}, "zip.pt")
    Path("bare.pt").write_bytes(pickle.dumps({"model": Payload()}))
    whole = Path("other.pt").read_bytes()
    Path("half.pt").write_bytes(whole[: len(whole) // 2])
    for name, kind, words in (
        ("nowhere", MissingError, r"no checkpoint .*nowhere"),
        ("other", WeightsError, "neither OpenGait's GaitSet nor"),
        ("list", WeightsError, "no 'model' in it"),
        ("zip", WeightsError, "refused"),
        ("bare", WeightsError, "refused"),
        ("half", WeightsError, "not a whole checkpoint"),
    ):
        with pytest.raises(kind, match=words):
            load_opengait(tmp_path / f"{name}.pt")
    assert not Path("payload-ran").exists()

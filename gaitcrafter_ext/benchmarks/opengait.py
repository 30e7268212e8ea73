"""OpenGait's own GaitSet and GaitBase to measure beside ours: same sizes, same batch, its layers and losses."""

from __future__ import annotations

import importlib
import sys
from dataclasses import asdict
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from gaitcrafter_ext.benchmarks.denoisers import autocast
from gaitcrafter_ext.benchmarks.recognisers import CLASSES
from gaitcrafter_ext.benchmarks.results import OPENGAIT, Contender
from gaitcrafter_ext.benchmarks.timing import Stopwatch
from gaitcrafter_ext.errors import GaitCrafterError, MissingError
from gaitcrafter_ext.host.checkout import Checkout
from gaitcrafter_ext.host.stubs import install_stubs
from gaitcrafter_ext.recognition.config import TrainingConfig, preset

__all__ = ["gaitbase", "gaitset"]

#: Where OpenGait keeps each model: module and class.
HOMES = {"gaitset": ("gaitset", "GaitSet"), "gaitbase": ("baseline", "Baseline")}


class OpenGaitWork:
    """A model of OpenGait in training; the unit is an iteration."""

    def __init__(self, model: str, config: TrainingConfig) -> None:
        self.triplet = importlib.import_module("modeling.losses.triplet").TripletLoss(margin=0.2)
        self.entropy = importlib.import_module("modeling.losses.ce").CrossEntropyLoss(scale=16)
        clips = config.people * config.clips
        self.sils = torch.rand(clips, config.frames, 64, 44)
        self.labels = torch.arange(config.people).repeat_interleave(config.clips)
        self.network = _build(model, config).train()
        self.optimizer = torch.optim.SGD(self.network.parameters(), 1e-4, config.momentum)

    def train(self, precision: str) -> float:
        """One iteration: forward, losses, backward, SGD step."""
        with autocast(precision):
            found = self.network(([self.sils], self.labels, None, None, None))["training_feat"]
        loss: Tensor = self.triplet(**_in_float32(found["triplet"]))[0].mean()
        if "softmax" in found:
            loss = loss + self.entropy(**_in_float32(found["softmax"]))[0]
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return 1.0


def gaitset() -> Stopwatch:
    """OpenGait's GaitSet, with the sizes and batch of our CPU preset."""
    return _recogniser("gaitset")


def gaitbase() -> Stopwatch:
    """OpenGait's GaitBase, likewise."""
    return _recogniser("gaitbase")


def _recogniser(model: str) -> Stopwatch:
    """The model, ready to be measured.

    Raises:
        MissingError: There is no checkout, or it lacks what the model needs.
    """
    name = OPENGAIT[model]
    try:
        commit, config = _prepare(), preset(model, "cpu")
        work = OpenGaitWork(model, config)
    except (GaitCrafterError, ImportError) as error:
        raise MissingError(f"{name} is not measured: {error}") from None
    parameters = sum(parameter.numel() for parameter in work.network.parameters())
    label = f"the same of OpenGait {commit}"
    return Stopwatch(
        Contender(name, label, parameters, {"recognition": config.people * config.clips}), {"recognition": work.train}
    )


def _prepare() -> str:
    """Make OpenGait's models importable one by one, on a machine without a GPU; the checkout's commit."""
    checkout = Checkout()
    sys.path.insert(0, str(checkout.package))
    install_stubs(checkout.package)
    # The packages themselves import every model there is; an empty one with the same path imports what is asked for.
    for name in ("modeling", "modeling.models", "modeling.losses", "modeling.backbones"):
        package = ModuleType(name)
        package.__path__ = [str(checkout.package / name.replace(".", "/"))]
        sys.modules[name] = package
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    return checkout.commit


def _build(model: str, config: TrainingConfig) -> nn.Module:
    """The model without the data, optimiser and GPU that its constructor asks for."""
    module, kind = HOMES[model]
    backbone = importlib.import_module("modeling.backbones.resnet")
    sys.modules["modeling.backbones"].ResNet9 = backbone.ResNet9  # type: ignore[attr-defined]
    made = getattr(importlib.import_module(f"modeling.models.{module}"), kind)
    network: Any = made.__new__(made)
    nn.Module.__init__(network)
    network.build_network(_sizes(model, asdict(config.network)))
    network.init_parameters()
    return network


def _sizes(model: str, ours: dict[str, Any]) -> dict[str, Any]:
    """OpenGait's ``model_cfg`` for our sizes."""
    channels, embedding, bins = list(ours["channels"]), ours["embedding"], list(ours.get("bins", (16,)))
    parts = sum(bins)
    if model == "gaitset":
        heads = {"in_channels": channels[-1], "out_channels": embedding, "parts_num": 2 * parts}
        return {"in_channels": [1, *channels], "SeparateFCs": heads, "bin_num": bins}
    return {
        "backbone_cfg": {"type": "ResNet9", "block": "BasicBlock", "channels": channels, "layers": [1, 1, 1, 1],
                         "strides": [1, 2, 2, 1], "maxpool": False},
        "SeparateFCs": {"in_channels": channels[-1], "out_channels": embedding, "parts_num": parts},
        "SeparateBNNecks": {"class_num": CLASSES, "in_channels": embedding, "parts_num": parts},
        "bin_num": bins,
    }  # fmt: skip


def _in_float32(inputs: dict[str, Any]) -> dict[str, Any]:
    return {name: value.float() if value.is_floating_point() else value for name, value in inputs.items()}

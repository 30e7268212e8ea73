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
from gaitcrafter_ext.benchmarks.recognisers import CLASSES, Iteration, stopwatch
from gaitcrafter_ext.benchmarks.results import OPENGAIT
from gaitcrafter_ext.benchmarks.timing import Stopwatch
from gaitcrafter_ext.errors import GaitCrafterError, MissingError
from gaitcrafter_ext.host.checkout import Checkout
from gaitcrafter_ext.host.stubs import install_stubs
from gaitcrafter_ext.recognition.config import TrainingConfig, preset

__all__ = ["gaitbase", "gaitset"]

#: Where OpenGait keeps each model: module and class.
HOMES = {"gaitset": ("gaitset", "GaitSet"), "gaitbase": ("baseline", "Baseline")}


class OpenGaitWork(Iteration):
    """A model of OpenGait."""

    def __init__(self, model: str, config: TrainingConfig) -> None:
        super().__init__(_build(model, config), config)
        self.triplet = importlib.import_module("modeling.losses.triplet").TripletLoss(margin=0.2)
        self.entropy = importlib.import_module("modeling.losses.ce").CrossEntropyLoss(scale=16)
        self.sils = torch.rand(len(self.labels), config.frames, 64, 44)

    def loss(self, precision: str) -> Tensor:
        with autocast(precision):
            found = self.network(([self.sils], self.labels, None, None, None))["training_feat"]
        triplet: Tensor = self.triplet(**_in_float32(found["triplet"]))[0].mean()
        return triplet + self.entropy(**_in_float32(found["softmax"]))[0] if "softmax" in found else triplet


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
        commit = _prepare()
        work = OpenGaitWork(model, preset(model, "cpu"))
    except (GaitCrafterError, ImportError) as error:
        raise MissingError(f"{name} is not measured: {error}") from None
    return stopwatch(name, f"the same of OpenGait {commit}", work)


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

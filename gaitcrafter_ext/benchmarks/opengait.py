"""OpenGait's own GaitSet and GaitBase to measure beside ours: same sizes, same batch, its layers and losses."""

from __future__ import annotations

import importlib
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from gaitcrafter_ext.benchmarks.denoisers import autocast
from gaitcrafter_ext.benchmarks.recognisers import CLASSES, Iteration, stopwatch
from gaitcrafter_ext.benchmarks.results import OPENGAIT
from gaitcrafter_ext.benchmarks.timing import Stopwatch
from gaitcrafter_ext.errors import GaitCrafterError, MissingError
from gaitcrafter_ext.opengait.checkout import Checkout
from gaitcrafter_ext.opengait.models import build_model, open_models
from gaitcrafter_ext.recognition.config import TrainingConfig, preset

__all__ = ["gaitbase", "gaitset"]


class OpenGaitWork(Iteration):
    """A model of OpenGait."""

    def __init__(self, model: str, config: TrainingConfig) -> None:
        super().__init__(build_model(model, _sizes(model, asdict(config.network))), config)
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
        checkout = Checkout()
        open_models(checkout)
        work = OpenGaitWork(model, preset(model, "cpu"))
    except (GaitCrafterError, ImportError) as error:
        raise MissingError(f"{name} is not measured: {error}") from None
    return stopwatch(name, f"the same of OpenGait {checkout.commit}", work)


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

"""OpenGait's models, one by one, without the data, optimiser and GPU that OpenGait makes them with.

To set them beside ours: their speed in the benchmark, their embeddings and losses in the tests.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

import torch
from torch import nn

from gaitcrafter_ext.opengait.checkout import Checkout
from gaitcrafter_ext.opengait.stubs import install_stubs

__all__ = ["build_model", "open_models"]

#: Where OpenGait keeps each model: module and class.
HOMES = {"gaitset": ("gaitset", "GaitSet"), "gaitbase": ("baseline", "Baseline")}

#: OpenGait's packages that import all that is in them.
GREEDY = ("modeling", "modeling.models", "modeling.losses", "modeling.backbones")


def open_models(checkout: Checkout) -> None:
    """Make the checkout's models and losses importable, in a process that does nothing else with it.

    Packages that other models need may be missing. A process group of one is made, which OpenGait's losses ask for.
    """
    sys.path.insert(0, str(checkout.package))
    install_stubs(checkout.package)
    for name in GREEDY:
        # An empty package with the same path imports what is asked for, and nothing else.
        package = ModuleType(name)
        package.__path__ = [str(checkout.package / name.replace(".", "/"))]
        sys.modules[name] = package
    store = torch.distributed.HashStore()  # type: ignore[attr-defined]  # there, but not in its __all__
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)


def build_model(name: str, model_cfg: dict[str, Any]) -> nn.Module:
    """An untrained ``"gaitset"`` or ``"gaitbase"`` of OpenGait.

    Args:
        name: Which.
        model_cfg: As in OpenGait's configs.

    Raises:
        MissingError: GaitBase without torchvision, whose blocks its backbone is made of.
    """
    module, kind = HOMES[name]
    backbone = importlib.import_module("modeling.backbones.resnet")
    sys.modules["modeling.backbones"].ResNet9 = backbone.ResNet9  # type: ignore[attr-defined]
    made = getattr(importlib.import_module(f"modeling.models.{module}"), kind)
    network: Any = made.__new__(made)
    nn.Module.__init__(network)
    network.build_network(model_cfg)
    network.init_parameters()
    model: nn.Module = network
    return model

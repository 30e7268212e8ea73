"""From a configuration to a network."""

from __future__ import annotations

import torch
from torch import nn

from gaitcrafter_ext.recognition.config import GaitSetConfig, NetworkConfig
from gaitcrafter_ext.recognition.gaitbase import GaitBase
from gaitcrafter_ext.recognition.gaitset import GaitSet
from gaitcrafter_ext.recognition.layers import initialise

__all__ = ["build_network"]


def build_network(config: NetworkConfig, classes: int, seed: int = 0) -> nn.Module:
    """A network with fresh weights, in the memory order that is fastest.

    Args:
        config: Its sizes.
        classes: How many people it tells apart in training (GaitSet has no classifier and does not care).
        seed: Seed of the weights.
    """
    network: nn.Module = GaitSet(config) if isinstance(config, GaitSetConfig) else GaitBase(config, classes)
    initialise(network, torch.Generator().manual_seed(seed))
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

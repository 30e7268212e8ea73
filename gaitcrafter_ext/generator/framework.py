"""The one door to ``diffusers``, which imports torchvision where it finds one, whether or not it fits this torch."""

from __future__ import annotations

from gaitcrafter_ext.torchvision_build import mend_torchvision

mend_torchvision()

from diffusers import (  # noqa: E402
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
)
from diffusers.configuration_utils import ConfigMixin, register_to_config  # noqa: E402
from diffusers.models.modeling_utils import ModelMixin  # noqa: E402
from diffusers.training_utils import EMAModel  # noqa: E402
from diffusers.utils import logging as diffusers_logging  # noqa: E402

__all__ = [
    "ConfigMixin",
    "DPMSolverMultistepScheduler",
    "DiffusionPipeline",
    "EMAModel",
    "FlowMatchEulerDiscreteScheduler",
    "ModelMixin",
    "UniPCMultistepScheduler",
    "diffusers_logging",
    "register_to_config",
]

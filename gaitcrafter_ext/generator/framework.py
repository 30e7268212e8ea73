"""The one door to ``diffusers``, which imports torchvision where it finds one, whether or not it fits this torch."""

from __future__ import annotations

import logging
import sys

from gaitcrafter_ext.torchvision_build import patch_torchvision

if not patch_torchvision():
    sys.modules.setdefault("torchvision", None)  # type: ignore[arg-type]  # None: importing it fails as if missing

from diffusers import (
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
)
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from diffusers.training_utils import EMAModel
from diffusers.utils import BaseOutput
from diffusers.utils import logging as diffusers_logging

# Older releases read annotations that are strings as missing, and say so at each load.
logging.getLogger("diffusers.pipelines.pipeline_utils").addFilter(
    lambda record: not str(record.msg).startswith("cannot get type annotation")
)

__all__ = [
    "BaseOutput",
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

"""Synthetic people for gait recognition: video diffusion of silhouettes, in OpenGait's own format.

The names below are the public surface; each is loaded when it is first asked for, so that importing the
package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gaitcrafter_ext.errors import GaitCrafterError
    from gaitcrafter_ext.generator.network import GaitUNet
    from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline, SampleRequest
    from gaitcrafter_ext.silhouettes.partition import Partition
    from gaitcrafter_ext.silhouettes.pictures import Animation
    from gaitcrafter_ext.silhouettes.store import SilhouetteStore, read_clip, write_clip
    from gaitcrafter_ext.synthesis.identities import BlendSettings, Identity, novel_identities
    from gaitcrafter_ext.synthesis.plan import Plan
    from gaitcrafter_ext.vocabulary import ClipKey

__version__ = "0.2.0"

_HOME = {
    "Animation": "silhouettes.pictures",
    "BlendSettings": "synthesis.identities",
    "ClipKey": "vocabulary",
    "GaitCrafterError": "errors",
    "GaitCrafterPipeline": "generator.pipeline",
    "GaitUNet": "generator.network",
    "Identity": "synthesis.identities",
    "Partition": "silhouettes.partition",
    "Plan": "synthesis.plan",
    "SampleRequest": "generator.pipeline",
    "SilhouetteStore": "silhouettes.store",
    "novel_identities": "synthesis.identities",
    "read_clip": "silhouettes.store",
    "write_clip": "silhouettes.store",
}

__all__ = [
    "Animation",
    "BlendSettings",
    "ClipKey",
    "GaitCrafterError",
    "GaitCrafterPipeline",
    "GaitUNet",
    "Identity",
    "Partition",
    "Plan",
    "SampleRequest",
    "SilhouetteStore",
    "__version__",
    "novel_identities",
    "read_clip",
    "write_clip",
]


def __getattr__(name: str) -> Any:
    """Load a public name from the room it lives in (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)

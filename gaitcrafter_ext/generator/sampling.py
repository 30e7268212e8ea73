"""Lengths of clips and windows, and the ``diffusers`` schedulers that turn noise into clips; torch-free until then.

:data:`SAMPLER_NAMES` are ``euler`` (first order), ``dpm++2m`` (DPM-Solver++, arXiv 2211.01095, second order) and
``unipc`` (arXiv 2302.04867), one evaluation a step each. Heun's method was tried and left out: it leaves speckles,
since it averages the slopes at the lowest noise levels, where the network is least sure.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from gaitcrafter_ext.errors import UsageError, suggest

#: Frames of a window, and of a clip unless asked otherwise: a complete walking cycle at 25 frames a second.
FRAMES = 30

#: Shortest and longest clip.
SHORTEST, LONGEST = 20, 600

#: Frames between the starts of two windows of a longer clip.
STRIDE = 15

#: Windows computed together on a CPU, always: a matrix product may round differently at another batch size.
TILE = 8

SAMPLER_NAMES = ("euler", "dpm++2m", "unipc")

#: ``fp32`` gives the same clip on every machine, to a grey level or two; ``bf16`` is faster and does not.
PRECISIONS = ("fp32", "bf16")

Factor = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]

#: Factor on each code, whose origin is the average person: guidance within the space of people, without which clothes
#: hide who wears them. 1 is as trained. A mapping has one for each condition that it names, 1 for all others.
IdentityScale = Factor | dict[str, Factor]


def scale_of(scale: IdentityScale, condition: str) -> float:
    """Factor on the codes of clips in that condition."""
    return scale.get(condition, 1.0) if isinstance(scale, dict) else float(scale)


def windows(frames: int) -> list[int]:
    """First frame of each window of a clip; clips shorter than a window are cut from one.

    The last window ends with the clip, if that takes a shorter stride.
    """
    last = max(0, frames - FRAMES)
    return [*range(0, last, STRIDE), last]


def check_sampler(name: str) -> str:
    """``name``, if it is a sampler's; raises ``UsageError`` if not."""
    if name not in SAMPLER_NAMES:
        raise UsageError(f"--sampler: unknown '{name}'; {suggest(name, SAMPLER_NAMES)}")
    return name


def make_scheduler(name: str, shift: float) -> Any:
    """The scheduler of that name for velocities ``noise - clean``.

    ``shift`` is how far its noise levels lean to high noise, as in training. Raises ``UsageError`` for another name.
    """
    from gaitcrafter_ext.generator import framework

    check_sampler(name)
    if name == "euler":
        return framework.FlowMatchEulerDiscreteScheduler(shift=shift)
    kind = framework.DPMSolverMultistepScheduler if name == "dpm++2m" else framework.UniPCMultistepScheduler
    return kind(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift, solver_order=2)

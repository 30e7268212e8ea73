"""How noise becomes clips: the ``diffusers`` schedulers of the rectified-flow path; their names are torch-free."""

from __future__ import annotations

from typing import Any

from gaitcrafter_ext.errors import UsageError, suggest

__all__ = ["PRECISIONS", "SAMPLER_NAMES", "check_sampler", "make_scheduler"]

#: ``euler`` (first order), ``dpm++2m`` (DPM-Solver++, arXiv 2211.01095, second order) and ``unipc`` (arXiv 2302.04867),
#: one evaluation a step each. Heun's method was tried and left out: it leaves speckles, since it averages the slopes at
#: the lowest noise levels, where the network is least sure.
SAMPLER_NAMES = ("euler", "dpm++2m", "unipc")

#: ``fp32`` gives the same clip on every machine, to a grey level or two; ``bf16`` is faster and does not.
PRECISIONS = ("fp32", "bf16")


def check_sampler(name: str, option: str = "--sampler") -> str:
    """Return ``name`` if it is one of :data:`SAMPLER_NAMES`.

    Raises:
        UsageError: It is not.
    """
    if name not in SAMPLER_NAMES:
        raise UsageError(f"{option}: unknown '{name}'; {suggest(name, SAMPLER_NAMES)}")
    return name


def make_scheduler(name: str, shift: float) -> Any:
    """The ``diffusers`` scheduler of that name for velocities ``noise - clean``.

    Args:
        name: One of :data:`SAMPLER_NAMES`.
        shift: How far its noise levels lean to high noise, as in training.

    Raises:
        UsageError: The name is unknown.
    """
    from gaitcrafter_ext.generator import framework

    check_sampler(name)
    if name == "euler":
        return framework.FlowMatchEulerDiscreteScheduler(shift=shift)
    kind = framework.DPMSolverMultistepScheduler if name == "dpm++2m" else framework.UniPCMultistepScheduler
    return kind(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift, solver_order=2)

"""The parts of a config that OpenGait turns into objects by name: does each name exist, is each argument taken?"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.vocabulary import suggest

__all__ = ["Section", "check_names", "dropped_keys", "sections"]


@dataclass(frozen=True)
class Section:
    """One object that a config asks for.

    Attributes:
        path: Where it stands, e.g. ``"trainer_cfg.sampler"``.
        key: The key that names it, e.g. ``"type"``.
        name: What it names.
        module: Where OpenGait looks the name up.
        values: All keys of the section.
        free: Keys that are read, but not by the object's constructor; None where arguments are not checked.
    """

    path: str
    key: str
    name: Any
    module: str
    values: Mapping[str, Any]
    free: frozenset[str] | None = frozenset()


# Read by OpenGait's CollateFn.
_FRAMES = frozenset(
    ("sample_type", "frames_num_fixed", "frames_num_min", "frames_num_max", "frames_skip_num", "frames_all_limit")
    + ("points_in_use",)
)


def sections(cfgs: Mapping[str, Any]) -> Iterator[Section]:
    """Every section of a merged config that names a class or a function."""
    model = cfgs.get("model_cfg") or {}
    yield Section("model_cfg", "model", model.get("model"), "modeling.models", model, None)
    yield from _backbones(model.get("backbone_cfg"), "model_cfg.backbone_cfg")
    losses = cfgs.get("loss_cfg") or []
    for number, loss in enumerate(losses if isinstance(losses, list) else [losses]):
        path = f"loss_cfg[{number}]" if isinstance(losses, list) else "loss_cfg"
        yield Section(path, "type", loss.get("type"), "modeling.losses", loss, frozenset({"log_prefix"}))
    for name, key, module in (
        ("optimizer_cfg", "solver", "torch.optim"),
        ("scheduler_cfg", "scheduler", "torch.optim.lr_scheduler"),
    ):
        values = cfgs.get(name) or {}
        yield Section(name, key, values.get(key), module, values)
    for name in ("trainer_cfg", "evaluator_cfg"):
        engine = cfgs.get(name) or {}
        sampler = engine.get("sampler") or {}
        yield Section(f"{name}.sampler", "type", sampler.get("type"), "data.sampler", sampler, _FRAMES)
        yield from _transforms(engine.get("transform"), f"{name}.transform")
    evaluator = cfgs.get("evaluator_cfg") or {}
    function = evaluator.get("eval_func", "identification")
    yield Section("evaluator_cfg", "eval_func", function, "evaluation.evaluator", evaluator, None)


def _backbones(value: Any, path: str) -> Iterator[Section]:
    for number, backbone in enumerate(value if isinstance(value, list) else []):
        yield from _backbones(backbone, f"{path}[{number}]")
    if isinstance(value, Mapping):
        yield Section(path, "type", value.get("type"), "modeling.backbones", value)


def _transforms(value: Any, path: str) -> Iterator[Section]:
    for number, transform in enumerate(value if isinstance(value, list) else []):
        yield from _transforms(transform, f"{path}[{number}]")
    if isinstance(value, Mapping):
        yield Section(path, "type", value.get("type"), "data.transform", value)
        yield from _transforms(value.get("trf_cfg"), f"{path}.trf_cfg")


def check_names(cfgs: Mapping[str, Any]) -> None:
    """Refuse a name that OpenGait would not find; its modules must be importable.

    Raises:
        UsageError: The name, where it stands, and the nearest one.
    """
    for section in sections(cfgs):
        module = importlib.import_module(section.module)
        if not isinstance(section.name, str) or not hasattr(module, section.name):
            raise UsageError(
                f"{section.path}.{section.key}: OpenGait has no '{section.name}'; "
                f"{suggest(str(section.name), _public_names(module, section.module))}"
            )


def _public_names(module: Any, name: str) -> list[str]:
    """What one might have meant: the classes (or evaluation functions) of a module, its own ones."""
    wanted = inspect.isfunction if name == "evaluation.evaluator" else callable
    names = [each for each, value in vars(module).items() if wanted(value) and not each.startswith("_")]
    return sorted(names)


def dropped_keys(section: Section) -> list[str]:
    """Keys of a section that its constructor does not take: OpenGait leaves them out without a word."""
    if section.free is None:
        return []
    made = getattr(importlib.import_module(section.module), section.name)
    taken = inspect.getfullargspec(made if inspect.isfunction(made) else made.__init__).args
    return [key for key in section.values if key not in {*taken, *section.free, section.key}]

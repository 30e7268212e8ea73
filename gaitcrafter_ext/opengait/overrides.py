"""Changes to a config: ``--set a.b=v``, and arms, which are short YAML files of what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gaitcrafter_ext.errors import UsageError

__all__ = ["apply_arm", "apply_override", "parse_override"]


def apply_arm(cfgs: dict[str, Any], arm: Mapping[str, Any]) -> None:
    """Lay an arm over a config in place, as OpenGait lays a config over its defaults: sections merge, lists replace."""
    for key, value in arm.items():
        if isinstance(value, Mapping) and isinstance(cfgs.get(key), dict):
            apply_arm(cfgs[key], value)
        else:
            cfgs[key] = value


def parse_override(text: str) -> tuple[tuple[str, ...], Any]:
    """Read ``trainer_cfg.total_iter=100``: the path, and the value as YAML reads it.

    Raises:
        UsageError: It is not of that form.
    """
    import yaml

    path, equals, value = text.partition("=")
    keys = tuple(path.strip().split("."))
    if not equals or not all(keys):
        raise UsageError(f"--set: '{text}' is not a.b=value; write e.g. --set trainer_cfg.total_iter=100")
    try:
        return keys, yaml.safe_load(value)
    except yaml.YAMLError:
        raise UsageError(f"--set: '{value}' of '{text}' is not YAML; quote it") from None


def apply_override(cfgs: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    """Set one value in place; a number in the path is a place in a list, a missing section is made.

    Raises:
        UsageError: The path leads through a value, or beyond the end of a list.
    """
    where: Any = cfgs
    for depth, key in enumerate(keys):
        here, last = ".".join(keys[: depth + 1]), depth == len(keys) - 1
        index: Any = key
        if isinstance(where, list):
            if not key.isdecimal() or int(key) >= len(where):
                raise UsageError(f"--set {here}: the list has places 0 to {len(where) - 1}")
            index = int(key)
        elif not isinstance(where, dict):
            raise UsageError(f"--set {'.'.join(keys)}: '{here}' is not there; the section above it is {where!r}")
        elif not last and where.get(key) is None:
            where[key] = {}
        if last:
            where[index] = value
        else:
            where = where[index]

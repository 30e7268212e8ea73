"""``--set a.b=v``: change a value of a config from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gaitcrafter_ext.errors import UsageError

__all__ = ["apply_override", "parse_override"]


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
        if isinstance(where, list):
            if not key.isdecimal() or int(key) >= len(where):
                raise UsageError(f"--set {here}: the list has places 0 to {len(where) - 1}")
            index: Any = int(key)
        elif isinstance(where, dict):
            index = key
            if not last and not isinstance(where.get(key), (dict, list)):
                if where.get(key) is not None:
                    raise UsageError(f"--set {'.'.join(keys)}: '{here}' is a value ({where[key]!r}), not a section")
                where[key] = {}
        else:
            raise UsageError(f"--set {'.'.join(keys)}: '{here}' is not there")
        if last:
            where[index] = value
        else:
            where = where[index]

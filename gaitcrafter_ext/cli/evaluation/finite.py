"""JSON has no NaN: what could not be counted is null."""

from __future__ import annotations

import math

__all__ = ["finite"]


def finite(value: object) -> object:
    """The same lists and dicts with None in the place of numbers that are not finite."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

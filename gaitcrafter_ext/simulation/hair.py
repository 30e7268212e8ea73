"""Hair and caps: caps of points on the head, and what falls from it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.simulation.bodies import Body
from gaitcrafter_ext.simulation.shells import Shells, blend, ellipsoid

__all__ = ["HAIR_STYLES", "head_box", "sample_hair", "wear_hair"]

Array = NDArray[np.float64]

HAIR_STYLES = ("short", "full", "bob", "long", "ponytail", "bun", "bald", "cap")
HAIR_SHARES = {
    "male": (0.52, 0.20, 0.02, 0.02, 0.02, 0.0, 0.10, 0.12),
    "female": (0.10, 0.10, 0.22, 0.24, 0.22, 0.10, 0.0, 0.02),
}


def sample_hair(rng: np.random.Generator, sex: str) -> str:
    """Draw a style."""
    return str(rng.choice(HAIR_STYLES, p=HAIR_SHARES[sex]))


def head_box(body: Body) -> tuple[Array, Array]:
    """Centre and half sizes of the head without the neck."""
    points = body.vertices[body.rows("head")]
    low, high = points.min(0), points.max(0)
    low[2] = max(low[2], high[2] - 0.25)
    return (low + high) / 2.0, (high - low) / 2.0


def wear_hair(body: Body, style: str, thick: float, shells: Shells) -> None:
    """Add hair (or a cap) of one of :data:`HAIR_STYLES`."""
    centre, half = head_box(body)
    if style == "bald":
        return
    skull = centre + np.array([0.0, 0.016, 0.012])
    grown = half + np.array([0.6 * thick - 0.012, 0.7 * thick - 0.012, thick])
    shells.rigid(ellipsoid(skull, grown, low=-0.15 if style in ("short", "cap") else -0.35), "head")
    if style == "full":
        shells.rigid(ellipsoid(skull + [0, 0.012, 0.01], grown + 0.012, low=-0.4), "head")
    elif style == "cap":
        brim = ellipsoid(centre + [0, -half[1] - 0.015, 0.35 * half[2]], (0.065, 0.075, 0.012))
        shells.rigid(brim, "head")
    elif style in ("bob", "long"):
        wear_fall(body, style, thick, skull, half, shells)
    elif style == "ponytail":
        tail = ellipsoid(skull + [0, half[1] + 0.035, -0.045], (0.032, 0.035 + thick, 0.075 + 2.0 * thick))
        shells.hull(shells.add(tail, blend(len(tail), {"head": 0.8, "chest": 0.2})))
    elif style == "bun":
        shells.rigid(ellipsoid(skull + [0, 0.75 * half[1] + 0.02, 0.5 * half[2]], (0.045, 0.045, 0.042)), "head")


def wear_fall(body: Body, style: str, thick: float, skull: Array, half: Array, shells: Shells) -> None:
    """Hair that falls beside and behind the neck, to the jaw or to the shoulder blades."""
    drop = 0.10 if style == "bob" else 0.22 + 2.0 * thick
    upper = ellipsoid(skull + [0, 0.03, -0.01], (half[0] + 0.7 * thick, 0.6 * half[1] + thick, 0.06))
    lower = ellipsoid(skull + [0, 0.05, -drop], (half[0] + 0.4 * thick, 0.5 * half[1] + 0.5 * thick, 0.03))
    rows = shells.add(upper, blend(len(upper), {"head": 1.0}))
    share = 0.3 if style == "bob" else 0.75
    below = shells.add(lower, blend(len(lower), {"head": 1.0 - share, "chest": share}))
    shells.hull(np.concatenate([rows, below]))

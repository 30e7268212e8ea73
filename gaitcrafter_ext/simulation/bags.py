"""Bags of three kinds: on the back, at the side (shoulder, cross-body, elbow), carried by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from gaitcrafter_ext.simulation.bodies import Array, bone, rows
from gaitcrafter_ext.simulation.clothing import Outfit
from gaitcrafter_ext.simulation.gait import Gait, Walk, turn

#: Of each kind lowest and highest size, metres (across, along the walk, up). The strap of a shoulder bag runs over one
#: shoulder, the bag hangs at the hip; a handbag hangs in the crook of the arm, a case in the hand.
SIZES = {
    "backpack": ((0.25, 0.11, 0.35), (0.35, 0.21, 0.49)),
    "shoulder": ((0.08, 0.26, 0.20), (0.16, 0.39, 0.33)),
    "handbag": ((0.08, 0.24, 0.18), (0.15, 0.36, 0.30)),
    "case": ((0.08, 0.32, 0.24), (0.16, 0.47, 0.38)),
}
SHARES = {"female": (0.36, 0.26, 0.16, 0.22), "male": (0.42, 0.28, 0.0, 0.30)}


@dataclass(frozen=True)
class Bag:
    """A bag and how it is carried."""

    #: One of :data:`SIZES`.
    kind: str
    #: 0 = left, 1 = right; a backpack has none.
    side: int
    size_m: Array
    #: How much lower and further back than usual it hangs.
    low_m: float
    back_m: float
    #: Share of the limb's swing that it follows.
    swing: float


def sample_bag(rng: np.random.Generator, sex: str) -> Bag:
    """Draw a person's bag."""
    kind = str(rng.choice(list(SIZES), p=SHARES[sex]))
    low, high = np.array(SIZES[kind])
    size_m = low + rng.random(3) * (high - low)
    return Bag(kind, int(rng.integers(2)), size_m, rng.normal(0.0, 0.03), rng.normal(0.0, 0.03), rng.uniform(0.1, 0.6))


def vary_bag(bag: Bag, rng: np.random.Generator) -> Bag:
    """The same bag on another take: filled and worn a little differently, sometimes on the other side."""
    return replace(
        bag,
        size_m=bag.size_m * np.exp(rng.normal(0.0, 0.08, 3)),
        side=bag.side if rng.random() < 0.85 else 1 - bag.side,
        low_m=bag.low_m + rng.normal(0.0, 0.025),
        back_m=bag.back_m + rng.normal(0.0, 0.025),
    )


def carry(gait: Gait, bag: Bag, rng: np.random.Generator) -> Gait:
    """How a bag changes the walk: the loaded arm swings less, the trunk leans against the load."""
    swing, out = gait.arm_swing_deg.copy(), gait.arm_out_deg.copy()
    offset, elbow = gait.arm_offset_deg.copy(), gait.elbow_deg.copy()
    side = bag.side
    if bag.kind == "backpack":
        swing *= rng.uniform(0.55, 0.95)
        lean = gait.lean_deg + rng.uniform(1.0, 4.5)
        if rng.random() < 0.22:  # a hand on the strap
            swing[side], elbow[side], offset[side] = 2.0, rng.uniform(95.0, 125.0), rng.uniform(5.0, 15.0)
        return replace(gait, arm_swing_deg=swing, arm_offset_deg=offset, elbow_deg=elbow, lean_deg=lean)
    swing[side] *= rng.uniform(0.2, 0.55)
    tilt = gait.tilt_deg + (1.0, -1.0)[side] * rng.uniform(0.3, 2.2)
    out[side] += rng.uniform(3.0, 7.0)
    if bag.kind == "handbag":
        elbow[side], offset[side] = rng.uniform(75.0, 100.0), rng.uniform(0.0, 12.0)
    elif bag.kind == "case":
        elbow[side] *= 0.5
    elif rng.random() < 0.3:  # a hand on the strap
        elbow[side] = rng.uniform(70.0, 115.0)
    return replace(
        gait, arm_swing_deg=swing, arm_out_deg=out, arm_offset_deg=offset, elbow_deg=elbow, tilt_deg=tilt,
        elbow_swing=0.5 * gait.elbow_swing,
    )  # fmt: skip


def box(centre: Array, size: Sequence[float] | Array, roundness: float = 0.25, taper: float = 0.0) -> Array:
    """Points of a box with cut corners, ``size`` metres along X, Y, Z; narrower at the top by the share ``taper``."""
    corners = np.repeat(np.array(list(product((-1.0, 1.0), repeat=3))), 3, axis=0)
    corners *= 1.0 - roundness * np.tile(np.eye(3), (8, 1))
    corners[:, :2] *= 1.0 - taper * (corners[:, 2:] + 1.0) / 2.0
    return np.asarray(centre + 0.5 * corners * np.asarray(size))


def wear_backpack(outfit: Outfit, bag: Bag) -> None:
    """Fix a backpack to the back, below the shoulders."""
    chest = outfit.vertices[rows("chest", "thorax")]
    top = outfit.body.joint("upperarm.L")[2] + 0.03 - bag.low_m
    back = chest[np.abs(chest[:, 2] - (top - 0.12)) < 0.08, 1].max(initial=0.0)
    centre = np.array([0.0, back - 0.02 + bag.size_m[1] / 2.0, top - bag.size_m[2] / 2.0])
    outfit.solid(box(centre, bag.size_m, roundness=0.35, taper=0.25), chest=0.6, thorax=0.4)


def hanging_bag(outfit: Outfit, bag: Bag, steps: Walk) -> Array:
    """Posed corners of a bag that hangs on a strap or in a hand: it stays upright and swings a little.

    Returns:
        float64 [T, points, 3].
    """
    anchor, hang, limb = hanging_place(outfit, bag, steps)
    # Element [1, 2] of a limb's rotation is the sine of its forward swing.
    pitch = -bag.swing * steps.world[:, bone(limb), 1, 2]
    points = np.einsum("tij,pj->tpi", turn(0, np.degrees(pitch)), box(hang, bag.size_m, roundness=0.3))
    heading = steps.world[:, bone("pelvis"), :2, :2]
    points[..., :2] = np.einsum("tij,tpj->tpi", heading, points[..., :2])
    return np.asarray(points + anchor[:, None])


def hanging_place(outfit: Outfit, bag: Bag, steps: Walk) -> tuple[Array, Array, str]:
    """Where a bag hangs from, [T, 3], its centre below that point, [3], and the limb that swings it."""
    label, sign = ("L", 1.0) if bag.side == 0 else ("R", -1.0)
    across, _, up = bag.size_m
    if bag.kind == "shoulder":
        hip = np.abs(outfit.vertices[rows("pelvis"), 0]).max()
        hang = np.array([sign * (hip + across / 2.0 - 0.01), 0.04 + bag.back_m, -0.07 - bag.low_m])
        return steps.position[:, bone("pelvis")], hang, f"thigh.{label}"
    hand = steps.position[:, bone(f"hand.{label}")]
    if bag.kind == "handbag":
        hang = np.array([sign * 0.02, bag.back_m, -up / 2.0 - 0.10 - max(bag.low_m, -0.05)])
        return 0.55 * steps.position[:, bone(f"forearm.{label}")] + 0.45 * hand, hang, f"upperarm.{label}"
    hang = np.array([sign * 0.03, bag.back_m, -up / 2.0 - 0.13 - max(bag.low_m, -0.03)])
    return hand, hang, f"upperarm.{label}"

"""Coats: they hide the outline, change from take to take and weigh on the gait."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.simulation.bodies import Body
from gaitcrafter_ext.simulation.clothing import add_drape, armpit, drape_profile
from gaitcrafter_ext.simulation.gait import Gait
from gaitcrafter_ext.simulation.hair import head_box
from gaitcrafter_ext.simulation.shells import Shells, blend, ellipsoid

__all__ = ["COLLARS", "Coat", "coat_gait", "sample_coat", "wear_coat"]

Array = NDArray[np.float64]

COLLARS = ("none", "flat", "stand", "hood-down", "hood-up", "scarf")
COLLAR_SHARES = (0.10, 0.26, 0.22, 0.24, 0.08, 0.10)

#: Hems of jackets, short coats and long coats, metres below the pelvis joint, and how often each is worn.
COAT_HEMS = ((0.10, 0.22), (0.22, 0.42), (0.42, 0.60))
COAT_SHARES = (0.34, 0.44, 0.22)


@dataclass(frozen=True)
class Coat:
    """A coat or thick jacket.

    Attributes:
        thickness_m: Padding on trunk and shoulders.
        sleeve_radius_m: Least radius of the sleeves.
        drape: How far it falls straight from the chest, 0..1.
        hem_m: Lower edge below the pelvis joint, metres (0.1 jacket ... 0.6 long coat).
        flare: Widening below the waist, metres a metre.
        front_m, back_m: Extra reach of the hem to the front (open coat) and to the back.
        belt: Tightening at the waist, 0..1.
        collar: ``"none"``, ``"flat"``, ``"stand"``, ``"hood-down"``, ``"hood-up"``, ``"scarf"``.
        stiffness: How little the skirt follows the thighs, 0..1.
    """

    thickness_m: float
    sleeve_radius_m: float
    drape: float
    hem_m: float
    flare: float
    front_m: float
    back_m: float
    belt: float
    collar: str
    stiffness: float


def sample_coat(rng: np.random.Generator) -> Coat:
    """Draw a coat."""
    padded = rng.random() < 0.5
    low, high = COAT_HEMS[int(rng.choice(len(COAT_HEMS), p=COAT_SHARES))]
    hem = rng.uniform(low, high)
    return Coat(
        thickness_m=rng.uniform(0.035, 0.065) if padded else rng.uniform(0.020, 0.040),
        sleeve_radius_m=rng.uniform(0.062, 0.085) if padded else rng.uniform(0.052, 0.068),
        drape=rng.uniform(0.7, 1.0),
        hem_m=hem,
        flare=rng.uniform(0.02, 0.26) * min(1.0, 0.36 / hem),
        front_m=rng.uniform(0.0, 0.06),
        back_m=rng.uniform(0.0, 0.07),
        belt=rng.uniform(0.2, 0.6) if rng.random() < 0.15 else 0.0,
        collar=str(rng.choice(COLLARS, p=COLLAR_SHARES)),
        stiffness=rng.uniform(0.2, 0.8),
    )


def coat_gait(gait: Gait, coat: Coat, rng: np.random.Generator) -> Gait:
    """How a coat changes the walk: shorter steps, arms held out and swinging less."""
    weight = min(1.0, coat.hem_m / 0.5 + 6.0 * coat.thickness_m)
    return replace(
        gait,
        hip_gain=gait.hip_gain * (1.0 - weight * rng.uniform(0.03, 0.14)),
        knee_gain=gait.knee_gain * (1.0 - weight * rng.uniform(0.0, 0.08)),
        cycle_s=float(np.clip(gait.cycle_s * (1.0 + rng.normal(0.01, 0.02)), 0.95, 1.25)),
        arm_swing_deg=gait.arm_swing_deg * rng.uniform(0.35, 0.85),
        arm_out_deg=gait.arm_out_deg + rng.uniform(1.0, 6.0),
        elbow_deg=gait.elbow_deg + rng.uniform(-3.0, 10.0) + (30.0 if rng.random() < 0.12 else 0.0),
        lean_deg=gait.lean_deg + rng.normal(0.5, 1.2),
        stoop_deg=gait.stoop_deg + rng.normal(1.0, 2.0),
    )


def wear_coat(body: Body, vertices: Array, coat: Coat, shells: Shells) -> None:
    """Add the coat's falling part, its collar or hood."""
    hip, top = body.joint("pelvis")[2], armpit(body) + 0.03
    heights = np.linspace(top, hip - coat.hem_m, 10)
    profile = drape_profile(body, heights, coat.thickness_m, coat.drape)
    waist = body.joint("thorax")[2]
    below = np.clip(waist - heights, 0.0, None)
    profile += (coat.flare * below)[:, None]
    reach = below / max(below.max(), 1e-6)
    profile[:, 1] += coat.front_m * reach
    profile[:, 2] += coat.back_m * reach
    profile *= (1.0 - 0.22 * coat.belt * np.exp(-(((heights - waist) / 0.08) ** 2)))[:, None]
    add_drape(body, vertices, shells, heights, profile, 0.9 * (1.0 - coat.stiffness))
    wear_collar(body, coat, shells)


def wear_collar(body: Body, coat: Coat, shells: Shells) -> None:
    """Add the collar, hood or scarf."""
    neck = body.joint("neck") * np.array([0.0, 1.0, 1.0])
    rows = body.rows("neck")
    own = np.abs(body.vertices[rows, 0]).max()
    radius = own + 0.4 * coat.thickness_m
    if coat.collar == "flat":
        points = ellipsoid(neck + [0, 0.005, 0.01], (radius + 0.025, radius + 0.025, 0.05))
        shells.hull(shells.add(points, blend(len(points), {"chest": 0.6, "neck": 0.4})))
    elif coat.collar == "stand":
        points = ellipsoid(neck + [0, -0.01, 0.055], (radius + 0.02, radius + 0.03, 0.075), squareness=4.0)
        shells.hull(shells.add(points, blend(len(points), {"chest": 0.5, "neck": 0.5})))
    elif coat.collar == "scarf":
        points = ellipsoid(neck + [0, -0.015, 0.045], (radius + 0.045, radius + 0.045, 0.06), squareness=3.0)
        shells.hull(shells.add(points, blend(len(points), {"chest": 0.4, "neck": 0.6})))
    elif coat.collar == "hood-down":
        points = ellipsoid(neck + [0, 0.075, 0.015], (radius + 0.06, 0.075, 0.085))
        shells.hull(shells.add(points, blend(len(points), {"chest": 1.0})))
    elif coat.collar == "hood-up":
        wear_hood(body, neck, radius, shells)


def wear_hood(body: Body, neck: Array, radius: float, shells: Shells) -> None:
    """A hood over the head, with its fall to the shoulders."""
    centre, half = head_box(body)
    cap = ellipsoid(centre + [0, 0.03, 0.01], (half[0] + 0.035, half[1] + 0.02, half[2] + 0.025))
    rows = shells.add(cap, blend(len(cap), {"head": 1.0}))
    base = ellipsoid(neck + [0, 0.03, 0.03], (radius + 0.05, radius + 0.05, 0.05))
    below = shells.add(base, blend(len(base), {"chest": 0.7, "neck": 0.3}))
    shells.hull(np.concatenate([rows[:24], below]))
    shells.hull(rows)

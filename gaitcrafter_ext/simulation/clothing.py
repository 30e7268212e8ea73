"""What is worn: everyday clothes and hair, and coats that hide the outline, change from take to take and slow the gait.

Limbs hang straight down at rest, so a trouser leg or a sleeve is a least distance from the bone's vertical axis, and
a shirt, a skirt or a coat is a stack of rings whose width never falls on the way down (cloth drapes).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.simulation.bodies import BONES, Body, bone
from gaitcrafter_ext.simulation.gait import Gait
from gaitcrafter_ext.simulation.shells import TRUNK, Shells, blend, ellipsoid, rings, trunk_profile

Array = NDArray[np.float64]

HAIR_STYLES = ("short", "full", "bob", "long", "ponytail", "bun", "bald", "cap")
HAIR_SHARES = {
    "male": (0.52, 0.20, 0.02, 0.02, 0.02, 0.0, 0.10, 0.12),
    "female": (0.10, 0.10, 0.22, 0.24, 0.22, 0.10, 0.0, 0.02),
}

COLLARS = ("none", "flat", "stand", "hood-down", "hood-up", "scarf")
COLLAR_SHARES = (0.10, 0.26, 0.22, 0.24, 0.08, 0.10)

#: Hems of jackets, short coats and long coats, metres below the pelvis joint, and how often each is worn.
COAT_HEMS = ((0.10, 0.22), (0.22, 0.42), (0.42, 0.60))
COAT_SHARES = (0.34, 0.44, 0.22)


@dataclass(frozen=True)
class Dress:
    """What a person wears on every normal take; thicknesses and lengths in metres."""

    trouser_m: float
    #: Least radius of the trouser leg at the ankle; it widens a little towards the knee.
    leg_width_m: float
    top_m: float
    #: How far the top falls straight from the chest instead of following the waist, 0..1.
    drape: float
    #: Lower edge of the top below the pelvis joint.
    hem_m: float
    sleeve_m: float
    #: Length of a skirt below the pelvis joint; 0 for trousers.
    skirt_m: float
    #: Widening of the skirt, metres a metre.
    flare: float
    hair: str
    hair_m: float


def sample_dress(rng: np.random.Generator, sex: str) -> Dress:
    """Draw a person's everyday clothes and hair."""
    skirt = sex == "female" and rng.random() < 0.16
    return Dress(
        trouser_m=rng.uniform(0.004, 0.014),
        leg_width_m=rng.uniform(0.040, 0.075),
        top_m=rng.uniform(0.008, 0.030),
        drape=rng.uniform(0.1, 0.9),
        hem_m=rng.uniform(-0.02, 0.14),
        sleeve_m=rng.uniform(0.002, 0.014),
        skirt_m=rng.uniform(0.38, 0.62) if skirt else 0.0,
        flare=rng.uniform(0.02, 0.22),
        hair=sample_hair(rng, sex),
        hair_m=rng.uniform(0.006, 0.028),
    )


def vary_dress(dress: Dress, rng: np.random.Generator, scale: float) -> Dress:
    """The same clothes on another take: they hang a little differently."""
    return replace(
        dress,
        drape=float(np.clip(dress.drape + scale * rng.normal(0.0, 0.25), 0.0, 1.0)),
        top_m=max(0.003, dress.top_m + scale * rng.normal(0.0, 0.005)),
        hem_m=dress.hem_m + scale * rng.normal(0.0, 0.02),
        leg_width_m=max(0.035, dress.leg_width_m + scale * rng.normal(0.0, 0.006)),
        hair_m=max(0.003, dress.hair_m + scale * rng.normal(0.0, 0.004)),
    )


def normals(body: Body, vertices: Array) -> Array:
    """Unit vertex normals of the body's mesh."""
    a, b, c = (vertices[body.faces[:, k]] for k in range(3))
    flat = np.cross(b - a, c - a)
    result = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(result, body.faces[:, k], flat)
    return result / np.maximum(np.linalg.norm(result, axis=1, keepdims=True), 1e-12)


def widen_limb(body: Body, vertices: Array, names: tuple[str, ...], least: Array) -> None:
    """Push a limb's vertices out to a least distance from the bone's vertical axis, in place."""
    for side in ("L", "R"):
        rows = np.concatenate([body.rows(f"{name}.{side}") for name in names])
        tops = [body.joint(f"{name}.{side}") for name in names]
        heights = np.array([top[2] for top in tops])[::-1]
        z = vertices[rows, 2]
        axis = np.stack([np.interp(z, heights, [top[k] for top in tops][::-1]) for k in (0, 1)], axis=-1)
        arm = vertices[rows, :2] - axis
        radius = np.maximum(np.linalg.norm(arm, axis=1), 1e-6)
        share = np.clip((tops[0][2] - z) / max(tops[0][2] - z.min(), 1e-6), 0.0, 1.0)
        wanted = np.interp(share, np.linspace(0.0, 1.0, len(least)), least)
        vertices[rows, :2] = axis + arm * np.maximum(1.0, wanted / radius)[:, None]


def cloth_thickness(body: Body, dress: Dress, padding_m: float) -> Array:
    """Thickness of what is worn at each vertex, metres, [V]."""
    thickness = np.zeros(len(body.vertices))
    thickness[body.rows("thigh", "shank")] = dress.trouser_m if not dress.skirt_m else 0.002
    thickness[body.rows(*TRUNK)] = max(dress.top_m, padding_m)
    thickness[body.rows("upperarm")] = 0.75 * padding_m if padding_m else dress.sleeve_m
    thickness[body.rows("forearm")] = 0.45 * padding_m if padding_m else dress.sleeve_m
    thickness[body.rows("neck")] = 0.004 + 0.4 * (padding_m or dress.top_m)
    thickness[body.rows("foot")] = 0.008
    return thickness


def inflate(body: Body, dress: Dress, padding_m: float, sleeve_radius_m: float) -> Array:
    """The body's vertices with cloth on them, before anything drapes."""
    vertices = body.vertices.copy()
    vertices += normals(body, vertices) * cloth_thickness(body, dress, padding_m)[:, None]
    if not dress.skirt_m:
        ankle = dress.leg_width_m
        widen_limb(body, vertices, ("thigh", "shank"), np.array([0.0, 0.0, ankle + 0.012, ankle + 0.006, ankle]))
    if sleeve_radius_m:
        sleeve = sleeve_radius_m
        least = np.array([0.0, sleeve, sleeve, 0.92 * sleeve, 0.85 * sleeve])
        widen_limb(body, vertices, ("upperarm", "forearm"), least)
    return vertices


def trunk_weights(body: Body, points: Array, follow: float) -> Array:
    """Skinning weights of draped points: the spine's by height, below the hips partly the thighs'."""
    heights = np.array([body.joint(name)[2] for name in TRUNK])
    centres = np.append((heights[:-1] + heights[1:]) / 2.0, heights[-1] + 0.12)
    result = np.zeros((len(points), len(BONES)))
    for column in range(len(TRUNK)):
        hat = np.zeros(len(TRUNK))
        hat[column] = 1.0
        result[:, bone(TRUNK[column])] = np.interp(points[:, 2], centres, hat)
    below = np.clip((body.joint("thigh.L")[2] - points[:, 2]) / 0.35, 0.0, 1.0) * follow
    left = np.clip(0.5 + points[:, 0] / 0.24, 0.0, 1.0)
    result *= (1.0 - below)[:, None]
    result[:, bone("thigh.L")] += below * left
    result[:, bone("thigh.R")] += below * (1.0 - left)
    return result


def add_drape(body: Body, vertices: Array, shells: Shells, heights: Array, profile: Array, follow: float) -> None:
    """Add rings and the hulls between them; below the hips each hull takes in the thighs of its band."""
    points = rings(profile, heights)
    flat = points.reshape(-1, 3)
    rows = shells.add(flat, trunk_weights(body, flat, follow)).reshape(len(heights), -1)
    legs = body.rows("thigh", "shank")
    crotch = body.joint("thigh.L")[2] - 0.05
    for upper in range(len(heights) - 1):
        z = vertices[legs, 2]
        band = legs[(z <= heights[upper] + 0.01) & (z >= heights[upper + 1] - 0.01)] if heights[upper] < crotch else ()
        shells.hull(np.concatenate([rows[upper], rows[upper + 1]]), band)


def drape_profile(body: Body, heights: Array, thickness: float, drape: float) -> Array:
    """Trunk profile with cloth: its width and its reach to front and back do not fall on the way down."""
    naked = trunk_profile(body, heights) + thickness
    fallen = np.maximum.accumulate(naked, axis=0)
    return np.asarray(naked + drape * (fallen - naked))


def armpit(body: Body) -> float:
    """Height below which the trunk's outline is not the shoulders'."""
    return float(body.joint("upperarm.L")[2] - 0.13)


def dress_body(body: Body, dress: Dress, shells: Shells, padding_m: float = 0.0, sleeve_radius_m: float = 0.0) -> Array:
    """Put on everyday clothes, and a coat's padding and sleeves where it is worn over them.

    Returns:
        Clothed vertices, float64 [1229, 3]; what drapes is added to ``shells``.
    """
    vertices = inflate(body, dress, padding_m, sleeve_radius_m)
    hip = body.joint("pelvis")[2]
    heights = np.linspace(armpit(body), hip - dress.hem_m, 7)
    add_drape(body, vertices, shells, heights, drape_profile(body, heights, dress.top_m, dress.drape), 0.3)
    if dress.skirt_m:
        heights = np.linspace(hip + 0.04, hip - dress.skirt_m, 8)
        profile = drape_profile(body, heights, 0.008, 0.9)
        profile += (dress.flare * np.clip(hip - heights, 0.0, None))[:, None]
        add_drape(body, vertices, shells, heights, profile, 0.45)
    return vertices


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
    shells.solid(ellipsoid(skull, grown, low=-0.15 if style in ("short", "cap") else -0.35), head=1.0)
    if style == "full":
        shells.solid(ellipsoid(skull + [0, 0.012, 0.01], grown + 0.012, low=-0.4), head=1.0)
    elif style == "cap":
        brim = ellipsoid(centre + [0, -half[1] - 0.015, 0.35 * half[2]], (0.065, 0.075, 0.012))
        shells.solid(brim, head=1.0)
    elif style in ("bob", "long"):
        wear_fall(body, style, thick, skull, half, shells)
    elif style == "ponytail":
        tail = ellipsoid(skull + [0, half[1] + 0.035, -0.045], (0.032, 0.035 + thick, 0.075 + 2.0 * thick))
        shells.solid(tail, head=0.8, chest=0.2)
    elif style == "bun":
        shells.solid(ellipsoid(skull + [0, 0.75 * half[1] + 0.02, 0.5 * half[2]], (0.045, 0.045, 0.042)), head=1.0)


def wear_fall(body: Body, style: str, thick: float, skull: Array, half: Array, shells: Shells) -> None:
    """Hair that falls beside and behind the neck, to the jaw or to the shoulder blades."""
    drop = 0.10 if style == "bob" else 0.22 + 2.0 * thick
    upper = ellipsoid(skull + [0, 0.03, -0.01], (half[0] + 0.7 * thick, 0.6 * half[1] + thick, 0.06))
    lower = ellipsoid(skull + [0, 0.05, -drop], (half[0] + 0.4 * thick, 0.5 * half[1] + 0.5 * thick, 0.03))
    rows = shells.add(upper, blend(upper, head=1.0))
    share = 0.3 if style == "bob" else 0.75
    below = shells.add(lower, blend(lower, head=1.0 - share, chest=share))
    shells.hull(np.concatenate([rows, below]))


@dataclass(frozen=True)
class Coat:
    """A coat or thick jacket; thicknesses and lengths in metres."""

    #: Padding on trunk and shoulders.
    thickness_m: float
    #: Least radius of the sleeves.
    sleeve_radius_m: float
    #: How far it falls straight from the chest, 0..1.
    drape: float
    #: Lower edge below the pelvis joint.
    hem_m: float
    #: Widening below the waist, metres a metre.
    flare: float
    #: Extra reach of the hem to the front (open coat) and to the back.
    front_m: float
    back_m: float
    #: Tightening at the waist, 0..1.
    belt: float
    #: One of :data:`COLLARS`.
    collar: str
    #: How little the skirt follows the thighs, 0..1.
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
        shells.solid(ellipsoid(neck + [0, 0.005, 0.01], (radius + 0.025, radius + 0.025, 0.05)), chest=0.6, neck=0.4)
    elif coat.collar == "stand":
        points = ellipsoid(neck + [0, -0.01, 0.055], (radius + 0.02, radius + 0.03, 0.075), squareness=4.0)
        shells.solid(points, chest=0.5, neck=0.5)
    elif coat.collar == "scarf":
        points = ellipsoid(neck + [0, -0.015, 0.045], (radius + 0.045, radius + 0.045, 0.06), squareness=3.0)
        shells.solid(points, chest=0.4, neck=0.6)
    elif coat.collar == "hood-down":
        shells.solid(ellipsoid(neck + [0, 0.075, 0.015], (radius + 0.06, 0.075, 0.085)), chest=1.0)
    elif coat.collar == "hood-up":
        wear_hood(body, neck, radius, shells)


def wear_hood(body: Body, neck: Array, radius: float, shells: Shells) -> None:
    """A hood over the head, with its fall to the shoulders."""
    centre, half = head_box(body)
    cap = ellipsoid(centre + [0, 0.03, 0.01], (half[0] + 0.035, half[1] + 0.02, half[2] + 0.025))
    rows = shells.add(cap, blend(cap, head=1.0))
    base = ellipsoid(neck + [0, 0.03, 0.03], (radius + 0.05, radius + 0.05, 0.05))
    below = shells.add(base, blend(base, chest=0.7, neck=0.3))
    shells.hull(np.concatenate([rows[:24], below]))
    shells.hull(rows)

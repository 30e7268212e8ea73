"""What is worn: everyday clothes and hair, and coats that hide the outline, change from take to take and slow the gait.

A silhouette needs no cloth surface: what is worn or carried is extra points, skinned like the body and filled as convex
hulls. Limbs hang straight down at rest, so a trouser leg or a sleeve is a least distance from the bone's vertical axis,
and a shirt, a skirt or a coat is a stack of rings whose width never falls on the way down (cloth drapes).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from gaitcrafter_ext.simulation.bodies import BONES, Array, Body, Index, Skin, bone, drawn_faces, rows, skin
from gaitcrafter_ext.simulation.gait import Gait

#: Points of one ring, all around.
RING_POINTS = 20

TRUNK = ("pelvis", "abdomen", "thorax", "chest")

HAIR_STYLES = ("short", "full", "bob", "long", "ponytail", "bun", "bald", "cap")
HAIR_SHARES = {
    "male": (0.52, 0.20, 0.02, 0.02, 0.02, 0.0, 0.10, 0.12),
    "female": (0.10, 0.10, 0.22, 0.24, 0.22, 0.10, 0.0, 0.02),
}

#: How often each is worn.
COLLARS = {"none": 0.10, "flat": 0.26, "stand": 0.22, "hood-down": 0.24, "hood-up": 0.08, "scarf": 0.10}

#: Hems of jackets, short coats and long coats, metres below the pelvis joint, and how often each is worn.
COAT_HEMS = ((0.10, 0.22), (0.22, 0.42), (0.42, 0.60))
COAT_SHARES = (0.34, 0.44, 0.22)


class Outfit:
    """A body's clothed vertices, and the points and hulls of what is worn or carried."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.vertices = body.vertices
        #: Blocks of rest positions, metres, and of skinning weights over the 18 bones.
        self.points: list[Array] = []
        self.weights: list[Array] = []
        #: Rows of each hull, among the vertices and the points after them.
        self.hulls: list[Index] = []

    def add(self, points: Array, weights: Array | dict[str, float]) -> Index:
        """Add points with weights [points, 18], or the same shares of bones for all; returns their rows."""
        if isinstance(weights, dict):
            row = np.array([weights.get(name, 0.0) for name in BONES])
            weights = np.tile(row / row.sum(), (len(points), 1))
        start = len(self.vertices) + sum(map(len, self.points))
        self.points.append(points)
        self.weights.append(weights)
        return np.arange(start, start + len(points))

    def solid(self, points: Array, **shares: float) -> None:
        """Add one hull that moves with bones in these shares."""
        self.hulls.append(self.add(points, shares))

    def rest(self) -> tuple[Array, Skin]:
        """Rest positions of vertices and points, [P, 3], and what moves them."""
        return np.concatenate([self.vertices, *self.points]), skin(self.weights)


def ellipsoid(centre: Array, radii: Sequence[float] | Array, low: float = -1.0, squareness: float = 2.0) -> Array:
    """Points on a (super)ellipsoid from a relative height in [-1, 1] to its top; 60 points."""
    height = np.linspace(low, 1.0, 5)[:, None]
    around = np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False)[None, :]
    width = np.maximum(1.0 - np.abs(height) ** squareness, 0.0) ** (1.0 / squareness)
    points = np.stack([width * np.cos(around), width * np.sin(around), np.broadcast_to(height, (5, 12))], axis=-1)
    return np.asarray(centre + points.reshape(-1, 3) * np.asarray(radii))


def drape_profile(body: Body, heights: Array, thickness: float, drape: float) -> Array:
    """Half width, front and back reach of the clothed trunk (below the crotch: of both thighs), [heights, 3], metres.

    By the share ``drape`` they do not fall on the way down; over 9 cm the widest counts.
    """
    points = body.vertices[rows(*TRUNK, "thigh", "shank")]
    tight = np.full((len(heights), 3), thickness)
    for i, z in enumerate(heights):
        near = points[np.abs(points[:, 2] - z) < 0.045]
        if len(near):
            tight[i] += np.abs(near[:, 0]).max(), (-near[:, 1]).max(), near[:, 1].max()
    return np.asarray(tight + drape * (np.maximum.accumulate(tight, axis=0) - tight))


def rings(profile: Array, heights: Array) -> Array:
    """Rings of points around the trunk, [rings, RING_POINTS, 3], from a profile (half width, front, back)."""
    angle = np.linspace(0.0, 2.0 * np.pi, RING_POINTS, endpoint=False)
    x, y = (np.sign(part) * np.abs(part) ** (2.0 / 2.4) for part in (np.cos(angle), np.sin(angle)))  # squarish
    wide, front, back = profile[:, :1], profile[:, 1:2], profile[:, 2:]
    depth = np.where(y > 0, back, front)
    z = np.broadcast_to(heights[:, None], (len(heights), RING_POINTS))
    return np.stack([wide * x, depth * y, z], axis=-1)


def add_drape(outfit: Outfit, heights: Array, profile: Array, follow: float) -> None:
    """Add rings and the hulls between them; below the hips each hull takes in the thighs of its band."""
    points = rings(profile, heights).reshape(-1, 3)
    ring = outfit.add(points, trunk_weights(outfit.body, points, follow)).reshape(len(heights), -1)
    legs = rows("thigh", "shank")
    z = outfit.vertices[legs, 2]
    crotch = outfit.body.joint("thigh.L")[2] - 0.05
    for upper, (high, low) in enumerate(pairwise(heights)):
        band = legs[(z <= high + 0.01) & (z >= low - 0.01) & (high < crotch)]
        outfit.hulls.append(np.concatenate([ring[upper], ring[upper + 1], band]))


def trunk_weights(body: Body, points: Array, follow: float) -> Array:
    """Skinning weights of draped points: the spine's by height, below the hips partly the thighs'."""
    heights = np.array([body.joint(name)[2] for name in TRUNK])
    centres = np.append((heights[:-1] + heights[1:]) / 2.0, heights[-1] + 0.12)
    below = np.clip((body.joint("thigh.L")[2] - points[:, 2]) / 0.35, 0.0, 1.0) * follow
    left = np.clip(0.5 + points[:, 0] / 0.24, 0.0, 1.0)
    result = np.zeros((len(points), len(BONES)))
    for name, hat in zip(TRUNK, np.eye(len(TRUNK)), strict=True):
        result[:, bone(name)] = np.interp(points[:, 2], centres, hat) * (1.0 - below)
    result[:, bone("thigh.L")] = below * left
    result[:, bone("thigh.R")] = below * (1.0 - left)
    return result


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
        hair=str(rng.choice(HAIR_STYLES, p=HAIR_SHARES[sex])),
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


def wear(outfit: Outfit, dress: Dress, coat: Coat | None) -> None:
    """Put on everyday clothes, a coat over them, and hair where no hood is drawn over it."""
    dress_body(outfit, dress, coat)
    if coat:
        wear_coat(outfit, coat)
    if not (coat and coat.collar == "hood-up"):
        wear_hair(outfit, dress.hair, dress.hair_m)


def dress_body(outfit: Outfit, dress: Dress, coat: Coat | None) -> None:
    """Put on everyday clothes, and the padding and sleeves of a coat over them."""
    body = outfit.body
    thickness = cloth_thickness(body, dress, coat.thickness_m if coat else 0.0)
    outfit.vertices = body.vertices + normals(body) * thickness[:, None]
    if not dress.skirt_m:
        ankle = dress.leg_width_m
        widen_limb(outfit, ("thigh", "shank"), (0.0, 0.0, ankle + 0.012, ankle + 0.006, ankle))
    if coat:
        sleeve = coat.sleeve_radius_m
        widen_limb(outfit, ("upperarm", "forearm"), (0.0, sleeve, sleeve, 0.92 * sleeve, 0.85 * sleeve))
    hip = body.joint("pelvis")[2]
    heights = np.linspace(armpit(body), hip - dress.hem_m, 7)
    add_drape(outfit, heights, drape_profile(body, heights, dress.top_m, dress.drape), 0.3)
    if dress.skirt_m:
        heights = np.linspace(hip + 0.04, hip - dress.skirt_m, 8)
        profile = drape_profile(body, heights, 0.008, 0.9)
        profile += (dress.flare * np.clip(hip - heights, 0.0, None))[:, None]
        add_drape(outfit, heights, profile, 0.45)


def normals(body: Body) -> Array:
    """Unit normals of the body's vertices."""
    faces = drawn_faces()
    a, b, c = (body.vertices[faces[:, k]] for k in range(3))
    result = np.zeros_like(body.vertices)
    for k in range(3):
        np.add.at(result, faces[:, k], np.cross(b - a, c - a))
    return np.asarray(result / np.maximum(np.linalg.norm(result, axis=1, keepdims=True), 1e-12))


def cloth_thickness(body: Body, dress: Dress, padding_m: float) -> Array:
    """Thickness of what is worn at each vertex, metres, [V]."""
    thickness = np.zeros(len(body.vertices))
    for names, value in (
        (("thigh", "shank"), dress.trouser_m if not dress.skirt_m else 0.002),
        (TRUNK, max(dress.top_m, padding_m)),
        (("upperarm",), 0.75 * padding_m or dress.sleeve_m),
        (("forearm",), 0.45 * padding_m or dress.sleeve_m),
        (("neck",), 0.004 + 0.4 * (padding_m or dress.top_m)),
        (("foot",), 0.008),
    ):
        thickness[rows(*names)] = value
    return thickness


def widen_limb(outfit: Outfit, names: tuple[str, str], least: Sequence[float]) -> None:
    """Push a limb's vertices out to a least distance from its vertical axis, given at even steps downwards."""
    vertices = outfit.vertices
    for side in ("L", "R"):
        limb = np.concatenate([rows(f"{name}.{side}") for name in names])
        upper, lower = (outfit.body.joint(f"{name}.{side}") for name in names)
        z = vertices[limb, 2]
        axis = np.stack([np.interp(z, (lower[2], upper[2]), (lower[k], upper[k])) for k in (0, 1)], axis=-1)
        arm = vertices[limb, :2] - axis
        radius = np.maximum(np.linalg.norm(arm, axis=1), 1e-6)
        share = np.clip((upper[2] - z) / max(upper[2] - z.min(), 1e-6), 0.0, 1.0)
        wanted = np.interp(share, np.linspace(0.0, 1.0, len(least)), least)
        vertices[limb, :2] = axis + arm * np.maximum(1.0, wanted / radius)[:, None]


def armpit(body: Body) -> float:
    """Height below which the trunk's outline is not the shoulders'."""
    return float(body.joint("upperarm.L")[2] - 0.13)


def head_box(body: Body) -> tuple[Array, Array]:
    """Centre and half sizes of the head without the neck."""
    points = body.vertices[rows("head")]
    low, high = points.min(0), points.max(0)
    low[2] = max(low[2], high[2] - 0.25)
    return (low + high) / 2.0, (high - low) / 2.0


def wear_hair(outfit: Outfit, style: str, thick: float) -> None:
    """Add hair (or a cap) of one of :data:`HAIR_STYLES`."""
    if style == "bald":
        return
    centre, half = head_box(outfit.body)
    skull = centre + np.array([0.0, 0.016, 0.012])
    grown = half + np.array([0.6 * thick - 0.012, 0.7 * thick - 0.012, thick])
    outfit.solid(ellipsoid(skull, grown, low=-0.15 if style in ("short", "cap") else -0.35), head=1.0)
    if style == "full":
        outfit.solid(ellipsoid(skull + [0, 0.012, 0.01], grown + 0.012, low=-0.4), head=1.0)
    elif style == "cap":
        outfit.solid(ellipsoid(centre + [0, -half[1] - 0.015, 0.35 * half[2]], (0.065, 0.075, 0.012)), head=1.0)
    elif style in ("bob", "long"):
        wear_fall(outfit, style, thick, skull, half)
    elif style == "ponytail":
        tail = ellipsoid(skull + [0, half[1] + 0.035, -0.045], (0.032, 0.035 + thick, 0.075 + 2.0 * thick))
        outfit.solid(tail, head=0.8, chest=0.2)
    elif style == "bun":
        outfit.solid(ellipsoid(skull + [0, 0.75 * half[1] + 0.02, 0.5 * half[2]], (0.045, 0.045, 0.042)), head=1.0)


def wear_fall(outfit: Outfit, style: str, thick: float, skull: Array, half: Array) -> None:
    """Hair that falls beside and behind the neck, to the jaw or to the shoulder blades."""
    drop, share = (0.10, 0.3) if style == "bob" else (0.22 + 2.0 * thick, 0.75)
    upper = ellipsoid(skull + [0, 0.03, -0.01], (half[0] + 0.7 * thick, 0.6 * half[1] + thick, 0.06))
    lower = ellipsoid(skull + [0, 0.05, -drop], (half[0] + 0.4 * thick, 0.5 * half[1] + 0.5 * thick, 0.03))
    above, below = outfit.add(upper, {"head": 1.0}), outfit.add(lower, {"head": 1.0 - share, "chest": share})
    outfit.hulls.append(np.concatenate([above, below]))


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
    hem = rng.uniform(*COAT_HEMS[int(rng.choice(len(COAT_HEMS), p=COAT_SHARES))])
    return Coat(
        thickness_m=rng.uniform(0.035, 0.065) if padded else rng.uniform(0.020, 0.040),
        sleeve_radius_m=rng.uniform(0.062, 0.085) if padded else rng.uniform(0.052, 0.068),
        drape=rng.uniform(0.7, 1.0),
        hem_m=hem,
        flare=rng.uniform(0.02, 0.26) * min(1.0, 0.36 / hem),
        front_m=rng.uniform(0.0, 0.06),
        back_m=rng.uniform(0.0, 0.07),
        belt=rng.uniform(0.2, 0.6) if rng.random() < 0.15 else 0.0,
        collar=str(rng.choice(list(COLLARS), p=list(COLLARS.values()))),
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


def wear_coat(outfit: Outfit, coat: Coat) -> None:
    """Add the coat's falling part, its collar or hood."""
    body = outfit.body
    heights = np.linspace(armpit(body) + 0.03, body.joint("pelvis")[2] - coat.hem_m, 10)
    profile = drape_profile(body, heights, coat.thickness_m, coat.drape)
    waist = body.joint("thorax")[2]
    below = np.clip(waist - heights, 0.0, None)
    profile += (coat.flare * below)[:, None]
    reach = below / max(below.max(), 1e-6)
    profile[:, 1] += coat.front_m * reach
    profile[:, 2] += coat.back_m * reach
    profile *= (1.0 - 0.22 * coat.belt * np.exp(-(((heights - waist) / 0.08) ** 2)))[:, None]
    add_drape(outfit, heights, profile, 0.9 * (1.0 - coat.stiffness))
    wear_collar(outfit, coat)


def wear_collar(outfit: Outfit, coat: Coat) -> None:
    """Add the collar, hood or scarf."""
    neck = outfit.body.joint("neck") * np.array([0.0, 1.0, 1.0])
    radius = np.abs(outfit.body.vertices[rows("neck"), 0]).max() + 0.4 * coat.thickness_m
    if coat.collar == "flat":
        outfit.solid(ellipsoid(neck + [0, 0.005, 0.01], (radius + 0.025, radius + 0.025, 0.05)), chest=0.6, neck=0.4)
    elif coat.collar == "stand":
        points = ellipsoid(neck + [0, -0.01, 0.055], (radius + 0.02, radius + 0.03, 0.075), squareness=4.0)
        outfit.solid(points, chest=0.5, neck=0.5)
    elif coat.collar == "scarf":
        points = ellipsoid(neck + [0, -0.015, 0.045], (radius + 0.045, radius + 0.045, 0.06), squareness=3.0)
        outfit.solid(points, chest=0.4, neck=0.6)
    elif coat.collar == "hood-down":
        outfit.solid(ellipsoid(neck + [0, 0.075, 0.015], (radius + 0.06, 0.075, 0.085)), chest=1.0)
    elif coat.collar == "hood-up":
        wear_hood(outfit, neck, radius)


def wear_hood(outfit: Outfit, neck: Array, radius: float) -> None:
    """A hood over the head, with its fall to the shoulders."""
    centre, half = head_box(outfit.body)
    cap = ellipsoid(centre + [0, 0.03, 0.01], (half[0] + 0.035, half[1] + 0.02, half[2] + 0.025))
    base = ellipsoid(neck + [0, 0.03, 0.03], (radius + 0.05, radius + 0.05, 0.05))
    above, below = outfit.add(cap, {"head": 1.0}), outfit.add(base, {"chest": 0.7, "neck": 0.3})
    outfit.hulls += [np.concatenate([above[:24], below]), above]

"""Clothes: a person's everyday dress, and how cloth drapes.

Limbs hang straight down at rest, so a trouser leg or a sleeve is a least distance from the bone's vertical axis, and
a shirt, a skirt or a coat is a stack of rings whose width never falls on the way down (cloth drapes).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.simulation.bodies import BONES, Body, bone
from gaitcrafter_ext.simulation.hair import sample_hair
from gaitcrafter_ext.simulation.shells import TRUNK, Shells, rings, trunk_profile

__all__ = ["Dress", "add_drape", "armpit", "drape_profile", "dress_body", "sample_dress", "vary_dress"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Dress:
    """What a person wears on every normal take.

    Attributes:
        trouser_m: Thickness of cloth on the legs.
        leg_width_m: Least radius of the trouser leg at the ankle; it widens a little towards the knee.
        top_m: Thickness of cloth on the trunk.
        drape: How far the top falls straight from the chest instead of following the waist, 0..1.
        hem_m: Lower edge of the top, metres below the pelvis joint.
        sleeve_m: Thickness of the sleeves.
        skirt_m: Length of a skirt below the pelvis joint; 0 for trousers.
        flare: Widening of the skirt, metres a metre.
        hair: A style of :mod:`gaitcrafter_ext.simulation.hair`.
        hair_m: Thickness of the hair.
    """

    trouser_m: float
    leg_width_m: float
    top_m: float
    drape: float
    hem_m: float
    sleeve_m: float
    skirt_m: float
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

    Args:
        body: Naked body.
        dress: Everyday clothes.
        shells: What drapes is added here.
        padding_m: Thickness of the coat on trunk and shoulders; 0 for none.
        sleeve_radius_m: Least radius of the coat's sleeves; 0 for none.

    Returns:
        Clothed vertices, float64 [1229, 3].
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

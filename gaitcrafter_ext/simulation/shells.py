"""Shells: what is worn or carried, as extra points skinned like the body and filled as convex hulls.

A silhouette needs no cloth surface. A coat is a stack of rings around the trunk; the outline between two rings is the
convex hull of their projections. A bag is a box, hair a cap of points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.simulation.bodies import BONES, Body, Skin, bone, sparse_weights

Array = NDArray[np.float64]

#: Points of one ring, all around.
RING_POINTS = 20

TRUNK = ("pelvis", "abdomen", "thorax", "chest")


@dataclass
class Shells:
    """Extra points of a dressed body, to be filled as convex hulls."""

    #: Blocks of rest positions, metres, and of skinning weights over the 18 bones.
    points: list[Array] = field(default_factory=list)
    weights: list[Array] = field(default_factory=list)
    #: For each hull its rows among all added points, and the vertices of the body that belong to it too.
    hulls: list[NDArray[np.int64]] = field(default_factory=list)
    body_rows: list[NDArray[np.int64]] = field(default_factory=list)

    def count(self) -> int:
        """Points so far."""
        return sum(len(block) for block in self.points)

    def add(self, points: Array, weights: Array) -> NDArray[np.int64]:
        """Add points; returns their indices."""
        start = self.count()
        self.points.append(points)
        self.weights.append(weights)
        return np.arange(start, start + len(points))

    def hull(self, rows: NDArray[np.int64], body_rows: Sequence[int] | NDArray[np.int64] = ()) -> None:
        """Fill these points, with these body vertices, as one convex hull."""
        self.hulls.append(rows)
        self.body_rows.append(np.asarray(body_rows, dtype=np.int64))

    def solid(self, points: Array, **shares: float) -> None:
        """Add one hull that moves with bones in these shares."""
        self.hull(self.add(points, blend(points, **shares)))

    def all_points(self) -> Array:
        """Rest positions, [P, 3]."""
        return np.concatenate(self.points) if self.points else np.zeros((0, 3))

    def skin(self) -> Skin:
        """Influences of all points."""
        return sparse_weights(np.concatenate(self.weights) if self.weights else np.zeros((0, len(BONES))))


def blend(points: Array, **shares: float) -> Array:
    """The same skinning weights for all points, [P, 18]."""
    row = np.zeros(len(BONES))
    for name, share in shares.items():
        row[bone(name)] = share
    return np.tile(row / row.sum(), (len(points), 1))


def ellipsoid(
    centre: Array, radii: Sequence[float], low: float = -1.0, high: float = 1.0, squareness: float = 2.0
) -> Array:
    """Points on a (super)ellipsoid between two relative heights in [-1, 1]; 60 points."""
    height = np.linspace(low, high, 5)[:, None]
    around = np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False)[None, :]
    width = np.maximum(1.0 - np.abs(height) ** squareness, 0.0) ** (1.0 / squareness)
    points = np.stack([width * np.cos(around), width * np.sin(around), np.broadcast_to(height, (5, 12))], axis=-1)
    return np.asarray(centre + points.reshape(-1, 3) * np.asarray(radii))


def box(centre: Array, size: Sequence[float], roundness: float = 0.25, taper: float = 0.0) -> Array:
    """Points of a box with cut corners, ``size`` metres along X, Y, Z; narrower at the top by the share ``taper``."""
    corners = []
    for x in (-1.0, 1.0):
        for y in (-1.0, 1.0):
            for z in (-1.0, 1.0):
                for axis in range(3):
                    corner = np.array([x, y, z])
                    corner[axis] *= 1.0 - roundness
                    corner[:2] *= 1.0 - taper * (corner[2] + 1.0) / 2.0
                    corners.append(corner)
    return np.asarray(centre + 0.5 * np.array(corners) * np.asarray(size))


def trunk_profile(body: Body, heights: Array) -> Array:
    """Half width, front and back reach of the naked trunk (below the crotch: of both thighs) at heights.

    Returns:
        float64 [heights, 3], metres: |x|, -y (front), +y (back), smoothed over 6 cm.
    """
    rows = body.rows(*TRUNK, "thigh", "shank")
    points = body.vertices[rows]
    result = np.zeros((len(heights), 3))
    for i, z in enumerate(heights):
        near = points[np.abs(points[:, 2] - z) < 0.045]
        if len(near):
            result[i] = np.abs(near[:, 0]).max(), (-near[:, 1]).max(), near[:, 1].max()
    return result


def rings(profile: Array, heights: Array, squareness: float = 2.4) -> Array:
    """Rings of points around the trunk, [rings, RING_POINTS, 3], from a profile (half width, front, back)."""
    angle = np.linspace(0.0, 2.0 * np.pi, RING_POINTS, endpoint=False)
    c, s = np.cos(angle), np.sin(angle)
    x = np.sign(c) * np.abs(c) ** (2.0 / squareness)
    y = np.sign(s) * np.abs(s) ** (2.0 / squareness)
    wide, front, back = profile[:, :1], profile[:, 1:2], profile[:, 2:]
    depth = np.where(y > 0, back, front)
    z = np.broadcast_to(heights[:, None], (len(heights), RING_POINTS))
    return np.stack([wide * x, depth * y, z], axis=-1)

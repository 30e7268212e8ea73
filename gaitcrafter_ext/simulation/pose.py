"""Pose: joint angles become bone rotations, and a walk becomes joint positions over time.

Axes as in :mod:`gaitcrafter_ext.simulation.bodies`: Z up, facing -Y, left +X. About X a positive rotation bends the
trunk forward and the knee, a negative one flexes hip, ankle, shoulder and elbow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.simulation.bodies import BONES, Body, bone, pose_joints
from gaitcrafter_ext.simulation.gait import FPS, Gait, joint_angles, phase_of

__all__ = ["Walk", "local_rotations", "walk"]

Array = NDArray[np.float64]


def turn(axis: int, degrees: Array | float, frames: int) -> Array:
    """Rotations [T, 3, 3] about a world axis (0 = X, 1 = Y, 2 = Z)."""
    radians = np.radians(np.broadcast_to(np.asarray(degrees, dtype=float), (frames,)))
    c, s = np.cos(radians), np.sin(radians)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    result = np.zeros((frames, 3, 3))
    result[:, axis, axis] = 1.0
    result[:, i, i], result[:, i, j] = c, -s
    result[:, j, i], result[:, j, j] = s, c
    return result


def compose(*turns: Array) -> Array:
    """Product of rotations, the last applied first."""
    result = turns[0]
    for nxt in turns[1:]:
        result = np.einsum("tij,tjk->tik", result, nxt)
    return result


def leg_rotations(gait: Gait, angles: dict[str, Array], local: Array) -> None:
    """Fill in thigh, shank and foot of both sides."""
    frames = len(local)
    for side, (label, sign) in enumerate((("L", 1.0), ("R", -1.0))):
        hip, knee, ankle = (angles[name][:, side] for name in ("hip", "knee", "ankle"))
        out = turn(1, -sign * gait.leg_out_deg[side] - angles["list"], frames)
        toe = turn(2, sign * gait.toe_out_deg[side], frames)
        local[:, bone(f"thigh.{label}")] = compose(out, turn(0, -hip - 0.3 * gait.lean_deg, frames), toe)
        local[:, bone(f"shank.{label}")] = turn(0, knee, frames)
        local[:, bone(f"foot.{label}")] = turn(0, -ankle, frames)


def arm_rotations(gait: Gait, angles: dict[str, Array], local: Array) -> None:
    """Fill in upper arm, forearm and hand of both sides."""
    frames = len(local)
    trunk = gait.lean_deg + gait.stoop_deg  # the trunk leans, but arm angles are against gravity
    for side, (label, sign) in enumerate((("L", 1.0), ("R", -1.0))):
        arm, elbow = angles["arm"][:, side] + trunk, angles["elbow"][:, side]
        out = turn(1, -sign * gait.arm_out_deg[side], frames)
        local[:, bone(f"upperarm.{label}")] = compose(out, turn(0, -arm, frames))
        inward = turn(1, sign * 0.8 * gait.arm_out_deg[side], frames)
        local[:, bone(f"forearm.{label}")] = compose(turn(0, -elbow, frames), inward)
        local[:, bone(f"hand.{label}")] = turn(0, -4.0, frames)


def local_rotations(gait: Gait, phase: Array) -> Array:
    """Rotation of each bone relative to its parent over a walk, [T, 18, 3, 3]."""
    frames, angles = len(phase), joint_angles(gait, phase)
    local = np.tile(np.eye(3), (frames, len(BONES), 1, 1))
    tilt = turn(0, 0.3 * gait.lean_deg, frames)
    local[:, bone("pelvis")] = compose(turn(2, angles["yaw"], frames), turn(1, angles["list"], frames), tilt)
    back = compose(turn(2, 0.5 * (angles["trunk"] - angles["yaw"]), frames), turn(1, -0.5 * angles["list"], frames))
    lean = 0.35 * gait.lean_deg + 0.5 * angles["nod"]
    local[:, bone("abdomen")] = compose(back, turn(0, lean, frames))
    upper = compose(turn(0, lean + 0.4 * gait.stoop_deg, frames), turn(1, gait.tilt_deg, frames))
    local[:, bone("thorax")] = compose(back, upper)
    local[:, bone("chest")] = turn(0, 0.6 * gait.stoop_deg, frames)
    local[:, bone("neck")] = compose(turn(2, -0.7 * angles["trunk"], frames), turn(0, 0.1 * gait.stoop_deg, frames))
    upright = gait.chin_deg - 0.8 * (gait.lean_deg + gait.stoop_deg)
    local[:, bone("head")] = compose(turn(1, -gait.tilt_deg, frames), turn(0, upright, frames))
    leg_rotations(gait, angles, local)
    arm_rotations(gait, angles, local)
    return local


@dataclass(frozen=True)
class Walk:
    """A posed walk on the spot, shared by all cameras.

    Attributes:
        world: float64 [T, 18, 3, 3], world rotations of the bones.
        position: float64 [T, 18, 3], joint positions, metres; the pelvis stays near x = y = 0.
        along_m: float64 [T], how far the walker has come, metres, 0 in the middle of the clip.
        phase: float64 [T], gait cycles, 0 at a heel strike of the left foot; it goes on past 1.
        cycle_frames: Length of a gait cycle.
    """

    world: Array
    position: Array
    along_m: Array
    phase: Array
    cycle_frames: float


def walk(body: Body, gait: Gait, frames: int, rng: np.random.Generator) -> Walk:
    """A walk of random start phase.

    Args:
        body: Whose joints move.
        gait: How.
        frames: Length, at :data:`~gaitcrafter_ext.simulation.gait.FPS`.
        rng: Keyed by seed, person and take.
    """
    phase = phase_of(gait, frames, rng.random(), rng)
    root = np.zeros((frames, 3))
    root[:, 0] = gait.sway_m * np.sin(2.0 * np.pi * phase)
    world, position = pose_joints(body.joints, local_rotations(gait, phase), root)
    along = stride_m(body, gait, phase) / gait.cycle_s * np.arange(frames) / FPS
    return Walk(world, position, along - along.mean(), phase, gait.cycle_s * FPS)


def stride_m(body: Body, gait: Gait, phase: Array) -> float:
    """Length of a stride, metres, from leg length and the range of the thigh."""
    leg = body.joint("thigh.L")[2] - body.joint("foot.L")[2]
    hip = joint_angles(gait, phase)["hip"]
    return float(2.0 * leg * np.radians(float(hip.max() - hip.min())) * 0.95)

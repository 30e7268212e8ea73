"""Gait: joint curves over the cycle as low-order Fourier series, with person- and take-specific changes.

The mean curves of hip, knee and ankle are drawn through anchor points that we set from the general ranges of clinical
textbooks for level walking (hip about 30 degrees of flexion to 12 of extension; knee a first wave of about 18 and a
swing wave of about 60; ankle about 10 degrees of dorsiflexion before push-off and 17 of plantarflexion after it).
They are not digitised from any published table. Arms, trunk and pelvis move by first and second harmonics.

Angles in degrees; flexion, dorsiflexion and forward swing are positive. Phase in cycles, 0 at a heel strike of the
left foot; the right side is half a cycle later.

Joint angles become rotations about axes as in :mod:`gaitcrafter_ext.simulation.bodies` (Z up, facing -Y, left +X).
About X a positive rotation bends the trunk forward and the knee, a negative one flexes hip, ankle, shoulder and elbow.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.simulation.bodies import BONES, Body, bone, pose_joints

Array = NDArray[np.float64]

#: Frames a second, as CASIA-B's cameras.
FPS = 25

ORDERS = 6

ANCHORS = {
    "hip": ((0, 28), (10, 26), (25, 10), (40, -6), (52, -13), (60, -6), (72, 16), (85, 30), (93, 31)),
    "knee": ((0, 4), (6, 12), (14, 18), (25, 11), (38, 4), (48, 7), (55, 19), (62, 38), (72, 59), (82, 45), (90, 18),
             (96, 4)),
    "ankle": ((0, 0), (6, -6), (15, 0), (30, 7), (44, 11), (52, 2), (60, -17), (65, -16), (75, -2), (85, 2), (95, 0)),
}  # fmt: skip

#: Forward tilt of the pelvis, degrees, that clinical hip angles include; thighs are posed against the vertical.
PELVIC_TILT_DEG = 7.0

#: Standard deviation, degrees, of a person's own harmonics of orders 0..3, by joint.
OWN_HARMONICS = {
    "hip": (2.5, 1.5, 1.0, 0.6),
    "knee": (2.5, 2.0, 1.8, 1.0),
    "ankle": (2.0, 1.5, 1.2, 0.8),
    "arm": (0.0, 0.0, 1.5, 0.8),
}


@functools.cache
def mean_curve(joint: str) -> NDArray[np.complex128]:
    """Fourier coefficients c_0..c_6 of a mean joint curve, x(p) = Re sum c_k exp(2 pi i k p)."""
    at, degrees = np.array(ANCHORS[joint], dtype=float).T
    samples = np.interp(np.arange(200) / 2.0, at, degrees, period=100.0)
    spectrum = np.fft.rfft(samples)[: ORDERS + 1] / 100.0
    spectrum[0] /= 2.0
    return spectrum


def evaluate(coefficients: NDArray[np.complex128], phase: Array) -> Array:
    """Value of a Fourier series at phases in cycles."""
    result = np.zeros_like(phase)
    for k, c in enumerate(coefficients):
        angle = 2.0 * np.pi * k * phase
        result += c.real * np.cos(angle) - c.imag * np.sin(angle)
    return result


@dataclass(frozen=True)
class Gait:
    """How one person (or one take of that person) walks.

    Lengths in metres, angles in degrees; pairs are [left, right]. Lags are in cycles, against the mean curves or, for
    the arms, against the legs.
    """

    cycle_s: float
    hip_gain: float
    knee_gain: float
    ankle_gain: float
    #: Complex harmonics 0..3 of the person's own, by joint.
    own: dict[str, NDArray[np.complex128]]
    #: Shifts the ankle too.
    knee_lag: float
    arm_swing_deg: Array
    arm_offset_deg: Array
    arm_lag: float
    arm_out_deg: Array
    elbow_deg: Array
    #: Share of the arm's swing.
    elbow_swing: float
    #: Forward lean of the trunk, rounding of the upper back, pitch of the head, side lean of the trunk.
    lean_deg: float
    stoop_deg: float
    chin_deg: float
    tilt_deg: float
    #: Amplitudes; the nod of the trunk is at step frequency.
    pelvis_yaw_deg: float
    pelvis_list_deg: float
    trunk_yaw_deg: float
    nod_deg: float
    sway_m: float
    leg_out_deg: Array
    toe_out_deg: Array
    #: The gains of the right side are scaled by 1 + limp, those of the left by 1 - limp.
    limp: float


#: (mean, spread between people, lowest, highest) of the scalars.
SCALARS = {
    "cycle_s": (1.08, 0.065, 0.95, 1.25),
    "hip_gain": (0.98, 0.10, 0.75, 1.25),
    "knee_gain": (1.0, 0.08, 0.80, 1.20),
    "ankle_gain": (1.0, 0.20, 0.50, 1.50),
    "knee_lag": (0.0, 0.010, -0.03, 0.03),
    "arm_lag": (0.02, 0.025, -0.05, 0.08),
    "elbow_swing": (0.45, 0.25, 0.0, 1.1),
    "lean_deg": (2.5, 2.6, -4.0, 9.0),
    "stoop_deg": (5.0, 5.0, -5.0, 18.0),
    "chin_deg": (1.0, 6.0, -12.0, 15.0),
    "tilt_deg": (0.0, 1.0, -3.0, 3.0),
    "pelvis_yaw_deg": (4.5, 2.0, 0.0, 10.0),
    "pelvis_list_deg": (3.0, 1.5, 0.0, 7.0),
    "trunk_yaw_deg": (4.0, 2.0, 0.0, 10.0),
    "nod_deg": (1.0, 0.6, 0.0, 3.0),
    "sway_m": (0.018, 0.008, 0.0, 0.04),
    "limp": (0.0, 0.035, -0.1, 0.1),
}

#: The same for what each side has of its own: (mean, spread of the person, spread between the sides, lowest, highest).
SIDED = {
    "arm_swing_deg": (15.0, 6.0, 3.0, 2.0, 34.0),
    "arm_offset_deg": (-3.0, 4.0, 2.0, -15.0, 12.0),
    "arm_out_deg": (6.0, 2.4, 1.0, 1.0, 14.0),
    "elbow_deg": (15.0, 7.0, 3.0, 3.0, 40.0),
    "leg_out_deg": (-1.4, 1.1, 0.4, -3.4, 2.6),
    "toe_out_deg": (6.0, 4.5, 2.0, -6.0, 18.0),
}


def own_harmonics(rng: np.random.Generator, scale: float = 1.0) -> dict[str, NDArray[np.complex128]]:
    """Random low harmonics by joint, degrees."""
    result = {}
    for joint, spreads in OWN_HARMONICS.items():
        draw = rng.standard_normal((4, 2)) * np.array(spreads)[:, None] * scale
        draw[0, 1] = 0.0
        result[joint] = draw[:, 0] + 1j * draw[:, 1]
    return result


def draw(middle: Callable[[str], Any], rng: np.random.Generator, scale: float) -> dict[str, Any]:
    """All of :data:`SCALARS` and :data:`SIDED`: a middle each, moved by ``scale`` times the spread between people."""
    values: dict[str, Any] = {}
    for name, (_, deviation, low, high) in SCALARS.items():
        values[name] = float(np.clip(middle(name) + scale * deviation * rng.standard_normal(), low, high))
    for name, (_, deviation, between, low, high) in SIDED.items():
        step = scale * (deviation * rng.standard_normal() + between * rng.standard_normal(2))
        values[name] = np.clip(middle(name) + step, low, high)
    return values


def sample_gait(rng: np.random.Generator, spread: float = 1.0) -> Gait:
    """Draw a person's gait; ``spread`` scales the differences between people."""
    means = {name: numbers[0] for name, numbers in {**SCALARS, **SIDED}.items()}
    values = draw(means.__getitem__, rng, spread)
    return Gait(own=own_harmonics(rng, spread), **values)


def vary_gait(gait: Gait, rng: np.random.Generator, scale: float) -> Gait:
    """The same person on another occasion: every parameter moves by ``scale`` times its spread between people."""
    values = draw(functools.partial(getattr, gait), rng, scale)
    extra = own_harmonics(rng, scale)
    return replace(gait, own={joint: gait.own[joint] + extra[joint] for joint in gait.own}, **values)


def phase_of(gait: Gait, frames: int, start: float, rng: np.random.Generator) -> Array:
    """Phase in cycles of each frame: steady cadence with a slow wander of about one per cent."""
    time = np.arange(frames) / FPS
    wander = sum(rng.normal(0.0, 0.004) * np.sin(2.0 * np.pi * (time / period + rng.random())) for period in (1.9, 3.1))
    return np.asarray(start + time / gait.cycle_s + wander)


def thigh_curve(phase: Array) -> Array:
    """Mean angle of the thigh against the vertical, degrees."""
    return evaluate(mean_curve("hip"), phase) - PELVIC_TILT_DEG


def joint_angles(gait: Gait, phase: Array) -> dict[str, Array]:
    """Joint angles in degrees, [T, 2] (left, right) for limbs and [T] for the trunk."""
    both = phase[:, None] + np.array([0.0, 0.5])
    gains = 1.0 + gait.limp * np.array([-1.0, 1.0])
    late = both - gait.knee_lag
    swing = -np.cos(2.0 * np.pi * (both - gait.arm_lag))
    angles = {
        "hip": gait.hip_gain * gains * thigh_curve(both) + evaluate(gait.own["hip"], both),
        "knee": gait.knee_gain * gains * evaluate(mean_curve("knee"), late) + evaluate(gait.own["knee"], late),
        "ankle": gait.ankle_gain * evaluate(mean_curve("ankle"), late) + evaluate(gait.own["ankle"], late),
        "arm": gait.arm_offset_deg + gait.arm_swing_deg * swing + evaluate(gait.own["arm"], both),
        "elbow": gait.elbow_deg + gait.elbow_swing * gait.arm_swing_deg * (0.7 + swing),
        "yaw": -gait.pelvis_yaw_deg * np.cos(2.0 * np.pi * phase),
        "list": gait.pelvis_list_deg * np.sin(2.0 * np.pi * phase + 0.5),
        "trunk": gait.trunk_yaw_deg * np.cos(2.0 * np.pi * (phase - gait.arm_lag)),
        "nod": gait.nod_deg * np.cos(4.0 * np.pi * phase + 0.6),
    }
    angles["knee"] = np.maximum(angles["knee"], 0.5)
    angles["elbow"] = np.maximum(angles["elbow"], 1.0)
    return angles


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
    """A posed walk on the spot, shared by all cameras."""

    #: World rotations of the bones, [T, 18, 3, 3].
    world: Array
    #: Joint positions, [T, 18, 3], metres; the pelvis stays near x = y = 0.
    position: Array
    #: How far the walker has come, [T], metres, 0 in the middle of the clip.
    along_m: Array
    #: Gait cycles, [T], not wrapped.
    phase: Array
    cycle_frames: float


def walk(body: Body, gait: Gait, frames: int, rng: np.random.Generator) -> Walk:
    """A walk of random start phase, ``frames`` long at :data:`FPS`."""
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

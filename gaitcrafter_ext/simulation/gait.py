"""Gait: joint curves over the cycle as low-order Fourier series, with person- and take-specific changes.

The mean curves of hip, knee and ankle are drawn through anchor points that we set from the general ranges of clinical
textbooks for level walking (hip about 30 degrees of flexion to 12 of extension; knee a first wave of about 18 and a
swing wave of about 60; ankle about 10 degrees of dorsiflexion before push-off and 17 of plantarflexion after it).
They are not digitised from any published table. Arms, trunk and pelvis move by first and second harmonics.

Angles in degrees; flexion, dorsiflexion and forward swing are positive. Phase in cycles, 0 at a heel strike of the
left foot; the right side is half a cycle later. About X (axes as in ``bodies``) a positive rotation bends the trunk
forward and the knee, a negative one flexes hip, ankle, shoulder and elbow.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.simulation.bodies import BONES, Array, Body, pose_joints

Complex = NDArray[np.complex128]

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
def mean_curve(joint: str) -> Complex:
    """Fourier coefficients c_0..c_6 of a mean joint curve, x(p) = Re sum c_k exp(2 pi i k p)."""
    at, degrees = np.array(ANCHORS[joint], dtype=float).T
    samples = np.interp(np.arange(200) / 2.0, at, degrees, period=100.0)
    spectrum = np.fft.rfft(samples)[: ORDERS + 1] / 100.0
    spectrum[0] /= 2.0
    return spectrum


def evaluate(coefficients: Complex, phase: Array) -> Array:
    """Value of a Fourier series at phases in cycles."""
    result = np.zeros_like(phase)
    for k, c in enumerate(coefficients):
        angle = 2.0 * np.pi * k * phase
        result += c.real * np.cos(angle) - c.imag * np.sin(angle)
    return result


def drawn(mean: float, spread: float, *numbers: float) -> Any:
    """A field of :class:`Gait`: mean, spread between people, for pairs that between the sides, lowest, highest."""
    return field(default=mean, metadata={"spread": spread, "between": numbers[:-2], "range": numbers[-2:]})


@dataclass(frozen=True)
class Gait:
    """How one person (or one take of that person) walks; pairs are [left, right]. ``Gait()`` holds the means.

    Lags are in cycles, against the mean curves or, for the arms, against the legs; that of the knee shifts the ankle
    too. Lean is the trunk's forward, stoop the upper back's rounding, tilt the trunk's to the side; the nod of the
    trunk is at step frequency. ``limp`` scales the gains of the right side by 1 + limp, those of the left by 1 - limp.
    """

    cycle_s: float = drawn(1.08, 0.065, 0.95, 1.25)
    hip_gain: float = drawn(0.98, 0.10, 0.75, 1.25)
    knee_gain: float = drawn(1.0, 0.08, 0.80, 1.20)
    ankle_gain: float = drawn(1.0, 0.20, 0.50, 1.50)
    knee_lag: float = drawn(0.0, 0.010, -0.03, 0.03)
    arm_lag: float = drawn(0.02, 0.025, -0.05, 0.08)
    #: Share of the arm's swing.
    elbow_swing: float = drawn(0.45, 0.25, 0.0, 1.1)
    lean_deg: float = drawn(2.5, 2.6, -4.0, 9.0)
    stoop_deg: float = drawn(5.0, 5.0, -5.0, 18.0)
    chin_deg: float = drawn(1.0, 6.0, -12.0, 15.0)
    tilt_deg: float = drawn(0.0, 1.0, -3.0, 3.0)
    pelvis_yaw_deg: float = drawn(4.5, 2.0, 0.0, 10.0)
    pelvis_list_deg: float = drawn(3.0, 1.5, 0.0, 7.0)
    trunk_yaw_deg: float = drawn(4.0, 2.0, 0.0, 10.0)
    nod_deg: float = drawn(1.0, 0.6, 0.0, 3.0)
    sway_m: float = drawn(0.018, 0.008, 0.0, 0.04)
    limp: float = drawn(0.0, 0.035, -0.1, 0.1)
    arm_swing_deg: Array = drawn(15.0, 6.0, 3.0, 2.0, 34.0)
    arm_offset_deg: Array = drawn(-3.0, 4.0, 2.0, -15.0, 12.0)
    arm_out_deg: Array = drawn(6.0, 2.4, 1.0, 1.0, 14.0)
    elbow_deg: Array = drawn(15.0, 7.0, 3.0, 3.0, 40.0)
    leg_out_deg: Array = drawn(-1.4, 1.1, 0.4, -3.4, 2.6)
    toe_out_deg: Array = drawn(6.0, 4.5, 2.0, -6.0, 18.0)
    #: Complex harmonics 0..3 of the person's own, by joint.
    own: dict[str, Complex] = field(default_factory=lambda: dict.fromkeys(OWN_HARMONICS, np.zeros(4, complex)))


def vary_gait(gait: Gait, rng: np.random.Generator, scale: float = 1.0) -> Gait:
    """Move every parameter by ``scale`` times its spread between people: of ``Gait()`` a person, of a person a take."""
    values: dict[str, Any] = {}
    for each in fields(Gait)[:-1]:
        step = each.metadata["spread"] * rng.standard_normal()
        for between in each.metadata["between"]:
            step = step + between * rng.standard_normal(2)
        values[each.name] = np.clip(getattr(gait, each.name) + scale * step, *each.metadata["range"])
    own = {}
    for joint, spreads in OWN_HARMONICS.items():
        draw = rng.standard_normal((4, 2)) * np.array(spreads)[:, None] * scale
        draw[0, 1] = 0.0
        own[joint] = gait.own[joint] + (draw[:, 0] + 1j * draw[:, 1])
    return Gait(**values, own=own)


def phase_of(gait: Gait, frames: int, start: float, rng: np.random.Generator) -> Array:
    """Phase in cycles of each frame: steady cadence with a slow wander of about one per cent."""
    time = np.arange(frames) / FPS
    wander = sum(rng.normal(0.0, 0.004) * np.sin(2.0 * np.pi * (time / period + rng.random())) for period in (1.9, 3.1))
    return np.asarray(start + time / gait.cycle_s + wander)


def joint_angles(gait: Gait, phase: Array) -> dict[str, Array]:
    """Joint angles in degrees, [T, 2] (left, right) for limbs and [T] for the trunk."""
    both = phase[:, None] + np.array([0.0, 0.5])
    gains = 1.0 + gait.limp * np.array([-1.0, 1.0])
    late = both - gait.knee_lag
    swing = -np.cos(2.0 * np.pi * (both - gait.arm_lag))
    thigh = evaluate(mean_curve("hip"), both) - PELVIC_TILT_DEG
    knee = gait.knee_gain * gains * evaluate(mean_curve("knee"), late) + evaluate(gait.own["knee"], late)
    elbow = gait.elbow_deg + gait.elbow_swing * gait.arm_swing_deg * (0.7 + swing)
    return {
        "hip": gait.hip_gain * gains * thigh + evaluate(gait.own["hip"], both),
        "knee": np.maximum(knee, 0.5),
        "ankle": gait.ankle_gain * evaluate(mean_curve("ankle"), late) + evaluate(gait.own["ankle"], late),
        "arm": gait.arm_offset_deg + gait.arm_swing_deg * swing + evaluate(gait.own["arm"], both),
        "elbow": np.maximum(elbow, 1.0),
        "yaw": -gait.pelvis_yaw_deg * np.cos(2.0 * np.pi * phase),
        "list": gait.pelvis_list_deg * np.sin(2.0 * np.pi * phase + 0.5),
        "trunk": gait.trunk_yaw_deg * np.cos(2.0 * np.pi * (phase - gait.arm_lag)),
        "nod": gait.nod_deg * np.cos(4.0 * np.pi * phase + 0.6),
    }


def turn(axis: int, degrees: Array | float) -> Array:
    """Rotations [T, 3, 3] about a world axis (0 = X, 1 = Y, 2 = Z); T = 1 for a single angle."""
    radians = np.radians(np.atleast_1d(degrees))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    result = np.zeros((len(radians), 3, 3))
    result[:, axis, axis] = 1.0
    result[:, i, i] = result[:, j, j] = np.cos(radians)
    result[:, j, i] = np.sin(radians)
    result[:, i, j] = -result[:, j, i]
    return result


def compose(*turns: Array) -> Array:
    """Product of rotations, the last applied first."""
    return functools.reduce(lambda first, then: np.einsum("...ij,...jk->...ik", first, then), turns)


def local_rotations(gait: Gait, phase: Array) -> Array:
    """Rotation of each bone relative to its parent over a walk, [T, 18, 3, 3]."""
    angles = joint_angles(gait, phase)
    turns = spine_rotations(gait, angles) | limb_rotations(gait, angles, 0) | limb_rotations(gait, angles, 1)
    return np.stack([np.broadcast_to(turns[name], (len(phase), 3, 3)) for name in BONES], axis=1)


def spine_rotations(gait: Gait, angles: dict[str, Array]) -> dict[str, Array]:
    """Rotations of pelvis to head, [T or 1, 3, 3] each."""
    yaw, sideways, trunk = angles["yaw"], angles["list"], angles["trunk"]
    lean = 0.35 * gait.lean_deg + 0.5 * angles["nod"]
    back = compose(turn(2, 0.5 * (trunk - yaw)), turn(1, -0.5 * sideways))
    upper = compose(turn(0, lean + 0.4 * gait.stoop_deg), turn(1, gait.tilt_deg))
    upright = gait.chin_deg - 0.8 * (gait.lean_deg + gait.stoop_deg)
    return {
        "pelvis": compose(turn(2, yaw), turn(1, sideways), turn(0, 0.3 * gait.lean_deg)),
        "abdomen": compose(back, turn(0, lean)),
        "thorax": compose(back, upper),
        "chest": turn(0, 0.6 * gait.stoop_deg),
        "neck": compose(turn(2, -0.7 * trunk), turn(0, 0.1 * gait.stoop_deg)),
        "head": compose(turn(1, -gait.tilt_deg), turn(0, upright)),
    }


def limb_rotations(gait: Gait, angles: dict[str, Array], side: int) -> dict[str, Array]:
    """Rotations of leg and arm of one side (0 = left), [T or 1, 3, 3] each."""
    label, sign = "LR"[side], (1.0, -1.0)[side]
    hip, knee, ankle, arm, elbow = (angles[name][:, side] for name in ("hip", "knee", "ankle", "arm", "elbow"))
    arm = arm + (gait.lean_deg + gait.stoop_deg)  # the trunk leans, but arm angles are against gravity
    leg_out, toe_out = -sign * gait.leg_out_deg[side] - angles["list"], sign * gait.toe_out_deg[side]
    arm_out, inward = -sign * gait.arm_out_deg[side], sign * 0.8 * gait.arm_out_deg[side]
    return {
        f"thigh.{label}": compose(turn(1, leg_out), turn(0, -hip - 0.3 * gait.lean_deg), turn(2, toe_out)),
        f"shank.{label}": turn(0, knee),
        f"foot.{label}": turn(0, -ankle),
        f"upperarm.{label}": compose(turn(1, arm_out), turn(0, -arm)),
        f"forearm.{label}": compose(turn(0, -elbow), turn(1, inward)),
        f"hand.{label}": turn(0, -4.0),
    }


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
    """A walk of random start phase at :data:`FPS`; the length of a stride follows from leg and swing of the thigh."""
    phase = phase_of(gait, frames, rng.random(), rng)
    root = np.zeros((frames, 3))
    root[:, 0] = gait.sway_m * np.sin(2.0 * np.pi * phase)
    world, position = pose_joints(body.joints, local_rotations(gait, phase), root)
    leg = body.joint("thigh.L")[2] - body.joint("foot.L")[2]
    stride_m = 2.0 * leg * np.radians(np.ptp(joint_angles(gait, phase)["hip"])) * 0.95
    along = stride_m / gait.cycle_s * np.arange(frames) / FPS
    return Walk(world, position, along - along.mean(), phase, gait.cycle_s * FPS)

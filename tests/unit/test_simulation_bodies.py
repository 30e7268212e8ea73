"""Bodies, joint curves and skinning."""

from __future__ import annotations

import numpy as np
import pytest

from gaitcrafter_ext.simulation.bodies import BONES, Skin, bone, parents, pose_joints, sample_body, skin_points
from gaitcrafter_ext.simulation.gait import (
    Gait,
    evaluate,
    joint_angles,
    local_rotations,
    mean_curve,
    phase_of,
    sample_gait,
    turn,
    vary_gait,
    walk,
)


@pytest.fixture(scope="module")
def gait() -> Gait:
    return sample_gait(np.random.default_rng(0), spread=0.0)


def test_bodies_stand_on_the_ground_with_hanging_limbs() -> None:
    for seed in range(20):
        body = sample_body(np.random.default_rng(seed))
        assert abs(body.vertices[:, 2].min()) < 0.03
        assert 1.3 < body.vertices[:, 2].max() < 2.2
        for side in ("L", "R"):
            for chain in (("thigh", "shank", "foot"), ("upperarm", "forearm", "hand")):
                upper, middle, lower = (body.joint(f"{name}.{side}") for name in chain)
                assert np.abs(upper[:2] - middle[:2]).max() < 0.01
                assert np.abs(middle[:2] - lower[:2]).max() < 0.01
                assert upper[2] > middle[2] > lower[2]


def test_left_is_plus_x_and_parents_come_first() -> None:
    body = sample_body(np.random.default_rng(1))
    assert body.joint("thigh.L")[0] > 0 > body.joint("thigh.R")[0]
    assert parents()[0] == -1
    assert all(parent < child for child, parent in enumerate(parents()))


def test_faces_look_outwards() -> None:
    body = sample_body(np.random.default_rng(2))
    a, b, c = (body.vertices[body.faces[:, k]] for k in range(3))
    chest = np.isin(body.faces, body.rows("thorax")).all(axis=1)
    normal, centre = np.cross(b - a, c - a)[chest], ((a + b + c) / 3.0)[chest]
    outward = centre[:, :2] - centre[:, :2].mean(0)
    assert ((normal[:, :2] * outward).sum(1) > 0).mean() > 0.9


def naive_skin(
    points: np.ndarray, skin: Skin, joints: np.ndarray, world: np.ndarray, position: np.ndarray
) -> np.ndarray:
    result = np.zeros((len(world), len(points), 3))
    for t in range(len(world)):
        for p, point in enumerate(points):
            for b, weight in zip(skin.bones[p], skin.weights[p], strict=True):
                result[t, p] += weight * (world[t, b] @ (point - joints[b]) + position[t, b])
    return result


def test_skinning_equals_the_naive_sum(gait: Gait) -> None:
    rng = np.random.default_rng(3)
    body = sample_body(rng)
    rows = rng.integers(0, len(body.vertices), 30)
    steps = walk(body, gait, 3, rng)
    fast = skin_points(body.vertices[rows], body.skin[rows], body.joints, steps.world, steps.position)
    slow = naive_skin(body.vertices[rows], body.skin[rows], body.joints, steps.world, steps.position)
    np.testing.assert_allclose(fast, slow, atol=2e-4)  # weights below 1e-4 are left out


def test_no_rotation_leaves_the_body_at_rest() -> None:
    body = sample_body(np.random.default_rng(4))
    local = np.tile(np.eye(3), (1, len(BONES), 1, 1))
    world, position = pose_joints(body.joints, local, body.joints[:1])
    np.testing.assert_allclose(position[0], body.joints, atol=1e-12)
    posed = skin_points(body.vertices, body.skin, body.joints, world, position)
    np.testing.assert_allclose(posed[0], body.vertices, atol=2e-3)


def test_knee_flexion_moves_the_foot_backwards_and_hip_flexion_forwards() -> None:
    body = sample_body(np.random.default_rng(5))
    for name, sign in (("shank.L", 1.0), ("thigh.L", -1.0)):
        local = np.tile(np.eye(3), (1, len(BONES), 1, 1))
        local[:, bone(name)] = turn(0, sign * 30.0, 1)
        _, position = pose_joints(body.joints, local, np.zeros((1, 3)))
        straight = body.joint("foot.L")[1] - body.joint("pelvis")[1]
        assert (position[0, bone("foot.L"), 1] - straight) * sign > 0.1  # the walker faces -Y


def test_mean_curves_stay_in_the_ranges_they_were_set_from() -> None:
    phase = np.linspace(0.0, 1.0, 400, endpoint=False)
    hip, knee, ankle = (evaluate(mean_curve(joint), phase) for joint in ("hip", "knee", "ankle"))
    assert 27 < hip.max() < 34
    assert -15 < hip.min() < -9
    assert 52 < knee.max() < 62
    assert 13 < knee[phase < 0.3].max() < 22
    assert knee.min() > -3
    assert 8 < ankle.max() < 13
    assert -20 < ankle.min() < -13


def test_sides_are_half_a_cycle_apart(gait: Gait) -> None:
    phase = np.linspace(0.0, 2.0, 200, endpoint=False)
    angles = joint_angles(gait, phase)
    for name in ("hip", "knee", "ankle", "arm"):
        np.testing.assert_allclose(angles[name][:, 0], np.roll(angles[name][:, 1], -50), atol=1e-9, err_msg=name)


def test_arm_swings_against_the_leg_of_its_side(gait: Gait) -> None:
    angles = joint_angles(gait, np.linspace(0.0, 1.0, 100, endpoint=False))
    assert np.corrcoef(angles["hip"][:, 0], angles["arm"][:, 0])[0, 1] < -0.7


def test_rotations_are_rotations() -> None:
    rng = np.random.default_rng(6)
    gait = sample_gait(rng)
    local = local_rotations(gait, phase_of(gait, 20, 0.3, rng))
    np.testing.assert_allclose(local @ local.swapaxes(-1, -2), np.broadcast_to(np.eye(3), local.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(local), 1.0)


def test_people_differ_more_than_takes_of_one_person() -> None:
    people = [sample_gait(np.random.default_rng([7, n])) for n in range(200)]
    takes = [vary_gait(people[0], np.random.default_rng([8, n]), 0.45) for n in range(200)]
    for name in ("cycle_s", "lean_deg", "hip_gain"):
        between, within = (np.std([getattr(g, name) for g in group]) for group in (people, takes))
        assert 0.2 < within / between < 0.75, name


def test_steps_have_human_length(gait: Gait) -> None:
    body = sample_body(np.random.default_rng(10))
    steps = walk(body, gait, 50, np.random.default_rng(11))
    speed = (steps.along_m[-1] - steps.along_m[0]) / (49 / 25)
    assert 0.9 < speed < 1.7
    assert abs(steps.along_m.mean()) < 1e-9

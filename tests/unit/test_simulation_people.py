"""Bodies, gait, and what a camera sees of them; clothes and bags show in the cohort and the golden clips."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gaitcrafter_ext.simulation.bodies import Body, sample_body, skin_points
from gaitcrafter_ext.simulation.camera import MARGIN, SUBPIXELS, fill, project, segmentation_noise, take_bite
from gaitcrafter_ext.simulation.cohort import body_mesh, person, pose_take
from gaitcrafter_ext.simulation.gait import Gait, evaluate, joint_angles, mean_curve, sample_gait, walk


@pytest.fixture(scope="module")
def gait() -> Gait:
    return sample_gait(np.random.default_rng(0), spread=0.0)


@pytest.fixture(scope="module")
def body() -> Body:
    return sample_body(np.random.default_rng(0))


def test_bodies_stand_on_the_ground_with_hanging_limbs_left_at_plus_x() -> None:
    for seed in range(10):
        body = sample_body(np.random.default_rng(seed))
        assert abs(body.vertices[:, 2].min()) < 0.03
        assert 1.3 < body.vertices[:, 2].max() < 2.2
        for side, sign in (("L", 1.0), ("R", -1.0)):
            for chain in (("thigh", "shank", "foot"), ("upperarm", "forearm", "hand")):
                upper, middle, lower = (body.joint(f"{name}.{side}") for name in chain)
                assert np.abs(upper[:2] - middle[:2]).max() < 0.01
                assert np.abs(middle[:2] - lower[:2]).max() < 0.01
                assert upper[2] > middle[2] > lower[2]
                assert sign * upper[0] > 0


def test_skinning_equals_the_naive_sum(body: Body, gait: Gait) -> None:
    rng = np.random.default_rng(3)
    some = rng.integers(0, len(body.vertices), 30)
    steps = walk(body, gait, 3, rng)
    skin = body.skin[some]
    slow = np.zeros((3, 30, 3))
    for t, p in np.ndindex(3, 30):
        for b, weight in zip(skin.bones[p], skin.weights[p], strict=True):
            arm = body.vertices[some[p]] - body.joints[b]
            slow[t, p] += weight * (steps.world[t, b] @ arm + steps.position[t, b])
    fast = skin_points(body.vertices[some], skin, body.joints, steps.world, steps.position)
    np.testing.assert_allclose(fast, slow, atol=2e-4)  # weights below 1e-4 are left out


def test_joint_curves_stay_in_the_ranges_they_were_set_from_and_steps_have_human_length(body: Body, gait: Gait) -> None:
    phase = np.linspace(0.0, 1.0, 400, endpoint=False)
    hip, knee, ankle = (evaluate(mean_curve(joint), phase) for joint in ("hip", "knee", "ankle"))
    for value, low, high in (
        (hip.max(), 27, 34),
        (hip.min(), -15, -9),
        (knee.max(), 52, 62),
        (knee[phase < 0.3].max(), 13, 22),
        (knee.min(), -3, 5),
        (ankle.max(), 8, 13),
        (ankle.min(), -20, -13),
    ):
        assert low < value < high
    angles = joint_angles(gait, phase)
    for name in ("hip", "knee", "ankle", "arm"):  # the sides are half a cycle apart
        np.testing.assert_allclose(angles[name][:, 0], np.roll(angles[name][:, 1], -200), atol=1e-9, err_msg=name)
    assert np.corrcoef(angles["hip"][:, 0], angles["arm"][:, 0])[0, 1] < -0.7, "arms swing against the legs"
    along_m = walk(body, gait, 50, np.random.default_rng(11)).along_m
    assert 0.9 < (along_m[-1] - along_m[0]) / (49 / 25) < 1.7, "metres a second"


def test_views_show_what_their_names_say() -> None:
    def seen(point: tuple[float, float, float], azimuth_deg: float, along_m: float = 0.0) -> np.ndarray:
        return project(np.array([[point]]), np.array([along_m]), azimuth_deg)[:, 0, 0]

    assert seen((0, -0.2, 1.6), 90)[0] < seen((0, 0.2, 1.6), 90)[0], "from the side the walker faces image left"
    assert seen((0.3, 0, 1), 0)[0] > 0 > seen((0.3, 0, 1), 180)[0]
    assert (np.diff([seen((0, 0, 1), 90, along)[0] for along in (-1.0, 0.0, 1.0)]) < 0).all()
    heights = [seen((0, 0, 0), 0, along)[1] - seen((0, 0, 1.7), 0, along)[1] for along in (-1.0, 0.0, 1.0)]
    assert heights[0] < heights[1] < heights[2], "at view 000 the walker comes nearer"
    assert abs(heights[1] - 128) < 2


def covered(ring: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Pixels whose centre lies in a convex ring of points, [K, 2], in either sense."""
    centres = np.stack(np.indices(shape)[::-1], axis=-1) + np.array([1e-6, 2e-6])
    side = ring[None, None] - centres[:, :, None]
    cross = side[..., 0] * np.roll(side, -1, 2)[..., 1] - side[..., 1] * np.roll(side, -1, 2)[..., 0]
    return (cross > 0).all(-1) | (cross < 0).all(-1)


def test_the_outline_is_that_of_all_front_faces_and_hulls_filled_one_by_one() -> None:
    posed = pose_take(0, person(0, 5), "cl-01", 5)
    flat = project(posed.points, posed.walk.along_m, 54.0) / 3
    mesh = body_mesh()
    mask, points = fill(flat, mesh, posed.hulls)[2], flat[:, 2].T
    points = np.rint((points - np.floor(points.min(0)) + MARGIN) * SUBPIXELS) / SUBPIXELS
    a, b = (points[mesh.faces[:, k]] - points[mesh.faces[:, 0]] for k in (1, 2))
    rings = [points[face] for face in mesh.faces[a[:, 0] * b[:, 1] < a[:, 1] * b[:, 0]]]
    rings += [cv2.convexHull(points[hull].astype(np.float32))[:, 0] for hull in posed.hulls]
    expected = np.any([covered(ring, mask.shape) for ring in rings], axis=0)
    assert set(np.unique(mask)) == {0, 255}
    assert ((mask > 0) != expected).sum() <= 2  # of about 700 pixels of the walker


def test_noise_stays_at_the_outline_and_a_bite_is_small() -> None:
    mask = cv2.circle(np.zeros((120, 100), np.uint8), (50, 60), 35, 255, -1)
    core, near = (change(mask, np.ones((9, 9), np.uint8)) > 0 for change in (cv2.erode, cv2.dilate))
    rng = np.random.default_rng(1)
    first, second = segmentation_noise(mask, rng), segmentation_noise(mask, rng)
    assert (first != second).any()
    for noisy in (first, second):
        assert (noisy[core] == 255).all()
        assert (noisy[~near] == 0).all()
        assert 5 < (np.abs(noisy.astype(int) - mask) > 127).sum() < 0.05 * (mask > 0).sum()
    bitten = mask.copy()
    take_bite(bitten, rng)
    assert 3 < (bitten != mask).sum() < 120

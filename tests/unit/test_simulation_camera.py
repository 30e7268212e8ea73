"""Projection, filling and segmentation noise."""

from __future__ import annotations

import cv2
import numpy as np

from gaitcrafter_ext.simulation.camera import MARGIN, SUBPIXELS, Camera, Mesh, SegmentationNoise, fill, project
from gaitcrafter_ext.simulation.cohort import body_mesh, person, pose_take


def seen(point: tuple[float, float, float], azimuth_deg: float, along_m: float = 0.0) -> np.ndarray:
    return project(np.array([[point]]), np.array([along_m]), Camera(azimuth_deg))[:, 0, 0]


def test_views_show_what_their_names_say() -> None:
    nose, back, left_hand = (0.0, -0.2, 1.6), (0.0, 0.2, 1.6), (0.3, 0.0, 1.0)
    assert seen(nose, 90)[0] < seen(back, 90)[0], "from the side the walker faces image left"
    assert seen(left_hand, 0)[0] > 0 > seen(left_hand, 180)[0]
    columns = [seen((0, 0, 1), 90, along)[0] for along in (-1.0, 0.0, 1.0)]
    assert columns[0] > columns[1] > columns[2]
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
    flat = project(posed.points, posed.walk.along_m, Camera(54.0, focal_px=130.0))
    mesh = body_mesh()
    mask, points = fill(flat, mesh, posed.hulls)[2], flat[:, 2].T
    points = np.rint((points - np.floor(points.min(0)) + MARGIN) * SUBPIXELS) / SUBPIXELS
    a, b = (points[mesh.faces[:, k]] - points[mesh.faces[:, 0]] for k in (1, 2))
    rings = [points[face] for face in mesh.faces[a[:, 0] * b[:, 1] < a[:, 1] * b[:, 0]]]
    rings += [cv2.convexHull(points[rows].astype(np.float32))[:, 0] for rows in posed.hulls]
    expected = np.any([covered(ring, mask.shape) for ring in rings], axis=0)
    assert set(np.unique(mask)) == {0, 255}
    assert ((mask > 0) != expected).sum() <= 2  # of about 700 pixels of the walker


def test_faces_that_look_away_are_left_out() -> None:
    points = np.array([[0.0, 60.0, 20.0], [0.0, 5.0, 50.0]])[:, None]
    away = np.array([[0, 1, 2]])
    assert not fill(points, Mesh.of(away), [])[0].any()
    np.testing.assert_array_equal(
        fill(points, Mesh.of(away[:, ::-1]), []), fill(points, Mesh.of(away[:0]), [np.arange(3)])
    )


def disc() -> np.ndarray:
    mask = np.zeros((120, 100), np.uint8)
    return cv2.circle(mask, (50, 60), 35, 255, -1)


def test_noise_stays_at_the_outline() -> None:
    mask = disc()
    noisy = SegmentationNoise(np.random.default_rng(0), bite=0.0)(mask)
    core = cv2.erode(mask, np.ones((9, 9), np.uint8)) > 0
    away = cv2.dilate(mask, np.ones((9, 9), np.uint8)) == 0
    assert (noisy[core] == 255).all()
    assert (noisy[away] == 0).all()
    changed = (np.abs(noisy.astype(int) - mask) > 127).sum()
    assert 5 < changed < 0.05 * (mask > 0).sum()


def test_noise_differs_from_frame_to_frame_and_repeats_with_its_seed() -> None:
    mask = disc()
    first, again = (SegmentationNoise(np.random.default_rng(1)) for _ in range(2))
    frame = first(mask)
    np.testing.assert_array_equal(frame, again(mask))
    assert (first(mask) != frame).any()


def test_a_bite_changes_the_outline_by_a_few_pixels() -> None:
    quiet = SegmentationNoise(np.random.default_rng(2), edge=1e-6, bite=0.0)(disc())
    bitten = SegmentationNoise(np.random.default_rng(2), edge=1e-6, bite=1.0)(disc())
    assert 3 < (np.abs(bitten.astype(int) - quiet) > 127).sum() < 120

"""Camera: fixed cameras around a walk, and masks at about CASIA-B's resolution.

The mask is drawn at about the size at which people appear in CASIA-B's 320x240 frames (90 to 200 pixels tall) and
noise is added there; OpenGait's own alignment to 64x64 then makes the soft edges of pretreated data.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Camera", "SegmentationNoise", "fill", "project"]

Array = NDArray[np.float64]

#: Sub-pixel bits of the polygon filler.
SHIFT = 3

#: Empty pixels around a mask.
MARGIN = 6

#: Side of the tile of noise, pixels; a mask may be twice as large.
FIELD = 256

#: Steepness of the edge after the noise; smaller is softer. Chosen so that about 5 % of the cropped pixels are grey.
EDGE_GAIN = 2.0


@dataclass(frozen=True)
class Camera:
    """A fixed camera that looks at the middle of the walk.

    Attributes:
        azimuth_deg: 0 = the walker comes towards it, 90 = sees the walker's left side, 180 = from behind.
        distance_m: From the middle of the walk.
        height_m: Above the ground.
        focal_px: Focal length; a person of 1.7 m at 5.2 m is about 128 pixels tall.
    """

    azimuth_deg: float
    distance_m: float = 5.2
    height_m: float = 1.35
    focal_px: float = 392.0


def project(points: Array, along_m: Array, camera: Camera) -> Array:
    """Perspective projection of posed points.

    Args:
        points: float64 [T, P, 3], the walker at the origin, facing -Y.
        along_m: float64 [T], how far the walker has come along -Y.
        camera: The camera.

    Returns:
        float64 [T, P, 2], pixels; x to the right, y downwards.
    """
    azimuth = np.radians(camera.azimuth_deg)
    s, c = np.sin(azimuth), np.cos(azimuth)
    y = points[..., 1] - along_m[:, None]
    right = points[..., 0] * c + y * s
    depth = camera.distance_m - (points[..., 0] * s - y * c)
    scale = camera.focal_px / depth
    return np.stack([right * scale, (camera.height_m - points[..., 2]) * scale], axis=-1)


def fill(points: Array, faces: NDArray[np.int64], hulls: list[NDArray[np.int64]]) -> NDArray[np.uint8]:
    """Draw one frame: every triangle that faces the camera and every hull.

    Filling all triangles at once would leave even-odd holes, so each is filled on its own.

    Args:
        points: float64 [P, 2], pixels.
        faces: int [F, 3], counter-clockwise from outside.
        hulls: Indices of the points of each hull.

    Returns:
        uint8 [height, width], 0 or 255, with :data:`MARGIN` empty pixels around.
    """
    low = np.floor(points.min(0)) - MARGIN
    width, height = (np.ceil(points.max(0)) - low + MARGIN).astype(int)
    fixed = np.rint((points - low) * (1 << SHIFT)).astype(np.int32)
    triangles = fixed[faces]
    a, b = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    facing = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < 0
    mask = np.zeros((height, width), np.uint8)
    for triangle in triangles[facing]:
        cv2.fillConvexPoly(mask, triangle, 255, 8, SHIFT)
    for rows in hulls:
        cv2.fillConvexPoly(mask, cv2.convexHull(fixed[rows]), 255, 8, SHIFT)
    return mask


class SegmentationNoise:
    """What background subtraction does to an outline: ragged edges and rare bites.

    Args:
        rng: Keyed by seed, person, take and view.
        edge: Strength of the raggedness (share of the soft mask's range).
        bite: Chance of a bite a frame.
    """

    def __init__(self, rng: np.random.Generator, edge: float = 0.09, bite: float = 0.025) -> None:
        self.rng, self.bite = rng, bite
        field = cv2.GaussianBlur(rng.standard_normal((FIELD, FIELD)).astype(np.float32), (0, 0), 1.6)
        self.field = np.tile(field * np.float32(edge * 255.0 / field.std()), (3, 3))

    def __call__(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A noisy copy of a mask, uint8, soft over about a pixel."""
        height, width = mask.shape
        soft = cv2.GaussianBlur(mask, (0, 0), 1.3).astype(np.float32)
        top, left = self.rng.integers(FIELD), self.rng.integers(FIELD)
        ragged = soft + self.field[top : top + height, left : left + width] * (soft > 4.0) * (soft < 251.0)
        noisy = np.clip((ragged - 127.5) * EDGE_GAIN + 127.5, 0.0, 255.0).astype(np.uint8)
        if self.rng.random() < self.bite:
            self.take_bite(noisy)
        return noisy

    def take_bite(self, mask: NDArray[np.uint8]) -> None:
        """Remove or add a small ellipse at a random point of the outline, in place."""
        outline = np.argwhere(cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)))
        y, x = outline[self.rng.integers(len(outline))]
        axes = (int(self.rng.integers(2, 6)), int(self.rng.integers(2, 6)))
        value = 0 if self.rng.random() < 0.85 else 255
        cv2.ellipse(mask, (int(x), int(y)), axes, float(self.rng.integers(180)), 0, 360, value, -1)

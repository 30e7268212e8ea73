"""Camera: fixed cameras around a walk, and masks at about CASIA-B's resolution.

The mask is drawn at about the size at which people appear in CASIA-B's 320x240 frames (90 to 200 pixels tall) and
noise is added there; OpenGait's own alignment to 64x64 then makes the soft edges of pretreated data.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.simulation.bodies import Array, Index

#: The camera looks at the middle of the walk; a person of 1.7 m is about 128 pixels tall there.
DISTANCE_M, HEIGHT_M, FOCAL_PX = 5.2, 1.35, 392.0

#: Points are rounded to this part of a pixel, so that all processors draw the same outline.
SUBPIXELS = 8

#: Empty pixels around a mask.
MARGIN = 6

#: Side of the tile of noise, pixels.
FIELD = 256

#: Blur of the mask before noise, and strength of the noise, grey levels.
BLUR = cv2.getGaussianKernel(9, 1.3, cv2.CV_32F)
RAGGED = 255.0 * 0.09

#: Level of the blurred mask that becomes the outline; below one half, as segmentation keeps pixels half covered.
EDGE = 93.0

#: Steepness of the edge after the noise; smaller is softer. Chosen so that about 5 % of the cropped pixels are grey.
EDGE_GAIN = 2.1

#: Chance of a bite a frame.
BITE = 0.025


def project(points: Array, along_m: Array, azimuth_deg: float) -> Array:
    """Perspective projection of points [T, P, 3] of a walker at the origin who has come ``along_m`` [T] along -Y.

    Azimuth 0: the walker comes towards the camera; 90: it sees the walker's left side; 180: from behind.

    Returns:
        float64 [2, T, P], pixels; x to the right, y downwards.
    """
    s, c = np.sin(np.radians(azimuth_deg)), np.cos(np.radians(azimuth_deg))
    y = points[..., 1] - along_m[:, None]
    right = points[..., 0] * c + y * s
    scale = FOCAL_PX / (DISTANCE_M - (points[..., 0] * s - y * c))
    return np.stack([right * scale, (HEIGHT_M - points[..., 2]) * scale])


def edges(faces: Index) -> Index:
    """The three edges of each face [F, 3] in the sense of its corners, [3 F, 2]."""
    return np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2)


def neighbours(faces: Index) -> Index:
    """The face across each of the :func:`edges` of ``faces``, [3 F]; the number F, which none has, at a border."""
    ends = edges(faces).tolist()
    owner = {(start, end): number // 3 for number, (start, end) in enumerate(ends)}
    return np.array([owner.get((end, start), len(faces)) for start, end in ends])


def outline(points: Index, faces: Index, across: Index) -> tuple[Index, Index]:
    """Edges of faces that look at the camera, where the face ``across`` them looks away, in all frames.

    Between two faces that look at the camera the shared edge is passed in both directions, so it cancels.

    Returns:
        Frame [N], and ends int [2, N, 2] (x and y, start and end), all in one sense around what is seen.
    """
    x, y = points
    a, b, c = faces.T
    facing = np.zeros((len(x), len(faces) + 1), bool)
    facing[:, :-1] = (x[:, b] - x[:, a]) * (y[:, c] - y[:, a]) < (y[:, b] - y[:, a]) * (x[:, c] - x[:, a])
    frame, edge = np.nonzero(np.repeat(facing[:, :-1], 3, axis=1) > facing.take(across, axis=1))
    return frame, points[:, frame[:, None], edges(faces)[edge]]


def hull_outline(points: Index, hulls: Sequence[Index]) -> tuple[Index, Index]:
    """The same for the convex hull of each group of points."""
    rings = [cv2.convexHull(flat[rows], clockwise=True)[:, 0] for flat in points.transpose(1, 2, 0) for rows in hulls]
    lengths = np.array([len(ring) for ring in rings])
    start = np.concatenate(rings)
    following = np.arange(1, len(start) + 1)
    following[np.cumsum(lengths) - 1] -= lengths
    frames = np.repeat(np.arange(len(rings)) // len(hulls), lengths)
    return frames, np.stack([start.T, start[following].T], axis=-1)


def fill(points: Array, faces: Index, across: Index, hulls: Sequence[Index]) -> list[NDArray[np.uint8]]:
    """Draw what is seen of a mesh and of hulls, by the non-zero winding rule.

    Each edge of the outline adds its direction where it crosses the line through the centres of a row of pixels; the
    sum from the left is the winding number.

    Args:
        points: float64 [2, T, P], pixels.
        faces: int [F, 3], counter-clockwise seen from outside; drawn where they look at the camera.
        across: Their :func:`neighbours`.
        hulls: Rows of the points of each hull.

    Returns:
        For each frame uint8 [height, width], 0 or 255, with :data:`MARGIN` empty pixels around.
    """
    low = np.floor(points.min(2)) - MARGIN
    sizes = (np.ceil(points.max(2)) - low + MARGIN).astype(int)
    width, height = sizes.max(1)
    fixed = np.rint((points - low[..., None]) * SUBPIXELS).astype(np.int32)
    parts = outline(fixed, faces, across), hull_outline(fixed, hulls)
    frame = np.concatenate([part[0] for part in parts])
    (x0, x1), (y0, y1) = np.concatenate([part[1] for part in parts], axis=1).transpose(0, 2, 1)
    first = -(-np.minimum(y0, y1) // SUBPIXELS)
    count = -(-np.maximum(y0, y1) // SUBPIXELS) - first
    row = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count - first, count)
    slope = (x1 - x0) / np.where(y1 == y0, 1, y1 - y0)
    column = np.repeat((x0 - y0 * slope) / SUBPIXELS, count) + np.repeat(slope, count) * row
    winding = np.zeros((points.shape[1], height, width), np.int8)
    cell = (np.repeat(frame, count) * height + row) * width + np.ceil(column).astype(np.int64)
    np.add.at(winding.reshape(-1), cell, np.repeat(np.where(y1 > y0, np.int8(1), np.int8(-1)), count))
    inside = np.cumsum(winding, axis=2, dtype=np.int8) != 0
    masks = inside.view(np.uint8) * np.uint8(255)
    return [mask[:h, :w] for mask, (w, h) in zip(masks, sizes.T, strict=True)]


@functools.cache
def noise_field() -> NDArray[np.float32]:
    """Smooth noise of unit variance, [3 FIELD, 3 FIELD], shared by all clips, which place it at random."""
    noise = np.random.default_rng(0).standard_normal((FIELD, FIELD)).astype(np.float32)
    smooth = cv2.GaussianBlur(np.tile(noise, (3, 3)), (0, 0), 1.6)
    return smooth / smooth.std()


def segmentation_noise(mask: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """What background subtraction makes of a mask, uint8: soft, ragged edges, and rarely a bite."""
    soft = cv2.sepFilter2D(mask, cv2.CV_32F, BLUR, BLUR)
    (height, width), (top, left), field = mask.shape, rng.integers(FIELD, size=2), noise_field()
    if max(height, width) > 2 * FIELD:  # a long walk leads near to the camera
        field = np.pad(field, ((0, height), (0, width)), mode="wrap")
    ragged = field[top : top + height, left : left + width] * np.float32(RAGGED)
    cv2.add(soft, ragged, dst=soft, mask=cv2.inRange(soft, 4.0, 251.0))
    noisy = cv2.addWeighted(soft, EDGE_GAIN, soft, 0.0, 127.5 - EDGE_GAIN * EDGE, dtype=cv2.CV_8U)
    if rng.random() < BITE:
        take_bite(noisy, rng)
    return noisy


def take_bite(mask: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Remove or add a small ellipse at a random point of the outline, in place."""
    edge = np.argwhere(cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)))
    y, x = edge[rng.integers(len(edge))]
    axes = (int(rng.integers(2, 6)), int(rng.integers(2, 6)))
    value = 0 if rng.random() < 0.85 else 255
    cv2.ellipse(mask, (int(x), int(y)), axes, float(rng.integers(180)), 0, 360, value, -1)

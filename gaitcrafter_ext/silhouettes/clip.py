"""A gait clip in memory, uint8 [T, 64, 64], white people on black: what is one, and other sizes it comes in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError

#: Rows and columns of a frame.
HEIGHT = WIDTH = 64

#: Heights and widths that are read: OpenGait's, with or without the ten columns its training cuts off on either side.
SIZES = ((64, 64), (64, 44), (128, 128), (128, 88))

#: A clip without a value as bright is no clip of silhouettes: 0 and 1, labels, dim greys.
DIM = 200

#: Middle columns that generators work on: all that walkers fill.
COLUMNS = 48

#: Fewer frames are no walk.
MIN_FRAMES = 2


def check_frames(array: Any, source: object, minimum: int = MIN_FRAMES, *, any_size: bool = False) -> NDArray[np.uint8]:
    """Return ``array`` if it is a clip, uint8 [T, 64, 64] (or ``any_size`` of :data:`SIZES`) with T >= ``minimum``.

    Raises:
        DataError: It is no array, or has another dtype, another shape or too few frames; names ``source``.
    """
    if not isinstance(array, np.ndarray):
        raise DataError(f"{source}: holds a {type(array).__name__}, not an array; 'pretreat' reads lists of frames")
    if array.dtype != np.uint8:
        raise DataError(f"{source}: dtype {array.dtype}; expected uint8 (0-255); 'pretreat' converts such a tree")
    if array.ndim != 3 or array.shape[1:] not in (SIZES if any_size else SIZES[:1]):
        raise DataError(f"{source}: shape {list(array.shape)}; expected [T, 64, 64]; align it with 'pretreat'")
    if len(array) < minimum:
        raise DataError(f"{source}: too short, {len(array)} frame(s); at least {minimum} are needed")
    return array


def level_fault(frames: NDArray[np.uint8]) -> str | None:
    """What is wrong with a clip's values, in a few words: silhouettes are white (255) on black; None = nothing."""
    top = int(frames.max(initial=0))
    if top == 0:
        return "all black"
    if top < DIM:
        return f"its brightest value is {top}, where a person is 255; 'pretreat' mends such a tree"
    edges = (frames[:, 0], frames[:, -1], frames[:, :, 0], frames[:, :, -1])
    if sum(np.count_nonzero(edge > 127) for edge in edges) > 0.75 * sum(edge.size for edge in edges):
        return "white along the edges: the person is black or fills the frame; 'pretreat --invert' mends the former"
    return None


def normalise(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bring a clip of any of :data:`SIZES` to [T, 64, 64]: shrunk by area, empty columns added on either side."""
    if frames.shape[1] > HEIGHT:
        factor = frames.shape[1] // HEIGHT
        blocks = frames.reshape(len(frames), HEIGHT, factor, frames.shape[2] // factor, factor)
        frames = np.rint(blocks.mean(axis=(2, 4), dtype=np.float32)).astype(np.uint8)
    margin = (WIDTH - frames.shape[2]) // 2
    return np.pad(frames, ((0, 0), (0, 0), (margin, margin))) if margin else frames


def trim(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut ten of 64 columns off on either side, as OpenGait does: [T, 64, 44] of [T, 64, 64]; 88 of 128."""
    margin = frames.shape[2] * 10 // WIDTH
    return frames[:, :, margin : frames.shape[2] - margin]


def upsample(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Enlarge a clip to twice its size with edges as sharp as before, by way of its signed distance field.

    The outline, where grey is 127.5, is found to a quarter of a pixel; the distance to it is what is resampled, and
    an edge of one pixel drawn along it again (Green, "Improved Alpha-Tested Magnification", SIGGRAPH 2007).
    """
    return np.stack([_upsampled(frame) for frame in frames])


def _upsampled(frame: NDArray[np.uint8], fine: int = 4, factor: int = 2) -> NDArray[np.uint8]:
    import cv2

    grey = cv2.resize(frame.astype(np.float32), None, fx=fine, fy=fine, interpolation=cv2.INTER_CUBIC)
    inside = (grey > 127.5).astype(np.uint8)
    if not inside.any():
        return np.zeros((factor * HEIGHT, factor * WIDTH), np.uint8)
    inner, outer = (cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for mask in (inside, 1 - inside))
    signed = np.where(inside > 0, inner - 0.5, 0.5 - outer) * (factor / fine)
    resampled = cv2.resize(signed, (factor * WIDTH, factor * HEIGHT), interpolation=cv2.INTER_AREA)
    return np.rint(255 * np.clip(resampled + 0.5, 0, 1)).astype(np.uint8)


def gei(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Gait energy image, the mean over time (Han and Bhanu 2006): float32 [64, 64], 0-255, of uint8 [T, 64, 64]."""
    return np.asarray(frames.mean(axis=0, dtype=np.float32))


def window(frames: NDArray[np.uint8], length: int) -> NDArray[np.uint8]:
    """The middle ``length`` frames, so that a clip's own length does not give it away; all of a shorter one."""
    start = max(0, (len(frames) - length) // 2)
    return frames[start : start + length]

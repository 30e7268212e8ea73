"""The one codec between gait clips, uint8 [T, 64, 64], and what a model sees, float32 [T, 64, columns] in [-1, 1].

A walker fills the middle columns of OpenGait's 64 x 64 frame (its own training cuts 10 columns off each side), so
models work on the middle ``columns`` only; ``columns_lost`` says what that costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError, UsageError

if TYPE_CHECKING:
    import torch

#: Rows and columns of a frame on disk.
HEIGHT = WIDTH = 64

#: Heights and widths that are read: OpenGait's, with or without the ten columns its training cuts off on either side.
SIZES = ((64, 64), (64, 44), (128, 128), (128, 88))

#: A clip without a value as bright is no clip of silhouettes: 0 and 1, labels, dim greys.
DIM = 200

#: Middle columns that models work on by default.
COLUMNS = 48

#: Fewer frames are no walk: nothing moves in a single one.
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


def encode(frames: NDArray[np.uint8], columns: int = COLUMNS) -> torch.Tensor:
    """Bring frames, uint8 [..., 64, 64], to the model's range and width: ``x / 127.5 - 1`` of the middle columns.

    Returns:
        float32 [..., 64, columns] in [-1, 1]; background is -1.

    Raises:
        DataError: ``frames`` is not uint8 or not 64 x 64.
        UsageError: ``columns`` is not allowed.
    """
    import torch

    margin = _margin(columns)
    frames = np.asarray(frames)
    if frames.dtype != np.uint8 or frames.shape[-2:] != (HEIGHT, WIDTH):
        raise DataError(f"cannot encode {frames.dtype} {list(frames.shape)}; expected uint8 [..., 64, 64]")
    middle = np.ascontiguousarray(frames[..., margin : WIDTH - margin])
    return torch.from_numpy(middle).to(torch.float32).div_(127.5).sub_(1.0)


def decode(tensor: torch.Tensor) -> NDArray[np.uint8]:
    """Undo ``encode``, of any float dtype and device: clip to [-1, 1], put the cut columns back as background.

    Returns:
        uint8 [..., 64, 64].

    Raises:
        DataError: The tensor has another height or width, or holds values that are not finite.
    """
    import torch

    if tensor.ndim < 2 or tensor.shape[-2] != HEIGHT:
        raise DataError(f"cannot decode a tensor of shape {list(tensor.shape)}; expected [..., 64, columns]")
    margin = _margin(tensor.shape[-1])
    values = tensor.detach().to("cpu", torch.float32)
    if not bool(torch.isfinite(values).all()):
        raise DataError("cannot decode a clip with values that are not finite (NaN or infinite)")
    pixels = values.add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8).numpy()
    return np.pad(pixels, [(0, 0)] * (pixels.ndim - 1) + [(margin, margin)])


def columns_lost(frames: NDArray[np.uint8], columns: int = COLUMNS) -> float:
    """Share, 0..1, of the silhouettes' mass that lies outside the middle ``columns``; 0 for empty frames."""
    margin = _margin(columns)
    total = int(frames.sum(dtype=np.int64))
    inside = int(frames[..., margin : WIDTH - margin].sum(dtype=np.int64))
    return (total - inside) / total if total else 0.0


def _margin(columns: int) -> int:
    if not 2 <= columns <= WIDTH or columns % 2:
        raise UsageError(f"a clip of {columns} columns is not possible; allowed: even numbers from 2 to {WIDTH}")
    return (WIDTH - columns) // 2


def gei(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Gait energy image, the mean over time (Han and Bhanu 2006): float32 [64, 64], 0-255, of uint8 [T, 64, 64]."""
    return np.asarray(frames.mean(axis=0, dtype=np.float32))


def window(frames: NDArray[np.uint8], length: int) -> NDArray[np.uint8]:
    """The middle ``length`` frames of a clip; all of a shorter one.

    So real clips are cut to the length of synthetic ones wherever the length itself would give them away.
    """
    start = max(0, (len(frames) - length) // 2)
    return frames[start : start + length]

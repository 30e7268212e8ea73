"""From masks of a walker in a camera's picture to aligned 64 x 64 silhouettes, in OpenGait's way.

Every frame is aligned by itself: cut to the person's height, scaled to 64 rows, centred on the column that halves
the mass. Masks that are not plainly 0 and 255 are mended first (see ``masks``) and frames that OpenGait's script
crashes on, or passes over, are dropped; both are counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.silhouettes.clip import HEIGHT, SIZES, WIDTH
from gaitcrafter_ext.silhouettes.masks import Frame, Levels, find_levels, is_inverted, largest, sample

__all__ = ["LEAST_MASS", "AlignOptions", "AlignedClip", "align", "align_all", "at_border"]

#: A frame whose grey values sum to no more than this is taken for empty (about 40 white pixels).
LEAST_MASS = 10_000

#: Frames of these sizes are aligned already: their greys are soft edges, and stay.
ALIGNED = SIZES[:2]


def align(frame: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Bring one mask into OpenGait's frame.

    Args:
        frame: uint8 [H, W], 0-255, the person white.

    Returns:
        uint8 [64, 64], or None where OpenGait passes over the frame: mass of at most ``LEAST_MASS``, or a person so
        thin or so far at the left edge that there is no centre.
    """
    if cv2.sumElems(frame)[0] <= LEAST_MASS:
        return None
    _, top, _, height = cv2.boundingRect(frame)
    body = frame[top : top + height]
    width = int(HEIGHT * (body.shape[1] / body.shape[0]))
    if width == 0:
        return None
    scaled = cv2.resize(body, (width, HEIGHT), interpolation=cv2.INTER_CUBIC)
    mass = scaled.sum(axis=0, dtype=np.int64).cumsum()
    centre = int(np.searchsorted(mass, mass[-1] / 2, side="right"))
    if not 0 < centre < width:
        return None
    left = centre - WIDTH // 2
    body = scaled[:, max(0, left) : left + WIDTH]
    aligned = np.zeros((HEIGHT, WIDTH), np.uint8)
    aligned[:, max(0, -left) : max(0, -left) + body.shape[1]] = body
    return aligned


def at_border(frame: NDArray[np.uint8]) -> bool:
    """Whether the mask, uint8 [H, W], touches the left or right edge: part of the person may be outside."""
    return bool(frame[:, 0].any() or frame[:, -1].any())


@dataclass(frozen=True)
class AlignOptions:
    """How masks are read.

    Attributes:
        drop_border: Leave out frames in which the person touches the picture's left or right edge.
        invert: The person is black on white.
        as_opengait: Take every mask as it is.
    """

    drop_border: bool = False
    invert: bool = False
    as_opengait: bool = False


@dataclass
class AlignedClip:
    """What became of a sequence of masks.

    Attributes:
        frames: uint8 [T, 64, 64], the frames that could be aligned, in order; T may be 0.
        dropped: Reason -> names of the frames that are left out for it.
        mended: What was done, or let pass -> names of the frames it was done to.
    """

    frames: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, HEIGHT, WIDTH), np.uint8))
    dropped: dict[str, list[str]] = field(default_factory=dict)
    mended: dict[str, list[str]] = field(default_factory=dict)


def align_all(frames: Sequence[Frame], options: AlignOptions = AlignOptions()) -> AlignedClip:
    """Align the frames of one walk."""
    clip, aligned, reader = AlignedClip(), [], _Reader(frames, options)
    for name, load in frames:
        mask, remarks = reader.mask(load())
        result = None if mask is None else align(mask)
        touching = mask is not None and at_border(mask)
        inverted = mask is not None and is_inverted(mask) and not options.as_opengait
        if mask is None or result is None or inverted or (touching and options.drop_border):
            clip.dropped.setdefault(_why(mask, result), []).append(name)
            continue
        aligned.append(result)
        for remark in remarks + ["person at the border, kept"] * touching:
            clip.mended.setdefault(remark, []).append(name)
    if aligned:
        clip.frames = np.stack(aligned)
    return clip


class _Reader:
    """Masks of one walk; how its values are meant is found out once, at the first frame that is not 0 and 255."""

    def __init__(self, frames: Sequence[Frame], options: AlignOptions) -> None:
        self.frames, self.options = frames, options
        self._levels: Levels | None = None

    def mask(self, image: NDArray[Any] | None) -> tuple[NDArray[np.uint8] | None, list[str]]:
        """The person of a frame, uint8 [H, W], and what was done to get it; None where there is no frame."""
        if image is None or (self.options.as_opengait and image.dtype == np.uint8):
            return image, []
        mask, remarks = self._white_on_black(image)
        if self.options.invert:
            mask = 255 - mask
        if self.options.as_opengait or is_inverted(mask) or image.shape in ALIGNED:
            return mask, remarks
        person = largest(mask)
        return (mask, remarks) if person is None else (person, [*remarks, "pieces beside the person, left out"])

    def _white_on_black(self, image: NDArray[Any]) -> tuple[NDArray[np.uint8], list[str]]:
        if _is_plain(image):
            return image, []
        self._levels = self._levels or find_levels(list(sample(self.frames))) or Levels()
        if image.shape not in ALIGNED:
            return self._levels.mask(image), [str(self._levels)]
        high = self._levels.high
        return self._levels.grey(image), [] if high == 255 else [f"the brightest value is {high:g}, taken for 255"]


def _is_plain(image: NDArray[Any]) -> bool:
    """Whether an image holds nothing but 0 and 255."""
    return image.dtype == np.uint8 and cv2.countNonZero(image) == cv2.countNonZero(cv2.compare(image, 255, cv2.CMP_EQ))


def _why(mask: NDArray[np.uint8] | None, aligned: NDArray[np.uint8] | None) -> str:
    """Why a frame is left out."""
    if mask is None:
        return "unreadable image"
    if is_inverted(mask):
        return "white along the edge: the person is black (use --invert) or fills the picture"
    if aligned is not None:
        return "person at the border"
    return "empty mask" if cv2.sumElems(mask)[0] <= LEAST_MASS else "person without a centre"

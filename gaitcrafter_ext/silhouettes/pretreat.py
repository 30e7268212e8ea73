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

from gaitcrafter_ext.silhouettes.clip import HEIGHT, SIZES, WIDTH, normalise
from gaitcrafter_ext.silhouettes.masks import Frame, Levels, find_levels, is_inverted, largest, sample

#: A frame whose grey values sum to no more than this is taken for empty (about 40 white pixels).
LEAST_MASS = 10_000


def align(frame: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Bring one mask, uint8 [H, W], the person white, into OpenGait's frame, uint8 [64, 64].

    None where OpenGait passes over the frame: mass of at most ``LEAST_MASS``, or a person so thin or so far at the left
    edge that there is no centre.
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


def is_aligned(frame: NDArray[np.uint8]) -> bool:
    """Whether a frame, uint8 [H, W], is of a size that trees hold, spans its rows and stands in the middle already."""
    height, width = frame.shape
    slack = height // 32
    if frame.shape not in SIZES or not (frame[: slack + 1].any() and frame[-slack - 1 :].any()):
        return False
    mass = frame.sum(axis=0, dtype=np.int64).cumsum()
    return abs(int(np.searchsorted(mass, mass[-1] / 2, side="right")) - width // 2) <= slack


@dataclass(frozen=True)
class AlignOptions:
    """How masks are read."""

    #: Leave out frames in which the person touches the picture's left or right edge.
    drop_border: bool = False
    #: The person is black on white.
    invert: bool = False
    #: Take every mask as it is.
    as_opengait: bool = False


@dataclass
class AlignedClip:
    """What became of a sequence of masks: uint8 [T, 64, 64] of the frames that could be aligned; T may be 0."""

    frames: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, HEIGHT, WIDTH), np.uint8))
    #: Reason -> names of the frames that are left out for it.
    dropped: dict[str, list[str]] = field(default_factory=dict)
    #: What was done, or let pass -> names of the frames it was done to.
    mended: dict[str, list[str]] = field(default_factory=dict)


class _DroppedError(Exception):
    """A frame cannot be used; says why."""


def align_all(frames: Sequence[Frame], options: AlignOptions = AlignOptions()) -> AlignedClip:
    """Align the frames of one walk."""
    clip, aligned, reader = AlignedClip(), [], _Reader(frames, options)
    for name, load in frames:
        try:
            frame, remarks = reader.read(load())
        except _DroppedError as reason:
            clip.dropped.setdefault(str(reason), []).append(name)
            continue
        aligned.append(frame)
        for remark in remarks:
            clip.mended.setdefault(remark, []).append(name)
    if aligned:
        clip.frames = np.stack(aligned)
    return clip


class _Reader:
    """Masks of one walk; how its values are meant is found out once, at the first frame that is not 0 and 255."""

    def __init__(self, frames: Sequence[Frame], options: AlignOptions) -> None:
        self.frames, self.options = frames, options
        self._levels: Levels | None = None

    def read(self, image: NDArray[Any] | None) -> tuple[NDArray[np.uint8], list[str]]:
        """The person of a frame, uint8 [64, 64], and what was done to get it."""
        if image is None:
            raise _DroppedError("unreadable image")
        as_opengait = self.options.as_opengait
        mask, remarks = (image, []) if as_opengait and image.dtype == np.uint8 else self._mask(image)
        if is_inverted(mask) and not as_opengait:
            raise _DroppedError("white along the edge: the person is black (use --invert) or fills the picture")
        if cv2.sumElems(mask)[0] <= LEAST_MASS:
            raise _DroppedError("empty mask")
        aligned = normalise(mask[None])[0] if not as_opengait and is_aligned(mask) else align(mask)
        if aligned is None:
            raise _DroppedError("person without a centre")
        if mask[:, [0, -1]].any():  # part of the person may be outside
            if self.options.drop_border:
                raise _DroppedError("person at the border")
            remarks = [*remarks, "person at the border, kept"]
        return aligned, remarks

    def _mask(self, image: NDArray[Any]) -> tuple[NDArray[np.uint8], list[str]]:
        """The person white on black: of an aligned frame all with its soft edges, of any other the largest person."""
        soft, mask, remarks, cut = image, image, [], []
        if not _is_plain(image):
            self._levels = levels = self._levels or find_levels(list(sample(self.frames))) or Levels()
            if levels.is_photo:
                raise _DroppedError("greys all over: a photograph, not a mask; cut the person out first")
            mask, cut = levels.mask(image), [str(levels)]
            soft = mask if levels.labels else levels.grey(image)
            remarks = [] if levels.high == 255 else [f"the brightest value is {levels.high:g}, taken for 255"]
        if self.options.invert:
            soft, mask = 255 - soft, 255 - mask
        if self.options.as_opengait or is_aligned(soft):
            return soft, remarks
        person = None if is_inverted(mask) else largest(mask)
        return (mask, cut) if person is None else (person, [*cut, "pieces beside the person, left out"])


def _is_plain(image: NDArray[Any]) -> bool:
    """Whether an image holds nothing but 0 and 255."""
    return image.dtype == np.uint8 and cv2.countNonZero(image) == cv2.countNonZero(cv2.compare(image, 255, cv2.CMP_EQ))

"""What people store as masks, brought to one form: the person white (255) on black (0), one person a frame.

Masks come as 0 and 255 (nothing to do), 0 and 1, labels or palette colours, dim greys, 16 bits, cut-outs with an alpha
channel, JPEGs with ringing, or inverted; with specks, noise or passers-by beside the person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

#: A frame's name, and what reads it: [H, W], or None where it cannot be read.
Frame = tuple[str, Callable[[], "NDArray[Any] | None"]]

#: Images with more levels than this are greys, with fewer labels.
MOST_LABELS = 16

#: A label's pixels lie side by side, noise and soft edges do not: how many of the two neighbours at the right and below
#: have the same value, at least, on average.
COHERENT = 1.0

#: Pieces smaller than this share of the largest are specks, not parts of a person.
SPECK = 0.005

#: Pieces nearer than these shares of the largest one's height (across, along it) are parts of the same person: heads
#: and feet come off in segmentation.
NEAR = (0.06, 0.12)


def decode(data: bytes, grey: bool = False) -> NDArray[Any] | None:
    """An image file's mask, uint8 or uint16 [H, W]; None where it is no image that can be read.

    With ``grey``, colours become grey and an alpha channel is dropped, as in OpenGait.
    """
    if not data:
        return None
    flags = cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_UNCHANGED
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    return None if image is None else flatten(np.asarray(image))


def flatten(image: NDArray[Any]) -> NDArray[Any]:
    """One channel of [H, W, C]: alpha, where it cuts something out, else the brightest colour."""
    if image.ndim == 2:
        return image
    if image.shape[2] == 4 and image[..., 3].min() < image[..., 3].max():
        return np.ascontiguousarray(image[..., 3])
    return np.asarray(image[..., :3].max(axis=2))


@dataclass(frozen=True)
class Levels:
    """Which values are the person: ``labels``, or, without any, everything in the upper half of ``low`` to ``high``."""

    labels: tuple[float, ...] = ()
    low: float = 0.0
    high: float = 255.0
    #: More greys half-way than bright ones: a photograph or a depth map.
    is_photo: bool = False

    def mask(self, image: NDArray[Any]) -> NDArray[np.uint8]:
        """uint8 [H, W], 0 or 255."""
        person = np.isin(image, self.labels) if self.labels else 2 * image.astype(np.float64) >= self.low + self.high
        return np.where(person, np.uint8(255), np.uint8(0))

    def grey(self, image: NDArray[Any]) -> NDArray[np.uint8]:
        """uint8 [H, W], ``low`` to ``high`` as 0 to 255."""
        scaled = (image.astype(np.float64) - self.low) * (255.0 / (self.high - self.low))
        return np.clip(np.rint(np.nan_to_num(scaled)), 0, 255).astype(np.uint8)

    def __str__(self) -> str:
        if self.labels:
            return f"the person has the value {', '.join(f'{label:g}' for label in self.labels)}, taken for 255"
        return f"greys from {self.low:g} to {self.high:g} (JPEG or soft edges), cut half-way"


def find_levels(images: Sequence[NDArray[Any]]) -> Levels | None:
    """Find out which values are the person; None where nothing differs from the background, the lowest value."""
    values = np.concatenate([image.ravel() for image in images])
    found = np.unique(values)
    if len(found) < 2 or (values.dtype.kind == "f" and not np.isfinite(found).all()):
        return None
    high = float(found[-1])
    labels = tuple(float(value) for value in found[1:] if len(found) <= MOST_LABELS and _is_label(images, value))
    soft = labels == (high,) and len(found) > 2  # what lies between is an edge or noise
    labels = () if soft else labels
    quarter = (high - float(found[0])) / 4
    bright = np.count_nonzero(values >= high - quarter)
    between = np.count_nonzero(values > float(found[0]) + quarter) - bright
    return Levels(labels, float(found[0]), high, bool(not labels and between > bright))


def _is_label(images: Sequence[NDArray[Any]], value: float) -> bool:
    here = [image == value for image in images]
    pairs = sum(int((mask[:, 1:] & mask[:, :-1]).sum()) + int((mask[1:] & mask[:-1]).sum()) for mask in here)
    return pairs >= COHERENT * sum(int(mask.sum()) for mask in here)


def sample(frames: Sequence[Frame], most: int = 12) -> Iterator[NDArray[Any]]:
    """Some of the frames that can be read, spread over the walk."""
    for _, load in frames[:: max(1, len(frames) // most)]:
        image = load()
        if image is not None:
            yield image


def is_inverted(mask: NDArray[np.uint8]) -> bool:
    """Whether a mask, uint8 [H, W], is white along most of its edge: the person is black, or all is white."""
    edge = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    return bool(2 * np.count_nonzero(edge) > edge.size)


@dataclass(frozen=True)
class Piece:
    """One person of a mask: box and what of the mask is in it, uint8 [height, width], 0 or 255."""

    left: int
    top: int
    mask: NDArray[np.uint8]

    @property
    def area(self) -> int:
        """Its pixels."""
        return int(cv2.countNonZero(self.mask))

    @property
    def centre(self) -> NDArray[np.float64]:
        """Middle of its box, x and y."""
        return np.array([self.left + self.mask.shape[1] / 2, self.top + self.mask.shape[0] / 2])

    def on(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """The whole picture, uint8 [H, W], with nothing but this piece."""
        picture = np.zeros(shape, np.uint8)
        height, width = self.mask.shape
        picture[self.top : self.top + height, self.left : self.left + width] = self.mask
        return picture


def largest(mask: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """What of a mask belongs to its largest person, see :func:`pieces`; None where all of it does."""
    found = pieces(mask)
    return found[0].on(mask.shape) if found and found[0].area < cv2.countNonZero(mask) else None


def pieces(mask: NDArray[np.uint8]) -> list[Piece]:
    """People in a mask, uint8 [H, W], 0 or 255, the largest first; specks are left out.

    Connected pieces that lie next to each other (a head, a foot) are one person.
    """
    left, top, width, height = cv2.boundingRect(mask)
    if not width:
        return []
    box = mask[top : top + height, left : left + width]
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(box, connectivity=8)
    if count == 2:
        return [Piece(left, top, box)]
    area = statistics[:, cv2.CC_STAT_AREA] * (np.arange(count) > 0)
    big = area >= SPECK * area.max()
    if big.sum() > 1:
        labels = _grouped(box, big[labels], int(statistics[area.argmax(), cv2.CC_STAT_HEIGHT]))
        big = np.bincount(labels.ravel()) > 0
        big[0] = False
    found = []
    for label in np.flatnonzero(big):
        own = np.where(labels == label, np.uint8(255), np.uint8(0))
        x, y, w, h = cv2.boundingRect(own)
        found.append(Piece(left + x, top + y, own[y : y + h, x : x + w]))
    return sorted(found, key=lambda piece: -piece.area)


def _grouped(box: NDArray[np.uint8], big: NDArray[np.bool_], tall: int) -> NDArray[np.int32]:
    """Labels of a mask's big pieces, those near each other under one label; 0 is background."""
    across, along = (int(share * tall) | 1 for share in NEAR)  # an even kernel would shift the mask
    margin = max(across, along)
    kept = cv2.copyMakeBorder(np.where(big, box, 0), margin, margin, margin, margin, cv2.BORDER_CONSTANT)
    closed = cv2.morphologyEx(kept, cv2.MORPH_CLOSE, np.ones((along, across), np.uint8))
    _, labels = cv2.connectedComponents(closed[margin:-margin, margin:-margin].copy(), connectivity=8)
    return np.where(big, labels, 0)

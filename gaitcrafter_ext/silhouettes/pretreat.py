"""From masks of a walker in a camera's picture to aligned 64 x 64 silhouettes, in OpenGait's way.

Every frame is aligned by itself: cut to the person's height, scaled to 64 rows, centred on the column that halves
the mass. What OpenGait's script crashes on, or passes over, is dropped here and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.silhouettes.clip import HEIGHT, WIDTH
from gaitcrafter_ext.silhouettes.files import storage_error

__all__ = [
    "IMAGE_SUFFIXES",
    "LEAST_MASS",
    "AlignedClip",
    "NamedMask",
    "align",
    "align_all",
    "at_border",
    "image_files",
    "read_mask",
]

#: A frame whose grey values sum to no more than this is taken for empty (about 40 white pixels).
LEAST_MASS = 10_000

#: Endings of the files that are read as frames.
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


def align(frame: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Bring one mask into OpenGait's frame.

    Args:
        frame: uint8 [H, W], 0-255, the person white.

    Returns:
        uint8 [64, 64], or None where OpenGait passes over the frame: mass of at most ``LEAST_MASS``, or a person so
        thin or so far at the left edge that there is no centre.
    """
    if int(frame.sum(dtype=np.int64)) <= LEAST_MASS:
        return None
    rows = np.flatnonzero(frame.any(axis=1))
    body = frame[rows[0] : rows[-1] + 1]
    width = int(HEIGHT * (body.shape[1] / body.shape[0]))
    if width == 0:
        return None
    scaled = cv2.resize(body, (width, HEIGHT), interpolation=cv2.INTER_CUBIC)
    mass = scaled.sum(axis=0, dtype=np.int64).cumsum()
    centre = int(np.searchsorted(mass, mass[-1] / 2, side="right"))
    if not 0 < centre < width:
        return None
    padded = np.zeros((HEIGHT, width + WIDTH), np.uint8)
    padded[:, WIDTH // 2 : WIDTH // 2 + width] = scaled
    return padded[:, centre : centre + WIDTH].copy()


def at_border(frame: NDArray[np.uint8]) -> bool:
    """Whether the mask, uint8 [H, W], touches the left or right edge: part of the person may be outside."""
    return bool(frame[:, 0].any() or frame[:, -1].any())


#: A frame's name and its mask, uint8 [H, W]; None stands for a frame that could not be read.
NamedMask = tuple[str, NDArray[np.uint8] | None]


@dataclass(frozen=True)
class AlignedClip:
    """What became of a sequence of masks.

    Attributes:
        frames: uint8 [T, 64, 64], the frames that could be aligned, in order; T may be 0.
        dropped: Reason -> names of the frames that are left out for it.
        border: Names of the frames that are kept although the person touches the picture's edge.
    """

    frames: NDArray[np.uint8]
    dropped: dict[str, list[str]] = field(default_factory=dict)
    border: tuple[str, ...] = ()


def align_all(masks: Iterable[NamedMask], drop_border: bool = False) -> AlignedClip:
    """Align the frames of one walk.

    Args:
        masks: The frames in order.
        drop_border: Leave out frames in which the person touches the picture's left or right edge.
    """
    frames: list[NDArray[np.uint8]] = []
    dropped: dict[str, list[str]] = {}
    border: list[str] = []
    for name, mask in masks:
        aligned = None if mask is None else align(mask)
        touching = mask is not None and aligned is not None and at_border(mask)
        if mask is None or aligned is None or (touching and drop_border):
            dropped.setdefault(_why(mask, touching), []).append(name)
            continue
        frames.append(aligned)
        border += [name] if touching else []
    clip = np.stack(frames) if frames else np.zeros((0, HEIGHT, WIDTH), np.uint8)
    return AlignedClip(clip, dropped, tuple(border))


def _why(mask: NDArray[np.uint8] | None, touching: bool) -> str:
    """Why a frame is left out."""
    if mask is None:
        return "unreadable image"
    if touching:
        return "person at the border"
    if mask.max(initial=0) == 1:
        return "mask of 0 and 1, expected 0 and 255 (multiply by 255)"
    return "empty mask" if int(mask.sum(dtype=np.int64)) <= LEAST_MASS else "person without a centre"


def read_mask(path: Path) -> NDArray[np.uint8] | None:
    """Read an image as grey, uint8 [H, W]; None where it is none.

    Raises:
        StorageError: The file cannot be read at all.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise storage_error(path, error, "read") from error
    if not len(data):
        return None
    try:
        image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    except cv2.error:
        return None
    return None if image is None else np.asarray(image, np.uint8)


def image_files(folder: Path) -> list[Path]:
    """Image files of a folder in the order of their numbers (``2.png`` before ``10.png``); energy images left out.

    Raises:
        StorageError: The folder cannot be read.
    """
    try:
        names = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.name[0] != "."]
    except OSError as error:
        raise storage_error(folder, error, "read") from error
    return sorted((path for path in names if not path.stem.lower().endswith("gei")), key=_natural)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key: digits by value, the rest as text."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]

"""From the sampler's answer to silhouettes such as a segmentation leaves them.

Real clips were masks before they were scaled to 64 rows: grey lies on their outlines only, and one person stands in
every frame. The sampler's answer is nearly so, but grey also where the network is undecided, and with specks. So it is
read as a level set: what is above zero is the person. Specks go, what is no outline becomes black or white, and the
outline is drawn again in finer pixels, in whole numbers: every device and batch size gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.generator.noise import noise_of
from gaitcrafter_ext.silhouettes.clip import WIDTH

#: Pieces smaller than these shares of a frame's largest one are specks: beside it, and above or below it, where a foot
#: may be that the network did not join to its leg.
SPECK, SPECK_BEYOND = 0.1, 0.02

#: How steeply an outline goes from black to white. This much draws real clips most nearly as they are: off by 0.6 grey
#: levels in the mean (simulated people) and 0.9 (KTH), with 4.6 and 4.9 % of grey pixels where they have 4.8 and 5.3.
STEEP = 5

#: Real silhouettes reach the first row in some frames and the last in others, by a scalp or a sole; an answer that is
#: the mean of what may be stays below zero there nearly always. Noise of this standard deviation is added to both rows:
#: with it top and bottom lie outside the range of real clips in 8 and 10 % of clips of the bundled weights, with rows
#: drawn nearer by constants, as before, in 21 and 27 % (``docs/results.md``, the identity card).
RAGGED = 0.4

#: Tells this noise from that of the sampler, whose seed is the same.
_KEY = 0x726F7773

#: Fine pixels in a pixel, each way, and the whole number that stands for 1 in a level set.
FINE, UNIT = 4, 2048

#: Frames whose outlines are drawn at once on a CPU: what its cache holds.
FRAMES_AT_ONCE = 32

#: Enough to walk from the head to either foot.
STRIDES = 96


def ragged(sample: Tensor, seeds: Sequence[int]) -> Tensor:
    """Add noise to the first and last rows of clips [n, frames, h, w] beside the person, keyed by their ``seeds``.

    It is smooth along the row, drawn from the same numbers on every device.
    """
    count, frames, _, columns = sample.shape
    noise = noise_of([seed ^ _KEY for seed in seeds], 2 * frames, columns, device=sample.device)
    smooth = RAGGED * math.sqrt(3) * F.avg_pool1d(noise, 3, 1, 1)
    sample = sample.to(torch.float32, copy=True)
    sample[:, :, [0, -1]] += smooth.view(count, frames, 2, columns) * (sample[:, :, [1, -2]] > 0)
    return sample


def postprocess(sample: Tensor) -> NDArray[np.uint8]:
    """Make silhouettes of a sampler's answer, each frame by itself: float [..., 64, columns] to uint8 [..., 64, 64].

    The person is above zero. Outlines are drawn on the answer's own device. ``DataError`` where it is not finite.
    """
    flat = sample.detach().float().flatten(0, -3)
    if not bool(torch.isfinite(flat).all()):
        raise DataError("cannot draw a clip with values that are not finite (NaN or infinite)")
    person, on_cpu = (flat > 0).to(torch.uint8), flat.device.type == "cpu"
    # A CPU looks for pieces in every frame; a GPU leaves to it the few frames in which it finds several.
    some = torch.arange(len(flat)) if on_cpu else _in_pieces(person > 0)
    cleaned = [torch.from_numpy(clean_mask(mask)) for mask in person[some].cpu().numpy()]
    if cleaned:
        person[some] = torch.stack(cleaned).to(person.device)
    at_once = FRAMES_AT_ONCE if on_cpu else len(flat)
    parts = zip(flat.split(at_once), person.split(at_once), strict=True)
    margin = (WIDTH - sample.shape[-1]) // 2
    drawn = F.pad(torch.cat([antialias(*part) for part in parts]), (margin, margin))
    return np.asarray(drawn.cpu().numpy()).reshape(*sample.shape[:-1], WIDTH)


def clean_mask(person: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A mask [h, w], 0 or 1, without specks."""
    if cv2.connectedComponents(person, connectivity=8)[0] < 3:  # background and one piece, as nearly always
        return person
    _, pieces, boxes, _ = cv2.connectedComponentsWithStats(person, connectivity=8)
    sizes, top = boxes[1:, cv2.CC_STAT_AREA], boxes[1:, cv2.CC_STAT_TOP]
    bottom, largest = top + boxes[1:, cv2.CC_STAT_HEIGHT], int(sizes.argmax())
    beyond = (top < top[largest]) | (bottom > bottom[largest])
    specks = sizes < np.where(beyond, SPECK_BEYOND, SPECK) * sizes[largest]
    return np.asarray(np.where(np.append(False, specks)[pieces], np.uint8(0), person))


def _in_pieces(person: Tensor) -> Tensor:
    """Numbers of the masks [n, h, w] that cannot be walked through from their first pixel in :data:`STRIDES` steps.

    A row is the bits of one whole number, so that a stride takes seven small operations; ``w`` is at most 62.
    """
    rows = F.pad((person.long() << torch.arange(person.shape[-1], device=person.device)).sum(dim=-1), (1, 1))
    first = (rows != 0).to(torch.uint8).argmax(dim=1, keepdim=True)
    pixels = rows.gather(1, first)
    reached = torch.zeros_like(rows).scatter_(1, first, pixels & -pixels)
    for _ in range(STRIDES):
        wide = reached | reached << 1 | reached >> 1
        beside = wide[:, :-2] | wide[:, 1:-1] | wide[:, 2:]
        torch.bitwise_and(beside, rows[:, 1:-1], out=reached[:, 1:-1])
    return (reached != rows).any(dim=1).nonzero()[:, 0]


def antialias(frames: Tensor, person: Tensor) -> Tensor:
    """Draw the outlines of masks where ``frames`` cross zero: bilinear fine pixels, steepened, averaged again.

    ``frames`` are float32 [n, h, w], the masks, ``person``, uint8 0 or 1; returns uint8 [n, h, w], 0-255.
    """
    mask = person > 0
    inside, outside = ~_dilated(~mask), ~_dilated(mask)
    signed = torch.where(mask, frames.abs(), -frames.abs()).clamp(-8, 8)
    level_set = torch.where(inside, 1.0, torch.where(outside, -1.0, signed))
    grey = 255 * person
    # Only pixels beside an outline can be grey: a tenth of all.
    frame, row, column = _dilated(~(inside | outside)).nonzero(as_tuple=True)
    units = (F.pad(level_set, (1, 1, 1, 1), mode="replicate") * UNIT).round().int()
    columns = [_finer(*(units[frame, row + down, column + right] for down in range(3))) for right in range(3)]
    full = UNIT * (2 * FINE) ** 2
    fine = (STEEP * _finer(*columns)).clamp(-full, full).sum(dim=(0, 1))
    whole = FINE**2 * full
    grey[frame, row, column] = ((255 * (fine + whole) + whole) // (2 * whole)).to(torch.uint8)
    return grey


def _dilated(mask: Tensor) -> Tensor:
    """Pixels [n, h, w] that are set or beside one that is."""
    rows = F.pad(mask, (0, 0, 1, 1))
    rows = rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]
    columns = F.pad(rows, (1, 1))
    return columns[..., :-2] | columns[..., 1:-1] | columns[..., 2:]


def _finer(before: Tensor, here: Tensor, after: Tensor) -> Tensor:
    """Four points in each pixel between its neighbours, in eighths: [4, ...]."""
    return torch.stack([3 * before + 5 * here, before + 7 * here, 7 * here + after, 5 * here + 3 * after])

"""From the sampler's answer to silhouettes such as a segmentation leaves them.

Real clips were masks before they were scaled to 64 rows: grey lies on their outlines only, and one person stands in
every frame. The sampler's answer is nearly so, but grey also where the network is undecided, and with specks. So it is
read as a level set: what is above zero is the person. Specks go, what is no outline becomes black or white, and the
outline is drawn again in finer pixels.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.silhouettes.clip import decode

__all__ = ["antialias", "clean_mask", "postprocess"]

#: Pieces smaller than these shares of a frame's largest one are specks: beside it, and above or below it, where a foot
#: may be that the network did not join to its leg.
SPECK, SPECK_BEYOND = 0.1, 0.02

#: Fine pixels in a pixel, each way.
FINE = 4

#: How steeply an outline goes from black to white. This much draws real clips most nearly as they are: off by 0.6 grey
#: levels in the mean (simulated people) and 0.9 (KTH), with 4.6 and 4.9 % of grey pixels where they have 4.8 and 5.3.
STEEP = 5.0


def postprocess(sample: Tensor) -> NDArray[np.uint8]:
    """Make silhouettes of a sampler's answer, each frame by itself.

    Args:
        sample: Float [..., 64, columns], the person above zero; any device, where the outlines are drawn.

    Returns:
        uint8 [..., 64, 64].

    Raises:
        DataError: Values are not finite.
    """
    flat = sample.detach().float().flatten(0, -3)
    if not bool(torch.isfinite(flat).all()):
        raise DataError("cannot draw a clip with values that are not finite (NaN or infinite)")
    person = np.stack([clean_mask(mask) for mask in (flat > 0).to("cpu", torch.uint8).numpy()])
    drawn = antialias(flat, torch.from_numpy(person).to(flat.device))
    return decode(drawn.reshape(sample.shape))


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


def antialias(frames: Tensor, person: Tensor) -> Tensor:
    """Draw the outlines of masks where ``frames`` cross zero.

    Args:
        frames: float32 [n, h, w].
        person: uint8 [n, h, w], the masks, 0 or 1.

    Returns:
        float32 [n, h, w] in [-1, 1].
    """
    mask = person[:, None].float()
    inside, outside = -F.max_pool2d(-mask, 3, 1, 1) > 0, F.max_pool2d(mask, 3, 1, 1) == 0
    signed = torch.where(mask > 0, frames[:, None].abs(), -frames[:, None].abs())
    level_set = torch.where(inside, 1.0, torch.where(outside, -1.0, signed))
    fine = F.interpolate(level_set, scale_factor=FINE, mode="bilinear", align_corners=False)
    return F.avg_pool2d((STEEP * fine).clamp(-1, 1), FINE)[:, 0]

"""The pictures of a card as HTML with the images inside: walking clips, strips, GEIs, nearest training clips."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.audit.copies import Match
from gaitcrafter_ext.silhouettes.clip import window
from gaitcrafter_ext.silhouettes.gei import gei
from gaitcrafter_ext.silhouettes.sheet import spread, strip
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey

__all__ = ["geis_sheet", "image", "match_pairs", "nearest_strips", "strips", "walking"]

Frames = NDArray[np.uint8]

#: Frames of a strip.
SHOWN = 12


def match_pairs(real: Sequence[ClipKey], synthetic: Sequence[ClipKey], most: int) -> list[tuple[ClipKey, ClipKey]]:
    """Synthetic clips with a real one of the same person, condition and view, spread over all such pairs."""
    first: dict[tuple[str, str, str], ClipKey] = {}
    for key in real:
        first.setdefault((key.identity, key.condition, key.view), key)
    pairs = [(first[cell], key) for key in synthetic if (cell := (key.identity, key.condition, key.view)) in first]
    return [pairs[index] for index in spread(len(pairs), most)]


def walking(frames: Frames, caption: str, kind: str) -> str:
    """A clip that walks: all frames in one image, moved by CSS."""
    row = frames.transpose(1, 0, 2).reshape(frames.shape[1], -1)
    return (
        f'<figure class="{kind}"><div class="clip" style="--n:{len(frames)};background-image:url({_data(row)})"></div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def strips(rows: Sequence[tuple[str, Frames]]) -> str:
    """Labelled rows of frames."""
    lines = [
        f'<div class="strip"><span>{escape(label)}</span>{image(strip(frames, SHOWN), label)}</div>'
        for label, frames in rows
    ]
    return "".join(lines)


def geis_sheet(pairs: Sequence[tuple[ClipKey, ClipKey]], real: SilhouetteStore, synthetic: SilhouetteStore) -> str:
    """GEIs of real clips, each above that of the synthetic one."""
    cells = []
    for theirs, ours in pairs:
        made = synthetic.read(ours)
        upper, lower = gei(window(real.read(theirs), len(made))), gei(made)
        both = np.concatenate([upper, np.full((2, upper.shape[1]), 90, np.float32), lower]).astype(np.uint8)
        cells.append(f"<figure>{image(both, str(ours))}<figcaption>{escape(_name(ours))}</figcaption></figure>")
    return f'<div class="row">{"".join(cells)}</div>'


def nearest_strips(matches: Sequence[Match], real: SilhouetteStore, synthetic: SilhouetteStore) -> str:
    """Clips above the training clips that they come nearest to, phases aligned."""
    parts = []
    for match in matches:
        made = synthetic.read(match.clip)
        theirs = real.read(match.nearest)[max(0, match.shift) :][: len(made)]
        label = f"nearest training clip {match.nearest}"
        rows = [
            (f"{match.clip}, distance {match.distance:.3f}, {match.ratio:.2f} of the second nearest", made),
            (label, theirs),
        ]
        parts.append(f'<div class="pair">{strips(rows)}</div>')
    return "".join(parts)


def image(pixels: Frames, text: str) -> str:
    """An image inside the page."""
    height, width = pixels.shape[:2]
    return f'<img src="{_data(pixels)}" width="{width}" height="{height}" alt="{escape(text)}">'


def _name(key: ClipKey) -> str:
    return f"{key.identity} {key.condition} {key.view}"


def _data(pixels: Frames) -> str:
    _, data = cv2.imencode(".png", pixels)
    return "data:image/png;base64," + base64.b64encode(data.tobytes()).decode()

"""``report.html``: a card as one page that needs nothing else, on screen and on paper; ``report.json`` beside it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.audit.blind import matching_pairs
from gaitcrafter_ext.audit.card import IdentityCard, figure, interval, label
from gaitcrafter_ext.audit.clips import common_length
from gaitcrafter_ext.audit.copies import Match
from gaitcrafter_ext.audit.data import AuditData
from gaitcrafter_ext.audit.measures import Copied
from gaitcrafter_ext.audit.plots import all_plots
from gaitcrafter_ext.audit.spaces import Space
from gaitcrafter_ext.silhouettes.clip import window
from gaitcrafter_ext.silhouettes.files import atomic_write_text
from gaitcrafter_ext.silhouettes.gei import gei
from gaitcrafter_ext.silhouettes.sheet import spread, strip
from gaitcrafter_ext.vocabulary import ClipKey

__all__ = ["HTML_NAME", "JSON_NAME", "page", "write_report"]

JSON_NAME, HTML_NAME = "report.json", "report.html"

#: Walking pairs, novel people, pairs in strips, GEIs, and nearest clips that are shown; frames of a strip.
WALKING, NOVEL, SHEET, GEIS, NEAREST, SHOWN = 8, 8, 6, 12, 6, 12

#: Title, what is shown, and the order of the clips of a section of nearest training clips.
NEAREST_SECTIONS = (
    ("Nearest to a training clip",
     "The clips that come nearest to a training clip, by the ratio that decides what counts as a copy.",
     lambda match: match.ratio),
    ("Farthest from any training clip",
     "The clips that resemble no training clip of their view and condition, each with the nearest there is.",
     lambda match: -match.distance),
)  # fmt: skip

Frames = NDArray[np.uint8]


def write_report(folder: Path, card: IdentityCard, data: AuditData, spaces: list[Space]) -> None:
    """Write ``report.html`` and, after it, ``report.json``; raises ``StorageError`` where the disk refuses."""
    atomic_write_text(folder / HTML_NAME, page(card, data, spaces))
    atomic_write_text(folder / JSON_NAME, card.to_json())


def page(card: IdentityCard, data: AuditData, spaces: list[Space]) -> str:
    """The page's text; novel people are those of the first space, the map is of the last one."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("gaitcrafter_ext.audit", "")
    pages = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    pages.filters |= {"figure": figure, "interval": interval, "label": label}
    plots = {title: _data("svg+xml", text.encode()) for title, text in all_plots(card, spaces).items()}
    return pages.get_template("report.html.j2").render(
        card=card,
        name=Path(str(card.asked.get("synthetic", ""))).name,
        groups=data.counts(),
        walking=_walking(data),
        novel=_novel(data, spaces[0]),
        sheet=[_rows(data, *pair) for pair in _pairs(data, SHEET)],
        geis=[_geis(data, *pair) for pair in _pairs(data, GEIS)],
        plots=plots,
        nearest=_nearest(card, data),
    )


def _pairs(data: AuditData, most: int) -> list[tuple[ClipKey, ClipKey]]:
    """Synthetic clips with a real one of the same person, condition and view, spread over all such pairs."""
    real = [clip.key for clip in (*data.held_out, *data.training)]
    pairs = matching_pairs(real, [clip.key for clip in data.synthetic], data.trees.dataset)
    return [pairs[index] for index in spread(len(pairs), most)]


def _both(data: AuditData, theirs: ClipKey, ours: ClipKey) -> tuple[Frames, Frames]:
    """A real clip, cut to the synthetic one's length, and the synthetic one."""
    made = data.trees.synthetic.read(ours)
    return window(data.trees.real.read(theirs), len(made)), made


def _walking(data: AuditData) -> list[tuple[Any, Any]]:
    found = []
    for theirs, ours in _pairs(data, WALKING):
        real, made = _both(data, theirs, ours)
        found.append((_clip(real, f"{_name(data, ours)} real", "real"), _clip(made, "synthetic", "synthetic")))
    return found


def _novel(data: AuditData, space: Space) -> list[Any]:
    """One clip of each of the first novel people, of different views and conditions."""
    chosen: dict[str, ClipKey] = {}
    for number, key in enumerate(space.novel.keys):
        if key.identity not in chosen or number % 3 == 0:
            chosen[key.identity] = key
    length, store = common_length(data.synthetic), data.trees.synthetic
    shown = list(chosen.values())[:NOVEL]
    return [_clip(window(store.read(key), length), _name(data, key), "synthetic") for key in shown]


def _rows(data: AuditData, theirs: ClipKey, ours: ClipKey) -> list[tuple[str, str]]:
    real, made = _both(data, theirs, ours)
    return [(f"real {theirs}", _strip(real)), (f"synthetic {ours}", _strip(made))]


def _geis(data: AuditData, theirs: ClipKey, ours: ClipKey) -> tuple[str, str]:
    upper, lower = map(gei, _both(data, theirs, ours))
    both = np.concatenate([upper, np.full((2, upper.shape[1]), 90, np.float32), lower]).astype(np.uint8)
    return _name(data, ours), _png(both)


def _nearest(card: IdentityCard, data: AuditData) -> list[tuple[str, str, list[Any]]]:
    found = card.results.get(("copies", "frames"))
    if not isinstance(found, Copied):
        return []
    matches = found.copies.synthetic.matches
    return [
        (title, text, [_aligned(data, match) for match in sorted(matches, key=order)[:NEAREST]])
        for title, text, order in NEAREST_SECTIONS
    ]


def _aligned(data: AuditData, match: Match) -> list[tuple[str, str]]:
    """A clip above the training clip that it comes nearest to, phases aligned."""
    made = data.trees.synthetic.read(match.clip)
    theirs = data.trees.real.read(match.nearest)[max(0, match.shift) :][: len(made)]
    above = f"{match.clip}, distance {match.distance:.3f}, {match.ratio:.2f} of the second nearest"
    return [(above, _strip(made)), (f"nearest training clip {match.nearest}", _strip(theirs))]


def _name(data: AuditData, key: ClipKey) -> str:
    view, condition = data.trees.cell(key)
    return f"{key.identity} {condition} {view}"


def _clip(frames: Frames, caption: str, kind: str) -> tuple[str, int, str, str]:
    """A clip that walks: all frames in one image, moved by CSS."""
    return _png(frames.transpose(1, 0, 2).reshape(frames.shape[1], -1)), len(frames), caption, kind


def _strip(frames: Frames) -> str:
    return _png(strip(frames, SHOWN))


def _png(pixels: Frames) -> str:
    return _data("png", cv2.imencode(".png", pixels)[1].tobytes())


def _data(kind: str, content: bytes | Sequence[int]) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(bytes(content)).decode()}"

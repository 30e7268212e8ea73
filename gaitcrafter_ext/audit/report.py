"""``report.html``: a card as one page that needs nothing else, on screen and on paper; ``report.json`` beside it.

Its plots are SVG: match scores and a map of the embeddings.
"""

from __future__ import annotations

import base64
import contextlib
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from gaitcrafter_ext.audit.blind import matching_pairs
from gaitcrafter_ext.audit.card import HTML_NAME, JSON_NAME, IdentityCard, figure, interval, label
from gaitcrafter_ext.audit.clips import Frames, length_of
from gaitcrafter_ext.audit.copies import Match
from gaitcrafter_ext.audit.data import AuditData
from gaitcrafter_ext.audit.spaces import Space, principal_components
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.centroids import find_centroids
from gaitcrafter_ext.metrics.features import joined
from gaitcrafter_ext.silhouettes.clip import gei, window
from gaitcrafter_ext.silhouettes.files import atomic_write_text
from gaitcrafter_ext.silhouettes.pictures import spread, strip
from gaitcrafter_ext.vocabulary import ClipKey

#: Real and synthetic pairs, novel people, and nearest clips that are shown; frames of a strip.
PAIRS, NOVEL, NEAREST, SHOWN = 8, 8, 6, 12

#: Title, what is shown, and the order of the clips of a section of nearest training clips.
NEAREST_SECTIONS = (
    ("Nearest to a training clip",
     "The clips that come nearest to a training clip, by the ratio that decides what counts as a copy.",
     lambda match: match.ratio),
    ("Farthest from any training clip",
     "The clips that resemble no training clip of their view and condition, each with the nearest there is.",
     lambda match: -match.distance),
)  # fmt: skip

#: Real and synthetic things, and what neither is; then people, told apart also by those who see no red (Okabe & Ito).
REAL, SYNTHETIC, GREY = "#0072b2", "#d55e00", "#777777"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#000000")

#: Bars of a histogram, and people on a map.
BINS, ON_MAP = 40, 8


def write_report(folder: Path, card: IdentityCard, data: AuditData, spaces: list[Space]) -> None:
    """Write ``report.html`` and, after it, ``report.json``; raises ``StorageError`` where the disk refuses."""
    atomic_write_text(folder / HTML_NAME, page(card, data, spaces))
    atomic_write_text(folder / JSON_NAME, card.to_json())


def page(card: IdentityCard, data: AuditData, spaces: list[Space]) -> str:
    """The page's text; novel people are those of the first space, the map is of the last one."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("gaitcrafter_ext.audit", "")
    pages = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    pages.filters |= {"figure": figure, "interval": interval, "label": label}
    pairs = _pairs(data)
    return pages.get_template("report.html.j2").render(
        card=card,
        name=Path(str(card.asked.get("synthetic", ""))).name,
        groups=data.counts(),
        walking=[
            (_clip(real, f"{_name(data, ours)} real", "real"), _clip(made, "synthetic", "synthetic"))
            for ours, real, made in pairs
        ],
        novel=_novel(data, spaces[0]),
        geis=[(_name(data, ours), _geis(real, made)) for ours, real, made in pairs],
        plots={title: _data("svg+xml", text.encode()) for title, text in _plots(spaces).items()},
        nearest=_nearest(data),
    )


def _pairs(data: AuditData) -> list[tuple[ClipKey, Frames, Frames]]:
    """A synthetic clip's name, a real clip of its person, condition and view, as long, and it: over all such pairs."""
    synthetic, held_out, training = data.sides
    real, made = ([clip.key for clip in clips] for clips in ((*held_out, *training), synthetic))
    pairs, found = matching_pairs(replace(data.trees, real_keys=real, synthetic_keys=made)), []
    for theirs, ours in (pairs[index] for index in spread(len(pairs), PAIRS)):
        clip = data.trees.synthetic.read(ours)
        found.append((ours, window(data.trees.real.read(theirs), len(clip)), clip))
    return found


def _novel(data: AuditData, space: Space) -> list[Any]:
    """One clip of each of the first novel people, of different views and conditions."""
    chosen: dict[str, ClipKey] = {}
    for number, key in enumerate(space.novel.keys):
        if key.identity not in chosen or number % 3 == 0:
            chosen[key.identity] = key
    length, store = length_of(data.kinds[0]), data.trees.synthetic
    shown = list(chosen.values())[:NOVEL]
    return [_clip(window(store.read(key), length), _name(data, key), "synthetic") for key in shown]


def _geis(real: Frames, made: Frames) -> str:
    upper, lower = gei(real), gei(made)
    return _png(np.concatenate([upper, np.full((2, upper.shape[1]), 90, np.float32), lower]).astype(np.uint8))


def _nearest(data: AuditData) -> list[tuple[str, str, list[Any]]]:
    with contextlib.suppress(DataError):  # the figures say why there are none
        return [
            (title, text, [_aligned(data, match) for match in sorted(data.matches[0], key=order)[:NEAREST]])
            for title, text, order in NEAREST_SECTIONS
        ]
    return []


def _aligned(data: AuditData, match: Match) -> list[tuple[str, str]]:
    """A clip above the training clip that it comes nearest to, phases aligned."""
    made = data.trees.synthetic.read(match.clip)
    theirs = data.trees.real.read(match.nearest)[max(0, match.shift) :][: len(made)]
    above = f"{match.clip}, distance {match.distance:.3f}, {match.ratio:.2f} of the second nearest"
    return [(above, _png(strip(made, SHOWN))), (f"nearest training clip {match.nearest}", _png(strip(theirs, SHOWN)))]


def _name(data: AuditData, key: ClipKey) -> str:
    view, condition = data.trees.cell(key)
    return f"{key.identity} {condition} {view}"


def _clip(frames: Frames, caption: str, kind: str) -> tuple[str, int, str, str]:
    """A clip that walks: all frames in one image, moved by CSS."""
    return _png(frames.transpose(1, 0, 2).reshape(frames.shape[1], -1)), len(frames), caption, kind


def _png(pixels: Frames) -> str:
    return _data("png", cv2.imencode(".png", pixels)[1].tobytes())


def _data(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _axes(title: str, x: str, y: str) -> Any:
    """Axes of a figure of their own, 440 x 300 points."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(440 / 72, 300 / 72), layout="tight").add_subplot()
    drawn.set(title=title, xlabel=x, ylabel=y)
    drawn.spines[["top", "right"]].set_visible(False)
    return drawn


def _to_svg(drawn: Any) -> str:
    """The figure of ``drawn`` as SVG text, the same for the same data; text stays text."""
    from matplotlib import rc_context

    text = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "gaitcrafter", "font.family": "sans-serif"}):
        if drawn.get_legend_handles_labels()[1]:
            drawn.legend(frameon=False, fontsize="small")
        drawn.figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()


def _plots(spaces: list[Space]) -> dict[str, str]:
    """Match scores in each space, and a map of the last one: title -> SVG."""
    found = [*map(_scores, spaces), *(drawn for space in spaces[-1:] if (drawn := _map(space)))]
    return {drawn.get_title(): _to_svg(drawn) for drawn in found}


def _scores(space: Space) -> Any:
    """How well clips match training people's centroids: genuine, impostor, known and novel synthetic ones."""
    people, scores = find_centroids(space.training), {}
    for name, clips in (("real", space.held_out), ("synthetic", space.synthetic)):
        table, own = clips.vectors @ people.vectors.T, clips.identity[:, None] == np.array(people.names)[None]
        scores[f"{name} own"], scores[f"{name} others"] = table[own], table[~own & own.any(axis=1)[:, None]]
    novel = space.novel.vectors @ people.vectors.T if len(space.novel) else np.zeros(0)
    drawn = _axes(f"Match scores ({space.name})", "cosine to a training person's centroid", "share")
    for what, values, colour in (
        ("genuine: held-out real to their own centroid", scores["real own"], REAL),
        ("impostor: held-out real to others", scores["real others"], GREY),
        ("known synthetic to their own centroid", scores["synthetic own"], SYNTHETIC),
        ("novel synthetic to training people", novel.ravel(), COLOURS[3]),
    ):
        if len(values):
            counts, edges = np.histogram(np.clip(values, -1, 1), BINS, (-1, 1))
            drawn.stairs(counts / len(values), edges, color=colour, label=what)
    drawn.margins(y=0.35)
    return drawn


def _map(space: Space) -> Any:
    """Real and synthetic clips of some people on the leading components of the real ones; None where there are none."""
    both = sorted(set(space.synthetic.people) & set(space.training.people))[:ON_MAP]
    if len(both) < 2:
        return None
    real, made = joined(space.training.only(both), space.held_out.only(both)), space.synthetic.only(both)
    mean, basis, _ = principal_components(real.vectors, 2)
    if basis.shape[1] < 2:
        return None
    title = f"{len(both)} people ({space.name}): hollow real, cross synthetic"
    drawn = _axes(title, "component 1", "component 2")
    for name, colour in zip(both, COLOURS, strict=False):
        theirs, ours = ((clips.only([name]).vectors - mean) @ basis for clips in (real, made))
        drawn.scatter(*theirs.T, s=14, facecolors="none", edgecolors=colour)
        drawn.scatter(*ours.T, s=14, marker="x", color=colour)
    return drawn

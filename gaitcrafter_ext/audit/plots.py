"""The plots of a card, as SVG: match scores, kept people, a map of the embeddings, cadence."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from gaitcrafter_ext.audit.cadence import Cadence
from gaitcrafter_ext.audit.card import IdentityCard
from gaitcrafter_ext.audit.measures import UniquenessBeside
from gaitcrafter_ext.audit.spaces import Space
from gaitcrafter_ext.metrics.centroids import find_centroids
from gaitcrafter_ext.metrics.features import joined
from gaitcrafter_ext.metrics.subspace import principal_components
from gaitcrafter_ext.metrics.uniqueness import FALSE_MATCH_RATE, independent_share

__all__ = ["COLOURS", "GREY", "all_plots", "axes", "to_svg"]

#: Real and synthetic things, and what neither is; then people, told apart also by those who see no red (Okabe & Ito).
REAL, SYNTHETIC, GREY = "#0072b2", "#d55e00", "#777777"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#000000")

#: Bars of a histogram, and people on a map.
BINS, ON_MAP = 40, 8


def axes(title: str, x: str, y: str) -> Any:
    """Axes of a figure of their own, 440 x 300 points."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(440 / 72, 300 / 72), layout="tight").add_subplot()
    drawn.set(title=title, xlabel=x, ylabel=y)
    drawn.spines[["top", "right"]].set_visible(False)
    return drawn


def to_svg(drawn: Any) -> str:
    """The figure of ``drawn`` as SVG text, the same for the same data; text stays text."""
    from matplotlib import rc_context

    text = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "gaitcrafter", "font.family": "sans-serif"}):
        if drawn.get_legend_handles_labels()[1]:
            drawn.legend(frameon=False, fontsize="small")
        drawn.figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()


def all_plots(card: IdentityCard, spaces: list[Space]) -> dict[str, str]:
    """Every plot that the card's results allow: title -> SVG."""
    found = []
    for space in spaces:
        found.append(_scores(space))
        if isinstance(kept := card.results.get(("u", space.name)), UniquenessBeside):
            found.append(_kept(kept, space.name))
    found += [drawn for space in spaces[-1:] if (drawn := _map(space))]
    if isinstance(beat := card.results.get(("cadence", "frames")), Cadence):
        found.append(_cycles(beat))
    return {drawn.get_title(): to_svg(drawn) for drawn in found}


def _scores(space: Space) -> Any:
    """How well clips match training people's centroids: genuine, impostor, known and novel synthetic ones."""
    people = find_centroids(space.training)
    scores = {}
    for name, clips in (("real", space.held_out), ("synthetic", space.synthetic)):
        table, own = clips.vectors @ people.vectors.T, clips.identity[:, None] == np.array(people.names)[None]
        scores[f"{name} own"], scores[f"{name} others"] = table[own], table[~own & own.any(axis=1)[:, None]]
    novel = space.novel.vectors @ people.vectors.T if len(space.novel) else np.zeros(0)
    drawn = axes(f"Match scores ({space.name})", "cosine to a training person's centroid", "share")
    for label, values, colour in (
        ("genuine: held-out real to their own centroid", scores["real own"], REAL),
        ("impostor: held-out real to others", scores["real others"], GREY),
        ("known synthetic to their own centroid", scores["synthetic own"], SYNTHETIC),
        ("novel synthetic to training people", novel.ravel(), COLOURS[3]),
    ):
        if len(values):
            counts, edges = np.histogram(np.clip(values, -1, 1), BINS, (-1, 1))
            drawn.stairs(counts / len(values), edges, color=colour, label=label)
    drawn.margins(y=0.35)
    return drawn


def _kept(found: UniquenessBeside, name: str) -> Any:
    """How many of the first N people are kept."""
    drawn = axes(f"People kept ({name})", "people, N", "kept")
    for label, curve, colour in (("novel", found.novel.curve, SYNTHETIC), ("real", found.real.curve, REAL)):
        drawn.plot(np.arange(len(curve) + 1), [0, *curve], color=colour, label=label)
    count = max(len(found.novel.people), len(found.real.people))
    places = range(1, count + 1, max(1, count // 40))
    independent = f"independent {100 * FALSE_MATCH_RATE:.0f} % collisions"
    drawn.plot(places, [n * independent_share(n) for n in places], color=GREY, ls="--", label=independent)
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
    drawn = axes(title, "component 1", "component 2")
    for name, colour in zip(both, COLOURS, strict=False):
        theirs, ours = ((clips.only([name]).vectors - mean) @ basis for clips in (real, made))
        drawn.scatter(*theirs.T, s=14, facecolors="none", edgecolors=colour)
        drawn.scatter(*ours.T, s=14, marker="x", color=colour)
    return drawn


def _cycles(found: Cadence) -> Any:
    """Each person's gait cycle, synthetic over real."""
    points = np.array([(each.held_out, each.synthetic) for each in found.people])
    points = points[np.isfinite(points).all(axis=1)]
    ends = points.min() - 1, points.max() + 1
    drawn = axes("Gait cycle of each person and condition", "held-out real, frames", "synthetic, frames")
    drawn.plot(ends, ends, color=GREY, ls="--", label="equal")
    drawn.scatter(*points.T, s=14, facecolors="none", edgecolors=SYNTHETIC, label="a person in a condition")
    return drawn

"""The plots of a card: match scores, kept people, a map of the embeddings, cadence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.audit.cadence import Cadence
from gaitcrafter_ext.audit.card import IdentityCard
from gaitcrafter_ext.audit.drawing import COLOURS, GREY, REAL, SYNTHETIC, Plot
from gaitcrafter_ext.audit.embeddings import Embedded, centres
from gaitcrafter_ext.audit.material import Space
from gaitcrafter_ext.audit.people_rows import Different
from gaitcrafter_ext.audit.style import principal_components
from gaitcrafter_ext.audit.uniqueness import FALSE_MATCH_RATE, independent_share

__all__ = ["all_plots", "cadence_plot", "kept_plot", "map_plot", "scores_plot"]

#: Bars of a histogram, and people on a map.
BINS, ON_MAP = 40, 8


def all_plots(card: IdentityCard, spaces: list[Space]) -> list[str]:
    """Every plot that the card's results allow, as SVG."""
    found = []
    for space in spaces:
        found.append(scores_plot(space))
        if isinstance(kept := card.results.get(("u", space.name)), Different):
            found.append(kept_plot(kept, space.name))
    found += [plot for space in spaces[-1:] if (plot := map_plot(space))]
    if isinstance(beat := card.results.get(("cadence", "frames")), Cadence):
        found.append(cadence_plot(beat))
    return found


def scores_plot(space: Space) -> str:
    """How well clips match training people's centres: genuine, impostor, known and novel synthetic ones."""
    people = centres(space.training)
    names = np.array(people.people)
    scores = {}
    for label, clips in (("held-out real", space.held_out), ("synthetic", space.synthetic)):
        table, own = clips.vectors @ people.vectors.T, clips.identity[:, None] == names[None]
        scores[f"{label}, own person"] = table[own]
        scores[f"{label}, others"] = table[~own & own.any(axis=1)[:, None]]
    novel = space.novel.vectors @ people.vectors.T if len(space.novel) else np.zeros(0)
    shown = [
        ("genuine: held-out real to their own centre", scores["held-out real, own person"], REAL),
        ("impostor: held-out real to others", scores["held-out real, others"], GREY),
        ("known synthetic to their own centre", scores["synthetic, own person"], SYNTHETIC),
        ("novel synthetic to training people", novel.ravel(), COLOURS[3]),
    ]
    edges = np.linspace(-1, 1, BINS + 1)
    heights = {label: _shares(values, edges) for label, values, _ in shown if len(values)}
    top = 1.7 * max((float(each.max()) for each in heights.values()), default=1.0)
    plot = Plot(f"Match scores ({space.name})", ("cosine to a training person's centre", -1, 1), ("share", 0, top))
    for label, values, colour in shown:
        if len(values):
            plot.steps(edges.tolist(), heights[label].tolist(), colour, label)
    return plot.svg()


def kept_plot(found: Different, name: str) -> str:
    """How many of the first N people are kept."""
    count = max(len(found.novel.people), len(found.real.people))
    plot = Plot(f"People kept ({name})", ("people, N", 0, count), ("kept", 0, 1.35 * count))
    for label, curve, colour in (("novel", found.novel.curve, SYNTHETIC), ("real", found.real.curve, REAL)):
        plot.line([(0.0, 0.0), *((float(n), float(kept)) for n, kept in enumerate(curve.tolist(), 1))], colour, label)
    chance = [(float(n), n * independent_share(n)) for n in range(1, count + 1, max(1, count // 40))]
    plot.line(chance, GREY, f"independent {100 * FALSE_MATCH_RATE:.0f} % collisions", dashed=True)
    return plot.svg()


def map_plot(space: Space) -> str:
    """Real and synthetic clips of some people on the leading components of the real ones."""
    both = sorted(set(space.synthetic.people) & set(space.training.people))[:ON_MAP]
    if len(both) < 2:
        return ""
    real, made = _together(space.training.of(both), space.held_out.of(both)), space.synthetic.of(both)
    mean, basis = principal_components(real.vectors, 2)
    if basis.shape[1] < 2:
        return ""
    ours, theirs = ((clips.vectors - mean) @ basis for clips in (made, real))
    low, high = np.concatenate([ours, theirs]).min(axis=0), np.concatenate([ours, theirs]).max(axis=0)
    room = 0.05 * (high - low)
    x, y = ((f"component {at + 1}", float(low[at] - room[at]), float(high[at] + room[at])) for at in (0, 1))
    title = f"{len(both)} people ({space.name}): hollow real, cross synthetic"
    plot = Plot(title, x, y)
    for name, colour in zip(both, COLOURS, strict=False):
        plot.dots(_pairs(theirs[real.identity == name]), colour, shape="hollow")
        plot.dots(_pairs(ours[made.identity == name]), colour, shape="cross")
    return plot.svg()


def cadence_plot(found: Cadence) -> str:
    """Each person's gait cycle, synthetic over real."""
    points = [(each.held_out, each.synthetic) for each in found.people]
    points = [point for point in points if np.isfinite(point).all()]
    low, high = min(map(min, points)) - 1, max(map(max, points)) + 1
    plot = Plot("Gait cycle of each person and condition", ("held-out real, frames", low, high),
                ("synthetic, frames", low, high))  # fmt: skip
    plot.line([(low, low), (high, high)], GREY, "equal", dashed=True)
    plot.dots(points, SYNTHETIC, "a person in a condition", "hollow")
    return plot.svg()


def _shares(values: NDArray[np.floating], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return np.asarray(counts / max(1, len(values)))


def _together(left: Embedded, right: Embedded) -> Embedded:
    return Embedded(np.concatenate([left.vectors, right.vectors]), (*left.keys, *right.keys))


def _pairs(points: NDArray[np.floating]) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in points]

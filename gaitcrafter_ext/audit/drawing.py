"""Plots as SVG text: axes, lines, dots and a legend, nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["COLOURS", "GREY", "REAL", "SYNTHETIC", "Plot", "ticks"]

#: Real and synthetic things, and what neither is; then people, told apart also by those who see no red (Okabe & Ito).
REAL, SYNTHETIC, GREY = "#0072b2", "#d55e00", "#777777"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#000000")

WIDTH, HEIGHT = 440, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 30, 44

Point = tuple[float, float]


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers within [low, high], about ``count`` of them."""
    rough = (high - low) / count
    scale = 10 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    step = next(scale * nice for nice in (1, 2, 5, 10) if scale * nice >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(number * step, 10) for number in range(first, math.floor(high / step + 1e-9) + 1)]


class Plot:
    """One plot, filled part by part.

    Args:
        title: Above it.
        x: Label and range of the horizontal axis.
        y: Label and range of the vertical axis.
    """

    def __init__(self, title: str, x: tuple[str, float, float], y: tuple[str, float, float]) -> None:
        self.title, self.x, self.y = title, x, y
        self._parts: list[str] = []
        self._legend: list[tuple[str, str, str]] = []

    def line(
        self, points: Iterable[Point], colour: str, label: str = "", dashed: bool = False, width: float = 1.8
    ) -> None:
        """A line through points, in data units."""
        path = " ".join(f"{self._x(x):.1f},{self._y(y):.1f}" for x, y in points)
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self._parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dash}/>')
        self._name(label, colour, f'<line x1="0" x2="16" y1="-4" y2="-4" stroke="{colour}" stroke-width="2"{dash}/>')

    def steps(self, edges: Sequence[float], heights: Sequence[float], colour: str, label: str) -> None:
        """The outline of a histogram: ``len(edges) == len(heights) + 1``."""
        pairs = zip(edges[:-1], edges[1:], heights, strict=True)
        outline = [point for left, right, height in pairs for point in ((left, height), (right, height))]
        self.line([(edges[0], 0.0), *outline, (edges[-1], 0.0)], colour, label)

    def dots(self, points: Iterable[Point], colour: str, label: str = "", shape: str = "filled") -> None:
        """Marks at points: ``filled`` or ``hollow`` circles, or a ``cross``."""
        self._parts += [_mark(self._x(x), self._y(y), colour, shape) for x, y in points]
        self._name(label, colour, _mark(8, -4, colour, shape))

    def svg(self) -> str:
        """All of it."""
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img"'
            f' aria-label="{escape(self.title)}"><text x="{LEFT}" y="16" class="title">{escape(self.title)}</text>'
            f"{self._axes()}{''.join(self._parts)}{self._key()}</svg>"
        )

    def _x(self, value: float) -> float:
        _, low, high = self.x
        return LEFT + (WIDTH - LEFT - RIGHT) * (value - low) / ((high - low) or 1)

    def _y(self, value: float) -> float:
        _, low, high = self.y
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / ((high - low) or 1)

    def _axes(self) -> str:
        right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
        parts = [f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="#444"/>']
        parts += [
            f'<path d="M{self._x(at):.1f} {bottom}v4" stroke="#444"/><text x="{self._x(at):.1f}" y="{bottom + 16}"'
            f' text-anchor="middle">{at:g}</text>'
            for at in ticks(*self.x[1:])
        ]
        parts += [
            f'<path d="M{LEFT} {self._y(at):.1f}h-4" stroke="#444"/><text x="{LEFT - 7}" y="{self._y(at) + 4:.1f}"'
            f' text-anchor="end">{at:g}</text>'
            for at in ticks(*self.y[1:])
        ]
        middle = (TOP + bottom) / 2
        return "".join(parts) + (
            f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(self.x[0])}</text>'
            f'<text transform="translate(13 {middle}) rotate(-90)" text-anchor="middle">{escape(self.y[0])}</text>'
        )

    def _name(self, label: str, colour: str, mark: str) -> None:
        if label:
            self._legend.append((label, colour, mark))

    def _key(self) -> str:
        rows = [
            f'<g transform="translate({LEFT + 10} {TOP + 12 + 15 * row})">{mark}<text x="22">{escape(label)}</text></g>'
            for row, (label, _, mark) in enumerate(self._legend)
        ]
        return "".join(rows)


def _mark(x: float, y: float, colour: str, shape: str) -> str:
    if shape == "cross":
        return f'<path d="M{x - 3:.1f} {y - 3:.1f}l6 6m0 -6l-6 6" stroke="{colour}" stroke-width="1.3"/>'
    fill = colour if shape == "filled" else "none"
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{fill}" stroke="{colour}" stroke-width="1.2"/>'

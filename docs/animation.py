"""Draw ``docs/walks.gif``: walks of known people not trained on, their synthetic twins, novel people.

From the checkout, each time the bundled weights change: ``PYTHONPATH=. python docs/animation.py``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gaitcrafter_ext import GaitCrafterPipeline, SampleRequest, novel_identities
from gaitcrafter_ext.simulation.cohort import identity_name, person, render_take, true_phase
from gaitcrafter_ext.synthesis.identities import BlendSettings

#: Person of the population, take, view of each column. Takes of such numbers are in no training set.
COLUMNS = (
    (7, "nm-11", "090"),
    (21, "nm-11", "054"),
    (35, "bg-11", "090"),
    (48, "bg-11", "126"),
    (64, "cl-11", "090"),
    (90, "cl-11", "036"),
)
POPULATION = 2508
FRAMES, CELL, MARGIN, HEAD = 54, 96, 84, 20
ROWS = ("simulated", "synthetic", "novel")

Clip = NDArray[np.uint8]


def real_clips() -> list[Clip]:
    """What the cameras see, uint8 [T, 64, 64] each."""
    walkers = [(person(POPULATION, number), take, view) for number, take, view in COLUMNS]
    return [render_take(POPULATION, who, take, [view], FRAMES)[view] for who, take, view in walkers]


def requests(start: float) -> Iterator[SampleRequest]:
    """The same walks of the same people, then of novel ones, in step with the real ones."""
    novel = list(novel_identities(len(COLUMNS), known, BlendSettings()).values())
    twins = [{identity_name(number, POPULATION): 1.0} for number, _, _ in COLUMNS]
    for row, mixes in enumerate((twins, [who.mix for who in novel])):
        for column, (mix, (number, take, view)) in enumerate(zip(mixes, COLUMNS, strict=True)):
            phase, cycle = true_phase(POPULATION, number, take, FRAMES)
            first = 2 * math.pi * float(phase[0]) + start
            yield SampleRequest(mix, take[:2], float(view), 100 * row + column, cycle, first)


def in_step(real: list[Clip]) -> list[Clip]:
    """Synthetic clips; which foot is the left one is a convention of the weights, so the better half cycle is kept."""
    tries = [pipeline(list(requests(start)), frames=FRAMES).clips for start in (0.0, math.pi)]
    apart = [np.abs(np.stack(real).astype(int) - clips[: len(real)]).mean() for clips in tries]
    return list(tries[int(np.argmin(apart))])


def canvas(clips: list[Clip], frame: int) -> Image.Image:
    """One frame of the picture: a grid of cells with captions."""
    image = np.full((HEAD + len(ROWS) * CELL, MARGIN + len(COLUMNS) * CELL), 24, np.uint8)
    for index, clip in enumerate(clips):
        row, column = divmod(index, len(COLUMNS))
        cell = cv2.resize(clip[frame], (CELL, CELL), interpolation=cv2.INTER_LINEAR)
        top, left = HEAD + row * CELL, MARGIN + column * CELL
        image[top : top + CELL, left : left + CELL] = np.maximum(24, cell)
    for row, name in enumerate(ROWS):
        write(image, name, 4, HEAD + row * CELL + CELL // 2)
    for column, (_, take, view) in enumerate(COLUMNS):
        write(image, f"{take[:2]} {view}", MARGIN + column * CELL + 22, 14)
    return Image.fromarray(image // 17 * 17)


def write(image: NDArray[np.uint8], text: str, left: int, base: int) -> None:
    """Put a caption into the image."""
    cv2.putText(image, text, (left, base), cv2.FONT_HERSHEY_SIMPLEX, 0.42, 230, 1, cv2.LINE_AA)


if __name__ == "__main__":
    pipeline = GaitCrafterPipeline.from_pretrained("bundled")
    known = pipeline.identities
    real = real_clips()
    clips = [*real, *in_step(real)]
    pictures = [canvas(clips, frame) for frame in range(FRAMES)]
    target = Path(__file__).with_name("walks.gif")
    pictures[0].save(target, save_all=True, append_images=pictures[1:], duration=40, loop=0, optimize=True)
    print(f"{target}: {target.stat().st_size / 1000:.0f} kB")

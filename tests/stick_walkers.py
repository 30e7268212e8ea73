"""Walkers drawn with lines: known cycle, own build, knees that bend in swing only (so time has a direction)."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.audit.clips import ClipFeatures, extract
from gaitcrafter_ext.vocabulary import ClipKey

#: Gait cycle of each person, frames.
CYCLES = (23.0, 25.0, 27.0, 29.0, 31.0, 24.0)

CONDITION_EXTRA = {"nm": 0, "bg": 2, "cl": 4}


def stick_clip(
    person: int, cycle: float, frames: int = 60, phase: float = 0.0, extra: int = 0, seed: int = 0
) -> NDArray[np.uint8]:
    """A person seen from the side, walking to the right: uint8 [frames, 64, 64], soft edges.

    ``person`` sets width of the trunk and size of the head, ``cycle`` the gait cycle in frames, ``phase`` the cycles
    already walked in the first frame, ``extra`` the pixels that clothes add to the trunk, ``seed`` differences of pose
    between takes and the trunk's sway from frame to frame.
    """
    rng = np.random.default_rng([person, seed])
    swing, bend, trunk = 24.0 + 2.5 * rng.normal(), 60.0 + 8 * rng.normal(), 22 + 5 * (person % 3) + 2 * extra
    turns = 2 * np.pi * (phase + np.arange(frames) / cycle)
    trunks = np.rint(trunk + 1.5 * rng.normal() + 1.5 * rng.normal(size=frames)).astype(int)
    return np.stack([_frame(turn, swing, bend, int(width), person) for turn, width in zip(turns, trunks, strict=True)])


def _frame(turn: float, swing: float, knee_bend: float, trunk: int, person: int) -> NDArray[np.uint8]:
    image = np.zeros((256, 256), np.uint8)
    hip = (128, 132)
    cv2.ellipse(image, (128, 76), (trunk, 62), 0, 0, 360, 255, -1)
    cv2.circle(image, (130, 16), 14 + person, 255, -1)
    for side in (0.0, np.pi):
        thigh = np.radians(swing) * np.sin(turn + side)
        bend = np.radians(knee_bend) * max(0.0, np.cos(turn + side)) ** 2
        knee = (int(hip[0] + 60 * np.sin(thigh)), int(hip[1] + 60 * np.cos(thigh)))
        foot = (int(knee[0] + 60 * np.sin(thigh - bend)), int(knee[1] + 60 * np.cos(thigh - bend)))
        cv2.line(image, hip, knee, 255, 24)
        cv2.line(image, knee, foot, 255, 18)
        cv2.line(image, foot, (foot[0] + 22, foot[1]), 255, 12)
    return np.asarray(cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA))


def stick_people(
    takes: tuple[str, ...], people: int = 4, frames: int = 60, seed: int = 0, cycles: tuple[float, ...] = CYCLES
) -> list[ClipFeatures]:
    """Features of every person's takes; another ``seed`` walks other takes of the same people."""
    clips = []
    for person, (number, take) in itertools.product(range(people), enumerate(takes)):
        rng = np.random.default_rng([seed, person, number])
        cycle = cycles[person] + 0.15 * rng.normal()
        clip = stick_clip(person, cycle, frames, rng.random(), CONDITION_EXTRA[take[:2]], 100 * seed + number)
        clips.append(extract(ClipKey(f"{person:03d}", take, "090"), clip))
    return clips

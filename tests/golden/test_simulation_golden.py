"""Version 2 of the simulated cohort looks as it did when it was frozen.

A new version's frames are stored by ``python -m tests.golden.test_simulation_golden``; a version's never change.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gaitcrafter_ext.simulation.cohort import COHORT_VERSION, person, render_take

STORED = Path(__file__).with_name("simulation_v2.npz")

#: Seed, person, take and view of each clip.
CLIPS = ((0, 1, "nm-01", "090"), (0, 12, "bg-01", "054"), (0, 3, "cl-02", "000"), (7, 412, "cl-05", "126"))


def render() -> np.ndarray:
    """The clips as the code makes them now, uint8 [clips, 12, 64, 64]."""
    return np.stack([render_take(s, person(s, n), take, [view], 12)[view] for s, n, take, view in CLIPS])


def test_frozen_frames_have_not_changed() -> None:
    assert COHORT_VERSION == "2", "a new version needs new golden frames"
    stored, now = np.load(STORED)["frames"].astype(int), render().astype(int)
    # Other processors round sines differently, and a vertex on the border of a sub-pixel may fall to the other side.
    assert (np.abs(stored - now) <= 2).mean() >= 0.999


if __name__ == "__main__":
    np.savez_compressed(STORED, frames=render())

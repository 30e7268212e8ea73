"""Write ``simulation_v2.npz``: frames of version 2 of the simulated cohort, as they were when it was frozen.

    python tests/golden/simulation_v2.py

Only for a new cohort version; a version's frames never change.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.simulation.cohort import person, render_take

STORED = Path(__file__).with_name("simulation_v2.npz")

#: Seed, person, take and view of each clip.
CLIPS = ((0, 1, "nm-01", "090"), (0, 12, "bg-01", "054"), (0, 3, "cl-02", "000"), (7, 412, "cl-05", "126"))
FRAMES = 12


def render() -> NDArray[np.uint8]:
    """The clips as the code makes them now, [clips, FRAMES, 64, 64]."""
    return np.stack([render_take(s, person(s, n), take, [view], FRAMES)[view] for s, n, take, view in CLIPS])


if __name__ == "__main__":
    np.savez_compressed(STORED, frames=render())

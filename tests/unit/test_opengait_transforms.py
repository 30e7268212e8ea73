"""Edges of one kind, whoever made the clip."""

from __future__ import annotations

import random

import numpy as np
import pytest

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.opengait.transforms import SilhouetteEdgeTransform

SOFT = np.broadcast_to(np.linspace(0, 255, 64).astype(np.uint8), (3, 64, 64))


def grey(frames: np.ndarray) -> float:
    return float(((frames > 0) & (frames < 255)).mean())


def test_soft_edges_become_steep_and_stay_where_they_are() -> None:
    same, steep = SilhouetteEdgeTransform(1)(SOFT), SilhouetteEdgeTransform(4)(SOFT)
    assert np.array_equal(same, SOFT)
    assert grey(steep) == pytest.approx(grey(SOFT) / 4, abs=0.02)
    assert np.array_equal(steep > 127.5, SOFT > 127.5)
    assert (steep.dtype, steep.min(), steep.max()) == (np.float32, 0, 255)
    sharp = np.where(SOFT > 127, 255, 0)
    assert np.array_equal(SilhouetteEdgeTransform(4)(sharp), sharp)


def test_noise_moves_the_edge_of_a_whole_clip() -> None:
    random.seed(0)
    moved = [SilhouetteEdgeTransform(100, 0.2)(SOFT) for _ in range(8)]
    widths = {float((clip > 127).mean()) for clip in moved}
    assert len(widths) > 4
    assert all(0.28 < width < 0.72 for width in widths)
    assert all(np.array_equal(clip[0], clip[1]) for clip in moved)


@pytest.mark.parametrize("values", [{"slope": 0.5}, {"jitter": 0.5}, {"jitter": -0.1}])
def test_values_out_of_range_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="allowed: slope from 1"):
        SilhouetteEdgeTransform(**values)

"""A card of weights that are not there, and a sampler that paints clips from their seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.generator.weights import Card, SamplingDefaults, TrainedOn, Vocabulary
from gaitcrafter_ext.synthesis.plan import ClipRequest, Plan, Sampling, Selection, make_plan
from gaitcrafter_ext.vocabulary import identities_hash

PEOPLE = tuple(f"sim-{number:03d}" for number in range(1, 6))
CARD = Card(
    vocabulary=Vocabulary(PEOPLE, ("nm", "bg", "cl"), {"000": 0.0, "090": 90.0}),
    trained_on=TrainedOn("simulated", identities_hash(PEOPLE), ()),
    sampling=SamplingDefaults(),
    training={},
    weights_sha256="0123456789abcdef" * 4,
)
SAMPLING = Sampling(sampler="euler", steps=2, guidance=1.0, frames=4, seed=0)


def small_plan(seed: int = 0, novel: int = 2, takes: tuple[str, ...] = ("nm-01", "cl-01")) -> Plan:
    """One known and two novel people, two takes, two views: 12 clips."""
    selection = Selection(("sim-002",), novel, takes, ("000", "090"))
    return make_plan(CARD, selection, Sampling("euler", 2, 1.0, 4, seed))


def paint(requests: Sequence[ClipRequest]) -> NDArray[np.uint8]:
    """Clips that depend on their request's seed alone."""
    clips = [np.random.default_rng(each.seed).integers(0, 256, (4, 64, 64), np.uint8) for each in requests]
    return np.stack(clips)


def tree_bytes(root: Path) -> dict[str, bytes]:
    """Every file that a user sees, but the one that names the folder itself."""
    found = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    shown = [path for path in found if not path.parts[0].startswith(".") and path.name != "opengait_entry.yaml"]
    return {path.as_posix(): (root / path).read_bytes() for path in shown}

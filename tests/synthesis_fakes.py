"""A card without weights and a sampler that paints clips from their seeds; tiny untrained weights for real runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.generator.weights import Card, TrainedOn, Vocabulary
from gaitcrafter_ext.silhouettes.dataset import DatasetConfig
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.synthesis.identities import BlendSettings
from gaitcrafter_ext.synthesis.plan import ClipRequest, Plan, Sampling, Selection, make_plan
from gaitcrafter_ext.vocabulary import ClipKey, identities_hash

FRAMES = 20
PEOPLE = tuple(f"sim-{number:03d}" for number in range(1, 6))
CADENCE = {name: (24.0 + number, 0.5) for number, name in enumerate(PEOPLE)}
CARD = Card(
    vocabulary=Vocabulary(PEOPLE, ("nm", "bg", "cl"), {"000": 0.0, "090": 90.0}),
    trained_on=TrainedOn("simulated", identities_hash(PEOPLE)),
    cadence=CADENCE,
    code_dim=8,
    files={"weights": "0123456789abcdef" * 4},
)
BLEND = BlendSettings(parents=2)
SAMPLING = Sampling("euler", 2, 1.0, 0, FRAMES)

#: Whom :func:`write_tiny_weights` knows.
TINY_PEOPLE = PEOPLE[:3]


def small_plan(seed: int = 0, novel: int = 2, takes: tuple[str, ...] = ("nm-01", "cl-01")) -> Plan:
    """One known and two novel people, two takes, two views: 12 clips."""
    selection = Selection(("sim-002",), novel, takes, ("000", "090"), BLEND)
    return make_plan(CARD, selection, Sampling("euler", 2, 1.0, seed, FRAMES))


def paint(requests: Sequence[ClipRequest]) -> NDArray[np.uint8]:
    """Clips that depend on their request's seed alone."""
    clips = [np.random.default_rng(each.seed).integers(0, 256, (FRAMES, 64, 64), np.uint8) for each in requests]
    return np.stack(clips)


def tree_bytes(root: Path) -> dict[str, bytes]:
    """Every file that a user sees, but those that name the folder itself."""
    found = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    own = ("opengait_entry.yaml", "index.html")
    shown = [path for path in found if not path.parts[0].startswith(".") and path.name not in own]
    return {path.as_posix(): (root / path).read_bytes() for path in shown}


def write_tiny_weights(folder: Path, dataset: DatasetConfig | None = None) -> Path:
    """Weights of three people, two conditions and two views, all numbers random."""
    from gaitcrafter_ext.generator.people import PeopleSpace
    from tests.tiny import tiny_pipeline

    pipeline = tiny_pipeline(TINY_PEOPLE)
    assert pipeline.card is not None
    person, condition, view = (grid.ravel() for grid in np.meshgrid(range(3), range(2), (0.0, 90.0), indexing="ij"))
    features = np.random.default_rng(0).random((len(person), 768), np.float32)
    known = (TINY_PEOPLE, pipeline.card.vocabulary.conditions, pipeline.card.code_dim)
    space = PeopleSpace.fit(features, person, condition, view.astype(np.float32), *known)
    pipeline.register_modules(people=space)
    trained_on = TrainedOn("simulated", identities_hash(TINY_PEOPLE))
    pipeline.card = replace(pipeline.card, trained_on=trained_on, dataset=dataset or DatasetConfig("simulated"))
    pipeline.save_pretrained(folder)
    return folder


def walking_tree(root: Path, people: Sequence[str], takes: Sequence[str], dataset: DatasetConfig | None = None) -> Path:
    """Blocks that widen and narrow twice a cycle of 26 frames, at views 000 and 090."""
    store = SilhouetteStore(root, dataset, create=True)
    clip = np.zeros((40, 64, 64), np.uint8)
    for time, frame in enumerate(clip):
        half = 8 + round(3 * np.cos(4 * np.pi * time / 26))
        frame[4:60, 32 - half : 32 + half] = 255
    for name in people:
        for take in takes:
            for view in ("000", "090"):
                store.write(ClipKey(name, take, view), clip)
    return root

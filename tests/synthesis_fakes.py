"""A card without weights and a sampler that paints clips from their seeds; tiny untrained weights for real runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.generator.weights import Card, SamplingDefaults, TrainedOn, Vocabulary
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
    import torch

    from gaitcrafter_ext.generator.network import GaitUNet
    from gaitcrafter_ext.generator.people import PeopleSpace
    from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline
    from gaitcrafter_ext.generator.sampling import make_scheduler

    conditions, cadence = ("nm", "cl"), {name: CADENCE[name] for name in TINY_PEOPLE}
    person, condition, view = (grid.ravel() for grid in np.meshgrid(range(3), range(2), (0.0, 90.0), indexing="ij"))
    features = np.random.default_rng(0).random((len(person), 768), np.float32)
    space = PeopleSpace.fit(features, person, condition, view.astype(np.float32), TINY_PEOPLE, conditions, 4)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        denoiser = GaitUNet(4, len(conditions), channels=(8, 64), blocks=(1, 1), embedding=16, canvas_channels=2)
        for parameter in denoiser.parameters():
            torch.nn.init.normal_(parameter, std=0.05)
    pipeline = GaitCrafterPipeline(denoiser, space, make_scheduler("euler", 3.0), list(conditions), cadence, steps=2)
    pipeline.card = Card(
        Vocabulary(TINY_PEOPLE, conditions, {"000": 0.0, "090": 90.0}),
        TrainedOn("simulated", identities_hash(TINY_PEOPLE)),
        dataset or DatasetConfig("simulated"),
        cadence,
        SamplingDefaults("euler", 2),
        code_dim=4,
    )
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

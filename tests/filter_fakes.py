"""A recogniser's card without a recogniser, an embedder that reads clips as they are, people at chosen places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.generator.weights import checksum
from gaitcrafter_ext.metrics.calibration import RATES, Calibration
from gaitcrafter_ext.metrics.features import Features
from gaitcrafter_ext.recognition.filter_card import FilterCard, write_filter_card
from gaitcrafter_ext.synthesis.plan import ClipRequest


def fake_card(centre: float = 0.1, clip: float = 0.1, sha256: str = "ab" * 32) -> FilterCard:
    """A calibration with the same radii at every rate, at the views of ``synthesis_fakes.CARD``."""
    everywhere = {"centre": centre, "clip": clip, "genuine": 0.9}
    shares = {name: (value,) * len(RATES) for name, value in everywhere.items()}
    calibration = Calibration(people=300, clips=4, views=("000", "090"), rates=RATES, **shares)
    known, description = ("simulated-1-seed7/sim-001",), {"dataset": "simulated-1-seed7"}
    return FilterCard(known, description, "other", calibration, (), sha256)


def write_recogniser(folder: Path, people: tuple[str, ...], iterations: int = 0) -> Path:
    """A recogniser of random weights, small."""
    from gaitcrafter_ext.recognition.checkpoint import Card, save_recogniser
    from gaitcrafter_ext.recognition.config import GaitSetConfig
    from gaitcrafter_ext.recognition.networks import build_network

    sizes = GaitSetConfig((4, 4, 4), 4, (2, 1))
    save_recogniser(folder, build_network(sizes, len(people)), Card(sizes, people, iterations=iterations))
    return folder


def write_tiny_filter(folder: Path, centre: float, clip: float) -> Path:
    """A small recogniser with a card of those radii."""
    from gaitcrafter_ext.recognition.checkpoint import MODEL_FILE

    write_recogniser(folder, ("a/1", "a/2"))
    write_filter_card(folder, fake_card(centre, clip, checksum(folder / MODEL_FILE)))
    return folder


def features(people: Mapping[str, Sequence[NDArray[np.float64]]], views: Sequence[str] = ("000", "090")) -> Features:
    """Clips of one part each: name -> vectors, which take the views in turn."""
    labels = [
        (name, f"nm-{number // len(views) + 1:02d}", views[number % len(views)])
        for name, vectors in people.items()
        for number, _ in enumerate(vectors)
    ]
    rows = np.concatenate([np.stack(vectors) for vectors in people.values()])
    return Features(rows.astype(np.float32)[:, :, None], *np.array(labels).T)


def try_codes(requests: Sequence[ClipRequest]) -> NDArray[np.float32]:
    """Embeddings that are the mixing weights, in the order of ``sim-001``, ``sim-002``, ..."""
    embeddings = np.zeros((len(requests), 9, 1), np.float32)
    for embedding, request in zip(embeddings, requests, strict=True):
        for name, weight in request.identity.mix.items():
            embedding[int(name[-3:])] = weight
    return embeddings

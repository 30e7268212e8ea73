"""Asks an OpenGait checkout, in a process of its own, what its models, losses and protocols make of our input.

Usage: python -m tests.contract.opengait_probe CHECKOUT FOLDER. Writes FOLDER/answer.npz and <model>-theirs.pt.
"""

from __future__ import annotations

import json
import os
import sys
import types
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gaitcrafter_ext.benchmarks.contenders import build_opengait, open_opengait, opengait_sizes
from gaitcrafter_ext.opengait.checkout import Checkout
from gaitcrafter_ext.recognition.checkpoint import save_opengait
from gaitcrafter_ext.recognition.config import GaitBaseConfig, GaitSetConfig
from gaitcrafter_ext.recognition.networks import build_network
from gaitcrafter_ext.vocabulary import CASIA_B_TAKES, take_names

#: GaitBase's channels are halved to save time.
CONFIGS = {"gaitset": GaitSetConfig(), "gaitbase": GaitBaseConfig(channels=(32, 64, 128, 256))}
CLASSES = 5

RNG = np.random.default_rng(0)
#: Blobs with large even areas, as silhouettes have: clips of these lengths in a row.
FRAMES = np.clip(RNG.normal(size=(9, 16, 11)).repeat(4, 1).repeat(4, 2) + 0.5, 0, 1).astype(np.float32)
LENGTHS = (3, 5, 1)
#: No even areas: where maxima tie, rounding decides who gets the gradient.
BATCH = RNG.random(size=(6, 4, 64, 44)).astype(np.float32)
LABELS = np.repeat([0, 3, 4], 2)


def walkers(takes: Sequence[str], views: Sequence[str]) -> dict[str, np.ndarray]:
    """Features of 24 people in which a good part of the probes go wrong."""
    rng = np.random.default_rng(0)
    labels = np.array([(f"{p:04d}", take, view) for p in range(24) for take in takes for view in views])
    centres = {person: np.random.default_rng(int(person)).normal(size=(8, 4)) for person in labels[:, 0]}
    features = np.array([centres[person] + 2 * rng.normal(size=(8, 4)) for person in labels[:, 0]], np.float32)
    return {"embeddings": features, "labels": labels[:, 0], "types": labels[:, 1], "views": labels[:, 2]}


#: As OpenGait names the arrays.
DATASETS = {
    "casia": walkers(take_names(CASIA_B_TAKES), ("000", "054", "090")),
    "oumvlp": walkers(("00", "01"), ("000", "015", "030", "270")),
    "grew": walkers(("01", "02"), ("a",)),
    "gait3d": walkers(("camid0_videoid2", "camid9_videoid1", "camid9_videoid3"), ("seq0", "seq1")),
    "ccpg": walkers(
        ("U0_D0", "U0_D0_BG", "U0_D3", "U1_D0", "U1_D1", "U2_D2", "U3_D3"), ("01_0", "01_1", "05_0", "11_0")
    ),
}
NAMED = tuple(f"{p:04d}-camid9_videoid1-seq0" for p in range(24))
#: The checkout's files that name clips; the clips are probes in the one and the gallery in the other.
LISTS = {"Gait3D": "PROBE_SET", "CCGR-MINI": "GALLERY_SET"}

FIVE = ("Rank-1", "Rank-5", "Rank-10", "mAP", "mINP")
#: The evaluators that return their figures: function, name of the data set, features, figures; CASIA-B's log is read.
EVALUATORS = {
    "oumvlp": ("evaluate_indoor_dataset", "OUMVLP", "oumvlp", ("NM@R1",)),
    "grew": ("evaluate_real_scene", "GREW", "grew", ("Rank-1", "Rank-5")),
    "gait3d": ("evaluate_Gait3D", "", "gait3d", FIVE),
    "ccgr": ("evaluate_CCGR_MINI", "", "gait3d", FIVE),
    "casia": ("evaluate_indoor_dataset", "CASIA-B", "casia", ("NM@R1", "BG@R1", "CL@R1")),
}


def ours(name: str) -> torch.nn.Module:
    return build_network(CONFIGS[name], CLASSES, seed=3)


def ask_model(name: str, answer: dict[str, Any]) -> None:
    """Embeddings, losses and the first weights' gradient of our weights; then weights of theirs."""
    model = build_opengait(name, opengait_sizes(name, asdict(CONFIGS[name]), CLASSES))
    torch.save({"model": model.state_dict(), "iteration": 7}, f"{name}-theirs.pt")
    answer[f"{name}-theirs"] = embed(model.eval())
    save_opengait("ours.pt", ours(name))
    model.load_state_dict(torch.load("ours.pt", weights_only=True)["model"], strict=True)
    answer[f"{name}-ours"] = embed(model)
    train(model.train(), name, answer)


@torch.no_grad()
def embed(model: torch.nn.Module) -> np.ndarray:
    sils, lengths = torch.from_numpy(FRAMES)[None], torch.tensor([LENGTHS])
    return model(([sils], None, None, None, lengths))["inference_feat"]["embeddings"].numpy()


def train(model: torch.nn.Module, name: str, answer: dict[str, Any]) -> None:
    from modeling.losses.ce import CrossEntropyLoss
    from modeling.losses.triplet import TripletLoss

    inputs = [torch.from_numpy(BATCH).double()], torch.from_numpy(LABELS), None, None, None
    feats = model.double()(inputs)["training_feat"]
    loss = TripletLoss(margin=0.2)(**feats["triplet"])[0].mean()
    if "softmax" in feats:
        loss = loss + CrossEntropyLoss(scale=16)(**feats["softmax"])[0]
    loss.backward()
    answer[f"{name}-loss"] = loss.item()
    answer[f"{name}-gradient"] = next(model.parameters()).grad.numpy()


def ask_protocols(answer: dict[str, Any]) -> None:
    """Every evaluation function on the same features; lists of clips are read from here, as in a checkout."""
    import evaluation.evaluator as evaluator
    from evaluation.metric import cuda_dist, evaluate_many

    for name, key in LISTS.items():
        path = Path("datasets", name, f"{name}.json")
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({key: NAMED}))
    lines: list[str] = []
    evaluator.get_msg_mgr = lambda: types.SimpleNamespace(log_info=lines.append)
    for metric in ("euc", "cos"):
        for name, (function, dataset, features, figures) in EVALUATORS.items():
            found = getattr(evaluator, function)(labelled(features), dataset, metric)
            answer[f"{name}-{metric}"] = [found[f"scalar/test_accuracy/{figure}"] for figure in figures]
        answer[f"summary-{metric}"] = lines[-1]
        evaluator.evaluate_CCPG(labelled("ccpg"), "CCPG", metric)
        heads = ("Rank-1 (Exclude identical-view cases)=", "mAP ", "mINP ")
        answer[f"ccpg-{metric}"] = np.transpose([printed(lines, f"==={head}") for head in heads])
        casia = DATASETS["casia"]
        probes, gallery = casia["types"] == "bg-01", np.isin(casia["types"], ["nm-01", "nm-02", "nm-03", "nm-04"])
        dist = cuda_dist(casia["embeddings"][probes], casia["embeddings"][gallery], metric).numpy()
        labels = [casia[name][mask] for name in ("labels", "views") for mask in (probes, gallery)]
        answer[f"many-{metric}"] = 100 * np.array(evaluate_many(dist, *labels)[1:])


def labelled(name: str) -> dict[str, Any]:
    """Features as arrays, labels as lists, as OpenGait has them."""
    return {key: array if key == "embeddings" else array.tolist() for key, array in DATASETS[name].items()}


def printed(lines: list[str], head: str) -> list[float]:
    """The figures of the line below the last heading that begins so: ``CL: 1.000,\tUP: ...``."""
    place = max(place for place, line in enumerate(lines) if str(line).startswith(head))
    return [float(part.split(":")[1]) for part in lines[place + 1].split(",")]


def main() -> None:
    torch.Tensor.cuda = lambda self, *args, **kwargs: self
    open_opengait(Checkout(sys.argv[1]))
    os.chdir(sys.argv[2])
    answer: dict[str, Any] = {}
    for name in CONFIGS:
        ask_model(name, answer)
    ask_protocols(answer)
    np.savez("answer.npz", **answer)


if __name__ == "__main__":
    main()

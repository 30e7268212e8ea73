"""Our GaitSet, GaitBase, losses and protocols agree with an OpenGait checkout's.

``make test-opengait`` runs them; $OPENGAIT_ROOT names the checkout. OpenGait's backbones need torchvision.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from gaitcrafter_ext.benchmarks.contenders import opengait_sizes
from gaitcrafter_ext.benchmarks.speed import Worker
from gaitcrafter_ext.metrics.features import Distance, Features
from gaitcrafter_ext.recognition.checkpoint import load_opengait, save_opengait
from gaitcrafter_ext.recognition.config import GaitBaseConfig, GaitSetConfig
from gaitcrafter_ext.recognition.evaluation import Table, assign_roles, evaluate
from gaitcrafter_ext.recognition.losses import cross_entropy_loss, triplet_loss
from gaitcrafter_ext.recognition.networks import build_network
from gaitcrafter_ext.silhouettes.dataset import Protocol, load_dataset
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.vocabulary import CASIA_B_TAKES, ClipKey, take_names
from tests.opengait_fakes import CHECKOUT, run_python

CLASSES = 5

pytestmark = pytest.mark.opengait

#: OpenGait's model_cfg of each of our configurations; GaitBase's channels are halved to save time.
CONFIGS = {"gaitset": GaitSetConfig(), "gaitbase": GaitBaseConfig(channels=(32, 64, 128, 256))}
THEIRS = {name: opengait_sizes(name, asdict(sizes), CLASSES) for name, sizes in CONFIGS.items()}


def walkers(takes: Sequence[str], views: Sequence[str]) -> dict[str, np.ndarray]:
    """Features of 24 people in which a good part of the probes go wrong."""
    rng = np.random.default_rng(0)
    labels = np.array([(f"{p:04d}", take, view) for p in range(24) for take in takes for view in views])
    centres = {person: np.random.default_rng(int(person)).normal(size=(8, 4)) for person in labels[:, 0]}
    features = np.array([centres[person] + 2 * rng.normal(size=(8, 4)) for person in labels[:, 0]], np.float32)
    return {"features": features, "identity": labels[:, 0], "take": labels[:, 1], "view": labels[:, 2]}


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


RNG = np.random.default_rng(0)
LENGTHS = (3, 5, 1)
QUESTION = {
    # Blobs with large even areas, as silhouettes have.
    "frames": np.clip(RNG.normal(size=(9, 16, 11)).repeat(4, 1).repeat(4, 2) + 0.5, 0, 1).astype(np.float32),
    "lengths": np.array(LENGTHS),
    # No even areas: where maxima tie, rounding decides who gets the gradient.
    "batch": RNG.random(size=(6, 4, 64, 44)).astype(np.float32),
    "labels": np.repeat([0, 3, 4], 2),
    **{f"{name}-{key}": array for name, arrays in DATASETS.items() for key, array in arrays.items()},
}
Answer = tuple[dict[str, np.ndarray], Path]


def ours(name: str) -> nn.Module:
    return build_network(CONFIGS[name], CLASSES, seed=3)


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> Answer:
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("OpenGait needs torchvision, which is not here: agreement with OpenGait is NOT tested")
    folder = tmp_path_factory.mktemp("opengait")
    for name in CONFIGS:
        save_opengait(folder / f"{name}.pt", ours(name))
    np.savez(folder / "ask.npz", **QUESTION)
    (folder / "models.json").write_text(json.dumps(THEIRS))
    for name, key in LISTS.items():
        (folder / "datasets" / name).mkdir(parents=True)
        (folder / "datasets" / name / f"{name}.json").write_text(json.dumps({key: NAMED}))
    run_python("-m", "tests.contract.opengait_probe", CHECKOUT, folder)
    return dict(np.load(folder / "answer.npz")), folder


def test_either_embeds_as_the_other_with_its_weights(answer: Answer) -> None:
    for name in CONFIGS:
        loaded, card = load_opengait(answer[1] / f"{name}-theirs.pt")
        assert card.network == CONFIGS[name]
        for whose, network in (("ours", ours(name)), ("theirs", loaded)):
            with torch.inference_mode():
                found = network.eval()(torch.from_numpy(QUESTION["frames"]), LENGTHS).embeddings
            theirs = answer[0][f"{name}-{whose}"]
            assert np.abs(theirs).max() > 0.01
            np.testing.assert_allclose(found.numpy(), theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())


def test_losses_and_gradients_agree(answer: Answer) -> None:
    """In double precision, because batch norm's gradient is a small difference of large numbers."""
    batch, labels = torch.from_numpy(QUESTION["batch"]).double(), torch.from_numpy(QUESTION["labels"])
    for name in CONFIGS:
        network = ours(name).double().train()
        embeddings, logits = network(batch.flatten(0, 1), (batch.shape[1],) * len(batch))
        loss = triplet_loss(embeddings, labels)
        if logits is not None:
            loss = loss + cross_entropy_loss(logits, labels)
        loss.backward()
        assert loss.item() == pytest.approx(float(answer[0][f"{name}-loss"]), rel=1e-5)
        gradient = next(network.parameters()).grad
        assert gradient is not None
        theirs = answer[0][f"{name}-gradient"]
        np.testing.assert_allclose(gradient.numpy(), theirs, rtol=0, atol=1e-4 * np.abs(theirs).max())


def table(name: str, protocol: Protocol, metric: Distance, partition: Partition | None = None) -> Table:
    arrays = DATASETS[name]
    features = Features(*(arrays[key] for key in ("features", "identity", "take", "view")))
    keys = [ClipKey(*labels) for labels in zip(features.identity, features.take, features.view, strict=True)]
    return evaluate(features, assign_roles(keys, protocol, partition), metric)


def preset_protocol(name: str) -> Protocol:
    found = load_dataset(name).protocol
    assert found is not None
    return found


@pytest.mark.parametrize("metric", ["euc", "cos"])
def test_tables_agree_to_the_digit(metric: Distance, answer: Answer) -> None:
    theirs = {name: values for name, values in answer[0].items() if name.endswith(metric)}
    casia = table("casia", preset_protocol("casia-b"), metric)
    assert [column.metrics["rank-1"] for column in casia.columns.values()] == theirs[f"casia-b-{metric}"].tolist()
    assert str(casia).splitlines()[-1] == str(theirs[f"summary-{metric}"]).strip()
    oumvlp = table("oumvlp", preset_protocol("oumvlp"), metric)
    assert [oumvlp.columns["NM"].metrics["rank-1"]] == theirs[f"oumvlp-{metric}"].tolist()
    (grew,) = table("grew", preset_protocol("grew"), metric).columns.values()
    assert [round(grew.metrics[name], 2) for name in ("rank-1", "rank-5")] == theirs[f"grew-{metric}"].tolist()
    for name, partition in (("gait3d", Partition((), (), NAMED)), ("ccgr", Partition((), (), gallery=NAMED))):
        (found,) = table("gait3d", preset_protocol("gait3d"), metric, partition).columns.values()
        assert list(found.metrics.values()) == pytest.approx(theirs[f"{name}-{metric}"].tolist(), rel=1e-6)
        assert 5 < found.metrics["mINP"] < 95
    ccpg = table("ccpg", preset_protocol("ccpg"), metric).columns
    figures = [[column.metrics[name] for column in ccpg.values()] for name in ("rank-1", "mAP", "mINP")]
    np.testing.assert_allclose(figures, theirs[f"ccpg-{metric}"], atol=6e-4)  # printed with three decimals
    assert 5 < np.mean(figures[0]) < 95
    many = Protocol(("nm-0[1-4]",), {"BG": ("bg-01",)}, metrics=("mAP", "mINP"))
    figures = list(table("casia", many, metric).columns["BG"].metrics.values())
    assert figures == pytest.approx(theirs[f"many-{metric}"].tolist(), rel=1e-9)
    assert all(5 < value < 95 for value in (*grew.metrics.values(), *figures) if value < 99)


def test_the_benchmark_trains_opengaits_models_with_our_sizes() -> None:
    with Worker("opengait-gaitset", threads=1) as theirs, Worker("gaitset", threads=1) as mine:
        assert theirs.about["parameters"] == mine.about["parameters"]
        assert theirs.measure("recognition", "float32", 0.0)[0] > 0

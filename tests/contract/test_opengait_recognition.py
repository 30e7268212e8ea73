"""Our GaitSet, GaitBase, losses and protocols agree with an OpenGait checkout's, which ``opengait_probe`` asks.

``make test-opengait`` runs them; $OPENGAIT_ROOT names the checkout. OpenGait's backbones need torchvision.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from gaitcrafter_ext.benchmarks.speed import Worker
from gaitcrafter_ext.metrics.features import Distance, Features
from gaitcrafter_ext.recognition.checkpoint import load_opengait
from gaitcrafter_ext.recognition.evaluation import assign_roles, evaluate
from gaitcrafter_ext.recognition.losses import cross_entropy_loss, triplet_loss
from gaitcrafter_ext.silhouettes.dataset import Protocol, load_dataset
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.vocabulary import ClipKey
from tests.contract.opengait_probe import BATCH, CONFIGS, DATASETS, FRAMES, LABELS, LENGTHS, NAMED, ours
from tests.opengait_fakes import CHECKOUT, run_python

pytestmark = pytest.mark.opengait

Answer = tuple[dict[str, np.ndarray], Path]


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> Answer:
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("OpenGait needs torchvision, which is not here: agreement with OpenGait is NOT tested")
    folder = tmp_path_factory.mktemp("opengait")
    run_python("-m", "tests.contract.opengait_probe", CHECKOUT, folder)
    return dict(np.load(folder / "answer.npz")), folder


def test_either_embeds_as_the_other_with_its_weights(answer: Answer) -> None:
    for name in CONFIGS:
        loaded, card = load_opengait(answer[1] / f"{name}-theirs.pt")
        assert card.network == CONFIGS[name]
        for whose, network in (("ours", ours(name)), ("theirs", loaded)):
            with torch.inference_mode():
                found = network.eval()(torch.from_numpy(FRAMES), LENGTHS).embeddings
            theirs = answer[0][f"{name}-{whose}"]
            assert np.abs(theirs).max() > 0.01
            np.testing.assert_allclose(found.numpy(), theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())


def test_losses_and_gradients_agree(answer: Answer) -> None:
    """In double precision, because batch norm's gradient is a small difference of large numbers."""
    batch, labels = torch.from_numpy(BATCH).double(), torch.from_numpy(LABELS)
    for name in CONFIGS:
        network = ours(name).double().train()
        embeddings, logits = network(batch.flatten(0, 1), (batch.shape[1],) * len(batch))
        loss = triplet_loss(embeddings, labels)
        if logits is not None:
            loss = loss + cross_entropy_loss(logits, labels)
        loss.backward()
        assert loss.item() == pytest.approx(float(answer[0][f"{name}-loss"]), rel=1e-5)
        theirs = answer[0][f"{name}-gradient"]
        gradient = next(network.parameters()).grad.numpy()
        np.testing.assert_allclose(gradient, theirs, rtol=0, atol=1e-4 * np.abs(theirs).max())


#: What the probe asked -> preset or protocol, features, partition, and how far rounding may take the figures apart.
TABLES: dict[str, tuple[str | Protocol, str, Partition | None, float]] = {
    "casia": ("casia-b", "casia", None, 0.0),
    "oumvlp": ("oumvlp", "oumvlp", None, 0.0),
    "grew": ("grew", "grew", None, 0.005),  # two decimals
    "gait3d": ("gait3d", "gait3d", Partition((), (), NAMED), 1e-4),
    "ccgr": ("gait3d", "gait3d", Partition((), (), gallery=NAMED), 1e-4),
    "ccpg": ("ccpg", "ccpg", None, 6e-4),  # three decimals
    "many": (Protocol(("nm-0[1-4]",), {"BG": ("bg-01",)}, metrics=("mAP", "mINP")), "casia", None, 1e-7),
}


@pytest.mark.parametrize("metric", ["euc", "cos"])
def test_tables_agree_to_the_digit(metric: Distance, answer: Answer) -> None:
    for name, (protocol, features, partition, rounding) in TABLES.items():
        arrays = Features(*DATASETS[features].values())
        keys = [ClipKey(*labels) for labels in zip(arrays.identity, arrays.take, arrays.view, strict=True)]
        rules = load_dataset(protocol).protocol if isinstance(protocol, str) else protocol
        table = evaluate(arrays, assign_roles(keys, rules, partition), metric)
        found = [value for column in table.columns.values() for value in column.metrics.values()]
        theirs = answer[0][f"{name}-{metric}"].ravel()
        np.testing.assert_allclose(found[: len(theirs)], theirs, rtol=0, atol=rounding, err_msg=name)
        assert 3 < min(theirs) < 95, name
        if name == "casia":
            assert str(table).splitlines()[-1] == str(answer[0][f"summary-{metric}"]).strip()


def test_the_benchmark_trains_opengaits_models_with_our_sizes() -> None:
    with Worker("opengait-gaitset", threads=1) as theirs, Worker("gaitset", threads=1) as mine:
        assert theirs.about["parameters"] == mine.about["parameters"]
        assert theirs.measure("recognition", "float32", 0.0)[0] > 0

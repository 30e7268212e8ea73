"""Membership by loss: found where training clips are denoised better, absent where they are not."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from gaitcrafter_ext.audit.membership import Losses, clip_losses, membership, membership_of_weights
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.generator.network import GaitUNet
from gaitcrafter_ext.generator.people import PeopleSpace
from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline
from gaitcrafter_ext.generator.sampling import make_scheduler
from gaitcrafter_ext.generator.weights import Card, TrainedOn, Vocabulary
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey
from tests.stick_walkers import stick_clip

PEOPLE = ("000", "001")


def losses(values: np.ndarray, cells: np.ndarray | None = None) -> Losses:
    people = np.array([f"{number // 2:03d}" for number in range(len(values))])
    return Losses(values, people, np.resize(["054/nm", "090/nm"], len(values)) if cells is None else cells)


def test_lower_losses_give_training_clips_away_and_equal_ones_do_not() -> None:
    rng = np.random.default_rng(0)
    leaky = membership(losses(rng.uniform(0, 1, 100)), losses(rng.uniform(0.9, 1.9, 100)), rng)
    assert leaky.auc.value > 0.95
    fair = membership(losses(rng.uniform(size=100)), losses(rng.uniform(size=100)), rng)
    assert fair.auc.value == pytest.approx(0.5, abs=0.1)
    assert fair.auc.low < fair.auc.value < fair.auc.high
    assert membership(losses(np.ones(100)), losses(np.ones(100)), rng).auc.value == 0.5


def test_a_view_that_is_harder_does_not_pass_for_membership() -> None:
    rng, harder = np.random.default_rng(0), np.resize([1.0, 0.0], 100)
    known, new = (harder + rng.uniform(size=100) for _ in range(2))
    mostly_hard = np.flatnonzero((harder == 1) | (np.arange(100) < 30))
    cells = np.resize(["054/nm", "090/nm"], 100)[mostly_hard]
    found = membership(losses(known[mostly_hard], cells), losses(new), rng)
    assert found.auc.value == pytest.approx(0.5, abs=0.1)


def test_without_common_cells_or_weights_that_denoise_there_is_no_answer(tmp_path: Path) -> None:
    rng, store = np.random.default_rng(0), SilhouetteStore(tmp_path)
    with pytest.raises(DataError, match="both training and held-out"):
        membership(losses(np.ones(2)), losses(np.ones(2), np.array(["a", "b"])), rng)
    with pytest.raises(DataError, match="--weights"):
        membership_of_weights(None, store, [], [], rng)
    with pytest.raises(DataError, match="no weights at"):
        membership_of_weights(str(tmp_path / "nowhere"), store, [], [], rng)
    write_weights(tmp_path / "student", baked_in=True)
    with pytest.raises(DataError, match="distilled and denoise no real clips"):
        membership_of_weights(str(tmp_path / "student"), store, [], [], rng)


def write_weights(folder: Path, baked_in: bool = False) -> None:
    """A tiny network of random weights that held take nm-03 out."""
    torch.manual_seed(0)
    network = GaitUNet(code_dim=4, conditions=2, channels=(8, 64), blocks=(1, 1), embedding=16, canvas_channels=2)
    people = PeopleSpace(PEOPLE, ("nm", "cl"), (0.0, 90.0), 4)
    people.codes.normal_()
    pipeline = GaitCrafterPipeline(network, people, make_scheduler("euler", 3.0), ["nm", "cl"], baked_in=baked_in)
    words = Vocabulary(PEOPLE, ("nm", "cl"), {"000": 0.0, "090": 90.0})
    held_out = tuple(f"{name}/nm-03" for name in PEOPLE)
    pipeline.card = Card(words, TrainedOn("tiny", "0" * 16, held_out), code_dim=4)
    pipeline.save_pretrained(folder)


def test_losses_do_not_depend_on_which_other_clips_are_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SilhouetteStore(tmp_path / "pkl", create=True)
    for number, (name, take) in enumerate(itertools.product(PEOPLE, ("nm-01", "nm-02", "nm-03", "cl-01"))):
        store.write(ClipKey(name, take, "090"), stick_clip(number % 3, 25.0, 32, seed=number))
    write_weights(tmp_path / "weights")
    keys, pipeline = store.keys(), GaitCrafterPipeline.from_pretrained(tmp_path / "weights")
    every, some = clip_losses(pipeline, store, keys), clip_losses(pipeline, store, keys[3:5])
    np.testing.assert_allclose(every[3:5], some, rtol=1e-4)
    assert (every > 0).all()
    training, new = ([key for key in keys if (key.take == "nm-03") is held] for held in (False, True))
    devices = list[object]()
    monkeypatch.setattr(GaitCrafterPipeline, "to", lambda self, device: devices.append(device))
    rng = np.random.default_rng(0)
    found = membership_of_weights(str(tmp_path / "weights"), store, training, new, rng, device="cpu")
    assert devices == ["cpu"]
    assert found.auc.count == 4
    assert 0 <= found.auc.low <= found.auc.high <= 1

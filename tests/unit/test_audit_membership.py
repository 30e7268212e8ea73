"""Membership by loss: found where training clips are denoised better, absent where they are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from gaitcrafter_ext.generator.export import write_weights

from gaitcrafter_ext.audit.membership import Losses, clip_losses, membership, membership_of_weights
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.generator.network import GaitUNet
from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline
from gaitcrafter_ext.generator.weights import TrainedOn, Vocabulary
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from tests.tiny import PEOPLE, tiny_tree


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


def test_without_common_cells_or_weights_there_is_no_answer(tmp_path: Path) -> None:
    rng, store = np.random.default_rng(0), SilhouetteStore(tmp_path)
    with pytest.raises(DataError, match="both training and held-out"):
        membership(losses(np.ones(2)), losses(np.ones(2), np.array(["a", "b"])), rng)
    with pytest.raises(DataError, match="--weights"):
        membership_of_weights(None, store, [], [], rng)
    with pytest.raises(DataError, match="no weights at"):
        membership_of_weights(str(tmp_path / "nowhere"), store, [], [], rng)


def test_losses_do_not_depend_on_which_other_clips_are_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_tree(tmp_path)
    words = Vocabulary(PEOPLE, ("nm", "cl"), {"000": 0.0, "090": 90.0})
    torch.manual_seed(0)
    network = GaitUNet(identities=2, conditions=2, channels=(8, 64), blocks=(1, 1), embedding=16, canvas_channels=2)
    held_out = tuple(f"{name}/nm-03" for name in PEOPLE)
    write_weights(tmp_path / "weights", network, words, TrainedOn("tiny", "0" * 16, held_out), {"clips": 0}, 3.0)
    store = SilhouetteStore(tmp_path / "pkl")
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
    assert found.auc.count == 8
    assert 0 <= found.auc.low <= found.auc.high <= 1

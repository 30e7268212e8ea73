"""Membership by loss: found where training clips are denoised better, absent where they are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gaitcrafter_ext.audit.membership import clip_losses, membership, membership_of_weights
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.generator.card import TrainedOn, Vocabulary
from gaitcrafter_ext.generator.export import write_weights
from gaitcrafter_ext.generator.network import GaitUNet
from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey
from tests.tiny import PEOPLE, tiny_tree


def clips(take: str, people: int = 50) -> list[ClipKey]:
    return [ClipKey(f"{person:03d}", take, view) for person in range(people) for view in ("054", "090")]


def test_lower_losses_give_training_clips_away() -> None:
    rng = np.random.default_rng(0)
    known, new = rng.uniform(0, 1, 100), rng.uniform(0.9, 1.9, 100)
    assert membership((clips("nm-01"), known), (clips("nm-06"), new), rng).auc.value > 0.95


def test_equal_losses_tell_nothing() -> None:
    rng = np.random.default_rng(0)
    fair = membership((clips("nm-01"), rng.uniform(size=100)), (clips("nm-06"), rng.uniform(size=100)), rng)
    assert fair.auc.value == pytest.approx(0.5, abs=0.1)
    assert fair.auc.low < fair.auc.value < fair.auc.high
    same = membership((clips("nm-01"), np.ones(100)), (clips("nm-06"), np.ones(100)), rng)
    assert same.auc.value == 0.5


def test_a_view_that_is_harder_does_not_pass_for_membership() -> None:
    rng = np.random.default_rng(0)
    harder = np.array([float(key.view == "054") for key in clips("nm-01")])
    losses = [harder + rng.uniform(size=100) for _ in range(2)]
    found = membership((clips("nm-01")[:80], losses[0][:80]), (clips("nm-06"), losses[1]), rng)
    assert found.auc.value == pytest.approx(0.5, abs=0.1)


def test_without_common_cells_or_weights_there_is_no_answer(tmp_path: Path) -> None:
    rng, store = np.random.default_rng(0), SilhouetteStore(tmp_path)
    with pytest.raises(DataError, match="both training and held-out"):
        membership((clips("nm-01"), np.ones(100)), (clips("cl-01"), np.ones(100)), rng)
    with pytest.raises(DataError, match="--weights"):
        membership_of_weights(None, store, [], [], rng)
    with pytest.raises(DataError, match="no weights at"):
        membership_of_weights(str(tmp_path / "nowhere"), store, [], [], rng)


def test_losses_do_not_depend_on_which_other_clips_are_asked_about(tmp_path: Path) -> None:
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
    found = membership_of_weights(str(tmp_path / "weights"), store, training, new, np.random.default_rng(0))
    assert found.auc.count == 8
    assert 0 <= found.auc.low <= found.auc.high <= 1

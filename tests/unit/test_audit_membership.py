"""Membership by loss: found where training clips are denoised better, absent where they are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.audit.membership import membership, membership_of_weights
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey


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

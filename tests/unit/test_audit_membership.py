"""Membership by loss: found where training clips are denoised better, absent where they are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.audit.membership import clip_losses, losses_of_weights, membership
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline
from gaitcrafter_ext.metrics.features import FeatureSet
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey
from tests.tiny import tiny_pipeline, tiny_tree


def losses(values: np.ndarray, views: tuple[str, ...] = ("054", "090")) -> FeatureSet:
    """Of two clips a person, of the views in turn."""
    keys = [ClipKey(f"{number // 2:03d}", "nm-01", views[number % len(views)]) for number in range(len(values))]
    return FeatureSet.of(values[:, None], keys, ["nm"] * len(values))


def test_lower_losses_give_training_clips_away_and_equal_ones_do_not() -> None:
    rng = np.random.default_rng(0)
    leaky = membership(losses(rng.uniform(0, 1, 100)), losses(rng.uniform(0.9, 1.9, 100)), rng)
    assert leaky.value > 0.95
    fair = membership(losses(rng.uniform(size=100)), losses(rng.uniform(size=100)), rng)
    assert fair.value == pytest.approx(0.5, abs=0.1)
    assert fair.low < fair.value < fair.high
    assert membership(losses(np.ones(100)), losses(np.ones(100)), rng).value == 0.5


def test_a_view_that_is_harder_does_not_pass_for_membership() -> None:
    rng, harder = np.random.default_rng(0), np.resize([1.0, 0.0], 100)
    known, new = (losses(harder + rng.uniform(size=100)) for _ in range(2))
    mostly_hard = known.where((harder == 1) | (np.arange(100) < 30))
    assert membership(mostly_hard, new, rng).value == pytest.approx(0.5, abs=0.1)


def test_without_common_cells_or_weights_that_denoise_there_is_no_answer(tmp_path: Path) -> None:
    rng, store = np.random.default_rng(0), SilhouetteStore(tmp_path)
    with pytest.raises(DataError, match="both training and held-out"):
        membership(losses(np.ones(2)), losses(np.ones(2), ("000",)), rng)
    student = tiny_pipeline()
    student.register_to_config(baked_in=True)
    student.save_pretrained(tmp_path / "student")
    for weights, message in (
        (None, "--weights"),
        (str(tmp_path / "nowhere"), "no weights at"),
        (str(tmp_path / "student"), "distilled and denoise no real clips"),
    ):
        with pytest.raises(DataError, match=message):
            losses_of_weights(weights, store, [], [], rng)


def test_losses_do_not_depend_on_which_other_clips_are_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, pipeline = SilhouetteStore(tiny_tree(tmp_path) / "pkl"), tiny_pipeline()
    keys = [key for key in store.keys() if key.take in ("nm-01", "nm-03")]  # noqa: SIM118
    every, some = clip_losses(pipeline, store, keys), clip_losses(pipeline, store, keys[3:5])
    np.testing.assert_allclose(every[3:5], some, rtol=1e-4)
    assert (every > 0).all()
    pipeline.save_pretrained(tmp_path / "weights")
    devices = list[object]()
    monkeypatch.setattr(GaitCrafterPipeline, "to", lambda self, device: devices.append(device))
    sides = ([key for key in keys if (key.take == "nm-03") is held] for held in (False, True))
    found = losses_of_weights(str(tmp_path / "weights"), store, *sides, np.random.default_rng(0), device="cpu")
    assert devices == ["cpu"]
    assert [sorted({key.take for key in side.keys}) for side in found] == [["nm-01"], ["nm-03"]]
    assert [len(side) for side in found] == [4, 4]

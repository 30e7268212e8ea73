import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from gaitcrafter_ext.errors import ConflictError, UsageError
from gaitcrafter_ext.generator.config import GeneratorConfig, TrainingConfig
from gaitcrafter_ext.generator.training import Trainer, learning_rate
from gaitcrafter_ext.generator.validation import HeldOutLoss
from tests.tiny import tiny_config, tiny_library, tiny_tree

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_tree(tmp_path_factory.mktemp("tree"))


def _trainer(tree: Path, config: GeneratorConfig, folder: Path) -> Trainer:
    folder.mkdir(exist_ok=True)
    return Trainer(config, tiny_library(tree, config), tiny_library(tree, config, held_out=True), folder)


def _run(trainer: Trainer) -> Trainer:
    list(trainer.run())
    return trainer


def test_the_learning_rate_rises_stays_and_falls() -> None:
    settings = TrainingConfig(max_clips=1000, learning_rate=1.0, warmup_steps=10, cooldown=0.2)
    rates = [
        learning_rate(settings, step, clips) for step, clips in ((0, 0), (4, 40), (50, 800), (60, 900), (70, 1000))
    ]
    assert rates == pytest.approx([0.1, 0.5, 1.0, 0.5, 0.0])


def test_all_inputs_are_left_out_together_as_often_as_asked(tree: Path, tmp_path: Path) -> None:
    config = tiny_config(drop_all=0.5, drop_identity=0.0, drop_condition=0.0, drop_view=0.0)
    trainer = _trainer(tree, config, tmp_path)
    rng = np.random.default_rng(0)
    batch = trainer._drop(trainer.library.draw(400, rng, trainer.cumulative), rng)
    left_out = [batch.code.sum(1) == 0, batch.condition == -1, batch.view_deg.isnan()]
    assert all(torch.equal(left_out[0], other) for other in left_out)
    assert 0.4 < left_out[0].float().mean() < 0.6


def test_training_lowers_the_held_out_loss(tree: Path, tmp_path: Path) -> None:
    config = tiny_config(max_clips=400, learning_rate=3e-3, ema_decay=0.9)
    trainer = _trainer(tree, config, tmp_path)
    loss = HeldOutLoss(tiny_library(tree, config, held_out=True), 3.0, 0)
    before = loss(trainer.averaged()).loss
    assert loss(_run(trainer).averaged()).loss < 0.5 * before


def test_a_resumed_run_ends_with_the_weights_of_an_unbroken_one(tree: Path, tmp_path: Path) -> None:
    whole = _run(_trainer(tree, tiny_config(max_clips=48), tmp_path / "whole"))
    _run(_trainer(tree, tiny_config(max_clips=20), tmp_path / "broken"))
    resumed = _trainer(tree, tiny_config(max_clips=48), tmp_path / "broken")
    assert resumed.progress.clips == 20
    _run(resumed)
    expected, found = whole.averaged().state_dict(), resumed.averaged().state_dict()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_a_run_of_other_settings_is_not_resumed(tree: Path, tmp_path: Path) -> None:
    _run(_trainer(tree, tiny_config(max_clips=4), tmp_path))
    with pytest.raises(ConflictError, match=r"other settings \(training\.batch_size\)"):
        _trainer(tree, tiny_config(max_clips=4, batch_size=8), tmp_path)


def test_a_request_to_stop_ends_the_run_with_its_state_saved(tree: Path, tmp_path: Path) -> None:
    trainer = _trainer(tree, tiny_config(max_clips=10**6, validate_every=3), tmp_path)
    for _ in trainer.run():
        os.kill(os.getpid(), signal.SIGTERM)
    assert trainer.progress.clips == 12
    assert _trainer(tree, tiny_config(max_clips=10**6, validate_every=3), tmp_path).progress.clips == 12


def test_a_kill_between_the_two_renames_loses_nothing(tree: Path, tmp_path: Path) -> None:
    _run(_trainer(tree, tiny_config(max_clips=8), tmp_path))
    (tmp_path / "state").rename(tmp_path / "state.old")
    assert _trainer(tree, tiny_config(max_clips=8), tmp_path).progress.clips == 8


def test_each_validation_is_recorded(tree: Path, tmp_path: Path) -> None:
    trainer = _run(_trainer(tree, tiny_config(max_clips=24, validate_every=2), tmp_path))
    assert [row[0] for row in trainer.progress.curve] == [8, 16, 24]
    assert all(loss > 0 for row in trainer.progress.curve for loss in row[1:3])


def test_an_impossible_precision_is_refused(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"training\.precision 'fp4'"):
        _trainer(tree, tiny_config(precision="fp4"), tmp_path)

"""Training: it learns, it resumes to the bit, it refuses what it should."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gaitcrafter_ext.errors import ConflictError, DataError, UsageError
from gaitcrafter_ext.recognition.checkpoint import load_recogniser
from gaitcrafter_ext.recognition.config import GaitBaseConfig, GaitSetConfig, TrainingConfig
from gaitcrafter_ext.recognition.data import TrainingSet, training_set
from gaitcrafter_ext.recognition.training import STATE_FILE, Step, train
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey

GAITSET = GaitSetConfig((4, 4, 4), 8, (2, 1))
GAITBASE = GaitBaseConfig((4, 4, 8, 8), embedding=8, bins=(4,))
SHORT = TrainingConfig(GAITSET, iterations=4, people=3, clips=2, frames=2, seed=1)


@pytest.fixture
def people(tmp_path: Path) -> TrainingSet:
    """Four people of their own width, two takes each."""
    store = SilhouetteStore(tmp_path / "real", create=True)
    for person in range(4):
        for take in ("nm-01", "nm-02"):
            frames = np.random.default_rng([person, int(take[-1])]).integers(0, 60, (4, 64, 64)).astype(np.uint8)
            frames[:, 8:56, 28 - 4 * person : 36 + 4 * person] = 255
            store.write(ClipKey(f"00{person}", take, "090"), frames)
    return training_set(store, Partition(("000", "001", "002", "003")))


@pytest.mark.parametrize("network", [GAITSET, GAITBASE])
def test_the_loss_falls(network: GaitSetConfig | GaitBaseConfig, people: TrainingSet, tmp_path: Path) -> None:
    steps: list[Step] = []
    config = TrainingConfig(network, iterations=25, people=4, clips=2, frames=2, learning_rate=0.1)
    train(config, people, tmp_path / "run", on_step=steps.append)

    def total(step: Step) -> float:
        return step.triplet + (step.cross_entropy or 0.0)

    assert [step.iteration for step in steps] == list(range(1, 26))
    assert np.mean([total(step) for step in steps[-5:]]) < 0.8 * np.mean([total(step) for step in steps[:5]])
    assert (steps[0].cross_entropy is None) == isinstance(network, GaitSetConfig)


def test_a_run_cut_and_resumed_gives_the_weights_of_one_that_was_not(people: TrainingSet, tmp_path: Path) -> None:
    config, rates = dataclasses.replace(SHORT, network=GAITBASE, milestones=(1, 3)), list[float]()
    whole = train(config, people, tmp_path / "whole", on_step=lambda step: rates.append(step.learning_rate))
    assert rates == pytest.approx([0.1, 0.01, 0.01, 0.001])

    def stop(step: Step) -> None:
        if step.iteration == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, people, tmp_path / "cut", save_every=2, on_step=stop)
    steps: list[Step] = []
    train(config, people, tmp_path / "cut", save_every=2, on_step=steps.append)
    resumed, card = load_recogniser(tmp_path / "cut")
    assert [step.iteration for step in steps] == [3, 4]
    assert card.people == people.people
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_a_finished_run_may_be_made_longer_and_is_mended_after_a_kill(people: TrainingSet, tmp_path: Path) -> None:
    longer, weights, state = dataclasses.replace(SHORT, iterations=5), tmp_path / "model.safetensors", STATE_FILE
    train(SHORT, people, tmp_path)
    short, before = (tmp_path / state).read_bytes(), weights.stat().st_mtime_ns
    train(SHORT, people, tmp_path, on_step=lambda step: pytest.fail("trained again"))
    assert weights.stat().st_mtime_ns == before
    train(longer, people, tmp_path)
    whole = weights.read_bytes()
    (tmp_path / state).write_bytes(short)  # killed between the last two files
    train(longer, people, tmp_path)
    assert weights.read_bytes() == whole
    with pytest.raises(ConflictError, match=r"--iterations: 4 asked for, and .* holds a run of 5; allowed: 5 or more"):
        train(SHORT, people, tmp_path)
    assert load_recogniser(tmp_path)[1].iterations == 5


def test_a_folder_that_holds_something_else_is_refused(people: TrainingSet, tmp_path: Path) -> None:
    run, foreign = tmp_path / "run", tmp_path / "foreign"
    train(SHORT, people, run)
    with pytest.raises(ConflictError, match="other options, people or clips"):
        train(dataclasses.replace(SHORT, seed=2), people, run)
    last = people.clips[-1]
    last.store.write(last.key, last.store.read(last.key)[::-1])  # other clips of the same names
    with pytest.raises(ConflictError, match="other options, people or clips"):
        train(SHORT, people, run)
    (run / STATE_FILE).write_bytes((run / STATE_FILE).read_bytes()[:1000])
    with pytest.raises(ValueError, match="not a whole checkpoint"):
        train(SHORT, people, run)
    foreign.mkdir()
    (foreign / "model.safetensors").write_text("precious")
    with pytest.raises(ConflictError, match=r"model\.safetensors and no state\.pt.*choose another --out, or --force"):
        train(SHORT, people, foreign)
    assert (foreign / "model.safetensors").read_text() == "precious"


def test_what_cannot_train_writes_nothing(people: TrainingSet, tmp_path: Path) -> None:
    changes: tuple[tuple[dict[str, Any], str], ...] = (
        ({"clips": 1}, "clips"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"synthetic_share": ((0, 1.5),)}, "synthetic share"),
    )
    for change, words in changes:
        with pytest.raises(UsageError, match=words):
            train(dataclasses.replace(SHORT, **change), people, tmp_path / "run")
    with pytest.raises(DataError, match="lower --learning-rate"):
        train(dataclasses.replace(SHORT, learning_rate=1e30, precision="float32"), people, tmp_path / "run")
    assert not (tmp_path / "run").exists()

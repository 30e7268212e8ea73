"""A student of a tiny teacher: nearer to it than the teacher itself with as few evaluations."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.generator.config import DistillationConfig, GeneratorConfig
from gaitcrafter_ext.generator.denoising import InitialWeights
from gaitcrafter_ext.generator.distillation import ImitateTeacher
from gaitcrafter_ext.generator.network import GaitUNet
from gaitcrafter_ext.generator.objective import guided, velocity
from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline, SampleRequest
from gaitcrafter_ext.generator.training import Examples, Trainer
from gaitcrafter_ext.generator.weights import read_card
from tests.tiny import PEOPLE, tiny_config, tiny_pipeline

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    pipeline = tiny_pipeline()
    pipeline.card = replace(pipeline.card, trained_on=replace(pipeline.card.trained_on, before=("zero/p0",)))
    pipeline.save_pretrained(folder)
    return folder


def _config(**training: object) -> GeneratorConfig:
    settings = {"ema_decay": 0.5, "batch_size": 1, **training}
    return replace(tiny_config(**settings), distillation=DistillationConfig(2, 4, guidance=3.0))


def _student(teacher: Path, folder: Path, config: GeneratorConfig) -> Trainer:
    folder.mkdir(exist_ok=True)
    return Trainer(config, ImitateTeacher(config, str(teacher)), folder)


def _sample(denoiser: GaitUNet, shown: Examples, guidance: float = 1.0) -> torch.Tensor:
    """Two Euler steps from the noise of a trajectory."""
    x_t, given = shown.x_t[:8], shown.given.rows(slice(8))
    with torch.no_grad():
        for t, later in ((1.0, 0.75), (0.75, 0.0)):
            x_t = x_t + (later - t) * velocity(x_t, guided(denoiser, x_t, t, given, guidance), t)
    return x_t


@pytest.mark.slow
def test_a_student_is_nearer_to_the_guided_teacher_than_the_teacher_in_as_few_steps(
    teacher: Path, tmp_path: Path
) -> None:
    trainer = _student(teacher, tmp_path, _config(max_clips=30, batch_size=2, learning_rate=5e-4, code_noise=0.0))
    objective = trainer.objective
    assert isinstance(objective, ImitateTeacher)
    shown = objective._trajectory(objective.requests(8, np.random.default_rng(7)), torch.Generator().manual_seed(7))
    undistilled = (_sample(objective.teacher.denoiser, shown, 3.0) - shown.target[8:]).square().mean()
    list(trainer.run())
    assert (_sample(trainer.averaged(), shown) - shown.target[8:]).square().mean() < 0.5 * undistilled


def test_a_perfect_student_lands_where_the_teacher_does(teacher: Path) -> None:
    """The examples of a trajectory, answered exactly, lead from its noise to its last state."""
    objective = ImitateTeacher(_config(batch_size=2), str(teacher))
    with torch.no_grad():
        shown = objective.examples(np.random.default_rng(0))
        t = shown.t[:2, None, None, None], shown.t[2:, None, None, None]
        state = shown.x_t[:2] + (t[1] - t[0]) * (shown.x_t[:2] - shown.target[:2]) / t[0]
        torch.testing.assert_close(state, shown.x_t[2:], atol=1e-5, rtol=0)
        assert torch.equal(shown.given.code[:2], shown.given.code[2:])
        again = objective.examples(np.random.default_rng(0))
    assert torch.equal(again.target, shown.target)
    assert shown.t.tolist() == pytest.approx([1.0] * 2 + [0.75] * 2)


def test_a_student_begins_as_a_copy_that_does_not_bear_its_teachers_folder(
    teacher: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("diffusers"), "propagate", True)
    objective = ImitateTeacher(_config(), str(teacher))
    student, theirs = objective.network(), objective.teacher.denoiser.state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in student.state_dict().items())
    assert str(teacher) not in str(student.config)
    assert not caplog.records  # diffusers warns of a change of precision, also to the same one


def test_a_resumed_student_ends_with_the_weights_of_an_unbroken_one(teacher: Path, tmp_path: Path) -> None:
    whole = _student(teacher, tmp_path / "whole", _config(max_clips=3))
    list(whole.run())
    list(_student(teacher, tmp_path / "broken", _config(max_clips=1)).run())
    resumed = _student(teacher, tmp_path / "broken", _config(max_clips=3))
    assert resumed.progress.clips == 1
    list(resumed.run())
    expected = whole.averaged().state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in resumed.averaged().state_dict().items())


def test_weights_of_a_student_name_its_teachers_people_and_refuse_other_sampling(teacher: Path, tmp_path: Path) -> None:
    trainer = _student(teacher, tmp_path / "run", _config())
    trainer.pipeline({}).save_pretrained(tmp_path / "student")
    card, taught = read_card(tmp_path / "student"), read_card(teacher)
    assert (card.trained_on, card.vocabulary, card.cadence) == (taught.trained_on, taught.vocabulary, taught.cadence)
    assert (card.sampling.steps, card.sampling.guidance, card.sampling.baked_in) == (2, 3.0, True)
    student = GaitCrafterPipeline.from_pretrained(tmp_path / "student")
    calls: list[int] = []
    student.denoiser.register_forward_hook(lambda module, given, out: calls.append(len(out)))
    request = SampleRequest({PEOPLE[0]: 1.0}, "nm", 90.0, 0)
    named = student([request], steps=2, sampler="euler", guidance=3.0).clips
    assert np.array_equal(student([request]).clips, named)
    assert calls == [8, 8] * 2
    for option in ({"steps": 3}, {"guidance": 1.0}, {"sampler": "unipc"}):
        with pytest.raises(UsageError, match=r"2 steps of euler and guidance 3 baked in; leave it out"):
            student([request], **option)
    with pytest.raises(UsageError, match="is distilled already; name the weights that it was distilled from"):
        ImitateTeacher(_config(), str(tmp_path / "student"))
    with pytest.raises(UsageError, match="is distilled and trains no further"):
        InitialWeights(tmp_path / "student", "tiny", PEOPLE)
    with pytest.raises(UsageError, match=r"teacher_steps is 8; it must be a multiple of distillation\.steps, 3"):
        DistillationConfig(3)

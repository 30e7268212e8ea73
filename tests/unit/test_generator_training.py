"""Training of a tiny network, on clips or by a teacher: what is learned, resumed, refused and kept."""

from __future__ import annotations

import logging
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState

from gaitcrafter_ext.errors import ConflictError, DataError, StorageError, UsageError
from gaitcrafter_ext.generator import training
from gaitcrafter_ext.generator.config import DistillationConfig, GeneratorConfig, TrainingConfig, load_config
from gaitcrafter_ext.generator.denoising import DenoiseClips, InitialWeights
from gaitcrafter_ext.generator.distillation import ImitateTeacher
from gaitcrafter_ext.generator.network import GaitUNet
from gaitcrafter_ext.generator.objective import guided, velocity
from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline, SampleRequest
from gaitcrafter_ext.generator.training import Examples, Trainer, learning_rate
from gaitcrafter_ext.generator.weights import read_card
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey
from tests.refusals import full_disk
from tests.tiny import PEOPLE, tiny_config, tiny_dataset, tiny_pipeline, tiny_tree

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_tree(tmp_path_factory.mktemp("tree"))


def _config(**changes: object) -> GeneratorConfig:
    return tiny_config(**{"batch_size": 1, **changes})


def _trainer(tree: Path, config: GeneratorConfig, folder: Path, initial: InitialWeights | None = None) -> Trainer:
    folder.mkdir(exist_ok=True)
    held_out = tiny_dataset(tree, config, held_out=True)
    return Trainer(config, DenoiseClips(config, tiny_dataset(tree, config), held_out, initial, held_out.keys), folder)


def _run(trainer: Trainer) -> Trainer:
    list(trainer.run())
    return trainer


def _same_weights(one: GaitUNet, other: GaitUNet) -> bool:
    return all(torch.equal(other.state_dict()[name], value) for name, value in one.state_dict().items())


def test_the_learning_rate_rises_stays_and_falls() -> None:
    settings = TrainingConfig(max_clips=1000, learning_rate=1.0, warmup_steps=10, cooldown=0.2)
    steps = ((0, 0), (4, 40), (50, 800), (60, 900), (70, 1000))
    assert [learning_rate(settings, *step) for step in steps] == pytest.approx([0.1, 0.5, 1.0, 0.5, 0.0])
    assert learning_rate(replace(settings, warmup_steps=0, cooldown=0.0), 0, 0) == 1.0


@pytest.mark.slow
def test_training_lowers_the_held_out_loss_and_learns_who_is_who(tree: Path, tmp_path: Path) -> None:
    config = tiny_config(max_clips=240, learning_rate=5e-3, ema_decay=0.9, drop_all=0.0, validate_every=30)
    trainer = _trainer(tree, config, tmp_path)
    before, _ = trainer.objective.held_out(trainer.averaged())
    _run(trainer)
    (first, _, _, _), (last, train, held_out, gain) = trainer.progress.curve
    assert (first, last) == (120, 240)
    assert held_out < 0.5 * before
    assert train > 0
    assert gain > 0.02


def test_a_resumed_run_ends_with_the_weights_of_an_unbroken_one(tree: Path, tmp_path: Path) -> None:
    whole = _run(_trainer(tree, _config(max_clips=6), tmp_path / "whole"))
    _run(_trainer(tree, _config(max_clips=3), tmp_path / "broken"))
    resumed = _trainer(tree, _config(max_clips=6), tmp_path / "broken")
    assert resumed.progress.clips == 3
    assert _same_weights(whole.averaged(), _run(resumed).averaged())


def test_a_run_with_other_settings_or_data_is_not_resumed(tmp_path: Path) -> None:
    own, run, config = tiny_tree(tmp_path / "tree"), tmp_path / "run", _config(max_clips=1)
    _run(_trainer(own, config, run))
    with pytest.raises(ConflictError, match=r"other settings or other data \(training\.batch_size\)"):
        _trainer(own, _config(max_clips=1, batch_size=8), run)
    store, key = SilhouetteStore(own / "pkl"), ClipKey(PEOPLE[0], "nm-01", "090")
    clip = store.read(key)
    changed = clip.copy()
    changed[3, 30, 30] ^= 1
    store.write(key, changed)
    with pytest.raises(ConflictError, match=r"\(data\.clips\).*give the same ones, another --out, or --force"):
        _trainer(own, config, run)
    store.write(key, clip)
    assert _trainer(own, _config(max_clips=2), run).progress.clips == 1


def test_a_request_to_stop_ends_the_run_with_its_state_saved(tree: Path, tmp_path: Path) -> None:
    config = _config(max_clips=10**6, validate_every=2)
    trainer = _trainer(tree, config, tmp_path)
    for _ in trainer.run():
        os.kill(os.getpid(), signal.SIGTERM)
    assert trainer.progress.clips == 2
    (tmp_path / "state").rename(tmp_path / "state.old")  # as a kill between two renames leaves it
    assert _trainer(tree, config, tmp_path).progress.clips == 2


def test_a_diverging_loss_keeps_the_last_state(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "GLANCE", 3)
    wild = _config(max_clips=4000, learning_rate=1e30, warmup_steps=4)
    with pytest.raises(DataError, match=r"loss is (nan|inf) near step 3: it diverged; no state was saved yet; lower"):
        _run(_trainer(tree, wild, tmp_path))
    _run(_trainer(tree, _config(max_clips=1), tmp_path))
    before = (tmp_path / "state" / "progress.json").read_bytes()
    with pytest.raises(DataError, match=r"it diverged; the last saved state is kept; lower"):
        _run(_trainer(tree, wild, tmp_path))
    assert (tmp_path / "state" / "progress.json").read_bytes() == before


def test_a_full_disk_is_one_line_and_keeps_the_last_state(tree: Path, tmp_path: Path) -> None:
    _run(_trainer(tree, _config(max_clips=1), tmp_path))
    trainer = _trainer(tree, _config(max_clips=2), tmp_path)
    before = (tmp_path / "state" / "progress.json").read_bytes()
    with full_disk(20_000):
        with pytest.raises(StorageError, match=r"cannot write .*/state") as caught:
            _run(trainer)
        with pytest.raises(StorageError, match=r"cannot write .*/weights"):
            trainer.pipeline({}).save_pretrained(tmp_path / "weights")
    assert "\n" not in str(caught.value)
    assert (tmp_path / "state" / "progress.json").read_bytes() == before
    assert not list((tmp_path / "weights").iterdir())


def test_training_in_bfloat16_runs_and_a_precision_that_the_device_lacks_is_refused(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"training\.precision 'fp16': needs a CUDA GPU; allowed here: auto, no, bf16"):
        _trainer(tree, _config(precision="fp16"), tmp_path)
    AcceleratorState._reset_state(reset_partial_state=True)  # it keeps one precision a process
    try:
        trainer = _run(_trainer(tree, _config(max_clips=2, precision="bf16", validate_every=2), tmp_path))
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
    assert np.isfinite(trainer.progress.curve).all()


def _initial(folder: Path, people: tuple[str, ...]) -> InitialWeights:
    tiny_pipeline(people).save_pretrained(folder)
    return InitialWeights(folder, "tiny", PEOPLE)


def test_a_training_begins_with_the_weights_and_people_given(tree: Path, tmp_path: Path) -> None:
    config = _config(max_clips=4, warmup_steps=10**9)
    initial = _initial(tmp_path / "init", PEOPLE[1:])
    initial.card = replace(initial.card, vocabulary=replace(initial.card.vocabulary, conditions=("cl", "nm")))
    trainer = _trainer(tree, config, tmp_path / "run", initial)
    given, begun = tiny_pipeline().denoiser.state_dict(), trainer.averaged().state_dict()
    rows = "conditioner.condition"
    assert all(torch.equal(begun[name], value) for name, value in given.items() if name != rows)
    assert torch.equal(begun[rows], given[rows][[1, 0, 2]])
    assert torch.equal(trainer.objective.people.codes[1], tiny_pipeline(PEOPLE[1:]).people.codes[0])
    assert list(trainer.objective.people.config.identities) == list(PEOPLE)


def test_weights_of_another_size_or_with_other_people_of_the_dataset_are_refused(tree: Path, tmp_path: Path) -> None:
    initial, config = _initial(tmp_path / "init", PEOPLE[:1]), _config()
    other = replace(config, model=replace(config.model, embedding=32))
    with pytest.raises(UsageError, match=r"of another size; set 'model: \{channels: \[8, 64\], .*code_dim: 4\}' in"):
        _trainer(tree, other, tmp_path / "run", initial)
    with pytest.raises(UsageError, match=r"has seen 1 people of 'tiny' outside TRAIN_SET \(sim-009"):
        _initial(tmp_path / "init", (PEOPLE[0], "sim-009"))


def test_the_card_names_everybody_across_a_chain_of_trainings(tree: Path, tmp_path: Path) -> None:
    config, first = _config(max_clips=1), tiny_pipeline(("p1", "p2"))
    first.card = replace(first.card, trained_on=replace(first.card.trained_on, dataset="one", before=("zero/p0",)))
    first.save_pretrained(tmp_path / "first")
    expected = {"zero/p0", "one/p1", "one/p2", *(f"tiny/{name}" for name in PEOPLE)}
    for name, begun in (("second", "first"), ("third", "second")):
        initial = InitialWeights(tmp_path / begun, "tiny", PEOPLE)
        pipeline = _run(_trainer(tree, config, tmp_path / f"run-{name}", initial)).pipeline({})
        pipeline.save_pretrained(tmp_path / name)
        assert pipeline.card is not None
        assert pipeline.card.everybody() == expected
        held_out = tuple(f"{who}/{take}" for who in PEOPLE for take in ("cl-02", "nm-03"))
        assert pipeline.card.trained_on.held_out == held_out
    with pytest.raises(ConflictError, match=r"\(data\.init\)"):
        _trainer(tree, config, tmp_path / "run-third", InitialWeights(tmp_path / "first", "tiny", PEOPLE))


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    pipeline = tiny_pipeline()
    pipeline.card = replace(pipeline.card, trained_on=replace(pipeline.card.trained_on, before=("zero/p0",)))
    pipeline.save_pretrained(folder)
    return folder


def _imitation(teacher: Path, **training: object) -> ImitateTeacher:
    config = replace(_config(**{"ema_decay": 0.5, **training}), distillation=DistillationConfig(2, 4, guidance=3.0))
    return ImitateTeacher(config, str(teacher))


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
    objective = _imitation(teacher, max_clips=30, batch_size=2, learning_rate=5e-4, code_noise=0.0)
    trainer = Trainer(objective.config, objective, tmp_path)
    shown = objective._trajectory(objective.requests(8, np.random.default_rng(7)), torch.Generator().manual_seed(7))
    undistilled = (_sample(objective.teacher.denoiser, shown, 3.0) - shown.target[8:]).square().mean()
    assert (_sample(_run(trainer).averaged(), shown) - shown.target[8:]).square().mean() < 0.5 * undistilled


def test_a_perfect_student_lands_where_the_teacher_does(teacher: Path) -> None:
    """The examples of a trajectory, answered exactly, lead from its noise to its last state."""
    objective = _imitation(teacher, batch_size=2)
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
    objective = _imitation(teacher)
    student = objective.network()
    assert _same_weights(student, objective.teacher.denoiser)
    assert str(teacher) not in str(student.config)
    assert not caplog.records  # diffusers warns of a change of precision, also to the same one


def test_weights_of_a_student_name_its_teachers_people_and_refuse_other_sampling(teacher: Path, tmp_path: Path) -> None:
    objective = _imitation(teacher)
    Trainer(objective.config, objective, tmp_path).pipeline({}).save_pretrained(tmp_path / "student")
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
        _imitation(tmp_path / "student")
    with pytest.raises(UsageError, match="is distilled and trains no further"):
        InitialWeights(tmp_path / "student", "tiny", PEOPLE)
    with pytest.raises(UsageError, match=r"teacher_steps is 8; it must be a multiple of distillation\.steps, 3"):
        DistillationConfig(3)


def _load(folder: Path, text: str) -> GeneratorConfig:
    (folder / "config.yaml").write_text(text)
    return load_config(folder / "config.yaml")


def test_a_file_changes_only_what_it_names_and_what_is_wrong_in_it_is_named(tmp_path: Path) -> None:
    config = _load(tmp_path, "training: {learning_rate: 1, warmup_steps: 0, validate_every: 1}\n")
    assert (config.training.learning_rate, config.training.warmup_steps) == (1.0, 0)
    assert config.model == GeneratorConfig().model
    assert load_config(None) == GeneratorConfig()
    for text, message in {
        "training: {batchsize: 4}": "unknown key 'training.batchsize'; did you mean 'batch_size'",
        "traning: {}": "unknown key 'traning'; did you mean 'training'",
        "training: {batch_size: many}": "'training.batch_size' is 'many'",
        "model: {channels: [8, 16], blocks: [1, 1]}": "model.channels ends with 16; .* must be a multiple of 64",
        "model: {channels: [8, 64]}": r"model.blocks names 3 resolutions, model.channels 2",
    }.items():
        with pytest.raises(UsageError, match=message) as caught:
            _load(tmp_path, text)
        assert "\n" not in str(caught.value)
    wrong = {
        (0,): ("max_clips", "batch_size", "validate_every", "save_minutes", "feet", "noise_shift"),
        (0, ".inf", ".nan"): ("learning_rate", "gradient_clip"),
        (-1, 7.0): ("cooldown", "weight_decay", "ema_decay", "drop_all", "drop_identity", "drop_phase", "code_noise"),
        (-1,): ("warmup_steps", "held_out_takes", "seed", "condition_balance"),
    }
    for values, keys in wrong.items():
        for key in keys:
            for value in values:
                with pytest.raises(UsageError, match=rf"'training\.{key}' is "):
                    _load(tmp_path, f"training: {{{key}: {value}}}")

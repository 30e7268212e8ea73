"""``train`` as a user runs it: a tiny tree in, a weights folder out that ``synthesize`` accepts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.cli.train import TRAINING_FOLDER
from gaitcrafter_ext.generator.state import LOCK_PREFIX
from gaitcrafter_ext.generator.weights import read_card
from gaitcrafter_ext.silhouettes.files import FileLock
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey, identities_hash
from tests.tiny import PEOPLE, tiny_clip, tiny_pipeline, tiny_tree

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")

CONFIG = """
dataset: {name: tiny}
model: {channels: [8, 64], blocks: [1, 1], embedding: 16, canvas_channels: 2, code_dim: 4}
training: {batch_size: 4, precision: "no", validate_every: 2}
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tiny_tree(tmp_path)


def _arguments(tree: Path, *more: str) -> list[str]:
    paths = {"--data": "pkl", "--partition": "partition.json", "--out": "weights", "--config": "config.yaml"}
    return ["train", *(word for option, name in paths.items() for word in (option, str(tree / name))), *more]


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_training_ends_with_weights_that_synthesize_accepts_and_goes_on_when_run_again(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "cohort.json").write_text('{"seed": 3}')
    for clips in (4, 8):
        assert main(_arguments(tree, "--max-clips", str(clips), "--json")) == 0
        result = json.loads(capsys.readouterr().out)
        card = read_card(tree / "weights")
        assert (result["clips"], result["fingerprint"]) == (clips, card.fingerprint)
    assert card.trained_on.identities_hash == identities_hash(PEOPLE)
    assert "sim-001/nm-03" in card.trained_on.held_out
    assert card.cadence == {name: (pytest.approx(24, abs=0.5), pytest.approx(0, abs=0.5)) for name in PEOPLE}
    assert (card.training["data"], card.training["curve"][0][0]) == ({"seed": 3}, 8)
    assert not list(tree.rglob("*.u8"))
    options = ["--weights", str(tree / "weights"), "--identities", "all", "--novel", "1", "--steps", "1"]
    assert main(["synthesize", "--out", str(tree / "made"), *options]) == 0
    assert SilhouetteStore(tree / "made" / "pkl").identities() == [*PEOPLE, "syn-0001"]


def test_only_the_train_set_is_read_by_the_datasets_rules(tree: Path) -> None:
    Partition(PEOPLE[:1], PEOPLE[1:]).save(tree / "partition.json")
    for path in (tree / "pkl" / PEOPLE[1]).rglob("*.pkl"):
        path.write_bytes(b"not a clip")
    for path in (tree / "pkl" / PEOPLE[0]).rglob("*.pkl"):
        path.rename(path.with_name(f"{path.stem}-sils.pkl"))
    rules = "{name: tiny, file: '{view}-sils.pkl', views: {'*': null}}"
    (tree / "config.yaml").write_text(CONFIG.replace("{name: tiny}", rules))
    assert main(_arguments(tree, "--max-clips", "4")) == 0
    card = read_card(tree / "weights")
    assert (card.vocabulary.identities, card.vocabulary.views) == (PEOPLE[:1], {"any": None})
    assert card.dataset.file == "{view}-sils.pkl"


def test_bad_input_is_one_line_and_nothing_is_written(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Partition((), PEOPLE).save(tree / "empty.json")
    (tree / "file").write_text("precious")
    for options, code, message in (
        (["--max-minutes", "nan"], 2, "--max-minutes: 'nan' is not a finite number above 0"),
        (["--max-clips", "0"], 2, "--max-clips: 0 is too small; at least 1"),
        (["--config", "nowhere.yaml"], 1, "config nowhere.yaml is not there"),
        (["--config", "."], 2, "--config: . is a folder; name a YAML file"),
        (["--init", "nowhere"], 1, "no weights at 'nowhere'"),
        (["--data", "nowhere"], 1, "there is no folder nowhere"),
        (["--partition", str(tree / "empty.json")], 2, "TRAIN_SET of"),
        (["--out", str(tree / "file")], 2, "is a file; name a folder"),
        (["--out", str(tree / "pkl"), "--force"], 1, "holds something else than a training to resume"),
    ):
        before = _files(tree)
        assert main(_arguments(tree, *options)) == code
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
        assert _files(tree) == before
    assert not (tree / "weights").exists()


def test_a_damaged_clip_ends_the_run_which_can_be_repeated(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, key = SilhouetteStore(tree / "pkl"), ClipKey(PEOPLE[0], "nm-01", "000")
    store.path(key).write_bytes(b"not a clip")
    assert main(_arguments(tree, "--max-clips", "4")) == 1
    assert str(store.path(key)) in capsys.readouterr().err
    store.write(key, tiny_clip(0, 0))
    assert main(_arguments(tree, "--max-clips", "4")) == 0


def test_more_takes_held_out_than_anyone_has_are_refused(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "config.yaml").write_text(CONFIG.replace("validate_every: 2", "validate_every: 2, held_out_takes: 9"))
    assert main(_arguments(tree)) == 2
    assert "held_out_takes is 9: no person has more takes of a condition" in capsys.readouterr().err
    assert not (tree / "weights").exists()


def test_a_folder_of_that_name_is_no_training_of_ours(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("training/notes.txt", "training/logs/events.out.tfevents.1", "training/state/mine.txt"):
        (tree / "weights" / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / "weights" / name).write_text("precious")
    before = _files(tree / "weights")
    for options in ([], ["--force"]):
        assert main(_arguments(tree, *options)) == 1
        assert "holds something else than a training to resume; name another folder" in capsys.readouterr().err
    assert _files(tree / "weights") == before


def test_two_trainings_in_one_folder_are_refused(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FileLock(tree / "weights" / TRAINING_FOLDER / f"{LOCK_PREFIX}0.lock"):
        assert main(_arguments(tree, "--max-clips", "4")) == 1
    assert "is being worked on by another process; wait for it or stop it" in capsys.readouterr().err


def test_force_deletes_the_earlier_state_last_and_nothing_else(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(_arguments(tree, "--max-clips", "12", "--json")) == 0
    (tree / "weights" / "training" / "notes.txt").write_text("mine")
    before = _files(tree / "weights")
    assert main(_arguments(tree, "--force", "--init", "nowhere")) == 1
    # Of another size, which is found only when the network is there.
    assert main(_arguments(tree, "--force", "--name", "other", "--init", "bundled")) == 2
    assert _files(tree / "weights") == before
    assert main(_arguments(tree, "--force", "--max-clips", "4", "--json")) == 0
    clips = [json.loads(line)["clips"] for line in capsys.readouterr().out.splitlines()]
    assert clips == [12, 4]
    assert (tree / "weights" / "training" / "notes.txt").read_text() == "mine"
    logs = [name for name in _files(tree / "weights") if "tfevents" in name]
    assert len(logs) == 1


def test_a_run_that_was_killed_before_its_first_state_is_begun_again(tree: Path) -> None:
    assert main(_arguments(tree, "--max-clips", "8")) == 0
    for path in (tree / "weights" / "training" / "state").iterdir():
        path.unlink()
    assert main(_arguments(tree, "--max-clips", "4")) == 0
    assert read_card(tree / "weights").training["clips"] == 4


def test_distilling_makes_weights_of_few_steps_that_synthesize_refuses_to_sample_otherwise(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_pipeline().save_pretrained(tree / "teacher")
    (tree / "config.yaml").write_text("training: {batch_size: 2, precision: 'no'}\ndistillation: {teacher_steps: 2}\n")
    options = ["--config", str(tree / "config.yaml"), "--out", str(tree / "student")]
    command = ["train", "--distill", str(tree / "teacher"), *options]
    for clips in (2, 4):
        assert main([*command, "--max-clips", str(clips), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["clips"] == clips
    card, taught = read_card(tree / "student"), read_card(tree / "teacher")
    assert card.trained_on == taught.trained_on
    assert card.training["teacher"]["fingerprint"] == taught.fingerprint
    assert card.training["command"] == "gaitcrafter train --distill teacher --config config.yaml --out student"
    made = ["synthesize", "--weights", str(tree / "student"), "--out", str(tree / "made"), "--novel", "1"]
    for refused in (["--guidance", "1"], ["--steps", "3"], ["--sampler", "unipc"]):
        assert main([*made, *refused]) == 2
        assert "2 steps of euler and guidance 2.25 baked in; leave it out" in capsys.readouterr().err
        assert not (tree / "made").exists()
    assert main(made) == 0
    for extra, message in (
        (["--data", "pkl"], "--data: a student learns from its teacher alone; leave it out beside --distill"),
        (["--distill", str(tree / "student")], "is distilled already"),
    ):
        assert main([*command, *extra]) == 2
        assert message in capsys.readouterr().err
    assert main(["train", "--out", str(tree / "other"), "--data", str(tree / "pkl")]) == 2
    assert "--partition is missing; only --distill needs no data" in capsys.readouterr().err
    assert not (tree / "other").exists()

"""``train`` as a user runs it: a tiny tree in, a weights folder out that ``synthesize`` accepts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.generator.weights import read_card
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import identities_hash
from tests.tiny import PEOPLE, tiny_tree

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")

CONFIG = """
dataset: {name: tiny}
model: {channels: [8, 64], blocks: [1, 1], embedding: 16, canvas_channels: 2}
training: {batch_size: 4, precision: "no", validate_every: 2}
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tiny_tree(tmp_path)


def _arguments(tree: Path, *more: str) -> list[str]:
    paths = {"--data": "pkl", "--partition": "partition.json", "--out": "weights", "--config": "config.yaml"}
    return ["train", *(word for option, name in paths.items() for word in (option, str(tree / name))), *more]


def test_training_ends_with_weights_that_synthesize_accepts(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(_arguments(tree, "--max-clips", "8", "--json")) == 0
    result = json.loads(capsys.readouterr().out)
    card = read_card(tree / "weights")
    assert (result["clips"], result["fingerprint"]) == (8, card.fingerprint)
    assert card.trained_on.identities_hash == identities_hash(PEOPLE)
    assert "sim-001/nm-03" in card.trained_on.held_out
    assert card.gait_cycle is not None
    assert 18.0 <= card.gait_cycle[0] <= card.gait_cycle[1] <= 40.0
    made = tree / "made"
    options = ["--weights", str(tree / "weights"), "--identities", "all", "--novel", "1", "--steps", "1"]
    assert main(["synthesize", "--out", str(made), *options]) == 0
    assert SilhouetteStore(made / "pkl").identities() == [*PEOPLE, "syn-0001"]


def test_running_again_goes_on(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(_arguments(tree, "--max-clips", "4", "--json")) == 0
    assert main(_arguments(tree, "--max-clips", "12", "--json")) == 0
    clips = [json.loads(line)["clips"] for line in capsys.readouterr().out.splitlines()]
    assert clips == [4, 12]


def test_nobody_outside_the_train_set_is_read(tree: Path) -> None:
    Partition(PEOPLE[:1], PEOPLE[1:]).save(tree / "partition.json")
    for path in (tree / "pkl" / PEOPLE[1]).rglob("*.pkl"):
        path.write_bytes(b"not a clip")
    assert main(_arguments(tree, "--max-clips", "4")) == 0
    assert read_card(tree / "weights").vocabulary.identities == PEOPLE[:1]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--max-minutes", "0"], 2, "--max-minutes: '0' is not a finite number above 0"),
        (["--max-minutes", "nan"], 2, "--max-minutes: 'nan' is not a finite number above 0"),
        (["--max-minutes", "inf"], 2, "--max-minutes: 'inf' is not a finite number above 0"),
        (["--max-clips", "0"], 2, "--max-clips: 0 is too small; at least 1"),
        (["--config", "nowhere.yaml"], 1, "config nowhere.yaml is not there"),
        (["--config", "."], 2, "--config: . is a folder; name a YAML file"),
        (["--init", "nowhere"], 1, "no weights at 'nowhere'"),
        (["--data", "nowhere"], 1, "there is no folder nowhere"),
    ],
)
def test_bad_options_are_one_line(
    tree: Path, capsys: pytest.CaptureFixture[str], options: list[str], code: int, message: str
) -> None:
    assert main(_arguments(tree, *options)) == code
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tree / "weights").exists()


def test_an_empty_train_set_is_refused(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Partition((), PEOPLE).save(tree / "partition.json")
    assert main(_arguments(tree)) == 2
    assert "TRAIN_SET" in capsys.readouterr().err


def test_a_folder_with_something_else_in_it_is_refused(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "weights").mkdir()
    (tree / "weights" / "thesis.tex").write_text("precious")
    assert main(_arguments(tree)) == 1
    assert "holds something else than a training to resume" in capsys.readouterr().err
    assert (tree / "weights" / "thesis.tex").read_text() == "precious"


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("options", [[], ["--force"]])
def test_a_folder_of_that_name_is_no_training_of_ours(
    tree: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    for name in ("training/notes.txt", "training/logs/events.out.tfevents.1", "training/state/mine.txt"):
        (tree / "weights" / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / "weights" / name).write_text("precious")
    before = _files(tree / "weights")
    assert main(_arguments(tree, *options)) == 1
    assert "holds something else than a training to resume; name another folder" in capsys.readouterr().err
    assert _files(tree / "weights") == before


@pytest.mark.parametrize("options", [[], ["--force"]])
def test_a_file_is_no_weights_folder(tree: Path, capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    (tree / "weights").write_text("precious")
    assert main(_arguments(tree, *options)) == 2
    assert f"--out: {tree / 'weights'} is a file; name a folder" in capsys.readouterr().err
    assert (tree / "weights").read_text() == "precious"


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

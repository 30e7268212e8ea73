"""``train`` as a user runs it: a tiny tree in, a weights folder out that ``synthesize`` accepts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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
from tests.refusals import content_of, refused
from tests.tiny import PEOPLE, tiny_clip, tiny_pipeline, tiny_tree

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")

CONFIG = """
dataset: {name: tiny}
model: {channels: [8, 64], blocks: [1, 1], embedding: 16, canvas_channels: 2, code_dim: 4}
training: {batch_size: 2, precision: "no", validate_every: 2}
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tiny_tree(tmp_path)


def _train(tree: Path, *more: str) -> int:
    paths = {"--data": "pkl", "--partition": "partition.json", "--out": "weights", "--config": "config.yaml"}
    return main(["train", *(word for option, name in paths.items() for word in (option, str(tree / name))), *more])


def test_training_makes_weights_for_synthesize_and_goes_on(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "cohort.json").write_text('{"seed": 3}')
    for clips in (2, 4):
        assert _train(tree, "--max-clips", str(clips), "--json") == 0
        result, card = json.loads(capsys.readouterr().out), read_card(tree / "weights")
        assert (result["clips"], result["fingerprint"]) == (clips, card.fingerprint)
    assert card.trained_on.identities_hash == identities_hash(PEOPLE)
    assert "sim-001/nm-03" in card.trained_on.held_out
    assert card.cadence == {name: (pytest.approx(24, abs=0.5), pytest.approx(0, abs=0.5)) for name in PEOPLE}
    assert (card.training["data"], card.training["curve"][0][0]) == ({"seed": 3}, 4)
    assert not list(tree.rglob("*.u8"))
    options = ["--weights", str(tree / "weights"), "--identities", "all", "--novel", "1", "--steps", "1"]
    assert main(["synthesize", "--out", str(tree / "made"), *options]) == 0
    assert SilhouetteStore(tree / "made" / "pkl").identities() == [*PEOPLE, "syn-0001"]
    for path in (tree / "weights" / "training" / "state").iterdir():
        path.unlink()  # a run that was killed before its first state is begun again
    assert _train(tree, "--max-clips", "2") == 0
    assert read_card(tree / "weights").training["clips"] == 2


def test_only_the_train_set_is_read_by_the_datasets_rules(tree: Path) -> None:
    Partition(PEOPLE[:1], PEOPLE[1:]).save(tree / "partition.json")
    for path in (tree / "pkl" / PEOPLE[1]).rglob("*.pkl"):
        path.write_bytes(b"not a clip")
    for path in (tree / "pkl" / PEOPLE[0]).rglob("*.pkl"):
        path.rename(path.with_name(f"{path.stem}-sils.pkl"))
    rules = "{name: tiny, file: '{view}-sils.pkl', views: {'*': null}}"
    (tree / "config.yaml").write_text(CONFIG.replace("{name: tiny}", rules))
    assert _train(tree, "--max-clips", "2") == 0
    card = read_card(tree / "weights")
    assert (card.vocabulary.identities, card.vocabulary.views) == (PEOPLE[:1], {"any": None})
    assert card.dataset.file == "{view}-sils.pkl"


def test_bad_input_is_one_line_and_nothing_is_written(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Partition((), PEOPLE).save(tree / "empty.json")
    (tree / "held.yaml").write_text(CONFIG.replace("validate_every: 2", "held_out_takes: 9"))
    for options, code, message in (
        (["--max-minutes", "nan"], 2, "--max-minutes: 'nan' is not a finite number above 0"),
        (["--config", "."], 2, "--config: . is a folder; name a YAML file"),
        (["--config", str(tree / "held.yaml")], 2, "held_out_takes is 9: no person has more takes of a condition"),
        (["--init", "nowhere"], 1, "no weights at 'nowhere'"),
        (["--partition", str(tree / "empty.json")], 2, "TRAIN_SET of"),
        (["--out", str(tree / "pkl"), "--force"], 1, "holds something else than a training to resume"),
    ):
        before = content_of(tree)
        assert message in refused(capsys, _train(tree, *options), code)
        assert content_of(tree) == before
    assert not (tree / "weights").exists()


def test_a_run_that_failed_can_be_repeated(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, key = SilhouetteStore(tree / "pkl"), ClipKey(PEOPLE[0], "nm-01", "000")
    store.path(key).write_bytes(b"not a clip")
    assert str(store.path(key)) in refused(capsys, _train(tree))
    store.write(key, tiny_clip(0, 0))
    with FileLock(tree / "weights" / TRAINING_FOLDER / f"{LOCK_PREFIX}0.lock"):
        assert "is being worked on by another process; wait for it or stop it" in refused(capsys, _train(tree))
    assert _train(tree, "--max-clips", "2") == 0


def test_force_deletes_the_earlier_state_last_and_nothing_else(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notes = tree / "weights" / "training" / "notes.txt"
    for path in (notes, notes.with_name("logs") / "events.out.tfevents.1"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    for options in ([], ["--force"]):  # a folder of that name is no training of ours
        assert "holds something else than a training to resume" in refused(capsys, _train(tree, *options))
    notes.with_name("logs").rename(tree / "logs")
    notes.rename(tree / "notes.txt")
    assert _train(tree, "--max-clips", "4") == 0
    (tree / "notes.txt").rename(notes)
    before = content_of(tree / "weights")
    assert _train(tree, "--force", "--init", "nowhere") == 1
    # Of another size, which is found only when the network is there.
    assert _train(tree, "--force", "--name", "other", "--init", "bundled") == 2
    assert content_of(tree / "weights") == before
    assert _train(tree, "--force", "--max-clips", "2") == 0
    assert read_card(tree / "weights").training["clips"] == 2
    assert notes.read_text() == "mine"
    assert len([name for name in content_of(tree / "weights") if "tfevents" in name]) == 1


def test_distilling_makes_weights_of_few_steps(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_pipeline().save_pretrained(tree / "teacher")
    (tree / "config.yaml").write_text("training: {batch_size: 1, precision: 'no'}\ndistillation: {teacher_steps: 2}\n")
    options = ["--config", str(tree / "config.yaml"), "--out", str(tree / "student")]
    command = ["train", "--distill", str(tree / "teacher"), *options]
    for clips in ("1", "2"):
        assert main([*command, "--max-clips", clips, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["clips"] == int(clips)
    card = read_card(tree / "student")
    assert card.training["teacher"]["fingerprint"] == read_card(tree / "teacher").fingerprint
    assert card.training["command"] == "gaitcrafter train --distill teacher --config config.yaml --out student"
    made = ["synthesize", "--weights", str(tree / "student"), "--out", str(tree / "made"), "--novel", "1"]
    for words, message in (
        ([*made, "--guidance", "1"], "2 steps of euler and guidance 2.25 baked in; leave it out"),
        ([*command, "--data", "pkl"], "--data: a student learns from its teacher alone; leave it out beside --distill"),
        (["train", *options, "--data", "pkl"], "--partition is missing; only --distill needs no data"),
    ):
        assert message in refused(capsys, main(words), 2)
    assert not (tree / "made").exists()
    assert main(made) == 0


#: Runs the command line, then writes each process's own averaged weights beside the tree, and which clips it packed.
PROBE = """
import os, sys, torch
from pathlib import Path
from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.generator import data
from gaitcrafter_ext.generator.training import Trainer

run, pack = Trainer.run, data._pack

def packed(*args):
    Path(f"packed-{os.environ['RANK']}-{args[-1].name}").touch()
    return pack(*args)

def ran(trainer, *args):
    yield from run(trainer, *args)
    raw = trainer.accelerator.unwrap_model(trainer.denoiser)
    own = {"ema": trainer.averaged().state_dict(), "raw": raw.state_dict()}
    torch.save(own, f"rank-{os.environ['RANK']}.pt")

Trainer.run, data._pack = ran, packed
sys.exit(main(["train", *sys.argv[1:]]))
"""


@pytest.mark.slow
def test_two_processes_train_one_model_and_stop_together(tree: Path) -> None:
    import torch

    (tree / "probe.py").write_text(PROBE)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "probe.py"]
    options = ["--data", "pkl", "--partition", "partition.json", "--config", "config.yaml", "--out", "weights"]
    done = subprocess.run(
        [*launcher, *options, "--max-minutes", "0.05", "--max-clips", "1000000"],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("fingerprint") == 1
    packed = [path.name.split("-", 2)[2] for path in tree.glob("packed-*")]
    assert len(packed) == len(set(packed)) == 2  # clips to train on, and held-out ones
    assert [path.name for path in (tree / "weights" / "training").glob("clips-*")] == ["clips-0.lock"]
    first, second = (torch.load(tree / f"rank-{rank}.pt", weights_only=True) for rank in range(2))
    for kind in ("ema", "raw"):
        assert all(torch.equal(second[kind][name], value) for name, value in first[kind].items())
    assert not all(torch.equal(first["ema"][name], value) for name, value in first["raw"].items())
    clips = read_card(tree / "weights").training["clips"]
    assert clips > 0
    assert clips % 4 == 0

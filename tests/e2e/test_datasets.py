"""Verify, train, synthesize (novel, and what is missing), evaluate, read for OpenGait: on a tree of each dataset."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.generator.weights import Card, read_card
from gaitcrafter_ext.opengait.config_keys import FolderEntry
from gaitcrafter_ext.opengait.people import real_people
from gaitcrafter_ext.opengait.sources import open_source
from gaitcrafter_ext.silhouettes.clip import trim
from gaitcrafter_ext.silhouettes.dataset import load_dataset
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore, read_frames, write_clip
from gaitcrafter_ext.vocabulary import ClipKey
from tests.tiny import tiny_clip, tiny_yaml

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"),
]

# Of each dataset: takes and views of one person, and how wide frames are on the disk.
SHOWN = {
    "casia-b": (("nm-01", "nm-02", "nm-03", "cl-01", "cl-02", "cl-03"), ("000", "090"), 64),
    "casia-b-star": (("nm-01", "nm-02", "nm-03"), ("000", "090"), 44),
    "oumvlp": (("00", "01", "02"), ("015", "270"), 64),
    "grew": (("01", "02", "03"), ("4XPn5Z28", "t16VLaQf"), 64),
    "gait3d": (("camid0_videoid2", "camid33_videoid2", "camid9_videoid1"), ("seq0",), 44),
    "ccpg": (("U0_D0", "U0_D0_BG", "U1_D1"), ("01_1", "02_1"), 64),
    "sustech1k": (("00-nm", "01-nm", "02-nm-nt"), ("000", "045"), 64),
}


def make_tree(root: Path, name: str) -> tuple[SilhouetteStore, list[ClipKey]]:
    """Three people, the third to test on; a clip of each of the others is missing, their keys are returned."""
    takes, views, columns = SHOWN[name]
    store = SilhouetteStore(root / "pkl", load_dataset(name), create=True)
    for person, identity in enumerate(("0001", "0002", "0003")):
        for number, take in enumerate(takes):
            for view in views:
                clip, path = tiny_clip(person, number), store.path(ClipKey(identity, take, view))
                write_clip(path, trim(clip) if columns == 44 else clip)
                if "sils" in store.dataset.file.lower():
                    (path.parent / "zz-ratios.pkl").write_bytes(b"")
    missing = [ClipKey("0001", takes[0], views[-1]), ClipKey("0002", takes[1], views[-1])]
    for key in missing:
        store.path(key).unlink()
    Partition(("0001", "0002"), ("0003",)).save(root / "partition.json")
    return store, missing


@pytest.mark.parametrize("name", SHOWN)
def test_a_dataset_goes_all_the_way(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    store, missing = make_tree(tmp_path, name)
    (tmp_path / "c.yaml").write_text(tiny_yaml(name))
    paths = {"root": tmp_path / "pkl", "weights": tmp_path / "weights", "made": tmp_path / "made"}

    assert main(["verify", str(paths["root"]), "--config", str(tmp_path / "c.yaml"), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert [fault["path"] for fault in report["bad"]] == [str(key) for key in missing]

    common = ["--data", str(paths["root"]), "--partition", str(tmp_path / "partition.json")]
    assert main(["train", *common, "--config", str(tmp_path / "c.yaml"), "--out", str(paths["weights"])]) == 0
    card = read_card(paths["weights"])
    assert card.dataset.columns == SHOWN[name][2]
    assert card.dataset.file == store.dataset.file

    weights = ["--weights", str(paths["weights"]), "--steps", "1"]
    assert main(["synthesize", "--out", str(paths["made"]), "--identities", "all", "--novel", "1", *weights]) == 0
    made = SilhouetteStore(paths["made"] / "pkl", card.dataset)
    assert {key.identity for key in made} == {"0001", "0002", "syn-0001"}
    assert {read_frames(made.path(key)).shape[1:] for key in made} == {(64, SHOWN[name][2])}
    assert {card.dataset.condition_of(key.take) for key in made} == set(card.vocabulary.conditions)

    completed = tmp_path / "completed"
    assert main(["synthesize", "--out", str(completed), "--complete", str(paths["root"]), *weights]) == 0
    assert made_by(completed, card) == lacking(missing, card, SHOWN[name][1])

    capsys.readouterr()
    evaluate = ["evaluate", "clips", "--real", str(paths["root"]), "--synthetic", str(paths["made"])]
    evaluate += ["--trained-weights", str(paths["weights"]), "--measures", "masks", "--json"]
    assert main(evaluate) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["rows"]
    one_take_of_each_condition = name == "ccpg"
    assert any("not held out" in caveat for caveat in answer["caveats"]) == one_take_of_each_condition

    real = real_people(card.trained_on.dataset, paths["root"], tmp_path / "partition.json")
    source = open_source(FolderEntry(str(paths["made"] / "pkl")), real, card.dataset.file)
    assert {key for key, _ in source.clips()} == set(made.keys())
    assert {read_frames(path).shape[1:] for _, path in source.clips()} == {(64, SHOWN[name][2])}


def made_by(folder: Path, card: Card) -> list[ClipKey]:
    return SilhouetteStore(folder / "pkl", card.dataset).keys() if folder.is_dir() else []


def lacking(missing: list[ClipKey], card: Card, views: tuple[str, ...]) -> list[ClipKey]:
    """Of clips that are not there: where angles are unknown, a take with a clip of another view lacks none."""
    if set(card.vocabulary.views) != {"any"}:
        return missing
    return [replace(key, view="any") for key in missing] if len(views) == 1 else []

"""verify -> train -> synthesize (novel, and what is missing) -> evaluate, on a tree as each dataset leaves it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.generator.weights import read_card
from gaitcrafter_ext.silhouettes.clip import trim
from gaitcrafter_ext.silhouettes.dataset import load_dataset, preset_path
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore, read_frames, write_clip
from gaitcrafter_ext.vocabulary import ClipKey

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"),
]

TINY = {
    "model": {"channels": [8, 64], "blocks": [1, 1], "embedding": 16, "canvas_channels": 2, "code_dim": 4},
    "training": {"batch_size": 4, "precision": "no", "validate_every": 2, "max_clips": 8},
}

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


def walking(person: int, take: int, frames: int = 32) -> np.ndarray:
    """A block that widens and narrows, uint8 [frames, 64, 64]."""
    clip = np.zeros((frames, 64, 64), np.uint8)
    for time in range(frames):
        half = 5 + 3 * person + round(2 * np.sin(2 * np.pi * (time + 5 * take) / 12))
        clip[time, 4:60, 32 - half : 32 + half] = 255
    return clip


def make_tree(root: Path, name: str) -> tuple[SilhouetteStore, list[ClipKey]]:
    """Three people, the third to test on; a clip of each of the others is missing, their keys are returned."""
    takes, views, columns = SHOWN[name]
    store = SilhouetteStore(root / "pkl", load_dataset(name), create=True)
    for person, identity in enumerate(("0001", "0002", "0003")):
        for number, take in enumerate(takes):
            for view in views:
                clip = walking(person, number)
                write_clip(store.path(ClipKey(identity, take, view)), trim(clip) if columns == 44 else clip)
                beside = store.path(ClipKey(identity, take, view)).parent / "zz-ratios.pkl"
                if "sils" in store.dataset.file.lower():
                    beside.write_bytes(b"")
    missing = [ClipKey(identity, takes[0], views[-1]) for identity in ("0001", "0002")]
    for key in missing:
        store.path(key).unlink()
    Partition(("0001", "0002"), ("0003",)).save(root / "partition.json")
    return store, missing


@pytest.mark.parametrize("name", SHOWN)
def test_a_dataset_goes_all_the_way(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    store, missing = make_tree(tmp_path, name)
    config = {**yaml.safe_load(preset_path(name).read_text()), **TINY}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config))
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
    if set(card.vocabulary.views) == {"any"}:  # views without an angle: no grid, and no common view to compare clips by
        return
    assert SilhouetteStore(completed / "pkl", card.dataset).keys() == missing

    capsys.readouterr()
    evaluate = ["evaluate", "clips", "--real", str(paths["root"]), "--synthetic", str(paths["made"])]
    evaluate += ["--trained-weights", str(paths["weights"]), "--measures", "masks", "--json"]
    assert main(evaluate) == 0
    assert json.loads(capsys.readouterr().out)["measures"]

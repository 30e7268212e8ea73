"""The report on a tree: counts, holes, statistics, and every bad file by name."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.silhouettes.dataset import load_dataset
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.silhouettes.verify import verify
from gaitcrafter_ext.vocabulary import ClipKey


def walker(length: int, grey: int = 0, border: int = 0, empty: int = 0) -> np.ndarray:
    """A white bar; the first ``grey`` rows are grey, ``border`` frames touch the side, ``empty`` ones are black."""
    frames = np.zeros((length, 64, 64), np.uint8)
    frames[:, :, 24:40] = 255
    frames[:, :grey, 24:40] = 128
    frames[:border, 10, 63] = 255
    frames[length - empty :] = 0
    return frames


def tree(root: Path) -> SilhouetteStore:
    store = SilhouetteStore(root)
    for number, name in enumerate(["001/nm-01/090", "001/nm-01/108", "001/cl-01/090", "002/nm-01/090"]):
        store.write(ClipKey(*name.split("/")), walker(10 + 10 * number))
    return store


def test_counts_missing_cells_and_lengths(tmp_path: Path) -> None:
    tree(tmp_path)
    report = verify(tmp_path)
    assert (report.ok, report.clips, report.identities) == (True, 4, {"001": 3, "002": 1})
    assert (report.conditions, report.views) == ({"cl": 1, "nm": 3}, {"090": 3, "108": 1})
    content = json.loads(json.dumps(report.to_json()))
    assert (content["ok"], content["cells"]) == (True, 8)
    assert content["missing"] == ["001/cl-01/108", "002/cl-01/090", "002/cl-01/108", "002/nm-01/108"]
    assert content["frames"] == {"minimum": 10, "median": 25, "maximum": 40, "total": 100}


def test_shares_are_weighted_by_frames(tmp_path: Path) -> None:
    store = SilhouetteStore(tmp_path)
    store.write(ClipKey("001", "nm-01", "090"), walker(30, grey=32))  # an eighth of each frame is grey
    store.write(ClipKey("001", "nm-02", "090"), walker(10, border=4, empty=2))
    report = verify(tmp_path)
    assert report.grey_share == pytest.approx(0.125 * 30 / 40)
    assert report.border_share == pytest.approx(4 / 40)
    assert report.empty_frames == 2


def test_every_bad_file_is_named_and_the_good_ones_still_count(tmp_path: Path) -> None:
    tree(tmp_path)
    bad: dict[str, tuple[object, str]] = {
        "list": ([1], "holds a list"),
        "narrow": (walker(5)[:, :, :40], "shape"),
        "one": (walker(1), "too short, 1 frame(s); at least 2"),
        "labels": (walker(5) // 255, "brightest value is 1, where a person is 255; 'pretreat' mends"),
        "black": (walker(5) * 0, "all black"),
        "inverted": (255 - walker(5), "'pretreat --invert'"),
        "white": (walker(5) | 255, "fills the frame"),
    }
    for name, (thing, _) in bad.items():
        path = tmp_path / "003" / name / "090" / "090.pkl"
        path.parent.mkdir(parents=True)
        path.write_bytes(pickle.dumps(thing))
    report = verify(tmp_path)
    assert (report.ok, report.clips) == (False, 4)
    found = {fault.path.split("/")[1]: fault.why for fault in report.bad}
    assert found.keys() == bad.keys()
    for name, (_, why) in bad.items():
        assert why in found[name]
    with pytest.raises(DataError, match=r"090\.pkl: its brightest value is 1"):
        SilhouetteStore(tmp_path).read_real(ClipKey("003", "labels", "090"))


def test_what_opengait_would_trip_over_is_named(tmp_path: Path) -> None:
    tree(tmp_path)
    base = tmp_path / "001" / "nm-01"
    for folder in (base / "126", base / "144", tmp_path / "005", tmp_path / "001" / "nm-03" / "090"):
        folder.mkdir(parents=True)
    for name in ("090/extra.pkl", "108/.gaitcrafter-0.tmp", "notes.txt", "144/other.pkl", "../.DS_Store"):
        (base / name).write_text("")
    (tmp_path / "006").symlink_to(tmp_path / "nowhere")
    (tmp_path / "001" / "nm-03" / "090" / "090.pkl").symlink_to("nowhere.pkl")
    found = {fault.path: fault.why for fault in verify(tmp_path).bad}
    words = {
        "001/nm-01/090/extra.pkl": "second modality",
        "001/nm-01/108/.gaitcrafter-0.tmp": "killed write",
        "001/nm-01/notes.txt": "only folders",
        "001/nm-01/126": "it is empty",
        "001/nm-01/144": "no 144.pkl in it; it holds other.pkl",
        "001/.DS_Store": "only folders",
        "005": "an empty folder",
        "006": "a link to nothing",
        "001/nm-03/090/090.pkl": "a link to nothing",
    }
    assert found.keys() == words.keys()
    for name, why in words.items():
        assert why in found[name]


def test_a_dataset_of_several_files_a_folder_is_read_by_its_rules(tmp_path: Path) -> None:
    store = SilhouetteStore(tmp_path, load_dataset("casia-b-star"))
    for take in ("nm-01", "xx-01"):
        path = store.write(ClipKey("001", take, "090"), walker(5)[:, :, 10:54])
        (path.parent / "090-ratios.pkl").write_bytes(b"")
    report = verify(tmp_path, dataset=store.dataset)
    assert (report.clips, report.sizes, report.conditions) == (1, {"64x44": 1}, {"nm": 1})
    assert [fault.why for fault in report.bad] == [
        "take 'xx-01' does not match dataset.takes_pattern '(?P<condition>nm|bg|cl)-\\d+'; correct the pattern"
    ]

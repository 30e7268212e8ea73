"""``gaitcrafter pretreat`` and ``verify`` as a user types them: a raw tree, masks, a video, what may be wrong."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey
from tests.refusals import assert_refused, full_disk

NAME = ("--identity", "me", "--take", "nm-01", "--view", "090")
KEY = ClipKey("me", "nm-01", "090")


def run(*arguments: object) -> tuple[int, str, str]:
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = main(list(map(str, arguments)))
    return code, out.getvalue(), err.getvalue()


def mask(x: int, phase: float) -> np.ndarray:
    picture = np.zeros((180, 320), np.uint8)
    cv2.ellipse(picture, (x, 80), (12, 40), 0, 0, 360, 255, -1)
    for side in (-1, 1):
        cv2.line(picture, (x, 110), (x + side * int(18 * np.sin(phase)), 155), 255, 9)
    return picture


def write_walk(folder: Path, frames: int = 10) -> Path:
    folder.mkdir(parents=True)
    for number in range(frames):
        cv2.imwrite(str(folder / f"{number:03d}.png"), mask(50 + 20 * number % 220, number * 0.8))
    return folder


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A raw tree with every trouble there is."""
    root = tmp_path / "raw"
    for view in ("000", "090"):
        write_walk(root / "001" / "nm-01" / view)
    cv2.imwrite(str(root / "001" / "nm-01" / "000" / "003.png"), np.zeros((180, 320), np.uint8))
    (root / "001" / "nm-01" / "000" / "004.png").write_bytes(b"damaged")
    cv2.imwrite(str(root / "001" / "nm-01" / "000" / "005.png"), mask(4, 0.0))
    write_walk(root / "002" / "cl-01" / "090", frames=4)
    return root


def test_a_raw_tree_with_every_trouble(raw: Path, tmp_path: Path) -> None:
    code, out, err = run(
        "pretreat", raw, "--out", tmp_path / "out", "--jobs", 2, "--save-sheet", tmp_path / "sheet.png"
    )
    assert code == 0
    assert "2 clips written, 18 frames" in out
    assert "1 refused" in out
    store = SilhouetteStore(tmp_path / "out")
    assert [str(key) for key in store] == ["001/nm-01/000", "001/nm-01/090"]
    assert [len(store.read(key)) for key in store] == [8, 10]
    for line in [
        "warning: empty mask: 1 of 3 walks\n  001/nm-01/000: 1 frame: 003.png\n",
        "warning: unreadable image: 1 of 3 walks\n  001/nm-01/000: 1 frame: 004.png\n",
        "warning: person at the border, kept: 1 of 3 walks\n  001/nm-01/000: 1 frame: 005.png\n",
        "warning: too few frames: 1 of 3 walks\n  002/cl-01/090: 4 good frames, 5 are needed\n",
    ]:
        assert line in err
    assert (tmp_path / "sheet.png").is_file()


def test_where_no_walk_can_be_used_no_empty_folder_is_left(raw: Path, tmp_path: Path) -> None:
    code, _, err = run("pretreat", raw, "--out", tmp_path / "out", "--min-frames", 50)
    assert code == 1
    assert f"error: {raw}: no walk could be used, 3 refused for the reasons above" in err
    assert not (tmp_path / "out").exists()


def test_a_rerun_keeps_what_is_there_and_force_makes_it_again(raw: Path, tmp_path: Path) -> None:
    run("pretreat", raw, "--out", tmp_path / "out")
    store = SilhouetteStore(tmp_path / "out")
    key = ClipKey("001", "nm-01", "090")
    good = store.read(key)
    store.write(key, good[:6])
    report = json.loads(run("pretreat", raw, "--out", tmp_path / "out", "--json")[1])
    assert (report["written"], report["kept"], report["refused"]) == (0, 2, 1)
    assert len(store.read(key)) == 6
    report = json.loads(run("pretreat", raw, "--out", tmp_path / "out", "--json", "--force")[1])
    assert (report["written"], report["kept"], report["refused"]) == (2, 0, 1)
    assert np.array_equal(store.read(key), good)


def test_a_folder_of_masks(tmp_path: Path) -> None:
    walk = write_walk(tmp_path / "walk")
    assert run("pretreat", walk, "--out", tmp_path / "out", *NAME)[0] == 0
    assert SilhouetteStore(tmp_path / "out").read(KEY).shape == (10, 64, 64)
    code, out, err = run("pretreat", walk, "--out", tmp_path / "out", *NAME)
    assert (code, out) == (1, "")
    assert "is there already" in err
    assert run("pretreat", walk, "--out", tmp_path / "out", *NAME, "--force")[0] == 0


def test_a_video_of_one_walker(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "walk.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 50, (320, 180))
    for number in range(60):
        picture = np.where(mask(int(-30 + 6.5 * number), number * 0.4)[..., None] > 0, np.uint8(40), np.uint8(150))
        writer.write(np.repeat(picture, 3, axis=2))
    writer.release()
    code, out, err = run("pretreat", tmp_path / "walk.avi", "--out", tmp_path / "out", *NAME)
    assert code == 0
    assert "1 clips written" in out
    assert "walker 1: frames 3 to 55 of 60, left to right: taken\n" in err
    assert "50 frames a second, resampled to 25" in err
    assert "warning: person at the border: 1 of 1 walks" in err
    clip = SilhouetteStore(tmp_path / "out").read(KEY)
    assert 18 <= len(clip) <= 27
    assert clip[:, :, [0, -1]].max() == 0


def test_bad_input_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_walk(tmp_path / "walk")
    for arguments, code, words in (
        (["nowhere", "--out", "out"], 1, "there is no nowhere"),
        (["walk", "--out", "out"], 2, "--identity, --take, --view missing"),
        (["walk", "--out", "out", "--identity", "../x", "--take", "nm-01", "--view", "090"], 2, "cannot be a folder"),
        (["walk", "--out", "walk/out", *NAME], 2, "lies in the input"),
        (["walk", "--out", "out", "--min-frames", "1", *NAME], 2, "at least 2"),
        (["walk", "--out", "out", "--config", "casiab", *NAME], 1, "did you mean 'casia-b'"),
    ):
        assert_refused(["pretreat", *arguments], code, words, tmp_path, capsys)


def test_when_nothing_is_usable_the_exit_code_is_one(tmp_path: Path) -> None:
    folder = tmp_path / "walk"
    folder.mkdir()
    for number in range(8):
        cv2.imwrite(str(folder / f"{number}.png"), 255 - mask(100, 0.0))
    code, out, err = run("pretreat", folder, "--out", tmp_path / "out", *NAME)
    assert (code, out) == (1, "")
    assert "warning: white along the edge: the person is black (use --invert)" in err
    assert "error: " in err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_a_disk_that_fills_up_leaves_no_half_clip(raw: Path, tmp_path: Path) -> None:
    write_walk(raw / "000" / "nm-01" / "090", frames=5)  # 20 kB fit, the longer walks do not
    with full_disk(24_000):
        code, out, err = run("pretreat", raw, "--out", tmp_path / "out", "--jobs", 1)
    assert (code, out) == (1, "")
    assert "error: cannot write" in err.splitlines()[-1]
    store = SilhouetteStore(tmp_path / "out")
    assert store.keys() == [ClipKey("000", "nm-01", "090")]
    assert len([path for path in store.root.rglob("*") if path.is_file()]) == 1
    assert len(store.read(store.keys()[0])) == 5


@pytest.fixture
def root(tmp_path: Path) -> Path:
    store = SilhouetteStore(tmp_path / "pkl", create=True)
    for identity in ("001", "002"):
        for take in ("nm-01", "cl-01"):
            for view in ("018", "090"):
                clip = np.zeros((30, 64, 64), np.uint8)
                clip[:, :, 20:40] = 255
                store.write(ClipKey(identity, take, view), clip)
    (store.path(ClipKey("002", "cl-01", "018"))).unlink()
    store.path(ClipKey("002", "cl-01", "018")).parent.rmdir()
    return store.root


def test_a_tree_is_described_and_a_bad_file_named_with_exit_code_one(root: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    code, out, err = run("verify", root, "--sheet", sheet, "--rows", 3)
    assert (code, err) == (0, "")
    for words in ("7 clips of 2 identities", "cl 3, nm 4", "1: 002/cl-01/018 (of 8)", "bad files      none"):
        assert words in out
    assert cv2.imread(str(sheet), cv2.IMREAD_GRAYSCALE).shape[0] == 3 * 65
    (root / "001" / "nm-01" / "090" / "090.pkl").write_bytes(b"no pickle")
    code, out, err = run("verify", root, "--json", "--sheet", sheet)
    assert (code, err) == (1, "")
    report = json.loads(out)
    assert ([fault["path"] for fault in report["bad"]], report["clips"]) == (["001/nm-01/090/090.pkl"], 6)

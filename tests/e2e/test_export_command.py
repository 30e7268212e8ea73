"""``gaitcrafter export``: chosen clips as one picture or film."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageSequence

from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.silhouettes.pictures import grid
from gaitcrafter_ext.silhouettes.store import write_clip


def walks(folder: Path) -> list[str]:
    """Three clips of 5, 6 and 6 frames, each a block that moves."""
    paths = []
    for number, length in enumerate((5, 6, 6)):
        clip = np.zeros((length, 64, 64), np.uint8)
        for time in range(length):
            clip[time, 4:60, 10 + 5 * time : 20 + 5 * time] = 255
        paths.append(str(folder / f"{number}.pkl"))
        write_clip(paths[-1], clip)
    return paths


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_a_picture_shows_the_clips_in_reading_order(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"walks.{ending}"
    assert main(["export", *walks(tmp_path), "--out", str(out), "--columns", "2", "--scale", "1"]) == 0
    with Image.open(out) as image:
        frames = [np.array(frame.convert("L")) for frame in ImageSequence.Iterator(image)]
    assert (len(frames), frames[0].shape) == (6, (132, 132))
    assert frames[5][30, 12] == 255  # the clip of five frames has begun again
    assert frames[5][30, 66 + 37] == frames[5][66 + 30, 37] == 255
    assert not frames[5][66:, 66:].any()


def test_a_film_has_as_many_frames(tmp_path: Path) -> None:
    out = tmp_path / "walks.mp4"
    assert main(["export", *walks(tmp_path), "--out", str(out), "--fps", "30"]) == 0
    film = cv2.VideoCapture(str(out))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) == 6
    assert film.get(cv2.CAP_PROP_FPS) == 30
    assert film.get(cv2.CAP_PROP_FRAME_WIDTH) == 3 * 130


def test_what_cannot_be_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips = walks(tmp_path)
    assert main(["export", *clips, "--out", str(tmp_path / "walks.avi")]) == 2
    assert "an animation ends in .gif, .webp, .png, .mp4" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "none.pkl"), "--out", str(tmp_path / "walks.gif")]) == 1
    assert "there is no clip" in capsys.readouterr().err
    (tmp_path / "walks.gif").write_bytes(b"mine")
    assert main(["export", *clips, "--out", str(tmp_path / "walks.gif")]) == 1
    assert (tmp_path / "walks.gif").read_bytes() == b"mine"


def test_a_grid_is_no_wider_than_its_clips() -> None:
    assert grid([np.zeros((2, 64, 64), np.uint8)], columns=8, scale=2).shape == (2, 130, 130)

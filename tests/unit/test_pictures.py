"""Contact sheets."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from gaitcrafter_ext.errors import DataError, StorageError
from gaitcrafter_ext.silhouettes.pictures import contact_sheet, spread, strip


def clip(length: int) -> np.ndarray:
    """Frame t is all grey of value t + 1."""
    return np.broadcast_to(np.arange(1, length + 1, dtype=np.uint8)[:, None, None], (length, 64, 64)).copy()


def test_a_strip_shows_frames_spread_over_a_clip_side_by_side() -> None:
    assert spread(30, 4) == [0, 9, 19, 29]
    assert spread(3, 10) == [0, 1, 2]
    assert strip(clip(30), 4).shape == (64, 4 * 65)
    assert strip(clip(30), 4)[5, 5::65].tolist() == [1, 10, 20, 30]
    assert strip(clip(2), 4)[5, 5::65].tolist() == [1, 2, 0, 0], "a short one ends in black"


def test_a_sheet_holds_every_row_with_its_label(tmp_path: Path) -> None:
    path = tmp_path / "out" / "sheet.png"
    contact_sheet([("001/nm-01/090", clip(30)), ("a much longer label", clip(12))], path, frames=5)
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    margin = image.shape[1] - 5 * 65
    assert image.shape[0] == 2 * 65
    assert margin > 100
    for row in (0, 1):
        label = image[65 * row : 65 * row + 64, :margin]
        assert label.max() > 150, "no label"
        assert label[:, -3:].max() == 0, "the label is cut off"
        assert image[65 * row + 30, margin + 10] == 1


def test_a_sheet_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no clip to show"):
        contact_sheet([], tmp_path / "sheet.png")
    with pytest.raises(DataError, match=r"^row: shape"):
        contact_sheet([("row", np.zeros((5, 64, 44), np.uint8))], tmp_path / "sheet.png")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        contact_sheet([("row", clip(5))], tmp_path / "file" / "sheet.png")

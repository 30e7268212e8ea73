"""Alignment in OpenGait's way, frame by frame, and what is left out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from gaitcrafter_ext.silhouettes.pretreat import align, align_all, at_border, image_files, read_mask


def body(
    height: int = 240, width: int = 320, left: int = 140, top: int = 40, tall: int = 128, wide: int = 32
) -> np.ndarray:
    """A white box on black."""
    frame = np.zeros((height, width), np.uint8)
    frame[top : top + tall, max(left, 0) : left + wide] = 255
    return frame


def test_a_box_fills_the_height_and_stands_in_the_middle() -> None:
    aligned = align(body())
    assert aligned is not None
    assert aligned.shape == (64, 64)
    assert aligned.dtype == np.uint8
    columns = np.flatnonzero(aligned.max(axis=0) > 127)
    assert (aligned[[0, -1]].max(axis=1) == 255).all()
    assert len(columns) == 16
    assert abs(columns.mean() - 31.5) <= 1


@pytest.mark.parametrize("left", [2, 60, 286])
def test_where_the_person_stands_does_not_matter(left: int) -> None:
    assert np.array_equal(align(body(left=left)), align(body(left=140)))


def test_a_person_at_the_edge_is_filled_up_with_background() -> None:
    aligned = align(body(left=0))
    assert aligned is not None
    assert np.flatnonzero(aligned.max(axis=0)).min() > 10


def test_the_centre_halves_the_mass() -> None:
    frame = body()
    frame[100:104, 172:240] = 255  # an arm
    aligned = align(frame)
    assert aligned is not None
    mass = aligned.sum(axis=0, dtype=int)
    assert mass[:32].sum() <= mass.sum() / 2 < mass[:33].sum()


def test_a_person_of_even_width_stands_astride_the_middle() -> None:
    aligned = align(body(height=64, width=64, left=10, top=0, tall=64, wide=16))
    assert aligned is not None
    assert np.flatnonzero(aligned.max(axis=0)).tolist() == list(range(24, 40))


def test_light_frames_are_passed_over() -> None:
    assert align(np.zeros((240, 320), np.uint8)) is None
    frame = np.zeros((240, 320), np.uint8)
    frame[0, :100] = 100
    assert align(frame) is None, "a mass of exactly 10000 is too light"
    frame[1, 0] = 1
    assert align(frame) is not None


def test_a_body_without_width_or_centre_is_passed_over() -> None:
    assert align(np.full((500, 1), 255, np.uint8)) is None
    assert align(np.full((64, 1), 255, np.uint8)) is None


def test_frames_that_are_left_out_are_counted_by_reason() -> None:
    masks = [
        ("a", body()),
        ("b", None),
        ("c", np.zeros((240, 320), np.uint8)),
        ("d", body(left=0)),
        ("e", (body() > 0).astype(np.uint8)),
        ("f", body(left=50)),
    ]
    result = align_all(masks)
    assert len(result.frames) == 3
    assert result.dropped == {
        "unreadable image": ["b"],
        "empty mask": ["c"],
        "mask of 0 and 1, expected 0 and 255 (multiply by 255)": ["e"],
    }
    assert result.border == ("d",)


def test_frames_at_the_border_can_be_left_out() -> None:
    result = align_all([("a", body()), ("b", body(left=0)), ("c", body(left=300))], drop_border=True)
    assert len(result.frames) == 1
    assert result.dropped == {"person at the border": ["b", "c"]}
    assert result.border == ()


def test_only_the_left_and_right_edges_are_borders() -> None:
    assert at_border(body(left=0))
    assert at_border(body(left=300))
    assert not at_border(body(top=0, tall=240))


def test_nothing_usable_gives_an_empty_clip() -> None:
    assert align_all([("a", None)]).frames.shape == (0, 64, 64)


def test_images_are_read_as_grey_and_what_is_none_is_none(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "colour.png"), np.dstack([body()] * 3))
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "empty.png").write_text("")
    assert np.array_equal(read_mask(tmp_path / "colour.png"), body())
    assert read_mask(tmp_path / "text.png") is None
    assert read_mask(tmp_path / "empty.png") is None


def test_images_are_ordered_by_number_and_energy_images_left_out(tmp_path: Path) -> None:
    for name in ["10.png", "9.png", "001-nm-01-000-gei.png", "notes.txt", ".hidden.png", "11.JPG"]:
        (tmp_path / name).write_text("")
    assert [path.name for path in image_files(tmp_path)] == ["9.png", "10.png", "11.JPG"]

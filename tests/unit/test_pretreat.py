"""Alignment in OpenGait's way, and masks of every kind that people have: the same clip comes out of all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gaitcrafter_ext.silhouettes.masks import Frame, decode, pieces
from gaitcrafter_ext.silhouettes.pretreat import AlignedClip, AlignOptions, align, align_all

Image = NDArray[Any]
RNG = np.random.default_rng(0)


def body(height: int = 240, width: int = 320, left: int = 100, top: int = 60, tall: int = 120, wide: int = 40) -> Image:
    frame = np.zeros((height, width), np.uint8)
    frame[top : top + tall, left : left + wide] = 255
    return frame


def walker(swing: int) -> Image:
    """A head, a trunk and two legs, uint8 [240, 320], 0 or 255."""
    mask = np.zeros((240, 320), np.uint8)
    cv2.circle(mask, (150, 60), 14, 255, -1)
    cv2.ellipse(mask, (150, 110), (18, 44), 0, 0, 360, 255, -1)
    for side in (-1, 1):
        cv2.line(mask, (150, 145), (150 + side * swing, 205), 255, 14)
    return mask


WALK = [walker(int(24 * np.sin(number))) for number in range(8)]


def aligned(images: list[Image], **options: bool) -> AlignedClip:
    frames: list[Frame] = [(str(number), lambda image=image: image) for number, image in enumerate(images)]  # type: ignore[misc]
    return align_all(frames, AlignOptions(**options))


def iou(first: Image, second: Image) -> float:
    one, two = first > 127, second > 127
    return float((one & two).sum() / (one | two).sum())


TRUE = aligned(WALK).frames


def through(suffix: str, *parameters: int) -> Callable[[Image], Image]:
    """What an image is after it was saved and read."""

    def saved(image: Image) -> Image:
        done = decode(cv2.imencode(suffix, image, parameters)[1].tobytes())
        assert done is not None
        return done

    return saved


def colours(image: Image) -> Image:
    return np.where(image[..., None] > 0, [0, 0, 128], 0).astype(np.uint8)  # red, as DAVIS and VOC draw a person


def noisy(image: Image) -> Image:
    return np.maximum(image, RNG.integers(0, 4, image.shape, np.uint8))


def labelled(image: Image) -> Image:
    """VOC: the person 15, an unsure edge 255."""
    return np.where(image > 0, np.where(cv2.erode(image, np.ones((9, 9))) > 0, 15, 255), 0).astype(np.uint8)


def with_alpha(image: Image) -> Image:
    cut = RNG.integers(0, 256, (*image.shape, 4), np.uint8)
    cut[..., 3] = image
    return cut


def with_neighbour(image: Image) -> Image:
    return np.maximum(image, np.roll(image, 90, axis=1)[::-1] * (np.arange(240)[:, None] > 100).astype(np.uint8))


def with_specks(image: Image) -> Image:
    spotted = image.copy()
    spotted[[5, 230], [10, 300]] = 255
    return spotted


GREYS, VALUE, BESIDE = "greys", "the person has the value", "pieces beside the person, left out"


@pytest.mark.parametrize(
    ("change", "least", "said"),
    [
        (lambda image: image // 255, 1.0, f"{VALUE} 1, taken for 255"),
        (labelled, 1.0, f"{VALUE} 15, 255, taken for 255"),
        (lambda image: through(".png")(colours(image)), 1.0, f"{VALUE} 128, taken for 255"),
        (lambda image: through(".png")(with_alpha(image)), 1.0, ""),
        (lambda image: through(".png")((image > 0) * np.uint16(65535)), 1.0, f"{VALUE} 65535, taken for 255"),
        (lambda image: image / 255.0, 1.0, f"{VALUE} 1, taken for 255"),
        (through(".webp", cv2.IMWRITE_WEBP_QUALITY, 101), 1.0, ""),
        (through(".jpg", cv2.IMWRITE_JPEG_QUALITY, 75), 0.98, GREYS),
        (lambda image: cv2.GaussianBlur(image, (5, 5), 0), 0.94, GREYS),
        (noisy, 1.0, GREYS),
        (with_specks, 1.0, BESIDE),
        (with_neighbour, 1.0, BESIDE),
    ],
)
def test_masks_of_every_kind_give_the_clip_of_the_plain_ones(
    change: Callable[[Image], Image], least: float, said: str
) -> None:
    clip = aligned([change(image) for image in WALK])
    assert clip.dropped == {}
    assert min(map(iou, clip.frames, TRUE)) >= least
    assert [kind for kind in clip.mended if said and said in kind] == list(clip.mended)


def test_a_head_that_comes_off_stays_with_its_body() -> None:
    headless = [image * (np.abs(np.arange(240)[:, None] - 72) > 2) for image in WALK]
    assert [len(pieces(image)) for image in headless] == [1] * 8
    assert min(map(iou, aligned(headless).frames, TRUE)) > 0.95


def test_inverted_masks_are_refused_and_turned_over_on_request() -> None:
    inverted = [255 - image for image in WALK]
    assert list(aligned(inverted).dropped) == [
        "white along the edge: the person is black (use --invert) or fills the picture"
    ]
    assert np.array_equal(aligned(inverted, invert=True).frames, TRUE)


def test_aligned_frames_of_every_size_and_type_stay_where_they_are() -> None:
    double = TRUE.repeat(2, axis=1).repeat(2, axis=2)
    for clip in (TRUE, TRUE[:, :, 10:54], double, double[:, :, 20:108], TRUE / 255.0, TRUE // 2):
        assert np.abs(aligned(list(clip)).frames.astype(int) - TRUE).max() <= 1
    assert np.array_equal(aligned(list(TRUE > 127)).frames > 127, TRUE > 127)
    moved = np.roll(TRUE, 6, axis=2)
    assert min(map(iou, aligned(list(moved)).frames, TRUE)) > 0.9


def test_photographs_are_no_masks() -> None:
    ramp = np.tile(np.linspace(40, 220, 320).astype(np.uint8), (240, 1))
    photos = [cv2.GaussianBlur(np.where(image > 0, 255 - ramp, ramp).astype(np.uint8), (5, 5), 0) for image in WALK]
    for shown in (photos, [np.dstack([photo] * 3) for photo in photos]):
        clip = aligned([through(".jpg")(image) for image in shown])
        assert list(clip.dropped) == ["greys all over: a photograph, not a mask; cut the person out first"]
        assert len(clip.frames) == 0


def test_as_opengait_takes_masks_as_they_are() -> None:
    clip = aligned([with_specks(image) for image in WALK], as_opengait=True)
    assert clip.mended == {}
    assert max(map(iou, clip.frames, TRUE)) < 0.6
    soft = cv2.GaussianBlur(WALK[0], (5, 5), 0)
    assert np.array_equal(aligned([soft], as_opengait=True).frames[0], align(soft))


def test_the_persons_height_becomes_64_rows_and_its_mass_is_centred() -> None:
    result = align(walker(20))
    assert result is not None
    assert result.shape == (64, 64)
    assert result.any(axis=1).all()
    mass = result.sum(axis=0, dtype=int)
    assert mass[:32].sum() <= mass.sum() / 2 < mass[:33].sum()

    even = align(body(height=64, width=64, left=10, top=0, tall=64, wide=16))
    assert even is not None
    assert np.flatnonzero(even.max(axis=0)).tolist() == list(range(24, 40)), "it stands astride the middle"


def test_frames_that_opengait_passes_over_are_passed_over() -> None:
    light = np.zeros((240, 320), np.uint8)
    light[0, :100] = 100  # a mass of exactly 10000 is too light
    for frame in (np.zeros((240, 320), np.uint8), light, np.full((500, 1), 255, np.uint8), np.full((64, 1), 255)):
        assert align(frame.astype(np.uint8)) is None
    light[1, 0] = 1
    assert align(light) is not None


def test_frames_that_are_left_out_are_counted_by_reason() -> None:
    assert decode(b"not an image") is None
    assert list(aligned([np.full((9, 9), np.nan)]).dropped) == ["empty mask"]
    images: list[Any] = [body(top=0, tall=240), None, np.zeros((240, 320), np.uint8), body(left=0), body(left=50)]
    result = aligned(images)
    assert len(result.frames) == 3
    assert result.dropped == {"unreadable image": ["1"], "empty mask": ["2"]}
    assert result.mended == {"person at the border, kept": ["3"]}
    result = aligned([images[0], body(left=0), body(left=300)], drop_border=True)
    assert len(result.frames) == 1
    assert result.dropped == {"person at the border": ["1", "2"]}
    assert aligned([None]).frames.shape == (0, 64, 64)  # type: ignore[list-item]

"""The codec between frames on disk and what a model sees."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gaitcrafter_ext.errors import DataError, UsageError
from gaitcrafter_ext.silhouettes.clip import check_frames, columns_lost, decode, encode, normalise, upsample


def every_grey() -> np.ndarray:
    """Two frames whose middle 48 columns hold every grey value, and whose sides are black."""
    frames = np.zeros((2, 64, 64), np.uint8)
    frames[:, :, 8:56] = np.arange(2 * 64 * 48).reshape(2, 64, 48) % 256
    return frames


def test_decode_undoes_encode_for_every_grey_value() -> None:
    assert np.array_equal(decode(encode(every_grey())), every_grey())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_decode_takes_any_float_type(dtype: torch.dtype) -> None:
    restored = decode(encode(every_grey()).to(dtype)).astype(int)
    assert np.abs(restored - every_grey()).max() <= 1


def test_the_range_is_minus_one_to_one_and_the_middle_is_kept() -> None:
    frames = np.zeros((3, 64, 64), np.uint8)
    frames[:, :, 31] = 255
    tensor = encode(frames, columns=44)
    assert tensor.shape == (3, 64, 44)
    assert tensor.dtype == torch.float32
    assert (tensor.min().item(), tensor.max().item()) == (-1.0, 1.0)
    assert (tensor[..., 21] == 1).all()


def test_encode_does_not_share_memory_with_the_frames() -> None:
    frames = every_grey()
    encode(frames, columns=64).zero_()
    assert np.array_equal(frames, every_grey())


def test_leading_axes_pass_through_and_values_beyond_the_range_are_clipped() -> None:
    tensor = torch.stack([torch.full((5, 64, 48), 3.0), torch.full((5, 64, 48), -3.0)])
    pixels = decode(tensor)
    assert pixels.shape == (2, 5, 64, 64)
    assert (pixels[0, :, :, 8:56] == 255).all()
    assert pixels[0, :, :, :8].max() == 0
    assert pixels[1].max() == 0


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(DataError, match="not finite"):
        decode(torch.full((2, 64, 48), float("nan")))


@pytest.mark.parametrize("columns", [0, 47, 66])
def test_an_impossible_width_is_refused(columns: int) -> None:
    with pytest.raises(UsageError, match="even numbers from 2 to 64"):
        encode(every_grey(), columns)


def test_frames_of_another_kind_are_not_encoded() -> None:
    with pytest.raises(DataError, match=r"float64 \[2, 64, 64\]"):
        encode(np.zeros((2, 64, 64)))
    with pytest.raises(DataError, match=r"\[2, 63, 48\]"):
        decode(torch.zeros(2, 63, 48))


def test_columns_lost_is_the_share_outside_the_middle() -> None:
    frames = np.zeros((2, 64, 64), np.uint8)
    frames[:, :, 7] = 50
    frames[:, :, 8] = 150
    assert columns_lost(frames, 48) == pytest.approx(0.25)
    assert columns_lost(frames, 64) == 0.0
    assert columns_lost(np.zeros_like(frames)) == 0.0


@pytest.mark.parametrize(
    ("array", "words"),
    [
        ([1, 2], "holds a list"),
        (np.zeros((5, 64, 64)), "dtype float64"),
        (np.zeros((5, 64, 44), np.uint8), r"shape \[5, 64, 44\]"),
        (np.zeros((64, 64), np.uint8), r"shape \[64, 64\]"),
        (np.zeros((0, 64, 64), np.uint8), "0 frame"),
        (np.zeros((1, 64, 64), np.uint8), "1 frame.*at least 2"),
    ],
)
def test_what_is_no_clip_is_refused_with_its_source(array: object, words: str) -> None:
    with pytest.raises(DataError, match=f"^somewhere: .*{words}"):
        check_frames(array, "somewhere")
    assert check_frames(every_grey(), "x", minimum=2) is not None


def disc(size: int) -> np.ndarray:
    """A walker-sized ellipse of ``size`` rows with an edge of one pixel."""
    rows, columns = (np.arange(size)[:, None] + 0.5) / size - 0.5, (np.arange(size)[None] + 0.5) / size - 0.5
    radius = np.hypot(rows / 0.47, columns / 0.2)
    slope = np.hypot(rows / 0.47**2, columns / 0.2**2) / np.maximum(radius, 1e-6)
    return np.rint(255 * np.clip(0.5 + (1 - radius) / np.maximum(slope, 1e-6) * size, 0, 1)).astype(np.uint8)[None]


def test_an_enlarged_clip_is_as_sharp_as_one_drawn_large() -> None:
    enlarged, drawn, blurred = upsample(disc(64)), disc(128), disc(64).repeat(2, axis=1).repeat(2, axis=2)
    grey = [((frames > 0) & (frames < 255)).sum() for frames in (enlarged, drawn, blurred)]
    assert grey[0] == pytest.approx(grey[1], rel=0.25)
    assert grey[2] > 1.5 * grey[1]
    error, coarse = (np.abs(frames.astype(int) - drawn).mean() for frames in (enlarged, blurred))
    assert error < 0.5 * coarse
    assert np.abs(normalise(enlarged).astype(int) - disc(64)).mean() < 0.5
    assert not upsample(np.zeros((2, 64, 64), np.uint8)).any()

"""Masks: closed-form statistics, real clips inside the real range, spoilt ones outside."""

from __future__ import annotations

import numpy as np
import pytest

from gaitcrafter_ext.audit.features import ClipFeatures, extract, thumbnails
from gaitcrafter_ext.audit.masks import mask_statistics, masks
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.vocabulary import ClipKey
from tests.stick_walkers import stick_clip, stick_people


def test_statistics_of_a_block_and_a_speck_are_what_one_counts() -> None:
    frame = np.zeros((64, 64), np.uint8)
    frame[4:60, 28:36] = 255
    frame[10:12, 0:2] = 255
    frame[60, 28:36] = 51
    found = mask_statistics(np.stack([frame, frame]))
    solid = 56 * 8 + 4
    assert found.area == pytest.approx((solid + 8 * 0.2) / 4096)
    assert found.largest == pytest.approx(448 / solid)
    assert (found.pieces, found.top, found.bottom, found.border, found.empty) == (2, 4, 59, 1, 0)
    assert found.centre == pytest.approx((448 * 31.5 + 4 * 0.5) / solid)
    assert found.grey == pytest.approx(8 / 4096)


def test_thumbnails_are_rounded_means_of_four_pixels() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 64, 64), dtype=np.uint8)
    wanted = frames.reshape(3, 32, 2, 32, 2).mean(axis=(2, 4))
    assert thumbnails(frames) == pytest.approx(wanted, abs=0.51)


def test_masks_of_real_clips_are_compared_at_the_synthetic_length() -> None:
    clip = stick_clip(0, 26.0, 60)
    key = ClipKey("000", "nm-01", "090")
    assert extract(key, clip, 30).masks == mask_statistics(clip[15:45]) != mask_statistics(clip)
    assert len(extract(key, clip, 30).frames) == 60


@pytest.fixture(scope="module")
def training() -> list[ClipFeatures]:
    return stick_people(("nm-01", "nm-02", "nm-03"), people=6)


@pytest.fixture(scope="module")
def held_out() -> list[ClipFeatures]:
    return stick_people(("nm-04",), people=6, seed=1)


def spoilt(name: str) -> list[ClipFeatures]:
    """Walkers that are noise, broken in two, shifted, or missing in some frames."""
    rng = np.random.default_rng(0)
    clips = []
    for person in range(4):
        clip = stick_clip(person, 26.0, 30)
        if name == "noise":
            clip = rng.integers(0, 256, clip.shape, dtype=np.uint8)
        elif name == "broken":
            clip[:, 28:31] = 0
        elif name == "shifted":
            clip = np.roll(clip, 5, axis=2)
        else:
            clip[::3] = 0
        clips.append(extract(ClipKey(f"{person:03d}", "nm-01", "090"), clip))
    return clips


@pytest.mark.parametrize(
    ("name", "statistic"), [("noise", "pieces"), ("broken", "largest"), ("shifted", "centre"), ("empty", "empty")]
)
def test_spoilt_masks_fall_outside_the_real_range(
    training: list[ClipFeatures], held_out: list[ClipFeatures], name: str, statistic: str
) -> None:
    result = masks(spoilt(name), held_out, training, np.random.default_rng(0))
    assert result.synthetic_outside.value == 1.0
    assert {each.name: each.synthetic_outside.value for each in result.statistics}[statistic] == 1.0


def test_training_clips_lie_inside_and_held_out_clips_nearly(
    training: list[ClipFeatures], held_out: list[ClipFeatures]
) -> None:
    result = masks(training, held_out, training, np.random.default_rng(0))
    assert all(each.synthetic.value == each.training for each in result.statistics)
    assert max(each.synthetic_outside.value for each in result.statistics) <= 2 / len(training)
    assert result.held_out_outside < 0.7


def test_clips_of_unknown_cells_are_left_out_and_none_at_all_is_refused(
    training: list[ClipFeatures], held_out: list[ClipFeatures]
) -> None:
    coats = stick_people(("cl-01",), people=2, frames=30)
    assert masks([*held_out, *coats], held_out, training, np.random.default_rng(0)).left_out == 2
    with pytest.raises(DataError, match="no synthetic clip is of a view and condition"):
        masks(coats, held_out, training, np.random.default_rng(0))
    with pytest.raises(DataError, match="no synthetic clip is of a view and condition"):
        masks([], held_out, training, np.random.default_rng(0))

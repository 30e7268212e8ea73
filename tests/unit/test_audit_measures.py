"""Copies, masks, motion, cadence, spaces of comparison and membership, on walkers that are drawn here."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.audit import copies as module
from gaitcrafter_ext.audit.card import Row
from gaitcrafter_ext.audit.clips import ClipFeatures, extract, mask_statistics, motion_statistics, small_geis
from gaitcrafter_ext.audit.copies import Match, best_shift, clip_distances, copies
from gaitcrafter_ext.audit.membership import clip_losses, losses_of_weights, membership
from gaitcrafter_ext.audit.motion import CONTROLS, cadence, masks, motion
from gaitcrafter_ext.audit.spaces import centred, fit_ordered, fit_style, gather
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.hardware import Process
from gaitcrafter_ext.metrics.features import FeatureSet, win_rates
from gaitcrafter_ext.metrics.variety import kid
from gaitcrafter_ext.silhouettes.parallel import Shared
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey
from tests.stick_walkers import CYCLES, stick_clip, stick_people
from tests.tiny import tiny_pipeline, tiny_tree

TRAINING = stick_people(("nm-01", "nm-02", "cl-01", "cl-02"), people=6)
HELD_OUT = stick_people(("nm-03", "cl-03"), seed=1)
HONEST = stick_people(("nm-01", "cl-01"), seed=2, frames=30)


def closer(found: tuple[list[Match], list[Match]]) -> float:
    return float(win_rates(*(np.array([match.distance for match in side]) for side in found)).mean())


def share(matches: list[Match]) -> float:
    return float(np.mean([match.copied for match in matches]))


def cut(clip: ClipFeatures) -> ClipFeatures:
    return replace(clip, frames=clip.frames[11:41])


def test_training_clips_passed_off_as_synthetic_are_all_copies() -> None:
    found = copies(([cut(clip) for clip in TRAINING], HELD_OUT, TRAINING))
    assert [share(side) for side in found] == [1.0, 0.0]
    assert closer(found) == 1.0
    assert all(match.nearest == match.clip and match.shift == 11 for match in found[0])


def test_honest_clips_keep_the_distance_of_held_out_ones() -> None:
    found = copies((HONEST, HELD_OUT, TRAINING))
    assert [share(side) for side in found] == [0.0, 0.0]
    assert 0.25 < closer(found) < 0.75


def test_a_copy_of_two_equal_takes_is_a_copy_and_the_same_take_filmed_twice_is_no_second_opinion() -> None:
    twin = replace(TRAINING[0], key=ClipKey("000", "nm-09", "090"))
    assert share(copies(([cut(TRAINING[0])] * 2, HELD_OUT, [*TRAINING, twin]))[0]) == 1.0
    filmed = [replace(clip, view_deg=None, key=replace(clip.key, view=at)) for clip in TRAINING for at in "ab"]
    asked = [replace(cut(clip), view_deg=None) for clip in TRAINING]
    assert share(copies((asked, HELD_OUT, filmed))[0]) == 1.0


def test_clips_without_two_training_takes_are_left_out_and_none_with_them_is_refused() -> None:
    without = [clip for clip in TRAINING if clip.condition == "nm" or str(clip.key) == "000/cl-01/090"]
    assert {match.cell for match in copies((HONEST, HELD_OUT, without))[0]} == {"090/nm"}
    for known in (0, 1):
        with pytest.raises(DataError, match="two training takes"):
            copies((HONEST, HELD_OUT, TRAINING[:known]))
    with pytest.raises(DataError, match="no synthetic clip"):
        copies(([], HELD_OUT, TRAINING))


def noise(seed: int, length: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (length, 6, 5), dtype=np.uint8)


def distance_naive(clip: np.ndarray, other: np.ndarray) -> float:
    short, long = sorted((clip, other), key=len)
    windows = [long[shift : shift + len(short)] for shift in range(len(long) - len(short) + 1)]
    return min(float(np.sqrt(np.mean((short / 255.0 - window / 255.0) ** 2))) for window in windows)


def test_every_pair_agrees_with_the_loop_whatever_lengths_and_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    clips = [noise(n, length) for n, length in enumerate((7, 7, 4, 11))]
    others = [noise(50 + n, length) for n, length in enumerate((9, 3, 7, 14, 7))]
    wanted = np.array([[distance_naive(clip, other) for other in others] for clip in clips])
    for batch in (2048, 12):
        monkeypatch.setattr(module, "BATCH_FRAMES", batch)
        assert clip_distances(clips, others) == pytest.approx(wanted, abs=1e-5)
    long = noise(0, 20)
    assert clip_distances([long[6:14]], [long])[0, 0] == pytest.approx(0.0, abs=1e-3)
    assert (best_shift(long[6:14], long), best_shift(long, long[6:14])) == (6, -6)


THREE_TAKES = stick_people(("nm-01", "nm-02", "nm-03"), people=6)
FOURTH_TAKE = stick_people(("nm-04",), people=6, seed=1)
WALKING = stick_people(("nm-01",), people=6, frames=30, seed=2)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_mask_statistics_of_a_block_and_a_speck_are_what_one_counts() -> None:
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
    clip = stick_clip(0, 26.0, 60)
    cut_short = extract(ClipKey("000", "nm-01", "090"), clip, 30)  # masks at the length of synthetic clips
    assert cut_short.masks == mask_statistics(clip[15:45]) != mask_statistics(clip)


def test_motion_statistics_of_a_block_that_jumps_are_what_one_counts() -> None:
    frames = np.zeros((30, 32, 32), np.uint8)
    frames[:, 8:24, 8:16] = 255
    frames[10, 8:24, 12:20] = 255
    frames[10, 8:24, 8:12] = 0
    found = motion_statistics(frames)
    assert found.iou == pytest.approx((27 + 2 * (4 / 12)) / 29)
    assert found.flicker == pytest.approx((16 * 8) / (28 * 16 * 8))


#: Statistic -> a walker [30, 64, 64] that is noise, broken in two, shifted, or missing in some frames.
SPOILT = {
    "pieces": lambda clip: rng().integers(0, 256, clip.shape, dtype=np.uint8),
    "largest": lambda clip: clip * (np.abs(np.arange(64) - 29) > 1)[:, None],
    "centre": lambda clip: np.roll(clip, 5, axis=2),
    "empty": lambda clip: clip * (np.arange(30) % 3 > 0)[:, None, None],
}


def measured(rows: list[Row]) -> dict[str, Row]:
    return {row.measure: row for row in rows}


def outside(row: Row) -> float:
    """Share of synthetic clips outside the real range of a statistic."""
    return int(re.findall(r"median; (\d+) % outside", row.note)[0]) / 100


def test_spoilt_masks_fall_outside_the_real_range_and_real_ones_inside() -> None:
    keys = [ClipKey(f"{person:03d}", "nm-01", "090") for person in range(4)]
    for statistic, spoil in SPOILT.items():
        spoilt = [extract(key, spoil(stick_clip(person, 26.0, 30))) for person, key in enumerate(keys)]
        rows = measured(masks((spoilt, FOURTH_TAKE, THREE_TAKES), rng()))
        assert rows["mask_outside"].value == 1.0
        assert outside(rows[statistic]) == 1.0
    result = measured(masks((THREE_TAKES, FOURTH_TAKE, THREE_TAKES), rng()))
    assert result["mask_outside"].floor < 0.7
    assert all(outside(row) <= 2 / len(THREE_TAKES) for name, row in result.items() if name != "mask_outside")
    coats = stick_people(("cl-01",), people=2, frames=30)
    assert masks(([*FOURTH_TAKE, *coats], FOURTH_TAKE, THREE_TAKES), rng())[0].count == len(FOURTH_TAKE)
    with pytest.raises(DataError, match="no synthetic clip is of a view and condition"):
        masks((coats, FOURTH_TAKE, THREE_TAKES), rng())


def test_walking_clips_move_like_held_out_ones_and_the_controls_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gaitcrafter_ext.audit.motion.JUDGED", 4)  # of many clips some are played backward
    rows = measured(motion((WALKING, FOURTH_TAKE, THREE_TAKES), rng()))
    assert (rows["forward"].value, rows["forward"].ceiling, rows["forward"].count) == (1.0, 1.0, 4)
    for name in ("iou", "flicker", "periodicity"):
        assert rows[name].value == pytest.approx(rows[name].floor, rel=0.1, abs=0.01)
    assert "controls: frozen 100 %, shuffled 100 %" in rows["motion_outside"].note
    assert re.search(r"controls: frozen 50 %, .*, reversed 0 %", rows["forward"].note)


def synthetic(cycles: tuple[float, ...]) -> list[ClipFeatures]:
    return stick_people(("nm-01", "nm-02"), people=6, frames=30, seed=2, cycles=cycles)


def test_people_who_keep_their_cadence_beat_the_median_and_others_do_not() -> None:
    (found,) = cadence((synthetic(CYCLES), FOURTH_TAKE, THREE_TAKES), rng())
    assert found.value < 0.5
    assert found.value == pytest.approx(found.floor, abs=0.2)
    assert found.chance == pytest.approx(np.mean(np.abs(np.array(CYCLES) - np.median(CYCLES))), abs=0.4)
    assert "cycle of 6 people" in found.note
    assert gain(found) == (pytest.approx(found.value - found.chance, abs=0.01), True)
    for cycles in ((26.0,) * 6, CYCLES[3:] + CYCLES[:3]):  # one for all, and swapped
        assert not gain(*cadence((synthetic(cycles), FOURTH_TAKE, THREE_TAKES), rng()))[1]


def gain(row: Row) -> tuple[float, bool]:
    """Difference to everyone given the median, and whether it is surely one for the better."""
    difference, high = re.findall(r"difference to that (\S+) \[\S+ (\S+)\]", row.note)[0]
    return float(difference), float(high) < 0


def test_frontal_frozen_and_novel_clips_are_left_out_and_one_person_is_refused() -> None:
    clips = synthetic(CYCLES)
    clips[0] = replace(clips[0], view_deg=0.0)
    clips[1] = replace(clips[1], frames=np.repeat(clips[1].frames[:1], 30, axis=0))
    clips[2] = replace(clips[2], key=replace(clips[2].key, identity="syn-0001"))
    (found,) = cadence((clips, FOURTH_TAKE, THREE_TAKES), rng())
    assert (found.note.endswith("3 clips left out"), found.count) == (True, 9)
    with pytest.raises(DataError, match="1 people have both"):
        cadence((clips[4:6], FOURTH_TAKE, THREE_TAKES), rng())


FRESH = stick_people(("nm-01", "nm-02", "cl-01", "cl-02"), people=6, seed=1)
SPACE = fit_ordered(TRAINING, length=45)


def test_the_views_mean_is_taken_off_and_the_rest_is_of_unit_length() -> None:
    clips = small_geis(TRAINING)
    found = centred(clips, clips).vectors
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    rest = clips.vectors[0] - clips.vectors.mean(axis=0)
    np.testing.assert_allclose(found[0], rest / np.linalg.norm(rest), atol=1e-5)
    with pytest.raises(DataError, match="no real clip of view 090"):
        centred(clips.where(np.zeros(len(clips), bool)), clips)


def test_style_tells_conditions_apart_and_not_people() -> None:
    takes = tuple(f"{condition}-{number:02d}" for condition in ("nm", "cl") for number in range(1, 6))
    style = fit_style(small_geis(stick_people(takes, people=6, frames=30)))(small_geis(FRESH))
    assert style.vectors.shape == (len(FRESH), 1)
    nm, cl = (style.vectors[style.condition == name] for name in ("nm", "cl"))
    assert abs(nm.mean() - cl.mean()) > 2 * max(nm.std(), cl.std())
    with pytest.raises(DataError, match="6 training clips of 1 view"):
        fit_style(small_geis([clip for clip in TRAINING if clip.key.take == "nm-01"]))


def test_spoilt_time_scores_worse_than_new_real_clips() -> None:
    def distance(clips: list[ClipFeatures]) -> float:
        return kid(SPACE(clips).vectors, SPACE(TRAINING).vectors, np.random.default_rng(1)).value

    floor, rng = distance(FRESH), np.random.default_rng(0)
    for name, spoil in CONTROLS.items():
        spoilt = [replace(clip, frames=spoil(clip.frames, rng)) for clip in FRESH]
        assert distance(spoilt) > floor + 0.1, name


def test_the_phase_a_clip_begins_with_tells_nothing() -> None:
    clips = stick_people(("nm-01",), people=6, frames=90)
    early, late = (SPACE([replace(c, frames=c.frames[at : at + 45]) for c in clips]).vectors for at in (20, 30))
    assert np.linalg.norm(early - late) < 0.5 * np.linalg.norm(early - np.roll(early, 1, axis=0))


def squares(rows: range) -> np.ndarray:
    return np.array([[row**2, row] for row in rows], np.float32).reshape(-1, 2)


def test_the_first_process_embeds_what_another_left_undone_and_its_own_files_may_all_be_broken(tmp_path: Path) -> None:
    found = gather(Shared(tmp_path, Process(0, 2)), "x", 3, squares)
    assert found is not None
    assert found.tolist() == squares(range(3)).tolist()
    gather(Shared(tmp_path, Process(1, 2)), "y", 3, squares)
    found = gather(Shared(tmp_path, Process(0, 2)), "y", 3, lambda rows: np.zeros((len(rows), 0), np.float32))
    assert found is not None
    np.testing.assert_array_equal(found, [[np.nan] * 2, [1, 1], [np.nan] * 2])


def losses(values: np.ndarray, views: tuple[str, ...] = ("054", "090")) -> FeatureSet:
    """Of two clips a person, of the views in turn."""
    keys = [ClipKey(f"{number // 2:03d}", "nm-01", views[number % len(views)]) for number in range(len(values))]
    return FeatureSet.of(values[:, None], keys, ["nm"] * len(values))


def test_lower_losses_give_training_clips_away_and_equal_ones_do_not() -> None:
    rng = np.random.default_rng(0)
    leaky = membership(losses(rng.uniform(0, 1, 100)), losses(rng.uniform(0.9, 1.9, 100)), rng)
    assert leaky.value > 0.95
    fair = membership(losses(rng.uniform(size=100)), losses(rng.uniform(size=100)), rng)
    assert fair.value == pytest.approx(0.5, abs=0.1)
    assert fair.low < fair.value < fair.high
    assert membership(losses(np.ones(100)), losses(np.ones(100)), rng).value == 0.5


def test_a_view_that_is_harder_does_not_pass_for_membership() -> None:
    rng, harder = np.random.default_rng(0), np.resize([1.0, 0.0], 100)
    known, new = (losses(harder + rng.uniform(size=100)) for _ in range(2))
    mostly_hard = known.where((harder == 1) | (np.arange(100) < 30))
    assert membership(mostly_hard, new, rng).value == pytest.approx(0.5, abs=0.1)


def test_without_common_cells_or_weights_that_denoise_there_is_no_answer(tmp_path: Path) -> None:
    rng, store = np.random.default_rng(0), SilhouetteStore(tmp_path)
    with pytest.raises(DataError, match="both training and held-out"):
        membership(losses(np.ones(2)), losses(np.ones(2), ("000",)), rng)
    student = tiny_pipeline()
    student.register_to_config(baked_in=True)
    student.save_pretrained(tmp_path / "student")
    for weights, message in (
        (None, "--weights"),
        (str(tmp_path / "nowhere"), "no weights at"),
        (str(tmp_path / "student"), "distilled and denoise no real clips"),
    ):
        with pytest.raises(DataError, match=message):
            losses_of_weights(weights, store, [], [], rng, "cpu")


def test_losses_do_not_depend_on_other_clips(tmp_path: Path) -> None:
    store, pipeline = SilhouetteStore(tiny_tree(tmp_path) / "pkl"), tiny_pipeline()
    keys = [key for key in store.keys() if key.take in ("nm-01", "nm-03")]  # noqa: SIM118
    every, some = clip_losses(pipeline, store, keys), clip_losses(pipeline, store, keys[3:5])
    np.testing.assert_allclose(every[3:5], some, rtol=1e-4)
    assert (every > 0).all()
    pipeline.save_pretrained(tmp_path / "weights")
    sides = ([key for key in keys if (key.take == "nm-03") is held] for held in (False, True))
    found = losses_of_weights(str(tmp_path / "weights"), store, *sides, np.random.default_rng(0), device="cpu")
    assert [sorted({key.take for key in side.keys}) for side in found] == [["nm-01"], ["nm-03"]]
    assert [len(side) for side in found] == [4, 4]

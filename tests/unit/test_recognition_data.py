"""Whom a batch holds, that it is a function of the seed and its number, and how clips are augmented."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from gaitcrafter_ext.errors import DataError, UsageError
from gaitcrafter_ext.recognition.data import PKSampler, TrainingSet, augment, training_set
from gaitcrafter_ext.recognition.mixing_schedule import read_schedule
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey


def write(root: Path, clips: list[tuple[str, str]], view: str = "090") -> SilhouetteStore:
    """Clips whose every pixel tells the person (tens) and the frame (ones)."""
    store = SilhouetteStore(root, create=True)
    for identity, take in clips:
        store.write(ClipKey(identity, take, view), clip(*range(10 * int(identity[-1]), 10 * int(identity[-1]) + 5)))
    return store


def clip(*values: int) -> np.ndarray:
    """Frames of one value each, and a white pixel."""
    frames = np.repeat(np.array(values, np.uint8), 64 * 64).reshape(-1, 64, 64)
    frames[:, 40, 40] = 255
    return frames


@pytest.fixture
def real(tmp_path: Path) -> SilhouetteStore:
    return write(tmp_path / "real", [(f"00{p}", f"nm-0{t}") for p in range(1, 6) for t in range(1, 5)])


@pytest.fixture
def people(real: SilhouetteStore) -> TrainingSet:
    return training_set(real, Partition(("001", "002", "003", "004"), ("005",)))


def test_a_batch_holds_p_people_of_the_train_set_k_clips_of_each_and_l_frames(people: TrainingSet) -> None:
    batch = PKSampler(people, (3, 2, 4), seed=0).batch(0)
    assert batch.frames.shape == (3 * 2 * 4, 64, 44)
    assert batch.lengths == (4,) * 6
    assert sorted(Counter(batch.labels.tolist()).values()) == [2, 2, 2]
    told = [people.people[label] for label in batch.labels for _ in range(4)]
    assert [int(person[-1]) for person in told] == (batch.frames[:, 0, 0] // 10).tolist()
    whole = PKSampler(people, (4, 4, 5), seed=0).batch(0)
    assert set((whole.frames[:, 0, 0] // 10).tolist()) == {1, 2, 3, 4}
    assert all(len(set(frames.tolist())) == 5 for frames in whole.frames[:, 0, 0].reshape(16, 5))  # none comes twice
    assert len(PKSampler(people, (2, 6, 9), seed=0).batch(0).labels) == 12


def test_a_batch_depends_on_seed_and_number_and_clips_are_read_once(
    people: TrainingSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[ClipKey] = []
    read = SilhouetteStore.read
    monkeypatch.setattr(SilhouetteStore, "read", lambda self, key: reads.append(key) or read(self, key))
    first = PKSampler(people, (4, 4, 4), seed=1)
    batches = [first.batch(number).frames for number in range(6)]
    assert len(reads) == 16
    again = PKSampler(people, (4, 4, 4), seed=1, budget_gib=0)
    assert np.array_equal(batches[5], again.batch(5).frames)
    assert np.array_equal(batches[0], again.batch(0).frames)
    assert len(reads) == 16 + 2 * 16
    assert not np.array_equal(batches[5], batches[0])
    assert not np.array_equal(batches[5], PKSampler(people, (4, 4, 4), seed=2).batch(5).frames)


def test_synthetic_clips_of_known_people_share_their_label(real: SilhouetteStore, tmp_path: Path) -> None:
    synthetic = write(tmp_path / "synthetic", [("001", "nm-01"), ("syn-0007", "nm-01")])
    both = training_set(real, Partition(("001", "002"), ("005",)), [synthetic])
    assert both.people == ("001", "002", "syn-0007")
    assert len(both.of["001"]) == 5
    assert both.novel == ("syn-0007",)


def synthetic_pixels(sampler: PKSampler, number: int) -> int:
    """How many frames of a batch are of people 6 to 9, who are synthetic."""
    return int((sampler.batch(number).frames[:, 0, 0] // 10 >= 6).sum())


def test_the_synthetic_share_sets_how_many_people_of_a_batch_are_novel(real: SilhouetteStore, tmp_path: Path) -> None:
    synthetic = write(tmp_path / "synthetic", [(f"syn-000{n}", "nm-01") for n in range(6, 9)])
    both = training_set(real, Partition(("001", "002", "003"), ("005",)), [synthetic])
    quarter = PKSampler(both, (4, 1, 1), seed=0, synthetic_share=((0, 0.25),))
    assert [synthetic_pixels(quarter, n) for n in range(10)] == [1] * 10
    half = PKSampler(both, (3, 1, 1), seed=0, synthetic_share=((0, 0.5),))
    assert np.mean([synthetic_pixels(half, n) for n in range(200)]) == pytest.approx(1.5, abs=0.15)
    falling = PKSampler(both, (2, 1, 1), seed=0, synthetic_share=((0, 1.0), (10, 0.0)))
    assert [synthetic_pixels(falling, n) for n in (0, 5, 10, 20)] == [2, 1, 0, 0]


def test_without_novel_people_the_share_is_one_of_each_persons_clips(real: SilhouetteStore, tmp_path: Path) -> None:
    synthetic = SilhouetteStore(tmp_path / "synthetic", create=True)
    for take in ("nm-01", "nm-02"):
        synthetic.write(ClipKey("001", take, "090"), clip(*[60] * 5))
    both = training_set(real, Partition(("001", "002"), ("005",)), [synthetic])
    sampler = PKSampler(both, (2, 4, 1), seed=0, synthetic_share=((0, 0.5),))
    assert [synthetic_pixels(sampler, n) for n in range(5)] == [2] * 5
    with pytest.raises(UsageError, match=r"synthetic share 0\.5 to 0\.5: there are 8 real and 0 synthetic clips"):
        PKSampler(training_set(real, Partition(("001", "002"))), (4, 1, 1), seed=0, synthetic_share=((0, 0.5),))


def test_a_share_is_a_number_or_points_and_anything_else_is_refused_and_named() -> None:
    assert read_schedule("0.5") == ((0, 0.5),)
    assert read_schedule("0:1,150:0") == ((0, 1), (150, 0))
    for text in ("1.5", "half", "0:1,150", "10:1,10:0"):
        with pytest.raises(UsageError, match=f"synthetic share: found '{text}'"):
            read_schedule(text)


def test_sets_that_cannot_be_trained_on_are_refused(real: SilhouetteStore, tmp_path: Path) -> None:
    synthetic = write(tmp_path / "synthetic", [("005", "nm-01")])
    with pytest.raises(DataError, match="005, who is in TEST_SET"):
        training_set(real, Partition(("001", "002"), ("005",)), [synthetic])
    with pytest.raises(DataError, match="at least 2"):
        training_set(real, Partition(("001",)))


def test_augmentation_changes_about_half_of_the_clips_and_the_rng_decides_which() -> None:
    clips = torch.ones(200, 2, 64, 44)
    changed = augment(clips, np.random.default_rng(0))
    assert torch.equal(changed, augment(clips, np.random.default_rng(0)))
    assert torch.equal(clips, torch.ones_like(clips))
    same = (changed == clips).flatten(1).all(1).float().mean()
    assert 0.4 < same < 0.6  # 0.7 * 0.7, and rotations too small to see
    assert torch.equal(changed[:, 0], changed[:, 1])  # all frames of a clip alike
    holes = changed[:, 0] == 0
    unturned = torch.stack([rows.any(1).sum() * rows.any(0).sum() == rows.sum() for rows in holes]) & holes.any((1, 2))
    shares = holes[unturned].float().mean((1, 2))
    assert len(shares) > 15
    assert ((shares > 0.045) & (shares < 0.205)).all()
    middle = torch.zeros(200, 1, 63, 43)
    middle[:, :, 30:33, 20:23] = 1
    turned = augment(middle, np.random.default_rng(2))[:, 0, 31, 21]
    assert (turned > 0.9).float().mean() > 0.8  # the rest was erased

from pathlib import Path

import numpy as np
import pytest
import torch

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.generator.config import DatasetConfig
from gaitcrafter_ext.generator.data import ClipLibrary, hold_out, vocabulary_of
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import CASIA_B_TAKES, ClipKey, take_names
from tests.stick_walkers import stick_clip
from tests.tiny import PEOPLE, tiny_clip, tiny_config, tiny_library, tiny_tree

KEYS = [
    ClipKey(person, take, view) for person in PEOPLE for take in take_names(CASIA_B_TAKES) for view in ("000", "090")
]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ClipLibrary:
    return tiny_library(tiny_tree(tmp_path_factory.mktemp("tree")), tiny_config())


def test_the_last_take_of_each_condition_is_held_out() -> None:
    training, held = hold_out(KEYS, DatasetConfig(), 1)
    assert {key.take for key in held} == {"nm-06", "bg-02", "cl-02"}
    assert {key.take for key in training} == set(take_names(CASIA_B_TAKES)) - {"nm-06", "bg-02", "cl-02"}
    assert len(training) + len(held) == len(KEYS)


def test_the_only_take_of_a_condition_is_trained_on() -> None:
    training, held = hold_out([key for key in KEYS if key.take in ("nm-01", "nm-02", "cl-01")], DatasetConfig(), 1)
    assert {key.take for key in held} == {"nm-02"}
    assert {key.take for key in training} == {"nm-01", "cl-01"}


def test_vocabulary_is_in_canonical_order() -> None:
    words = vocabulary_of(reversed(KEYS), DatasetConfig())
    assert words.identities == PEOPLE
    assert words.conditions == ("nm", "bg", "cl")
    assert words.views == {"000": 0.0, "090": 90.0}


@pytest.mark.parametrize(("balance", "share_of_cl"), [(0.0, 1 / 3), (1.0, 1 / 2)])
def test_weights_balance_conditions_as_asked(library: ClipLibrary, balance: float, share_of_cl: float) -> None:
    weights = library.weights(balance)
    assert weights.sum() == pytest.approx(1.0)
    assert weights[library.condition == 1].sum() == pytest.approx(share_of_cl)
    assert weights[library.person == 0].sum() == pytest.approx(0.5)


def test_a_keyed_draw_is_the_same_again_and_another_key_differs(library: ClipLibrary) -> None:
    cumulative = np.cumsum(library.weights(0.5))
    first, again, other = (library.draw(8, np.random.default_rng(key), cumulative) for key in (1, 1, 2))
    assert torch.equal(first.clean, again.clean)
    assert not torch.equal(first.clean, other.clean)


def test_windows_carry_their_own_labels(library: ClipLibrary) -> None:
    batch = library.draw(32, np.random.default_rng(0), np.cumsum(library.weights(0.5)))
    width = (batch.clean > 0).float().sum(dim=(1, 2, 3))
    assert batch.clean.shape == (32, 30, 64, 48)
    assert width[batch.code[:, 1] == 1].min() > width[batch.code[:, 0] == 1].max()


def test_clips_that_are_too_short_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store, config = SilhouetteStore(tiny_tree(tmp_path) / "pkl"), tiny_config()
    store.write(KEYS[0], tiny_clip(0, 0, frames=12))
    found = tiny_library(tmp_path, config)
    assert "1 of 12 clips are shorter than 30 frames" in caplog.text
    assert len(found) == 11


def test_the_range_of_gait_cycles_is_read_from_views_that_tell(tmp_path: Path) -> None:
    store = SilhouetteStore(tmp_path, create=True)
    for number, cycle in enumerate((25.0, 27.0, 29.0), start=1):
        store.write(ClipKey(f"sim-00{number}", "nm-01", "090"), stick_clip(number, cycle))
        store.write(ClipKey(f"sim-00{number}", "nm-01", "000"), stick_clip(number, 20.0))
    keys = store.keys()
    words = vocabulary_of(keys, DatasetConfig())
    shortest, longest = ClipLibrary(store, keys, words, DatasetConfig(), 30, 48).gait_cycle or (0, 0)
    assert (shortest, longest) == (pytest.approx(25.0, abs=0.7), pytest.approx(29.0, abs=0.7))
    frontal = [key for key in keys if key.view == "000"]
    assert ClipLibrary(store, frontal, words, DatasetConfig(), 30, 48).gait_cycle is None
    named = DatasetConfig(views={"000": 90.0, "090": 0.0})
    words = vocabulary_of(keys, named)
    assert ClipLibrary(store, keys, words, named, 30, 48).gait_cycle == (pytest.approx(20.0, abs=0.7),) * 2


def test_a_tree_of_short_clips_is_refused(tmp_path: Path) -> None:
    store = SilhouetteStore(tmp_path, create=True)
    store.write(KEYS[0], tiny_clip(0, 0, frames=12))
    words = vocabulary_of(KEYS, DatasetConfig())
    with pytest.raises(DataError, match="none of 1 clips has 30 frames"):
        ClipLibrary(store, store.keys(), words, DatasetConfig(), 30, 48)

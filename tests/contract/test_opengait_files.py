"""Our files are OpenGait's files: its own pretreatment agrees to the byte.

``make test-opengait`` runs them; $OPENGAIT_ROOT names the checkout.
"""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from gaitcrafter_ext.silhouettes.ingest import IngestOptions, find_walks, ingest_walks
from gaitcrafter_ext.silhouettes.pretreat import align
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey
from tests.opengait_fakes import CHECKOUT

# The script leaves closing to chance.
pytestmark = [pytest.mark.opengait, pytest.mark.filterwarnings("ignore::ResourceWarning")]

Pretreat = Callable[[ClipKey, list[Path], Path], None]


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Pretreat:
    """OpenGait's own pretreatment of one walk: its name, its pictures, where to write."""
    monkeypatch.syspath_prepend(CHECKOUT / "datasets")
    pretreat = importlib.import_module("pretreatment").imgs2pickle
    return lambda key, pictures, out: pretreat(((key.identity, key.take, key.view), pictures), str(out))


def random_mask(rng: np.random.Generator) -> np.ndarray:
    """A person-like blob of any size and place in a picture, sometimes grey, at the border, or nearly nothing."""
    mask = np.zeros((int(rng.integers(60, 260)), int(rng.integers(60, 340))), np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        centre = (int(rng.integers(-5, mask.shape[1] + 5)), int(rng.integers(-5, mask.shape[0] + 5)))
        axes = (int(rng.integers(1, 30)), int(rng.integers(2, 80)))
        cv2.ellipse(mask, centre, axes, float(rng.integers(0, 40)), 0, 360, int(rng.choice([255, 255, 90])), -1)
    return mask


def test_align_equals_opengaits_pretreatment(theirs: Pretreat, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    kept = 0
    for number in range(300):
        path, mask, key = tmp_path / f"{number:03d}.png", random_mask(rng), ClipKey("001", "nm-01", f"{number:03d}")
        cv2.imwrite(str(path), mask)
        theirs(key, [path], tmp_path / "theirs")
        written = tmp_path / "theirs" / key.path()
        ours = align(mask)
        assert (ours is not None) == written.is_file()
        if ours is not None:
            kept += 1
            assert np.array_equal(ours, pickle.loads(written.read_bytes())[0]), number
    assert 100 < kept < 300


def test_a_whole_raw_tree_gives_the_same_clips(theirs: Pretreat, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for walk in ("nm-01/000", "nm-01/090", "cl-02/000", "cl-02/090"):
        folder = tmp_path / "raw/007" / walk
        folder.mkdir(parents=True)
        for number in range(8):
            mask = cv2.ellipse(np.zeros((240, 320), np.uint8), (60 + 9 * number, 120), (15, 60), 0, 0, 360, 255, -1)
            mask[120:, ::2] *= np.uint8(rng.integers(0, 2))
            cv2.imwrite(str(folder / f"{number:03d}.png"), mask)
    store = SilhouetteStore(tmp_path / "ours", create=True)
    ingest_walks(find_walks(tmp_path / "raw"), store.root, IngestOptions())
    for walk in find_walks(tmp_path / "raw"):
        assert walk.key is not None
        theirs(walk.key, list(walk.path.glob("*.png")), tmp_path / "theirs")
    expected = SilhouetteStore(tmp_path / "theirs")
    assert store.keys() == expected.keys()
    assert len(store.keys()) == 4
    assert all(np.array_equal(store.read(key), expected.read(key)) for key in expected)

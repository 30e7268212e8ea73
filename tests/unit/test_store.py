"""The OpenGait tree: what is written is read again, and what is wrong is named."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.errors import DataError, MissingError, StorageError
from gaitcrafter_ext.silhouettes.clip import gei, normalise, upsample, window
from gaitcrafter_ext.silhouettes.dataset import DatasetConfig, load_dataset
from gaitcrafter_ext.silhouettes.store import SilhouetteStore, read_clip, read_frames, write_clip
from gaitcrafter_ext.vocabulary import ClipKey

KEY = ClipKey("001", "nm-01", "090")
FRAMES = np.random.default_rng(0).integers(0, 256, (5, 64, 64), dtype=np.uint8)


def save(path: Path, thing: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(thing))
    return path


def test_a_clip_that_is_written_is_read_again_and_equal_frames_give_equal_files(tmp_path: Path) -> None:
    store = SilhouetteStore(tmp_path)
    path = store.write(KEY, FRAMES)
    assert path == tmp_path / "001" / "nm-01" / "090" / "090.pkl"
    assert np.array_equal(store.read(KEY), FRAMES)
    assert KEY in store
    assert ClipKey("001", "nm-02", "090") not in store
    write_clip(tmp_path / "again.pkl", FRAMES.copy())
    assert (tmp_path / "again.pkl").read_bytes() == path.read_bytes()


def test_no_unfinished_file_ever_lies_in_a_view_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # OpenGait reads every file of a view folder, also what a killed write leaves there.
    staged: list[Path] = []
    rename = os.replace
    monkeypatch.setattr(os, "replace", lambda source, target: (staged.append(Path(source)), rename(source, target)))
    SilhouetteStore(tmp_path).write(KEY, FRAMES)
    assert [path.parent for path in staged] == [tmp_path]


def test_keys_are_sorted_links_are_followed_and_stray_files_are_passed_over(tmp_path: Path) -> None:
    store = SilhouetteStore(tmp_path)
    keys = [ClipKey("010", "bg-01", "018"), ClipKey("002", "nm-01", "090"), ClipKey("002", "cl-01", "090")]
    for key in keys:
        store.write(key, FRAMES)
    (tmp_path / ".DS_Store").write_text("")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "partition.json").write_text("")
    (tmp_path / "002" / "nm-02" / "090").mkdir(parents=True)
    (tmp_path / "002" / "nm-01" / "090" / "second.pkl").write_text("")
    (tmp_path / "011").symlink_to(tmp_path / "010")
    keys.append(ClipKey("011", "bg-01", "018"))
    assert store.keys() == sorted(keys)
    assert store.identities() == ["002", "010", "011"]


def pickles(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True)
    for name in names:
        write_clip(folder / name, FRAMES)


def test_a_root_without_a_clip_says_what_lies_there_instead(tmp_path: Path) -> None:
    def refused(root: Path) -> str:
        root.mkdir(exist_ok=True)
        with pytest.raises(
            MissingError, match=r"holds no clip; expected <identity>/<take>/<view>/<view>\.pkl; "
        ) as caught:
            SilhouetteStore(root).require_keys()
        return str(caught.value)

    assert "there is no pickle in it" in refused(tmp_path / "empty")
    pickles(tmp_path / "deep" / "pkl" / "001" / "nm-01" / "090", "090.pkl")
    assert f"1 folder level(s) too many: did you mean {tmp_path / 'deep' / 'pkl'}?" in refused(tmp_path / "deep")
    assert "1 folder level(s) too few" in refused(tmp_path / "deep" / "pkl" / "001")
    pickles(tmp_path / "star" / "001" / "nm-01" / "090", "090-aligned-sils.pkl", "090-ratios.pkl")
    assert "hold 090-aligned-sils.pkl, 090-ratios.pkl: name one by dataset.file" in refused(tmp_path / "star")


def test_the_datasets_file_is_read_and_written_beside_others(tmp_path: Path) -> None:
    pickles(tmp_path / "001" / "nm-01" / "090", "090-ratios.pkl")
    store = SilhouetteStore(tmp_path, load_dataset("casia-b-star"))
    assert store.keys() == []
    path = store.write(KEY, FRAMES)
    assert path.name == "090-aligned-sils.pkl"
    assert store.keys() == [KEY]
    assert np.array_equal(store.read(KEY), FRAMES)


@pytest.mark.parametrize("size", [(64, 44), (128, 128), (128, 88)])
def test_clips_of_every_size_are_read_as_64x64(tmp_path: Path, size: tuple[int, int]) -> None:
    middle = np.zeros((5, 64, 64), np.uint8)
    middle[:, :, 10:54] = FRAMES[:, :, 10:54]
    margin = (64 - size[1] * 64 // size[0]) // 2
    stored = middle[:, :, margin : 64 - margin].repeat(size[0] // 64, axis=1).repeat(size[0] // 64, axis=2)
    save(tmp_path / "001" / "nm-01" / "090" / "090.pkl", stored)
    store = SilhouetteStore(tmp_path)
    assert np.array_equal(store.read(KEY), middle)
    assert read_frames(store.path(KEY)).shape == (5, *size)
    assert store.look([KEY]).columns == (64 if size[0] == size[1] else 44)


def test_clips_are_written_as_wide_as_the_datasets(tmp_path: Path) -> None:
    store = SilhouetteStore(tmp_path, DatasetConfig(columns=44))
    store.write(KEY, FRAMES)
    assert np.array_equal(read_frames(store.path(KEY)), FRAMES[:, :, 10:54])
    store.write(KEY, upsample(FRAMES))
    assert read_frames(store.path(KEY)).shape == (5, 128, 88)


def test_what_is_no_clip_is_neither_read_nor_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"bad\.pkl: .*shape \[5, 64, 40\]"):
        read_clip(save(tmp_path / "bad.pkl", FRAMES[:, :, 10:50]))
    for frames in (FRAMES[:1], FRAMES / 255.0, FRAMES[:, :32]):
        with pytest.raises(DataError):
            SilhouetteStore(tmp_path).write(KEY, frames)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.pkl"]


def test_a_root_or_clip_that_is_missing_or_no_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="nowhere"):
        SilhouetteStore(tmp_path / "nowhere")
    with pytest.raises(MissingError, match=r"nothing\.pkl"):
        read_clip(tmp_path / "nothing.pkl")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        SilhouetteStore(tmp_path / "file" / "root", create=True)
    with pytest.raises(StorageError, match="cannot read"):
        read_clip(tmp_path)


def test_the_mean_over_time_and_the_middle() -> None:
    clip = np.broadcast_to(np.arange(1, 6, dtype=np.uint8)[:, None, None], (5, 64, 64))
    assert (gei(clip) == 3).all()
    assert (gei(clip).dtype, gei(clip).shape) == (np.float32, (64, 64))
    assert window(clip, 3)[:, 0, 0].tolist() == [2, 3, 4]
    assert len(window(clip, 9)) == 5


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

"""Where walks come from: trees, archives, pickles, OU-MVLP's own folders; and what is said where none is found."""

from __future__ import annotations

import io
import pickle
import tarfile
import time
import zipfile
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest

from gaitcrafter_ext.errors import DataError, MissingError
from gaitcrafter_ext.silhouettes.dataset import load_dataset
from gaitcrafter_ext.silhouettes.ingest import Ingested, IngestOptions, find_walks, ingest_walks
from gaitcrafter_ext.silhouettes.pretreat import align
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey

KEYS = [ClipKey("001", "nm-01", "090"), ClipKey("001", "nm-01", "108"), ClipKey("002", "cl-01", "090")]


def person(number: int) -> np.ndarray:
    mask = np.zeros((120, 160), np.uint8)
    cv2.ellipse(mask, (60 + number, 60), (10 + number % 4, 45), 0, 0, 360, 255, -1)
    return mask


MASKS = [person(number) for number in range(12)]
CLIP = np.stack([frame for frame in map(align, MASKS) if frame is not None])


def png(image: np.ndarray, suffix: str = ".png") -> bytes:
    return bytes(cv2.imencode(suffix, np.dstack([image] * 3) if suffix == ".gif" else image)[1].tobytes())


def pictures(key: ClipKey, suffix: str = ".png") -> dict[str, bytes]:
    return {f"{key}/{number + 1}{suffix}": png(mask, suffix) for number, mask in enumerate(MASKS)}


def tar(files: dict[str, bytes], mode: Literal["w:gz", "w:xz"] = "w:gz") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def write(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def ingest(source: Path, out: Path, preset: str | None = None) -> dict[ClipKey, Ingested]:
    options = IngestOptions(dataset=load_dataset(preset))
    return {result.key: result for result in ingest_walks(find_walks(source), out, options)}


def check(source: Path, out: Path, keys: list[ClipKey], preset: str | None = None) -> None:
    """Every walk of ``source`` becomes the clip of the twelve masks, and a second run finds them there."""
    assert {key: result.state for key, result in ingest(source, out, preset).items()} == dict.fromkeys(keys, "written")
    store = SilhouetteStore(out, load_dataset(preset))
    assert store.keys() == keys
    assert all(np.array_equal(store.read(key), CLIP) for key in keys)
    assert {result.state for result in ingest(source, out, preset).values()} == {"kept"}


def test_a_tree_of_pictures_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    write(tmp_path / "others", {**pictures(KEYS[0], ".gif"), **pictures(KEYS[1], ".webp")})
    assert [result.frames for result in ingest(tmp_path / "others", tmp_path / "out-2").values()] == [12, 12]
    write(tmp_path / "raw", {name: data for key in KEYS for name, data in pictures(key).items()})
    write(tmp_path / "raw" / "001" / "nm-01" / "090", {"001-nm-01-090-gei.png": b"", "notes.txt": b"", ".x.png": b""})
    check(tmp_path / "raw", tmp_path / "out", KEYS)


def test_casia_bs_download_is_read_as_it_is(tmp_path: Path) -> None:
    people = {"001": KEYS[:2], "002": KEYS[2:]}
    archives = {
        name: tar({file: data for key in keys for file, data in pictures(key).items()}) for name, keys in people.items()
    }
    with zipfile.ZipFile(tmp_path / "GaitDatasetB-silh.zip", "w") as outer:
        for name, data in archives.items():
            outer.writestr(f"GaitDatasetB-silh/{name}.tar.gz", data)
    check(tmp_path / "GaitDatasetB-silh.zip", tmp_path / "out", KEYS)
    write(tmp_path / "unzipped", {f"{name}.tar.gz": data for name, data in archives.items()})
    check(tmp_path / "unzipped", tmp_path / "out-2", KEYS)


def test_a_zip_of_the_tree_itself_and_oumvlps_own_folders(tmp_path: Path) -> None:
    write(tmp_path / "raw" / "Silhouette_015-01", {f"00002/{number:04d}.png": png(m) for number, m in enumerate(MASKS)})
    check(tmp_path / "raw", tmp_path / "oumvlp", [ClipKey("00002", "01", "015")])
    with zipfile.ZipFile(tmp_path / "raw.zip", "w") as archive:
        for name, data in pictures(KEYS[0]).items():
            archive.writestr(f"some/folder/{name}", data)
            archive.writestr(f"__MACOSX/{name.replace('090/', '090/._')}", b"")
    check(tmp_path / "raw.zip", tmp_path / "out", KEYS[:1])


def test_a_broken_archive_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    damaged = bytearray(tar(pictures(KEYS[2]), "w:xz"))
    damaged[len(damaged) // 2 : len(damaged) // 2 + 50] = bytes(50)
    packed = {"001.tar.gz": tar(pictures(KEYS[0])), "002.tar.gz": tar(pictures(KEYS[2]))[:-200], "2.tar.xz": damaged}
    results = ingest(write(tmp_path / "packed", packed), tmp_path / "out")
    assert results[KEYS[0]].state == "written"
    for name in ("002.tar.gz", "2.tar.xz"):
        broken = results[ClipKey(name, "*", "*")]
        assert (broken.state, list(broken.warnings)) == ("refused", ["archive that cannot be read"])
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match=r"x\.zip: not a zip archive"):
        find_walks(tmp_path / "x.zip")


def test_people_of_two_sets_in_one_archive_are_not_taken_for_one(tmp_path: Path) -> None:
    files = {f"{part}/{name}": data for part in ("train", "test") for name, data in pictures(KEYS[0]).items()}
    (result,) = ingest(write(tmp_path / "packed", {"all.tar.gz": tar(files)}), tmp_path / "out").values()
    assert result.state == "refused"
    assert "train/001/nm-01/090 and test/001/nm-01/090 are one walk by their names" in str(result.warnings)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    with pytest.raises(DataError, match=r"all\.zip: .* are one walk by their names; unpack it"):
        find_walks(tmp_path / "all.zip")


def test_pickles_of_every_type_and_shape(tmp_path: Path) -> None:
    masks = np.stack(MASKS)
    contents = [masks, masks[..., None], masks > 0, masks / 255.0, MASKS, [mask.tolist() for mask in MASKS], CLIP]
    for number, content in enumerate(contents):
        raw = write(tmp_path / f"raw-{number}", {f"{KEYS[0]}/090.pkl": pickle.dumps(content)})
        check(raw, tmp_path / f"out-{number}", KEYS[:1])
    raw = write(tmp_path / "other", {f"{KEYS[0]}/090.pkl": pickle.dumps(np.zeros((9, 3, 64, 64), np.uint8))})
    refused = ingest(raw, tmp_path / "none")[KEYS[0]]
    assert "expected silhouettes [T, H, W]" in refused.warnings["frames that cannot be read"]


def test_of_several_pickles_the_datasets_is_read(tmp_path: Path) -> None:
    files = {
        "090-aligned-sils.pkl": pickle.dumps(np.stack(MASKS)),
        "090-ratios.pkl": pickle.dumps(np.ones(12)),
        "090-rgbs.pkl": pickle.dumps(np.zeros((12, 3, 128, 128), np.uint8)),
    }
    raw = write(tmp_path / "raw", {f"{KEYS[0]}/{name}": data for name, data in files.items()})
    refused = ingest(raw, tmp_path / "out")[KEYS[0]]
    assert "no 090.pkl in it; it holds 090-aligned-sils.pkl" in refused.warnings["frames that cannot be read"]
    check(raw, tmp_path / "out", KEYS[:1], "casia-b-star")


def test_a_link_to_nothing_costs_no_more_than_what_it_stands_for(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", pictures(KEYS[0]))
    for link in (f"{KEYS[0]}/13.png", "002", "001/nm-02"):
        (raw / link).symlink_to(tmp_path / "nowhere")
    results = ingest(raw, tmp_path / "out")
    lost = [ClipKey("001", "nm-02", "*"), ClipKey("002", "*", "*")]
    assert [results.pop(key).state for key in lost] == ["refused", "refused"]
    result = results[KEYS[0]]
    assert (result.state, result.frames, result.warnings) == ("written", 12, {"unreadable image": "1 frame: 13.png"})


def test_sets_of_people_are_not_taken_for_people(tmp_path: Path) -> None:
    for inner in ("x/Silhouette_000-00/00001", "train/00001/4XPn5Z28"):
        top = tmp_path / inner[0]
        write(top / inner, {"1.png": png(MASKS[0])})
        with pytest.raises(MissingError, match=rf"{top / inner.split('/')[0]} is a set of people, not a person"):
            find_walks(top)


def test_a_level_too_many_or_too_few_is_said_with_an_example(tmp_path: Path) -> None:
    raw = write(tmp_path / "outer" / "raw", pictures(KEYS[0]))
    with pytest.raises(MissingError, match=rf"found .*1\.png, 1 folder level\(s\) too many: did you mean {raw}\?"):
        find_walks(tmp_path / "outer")
    with pytest.raises(MissingError, match=r"found .*1\.png, 1 folder level\(s\) too few"):
        find_walks(raw / "001")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingError, match=r"holds no walk; expected <id>/<type>/<view>/\*\.png"):
        find_walks(tmp_path / "empty")


@pytest.mark.slow
def test_casia_bs_size_takes_minutes(tmp_path: Path) -> None:
    """8 walks of 80 frames in CASIA-B's size, half of them with specks, on one core; by their processor time all 13,640
    walks take less than 12 minutes on two (9 were measured; the margin is for a busy machine)."""
    rng = np.random.default_rng(0)
    for walk in range(8):
        for number in range(80):
            mask = np.zeros((240, 320), np.uint8)
            mask[60:180, 100:320] = np.pad(MASKS[number % 12], ((0, 0), (0, 60)))
            mask[rng.integers(0, 240, 6 * (walk % 2)), rng.integers(0, 320, 6 * (walk % 2))] = 255
            write(tmp_path / "raw", {f"{walk:03d}/nm-01/090/{number}.png": png(mask)})
    walks = find_walks(tmp_path / "raw")
    start = time.process_time()
    assert {result.state for result in ingest_walks(walks, tmp_path / "out", IngestOptions())} == {"written"}
    assert (time.process_time() - start) / 8 * 13_640 / 2 < 12 * 60

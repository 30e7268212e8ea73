"""``gaitcrafter export``: chosen clips as one picture or film; all clips with their manifest as an archive."""

from __future__ import annotations

import io
import json
import sys
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageSequence

from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.silhouettes import manifest
from gaitcrafter_ext.silhouettes.pictures import grid
from gaitcrafter_ext.silhouettes.store import read_clip, write_clip
from gaitcrafter_ext.synthesis import archives
from gaitcrafter_ext.synthesis.folder import OutputFolder, Shard
from gaitcrafter_ext.synthesis.run import synthesize
from tests.synthesis_fakes import paint, small_plan, tree_bytes


def walks(folder: Path) -> list[str]:
    """Three clips of 5, 6 and 6 frames, each a block that moves."""
    paths = []
    for number, length in enumerate((5, 6, 6)):
        clip = np.zeros((length, 64, 64), np.uint8)
        for time in range(length):
            clip[time, 4:60, 10 + 5 * time : 20 + 5 * time] = 255
        paths.append(str(folder / f"{number}.pkl"))
        write_clip(paths[-1], clip)
    return paths


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_a_picture_shows_the_clips_in_reading_order(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"walks.{ending}"
    assert main(["export", *walks(tmp_path), "--out", str(out), "--columns", "2", "--scale", "1"]) == 0
    with Image.open(out) as image:
        frames = [np.array(frame.convert("L")) for frame in ImageSequence.Iterator(image)]
    assert (len(frames), frames[0].shape) == (6, (132, 132))
    assert frames[5][30, 12] == 255  # the clip of five frames has begun again
    assert frames[5][30, 66 + 37] == frames[5][66 + 30, 37] == 255
    assert not frames[5][66:, 66:].any()


def test_a_film_has_as_many_frames(tmp_path: Path) -> None:
    out = tmp_path / "walks.mp4"
    assert main(["export", *walks(tmp_path), "--out", str(out), "--fps", "30"]) == 0
    film = cv2.VideoCapture(str(out))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) == 6
    assert film.get(cv2.CAP_PROP_FPS) == 30
    assert film.get(cv2.CAP_PROP_FRAME_WIDTH) == 3 * 130


def test_what_cannot_be_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips = walks(tmp_path)
    assert main(["export", *clips, "--out", str(tmp_path / "walks.avi")]) == 2
    assert "an animation ends in .gif, .webp, .png, .mp4" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "none.pkl"), "--out", str(tmp_path / "walks.gif")]) == 1
    assert "there is no clip" in capsys.readouterr().err
    (tmp_path / "walks.gif").write_bytes(b"mine")
    assert main(["export", *clips, "--out", str(tmp_path / "walks.gif")]) == 1
    assert (tmp_path / "walks.gif").read_bytes() == b"mine"


def test_a_grid_is_no_wider_than_its_clips() -> None:
    assert grid([np.zeros((2, 64, 64), np.uint8)], columns=8, scale=2).shape == (2, 130, 130)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    synthesize(small_plan(), OutputFolder(root), lambda: paint)
    return root


def test_a_webdataset_gives_every_clip_and_its_manifest_back(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "shards"
    wish = ["export", str(made), "--format", "webdataset", "--shard-clips", "5"]
    assert main([*wish, "--out", str(out)]) == 0
    assert main([*wish, "--out", str(out)]) == 1
    found, said = {}, []
    for path in sorted(out.iterdir()):
        with tarfile.open(path) as tar:
            members = {each.name: tar.extractfile(each).read() for each in tar.getmembers()}  # type: ignore[union-attr]
        said += [json.loads(content) for name, content in members.items() if name.endswith(".json")]
        for name, content in members.items():
            if name.endswith(".npz"):
                found[name.removesuffix(".npz")] = np.load(io.BytesIO(content))["frames"]
    assert [path.name for path in sorted(out.iterdir())] == [f"clips-00000{number}.tar" for number in range(3)]
    assert_as_made(made, found, said)
    main([*wish, "--out", str(tmp_path / "again")])
    assert all((tmp_path / "again" / path.name).read_bytes() == path.read_bytes() for path in out.iterdir())


def test_parquet_gives_every_clip_and_its_manifest_back(made: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert main(["export", str(made), "--format", "parquet", "--out", str(tmp_path / "clips.parquet")]) == 0
    rows = parquet.read_table(tmp_path / "clips.parquet").to_pylist()
    found, said = {}, []
    for row in rows:
        name = f"{row['identity']}/{row['take']}/{row['view']}"
        found[name] = np.frombuffer(row.pop("frames"), np.uint8).reshape(row.pop("shape"))
        said.append({**row, "mix": dict(row["mix"])})
    assert_as_made(made, found, said)


def assert_as_made(made: Path, found: dict[str, np.ndarray], said: list[dict[str, object]]) -> None:
    records = manifest.read(made / "manifest.jsonl")
    assert sorted(found) == sorted(str(record.key) for record in records)
    for record in records:
        assert (found[str(record.key)] == read_clip(made / "pkl" / record.key.relative_path)).all()
    facts = [{name: value for name, value in vars(record).items() if name != "frames"} for record in records]
    by_name = [
        sorted(each, key=lambda entry: str([entry["identity"], entry["take"], entry["view"]])) for each in (facts, said)
    ]
    assert by_name[0] == by_name[1]


def test_of_a_run_that_is_not_done_every_clip_has_its_manifest(tmp_path: Path) -> None:
    synthesize(small_plan(), OutputFolder(tmp_path / "half"), lambda: paint, Shard(1, 2))
    assert main(["export", str(tmp_path / "half"), "--format", "webdataset", "--out", str(tmp_path / "shards")]) == 0
    with tarfile.open(tmp_path / "shards" / "clips-000000.tar") as tar:
        said = [json.load(tar.extractfile(each)) for each in tar if each.name.endswith(".json")]  # type: ignore[arg-type]
    assert said
    assert all(len(each["sha256"]) == 64 for each in said)


def test_earlier_tars_stay_until_all_new_ones_are_written(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = ["export", str(made), "--format", "webdataset", "--force", "--out", str(tmp_path / "shards")]
    assert main([*wish, "--shard-clips", "1"]) == 0
    before = tree_bytes(tmp_path)
    taken = iter([True, True, True, False])

    def torn(path: Path) -> np.ndarray:
        if not next(taken):
            raise KeyboardInterrupt
        return read_clip(path)

    with monkeypatch.context() as patched:
        patched.setattr(archives, "read_frames", torn)
        assert main([*wish, "--shard-clips", "2"]) == 130
    assert tree_bytes(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["shards"]
    assert main([*wish, "--shard-clips", "100"]) == 0
    assert [path.name for path in (tmp_path / "shards").iterdir()] == ["clips-000000.tar"]


def test_a_tree_without_a_manifest_is_exported_by_names_alone(made: Path, tmp_path: Path) -> None:
    wish = ["export", str(made / "pkl"), "--format", "webdataset", "--out", str(tmp_path / "shards")]
    assert main(wish) == 0
    with tarfile.open(tmp_path / "shards" / "clips-000000.tar") as tar:
        content = tar.extractfile("sim-002/cl-01/000.json").read()  # type: ignore[union-attr]
    assert json.loads(content) == {"identity": "sim-002", "take": "cl-01", "view": "000"}


def test_an_archive_that_cannot_be_is_refused_in_one_line(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = ("--out", str(tmp_path / "out"))
    assert main(["export", str(made), str(made), "--format", "webdataset", *out]) == 2
    assert "--format webdataset: name one folder" in capsys.readouterr().err
    tars = tmp_path / "tars"
    tars.mkdir()
    (tars / "clips-000000.tar").write_bytes(b"mine")
    assert main(["export", str(made), "--format", "parquet", "--force", "--out", str(tars)]) == 1
    assert "tars is no file" in capsys.readouterr().err
    (tars / "clips-000000.tar").unlink()
    tars.rmdir()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["export", str(made), "--format", "parquet", *out]) == 2
    assert "pip install 'gaitcrafter-ext[parquet]'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []

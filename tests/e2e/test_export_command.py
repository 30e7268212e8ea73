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
from gaitcrafter_ext.silhouettes.store import read_clip, write_clip
from gaitcrafter_ext.synthesis import archives
from gaitcrafter_ext.synthesis.folder import OutputFolder, Shard
from gaitcrafter_ext.synthesis.run import synthesize
from tests.refusals import assert_refused
from tests.synthesis_fakes import paint, small_plan, tree_bytes


@pytest.fixture
def walks(tmp_path: Path) -> list[str]:
    """Three clips of 5, 6 and 6 frames, each a block that moves."""
    paths = []
    for number, length in enumerate((5, 6, 6)):
        clip = np.zeros((length, 64, 64), np.uint8)
        for time in range(length):
            clip[time, 4:60, 10 + 5 * time : 20 + 5 * time] = 255
        paths.append(str(tmp_path / f"{number}.pkl"))
        write_clip(paths[-1], clip)
    return paths


def test_a_picture_shows_the_clips_in_reading_order_and_a_film_all_of_them(tmp_path: Path, walks: list[str]) -> None:
    for ending in ("gif", "webp", "png"):
        out = tmp_path / f"walks.{ending}"
        assert main(["export", *walks, "--out", str(out), "--columns", "2", "--scale", "1"]) == 0
        with Image.open(out) as image:
            frames = [np.array(frame.convert("L")) for frame in ImageSequence.Iterator(image)]
        assert (len(frames), frames[0].shape) == (6, (132, 132))
        assert frames[5][30, 12] == 255  # the clip of five frames has begun again
        assert frames[5][30, 66 + 37] == frames[5][66 + 30, 37] == 255
    assert main(["export", *walks, "--out", str(tmp_path / "walks.mp4"), "--fps", "30"]) == 0
    film = cv2.VideoCapture(str(tmp_path / "walks.mp4"))
    facts = [film.get(each) for each in (cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FPS, cv2.CAP_PROP_FRAME_WIDTH)]
    assert facts == [6, 30, 3 * 130]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    synthesize(small_plan(), OutputFolder(root), lambda: paint)
    return root


def members(folder: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path in sorted(folder.iterdir()):
        with tarfile.open(path) as tar:
            found |= {each.name: tar.extractfile(each).read() for each in tar.getmembers()}  # type: ignore[union-attr]
    return found


def test_a_webdataset_gives_every_clip_and_its_manifest_back(made: Path, tmp_path: Path) -> None:
    wish, out = ["export", str(made), "--format", "webdataset", "--shard-clips", "5"], tmp_path / "shards"
    assert [main([*wish, "--out", str(out)]) for _ in range(2)] == [0, 1]  # the second time it is there
    assert [path.name for path in sorted(out.iterdir())] == [f"clips-00000{number}.tar" for number in range(3)]
    found = members(out)
    clips = {
        name.removesuffix(".npz"): np.load(io.BytesIO(content))["frames"]
        for name, content in found.items()
        if name.endswith(".npz")
    }
    assert_as_made(made, clips, [json.loads(content) for name, content in found.items() if name.endswith(".json")])
    main([*wish, "--out", str(tmp_path / "again")])
    assert all((tmp_path / "again" / path.name).read_bytes() == path.read_bytes() for path in out.iterdir())


def test_parquet_gives_every_clip_and_its_manifest_back(made: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert main(["export", str(made), "--format", "parquet", "--out", str(tmp_path / "clips.parquet")]) == 0
    clips, said = {}, []
    for row in parquet.read_table(tmp_path / "clips.parquet").to_pylist():
        name = f"{row['identity']}/{row['take']}/{row['view']}"
        clips[name] = np.frombuffer(row.pop("frames"), np.uint8).reshape(row.pop("shape"))
        said.append({**row, "mix": dict(row["mix"])})
    assert_as_made(made, clips, said)


def assert_as_made(made: Path, clips: dict[str, np.ndarray], said: list[dict[str, object]]) -> None:
    records = {str(record.key): record for record in manifest.read(made / "manifest.jsonl")}
    assert clips.keys() == records.keys()
    for name, record in records.items():
        assert (clips[name] == read_clip(made / "pkl" / record.key.path())).all()
    facts = {
        key: {name: value for name, value in vars(each).items() if name != "frames"} for key, each in records.items()
    }
    assert {f"{each['identity']}/{each['take']}/{each['view']}": each for each in said} == facts


def test_a_run_that_is_not_done_has_its_manifest_and_a_mere_tree_names_alone(made: Path, tmp_path: Path) -> None:
    synthesize(small_plan(), OutputFolder(tmp_path / "half"), lambda: paint, Shard(1, 2))
    for root, listed in ((tmp_path / "half", True), (made / "pkl", False)):
        out = tmp_path / f"of-{root.name}"
        assert main(["export", str(root), "--format", "webdataset", "--out", str(out)]) == 0
        said = [json.loads(content) for name, content in members(out).items() if name.endswith(".json")]
        assert {"sha256" in each for each in said} == {listed}
    assert {"identity": "sim-002", "take": "cl-01", "view": "000"} in said


def test_earlier_tars_stay_until_new_ones_are_there(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = ["export", str(made), "--format", "webdataset", "--force", "--out", str(tmp_path / "shards")]
    assert main([*wish, "--shard-clips", "1"]) == 0
    before, taken = tree_bytes(tmp_path), iter([True, True, True, False])

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


def test_what_cannot_be_is_refused_in_one_line(
    made: Path, walks: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "tars").mkdir()
    (tmp_path / "mine.gif").write_bytes(b"mine")
    for clips, options, out, code, said in (
        (walks, (), "walks.avi", 2, "an animation ends in .gif, .webp, .png, .mp4"),
        ([tmp_path / "none.pkl"], (), "walks.gif", 1, "there is no clip"),
        (walks, (), "mine.gif", 1, "is there already"),
        ([made, made], ("--format", "webdataset"), "out", 2, "--format webdataset: name one folder"),
        ([made], ("--format", "parquet", "--force"), "tars", 1, "tars is no file"),
        ([made], ("--format", "parquet"), "out", 2, "pip install 'gaitcrafter-ext[parquet]'"),
    ):
        command = ["export", *map(str, clips), "--out", str(tmp_path / out), *options]
        assert_refused(command, code, said, tmp_path, capsys)
    assert (tmp_path / "mine.gif").read_bytes() == b"mine"

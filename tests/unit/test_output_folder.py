"""The output folder: what is refused, what --force deletes, who may work in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gaitcrafter_ext.errors import ConflictError, DataError, StorageError, UsageError
from gaitcrafter_ext.silhouettes import manifest
from gaitcrafter_ext.synthesis.folder import OutputFolder, Shard
from gaitcrafter_ext.synthesis.run import Outcome, synthesize
from tests.synthesis_fakes import paint, small_plan, tree_bytes


def make(root: Path, seed: int = 0, shard: str = "1/1", **options: bool) -> Outcome:
    return synthesize(small_plan(seed), OutputFolder(root), lambda: paint, Shard.parse(shard), **options)  # type: ignore[arg-type]


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    return path


def test_a_shard_is_one_of_n() -> None:
    assert Shard.parse("2/3") == Shard(2, 3)
    for text in ("0/2", "3/2", "1", "1/0", "-1/2", "a/b", "1/2/3", ""):
        with pytest.raises(UsageError, match="--shard"):
            Shard.parse(text)


def test_a_foreign_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    for name in ("notes.txt", "pkl/other/nm-01/000/000.pkl", "partition.json"):
        root = tmp_path / Path(name).name
        foreign = put(root / name)
        with pytest.raises(ConflictError, match=name):
            make(root)
        assert [path for path in root.rglob("*") if path.is_file()] == [foreign]
        assert foreign.read_text() == "mine"


def test_force_goes_on_beside_a_foreign_file_but_never_over_or_into_one(tmp_path: Path) -> None:
    beside = put(tmp_path / "beside" / "notes.txt")
    put(tmp_path / "beside" / ".DS_Store")
    assert make(beside.parent, force=True).complete
    assert beside.read_text() == "mine"
    clip = "pkl/sim-002/nm-01/000"
    for name in (f"{clip}/000.pkl", f"{clip}/notes.txt", "plan.json", "contact_sheet.png"):
        root = tmp_path / name.replace("/", "-")
        foreign = put(root / name)
        with pytest.raises(ConflictError, match="not ours and in the way"):
            make(root, force=True)
        assert foreign.read_text() == "mine"


def test_a_file_that_no_manifest_names_is_not_taken_for_ours(tmp_path: Path) -> None:
    make(tmp_path)
    folder = OutputFolder(tmp_path)
    for part in folder.manifests():
        part.write_text("".join(part.read_text().splitlines(keepends=True)[:-1]))
    before = tree_bytes(tmp_path)
    for force in (False, True):
        with pytest.raises(ConflictError, match="not ours"):
            make(tmp_path, force=force)
    assert tree_bytes(tmp_path) == before


def test_another_plan_is_refused_by_name_of_what_differs_and_one_of_an_earlier_version(tmp_path: Path) -> None:
    make(tmp_path)
    before = tree_bytes(tmp_path)
    with pytest.raises(ConflictError, match=r"another plan \(other seed\).*--force"):
        make(tmp_path, seed=1)
    assert tree_bytes(tmp_path) == before
    (tmp_path / "plan.json").write_text(json.dumps({"format": 4, "clips": []}))
    with pytest.raises(ConflictError, match=r".* was made by a plan of version 4, this program reads 6; choose"):
        OutputFolder(tmp_path)


def test_force_deletes_only_what_the_manifest_lists(tmp_path: Path) -> None:
    make(tmp_path)
    assert make(tmp_path, force=True).made == 0  # an equal plan resumes
    foreign = put(tmp_path / "pkl" / "sim-002" / "notes.txt")
    plan, folder = small_plan(seed=1, novel=0, takes=("bg-01",)), OutputFolder(tmp_path)
    synthesize(plan, folder, lambda: paint, force=True)
    assert sorted(path.name for path in folder.clips.iterdir()) == ["sim-002"]
    assert folder.store().keys() == sorted(plan.keys)
    assert foreign.read_text() == "mine"


@pytest.mark.parametrize("name", ["../outside", "a/b", "", "."])
def test_a_manifest_that_names_a_path_elsewhere_deletes_nothing(tmp_path: Path, name: str) -> None:
    make(tmp_path / "out")
    outside = put(tmp_path / "outside" / "nm-01" / "000" / "000.pkl")
    record = manifest.read(tmp_path / "out" / "manifest.jsonl")[0]
    forged = manifest.ManifestRecord(**{**vars(record), "identity": name})
    manifest.append(tmp_path / "out" / "manifest.jsonl", forged)
    with pytest.raises(DataError, match="is no clip"):
        make(tmp_path / "out", seed=1, force=True)
    assert outside.exists()


def test_a_shard_runs_once_at_a_time_and_force_waits_for_no_shard(tmp_path: Path) -> None:
    with OutputFolder(tmp_path).claim(small_plan(), Shard(1, 2)):
        with pytest.raises(ConflictError, match=r"shard 1/2 of .* another process"):
            make(tmp_path, shard="1/2")
        assert make(tmp_path, shard="2/2").made == 6
        with pytest.raises(ConflictError, match="another process"):
            make(tmp_path, seed=1, shard="2/2", force=True)
        assert OutputFolder(tmp_path).plan() == small_plan()
    assert make(tmp_path, shard="1/2").complete


def test_an_output_that_cannot_be_a_folder_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "file")
    with pytest.raises(ConflictError, match="is a file"):
        make(tmp_path / "file")
    with pytest.raises(StorageError, match="is a file, not a folder"):
        make(tmp_path / "file" / "below")
    assert (tmp_path / "file").read_text() == "mine"

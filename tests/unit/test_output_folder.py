"""The output folder: whose files are whose, what is refused, what --force deletes, who may work in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gaitcrafter_ext.errors import ConflictError, DataError, StorageError, UsageError
from gaitcrafter_ext.silhouettes import manifest
from gaitcrafter_ext.synthesis.folder import OutputFolder, Shard
from gaitcrafter_ext.synthesis.run import synthesize
from tests.synthesis_fakes import paint, small_plan, tree_bytes

CLIP = "pkl/sim-002/nm-01/000/000.pkl"


def made(root: Path, seed: int = 0) -> OutputFolder:
    folder = OutputFolder(root)
    synthesize(small_plan(seed), folder, lambda: paint)
    return folder


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    return path


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "1/0", "-1/2", "a/b", "1/2/3", ""])
def test_a_shard_is_one_of_n(text: str) -> None:
    with pytest.raises(UsageError, match="--shard"):
        Shard.parse(text)
    assert Shard.parse("2/3") == Shard(2, 3)


@pytest.mark.parametrize("name", ["notes.txt", "pkl/other/nm-01/000/000.pkl", "partition.json"])
def test_a_foreign_file_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    foreign = put(tmp_path / name)
    with pytest.raises(ConflictError, match=name):
        made(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [foreign]
    assert foreign.read_text() == "mine"


def test_force_goes_on_beside_a_foreign_file(tmp_path: Path) -> None:
    foreign = put(tmp_path / "notes.txt")
    assert synthesize(small_plan(), OutputFolder(tmp_path), lambda: paint, force=True).complete
    assert foreign.read_text() == "mine"


@pytest.mark.parametrize("name", [CLIP, "pkl/sim-002/nm-01/000/notes.txt", "plan.json", "contact_sheet.png"])
def test_force_never_overwrites_or_mixes_with_a_foreign_file(tmp_path: Path, name: str) -> None:
    foreign = put(tmp_path / name)
    with pytest.raises(ConflictError, match="not ours and in the way"):
        synthesize(small_plan(), OutputFolder(tmp_path), lambda: paint, force=True)
    assert foreign.read_text() == "mine"


def test_a_foreign_file_at_a_place_not_yet_made_is_not_taken_for_ours(tmp_path: Path) -> None:
    folder = made(tmp_path)
    last = folder.path(small_plan().clips[-1])
    for part in folder.manifests():
        lines = part.read_text().splitlines(keepends=True)
        part.write_text("".join(lines[:-1]))
    before = last.read_bytes()
    for force in (False, True):
        with pytest.raises(ConflictError, match="not ours"):
            synthesize(small_plan(), folder, lambda: paint, force=force)
    assert last.read_bytes() == before


def test_another_plan_is_refused_by_name_of_what_differs(tmp_path: Path) -> None:
    made(tmp_path)
    before = tree_bytes(tmp_path)
    with pytest.raises(ConflictError, match=r"another plan \(other seed\).*--force"):
        made(tmp_path, seed=1)
    assert tree_bytes(tmp_path) == before


def test_force_deletes_only_what_the_manifest_lists(tmp_path: Path) -> None:
    folder = made(tmp_path)
    foreign = put(folder.clips / "sim-002" / "notes.txt")
    plan = small_plan(seed=1, novel=0, takes=("bg-01",))
    synthesize(plan, folder, lambda: paint, force=True)
    assert sorted(path.name for path in folder.clips.iterdir()) == ["sim-002"]
    assert folder.store().keys() == sorted(plan.clips)
    assert foreign.read_text() == "mine"


def test_force_with_an_equal_plan_resumes(tmp_path: Path) -> None:
    folder = made(tmp_path)
    assert synthesize(small_plan(), folder, lambda: paint, force=True).made == 0


@pytest.mark.parametrize("name", ["../outside", "a/b", "", "."])
def test_a_manifest_that_names_a_path_elsewhere_deletes_nothing(tmp_path: Path, name: str) -> None:
    folder = made(tmp_path / "out")
    put(tmp_path / "outside" / "nm-01" / "000" / "000.pkl")
    record = manifest.read(tmp_path / "out" / "manifest.jsonl")[0]
    forged = manifest.ManifestRecord(**{**vars(record), "identity": name})
    manifest.append(tmp_path / "out" / "manifest.jsonl", forged)
    with pytest.raises(DataError, match="is no clip"):
        synthesize(small_plan(seed=1), folder, lambda: paint, force=True)
    assert (tmp_path / "outside" / "nm-01" / "000" / "000.pkl").exists()


def test_two_runs_of_one_shard_are_refused_and_another_shard_is_not(tmp_path: Path) -> None:
    folder, plan = OutputFolder(tmp_path), small_plan()
    with folder.claim(plan, Shard(1, 2)):
        with pytest.raises(ConflictError, match=r"shard 1/2 of .* another process"):
            synthesize(plan, OutputFolder(tmp_path), lambda: paint, Shard(1, 2))
        assert synthesize(plan, OutputFolder(tmp_path), lambda: paint, Shard(2, 2)).made == 6
    assert synthesize(plan, folder, lambda: paint, Shard(1, 2)).complete


def test_force_waits_for_nobody_who_is_at_work(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    with folder.claim(small_plan(), Shard(1, 2)), pytest.raises(ConflictError, match="another process"):
        synthesize(small_plan(seed=1), OutputFolder(tmp_path), lambda: paint, Shard(2, 2), force=True)
    assert folder.plan() == small_plan()


def test_an_output_that_cannot_be_a_folder_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "file")
    with pytest.raises(ConflictError, match="is a file"):
        made(tmp_path / "file")
    with pytest.raises(StorageError, match="is a file, not a folder"):
        made(tmp_path / "file" / "below")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_finder_file_is_no_foreign_file(tmp_path: Path) -> None:
    put(tmp_path / ".DS_Store")
    assert made(tmp_path).plan() == small_plan()

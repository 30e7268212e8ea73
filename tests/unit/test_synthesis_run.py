"""A run: the same bytes however it is cut up, what it leaves, and the folder: what is refused, what --force deletes."""

from __future__ import annotations

import errno
import itertools
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from gaitcrafter_ext.errors import ConflictError, DataError, StorageError, UsageError
from gaitcrafter_ext.opengait.config_keys import FolderEntry, read_entries
from gaitcrafter_ext.silhouettes import manifest
from gaitcrafter_ext.silhouettes.manifest import pixels_sha256
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.synthesis import run
from gaitcrafter_ext.synthesis.folder import OutputFolder, Shard
from gaitcrafter_ext.synthesis.on_ray import share_out
from gaitcrafter_ext.synthesis.output import opengait_entry, sheet_keys
from gaitcrafter_ext.synthesis.plan import ClipRequest, ClipSampler, Selection, make_plan
from gaitcrafter_ext.synthesis.run import Outcome, estimate, synthesize
from tests.synthesis_fakes import BLEND, CARD, SAMPLING, paint, small_plan, tree_bytes


def test_a_task_on_ray_fits_on_every_machine_that_works() -> None:
    for machines, tasks, shares in (
        ([{"CPU": 0.0}, {"CPU": 4.0}, {"CPU": 64.0}, {}], None, (2, {"num_cpus": 4})),
        ([{"CPU": 4.0}, {"CPU": 4.0}], 1, (1, {"num_cpus": 4})),  # one of 8 would wait for ever
        ([{"CPU": 2.0}], 5, (5, {"num_cpus": 1})),
        ([{"CPU": 2.0}, {"CPU": 8.0, "GPU": 3.0}], None, (3, {"num_gpus": 1})),
    ):
        assert share_out(machines, tasks) == shares


class KilledError(BaseException):
    """Stands for a kill: nothing catches it."""


def killed_after(clips: int) -> Callable[[], ClipSampler]:
    left = [clips]

    def sample(requests: Sequence[ClipRequest]) -> NDArray[np.uint8]:
        left[0] -= len(requests)
        if left[0] < 0:
            raise KilledError
        return paint(requests)

    return lambda: sample


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("straight")
    synthesize(small_plan(), OutputFolder(root), lambda: paint)
    return root


def test_a_run_leaves_clips_a_partition_and_a_manifest_that_says_how_each_was_made(made: Path) -> None:
    plan, folder = small_plan(), OutputFolder(made)
    clips = [f"pkl/{key.path()}" for key in plan.keys]
    beside = ["contact_sheet.png", "manifest.jsonl", "partition.json", "plan.json"]  # and two that name the folder
    assert sorted(tree_bytes(made)) == sorted(clips + beside)
    assert Partition.load(made / "partition.json") == Partition(("sim-002", "syn-0001", "syn-0002"), ())
    records = manifest.read(made / "manifest.jsonl")
    assert [record.key for record in records] == list(plan.keys)
    for record, request in zip(records, plan.requests(), strict=True):
        assert (record.mix, record.cycle, record.start) == (request.identity.mix, request.cycle, request.start)
        assert record.sha256 == pixels_sha256(SilhouetteStore(folder.clips).read(record.key))
        assert (record.weights, record.sampler, record.steps, record.seed) == (plan.weights, "euler", 2, 0)


def test_shards_share_a_folder_and_the_last_one_finishes_it(tmp_path: Path, made: Path) -> None:
    done = [synthesize(small_plan(), OutputFolder(tmp_path), lambda: paint, Shard(i, 3), chunk=3) for i in (3, 1, 2)]
    assert [(each.made, each.complete) for each in done] == [(4, False), (4, False), (4, True)]
    assert tree_bytes(tmp_path) == tree_bytes(made)


def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path, made: Path) -> None:
    folder = OutputFolder(tmp_path)
    with pytest.raises(KilledError):
        synthesize(small_plan(), folder, killed_after(7), chunk=3)
    folder.staging(Shard()).mkdir(exist_ok=True)
    (folder.staging(Shard()) / ".gaitcrafter-torn.tmp").write_bytes(b"half")
    assert len(SilhouetteStore(folder.clips).keys()) == 6
    assert not (tmp_path / "manifest.jsonl").exists()
    done = synthesize(small_plan(), folder, lambda: paint)
    assert (done.kept, done.made, done.complete) == (6, 6, True)
    assert tree_bytes(tmp_path) == tree_bytes(made)
    assert list(tmp_path.rglob("*.tmp")) == []


def test_a_kill_between_a_clips_record_and_its_file_is_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object, **__: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(run, "write_clip", die)
        with pytest.raises(KilledError):
            synthesize(small_plan(), OutputFolder(tmp_path), lambda: paint)
    # The clip is now made by another shard, which must not find its record twice.
    synthesize(small_plan(), OutputFolder(tmp_path), lambda: lambda requests: 255 - paint(requests), Shard(1, 12))
    assert [record.key for record in OutputFolder(tmp_path).records()] == [small_plan().keys[0]]


def test_a_full_disk_half_way_loses_nothing(tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, calls, flush = OutputFolder(tmp_path), itertools.count(1), os.fsync

    def fill_up(handle: int) -> None:
        if next(calls) == 8:  # the plan took the first, the records the second, each clip takes one
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fill_up)
        with pytest.raises(StorageError, match="disk is full"):
            synthesize(small_plan(), folder, lambda: paint)
    # Of the first eight; what no thread had begun is not written.
    assert 5 <= len(SilhouetteStore(folder.clips).keys()) <= 7
    assert list(tmp_path.rglob("*.tmp")) == []
    synthesize(small_plan(), folder, lambda: paint)
    assert tree_bytes(tmp_path) == tree_bytes(made)


def test_only_what_was_lost_of_a_finished_run_is_made_again(tmp_path: Path, made: Path) -> None:
    def never() -> ClipSampler:
        raise AssertionError("nothing is left to make")

    synthesize(small_plan(), OutputFolder(tmp_path), lambda: paint)
    (tmp_path / "partition.json").unlink()
    done = synthesize(small_plan(), OutputFolder(tmp_path), never)
    assert (done.made, done.kept, done.complete) == (0, 12, True)
    assert tree_bytes(tmp_path) == tree_bytes(made)
    OutputFolder(tmp_path).path(small_plan().keys[3]).unlink()
    assert synthesize(small_plan(), OutputFolder(tmp_path), lambda: paint).made == 1
    assert tree_bytes(tmp_path) == tree_bytes(made)


def test_the_entry_is_yaml_to_paste_with_both_ways_to_use_the_clips_and_class_counts(tmp_path: Path) -> None:
    root = tmp_path / "it's: a folder"
    entry = yaml.safe_load(opengait_entry(replace(small_plan(), file="{view}-sils.pkl"), root))
    clips, partition = str(root.resolve() / "pkl"), str(root.resolve() / "partition.json")
    assert next(iter(entry)) == "data_cfg"
    assert read_entries(entry["data_cfg"]["synthetic"]) == (FolderEntry(clips, partition, "{view}-sils.pkl"),)
    assert entry["alone"] == {"dataset_root": clips, "dataset_partition": partition}
    assert entry["classes"] == {"alone": 3, "beside_real": 7}  # one known person of five, and two novel ones
    nested = {"model_cfg": {"SeparateBNNecks": {"class_num": 3}}}
    assert entry["class_count"]["Baseline"] == entry["class_count"]["DeepGaitV2"] == nested
    assert entry["class_count"]["GaitGL"] == {"model_cfg": {"class_num": 3}}


def test_the_page_shows_novel_people_beside_their_parents_and_holds_no_link(tmp_path: Path) -> None:
    selection = Selection(CARD.vocabulary.identities, 2, ("nm-01",), ("000", "090"), BLEND)
    plan, folder = make_plan(CARD, selection, SAMPLING), OutputFolder(tmp_path / "<b>")
    synthesize(plan, folder, lambda: paint)
    page = (folder.root / "index.html").read_text()
    assert page.count("<figure>") == 7 * 2 + 2 * 2  # two views of each, and two parents of two
    for parent, share in plan.people["syn-0001"].mix.items():
        assert f"<figcaption>{parent} {share:.0%}</figcaption>" in page
    assert plan.weights in page
    assert "&lt;b&gt;" in page  # the folder's name in the lines to paste
    assert not re.findall(r"""<b>|(?:src|href)=|url\((?!data:)|@import|<script""", page)


def test_page_and_sheet_of_a_long_plan_show_a_part_of_each_kind(tmp_path: Path) -> None:
    plan, folder = small_plan(novel=20, takes=("nm-01", "bg-01", "cl-01")), OutputFolder(tmp_path)
    synthesize(plan, folder, lambda: paint, chunk=100)
    page = (tmp_path / "index.html").read_text()
    assert 20 <= page.count("<figure>") <= 40
    assert len(page) < 3_000_000  # of noise, which does not compress
    keys = sheet_keys(small_plan(novel=60, takes=("nm-01", "nm-02", "bg-01", "cl-01")))
    assert len(keys) <= 40
    assert len({key.identity for key in keys}) >= 12
    assert {key.condition for key in keys} == {"nm", "bg", "cl"}
    assert len({key.view for key in keys}) == 2


def test_an_estimate_counts_what_is_left_and_writes_nothing(tmp_path: Path, made: Path) -> None:
    cost = estimate(small_plan(), OutputFolder(tmp_path / "out"), lambda: paint, Shard(1, 2), 4)
    assert (cost.planned, cost.to_make) == (12, 6)
    assert cost.seconds > 0
    assert not (tmp_path / "out").exists()
    assert estimate(small_plan(), OutputFolder(made), lambda: paint, Shard(1, 2), 4).to_make == 0
    taken = sum(path.stat().st_size for path in made.rglob("*.pkl"))
    assert taken <= 2 * cost.disk_bytes <= 2 * taken


def test_a_sampler_is_asked_for_as_many_clips_at_once_as_fill_its_device_or_as_are_wanted(tmp_path: Path) -> None:
    asked, seen = list[int](), list[tuple[int, int]]()

    class Wide:
        batch = 7

        def __call__(self, requests: Sequence[ClipRequest]) -> NDArray[np.uint8]:
            asked.append(len(requests))
            return paint(requests)

    synthesize(small_plan(), OutputFolder(tmp_path), Wide, progress=lambda *state: seen.append(state))
    synthesize(small_plan(), OutputFolder(tmp_path / "two"), Wide, chunk=12)
    assert asked == [7, 5, 12]
    assert seen == [(0, 12), (7, 12), (12, 12)]


def make(root: Path, seed: int = 0, shard: str = "1/1", **options: bool) -> Outcome:
    return synthesize(small_plan(seed), OutputFolder(root), lambda: paint, Shard.parse(shard), **options)  # type: ignore[arg-type]


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    return path


def test_a_shard_is_one_of_n() -> None:
    assert Shard.parse("2/3") == Shard(2, 3)
    for text in ("0/2", "3/2", "a/b"):
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


def test_another_plan_is_refused_by_name_of_what_differs_and_one_of_an_earlier_version(tmp_path: Path) -> None:
    make(tmp_path)
    before = tree_bytes(tmp_path)
    with pytest.raises(ConflictError, match=r"another plan \(other seed\).*--force"):
        make(tmp_path, seed=1)
    assert tree_bytes(tmp_path) == before
    facts = json.loads(small_plan().to_json())
    facts["people"]["syn-0001"]["mix"]["sim-001"] = -0.5  # as `--blend beyond` of earlier versions made them
    (tmp_path / "plan.json").write_text(json.dumps(facts))
    with pytest.raises(ConflictError, match=r".* was made by a plan that cannot be used: 'people\..* is -0\.5; input"):
        OutputFolder(tmp_path)
    (tmp_path / "plan.json").write_text(json.dumps({"format": 4, "clips": []}))
    with pytest.raises(ConflictError, match=r".* was made by a plan of version 4, this program reads 7; choose"):
        OutputFolder(tmp_path)


def test_force_deletes_only_what_the_manifest_lists(tmp_path: Path) -> None:
    make(tmp_path)
    assert make(tmp_path, force=True).made == 0  # an equal plan resumes
    foreign = put(tmp_path / "pkl" / "sim-002" / "notes.txt")
    plan, folder = small_plan(seed=1, novel=0, takes=("bg-01",)), OutputFolder(tmp_path)
    synthesize(plan, folder, lambda: paint, force=True)
    assert sorted(path.name for path in folder.clips.iterdir()) == ["sim-002"]
    assert SilhouetteStore(folder.clips).keys() == sorted(plan.keys)
    assert foreign.read_text() == "mine"


def test_a_manifest_that_names_a_path_elsewhere_deletes_nothing(tmp_path: Path) -> None:
    make(tmp_path / "out")
    outside = put(tmp_path / "outside" / "nm-01" / "000" / "000.pkl")
    record = manifest.read(tmp_path / "out" / "manifest.jsonl")[0]
    forged = manifest.ManifestRecord(**{**vars(record), "identity": "../outside"})
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


def test_no_shard_waits_while_another_looks_through_a_large_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, shard="1/3")
    monkeypatch.setattr("gaitcrafter_ext.synthesis.folder._PATIENCE_S", 0.0)
    check = OutputFolder.check

    def look_while_another_comes(self: OutputFolder, *wish: Any) -> None:
        check(self, *wish)
        with monkeypatch.context() as patch:
            patch.setattr(OutputFolder, "check", check)
            make(tmp_path, shard="2/3")

    monkeypatch.setattr(OutputFolder, "check", look_while_another_comes)
    assert make(tmp_path, shard="3/3").complete

"""Clips on demand are made once, whoever asks; a pool keeps fresh ones."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from gaitcrafter_ext.errors import GaitCrafterError, MissingError, StorageError
from gaitcrafter_ext.opengait import cache, filler, online
from gaitcrafter_ext.opengait.interpreter import choose_python
from gaitcrafter_ext.opengait.online import dry_message
from gaitcrafter_ext.opengait.pool import Pool, PoolStatus
from gaitcrafter_ext.opengait.settings import OnlineSettings
from gaitcrafter_ext.silhouettes.store import SilhouetteStore, read_clip
from gaitcrafter_ext.synthesis.folder import OutputFolder
from gaitcrafter_ext.synthesis.plan import ClipRequest, Plan
from gaitcrafter_ext.synthesis.run import synthesize
from tests.opengait_fakes import REPOSITORY
from tests.synthesis_fakes import paint, small_plan


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GAITCRAFTER_CACHE", str(tmp_path))
    return tmp_path


def make_here(plan: Plan, folder: OutputFolder, weights: Path, python: str) -> None:
    synthesize(plan, folder, lambda: paint)


def refuse(plan: Plan, folder: OutputFolder, weights: Path, python: str) -> None:
    raise AssertionError("made a second time")


def test_clips_are_made_once_and_kept_by_what_was_asked_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_make", make_here)
    plan = small_plan()
    root = cache.obtain(plan, Path("weights"))
    assert root == home / "synthetic" / plan.fingerprint / "pkl"
    assert SilhouetteStore(root).keys() == sorted(plan.clips)
    monkeypatch.setattr(cache, "_make", refuse)
    assert cache.obtain(plan, Path("weights")) == root
    with pytest.raises(AssertionError):
        cache.obtain(small_plan(seed=1), Path("weights"))


def test_a_clip_that_was_lost_is_made_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_make", make_here)
    plan = small_plan()
    root = cache.obtain(plan, Path("weights"))
    path = root / plan.clips[3].relative_path
    before = path.read_bytes()
    path.unlink()
    assert cache.obtain(plan, Path("weights")) == root
    assert path.read_bytes() == before


ASK = """
import os, sys, time
from pathlib import Path
from gaitcrafter_ext.opengait import cache
from gaitcrafter_ext.synthesis.run import synthesize
from tests.synthesis_fakes import paint, small_plan
def slowly(requests):
    time.sleep(0.2)
    return paint(requests)
def make(plan, folder, weights, python):
    with open(sys.argv[1], "a") as file:
        file.write("made\\n")
    if sys.argv[2] == "die":
        def die(requests):
            os._exit(9)
        synthesize(plan, folder, lambda: lambda requests: die(requests) if folder.part_done() else slowly(requests))
    synthesize(plan, folder, lambda: slowly, chunk=2)
cache._make = make
if sys.argv[2] == "die":
    from gaitcrafter_ext.synthesis.folder import OutputFolder
    OutputFolder.part_done = lambda self: len(list(self.clips.rglob("*.pkl"))) >= 8
print(len(list(cache.obtain(small_plan(), Path("weights")).rglob("*.pkl"))))
"""


def ask(notes: Path, how: str = "live") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", ASK, str(notes), how]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY)


def test_several_processes_make_the_clips_once(home: Path) -> None:
    processes = [ask(home / "notes") for _ in range(3)]
    told = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], told
    assert [out.strip() for out, _ in told] == ["12"] * 3
    assert (home / "notes").read_text() == "made\n"


def test_a_killed_process_leaves_nothing_half_and_the_next_goes_on(home: Path) -> None:
    killed = ask(home / "notes", "die")
    killed.communicate()
    assert killed.returncode == 9
    there = {path: path.stat().st_mtime_ns for path in home.rglob("*.pkl")}
    assert len(there) == 8
    assert all(len(read_clip(path)) == 4 for path in there)
    after = ask(home / "notes")
    assert after.communicate()[0].strip() == "12"
    assert {path: path.stat().st_mtime_ns for path in there} == there


def test_what_a_child_reports_becomes_the_error() -> None:
    cache.check_child(0, "", "python", "making")
    with pytest.raises(GaitCrafterError, match="making: the disk is full"):
        cache.check_child(1, 'noise\n{"error": "the disk is full"}\n', "python", "making")
    with pytest.raises(StorageError, match="ended with code -9"):
        cache.check_child(-9, "", "python", "making")


def test_an_interpreter_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAITCRAFTER_PYTHON", "no-such-python")
    with pytest.raises(MissingError, match="no-such-python"):
        choose_python(None)
    assert choose_python(sys.executable) == sys.executable


def test_the_child_reports_in_one_line_of_json(home: Path) -> None:
    """The real child, told to use weights that are not there."""
    with pytest.raises(GaitCrafterError, match="no weights at"):
        cache.obtain(small_plan(), home / "nowhere")


def pooled(folder: Path, slots: int = 6) -> Pool:
    return Pool(folder, small_plan().identities, slots)


def test_a_pool_has_a_slot_of_everybody_and_counts_uses(tmp_path: Path) -> None:
    pool = pooled(tmp_path, slots=1)
    assert [pool.owner(slot) for slot in range(pool.slots)] == ["sim-002", "syn-0001", "syn-0002"]
    assert pool.wanted(2) == [0, 1, 2]
    with pytest.raises(MissingError):
        pool.read(0)
    clips = np.random.default_rng(0).integers(0, 256, (3, 4, 64, 64), np.uint8)
    for slot in range(3):
        pool.put(slot, clips[slot])
    assert pool.is_ready()
    assert pool.wanted(2) == []
    for slot in (1, 1, 2, 2, 2):
        assert np.array_equal(pool.read(slot), clips[slot])
    assert pool.wanted(2) == [2, 1]
    assert pool.count(2, 3) == PoolStatus(3, 3, 2, 5 / 3)
    pool.put(2, clips[0])
    assert pool.wanted(2) == [1]


def test_an_empty_slot_is_answered_by_an_earlier_one_of_the_person(tmp_path: Path) -> None:
    pool = pooled(tmp_path)
    clips = np.random.default_rng(0).integers(0, 256, (3, 4, 64, 64), np.uint8)
    for slot in range(3):
        pool.put(slot, clips[slot])
    assert np.array_equal(pool.read(4), clips[1])
    assert pool.uses(1) == 1


def test_the_filler_fills_then_refreshes_with_clips_never_made_before(tmp_path: Path) -> None:
    plan, pool = small_plan(), pooled(tmp_path)
    asked: list[ClipRequest] = []

    def sample(requests: Sequence[ClipRequest]) -> np.ndarray:
        asked.extend(requests)
        return paint(requests)

    rounds = iter([False, False, True])
    filler._IDLE_S = 0.0
    filler.fill(pool, plan, 2, sample, lambda: next(rounds))
    assert [request.key.identity for request in asked] == [pool.owner(slot) for slot in range(6)]
    assert {(request.key.condition, request.key.view) for request in asked} > {("nm", "000"), ("cl", "000")}
    for slot in (3, 3, 4):
        pool.read(slot)
    rounds = iter([False, True])
    filler.fill(pool, plan, 2, sample, lambda: next(rounds))  # a second run goes on counting
    assert [request.key.identity for request in asked[6:]] == [pool.owner(3)]
    assert len({request.seed for request in asked}) == 7
    assert pool.status().made == 7


def test_a_dry_pool_is_told() -> None:
    assert dry_message(0, 0, 0.0, 4, 0.0) is None
    assert dry_message(10, 500, 2.0, 4, 1.0) is None
    message = dry_message(400, 500, 9.1, 4, 1.25)
    assert message is not None
    assert "400 of 500 were used 4 times or more (9.1 on average)" in message


def test_the_log_says_when_the_pool_runs_dry_and_when_nobody_fills_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, logged = pooled(tmp_path), list[str]()
    pool.tell(PoolStatus(made=9, filled=4, worn=3, uses=5.0))
    monkeypatch.setattr(online, "_WATCH_S", 0.01)
    monkeypatch.setattr(online, "_log", logged.append)
    child = mock.Mock(poll=mock.Mock(side_effect=[None, 3]), returncode=3)
    online._watch(pool, OnlineSettings(reuse=4), child)
    assert len(logged) == 2
    assert "runs dry: 3 of 4 were used 4 times or more" in logged[0]
    assert "ended (code 3); its clips are reused" in logged[1]


def test_the_filler_ends_when_its_parent_does(tmp_path: Path) -> None:
    script = "import sys, threading, time; from gaitcrafter_ext.opengait.filler import _end_with_parent as end\n"
    script += "threading.Thread(target=end, daemon=True).start(); print('up', flush=True); time.sleep(60)"
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    )
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline() == "up\n"
    started = time.monotonic()
    child.stdin.close()
    assert child.wait(timeout=30) == 0
    assert time.monotonic() - started < 30
    child.stdout.close()


def test_a_note_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    pool = pooled(tmp_path)
    assert pool.status() == PoolStatus()
    (tmp_path / "status.json").write_text(json.dumps({"made": 1, "what": 2}))
    with pytest.raises(StorageError, match=r"status\.json"):
        pool.status()

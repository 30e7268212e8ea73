"""Clips on demand are made once, whoever asks, on every GPU, and by no process that outlives its parent."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gaitcrafter_ext.errors import GaitCrafterError, MissingError, StorageError, UsageError
from gaitcrafter_ext.opengait import generate, on_demand
from gaitcrafter_ext.opengait.config_keys import GeneratedEntry
from gaitcrafter_ext.opengait.interpreter import choose_python, start_module
from gaitcrafter_ext.opengait.on_demand import get_or_synthesize, plan_of
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.synthesis.folder import OutputFolder
from gaitcrafter_ext.synthesis.plan import Plan
from gaitcrafter_ext.synthesis.run import synthesize
from tests.e2e.test_synthesize_command import write_tiny_weights
from tests.opengait_fakes import REPOSITORY
from tests.synthesis_fakes import CARD, paint, small_plan


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GAITCRAFTER_CACHE", str(tmp_path))
    return tmp_path


def make_here(plan: Plan, folder: OutputFolder, weights: Path, python: str, device: str) -> None:
    synthesize(plan, folder, lambda: paint)


def refuse(plan: Plan, folder: OutputFolder, weights: Path, python: str, device: str) -> None:
    raise AssertionError("made a second time")


def test_an_entry_becomes_the_plan_that_synthesize_makes() -> None:
    plan = plan_of(
        GeneratedEntry("w", "sim-002", novel=2, conditions="nm", views="090", takes=2, seed=7, steps=3), CARD
    )
    assert [str(key) for key in plan.clips[:2]] == ["sim-002/nm-01/090", "sim-002/nm-02/090"]
    assert (len(plan.identities), plan.sampling.seed, plan.sampling.steps) == (3, 7, 3)
    for wrong, said in (
        (GeneratedEntry("w", novel=1, conditions="xx"), r"data_cfg\.synthetic\.conditions: unknown 'xx'"),
        (GeneratedEntry("w", novel=1, sampler="heun"), r"data_cfg\.synthetic\.sampler"),
        (GeneratedEntry("w", novel=1, precision="fp8"), r"data_cfg\.synthetic\.precision"),
    ):
        with pytest.raises(UsageError, match=said):
            plan_of(wrong, CARD)


def test_clips_are_made_once_and_kept_by_what_was_asked_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_demand, "_make", make_here)
    plan = small_plan()
    folder = get_or_synthesize(plan, Path("weights"))
    assert folder.root.parent == home / "synthetic"
    assert SilhouetteStore(folder.clips).keys() == sorted(plan.clips)
    lost = folder.path(plan.clips[3])
    before = lost.read_bytes()
    lost.unlink()
    assert get_or_synthesize(plan, Path("weights")).path(plan.clips[3]).read_bytes() == before
    monkeypatch.setattr(on_demand, "_make", refuse)
    assert get_or_synthesize(plan, Path("weights")).root == folder.root
    with pytest.raises(AssertionError):
        get_or_synthesize(small_plan(seed=1), Path("weights"))
    monkeypatch.setattr(on_demand, "code_fingerprint", lambda: "other code")
    with pytest.raises(AssertionError):
        get_or_synthesize(plan, Path("weights"))


ASK = """
import sys, time
from pathlib import Path
from gaitcrafter_ext.opengait import on_demand
from gaitcrafter_ext.synthesis.run import synthesize
from tests.synthesis_fakes import paint, small_plan
def slowly(requests):
    time.sleep(0.2)
    return paint(requests)
def make(plan, folder, weights, python, device):
    with open(sys.argv[1], "a") as file:
        file.write("made\\n")
    synthesize(plan, folder, lambda: slowly, chunk=2)
on_demand._make = make
print(len(list(on_demand.get_or_synthesize(small_plan(), Path("weights")).clips.rglob("*.pkl"))))
"""


def test_several_processes_make_the_clips_once(home: Path) -> None:
    command = [sys.executable, "-c", ASK, str(home / "notes")]
    asking = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY)
        for _ in range(2)
    ]
    answers = [process.communicate() for process in asking]
    assert [out.strip() for out, _ in answers] == ["12"] * 2, answers
    assert (home / "notes").read_text() == "made\n"


@pytest.mark.slow
def test_a_shard_on_each_gpu_makes_the_same_clips_as_one_process(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gaitcrafter_ext.generator.weights import read_card

    weights = write_tiny_weights(tmp_path / "weights")
    card = read_card(weights)
    plan = plan_of(GeneratedEntry(str(weights), novel=2, conditions="nm", device="auto"), card)
    whole = get_or_synthesize(plan, weights, device="cpu")
    (tmp_path / "plan.json").write_text(plan.to_json())
    monkeypatch.setattr(generate, "visible_gpus", lambda: ["0", "1"])
    out = tmp_path / "shards"
    assert generate.main([str(tmp_path / "plan.json"), str(weights), str(out), "auto"]) == 0
    assert sorted(path.name for path in (out / ".gaitcrafter").glob("shard-*-of-2.jsonl")) != []
    assert all(OutputFolder(out).path(key).read_bytes() == whole.path(key).read_bytes() for key in plan.clips)
    assert not on_demand.is_complete(whole, replace(plan, clips=plan.clips[:1]))


def test_what_a_child_refuses_becomes_the_error(home: Path) -> None:
    with pytest.raises(GaitCrafterError, match="making the clips: no weights"):
        get_or_synthesize(small_plan(), home / "nowhere")
    ended = subprocess.Popen([sys.executable, "-c", "raise SystemExit(9)"])
    ended.wait()
    with pytest.raises(StorageError, match="ended with code 9"):
        on_demand.check_child(ended, "", "making")


def test_an_interpreter_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAITCRAFTER_PYTHON", "no-such-python")
    with pytest.raises(MissingError, match="no-such-python"):
        choose_python(None)
    assert choose_python(sys.executable) == sys.executable


def test_the_generator_ends_when_its_parent_does(tmp_path: Path) -> None:
    """Its stdin closes, however the parent ended; the clips that it was about to make stay unmade."""
    (tmp_path / "plan.json").write_text(small_plan().to_json())
    arguments = [str(tmp_path / "plan.json"), str(tmp_path / "fifo"), str(tmp_path / "out"), "cpu"]
    with start_module(sys.executable, "opengait.generate", arguments) as child:
        assert child.stdin is not None
        child.stdin.close()
        deadline = time.monotonic() + 60
        while child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert child.returncode == 143

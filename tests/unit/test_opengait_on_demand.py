"""Clips on demand are made once, whoever asks, on every GPU, and by no process that outlives its parent."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest

from gaitcrafter_ext.errors import GaitCrafterError, MissingError, UsageError
from gaitcrafter_ext.generator.weights import locate, read_card
from gaitcrafter_ext.opengait import generate, on_demand
from gaitcrafter_ext.opengait.config_keys import GeneratedEntry, read_entries
from gaitcrafter_ext.opengait.on_demand import get_or_synthesize, plan_of, run_generators, start_generator
from gaitcrafter_ext.opengait.people import RealPeople, real_people
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.synthesis.folder import OutputFolder
from gaitcrafter_ext.synthesis.plan import Plan, Sampling
from gaitcrafter_ext.synthesis.run import synthesize
from tests.opengait_fakes import write_tree
from tests.synthesis_fakes import paint, small_plan
from tests.tiny import PEOPLE, tiny_pipeline


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GAITCRAFTER_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> RealPeople:
    root = write_tree(tmp_path_factory.mktemp("real"), ("x-1", "x-2"), ("nm-01",), ("090",))
    return real_people("other", root / "pkl", root / "partition.json")


def planned(real: RealPeople, **options: Any) -> Plan:
    (entry,) = read_entries({"weights": "bundled-teacher", **options})
    assert isinstance(entry, GeneratedEntry)
    weights = locate(entry.weights)
    return plan_of(entry, read_card(weights), weights, real)


def test_an_entry_becomes_the_plan_that_synthesize_makes(real: RealPeople) -> None:
    plan = planned(real, novel=2, conditions="nm", views="090", takes=2, frames=60, cadence="x1.1", seed=7, steps=3)
    assert [name.split("/", 1)[1] for name in plan.clips] == ["nm-01/090", "nm-02/090"] * 2
    sampling = plan.sampling
    assert (sampling.seed, sampling.steps, sampling.frames, sampling.cadence) == (7, 3, 60, "x1.1")
    default, card = planned(real, novel=1).sampling, read_card(locate("bundled-teacher")).sampling
    assert asdict(default).items() >= asdict(card).items() - {("baked_in", False)}
    assert {each.name for each in fields(Sampling)} - {"columns"} <= {each.name for each in fields(GeneratedEntry)}
    with pytest.raises(UsageError, match=r"data_cfg\.synthetic\.conditions"):
        planned(real, novel=1, conditions="xx")


def test_weights_of_few_people_blend_as_many_as_they_know(real: RealPeople, tmp_path: Path) -> None:
    tiny_pipeline().save_pretrained(tmp_path)
    plan = planned(real, weights=str(tmp_path), novel=1)
    assert len(plan.people["syn-0001"].mix) == len(PEOPLE)


def test_of_the_configs_own_dataset_only_its_training_people_are_imitated(
    real: RealPeople, monkeypatch: pytest.MonkeyPatch
) -> None:
    imitated: list[str] = []
    monkeypatch.setattr(on_demand, "people_like", lambda card, weights, store, names: imitated.extend(names) or {})
    (real.root / "x-3").mkdir()  # holds no clip
    few = replace(real, train=("x-1",))  # x-2 is there, but in neither set: few labels
    with pytest.raises(UsageError, match="no person"):
        planned(few, like=str(real.root))
    assert imitated == ["x-1"]


def test_clips_are_made_once_and_kept_by_what_was_asked_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("made a second time")

    plan = small_plan()
    monkeypatch.setattr(on_demand, "_make", lambda plan, folder, *_: synthesize(plan, folder, lambda: paint))
    folder = get_or_synthesize(plan, Path("weights"))
    assert folder.root.parent == home / "synthetic"
    assert SilhouetteStore(folder.clips).keys() == sorted(plan.keys)
    lost = folder.path(plan.keys[3])
    before = lost.read_bytes()
    lost.unlink()
    assert get_or_synthesize(plan, Path("weights")).path(plan.keys[3]).read_bytes() == before
    monkeypatch.setattr(on_demand, "_make", refuse)
    assert get_or_synthesize(plan, Path("weights")).root == folder.root
    with pytest.raises(AssertionError):
        get_or_synthesize(small_plan(seed=1), Path("weights"))
    monkeypatch.setattr(on_demand, "code_fingerprint", lambda: "other code")
    with pytest.raises(AssertionError):
        get_or_synthesize(plan, Path("weights"))


def test_whoever_asks_at_the_same_time_waits_for_the_clips(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Plan] = []

    def make(plan: Plan, folder: OutputFolder, *_: object) -> None:
        made.append(plan)
        time.sleep(0.2)
        synthesize(plan, folder, lambda: paint, chunk=2)

    monkeypatch.setattr(on_demand, "_make", make)
    with ThreadPoolExecutor(3) as pool:
        folders = list(pool.map(lambda _: get_or_synthesize(small_plan(), Path("weights")), range(3)))
    assert [len(list(folder.clips.rglob("*.pkl"))) for folder in folders] == [12] * 3
    assert len(made) == 1


@pytest.mark.slow
def test_a_shard_on_each_gpu_makes_the_same_clips_as_one_process(
    home: Path, real: RealPeople, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(real, novel=2, conditions="nm", views="090")
    whole = get_or_synthesize(plan, locate("bundled"), device="cpu")
    (tmp_path / "plan.json").write_text(plan.to_json())
    monkeypatch.setattr(generate, "visible_gpus", lambda: ["0", "1"])
    out = tmp_path / "shards"
    assert generate.main([str(tmp_path / "plan.json"), str(locate("bundled")), str(out), "auto"]) == 0
    assert all(OutputFolder(out).path(key).read_bytes() == whole.path(key).read_bytes() for key in plan.keys)


def test_why_a_generator_failed_becomes_the_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GaitCrafterError, match=r"making the clips: .*nowhere.*the same command goes on"):
        get_or_synthesize(small_plan(), home / "nowhere")
    monkeypatch.setattr(on_demand, "BOOT", "raise SystemExit(9)")
    with pytest.raises(GaitCrafterError, match="ended with code 9"):
        run_generators(sys.executable, [((), None)])
    monkeypatch.setenv("GAITCRAFTER_PYTHON", "no-such-python")
    with pytest.raises(MissingError, match="no-such-python"):
        get_or_synthesize(small_plan(), home)


def test_a_generator_ends_when_its_parent_does(tmp_path: Path) -> None:
    """Its stdin closes, however the parent ended; the clips that it was about to make stay unmade."""
    (tmp_path / "plan.json").write_text(small_plan().to_json())
    arguments = [str(tmp_path / "plan.json"), str(tmp_path / "fifo"), str(tmp_path / "out"), "cpu"]
    with start_generator(sys.executable, arguments) as child:
        assert child.stdin is not None
        child.stdin.close()
        deadline = time.monotonic() + 60
        while child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert child.returncode == 143

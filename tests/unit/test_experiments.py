"""Experiments with a stand-in for the commands: what is laid out, done, resumed and told."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaitcrafter_ext.errors import ConflictError, GaitCrafterError, UsageError
from gaitcrafter_ext.experiments.designs import DESIGNS, FLOOR, Data, Lab, Setting, design
from gaitcrafter_ext.experiments.results import collect, gains_over, plot, summary
from gaitcrafter_ext.experiments.steps import Call, Step, run_steps
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from tests.tiny import tiny_tree

SMALL = Setting(subjects=8, train=4, seeds=2, iterations=8, weights=None, labels=(2, 4), novel=(4, 8))


def _run(lab: Lab, call: Call) -> int:
    """How many steps were done."""
    done: list[Step] = []
    run_steps(lab.steps, lab.root, call, lambda number, step: done.append(step))
    return len(done)


def _commands(lab: Lab, *first: str) -> list[tuple[str, ...]]:
    lines = [tuple(shlex.split(step.line)) for step in lab.steps if step.line.startswith("gaitcrafter ")]
    return [words[1:] for words in lines if words[1 : len(first) + 1] == first]


def _reduced(lab: Lab) -> Step:
    (step,) = (step for step in lab.steps if "lacking" in step.facts)
    return step


def _split(lab: Lab, path: str) -> Partition:
    """The partition that a step writes there; that of the cohort otherwise."""
    found = {str(step.output): step.facts for step in lab.steps if "train" in step.facts}.get(path)
    return lab.setting.people if found is None else Partition(found["train"], found["test"])


def _value(words: tuple[str, ...], option: str) -> str:
    return words[words.index(option) + 1]


class Bench:
    """Stands in for the commands: notes them, and writes the tables that tests of recognisers would."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.fail_at = fail_at

    def __call__(self, words: tuple[str, ...]) -> None:
        if len(self.calls) == self.fail_at:
            raise KeyboardInterrupt
        self.calls.append(words)
        if words[0] == "simulate":
            (Path(_value(words, "--out")) / "pkl").mkdir(parents=True, exist_ok=True)
        if "--table" in words:
            file = Path(_value(words, "--out")) / _value(words, "--table")
            seed = int(file.parent.name.rpartition("-")[2])
            level = 60.0 + 10 * ("novel" in file.parent.name) + seed - 5 * (file.name == "table-4.json")
            shares = {"NM": level, "BG": level - 10, "CL": level - 20}
            columns = {
                name: {"metrics": {"rank-1": share}, "per_person": dict.fromkeys("ab", share)}
                for name, share in shares.items()
            }
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps({"columns": columns, "chance": 25.0}))


def _lab(name: str, folder: Path, **changes: Any) -> Lab:
    """The experiment in the small setting; on a tiny tree where it is for a dataset only."""
    if DESIGNS[name].real:
        given = {"data": folder, "partition": Partition(("a", "b", "c", "d", "e"), ("f",)), "weights": "bundled"}
        changes = given | changes
    return design(name, folder, replace(SMALL, **changes))


def test_arms_train_equally_long_with_equal_seeds_on_no_test_person_by_the_given_weights_alone(tmp_path: Path) -> None:
    for name, each in DESIGNS.items():
        lab = _lab(name, tmp_path)
        names = [arm.name for arm in lab.arms]
        assert names[-1] == FLOOR
        assert len(names) == len(set(names))
        assert {arm.against for arm in lab.arms} - {""} <= set(names)
        assert all(max(arm.tables) == 8 for arm in lab.arms[:-1])
        assert all(len(tables) == 2 for arm in lab.arms for tables in arm.tables.values())
        for words in _commands(lab, "train"):
            assert set(lab.setting.people.test).isdisjoint(_split(lab, _value(words, "--partition")).train)
        given = _lab(name, tmp_path, weights="bundled")
        assert _commands(given, "train") == []
        used = {_value(words, "--weights") for words in _commands(given, "synthesize")}
        assert used == ({"bundled"} if each.generates else set())


def test_same_and_novel_people_get_equally_many_clips_and_both_are_trained_on_together(tmp_path: Path) -> None:
    lab = _lab("dose", tmp_path, synthetic_share="0:1,5:0")
    novel, same, more = _commands(lab, "synthesize")
    assert (_value(same, "--identities"), _value(same, "--novel")) == ("all", "0")
    assert (_value(novel, "--identities"), _value(novel, "--novel"), _value(more, "--novel")) == ("none", "4", "8")
    for option in ("--takes", "--views", "--weights"):
        assert _value(same, option) == _value(novel, option)
    trained = _commands(lab, "recognise", "train")
    assert any(words.count("--synthetic") == 2 for words in trained)
    assert {_value(words, "--synthetic-share") for words in trained if "--synthetic" in words} == {"0:1,5:0"}
    assert all("--synthetic-share" not in words for words in trained if "--synthetic" not in words)
    known = _lab("dose", tmp_path, cohort_seed=2508, weights="bundled")  # who know them: they are asked for by name
    assert _value(_commands(known, "synthesize")[1], "--identities") == ",".join(known.setting.people.train)


def test_few_labels_know_exactly_those_people(tmp_path: Path) -> None:
    def known(lab: Lab, *command: str) -> list[int]:
        found = [words for words in _commands(lab, *command) if "--partition" in words]
        return [len(_split(lab, _value(words, "--partition")).train) for words in found]

    assert known(_lab("few-labels", tmp_path), "train") == [2, 4]
    lab = _lab("few-labels", tmp_path, weights="bundled", fine_tune=9)
    assert known(lab, "train") == known(lab, "synthesize") == [2, 4]
    assert {_value(words, "--init") for words in _commands(lab, "train")} == {"bundled"}
    assert [arm.name for arm in lab.arms] == [
        *("2 real", "2 real + novel", "2 real + same people", "2 real + novel, fine-tuned"),
        *("4 real", "4 real + novel", "4 real + same people", "4 real + novel, fine-tuned", FLOOR),
    ]


def test_missing_conditions_are_made_of_people_in_plain_clothes_and_a_baseline_may_be_shorter(tmp_path: Path) -> None:
    lab = _lab("missing-conditions", tmp_path, weights="bundled", config="casia-b")
    step = _reduced(lab)
    assert set(step.facts["lacking"].values()) == {("bg", "cl")}
    same, _ = _commands(lab, "synthesize")
    assert (_value(same, "--like"), _value(same, "--conditions")) == (str(step.output), "bg,cl")
    assert {_value(words, "--config") for words in _commands(lab, "recognise")} == {"casia-b"}
    plain = [words for words in _commands(lab, "recognise", "train") if _value(words, "--out").endswith("nm-only-0")]
    asked = [(_value(words, "--iterations"), _value(words, "--table")) for words in plain]
    assert asked == [("4", "table-4.json"), ("8", "table-8.json")]
    _run(lab, Bench())
    assert collect(lab).arms[0].iterations == 8
    lab = _lab("missing-conditions", tmp_path)  # a generator that is trained here sees the other half in all
    step = _reduced(lab)
    assert set(step.facts["lacking"]) == set(lab.setting.people.train[::2])
    assert _value(_commands(lab, "synthesize")[0], "--complete") == str(step.output)


def test_real_people_are_left_out_in_turn(tmp_path: Path) -> None:
    lab = _lab("real-people", tmp_path)
    parts = [step.facts for step in lab.steps if "without" in step.name and "train" in step.facts]
    assert [part["test"] for part in parts] == [("a", "b"), ("c", "d", "e")]  # e alone could not be looked up
    assert [part["train"] for part in parts] == [("c", "d", "e"), ("a", "b")]
    assert all(len(seed) == 2 for arm in lab.arms for tables in arm.tables.values() for seed in tables)
    for changes, said in (
        ({"leave_out": 1}, "--leave-out: 1 of 5 people at a time; allowed: 2 or more, if others are left to train on"),
        ({"leave_out": 5}, "--leave-out: 5 of 5"),
        ({"leave_out": 4}, "--leave-out: 4 of 5"),
        ({"weights": None}, "--weights: real-people takes weights that have seen none of its people"),
    ):
        with pytest.raises(UsageError, match=said):
            _lab("real-people", tmp_path, **changes)


def test_clips_are_simulated_or_given_as_the_question_needs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="without --data"):
        _lab("clip-length", tmp_path, data=tmp_path, partition=Partition(("a",), ("b",)))
    with pytest.raises(UsageError, match="real-people is for a real dataset"):
        design("real-people", tmp_path, SMALL)
    with pytest.raises(UsageError, match="found '090' alone"):
        _lab("missing-views", tmp_path, views=("090",))
    people = Partition(("sim-001", "b", "c"), ("sim-002",))
    lab = _lab("missing-views", tmp_path / "x", views=("all",), data=tiny_tree(tmp_path) / "pkl", partition=people)
    assert _reduced(lab).facts["lacking"] == {"sim-001": ("090",), "b": ("000",), "c": ("090",)}


def test_a_run_that_was_cut_goes_on_where_it_stopped(tmp_path: Path) -> None:
    lab, cut, rest = _lab("dose", tmp_path), Bench(fail_at=5), Bench()
    with pytest.raises(KeyboardInterrupt):
        _run(lab, cut)
    _run(lab, rest)
    assert cut.calls + rest.calls == _commands(lab)
    assert _run(lab, Bench()) == 0


def test_other_settings_may_follow_a_failure_that_made_nothing(tmp_path: Path) -> None:
    def fail(words: tuple[str, ...]) -> None:
        folder = Path(_value(words, "--out")) / "pkl"
        folder.mkdir(parents=True)
        if "made" in str(folder):
            (folder / "0.pkl").touch()
        raise GaitCrafterError("failed")

    for name in ("made", "nothing"):
        with pytest.raises(GaitCrafterError, match="failed"):
            _run(_lab("dose", tmp_path / name), fail)
    with pytest.raises(ConflictError, match=r"step 'cohort' .* other settings"):
        _run(_lab("dose", tmp_path / "made", subjects=9), Bench())
    other = _lab("dose", tmp_path / "nothing", subjects=9)
    assert _run(other, Bench()) == len(other.steps)


def test_only_what_decides_the_result_of_a_step_must_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not where the folder lies or what a config is called; but what is in it, and who else was at work."""

    def run(config: Path) -> int:
        return _run(_lab("dose", tmp_path / "x", config=config), Bench())

    first, renamed = tmp_path / "first.yaml", tmp_path / "renamed.yaml"
    first.write_text("training: {seed: 1}")
    assert run(first) > 0
    assert run(first.rename(renamed)) == 0
    renamed.write_text("training: {seed: 2}")
    with pytest.raises(ConflictError, match=r"step 'generator-all' .* other settings"):
        run(renamed)
    monkeypatch.chdir(tmp_path)
    assert _run(design("missing-views", Path("y"), SMALL), Bench()) > 0
    (tmp_path / "y").rename("moved")
    assert _run(design("missing-views", Path("moved"), SMALL), Bench()) == 0
    bench = Bench()

    def rival(words: tuple[str, ...]) -> None:
        bench(words)
        (tmp_path / "z" / "steps" / "synthetic-same.json").write_text("{}")

    with pytest.raises(ConflictError, match=r"step 'synthetic-same' .* other settings"):
        _run(_lab("dose", tmp_path / "z"), rival)


def test_experiments_in_one_folder_share_what_they_have_in_common(tmp_path: Path) -> None:
    bench, labs = Bench(), [_lab(name, tmp_path) for name, each in DESIGNS.items() if not each.real]
    for lab in labs:
        _run(lab, bench)
    assert len(bench.calls) == len(set(bench.calls)) < sum(len(_commands(lab)) for lab in labs)


def test_the_table_tells_mean_spread_and_difference(tmp_path: Path) -> None:
    lab = _lab("dose", tmp_path)
    _run(lab, Bench())
    results = collect(lab)
    lines = summary(results, "Why?").splitlines()
    assert "60.5 +- 0.7" in next(line for line in lines if line.startswith("real  "))
    more = next(line for line in lines if line.startswith("real + 4"))
    assert "against real: NM rank-1 +10.0 [+10.0, +10.0], BG" in more
    assert "chance 25.0" in lines[-1]
    plot(results, "title", tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_parts_count_alike_and_a_column_that_only_some_of_them_have_is_told(tmp_path: Path) -> None:
    lab = _lab("real-people", tmp_path)
    _run(lab, Bench())
    for path in tmp_path.glob("recognisers/*-0-[01]/table-*.json"):  # the first part's people have no coat
        table = json.loads(path.read_text())
        del table["columns"]["CL"]
        path.write_text(json.dumps(table | {"chance": 50.0}))
    results = collect(lab)
    real, novel = results.arms[:2]
    assert list(real.figures) == ["NM rank-1", "BG rank-1", "CL rank-1"]
    assert real.figures["CL rank-1"] == (40.0, 41.0)
    assert novel.gains is not None
    assert novel.gains["CL rank-1"][0] == 10
    assert results.chance == 37.5


def test_the_interval_of_a_gain_holds_the_truth_as_often_as_it_says() -> None:
    rng, hits = np.random.default_rng(1), 0
    for _ in range(100):
        people, seeds = rng.normal(0, 20, (1, 25)), rng.normal(0, 2, (3, 1))
        ours = {"NM rank-1": people + seeds + rng.normal(0, 5, (3, 25)) + 3}
        _, low, high = gains_over(ours, {"NM rank-1": np.zeros((3, 25))})["NM rank-1"]
        hits += low <= 3 <= high
    assert hits >= 85


def test_a_reduced_tree_lacks_what_it_should_and_may_be_moved_with_its_source(tmp_path: Path) -> None:
    root = tmp_path / "x"
    tree, lacking = tiny_tree(root), {"sim-001": ("cl",), "sim-002": ("090",)}
    lab = Lab(root, SMALL)
    lab.reduced("reduced", Data(tree / "pkl", tree / "partition.json", SMALL.people), lacking)
    for _ in range(2):
        lab.steps[0].do(Bench())
    root.rename(tmp_path / "moved")
    found, whole = ({str(key) for key in SilhouetteStore(tmp_path / "moved" / name)} for name in ("reduced", "pkl"))
    assert whole - found == {name for name in whole if name.startswith("sim-001/cl")} | {
        name for name in whole if name.startswith("sim-002") and name.endswith("090")
    }

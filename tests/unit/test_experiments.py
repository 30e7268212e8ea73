"""Experiments with a stand-in for the commands: what is laid out, done, resumed and told."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from gaitcrafter_ext.errors import ConflictError, GaitCrafterError, UsageError
from gaitcrafter_ext.experiments.designs import DESIGNS, FLOOR, Lab, Setting, default_mixing, design
from gaitcrafter_ext.experiments.results import collect, plot, summary
from gaitcrafter_ext.experiments.steps import Call, Command, Reduction, run_steps
from gaitcrafter_ext.recognition.mixing_schedule import read_schedule, share_at
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from tests.tiny import tiny_tree

SMALL = Setting(subjects=8, train=4, seeds=2, iterations=7, weights=None)


def _run(lab: Lab, call: Call) -> int:
    return run_steps(lab.steps, lab.root, call)


def _commands(lab: Lab, *first: str) -> list[tuple[str, ...]]:
    commands = [tuple(map(str, step.words)) for step in lab.steps if isinstance(step, Command)]
    return [words for words in commands if words[: len(first)] == first]


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
        if words[:2] == ("recognise", "test"):
            folder = Path(_value(words, "--out"))
            seed = int(folder.name.rpartition("-")[2])
            level = 60 + 10 * ("novel" in folder.name) + seed
            ranks = {name: level - 10.0 * place for place, name in enumerate(("NM", "BG", "CL"))}
            columns = {name: {"metrics": {"rank-1": rank}} for name, rank in ranks.items()}
            folder.mkdir(parents=True)
            (folder / "table.json").write_text(json.dumps({"columns": columns, "chance": 25.0}))


@pytest.mark.parametrize("name", DESIGNS)
def test_arms_train_equally_long_with_equal_seeds_on_no_test_person(name: str, tmp_path: Path) -> None:
    lab = design(name, tmp_path, SMALL)
    trained = [words for words in _commands(lab, "recognise", "train") if FLOOR not in _value(words, "--out")]
    assert {_value(words, "--iterations") for words in trained} == {"7"}
    assert [_value(words, "--seed") for words in trained] == ["0", "1"] * (len(lab.arms) - 1)
    names = [arm.name for arm in lab.arms]
    assert names[-1] == FLOOR
    assert len(names) == len(set(names))
    assert {arm.against for arm in lab.arms} - {""} <= set(names)
    for words in _commands(lab, "train"):
        assert set(SMALL.people.test).isdisjoint(_split(lab, _value(words, "--partition")).train)


def _split(lab: Lab, path: str) -> Partition:
    """The partition that a step writes there; that of the cohort otherwise."""
    return next((step.partition for step in lab.steps if str(getattr(step, "path", "")) == path), lab.setting.people)


def test_same_and_novel_people_get_equally_many_clips(tmp_path: Path) -> None:
    same, novel = _commands(design("same-vs-novel", tmp_path, SMALL), "synthesize")
    assert (_value(same, "--identities"), _value(same, "--novel")) == ("all", "0")
    assert (_value(novel, "--identities"), _value(novel, "--novel")) == ("none", str(SMALL.train))
    for option in ("--takes", "--views", "--weights"):
        assert _value(same, option) == _value(novel, option)


def test_few_labels_train_a_generator_on_exactly_those_labels(tmp_path: Path) -> None:
    lab = design("few-labels", tmp_path, replace(SMALL, subjects=60, train=50))
    generators = _commands(lab, "train")
    assert [len(_split(lab, _value(words, "--partition")).train) for words in generators] == [5, 13, 25, 50]
    assert len(generators) == len(SMALL.labels)
    fewer = design("few-labels", tmp_path, replace(SMALL, subjects=60, train=50, labels=(10, 50)))
    assert [arm.name for arm in fewer.arms if arm.against] == ["real 10% + novel people", "real 50% + novel people"]


def test_given_weights_imitate_exactly_those_with_labels(tmp_path: Path) -> None:
    lab = design("few-labels", tmp_path, replace(SMALL, subjects=60, train=50, labels=(10, 100), weights="bundled"))
    novel, few, everyone = _commands(lab, "synthesize")
    assert (_value(novel, "--identities"), _value(novel, "--novel")) == ("none", "50")
    assert [len(_split(lab, _value(words, "--partition")).train) for words in (few, everyone)] == [5, 50]
    assert {_value(words, "--like") for words in (few, everyone)} == {str(tmp_path / "cohort" / "pkl")}
    assert [arm.name for arm in lab.arms if arm.name.endswith("same people")] == [
        "real 10% + same people",
        "real 100% + same people",
    ]


def test_weights_that_know_the_training_people_are_asked_for_them_by_name(tmp_path: Path) -> None:
    setting = replace(SMALL, cohort_seed=2508, weights="bundled")
    same, _ = _commands(design("same-vs-novel", tmp_path, setting), "synthesize")
    assert _value(same, "--identities") == ",".join(setting.people.train)


def test_the_synthetic_share_is_given_wherever_real_and_synthetic_clips_meet(tmp_path: Path) -> None:
    lab = design("same-vs-novel", tmp_path, replace(SMALL, synthetic_share="0:1,5:0"))
    trained = _commands(lab, "recognise", "train")
    assert {_value(words, "--synthetic-share") for words in trained if "--synthetic" in words} == {"0:1,5:0"}
    assert all("--synthetic-share" not in words for words in trained if "--synthetic" not in words)
    filled = design("completion", tmp_path, replace(SMALL, synthetic_share="0:1,5:0"))
    assert all("--synthetic-share" not in words for words in _commands(filled, "recognise", "train"))


def test_the_last_quarter_of_a_training_is_real() -> None:
    points = read_schedule(default_mixing(200))
    assert [share_at(points, iteration) for iteration in (0, 75, 150, 199)] == [1, 0.5, 0, 0]
    assert all(share_at(read_schedule(default_mixing(iterations)), 0) == 1 for iterations in range(1, 9))


def test_clip_length_is_refused_on_real_data(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="without --data"):
        design("clip-length", tmp_path, replace(SMALL, data=tmp_path, partition=Partition(("a",), ("b",))))


def test_a_run_that_was_cut_goes_on_where_it_stopped(tmp_path: Path) -> None:
    lab, cut, rest = design("same-vs-novel", tmp_path, SMALL), Bench(fail_at=5), Bench()
    with pytest.raises(KeyboardInterrupt):
        _run(lab, cut)
    _run(lab, rest)
    assert cut.calls + rest.calls == _commands(lab)
    assert _run(lab, Bench()) == 0


class Failing(Bench):
    """Fails at the first command, which has made so many files by then."""

    def __init__(self, made: int) -> None:
        super().__init__()
        self.made = made

    def __call__(self, words: tuple[str, ...]) -> None:
        super().__call__(words)
        for number in range(self.made):
            (Path(_value(words, "--out")) / "pkl" / f"{number}.pkl").touch()
        raise GaitCrafterError("failed")


@pytest.mark.parametrize("made", [0, 1])
def test_other_settings_may_follow_a_failure_that_made_nothing(tmp_path: Path, made: int) -> None:
    with pytest.raises(GaitCrafterError, match="failed"):
        _run(design("same-vs-novel", tmp_path, SMALL), Failing(made))
    assert (tmp_path / "steps" / "cohort.begun").exists() == bool(made)
    other = design("same-vs-novel", tmp_path, replace(SMALL, subjects=9))
    if made:
        with pytest.raises(ConflictError, match=r"step 'cohort' .* other settings"):
            _run(other, Bench())
    else:
        assert _run(other, Bench()) == len(other.steps)


def test_an_edited_config_is_another_setting_and_a_renamed_one_is_not(tmp_path: Path) -> None:
    def run(config: Path) -> int:
        return _run(design("same-vs-novel", tmp_path / "x", replace(SMALL, config=config)), Bench())

    first, renamed = tmp_path / "first.yaml", tmp_path / "renamed.yaml"
    first.write_text("training: {seed: 1}")
    assert run(first) > 0
    assert run(first.rename(renamed)) == 0
    renamed.write_text("training: {seed: 2}")
    with pytest.raises(ConflictError, match=r"step 'generator-all' .* other settings"):
        run(renamed)


def test_a_folder_named_otherwise_or_moved_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "completion"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    assert _run(design(name, Path("x"), SMALL), Bench()) > 0
    assert _run(design(name, tmp_path / "x", SMALL), Bench()) == 0
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert _run(design(name, Path("../x"), SMALL), Bench()) == 0
    (tmp_path / "x").rename("moved")
    assert _run(design(name, Path("moved"), SMALL), Bench()) == 0


def test_a_shell_reads_the_words_of_a_command_as_they_are() -> None:
    words = ("recognise", "train", "--out", Path("a b") / "it's $HOME", "--views", "036,090")
    assert shlex.split(str(Command("name", words))) == ["gaitcrafter", *map(str, words)]


def test_given_weights_are_all_that_generates(tmp_path: Path) -> None:
    for name, each in DESIGNS.items():
        lab = design(name, tmp_path, replace(SMALL, weights="bundled"))
        assert _commands(lab, "train") == []
        used = {_value(words, "--weights") for words in _commands(lab, "synthesize")}
        assert used == ({"bundled"} if each.generates else set())


def test_a_dataset_is_read_and_tested_by_its_config(tmp_path: Path) -> None:
    lab = design("completion", tmp_path, replace(SMALL, config="casia-b"))
    for words in (*_commands(lab, "train"), *_commands(lab, "recognise")):
        assert _value(words, "--config") == "casia-b"
    (step,) = (step for step in lab.steps if isinstance(step, Reduction))
    assert step.dataset.name == "CASIA-B"


def test_all_views_of_a_dataset_are_read_from_it(tmp_path: Path) -> None:
    people = Partition(("a", "b", "sim-001"), ("sim-002",))
    data = tiny_tree(tmp_path) / "pkl"
    lab = design("completion", tmp_path / "x", replace(SMALL, views=("all",), data=data, partition=people))
    (step,) = (step for step in lab.steps if isinstance(step, Reduction))
    assert step.lacking["sim-001"] == ("090",)


def test_experiments_in_one_folder_share_what_they_have_in_common(tmp_path: Path) -> None:
    setting, bench = replace(SMALL, subjects=60, train=50), Bench()
    for name in DESIGNS:
        _run(design(name, tmp_path, setting), bench)
    assert len(bench.calls) == len(set(bench.calls))
    trained = [_value(words, "--out") for words in bench.calls if words[:2] == ("recognise", "train")]
    alone = [design(name, tmp_path, setting) for name in DESIGNS]
    assert len(trained) < sum(len(_commands(lab, "recognise", "train")) for lab in alone)


def test_a_step_made_meanwhile_with_other_settings_is_noticed(tmp_path: Path) -> None:
    class Rival(Bench):
        """Another process, which finishes a later step in its own way while ours is at the first."""

        def __call__(self, words: tuple[str, ...]) -> None:
            super().__call__(words)
            (tmp_path / "steps" / "synthetic-same.json").write_text("{}")

    with pytest.raises(ConflictError, match=r"step 'synthetic-same' .* other settings"):
        _run(design("same-vs-novel", tmp_path, SMALL), Rival())


def test_the_table_tells_mean_spread_and_difference(tmp_path: Path) -> None:
    lab = design("same-vs-novel", tmp_path, SMALL)
    _run(lab, Bench())
    results = collect(lab)
    assert results.arms[0].figures["NM rank-1"] == (60.0, 61.0)
    lines = summary(results, "Why?").splitlines()
    assert "60.5 +- 0.7" in next(line for line in lines if line.startswith("real  "))
    assert "against real: NM rank-1 +10.0 +- 0.0, BG" in next(line for line in lines if line.startswith("real + novel"))
    assert "chance 25.0" in lines[-1]
    assert plot(results, "title") == plot(results, "title")
    assert all(arm.name in plot(results, "title") for arm in lab.arms)


def test_a_reduced_tree_lacks_what_it_should_and_nothing_else(tmp_path: Path) -> None:
    tree = tiny_tree(tmp_path)
    step = Reduction("reduced", tree / "pkl", tmp_path / "reduced", {"sim-001": ("cl",), "sim-002": ("090",)})
    step.do(Bench())
    step.do(Bench())
    found = {str(key) for key in SilhouetteStore(tmp_path / "reduced").keys()}  # noqa: SIM118
    whole = {str(key) for key in SilhouetteStore(tree / "pkl").keys()}  # noqa: SIM118
    assert whole - found == {name for name in whole if name.startswith("sim-001/cl")} | {
        name for name in whole if name.startswith("sim-002") and name.endswith("090")
    }


def test_a_reduced_tree_beside_its_source_may_be_moved_with_it(tmp_path: Path) -> None:
    tree = tiny_tree(tmp_path / "x")
    Reduction("reduced", tree / "pkl", tree / "reduced", {}).do(Bench())
    tree.rename(tmp_path / "moved")
    assert len(SilhouetteStore(tmp_path / "moved" / "reduced").keys()) == 20

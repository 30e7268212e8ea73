"""Experiments with a stand-in for the commands: what is laid out, done, resumed and told."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from gaitcrafter_ext.errors import ConflictError, GaitCrafterError, UsageError
from gaitcrafter_ext.experiments.designs import DESIGNS, QUESTIONS, WITH_WEIGHTS, design
from gaitcrafter_ext.experiments.lab import FLOOR, Lab
from gaitcrafter_ext.experiments.results import collect, plot, summary
from gaitcrafter_ext.experiments.running import run_steps
from gaitcrafter_ext.experiments.setting import Setting, late_share
from gaitcrafter_ext.experiments.steps import Command, Reduction
from gaitcrafter_ext.recognition.mixing_schedule import read_schedule, share_at
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from tests.tiny import tiny_tree

SMALL = Setting(subjects=8, train=4, seeds=2, iterations=7, weights=None)


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
            conditions = {name: {"rank1": level - 10.0 * place} for place, name in enumerate(("NM", "BG", "CL"))}
            folder.mkdir(parents=True)
            (folder / "table.json").write_text(json.dumps({"conditions": conditions, "chance": 25.0}))


def test_every_experiment_has_a_question() -> None:
    assert QUESTIONS.keys() == DESIGNS.keys()


@pytest.mark.parametrize("name", DESIGNS)
def test_all_arms_train_for_equally_long_with_equal_seeds(name: str, tmp_path: Path) -> None:
    lab = design(name, tmp_path, SMALL)
    trained = [words for words in _commands(lab, "recognise", "train") if FLOOR not in _value(words, "--out")]
    assert {_value(words, "--iterations") for words in trained} == {"7"}
    assert len(trained) == SMALL.seeds * (len(lab.arms) - 1)
    assert [_value(words, "--seed") for words in trained] == ["0", "1"] * (len(lab.arms) - 1)
    assert lab.arms[-1].name == FLOOR


@pytest.mark.parametrize("name", DESIGNS)
def test_nobody_is_tested_who_was_trained_on(name: str, tmp_path: Path) -> None:
    lab = design(name, tmp_path, SMALL)
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


def test_the_synthetic_share_is_given_wherever_real_and_synthetic_clips_meet(tmp_path: Path) -> None:
    lab = design("same-vs-novel", tmp_path, replace(SMALL, synthetic_share="0:1,5:0"))
    trained = _commands(lab, "recognise", "train")
    assert {_value(words, "--synthetic-share") for words in trained if "--synthetic" in words} == {"0:1,5:0"}
    assert all("--synthetic-share" not in words for words in trained if "--synthetic" not in words)
    filled = design("completion", tmp_path, replace(SMALL, synthetic_share="0:1,5:0"))
    assert all("--synthetic-share" not in words for words in _commands(filled, "recognise", "train"))


def test_the_last_quarter_of_a_training_is_real() -> None:
    points = read_schedule(late_share(200))
    assert [share_at(points, iteration) for iteration in (0, 75, 150, 199)] == [1, 0.5, 0, 0]


@pytest.mark.parametrize("iterations", range(1, 9))
def test_a_training_of_any_length_has_a_share(iterations: int) -> None:
    assert share_at(read_schedule(late_share(iterations)), 0) == 1


def test_an_unknown_experiment_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="few-labels"):
        design("few-lables", tmp_path, SMALL)


def test_clip_length_is_refused_on_real_data(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="without --data"):
        design("clip-length", tmp_path, replace(SMALL, data=tmp_path, partition=Partition(("a",), ("b",))))


def test_a_run_that_was_cut_goes_on_where_it_stopped(tmp_path: Path) -> None:
    lab, cut, rest = design("same-vs-novel", tmp_path, SMALL), Bench(fail_at=5), Bench()
    with pytest.raises(KeyboardInterrupt):
        run_steps(lab, cut)
    run_steps(lab, rest)
    assert cut.calls + rest.calls == _commands(lab)
    assert run_steps(lab, Bench()) == 0


def test_other_settings_in_the_same_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_steps(design("same-vs-novel", tmp_path, SMALL), Bench(fail_at=1))
    other = design("same-vs-novel", tmp_path, replace(SMALL, subjects=9))
    with pytest.raises(ConflictError, match=r"step 'cohort' .* other settings"):
        run_steps(other, Bench())


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
        run_steps(design("same-vs-novel", tmp_path, SMALL), Failing(made))
    assert (tmp_path / "steps" / "cohort.begun").exists() == bool(made)
    other = design("same-vs-novel", tmp_path, replace(SMALL, subjects=9))
    if made:
        with pytest.raises(ConflictError, match=r"step 'cohort' .* other settings"):
            run_steps(other, Bench())
    else:
        assert run_steps(other, Bench()) == len(other.steps)


def test_an_edited_config_is_another_setting_and_a_renamed_one_is_not(tmp_path: Path) -> None:
    def run(config: Path) -> int:
        return run_steps(design("same-vs-novel", tmp_path / "x", replace(SMALL, config=config)), Bench())

    first, renamed = tmp_path / "first.yaml", tmp_path / "renamed.yaml"
    first.write_text("training: {seed: 1}")
    assert run(first) > 0
    assert run(first.rename(renamed)) == 0
    renamed.write_text("training: {seed: 2}")
    with pytest.raises(ConflictError, match=r"step 'generator-all' .* other settings"):
        run(renamed)


def test_an_edited_partition_is_another_setting(tmp_path: Path) -> None:
    def run(*train: str) -> int:
        setting = replace(SMALL, data=tmp_path / "pkl", partition=Partition(train, ("c",)))
        return run_steps(design("same-vs-novel", tmp_path / "x", setting), Bench())

    assert run("a") > 0
    with pytest.raises(ConflictError, match=r"step 'partition-all' .* other settings"):
        run("a", "b")


@pytest.mark.parametrize("name", DESIGNS)
def test_a_folder_named_otherwise_or_moved_resumes(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    assert run_steps(design(name, Path("x"), SMALL), Bench()) > 0
    assert run_steps(design(name, tmp_path / "x", SMALL), Bench()) == 0
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run_steps(design(name, Path("../x"), SMALL), Bench()) == 0
    (tmp_path / "x").rename("moved")
    assert run_steps(design(name, Path("moved"), SMALL), Bench()) == 0


def test_data_and_weights_are_the_same_from_wherever_they_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(up: str) -> int:
        where = {"data": Path(up) / "pkl", "weights": Path(up) / "weights"}
        setting = replace(SMALL, **where, partition=Partition(("a",), ("b",)))
        return run_steps(design("same-vs-novel", tmp_path / "x", setting), Bench())

    monkeypatch.chdir(tmp_path)
    assert run(".") > 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert run("..") == 0
    with pytest.raises(ConflictError, match="other settings"):
        run(".")


def test_a_shell_reads_the_words_of_a_command_as_they_are() -> None:
    words = ("recognise", "train", "--out", Path("a b") / "it's $HOME", "--views", "036,090")
    assert shlex.split(str(Command("name", words))) == ["gaitcrafter", *map(str, words)]


@pytest.mark.parametrize("name", DESIGNS)
def test_given_weights_are_used_by_those_experiments_that_say_so(name: str, tmp_path: Path) -> None:
    lab = design(name, tmp_path, replace(SMALL, weights="bundled"))
    used = {_value(words, "--weights") for words in _commands(lab, "synthesize")}
    assert ("bundled" in used) == (name in WITH_WEIGHTS)


def test_all_views_of_a_cohort_that_is_not_there_yet_are_known(tmp_path: Path) -> None:
    lab = design("completion", tmp_path, replace(SMALL, views=("all",)))
    (step,) = (step for step in lab.steps if isinstance(step, Reduction))
    assert step.lacking["sim-003"] == ("018", "054", "090", "126", "162")


def test_all_views_of_a_dataset_are_read_from_it(tmp_path: Path) -> None:
    people = Partition(("a", "b", "sim-001"), ("sim-002",))
    data = tiny_tree(tmp_path) / "pkl"
    lab = design("completion", tmp_path / "x", replace(SMALL, views=("all",), data=data, partition=people))
    (step,) = (step for step in lab.steps if isinstance(step, Reduction))
    assert step.lacking["sim-001"] == ("090",)


def test_experiments_in_one_folder_share_what_they_have_in_common(tmp_path: Path) -> None:
    setting, bench = replace(SMALL, subjects=60, train=50), Bench()
    for name in DESIGNS:
        run_steps(design(name, tmp_path, setting), bench)
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
        run_steps(design("same-vs-novel", tmp_path, SMALL), Rival())


def test_the_table_tells_mean_spread_and_difference(tmp_path: Path) -> None:
    lab = design("same-vs-novel", tmp_path, SMALL)
    run_steps(lab, Bench())
    results = collect(lab)
    assert results.arms[0].rank1["NM"] == (60.0, 61.0)
    lines = summary(results, "Why?").splitlines()
    assert "60.5 +- 0.7" in next(line for line in lines if line.startswith("real  "))
    assert "against real: NM +10.0 +- 0.0, BG" in next(line for line in lines if line.startswith("real + novel"))
    assert "chance 25.0" in lines[-1]
    assert plot(results, "title").count("<circle") == 3 * (len(lab.arms) * 2 + 1)


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


@pytest.mark.parametrize("name", DESIGNS)
def test_every_arm_is_compared_with_one_that_is_there(name: str, tmp_path: Path) -> None:
    lab = design(name, tmp_path, SMALL)
    run_steps(lab, Bench())
    names = [arm.name for arm in lab.arms]
    assert {arm.against for arm in lab.arms} - {""} <= set(names)
    assert len(names) == len(set(names))
    assert all(arm.name in summary(collect(lab), "Why?") for arm in lab.arms)


def test_a_single_seed_has_no_spread(tmp_path: Path) -> None:
    lab = design("same-vs-novel", tmp_path, replace(SMALL, seeds=1))
    run_steps(lab, Bench())
    assert "+-" not in summary(collect(lab), "Why?")

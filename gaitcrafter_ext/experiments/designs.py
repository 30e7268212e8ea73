"""The questions that are asked of synthetic people, and the arms that answer them.

What several questions need bears one name in all of them (the arm ``real`` above all), so that questions asked in one
folder share it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from gaitcrafter_ext.errors import UsageError, suggest
from gaitcrafter_ext.experiments.steps import Command, Reduction, Split, Step
from gaitcrafter_ext.generator.weights import Card, locate, read_card
from gaitcrafter_ext.silhouettes.dataset import DatasetConfig, load_dataset
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import VIEWS

__all__ = ["DESIGNS", "SIZES", "Arm", "Lab", "Setting", "default_mixing", "design"]

#: Name of the arm that every experiment has: the network before training.
FLOOR = "untrained"

#: Frames of a simulated clip, and of the shorter ones in ``clip-length``.
LONG, SHORT = 60, 30


@dataclass(frozen=True)
class Setting:
    """Everything about an experiment besides its question.

    Attributes:
        data: Folder of identities of a real dataset; ``None`` = a cohort is simulated.
        partition: Whom of them to train on and to test.
        weights: Generator, ``"bundled"`` or a folder: of the training people, or one that never saw them, which
            imitates them after their silhouettes; ``None`` = one is trained on exactly the training people.
        config: YAML or preset: how the dataset is read and tested, and how generators are trained.
        subjects: People to simulate.
        train: How many of them are trained on.
        cohort_seed: Which people are simulated; the bundled weights have seen people of seed 0.
        views: Views, by name; ``("all",)`` = those of the dataset.
        takes: Synthetic takes of each condition and person.
        generator_clips: Budget of each generator that is trained, in clips seen.
        preset: Schedule of the recogniser, see ``recognise train --preset``.
        iterations: Instead of the schedule's.
        synthetic_share: Of the batches of arms that have both kinds, as ``recognise train --synthetic-share`` takes it.
        labels: Shares of the training people in ``few-labels``, percent.
        seeds: Trainings of each arm; they vary the recogniser, not the generator.
    """

    data: Path | None = None
    partition: Partition | None = None
    weights: str | Path | None = "bundled"
    config: str | Path | None = None
    subjects: int = 75
    train: int = 50
    cohort_seed: int = 1
    views: tuple[str, ...] = ("036", "090", "144")
    takes: int = 1
    generator_clips: int = 5000
    model: str = "gaitset"
    preset: str = "small"
    iterations: int | None = 600
    synthetic_share: str | None = None
    labels: tuple[int, ...] = (10, 25, 50, 100)
    seeds: int = 3

    @property
    def people(self) -> Partition:
        """Who is trained on and who is tested."""
        if self.partition is not None:
            return self.partition
        names = tuple(f"sim{self.cohort_seed or ''}-{number:03d}" for number in range(1, self.subjects + 1))
        return Partition(names[: self.train], names[self.train :])

    @property
    def dataset(self) -> DatasetConfig:
        """How the dataset is read."""
        return load_dataset(self.config)

    def seen_by(self, card: Card) -> set[str]:
        """People of the dataset whom weights ever saw; simulated ones bear their seed in their names."""
        if self.data is None:
            return {entry.rpartition("/")[2] for entry in card.everybody()}
        return card.seen(self.dataset.name)

    def known_views(self) -> tuple[str, ...]:
        """Views of the dataset, by name; where there is none, those that can be simulated.

        Raises:
            MissingError: There is no such folder, or no clip in it.
        """
        if self.data is None:
            return VIEWS
        return tuple(sorted({key.view for key in SilhouetteStore(self.data, self.dataset).require_keys()}))


#: ``cpu``: hours on a laptop. ``gpu``: OpenGait's own schedules, for a real dataset.
SIZES = {
    "cpu": Setting(),
    "gpu": Setting(
        weights=None,
        views=("all",),
        takes=2,
        generator_clips=2_000_000,
        model="gaitbase",
        preset="full",
        iterations=None,
    ),
}


def default_mixing(iterations: int) -> str:
    """Batches that begin synthetic and end real: the last quarter of a training sees real clips alone.

    Chosen with 25 test people of another cohort (seed 7), one training each of 600 iterations: real people alone gave
    98.3 / 89.7 / 73.3 % (NM / BG / CL), with novel people in this way 98.3 / 88.7 / 76.0 %.
    """
    return f"0:1,{max(1, iterations * 3 // 4)}:0"


@dataclass(frozen=True)
class Data:
    """Real clips, the partition file and what stands in it."""

    root: Path
    partition: Path
    people: Partition


@dataclass(frozen=True)
class Arm:
    """What recognisers are trained on: their tables, one a seed, and the arm that it is compared with, if any."""

    name: str
    tables: tuple[Path, ...]
    against: str = ""


@dataclass
class Lab:
    """The steps and arms of one experiment in the folder ``root``; every method adds the steps that make a thing."""

    root: Path
    setting: Setting
    steps: list[Step] = field(default_factory=list)
    arms: list[Arm] = field(default_factory=list)

    def data(self, frames: int = LONG) -> Data:
        """The setting's dataset, or a cohort simulated for it with clips of so many frames."""
        size, people = self.setting, self.setting.people
        if size.data is not None:
            return self.split("all", size.data, people)
        folder = self.root / ("cohort" if frames == LONG else f"cohort-{frames}")
        seed = ("--seed", str(size.cohort_seed)) if size.cohort_seed else ()
        people_words = ("--subjects", str(size.subjects), "--train", str(size.train), *seed)
        clips = ("--views", ",".join(size.views), "--frames", str(frames))
        self._add(Command(folder.name, ("simulate", "--out", folder, *people_words, *clips)))
        return Data(folder / "pkl", folder / "partition.json", people)

    def split(self, name: str, root: Path, people: Partition) -> Data:
        """The same clips with another partition."""
        path = self.root / "partitions" / f"{name}.json"
        self._add(Split(f"partition-{name}", path, people))
        return Data(root, path, people)

    def reduced(self, name: str, data: Data, lacking: Mapping[str, tuple[str, ...]]) -> Data:
        """The same people, some of whom lack conditions or views."""
        target = self.root / name
        self._add(Reduction(name, data.root, target, lacking, self.setting.dataset))
        return Data(target, data.partition, data.people)

    def weights(self, name: str, data: Data) -> str | Path:
        """The setting's generator, or one trained on exactly the training people of ``data``."""
        if self.setting.weights is not None:
            return self.setting.weights
        folder = self.root / f"generator-{name}"
        words = ("train", "--data", data.root, "--partition", data.partition, "--out", folder, *self._config())
        length = ("--max-clips", str(self.setting.generator_clips))
        self._add(Command(folder.name, (*words, *length), self.setting.config))
        return folder

    def same_people(self, name: str, weights: str | Path, data: Data) -> Path:
        """Synthetic clips of the training people of ``data``."""
        return self._synthesize(name, weights, *self._train_people(data), "--novel", "0", *self._cells())

    def novel_people(self, name: str, weights: str | Path, count: int) -> Path:
        """Synthetic clips of ``count`` novel people."""
        return self._synthesize(name, weights, "--identities", "none", "--novel", str(count), *self._cells())

    def completed(self, name: str, weights: str | Path, data: Data) -> Path:
        """The cells that ``data`` lacks."""
        return self._synthesize(name, weights, "--complete", data.root, *self._train_people(data))

    def without_real(self, data: Data, synthetic: Path) -> Data:
        """A tree and partition of the synthetic people to train on and the real ones to test."""
        merged = self.root / "without-real"
        words = ("merge", "--real", data.root, "--partition", data.partition, "--dataset", "real")
        self._add(Command(merged.name, (*words, "--synthetic", synthetic, "--without-real", "--out", merged)))
        return Data(merged / "pkl", merged / "partition.json", data.people)

    def arm(
        self,
        name: str,
        data: Data,
        synthetic: Path | None = None,
        *,
        against: str = "",
        tested_on: Data | None = None,
        alike: bool = False,
    ) -> None:
        """Recognisers trained on ``data`` and ``synthetic``, one a seed, tested on the test people's real clips.

        ``alike`` draws from all clips alike whatever the setting's share, as where synthetic ones fill gaps.
        """
        more: list[str | Path] = ["--synthetic", synthetic] if synthetic else []
        if synthetic and self.setting.synthetic_share and not alike:
            more += ["--synthetic-share", self.setting.synthetic_share]
        if self.setting.iterations:
            more += ["--iterations", str(self.setting.iterations)]
        self.arms.append(Arm(name, self._recognisers(name, data, tested_on or data, *more), against))

    def floor(self, data: Data) -> None:
        """The same network, untrained: one iteration at no learning rate."""
        self.arms.append(Arm(FLOOR, self._recognisers(FLOOR, data, data, "--iterations", "1", "--learning-rate", "0")))

    def _synthesize(self, name: str, weights: str | Path, *words: str | Path) -> Path:
        folder = self.root / f"synthetic-{name}"
        self._add(Command(folder.name, ("synthesize", "--weights", weights, "--out", folder, *words)))
        return folder

    def _train_people(self, data: Data) -> tuple[str | Path, ...]:
        """Whom to generate: the training people as the generator knows them, or imitated where it never saw them."""
        if self.setting.weights is None:
            return ("--identities", "all")
        seen = self.setting.seen_by(read_card(locate(self.setting.weights)))
        if seen.isdisjoint(data.people.train):
            return ("--like", data.root, "--partition", data.partition)
        return ("--identities", ",".join(data.people.train))

    def _cells(self) -> tuple[str, ...]:
        return ("--views", ",".join(self.setting.views), "--takes", str(self.setting.takes))

    def _config(self) -> tuple[str | Path, ...]:
        return ("--config", self.setting.config) if self.setting.config else ()

    def _recognisers(self, name: str, data: Data, tested_on: Data, *more: str | Path) -> tuple[Path, ...]:
        """One training and test a seed; where the tables will be."""
        size, tables = self.setting, []
        for seed in range(size.seeds):
            folder = self.root / "recognisers" / f"{name.replace(' ', '-').replace('%', '')}-{seed}"
            common = ("--out", folder, "--views", ",".join(size.views), *self._config())
            words = ("recognise", "train", "--data", data.root, "--partition", data.partition, *common)
            kind = ("--model", size.model, "--preset", size.preset, "--seed", str(seed), "--no-test")
            self._add(Command(f"train-{folder.name}", (*words, *kind, *more), size.config))
            test = ("recognise", "test", "--data", tested_on.root, "--partition", tested_on.partition, *common)
            self._add(Command(f"test-{folder.name}", test, size.config))
            tables.append(folder / "table.json")
        return tuple(tables)

    def _add(self, step: Step) -> None:
        """Add a step unless it is there already."""
        if all(step.name != other.name for other in self.steps):
            self.steps.append(step)


@dataclass(frozen=True)
class Design:
    """A question and the arms that answer it.

    Attributes:
        generates: Whether there are synthetic clips in it.
        withholds: Whether it withholds people or clips, so that given weights must not have seen the training people.
    """

    question: str
    lay_out: Callable[[Lab, Data], None]
    generates: bool = True
    withholds: bool = False


def _same_vs_novel(lab: Lab, data: Data) -> None:
    weights = lab.weights("all", data)
    same, novel = lab.same_people("same", weights, data), lab.novel_people("novel", weights, len(data.people.train))
    lab.arm("real", data)
    lab.arm("real + same people", data, same, against="real")
    lab.arm("real + novel people", data, novel, against="real")


def _synthetic_only(lab: Lab, data: Data) -> None:
    novel = lab.novel_people("novel", lab.weights("all", data), len(data.people.train))
    lab.arm("real", data)
    lab.arm("synthetic only", lab.without_real(data, novel), against="real", tested_on=data)


def _few_labels(lab: Lab, data: Data) -> None:
    names = data.people.train
    for share in lab.setting.labels:
        few = replace(data.people, train=names[: max(2, math.ceil(len(names) * share / 100))])
        part = data if share == 100 else lab.split(f"{share}", data.root, few)
        weights = lab.weights(f"{share}", part)
        of = "novel" if lab.setting.weights else f"{share}"  # given weights' novel people are the same for all shares
        novel = lab.novel_people(of, weights, len(names))
        real = "real" if share == 100 else f"real {share}%"
        lab.arm(real, part)
        lab.arm(f"real {share}% + novel people", part, novel, against=real)
        if lab.setting.weights:
            same = lab.same_people("same" if share == 100 else f"same-{share}", weights, part)
            lab.arm(f"real {share}% + same people", part, same, against=real)


def _clip_length(lab: Lab, data: Data) -> None:
    if lab.setting.data is not None:
        raise UsageError("clip-length simulates its clips at two lengths; run it without --data")
    lab.arm("real", data)
    lab.arm(f"real, {SHORT} frames", lab.data(SHORT), against="real", tested_on=data)


def _completion(lab: Lab, data: Data) -> None:
    reduced = lab.reduced("reduced", data, lacking(data, lab.setting))
    completed = lab.completed("completed", lab.weights("reduced", reduced), reduced)
    lab.arm("reduced", reduced)
    lab.arm("reduced + completed", reduced, completed, against="reduced", alike=True)
    lab.arm("real", data, against="reduced")


def lacking(data: Data, setting: Setting) -> dict[str, tuple[str, ...]]:
    """What each training person lacks, in turn: clothing change, bags, every second view; test people lack nothing."""
    views = setting.views if setting.views != ("all",) else setting.known_views()
    kinds = (("cl",), ("bg",), tuple(views[1::2]))
    return {person: kinds[number % len(kinds)] for number, person in enumerate(data.people.train)}


DESIGNS = {
    "same-vs-novel": Design("Do novel people help more than as many clips of the same people?", _same_vs_novel),
    "synthetic-only": Design("How close do synthetic people come to real ones?", _synthetic_only),
    "few-labels": Design("Do novel people help where only few people are known?", _few_labels, withholds=True),
    "clip-length": Design("What do clips of 30 instead of 60 frames cost?", _clip_length, generates=False),
    "completion": Design(
        "Do synthetic clips make up for clothes, bags and views that people lack?", _completion, withholds=True
    ),
}


def design(name: str, root: Path, setting: Setting) -> Lab:
    """Lay out the experiment ``name`` in the folder ``root``.

    Raises:
        UsageError: There is no such experiment, or it does not go with the setting.
    """
    if name not in DESIGNS:
        raise UsageError(f"unknown experiment '{name}'; {suggest(name, list(DESIGNS))}")
    lab = Lab(root, setting)
    data = lab.data()
    DESIGNS[name].lay_out(lab, data)
    lab.floor(data)
    return lab

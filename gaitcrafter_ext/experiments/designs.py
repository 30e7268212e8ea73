"""The questions that are asked of synthetic people, and the arms that answer them.

What several questions need bears one name in all of them (the arm ``real`` above all), so that questions asked in one
folder share it.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from gaitcrafter_ext.errors import UsageError, suggest
from gaitcrafter_ext.experiments.steps import Call, Step
from gaitcrafter_ext.generator.sampling import FRAMES
from gaitcrafter_ext.generator.weights import Card, checksum, locate, read_card
from gaitcrafter_ext.recognition.config import preset
from gaitcrafter_ext.silhouettes.dataset import DatasetConfig, load_dataset
from gaitcrafter_ext.silhouettes.files import link_folder
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import CONDITIONS, VIEWS

#: Name of the arm that every experiment has: the network before training.
FLOOR = "untrained"


@dataclass(frozen=True)
class Setting:
    """Everything about an experiment besides its question.

    ``data`` and ``partition`` are a real dataset's; without them a cohort is simulated. ``weights`` is ``"bundled"``,
    a folder, or ``None``: a generator is trained on exactly the training people, for ``generator_clips``. Given weights
    that never saw them imitate them after their silhouettes; ``fine_tune`` clips more are trained on them in
    ``few-labels``. ``cohort_seed``: the bundled weights have seen people of seed 2508. ``synthetic_share`` is that of
    the batches of arms that have both kinds, as ``recognise train`` takes it. ``novel``: how many people in ``dose``;
    ``labels``: how many real ones in ``few-labels``; ``leave_out``: how many at a time in ``real-people``. ``seeds``
    vary the recogniser, not the generator.
    """

    data: Path | None = None
    partition: Partition | None = None
    weights: str | Path | None = "bundled"
    config: str | Path | None = None
    subjects: int = 75
    train: int = 50
    cohort_seed: int = 1
    views: tuple[str, ...] = ("036", "090", "144")
    frames: int = 30
    takes: int = 1
    identity_scale: float | None = None
    generator_clips: int = 5000
    fine_tune: int = 0
    model: str = "gaitset"
    preset: str = "small"
    iterations: int | None = 200
    synthetic_share: str | None = None
    novel: tuple[int, ...] = (50, 150, 500)
    lengths: tuple[int, ...] = (FRAMES, 60, 90)
    labels: tuple[int, ...] = (5, 10, 25)
    leave_out: int = 2
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
        """Views of the dataset, by name; where there is none, those that can be simulated."""
        if self.data is None:
            return VIEWS
        return tuple(sorted({key.view for key in SilhouetteStore(self.data, self.dataset).require_keys()}))

    def known_conditions(self) -> list[str]:
        """Walking conditions of the dataset, the plain one first."""
        if self.data is None:
            return list(CONDITIONS)
        keys = SilhouetteStore(self.data, self.dataset).require_keys()
        return self.dataset.ordered_conditions(key.take for key in keys)


#: ``cpu``: hours on a laptop. ``gpu``: OpenGait's own schedules, for a real dataset.
_GPU = Setting(weights=None, views=("all",), takes=2, generator_clips=2_000_000, preset="full", iterations=None)
SIZES = {"cpu": Setting(), "gpu": replace(_GPU, model="gaitbase")}


def default_mixing(iterations: int) -> str:
    """Batches that begin synthetic and end real: the last quarter of a training sees real clips alone.

    Chosen on another cohort (seed 7, 600 iterations): 98.3 / 88.7 / 76.0 % (NM / BG / CL), without novel people
    98.3 / 89.7 / 73.3 %.
    """
    return f"0:1,{max(1, iterations * 3 // 4)}:0"


@dataclass(frozen=True)
class Data:
    """Real clips, the partition file and what stands in it; ``tested_on``: whose test people's clips count instead."""

    root: Path
    partition: Path
    people: Partition
    tested_on: Data | None = None


@dataclass(frozen=True)
class Arm:
    """What recognisers are trained on, and the arm that it is compared with, if any.

    ``tables``: iterations -> those of each seed -> of each part of the test people. Of several lengths the best counts.
    """

    name: str
    tables: dict[int, tuple[tuple[Path, ...], ...]]
    against: str = ""


@dataclass
class Lab:
    """The steps and arms of one experiment in the folder ``root``; every method adds the steps that make a thing."""

    root: Path
    setting: Setting
    steps: list[Step] = field(default_factory=list)
    arms: list[Arm] = field(default_factory=list)

    def data(self, frames: int | None = None) -> Data:
        """The setting's dataset, or a cohort simulated for it with clips of so many frames."""
        size, people = self.setting, self.setting.people
        if size.data is not None:
            return self.split("all", size.data, people)
        folder = self.root / ("cohort" if frames is None else f"cohort-{frames}")
        seed = ("--seed", str(size.cohort_seed)) if size.cohort_seed else ()
        who = ("--subjects", str(size.subjects), "--train", str(size.train), *seed)
        clips = ("--views", ",".join(size.views), "--frames", str(frames or size.frames))
        self._command(folder.name, "simulate", "--out", folder, *who, *clips)
        return Data(folder / "pkl", folder / "partition.json", people)

    def split(self, name: str, root: Path, people: Partition) -> Data:
        """The same clips with another partition."""
        path = self.root / "partitions" / f"{name}.json"
        line = f"# {path}: {len(people.train)} people to train on, {len(people.test)} to test"
        facts = {"path": self._place(path), **asdict(people)}
        self._add(f"partition-{name}", line, path, facts, lambda call: people.save(path))
        return Data(root, path, people)

    def reduced(self, name: str, data: Data, lacking: Mapping[str, tuple[str, ...]]) -> Data:
        """Links to the same people's clips, but to some conditions and views of some people (``lacking``) none."""
        source, target, rules = data.root, self.root / name, self.setting.dataset

        def do(call: Call) -> None:
            for key in SilhouetteStore(source, rules):
                if {rules.condition_of(key.take), key.view}.isdisjoint(lacking.get(key.identity, ())):
                    clip, link = (source / str(key)).resolve(), target / str(key)
                    # Links to what lies beside the tree are relative, so that both may be moved.
                    beside = source.is_relative_to(target.parent)
                    link_folder(Path(os.path.relpath(clip, link.parent.resolve())) if beside else clip, link)

        line = f"# {target}: links to {source}, where {len(lacking)} people lack something"
        facts = {"source": self._place(source), "target": self._place(target), "lacking": dict(lacking)}
        self._add(name, line, target, facts, do)
        return Data(target, data.partition, data.people)

    def weights(self, name: str, data: Data) -> str | Path:
        """The setting's generator, or one trained on exactly the training people of ``data``."""
        if self.setting.weights is not None:
            return self.setting.weights
        return self._trained(f"generator-{name}", data, self.setting.generator_clips)

    def fine_tuned(self, name: str, data: Data) -> Path:
        """The setting's generator, trained further on the training people of ``data``."""
        return self._trained(f"tuned-{name}", data, self.setting.fine_tune, "--init", self.setting.weights or "")

    def same_people(self, name: str, weights: str | Path, data: Data, *words: str, takes: int | None = None) -> Path:
        """Synthetic clips of the training people of ``data``."""
        cells = ("--novel", "0", *self._cells(takes), *words)
        return self._synthesize(name, weights, *self._train_people(weights, data), *cells)

    def novel_people(self, name: str, weights: str | Path, count: int, *words: str) -> Path:
        """Synthetic clips of ``count`` novel people."""
        return self._synthesize(name, weights, "--identities", "none", "--novel", str(count), *self._cells(), *words)

    def completed(self, name: str, weights: str | Path, data: Data) -> Path:
        """The cells that ``data`` lacks."""
        return self._synthesize(name, weights, "--complete", data.root, *self._train_people(weights, data))

    def without_real(self, data: Data, synthetic: Path, part: str = "") -> Data:
        """A tree and partition of the synthetic people to train on and the real ones to test."""
        merged = self.root / f"{synthetic.name.replace('synthetic', 'without-real', 1)}{part}"
        real = ("--real", data.root, "--partition", data.partition, "--dataset", "real")
        self._command(merged.name, "merge", *real, "--synthetic", synthetic, "--without-real", "--out", merged)
        return Data(merged / "pkl", merged / "partition.json", data.people)

    def arm(
        self,
        name: str,
        data: Data | Sequence[Data],
        *synthetic: Path,
        against: str = "",
        share: str | None = "",
        early: bool = False,
    ) -> None:
        """Recognisers trained on ``data`` and ``synthetic``, tested on the test people's real clips.

        Of several partitions each is trained and tested on, and their mean counts. ``share`` is that of synthetic
        clips: None draws from all alike, the setting's where not given. ``early`` tests at half the iterations too, and
        the better of both counts.
        """
        words = [word for folder in synthetic for word in ("--synthetic", folder)]
        share = self.setting.synthetic_share if share == "" else share
        if synthetic and share:
            words += ["--synthetic-share", share]
        full = self.setting.iterations or preset(self.setting.model, self.setting.preset).iterations
        lengths = (full // 2, full) if early and full > 1 else (full,)
        self.arms.append(Arm(name, self._tables(name, data, lengths, words), against))

    def floor(self, data: Data | Sequence[Data]) -> None:
        """The same network, untrained: one iteration at no learning rate."""
        self.arms.append(Arm(FLOOR, self._tables(FLOOR, data, (1,), ["--learning-rate", "0"])))

    def _trained(self, name: str, data: Data, clips: int, *words: str | Path) -> Path:
        folder = self.root / name
        given = ("train", "--data", data.root, "--partition", data.partition, "--out", folder, *self._config())
        self._command(name, *given, "--max-clips", str(clips), *words)
        return folder

    def _synthesize(self, name: str, weights: str | Path, *words: str | Path) -> Path:
        folder = self.root / f"synthetic-{name}"
        scale = self.setting.identity_scale
        more = () if scale is None else ("--identity-scale", f"{scale:g}")
        self._command(folder.name, "synthesize", "--weights", weights, "--out", folder, *words, *more)
        return folder

    def _train_people(self, weights: str | Path, data: Data) -> tuple[str | Path, ...]:
        """Whom to generate: the training people as the generator knows them, or imitated where it never saw them."""
        if weights != self.setting.weights:
            return ("--identities", "all")
        seen = self.setting.seen_by(read_card(locate(weights)))
        if seen.isdisjoint(data.people.train):
            return ("--like", data.root, "--partition", data.partition)
        return ("--identities", ",".join(data.people.train))

    def _cells(self, takes: int | None = None) -> tuple[str, ...]:
        return ("--views", ",".join(self.setting.views), "--takes", str(takes or self.setting.takes))

    def _config(self) -> tuple[str | Path, ...]:
        return ("--config", self.setting.config) if self.setting.config else ()

    def _tables(
        self, name: str, data: Data | Sequence[Data], lengths: Sequence[int], words: Sequence[str | Path]
    ) -> dict[int, tuple[tuple[Path, ...], ...]]:
        """Where the tables will be of one training a seed and part, tested at each length."""
        stem, seeds = name.replace(" + ", " and ").replace(", ", " ").replace(" ", "-"), range(self.setting.seeds)
        parts = {stem: data} if isinstance(data, Data) else {f"{stem}-{n}": each for n, each in enumerate(data)}

        def of_seed(length: int, seed: int) -> tuple[Path, ...]:
            runs = ((f"{run}-{seed}", part) for run, part in parts.items())
            return tuple(self._recogniser(run, length, seed, part, words) for run, part in runs)

        return {length: tuple(of_seed(length, seed) for seed in seeds) for length in lengths}

    def _recogniser(self, run: str, length: int, seed: int, data: Data, words: Sequence[str | Path]) -> Path:
        """A training of some length, and its test; where the table will be."""
        size, folder, table = self.setting, self.root / "recognisers" / run, f"table-{length}.json"
        common = ("--out", folder, "--views", ",".join(size.views), *self._config())
        train = ("recognise", "train", "--data", data.root, "--partition", data.partition, *common)
        kind = ("--model", size.model, "--preset", size.preset, "--iterations", str(length), *words)
        after = ("--no-test",) if data.tested_on else ("--table", table)
        self._command(f"train-{run}-{length}", *train, *kind, "--seed", str(seed), *after)
        if tested := data.tested_on:
            test = ("recognise", "test", "--data", tested.root, "--partition", tested.partition, *common)
            self._command(f"test-{run}-{length}", *test, "--table", table)
        return folder / table

    def _command(self, name: str, *words: str | Path) -> None:
        """A command of this package: the words after ``gaitcrafter``, files and folders among them as paths.

        Of the user's config it counts what is in it, not what it is called.
        """
        text, config = tuple(map(str, words)), self.setting.config
        facts = [
            word if isinstance(word, str) else checksum(word) if word == config else self._place(word) for word in words
        ]
        line, output = shlex.join(["gaitcrafter", *text]), Path(words[words.index("--out") + 1])
        self._add(name, line, output, {"words": facts}, lambda call: call(text))

    def _place(self, path: Path) -> str:
        """A path named alike from wherever the user is: from ``root`` where it lies in it, absolute elsewhere."""
        whole, root = (Path(os.path.abspath(each)) for each in (path, self.root))
        return (whole.relative_to(root) if whole.is_relative_to(root) else whole).as_posix()

    def _add(self, name: str, line: str, output: Path, facts: dict[str, Any], do: Callable[[Call], None]) -> None:
        """Add a step unless it is there already."""
        if all(name != step.name for step in self.steps):
            self.steps.append(Step(name, line, output, facts, do))


@dataclass(frozen=True)
class Design:
    """A question and the arms that answer it.

    ``withholds`` people or clips: given weights must not have seen the training people then. ``real``: on a dataset
    only; ``simulated``: on the cohort only.
    """

    question: str
    lay_out: Callable[[Lab], None]
    generates: bool = True
    withholds: bool = False
    real: bool = False
    simulated: bool = False


def _dose(lab: Lab) -> None:
    """Novel people, the first dose of clips spent on the same people, and both."""
    data = lab.data()
    weights, train = lab.weights("all", data), len(data.people.train)
    first, *others = lab.setting.novel
    lab.arm("real", data)
    novel = lab.novel_people(f"novel-{first}", weights, first)
    lab.arm(f"real + {first} novel", data, novel, against="real")
    same = lab.same_people("same", weights, data, takes=max(1, round(lab.setting.takes * first / train)))
    lab.arm("real + same people", data, same, against="real")
    for count in others:
        lab.arm(f"real + {count} novel", data, lab.novel_people(f"novel-{count}", weights, count), against="real")
    lab.arm(f"real + same people + {first} novel", data, same, novel, against="real")
    lab.floor(data)


def _synthetic_only(lab: Lab) -> None:
    data = lab.data()
    weights, counts = lab.weights("all", data), (lab.setting.novel[0], lab.setting.novel[-1])
    lab.arm("real", data)
    sets = [(f"{count} novel", lab.novel_people(f"novel-{count}", weights, count)) for count in dict.fromkeys(counts)]
    for frames in lab.setting.lengths:
        if frames != FRAMES:
            folder = lab.novel_people(f"novel-{counts[0]}-{frames}", weights, counts[0], "--frames", str(frames))
            sets.append((f"{counts[0]} novel, {frames} frames", folder))
    for name, folder in sets:
        lab.arm(name, lab.without_real(data, folder), against="real")
    lab.floor(data)


def _few_labels(lab: Lab) -> None:
    data = lab.data()
    names, count = data.people.train, len(data.people.train)
    for labels in lab.setting.labels:
        part = lab.split(f"{labels}", data.root, replace(data.people, train=names[:labels]))
        weights = lab.weights(f"{labels}", part)
        given = lab.setting.weights is not None
        # The novel people of given weights are the same whoever is known.
        novel = lab.novel_people(f"novel-{count}" if given else f"novel-{count}-of-{labels}", weights, count)
        real = f"{labels} real"
        lab.arm(real, part, early=True)
        lab.arm(f"{real} + novel", part, novel, against=real)
        if given:
            same = lab.same_people(f"same-{labels}", weights, part)
            lab.arm(f"{real} + same people", part, same, against=real)
        if lab.setting.fine_tune:
            tuned = lab.novel_people(f"tuned-{labels}", lab.fine_tuned(f"{labels}", part), count)
            lab.arm(f"{real} + novel, fine-tuned", part, tuned, against=real)
    lab.floor(data)


def _missing_conditions(lab: Lab) -> None:
    data = lab.data()
    kept, *missing = lab.setting.known_conditions()
    if not missing:
        raise UsageError(f"missing-conditions needs several conditions; {lab.setting.data} has '{kept}' alone")
    # A generator that is trained here must see every condition on someone: every second person keeps them then.
    given, people = lab.setting.weights is not None, data.people.train
    plain = lab.reduced("plain", data, {person: tuple(missing) for person in (people if given else people[::2])})
    real = f"{kept} only" if given else f"half in {kept} only"
    weights = lab.weights("plain", plain)
    if given:
        same = lab.same_people("missing", weights, plain, "--conditions", ",".join(missing), takes=2)
    else:
        same = lab.completed("missing", weights, plain)
    novel = lab.novel_people(f"novel-{len(people)}{'' if given else '-of-plain'}", weights, len(people))
    lab.arm(real, plain, early=True)
    lab.arm(f"{kept} + synthetic {' '.join(missing)}", plain, same, against=real, share=None)
    lab.arm(f"synthetic {' '.join(missing)} then {kept}", plain, same, against=real)
    lab.arm(f"{kept} + novel", plain, novel, against=real)
    lab.arm("real", data, against=real)
    lab.floor(data)


def _missing_views(lab: Lab) -> None:
    data, size = lab.data(), lab.setting
    views = size.views if size.views != ("all",) else size.known_views()
    if len(views) < 2:
        raise UsageError(f"missing-views needs several views; found '{views[0]}' alone")
    lacking = {
        person: tuple(view for place, view in enumerate(views) if place != number % len(views))
        for number, person in enumerate(data.people.train)
    }
    single = lab.reduced("single-view", data, lacking)
    weights = lab.weights("single-view", single)
    lab.arm("one view each", single, early=True)
    completed = lab.completed("completed", weights, single)
    lab.arm("one view each + completed", single, completed, against="one view each", share=None)
    lab.arm("completed then real", single, completed, against="one view each")
    lab.arm("real", data, against="one view each")
    lab.floor(data)


def _real_people(lab: Lab) -> None:
    """The people to train on are left out in turn; a generator trained on all of them would have seen those."""
    data, size = lab.data(), lab.setting
    if size.weights is None:
        raise UsageError(
            "--weights: real-people takes weights that have seen none of its people; name them, e.g. bundled"
        )
    names, count = data.people.train, size.novel[0]
    folds = [
        lab.split(f"without-{number}", data.root, Partition(tuple(n for n in names if n not in some), some))
        for number, some in enumerate(_left_out(names, size.leave_out))
    ]
    novel = lab.novel_people(f"novel-{count}", size.weights, count)
    lab.arm("real", folds, early=True)
    lab.arm(f"real + {count} novel", folds, novel, against="real")
    alone = [lab.without_real(fold, novel, f"-{number}") for number, fold in enumerate(folds)]
    lab.arm(f"{count} novel", alone, against="real")
    lab.floor(folds)


def _left_out(names: tuple[str, ...], count: int) -> list[tuple[str, ...]]:
    """So many people at a time; a last one alone joins those before, since looking a person up takes two."""
    parts = [names[start : start + count] for start in range(0, len(names), count)]
    if len(parts[-1]) == 1 < len(parts):
        parts[-2:] = [parts[-2] + parts[-1]]
    if count < 2 or len(parts) < 2:
        raise UsageError(
            f"--leave-out: {count} of {len(names)} people at a time; allowed: 2 or more, if others are left to train on"
        )
    return parts


def _clip_length(lab: Lab) -> None:
    data, frames = lab.data(), 2 * lab.setting.frames
    lab.arm("real", data)
    lab.arm(f"real, {frames} frames", replace(lab.data(frames), tested_on=data), against="real")
    lab.floor(data)


DESIGNS = {
    "dose": Design("Do novel people help, how many, and more than as many clips of the same people?", _dose),
    "few-labels": Design("Do synthetic people help where only few people are known?", _few_labels, withholds=True),
    "missing-conditions": Design(
        "Do synthetic bags and coats make up for people filmed in plain clothes only?",
        _missing_conditions,
        withholds=True,
    ),
    "missing-views": Design(
        "Do synthetic views make up for people filmed from one side each?", _missing_views, withholds=True
    ),
    "synthetic-only": Design("How close do synthetic people come to real ones?", _synthetic_only),
    "real-people": Design(
        "Do novel people help on a few people left out in turn?", _real_people, withholds=True, real=True
    ),
    "clip-length": Design("Do real clips of twice the frames help?", _clip_length, generates=False, simulated=True),
}


def design(name: str, root: Path, setting: Setting) -> Lab:
    """Lay out the experiment ``name`` in the folder ``root``.

    Raises:
        UsageError: There is no such experiment, or it does not go with the setting.
    """
    if name not in DESIGNS:
        raise UsageError(f"unknown experiment '{name}'; {suggest(name, list(DESIGNS))}")
    lab, each = Lab(root, setting), DESIGNS[name]
    if each.real and setting.data is None:
        raise UsageError(f"{name} is for a real dataset; name it with --data and --partition")
    if each.simulated and setting.data is not None:
        raise UsageError(f"{name} simulates its clips; run it without --data")
    each.lay_out(lab)
    return lab

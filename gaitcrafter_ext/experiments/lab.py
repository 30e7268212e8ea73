"""Lays out an experiment: every call adds the steps that make a thing, once, and tells where it will be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gaitcrafter_ext.experiments.setting import Setting
from gaitcrafter_ext.experiments.steps import Command, Reduction, Split, Step
from gaitcrafter_ext.silhouettes.partition import Partition

__all__ = ["Arm", "Data", "Lab"]

#: Name of the arm that every experiment has: the network before training.
FLOOR = "untrained"


@dataclass(frozen=True)
class Data:
    """Real clips and whom to train on.

    Attributes:
        root: Folder of identities.
        partition: The partition file.
        people: What stands in it.
    """

    root: Path
    partition: Path
    people: Partition


@dataclass(frozen=True)
class Arm:
    """What recognisers are trained on, and where their CASIA-B tables will be, one a seed.

    Attributes:
        name: Of the arm.
        tables: The tables.
        against: Name of the arm that it is compared with; empty for those that others are compared with.
    """

    name: str
    tables: tuple[Path, ...]
    against: str = ""


@dataclass
class Lab:
    """The steps and arms of one experiment under one folder.

    Attributes:
        root: The folder.
        setting: How large it is.
        steps: What to do, in order.
        arms: What is compared.
    """

    root: Path
    setting: Setting
    steps: list[Step] = field(default_factory=list)
    arms: list[Arm] = field(default_factory=list)

    def data(self, frames: int = 60) -> Data:
        """The setting's dataset, or a cohort simulated for it with clips of so many frames."""
        size, people = self.setting, self.setting.people
        if size.data is not None:
            return self.split("all", size.data, people)
        folder = self.root / ("cohort" if frames == 60 else f"cohort-{frames}")
        self._add(
            Command(
                folder.name,
                ("simulate", "--out", folder, "--subjects", str(size.subjects), "--train", str(size.train),
                 "--views", ",".join(size.views), "--frames", str(frames)),
            )
        )  # fmt: skip
        return Data(folder / "pkl", folder / "partition.json", people)

    def split(self, name: str, root: Path, people: Partition) -> Data:
        """The same clips with another partition."""
        path = self.root / "partitions" / f"{name}.json"
        self._add(Split(f"partition-{name}", path, people))
        return Data(root, path, people)

    def reduced(self, name: str, data: Data, lacking: Mapping[str, tuple[str, ...]]) -> Data:
        """The same people, some of whom lack conditions or views."""
        target = self.root / name
        self._add(Reduction(name, data.root, target, lacking))
        return Data(target, data.partition, data.people)

    def generator(self, name: str, data: Data) -> Path:
        """Weights trained on exactly the training people of ``data``."""
        size, folder = self.setting, self.root / f"generator-{name}"
        words = ("train", "--data", data.root, "--partition", data.partition, "--out", folder)
        config = ("--config", size.config) if size.config else ()
        length = ("--max-clips", str(size.generator_clips))
        self._add(Command(folder.name, (*words, *config, *length), size.config))
        return folder

    def weights(self, data: Data) -> str | Path:
        """The setting's generator, or one trained on ``data``."""
        return self.setting.weights or self.generator("all", data)

    def synthetic(self, name: str, weights: str | Path, *who: str) -> Path:
        """Clips of the people that the words ``who`` choose, in all conditions and views of the setting."""
        size = self.setting
        return self._synthesize(name, weights, *who, "--views", ",".join(size.views), "--takes", str(size.takes))

    def completed(self, name: str, weights: str | Path, data: Data) -> Path:
        """The cells that ``data`` lacks."""
        return self._synthesize(name, weights, "--complete", data.root)

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
        tables = self._train(name, data, tested_on or data, *more, *self._length())
        self.arms.append(Arm(name, tables, against))

    def floor(self, data: Data) -> None:
        """The same network, untrained: one iteration at no learning rate."""
        tables = self._train(FLOOR, data, data, "--iterations", "1", "--learning-rate", "0")
        self.arms.append(Arm(FLOOR, tables))

    def without_real(self, data: Data, synthetic: Path) -> Data:
        """A tree and partition of the synthetic people to train on and the real ones to test."""
        merged = self.root / "without-real"
        self._add(
            Command(
                merged.name,
                ("merge", "--real", data.root, "--partition", data.partition, "--dataset", "real",
                 "--synthetic", synthetic, "--without-real", "--out", merged),
            )
        )  # fmt: skip
        return Data(merged / "pkl", merged / "partition.json", data.people)

    def _synthesize(self, name: str, weights: str | Path, *words: str | Path) -> Path:
        folder = self.root / f"synthetic-{name}"
        self._add(Command(folder.name, ("synthesize", "--weights", weights, "--out", folder, *words)))
        return folder

    def _length(self) -> tuple[str, ...]:
        return ("--iterations", str(self.setting.iterations)) if self.setting.iterations else ()

    def _train(self, name: str, data: Data, tested_on: Data, *more: str | Path) -> tuple[Path, ...]:
        """One training and test a seed; where the tables will be."""
        size, tables = self.setting, []
        for seed in range(size.seeds):
            folder = self.root / "recognisers" / f"{name.replace(' ', '-').replace('%', '')}-{seed}"
            common = ("--out", folder, "--views", ",".join(size.views))
            words = ("recognise", "train", "--data", data.root, "--partition", data.partition, *common)
            kind = ("--model", size.model, "--preset", size.preset, "--seed", str(seed), "--no-test")
            self._add(Command(f"train-{folder.name}", (*words, *kind, *more)))
            test = ("recognise", "test", "--data", tested_on.root, "--partition", tested_on.partition)
            self._add(Command(f"test-{folder.name}", (*test, *common)))
            tables.append(folder / "table.json")
        return tuple(tables)

    def _add(self, step: Step) -> None:
        """Add a step unless it is there already."""
        if all(step.name != other.name for other in self.steps):
            self.steps.append(step)

"""The questions that are asked of synthetic people, and the arms that answer them.

What several questions need bears one name in all of them (the arm ``real`` above all), so that questions asked in one
folder share it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.experiments.lab import Data, Lab
from gaitcrafter_ext.experiments.setting import Setting, known_views
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.vocabulary import suggest

__all__ = ["DESIGNS", "QUESTIONS", "WITH_WEIGHTS", "design"]

#: Frames of the shorter clips in ``clip-length``.
SHORT = 30


def _same_vs_novel(lab: Lab) -> None:
    data = lab.data()
    weights, count = lab.weights(data), len(data.people.train)
    same = lab.synthetic("same", weights, "--identities", "all", "--novel", "0")
    novel = lab.synthetic("novel", weights, "--identities", "none", "--novel", str(count))
    lab.arm("real", data)
    lab.arm("real + same people", data, same, against="real")
    lab.arm("real + novel people", data, novel, against="real")
    lab.floor(data)


def _synthetic_only(lab: Lab) -> None:
    data = lab.data()
    weights, count = lab.weights(data), len(data.people.train)
    novel = lab.synthetic("novel", weights, "--identities", "none", "--novel", str(count))
    lab.arm("real", data)
    lab.arm("synthetic only", lab.without_real(data, novel), against="real")
    lab.floor(data)


def _few_labels(lab: Lab) -> None:
    data, names = lab.data(), lab.setting.people.train
    for share in lab.setting.labels:
        few = names[: max(2, math.ceil(len(names) * share / 100))]
        part = data if share == 100 else lab.split(f"{share}", data.root, Partition(few, data.people.test))
        weights = lab.generator(f"{share}", part)
        novel = lab.synthetic(f"{share}", weights, "--identities", "none", "--novel", str(len(names)))
        real = "real" if share == 100 else f"real {share}%"
        lab.arm(real, part)
        lab.arm(f"real {share}% + novel people", part, novel, against=real)
    lab.floor(data)


def _clip_length(lab: Lab) -> None:
    if lab.setting.data is not None:
        raise UsageError("clip-length simulates its clips at two lengths; run it without --data")
    long, short = lab.data(), lab.data(SHORT)
    lab.arm("real", long)
    lab.arm(f"real, {SHORT} frames", short, against="real", tested_on=long)
    lab.floor(long)


def _completion(lab: Lab) -> None:
    data = lab.data()
    reduced = lab.reduced("reduced", data, lacking(data, lab.setting))
    completed = lab.completed("completed", lab.generator("reduced", reduced), reduced)
    lab.arm("reduced", reduced)
    lab.arm("reduced + completed", reduced, completed, against="reduced", alike=True)
    lab.arm("real", data, against="reduced")
    lab.floor(data)


def lacking(data: Data, setting: Setting) -> dict[str, tuple[str, ...]]:
    """What each training person lacks, in turn: clothing change, bags, every second view; test people lack nothing."""
    views = setting.views if setting.views != ("all",) else known_views(setting.data)
    kinds = (("cl",), ("bg",), tuple(views[1::2]))
    return {person: kinds[number % len(kinds)] for number, person in enumerate(data.people.train)}


#: Name -> what it asks.
QUESTIONS = {
    "same-vs-novel": "Do novel people help more than as many clips of the same people?",
    "synthetic-only": "How close do people who do not exist come to real ones?",
    "few-labels": "Do novel people help where only few people are known?",
    "clip-length": "What do clips of 30 instead of 60 frames cost?",
    "completion": "Do synthetic clips make up for clothes, bags and views that people lack?",
}

DESIGNS: dict[str, Callable[[Lab], None]] = {
    "same-vs-novel": _same_vs_novel,
    "synthetic-only": _synthetic_only,
    "few-labels": _few_labels,
    "clip-length": _clip_length,
    "completion": _completion,
}

#: Those that use the setting's weights; the others train generators of their own, or none.
WITH_WEIGHTS = ("same-vs-novel", "synthetic-only")


def design(name: str, root: Path, setting: Setting) -> Lab:
    """Lay out the experiment ``name`` in the folder ``root``.

    Raises:
        UsageError: There is no such experiment, or it does not go with the setting.
    """
    if name not in DESIGNS:
        raise UsageError(f"unknown experiment '{name}'; {suggest(name, list(DESIGNS))}")
    lab = Lab(root, setting)
    DESIGNS[name](lab)
    return lab

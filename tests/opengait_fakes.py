"""Small trees and configs for the tests of the OpenGait room; no OpenGait in here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.opengait.config_keys import apply_arm
from gaitcrafter_ext.opengait.prepare import class_counts
from gaitcrafter_ext.records import read_yaml
from gaitcrafter_ext.silhouettes.dataset import DatasetConfig
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.synthesis.identities import Identity
from gaitcrafter_ext.synthesis.plan import Plan, Sampling
from gaitcrafter_ext.vocabulary import CASIA_B_TAKES, ClipKey, take_names

REPOSITORY = Path(__file__).parents[1]

#: The checkout of the tests marked ``opengait``, which fail without one.
CHECKOUT = Path(os.environ.get("OPENGAIT_ROOT", "OPENGAIT_ROOT is not set")).expanduser()

TAKES = tuple(take_names(CASIA_B_TAKES))


def clip(person: int, take: int = 0, frames: int = 12) -> NDArray[np.uint8]:
    """A block that widens and narrows: uint8 [frames, 64, 64]; people differ in width and height, takes in phase."""
    made = np.zeros((frames, 64, 64), np.uint8)
    for time in range(frames):
        half = 6 + 2 * (person % 5) + round(2 * np.sin(2 * np.pi * (time + 5 * take) / 12))
        made[time, 2 + person : 62, 32 - half : 32 + half] = 255
    return made


def write_tree(
    root: Path,
    people: tuple[str, ...],
    takes: tuple[str, ...] = TAKES,
    views: tuple[str, ...] = ("000", "090"),
    test: int = 0,
    rules: DatasetConfig | None = None,
) -> Path:
    """``root/pkl`` and ``root/partition.json``; the last ``test`` people are TEST_SET. Returns ``root``."""
    store = SilhouetteStore(root / "pkl", rules, create=True)
    for person, identity in enumerate(people):
        for number, take in enumerate(takes):
            for view in views:
                store.write(ClipKey(identity, take, view), clip(person, number))
    split = len(people) - test
    Partition(people[:split], people[split:]).save(root / "partition.json")
    return root


def synthetic_set(
    root: Path,
    recipes: dict[str, dict[str, float]],
    dataset: str = "simulated",
    takes: tuple[str, ...] = ("nm-01",),
    views: tuple[str, ...] = ("000", "090"),
    rules: DatasetConfig | None = None,
) -> Path:
    """A tree with a ``plan.json`` that says who its people are, as ``synthesize`` leaves it."""
    rules = rules or DatasetConfig()
    write_tree(root, tuple(recipes), takes, views, rules=rules)
    keys = SilhouetteStore(root / "pkl", rules).keys()
    plan = Plan(
        "f" * 16,
        dataset,
        Sampling("euler", 2, 1.0, seed=0),
        {name: Identity(mix) for name, mix in recipes.items()},
        {key.take: rules.condition_of(key.take) for key in keys},
        {key.view: rules.view_deg(key.view) for key in keys},
        tuple(str(key) for key in keys),
    )
    (root / "plan.json").write_text(plan.to_json())
    return root


def config(root: Path, model: str = "gaitset", **data: Any) -> dict[str, Any]:
    """The ready config of a model, short, for a tree of ``write_tree``; four classes, and a test batch of 16."""
    cfgs = read_yaml(REPOSITORY / "opengait_configs" / f"{model}-cpu.yaml")
    tree = {"dataset_root": str(root / "pkl"), "dataset_partition": str(root / "partition.json"), "num_workers": 0}
    sampler = {"batch_size": [2, 2], "frames_num_fixed": 6}
    training = {"log_iter": 1, "save_iter": 2, "total_iter": 2, "sampler": sampler}
    testing = {"restore_hint": 2, "sampler": {"batch_size": 16}}
    apply_arm(cfgs, {"data_cfg": {**tree, **data}, "trainer_cfg": training, "evaluator_cfg": testing})
    for _, section in class_counts(cfgs["model_cfg"]):
        section["class_num"] = 4
    return cfgs


def run_python(*arguments: str | Path, code: int = 0, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    """A Python process of its own, which ends with ``code``."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=cwd)
    assert done.returncode == code, done.stderr
    return done


def write_config(path: Path, values: dict[str, Any]) -> Path:
    """JSON is YAML."""
    path.write_text(json.dumps(values))
    return path

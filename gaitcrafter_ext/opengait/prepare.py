"""Between OpenGait's config loader and OpenGait: paths found, class count derived, batch size fitted, errors stated.

What OpenGait would meet hours later, or never notice, is refused here, before anything is made or trained.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gaitcrafter_ext.errors import DataError, MissingError, UsageError, listed
from gaitcrafter_ext.generator.sampling import FRAMES, LONGEST
from gaitcrafter_ext.generator.weights import PACKAGED
from gaitcrafter_ext.hardware import this_process
from gaitcrafter_ext.opengait.config_keys import OUR_SAMPLER, apply_arm, entries_of, read_entries, read_sampler
from gaitcrafter_ext.opengait.device import notify
from gaitcrafter_ext.opengait.people import RealPeople, real_people
from gaitcrafter_ext.opengait.sampler import check_enough
from gaitcrafter_ext.opengait.sources import open_source
from gaitcrafter_ext.records import read_json
from gaitcrafter_ext.silhouettes.files import atomic_write_text
from gaitcrafter_ext.silhouettes.store import folder_names

#: Beside the checkpoints: the class count they were trained with, so that a test needs no synthetic clips.
NOTE = "gaitcrafter.json"

PERCENT = re.compile(r"[0-9]+(\.[0-9]+)?%")


@dataclass(frozen=True)
class Run:
    """What is known of a run beside its config."""

    phase: str  # "train" or "test"
    folders: tuple[Path, ...]  # where relative paths of the config are looked up, in this order
    arms: tuple[Mapping[str, Any], ...] = ()  # what is laid over the config, in this order
    iteration: int | None = None  # checkpoint to start from; None where the config says
    allow_missing: bool = False  # go on where people of the partition are not on disk
    strict: bool = True  # check configs without synthetic people, too

    @property
    def trains(self) -> bool:
        """Whether this is a training."""
        return self.phase == "train"


def prepare(cfgs: dict[str, Any], run: Run) -> dict[str, Any]:
    """Complete and check a merged config in place, and return it; an error says what to change."""
    for arm in run.arms:
        apply_arm(cfgs, arm)
    data = data_cfgs(cfgs)
    synthetic = any(each.get("synthetic") for each in data)
    if not synthetic and not run.strict:
        return cfgs
    for each in data:
        find_paths(each, run.folders)
    real = [_look_up(each, run) for each in data]
    if not run.trains or cfgs["trainer_cfg"].get("with_test"):
        _check_views(cfgs, real[0])  # OpenGait tests on the first data set of a list
    _settle_frames(cfgs, data)
    _settle_schedule(cfgs, run)
    if cfgs["evaluator_cfg"].get("eval_func") in ("evaluate_scoliosis", "evaluate_segmentation"):
        if synthetic:
            raise UsageError(
                f"data_cfg.synthetic: by {cfgs['evaluator_cfg']['eval_func']}, this config's labels are no identities, "
                "which synthetic people would need; take 'synthetic' out"
            )
    elif (count := _noted_count(cfgs)) and synthetic and not run.trains:
        _set_class_count(cfgs, count, "as in the training")
    else:
        _settle_people(cfgs, data, real, run)
    _settle_test_batch(cfgs, run)
    return cfgs


def data_cfgs(cfgs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The one ``data_cfg``, or all of a MultiDatasets config."""
    value: Any = cfgs.get("data_cfg")
    data: list[Any] = value if isinstance(value, list) else [value]
    if not data or not all(isinstance(each, dict) for each in data):
        raise UsageError("data_cfg: expected a section with dataset_name, dataset_root and dataset_partition")
    return data


def find_paths(data: dict[str, Any], folders: Sequence[Path]) -> None:
    """Make the paths of a ``data_cfg`` absolute, each in the first folder that holds it; else it stays as it is."""

    def found(path: Any) -> str:
        given = Path(str(path)).expanduser()
        return next((str(folder / given) for folder in folders if (folder / given).exists()), str(path))

    for name in ("dataset_root", "dataset_partition"):
        if data.get(name):
            data[name] = found(data[name])
    for entry in entries_of(data.get("synthetic")):
        for name in ("root", "partition", "weights", "like", "filter"):
            if isinstance(entry.get(name), str) and entry[name] not in PACKAGED:
                entry[name] = found(entry[name])


def _look_up(data: Mapping[str, Any], run: Run) -> RealPeople:
    """The real people of a ``data_cfg``; OpenGait drops those who are not on disk in silence."""
    for name in ("dataset_name", "dataset_root", "dataset_partition"):
        if not data.get(name):
            raise UsageError(f"data_cfg.{name}: not set; --set data_cfg.{name}=...")
    try:
        real = real_people(str(data["dataset_name"]), data["dataset_root"], data["dataset_partition"])
    except MissingError as error:
        where = "" if "data_cfg." in str(error) else "; --set data_cfg.dataset_partition=FILE"
        raise MissingError(f"{error}{where}") from None
    if real.absent and not run.allow_missing:
        raise MissingError(
            f"data_cfg.dataset_partition names {len(real.absent)} people who are not in {real.root}: "
            f"{listed(real.absent)}; take them out of the partition, or go on without them by --allow-missing"
        )
    if not run.trains and not set(real.test) - set(real.absent):
        raise MissingError(f"data_cfg.dataset_partition: no one of TEST_SET is in {real.root}; nothing to test")
    return real


def _check_views(cfgs: Mapping[str, Any], real: RealPeople) -> None:
    """Refuse test data of one view, on which ``evaluate_indoor_dataset`` has nothing to average."""
    how, views = cfgs["evaluator_cfg"], set[str]()
    if how.get("eval_func") != "evaluate_indoor_dataset" or how.get("cross_view_gallery"):
        return
    for name in set(real.test) - set(real.absent):
        for take in folder_names(real.root / name):
            views.update(folder_names(real.root / name / take))
            if len(views) > 1:
                return
    raise DataError(
        f"the test people have {len(views)} view ({listed(sorted(views))}), and the protocol leaves identical "
        "views out: nothing to average; test on two views or more"
    )


def _settle_frames(cfgs: Mapping[str, Any], data: Sequence[Mapping[str, Any]]) -> None:
    """Let clips that are made on demand be as long as ordered sampling cuts out; say where they are shorter."""
    sampler = cfgs["trainer_cfg"].get("sampler") or {}
    if not str(sampler.get("sample_type", "")).startswith("fixed_ordered"):
        return
    wanted = int(sampler.get("frames_num_fixed") or 0) + int(sampler.get("frames_skip_num") or 0)
    for entry in (entry for each in data for entry in entries_of(each.get("synthetic")) if "weights" in entry):
        frames = entry.setdefault("frames", min(max(wanted, FRAMES), LONGEST))
        if isinstance(frames, int) and frames < wanted:
            notify(f"ordered sampling takes {wanted} frames; shorter synthetic clips are repeated, with a jump")


def _settle_schedule(cfgs: Mapping[str, Any], run: Run) -> None:
    """Turn percentages of the training in our sampler's schedules into iterations, and say where it begins."""
    trainer = cfgs["trainer_cfg"]
    sampler = trainer.get("sampler") or {}
    if sampler.get("type") != OUR_SAMPLER:
        return
    for name in ("synthetic_people", "synthetic_takes"):
        for point in sampler[name] if isinstance(sampler.get(name), list) else ():
            if isinstance(point, list) and point and PERCENT.fullmatch(str(point[0])):
                point[0] = round(float(point[0][:-1]) / 100 * trainer["total_iter"])
    start = trainer.get("restore_hint") if run.iteration is None else run.iteration
    if isinstance(start, int):
        sampler.setdefault("start_iter", start)


def _settle_people(cfgs: dict[str, Any], data: Sequence[dict[str, Any]], real: Sequence[RealPeople], run: Run) -> None:
    """See who is trained on; nothing synthetic is made yet. Class count and batches follow."""
    labels = [_labels(each, one) for each, one in zip(data, real, strict=True)]
    count = sum(len(own) + len(novel) for own, novel in labels)
    if any(each.get("synthetic") for each in data):
        _set_class_count(cfgs, count, "the people to train on with the synthetic ones")
        if run.trains and this_process().rank == 0:
            atomic_write_text(_output_folder(cfgs, "trainer_cfg") / NOTE, json.dumps({"class_num": count}) + "\n")
    elif run.trains:
        _check_class_count(cfgs, count)
    mixing = read_sampler(cfgs["trainer_cfg"].get("sampler") or {})
    if run.trains and mixing is not None:
        for own, novel in labels:
            check_enough(mixing, len(own), len(novel), this_process().count)


def _labels(data: Mapping[str, Any], real: RealPeople) -> tuple[set[str], set[str]]:
    """Labels that training on a ``data_cfg`` will meet: of people with real clips, and of the others."""
    sources = [open_source(entry, real) for entry in read_entries(data.get("synthetic"))]
    if data.get("synthetic_only") and not sources:
        raise UsageError("data_cfg.synthetic_only: true, but there is no data_cfg.synthetic")
    own = set() if data.get("synthetic_only") else set(real.train)
    return own, {person.label for source in sources for person in source.people} - own


def class_counts(values: Any, path: str = "model_cfg") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every section of a model's config that holds a ``class_num``, with its path."""
    if isinstance(values, dict):
        if "class_num" in values:
            yield path, values
        for key, inner in values.items():
            yield from class_counts(inner, f"{path}.{key}")


def _set_class_count(cfgs: Mapping[str, Any], count: int, why: str) -> None:
    for path, section in class_counts(cfgs.get("model_cfg")):
        if section["class_num"] != count:
            notify(f"{path}.class_num: {section['class_num']} -> {count}, {why}")
        section["class_num"] = count


def _check_class_count(cfgs: Mapping[str, Any], count: int) -> None:
    """Refuse a count below the number of people, at which OpenGait's loss fails; a larger one is only unusual."""
    for path, section in class_counts(cfgs.get("model_cfg")):
        found = section["class_num"]
        if not isinstance(found, int) or found < count:
            raise UsageError(
                f"{path}.class_num: {found}, but {count} people are trained on; --set {path}.class_num={count}"
            )
        if found > count:
            notify(f"{path}.class_num is {found}, {count} people are trained on; the other classes stay empty")


def _settle_test_batch(cfgs: dict[str, Any], run: Run) -> None:
    """Bring the test batch to the world size, which OpenGait asks for."""
    tester, processes = cfgs["evaluator_cfg"].setdefault("sampler", {}), this_process().count
    tests = not run.trains or cfgs["trainer_cfg"].get("with_test")
    if tests and tester.get("batch_size") != processes:
        notify(f"evaluator_cfg.sampler.batch_size: {tester.get('batch_size')} -> {processes}, the number of processes")
        tester["batch_size"] = processes


def _output_folder(cfgs: Mapping[str, Any], engine: str) -> Path:
    """Where OpenGait keeps a run's checkpoints, from its working directory."""
    names = "_".join(str(each["dataset_name"]) for each in data_cfgs(cfgs))
    return Path("output", names, str(cfgs["model_cfg"].get("model")), str(cfgs[engine].get("save_name")))


def _noted_count(cfgs: Mapping[str, Any]) -> int | None:
    """The class count that a training noted beside its checkpoints; None where there is no such note."""
    try:
        return int(read_json(_output_folder(cfgs, "evaluator_cfg") / NOTE)["class_num"])
    except (OSError, ValueError, LookupError, TypeError):
        return None

"""Between OpenGait's config loader and OpenGait: paths found, class count derived, batch size fitted, errors told.

What OpenGait would meet hours later, or never notice, is refused here, before anything is trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gaitcrafter_ext.errors import MissingError, UsageError
from gaitcrafter_ext.generator.weights import BUNDLED
from gaitcrafter_ext.opengait import checks
from gaitcrafter_ext.opengait.checkout import Checkout
from gaitcrafter_ext.opengait.notices import tell
from gaitcrafter_ext.opengait.overrides import apply_override
from gaitcrafter_ext.opengait.people import RealPeople, real_people
from gaitcrafter_ext.opengait.sections import check_names
from gaitcrafter_ext.opengait.settings import parse_entries
from gaitcrafter_ext.opengait.sources import Source, open_source
from gaitcrafter_ext.opengait.words import check_keys, words_of

__all__ = ["DataFacts", "Run", "class_counts", "prepare"]

#: The sampler of ours that wants to know where training begins.
OUR_SAMPLER = "RealSyntheticTripletSampler"


@dataclass(frozen=True)
class Run:
    """What is known of a run beside its config.

    Attributes:
        checkout: OpenGait.
        phase: ``"train"`` or ``"test"``.
        world_size: Number of processes.
        folders: Where relative paths of the config are looked up, in this order.
        overrides: Values that replace the config's, as ``parse_override`` gives them.
        iteration: Checkpoint to start from; None where the config says.
        allow_missing: Go on where people of the partition are not on disk.
        strict: Check configs without synthetic people, too.
    """

    checkout: Checkout
    phase: str
    world_size: int
    folders: tuple[Path, ...]
    overrides: tuple[tuple[tuple[str, ...], Any], ...] = ()
    iteration: int | None = None
    allow_missing: bool = False
    strict: bool = True


@dataclass(frozen=True)
class DataFacts:
    """One ``data_cfg``, looked up.

    Attributes:
        real: Its own people.
        sources: The synthetic ones.
        labels: Labels that training will meet.
    """

    real: RealPeople
    sources: tuple[Source, ...]
    labels: frozenset[str]


def prepare(cfgs: dict[str, Any], run: Run) -> dict[str, Any]:
    """Complete and check a merged config in place, and return it.

    Raises:
        GaitCrafterError: What is wrong, and what to change.
    """
    for keys, value in run.overrides:
        apply_override(cfgs, keys, value)
    synthetic = any(data.get("synthetic") for data in data_cfgs(cfgs))
    if not synthetic and not run.strict:
        return cfgs
    check_keys(cfgs, words_of(run.checkout.root))
    check_names(cfgs)
    for data in data_cfgs(cfgs):
        find_paths(data, run.folders)
    facts = [look_up(data) for data in data_cfgs(cfgs)]
    checks.check_people([one.real for one in facts], run.phase, run.allow_missing)
    checks.check_trees(cfgs, [one.real for one in facts], run.phase)
    settle_class_count(cfgs, frozenset().union(*(one.labels for one in facts)), synthetic, run.phase)
    fit_batches(cfgs, facts, run)
    checks.check_frames(cfgs, synthetic)
    checks.check_checkpoint(cfgs, run.phase, run.iteration)
    return cfgs


def data_cfgs(cfgs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The one ``data_cfg``, or all of a MultiDatasets config."""
    value: Any = cfgs.get("data_cfg")
    data: list[Any] = value if isinstance(value, list) else [value]
    if not data or not all(isinstance(each, dict) for each in data):
        raise UsageError("data_cfg: expected a section with dataset_name, dataset_root and dataset_partition")
    return data


def find_paths(data: dict[str, Any], folders: Sequence[Path]) -> None:
    """Make the paths of a ``data_cfg`` absolute; one that leads nowhere stays as it is."""
    for name in ("dataset_root", "dataset_partition"):
        if data.get(name):
            data[name] = found(data[name], folders)
    entries = data.get("synthetic")
    for entry in [entries] if isinstance(entries, dict) else entries or []:
        if isinstance(entry, dict):
            for name in ("root", "partition", "weights"):
                if entry.get(name) and entry[name] != BUNDLED:
                    entry[name] = found(entry[name], folders)


def found(path: Any, folders: Sequence[Path]) -> str:
    """The path in the first folder that holds it."""
    given = Path(str(path)).expanduser()
    return next((str(folder / given) for folder in folders if (folder / given).exists()), str(path))


def look_up(data: dict[str, Any]) -> DataFacts:
    """Who is in a ``data_cfg``; nothing synthetic is made yet."""
    for name in ("dataset_name", "dataset_root", "dataset_partition"):
        if not data.get(name):
            raise UsageError(f"data_cfg.{name}: not set; --set data_cfg.{name}=...")
    try:
        real = real_people(str(data["dataset_name"]), data["dataset_root"], data["dataset_partition"])
    except MissingError as error:
        where = "" if "data_cfg." in str(error) else "; --set data_cfg.dataset_partition=FILE"
        raise MissingError(f"{error}{where}") from None
    sources = tuple(open_source(entry, real) for entry in parse_entries(data.get("synthetic")))
    labels = {person.label(real.dataset) for source in sources for person in source.people}
    if not data.get("synthetic_only"):
        labels |= {f"{real.dataset}-{name}" for name in real.train}
    elif not sources:
        raise UsageError("data_cfg.synthetic_only: true, but there is no data_cfg.synthetic")
    return DataFacts(real, sources, frozenset(labels))


def class_counts(values: Any, path: str = "model_cfg") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every section of a model's config that holds a ``class_num``, with its path."""
    if isinstance(values, dict):
        if "class_num" in values:
            yield path, values
        for key, inner in values.items():
            yield from class_counts(inner, f"{path}.{key}")
    elif isinstance(values, list):
        for number, inner in enumerate(values):
            yield from class_counts(inner, f"{path}.{number}")


def settle_class_count(cfgs: dict[str, Any], labels: frozenset[str], synthetic: bool, phase: str) -> None:
    """Derive the class count where synthetic people join, check it elsewhere.

    Raises:
        UsageError: It is smaller than the number of people to train on.
    """
    for path, section in class_counts(cfgs.get("model_cfg")):
        count = section["class_num"]
        if synthetic:
            if count != len(labels):
                tell(f"{path}.class_num: {count} -> {len(labels)}, the people to train on with the synthetic ones")
            section["class_num"] = len(labels)
        elif phase == "train" and (not isinstance(count, int) or count < len(labels)):
            raise UsageError(
                f"{path}.class_num: {count}, but {len(labels)} people are trained on; "
                f"--set {path}.class_num={len(labels)}"
            )
        elif phase == "train" and count > len(labels):
            tell(f"{path}.class_num is {count}, {len(labels)} people are trained on; the rest are classes of nobody")


def fit_batches(cfgs: dict[str, Any], facts: Sequence[DataFacts], run: Run) -> None:
    """Bring the test batch to the world size, tell our sampler where training begins, and check P x K."""
    tester = cfgs["evaluator_cfg"].setdefault("sampler", {})
    if checks.will_test(cfgs, run.phase) and tester.get("batch_size") != run.world_size:
        tell(
            f"evaluator_cfg.sampler.batch_size: {tester.get('batch_size')} -> {run.world_size}, the number of processes"
        )
        tester["batch_size"] = run.world_size
    if run.phase != "train":
        return
    trainer = cfgs["trainer_cfg"]
    sampler, start = (
        trainer.get("sampler") or {},
        trainer.get("restore_hint") if run.iteration is None else run.iteration,
    )
    if sampler.get("type") == OUR_SAMPLER and "start_iter" not in sampler and isinstance(start, int):
        sampler["start_iter"] = start
    for one in facts:
        checks.check_batch(sampler, len(one.labels), run.world_size)

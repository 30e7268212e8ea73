"""What is refused before OpenGait starts: each would crash it later, or give a number that means nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gaitcrafter_ext.errors import DataError, MissingError, UsageError
from gaitcrafter_ext.generator.shape import FRAMES
from gaitcrafter_ext.opengait.notices import tell
from gaitcrafter_ext.opengait.people import RealPeople
from gaitcrafter_ext.opengait.tree import TreeFacts, look_at

__all__ = ["check_batch", "check_checkpoint", "check_frames", "check_people", "check_trees", "will_test"]

#: CASIA-B's protocol: gallery, and probes by condition.
GALLERY = ("nm-01", "nm-02", "nm-03", "nm-04")
PROBES = {"NM": ("nm-05", "nm-06"), "BG": ("bg-01", "bg-02"), "CL": ("cl-01", "cl-02")}


def will_test(cfgs: Mapping[str, Any], phase: str) -> bool:
    """Whether test people are read: in the test phase, and while training ``with_test``."""
    return phase == "test" or bool(cfgs["trainer_cfg"].get("with_test"))


def check_people(real: Sequence[RealPeople], phase: str, allow_missing: bool) -> None:
    """Refuse a partition with people who are not on disk: OpenGait drops them in silence.

    Raises:
        MissingError: Who is absent; or nobody is left.
    """
    for one in real:
        if one.absent and not allow_missing:
            raise MissingError(
                f"data_cfg.dataset_partition names {len(one.absent)} people who are not in {one.root}: "
                f"{_some(one.absent)}; take them out of the partition, or go on without them by --allow-missing"
            )
        if phase == "test" and not set(one.test) - set(one.absent):
            raise MissingError(
                f"data_cfg.dataset_partition: nobody of TEST_SET is in {one.root}; there is none to test"
            )


def check_trees(cfgs: Mapping[str, Any], real: Sequence[RealPeople], phase: str) -> None:
    """Refuse empty folders, and test data that the protocol cannot work on.

    Raises:
        DataError: Which folders are empty, or what the protocol lacks.
    """
    for one in real:
        if phase == "train":
            _check_filled(one.root, look_at(one.root, one.train))
    if will_test(cfgs, phase):
        # OpenGait tests on the first data set of a list.
        one, data = real[0], cfgs["data_cfg"]
        tested = look_at(one.root, [name for name in one.test if name not in one.absent])
        _check_filled(one.root, tested)
        data = data[0] if isinstance(data, list) else data
        _check_protocol(cfgs["evaluator_cfg"], str(data.get("test_dataset_name") or data["dataset_name"]), tested)


def _check_filled(root: Path, facts: TreeFacts) -> None:
    if facts.empty:
        raise DataError(
            f"{root}: {len(facts.empty)} empty folders ({_some(facts.empty)}), of which OpenGait makes no clips; "
            f"delete them, or run tools/verify.py {root}"
        )


def _check_protocol(evaluator: Mapping[str, Any], dataset: str, tested: TreeFacts) -> None:
    if evaluator.get("eval_func") != "evaluate_indoor_dataset" or evaluator.get("cross_view_gallery"):
        return
    if len(tested.views) < 2:
        raise DataError(
            f"the test people have {len(tested.views)} view ({_some(sorted(tested.views))}), and the protocol of "
            f"{dataset} leaves identical views out: nothing to average; test on two views or more"
        )
    if dataset == "CASIA-B":
        for what, takes in (("gallery", GALLERY), *PROBES.items()):
            if not tested.takes & set(takes):
                raise DataError(
                    f"the test people have no take of {what} ({', '.join(takes)}), which the CASIA-B protocol needs; "
                    "name another protocol by evaluator_cfg.eval_func, or test on people who have them"
                )


def check_batch(sampler: Mapping[str, Any], labels: int, world_size: int) -> None:
    """Refuse a P x K batch that OpenGait's triplet loss cannot work with.

    Raises:
        UsageError: More people a batch than there are, or a batch that the processes cannot share.
    """
    size = sampler.get("batch_size")
    if "Triplet" not in str(sampler.get("type")) or not isinstance(size, list) or len(size) != 2:
        return
    if size[0] > labels:
        raise UsageError(
            f"trainer_cfg.sampler.batch_size: {size[0]} people a batch, {labels} are there (somebody would come twice, "
            f"which the triplet loss cannot take); --set trainer_cfg.sampler.batch_size=[{labels},{size[1]}]"
        )
    if size[0] * size[1] % world_size:
        raise UsageError(
            f"trainer_cfg.sampler.batch_size: {size[0]} x {size[1]} clips cannot be shared by {world_size} processes; "
            "choose a multiple"
        )


def check_frames(cfgs: Mapping[str, Any], synthetic: bool) -> None:
    """Say when synthetic clips are shorter than what ordered sampling cuts out: OpenGait then repeats them."""
    sampler = cfgs["trainer_cfg"].get("sampler") or {}
    if not synthetic or not str(sampler.get("sample_type", "")).endswith("_ordered"):
        return
    wanted = int(sampler.get("frames_num_fixed") or 0) + int(sampler.get("frames_skip_num") or 0)
    if str(sampler["sample_type"]).startswith("fixed") and wanted > FRAMES:
        tell(
            f"ordered sampling wants {wanted} frames and synthetic clips have {FRAMES}: OpenGait repeats them with a "
            "jump; --set trainer_cfg.sampler.frames_skip_num=0 in every arm"
        )


def check_checkpoint(cfgs: Mapping[str, Any], phase: str, iteration: int | None) -> None:
    """Refuse to restore what is not there, and say so when the last iterations will not be saved.

    Raises:
        MissingError: The checkpoint, and those that are there.
    """
    engine = cfgs["trainer_cfg" if phase == "train" else "evaluator_cfg"]
    hint = engine.get("restore_hint", 0) if iteration is None else iteration
    if phase == "train":
        total, every = engine.get("total_iter"), engine.get("save_iter")
        if isinstance(total, int) and isinstance(every, int) and total % every:
            last = total // every * every
            tell(f"the last checkpoint will be {last} of {total} iterations: trainer_cfg.save_iter is {every}")
    if hint == 0:
        return
    path = Path(hint) if isinstance(hint, str) else _checkpoint(cfgs, engine, hint)
    if not path.is_file():
        there = sorted(each.stem.rsplit("-", 1)[-1].lstrip("0") or "0" for each in path.parent.glob("*.pt"))
        remedy = f"there are --iter {', '.join(there)}" if there else "train first, or set restore_hint to a file"
        raise MissingError(f"no checkpoint {path}; {remedy}")


def _checkpoint(cfgs: Mapping[str, Any], engine: Mapping[str, Any], iteration: int) -> Path:
    """Where OpenGait keeps the checkpoint of an iteration, from its working directory."""
    data = cfgs["data_cfg"]
    names = "_".join(each["dataset_name"] for each in data) if isinstance(data, list) else data["dataset_name"]
    folder = Path("output", names, cfgs["model_cfg"]["model"], str(engine["save_name"]), "checkpoints")
    return folder / f"{engine['save_name']}-{iteration:0>5}.pt"


def _some(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f", ... ({len(names)} in all)" if len(names) > most else "")

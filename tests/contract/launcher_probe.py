"""Runs inside an OpenGait checkout, in a process of its own: what do its data set, loaders and names make of ours?

Usage: python launcher_probe.py CHECKOUT FOLDER CONFIGS. FOLDER holds what ``test_opengait_host.py`` wrote; the
answer is one line of JSON on stdout.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import yaml

from gaitcrafter_ext.errors import GaitCrafterError
from gaitcrafter_ext.opengait.checkout import Checkout
from gaitcrafter_ext.opengait.device import adapt, prepare_environment
from gaitcrafter_ext.opengait.plugin import register
from gaitcrafter_ext.opengait.prepare import Run
from gaitcrafter_ext.opengait.sections import check_names, dropped_keys, sections
from gaitcrafter_ext.opengait.settings import KEYS, parse_entries
from gaitcrafter_ext.opengait.words import check_keys, read_words, words_of

#: Where each section of a config is read, besides the classes that it names; nowhere else where nothing stands.
READERS = {
    "data_cfg": ("data", "modeling/base_model.py", "main.py"),
    "model_cfg": ("modeling",),
    "loss_cfg": (),
    "optimizer_cfg": (),
    "scheduler_cfg": (),
    "trainer_cfg": ("data", "modeling/base_model.py", "main.py"),
    "evaluator_cfg": ("data", "evaluation", "modeling/base_model.py", "main.py"),
}


def enter(checkout: Checkout, folder: Path) -> Run:
    """Make this process an OpenGait process that knows us."""
    prepare_environment()
    sys.path.insert(0, str(checkout.package))
    adapt("cpu")
    run = Run(checkout, "train", 1, (folder, checkout.root))
    register(run)
    torch.distributed.init_process_group("nccl", init_method="env://")  # as main.py says; gloo answers
    importlib.import_module("modeling.models")
    importlib.import_module("utils").get_msg_mgr().init_manager(str(folder / "log"), False, 1)
    return run


def merged(checkout: Checkout, config: dict[str, Any]) -> dict[str, Any]:
    """A config on top of OpenGait's defaults, by OpenGait's own function."""
    defaults = yaml.safe_load((checkout.root / "configs/default.yaml").read_text())
    importlib.import_module("utils").MergeCfgsDict(config, defaults)
    return defaults


def faults(checkout: Checkout, config: dict[str, Any]) -> list[str]:
    """Every key that OpenGait would drop, and every name that it would not find."""
    full = merged(checkout, json.loads(json.dumps(config)))
    try:
        check_keys(full, words_of(checkout.root))
        check_names(full)
        parse_entries(config["data_cfg"].get("synthetic"))
    except GaitCrafterError as error:
        return [str(error)]
    own = {section.path for section in sections(config)}
    found = [f"{one.path}.{key}" for one in sections(config) if one.path in own for key in dropped_keys_of(one, full)]
    for name, section in config.items():
        if name not in READERS:
            found.append(name)
            continue
        known = words_read(checkout, READERS[name]) | set(KEYS)
        found += [f"{name}.{key}" for key in section if READERS[name] and key not in known]
    return found


def dropped_keys_of(section: Any, full: dict[str, Any]) -> list[str]:
    """``dropped_keys``; a section that leaves its name to the defaults is looked up there."""
    named = next(one for one in sections(full) if one.path == section.path)
    return dropped_keys(type(section)(section.path, section.key, named.name, named.module, section.values, named.free))


def words_read(checkout: Checkout, places: tuple[str, ...]) -> set[str]:
    paths = [checkout.package / place for place in places]
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*.py"))]
    return set().union(*(read_words(file) for file in files))


def stock_faults(checkout: Checkout) -> dict[str, str]:
    """Which of the checkout's own configs our checks would refuse."""
    found = {}
    for path in sorted((checkout.root / "configs").rglob("*.yaml")):
        config = yaml.safe_load(path.read_text())
        if "model_cfg" in config:
            try:
                check_keys(merged(checkout, config), words_of(checkout.root))
                check_names(merged(checkout, config))
            except GaitCrafterError as error:
                found[path.name] = str(error)
    return found


def describe(data: Any) -> dict[str, Any]:
    return {
        "labels": list(data.label_set),
        "takes": sorted({f"{label} {take}" for label, take, *_ in data.seqs_info}),
        "synthetic": sorted(data.synthetic_indices),
        "sums": [int(data[index][0][0].sum(dtype=np.int64)) for index in range(len(data))],
        "of": {label: list(indices) for label, indices in data.indices_dict.items()},
    }


def batches(base: Any, cfgs: dict[str, Any], data_cfg: Any, count: int) -> list[Any]:
    """What OpenGait's own ``get_loader`` gives, through its collate function and transforms."""
    loaders = base.get_loader(SimpleNamespace(cfgs=cfgs), data_cfg, train=True)
    transform = importlib.import_module("data.transform").get_transform(cfgs["trainer_cfg"]["transform"])[0]
    told = []
    for loader in loaders if isinstance(loaders, list) else [loaders]:
        for _, (frames, labels, *_rest) in zip(range(count), loader, strict=False):
            cut = np.asarray([transform(clip) for clip in frames[0]])
            told.append({"shape": list(cut.shape), "peak": float(cut.max()), "labels": [int(each) for each in labels]})
    return told


def ask_data(folder: Path) -> dict[str, Any]:
    base, multi = (importlib.import_module(f"modeling.{name}") for name in ("base_model", "multidataset_model"))
    loader = importlib.import_module("utils").config_loader
    cfgs = loader(str(folder / "joined.yaml"))
    several = loader(str(folder / "several.yaml"))
    return {
        "train": describe(base.DataSet(cfgs["data_cfg"], True)),
        "test": describe(base.DataSet(cfgs["data_cfg"], False)),
        "cached": describe(base.DataSet({**cfgs["data_cfg"], "cache": True}, True))["sums"],
        "only": describe(base.DataSet({**cfgs["data_cfg"], "synthetic_only": True}, True))["labels"],
        "batches": batches(base.BaseModel, cfgs, cfgs["data_cfg"], 3),
        "several": batches(multi.MultiDatasets, several, several["data_cfg"], 2),
        "class_num": [each["model_cfg"]["SeparateBNNecks"]["class_num"] for each in (cfgs, several)],
    }


def ask_refusals(folder: Path) -> dict[str, str]:
    told = {}
    for path in sorted((folder / "refused").glob("*.yaml")):
        try:
            importlib.import_module("utils").config_loader(str(path))
            told[path.stem] = ""
        except GaitCrafterError as error:
            told[path.stem] = str(error)
    return told


def main() -> None:
    checkout, folder, configs = Checkout(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    enter(checkout, folder)
    ours = {str(path.relative_to(configs)): yaml.safe_load(path.read_text()) for path in configs.glob("*/*.yaml")}
    answer = {
        "faults": {name: faults(checkout, each) for name, each in ours.items() if not name.startswith("gaitcrafter/")},
        "stock": stock_faults(checkout),
        "data": ask_data(folder),
        "refused": ask_refusals(folder),
    }
    print(json.dumps(answer))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()

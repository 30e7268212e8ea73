"""Runs inside an OpenGait checkout, in a process of its own: what do its data set, loaders and names make of ours?

Usage: python -m tests.contract.launcher_probe CHECKOUT FOLDER. FOLDER holds what ``test_opengait_host.py`` wrote; the
answer is one line of JSON on stdout.
"""

from __future__ import annotations

import copy
import importlib
import json
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import yaml

from gaitcrafter_ext.errors import GaitCrafterError
from gaitcrafter_ext.opengait.checkout import Checkout
from gaitcrafter_ext.opengait.plugin import register
from gaitcrafter_ext.opengait.prepare import Run, prepare


def stock_refusals(configs: Path, run: Run, joined: dict[str, Any]) -> dict[str, str]:
    """Which of the checkout's own configs refuse a synthetic entry, on a small data set and in small batches."""
    found = {}
    for path in sorted(configs.rglob("*.yaml")):
        config = yaml.safe_load(path.read_text())
        if "model_cfg" not in config:
            continue
        merged = yaml.safe_load((configs / "default.yaml").read_text())
        importlib.import_module("utils").MergeCfgsDict(config, merged)
        merged["data_cfg"] = copy.deepcopy(joined["data_cfg"])
        merged["trainer_cfg"].setdefault("sampler", {})["batch_size"] = [2, 2]
        merged["trainer_cfg"]["with_test"] = False
        try:
            prepare(merged, run)
        except GaitCrafterError as error:
            found[path.name] = str(error)
    return found


def describe(data: Any) -> dict[str, Any]:
    return {
        "labels": list(data.label_set),
        "takes": sorted({f"{label} {take}" for label, take, *_ in data.seqs_info}),
        "views": list(data.views_set),
        "synthetic": sorted(getattr(data, "synthetic_indices", ())),
        "sums": [int(data[index][0][0].sum(dtype=np.int64)) for index in range(len(data))],
        "shapes": sorted({data[index][0][0].shape[1:] for index in range(len(data))}),
        "of": {label: list(indices) for label, indices in data.indices_dict.items()},
    }


def batches(base: Any, cfgs: dict[str, Any], data_cfg: Any, count: int) -> list[Any]:
    """What OpenGait's own ``get_loader`` gives, through its collate function and transforms."""
    loaders = base.get_loader(SimpleNamespace(cfgs=cfgs), data_cfg, train=True)
    transform = importlib.import_module("data.transform").get_transform(cfgs["trainer_cfg"]["transform"])[0]
    found = []
    for loader in loaders if isinstance(loaders, list) else [loaders]:
        for _, (frames, labels, *_rest) in zip(range(count), loader, strict=False):
            cut = np.asarray([transform(clip) for clip in frames[0]])
            found.append({"shape": list(cut.shape), "peak": float(cut.max()), "labels": [int(each) for each in labels]})
    return found


def ask_data(folder: Path) -> dict[str, Any]:
    base, multi = (importlib.import_module(f"modeling.{name}") for name in ("base_model", "multidataset_model"))
    loader = importlib.import_module("utils").config_loader
    cfgs, several = (loader(str(folder / name)) for name in ("joined.yaml", "several.yaml"))
    unmodified = importlib.import_module("data.dataset").DataSet
    joined, merged = (
        {path.stem: loader(str(path))["data_cfg"] for path in sorted((folder / how).glob("*.yaml"))}
        for how in ("joined", "merged")
    )
    return {
        "train": describe(base.DataSet(cfgs["data_cfg"], True)),
        "test": describe(base.DataSet(cfgs["data_cfg"], False)),
        "cached": describe(base.DataSet({**cfgs["data_cfg"], "cache": True}, True))["sums"],
        "only": describe(base.DataSet({**cfgs["data_cfg"], "synthetic_only": True}, True))["labels"],
        "batches": batches(base.BaseModel, cfgs, cfgs["data_cfg"], 3),
        "several": batches(multi.MultiDatasets, several, several["data_cfg"], 2),
        "class_num": [each["model_cfg"]["SeparateBNNecks"]["class_num"] for each in (cfgs, several)],
        "joined": {name: describe(base.DataSet(data_cfg, True)) for name, data_cfg in joined.items()},
        "merged": {name: describe(unmodified(data_cfg, True)) for name, data_cfg in merged.items()},
    }


def unreadable_lists(checkout: Checkout) -> list[str]:
    """Files below ``./datasets`` that evaluators name and could not open from another folder."""
    evaluator: Any = importlib.import_module("evaluation.evaluator")
    named = re.findall(r"open\(\s*'(\./datasets/[^']+)'", (checkout.package / "evaluation/evaluator.py").read_text())
    assert named
    found = []
    for path in named:
        try:
            evaluator.open(path, "rb").close()
        except OSError:
            found.append(path)
    return found


def main() -> None:
    checkout, folder = Checkout(sys.argv[1]), Path(sys.argv[2])
    os.chdir(folder)  # a training notes its class count below the working directory
    sys.path.insert(0, str(checkout.package))
    run = Run("train", (folder, checkout.root))
    register(checkout, run, "cpu")
    torch.distributed.init_process_group("nccl", init_method="env://")  # as main.py says; gloo answers
    importlib.import_module("utils").get_msg_mgr().init_manager(str(folder / "log"), False, 1)
    joined = yaml.safe_load((folder / "joined.yaml").read_text())
    stock = stock_refusals(checkout.root / "configs", run, joined)
    print(json.dumps({"stock": stock, "data": ask_data(folder), "unreadable": unreadable_lists(checkout)}))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()

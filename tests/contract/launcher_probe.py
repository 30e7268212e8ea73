"""Runs inside an OpenGait checkout, in a process of its own: what do its data set, loaders and names make of ours?

Usage: python -m tests.contract.launcher_probe CHECKOUT DATA FOLDER. DATA holds real and synthetic people (the fixture
``data`` of ``test_opengait_host.py``), FOLDER takes what is written; the answer is one line of JSON on stdout.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from gaitcrafter_ext.errors import GaitCrafterError
from gaitcrafter_ext.opengait.checkout import Checkout
from gaitcrafter_ext.opengait.config_keys import FolderEntry
from gaitcrafter_ext.opengait.merging import merge, plan_merge
from gaitcrafter_ext.opengait.plugin import register
from gaitcrafter_ext.opengait.prepare import Run, prepare
from gaitcrafter_ext.records import read_yaml
from gaitcrafter_ext.silhouettes.dataset import load_dataset
from gaitcrafter_ext.silhouettes.partition import Partition
from tests.opengait_fakes import clip, config, synthetic_set, write_config


def joined(data: Path, model: str = "gaitset") -> dict[str, Any]:
    """A config whose batches are half novel people."""
    entry = {"root": str(data / "syn" / "pkl"), "partition": str(data / "syn" / "partition.json")}
    cfgs = config(data, model, synthetic=[entry])
    cfgs["trainer_cfg"]["sampler"] |= {"type": "RealSyntheticTripletSampler", "synthetic_people": 0.5}
    cfgs["trainer_cfg"]["with_test"] = True
    return cfgs


SILS = ("{v}-aligned-sils", "{v}-ratios", "{v}-rgbs", "{v}-sils")

#: Datasets as OpenGait's scripts leave them, by preset: take, view, files of a view folder, columns.
LAYOUTS: dict[str, tuple[str, str, tuple[str, ...], int]] = {
    "casia-b-star": ("nm-01", "090", SILS, 44),
    "ccpg": ("U0_D0", "00_0", SILS, 64),
    "sustech1k": ("00-nm", "000", tuple(f"{n:02d}-{{v}}-Camera-Sils_aligned" for n in range(16)), 64),
    "gait3d": ("camid0_videoid2", "seq0", ("{v}",), 44),
    "gait3d-merged": ("camid0_videoid2", "seq0", ("sils-{v}", "smpls-{v}"), 64),
    "grew": ("00", "4XPn5Z28", ("{v}",), 64),
    "oumvlp": ("00", "000", ("{v}",), 64),
}


def write_layout(root: Path, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Three people of a dataset in its own layout, and clips as ``synthesize`` names them: joined, and merged."""
    take, view, files, columns = LAYOUTS[name]
    rules = load_dataset(name)
    sils = rules.file.replace("{view}", view)
    names = sorted(f"{file.format(v=view)}.pkl" for file in files)
    for person in ("a", "b", "c"):
        folder = root / "pkl" / person / take / view
        folder.mkdir(parents=True)
        for file in names:
            frames = clip(1)[:, :, 10:54] if columns == 44 else clip(1)
            (folder / file).write_bytes(pickle.dumps(frames if file == sils else np.zeros((12, 3, 8, 8), np.uint8)))
    Partition(("a", "b", "c")).save(root / "partition.json")
    takes, views = tuple(rules.take_names({rules.condition_of(take): 1})), (rules.view_name(view),)
    synthetic_set(root / "syn", {"syn-0001": {"a": 0.5, "b": 0.5}}, rules.name, takes, views, rules)
    entry = FolderEntry(str(root / "syn/pkl"), str(root / "syn/partition.json"))
    cfgs = config(root, "deepgaitv2", dataset_name=rules.name, synthetic=[{"root": entry.root}])
    if len(files) > 1:
        cfgs["data_cfg"]["data_in_use"] = [file == sils for file in names]
    merge(plan_merge(rules.name, root / "pkl", root / "partition.json", [entry], rules.file), root / "merged")
    return cfgs, config(root / "merged", "deepgaitv2", dataset_name=rules.name)


def stock_refusals(configs: Path, run: Run, root: Path) -> dict[str, str]:
    """Which of the checkout's own configs refuse a synthetic entry, on a small data set and in small batches."""
    found = {}
    for path in sorted(configs.rglob("*.yaml")):
        stock = read_yaml(path)
        if "model_cfg" not in stock:
            continue
        merged = read_yaml(configs / "default.yaml")
        importlib.import_module("utils").MergeCfgsDict(stock, merged)
        merged["data_cfg"] = joined(root)["data_cfg"]
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


def ask_data(root: Path) -> dict[str, Any]:
    base, multi = (importlib.import_module(f"modeling.{name}") for name in ("base_model", "multidataset_model"))
    ours, unmodified = base.DataSet, importlib.import_module("data.dataset").DataSet

    def load(name: str, cfgs: dict[str, Any]) -> dict[str, Any]:
        return importlib.import_module("utils").config_loader(str(write_config(Path(f"{name}.yaml"), cfgs)))

    several = joined(root, "deepgaitv2")
    several["data_cfg"] = [several["data_cfg"], {**several["data_cfg"], "dataset_name": "Another", "synthetic": []}]
    several["trainer_cfg"]["sampler"].pop("synthetic_people")
    cfgs, several = load("joined", joined(root, "deepgaitv2")), load("several", several)
    layouts = {}
    for name in LAYOUTS:
        beside, merged = write_layout(Path.cwd() / name, name)
        layouts[name] = (
            describe(ours(load(f"{name}-beside", beside)["data_cfg"], True)),
            describe(unmodified(load(f"{name}-merged", merged)["data_cfg"], True)),
        )
    return {
        "train": describe(ours(cfgs["data_cfg"], True)),
        "test": describe(ours(cfgs["data_cfg"], False)),
        "cached": describe(ours({**cfgs["data_cfg"], "cache": True}, True))["sums"],
        "only": describe(ours({**cfgs["data_cfg"], "synthetic_only": True}, True))["labels"],
        "batches": batches(base.BaseModel, cfgs, cfgs["data_cfg"], 3),
        "several": batches(multi.MultiDatasets, several, several["data_cfg"], 2),
        "class_num": [each["model_cfg"]["SeparateBNNecks"]["class_num"] for each in (cfgs, several)],
        "layouts": layouts,
    }


def open_lists(checkout: Checkout) -> None:
    """Evaluators can open the files below ``./datasets`` that they name, wherever the output goes."""
    named = re.findall(r"open\(\s*'(\./datasets/[^']+)'", (checkout.package / "evaluation/evaluator.py").read_text())
    assert named
    for path in named:
        importlib.import_module("evaluation.evaluator").open(path, "rb").close()


def main() -> None:
    checkout, root, folder = Checkout(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    os.chdir(folder)  # a training notes its class count below the working directory
    sys.path.insert(0, str(checkout.package))
    run = Run("train", (folder, checkout.root))
    register(checkout, run, "cpu")
    torch.distributed.init_process_group("nccl", init_method="env://")  # as main.py says; gloo answers
    importlib.import_module("utils").get_msg_mgr().init_manager("log", False, 1)
    open_lists(checkout)
    print(json.dumps({"stock": stock_refusals(checkout.root / "configs", run, root), **ask_data(root)}))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()

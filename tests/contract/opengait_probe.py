"""Runs on an OpenGait checkout, in a process of its own: what do its models, losses and protocol make of our input?

Usage: python opengait_probe.py CHECKOUT FOLDER. Reads FOLDER/ask.npz, models.json and <model>.pt, writes answer.npz and
<model>-theirs.pt. Only the files that are asked about are imported, so packages of other models may be missing.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import types
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import torch


def prepare(checkout: Path, folder: Path) -> None:
    """Make OpenGait importable on a machine without a GPU."""
    root = checkout / "opengait"
    sys.path.insert(0, str(root))
    add_torchvision(checkout)
    for name in ("lightly", "sklearn", "matplotlib", "imageio"):
        if importlib.util.find_spec(name) is None:
            sys.modules[name] = MagicMock()
    for package in ("modeling", "modeling.models", "modeling.losses", "modeling.backbones"):
        module = types.ModuleType(package)
        module.__path__ = [str(root / package.replace(".", "/"))]
        sys.modules[package] = module
    torch.Tensor.cuda = lambda self, *args, **kwargs: self
    os.environ.update(MASTER_ADDR="127.0.0.1", RANK="0", WORLD_SIZE="1")
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=0, world_size=1)


def add_torchvision(checkout: Path) -> None:
    """Import torchvision, also a build whose compiled half does not fit this torch: no operator of it is used here."""
    if importlib.util.find_spec("torchvision") is None:
        sys.path.append(str(checkout.parent / "torchvision"))
    try:
        import torchvision
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        for operator in ("nms", "qnms"):
            torch.library.define(f"torchvision::{operator}", "(Tensor boxes, Tensor scores, float least) -> Tensor")
        import torchvision  # noqa: F401


def build(name: str, config: dict) -> torch.nn.Module:
    """A model of OpenGait without the data, optimiser and GPU that its constructor asks for."""
    module, kind = {"gaitset": ("gaitset", "GaitSet"), "gaitbase": ("baseline", "Baseline")}[name]
    backbone = config.get("backbone_cfg")
    if backbone is not None:
        from modeling.backbones.resnet import ResNet9

        sys.modules["modeling.backbones"].ResNet9 = ResNet9
    model_class = getattr(importlib.import_module(f"modeling.models.{module}"), kind)
    model = model_class.__new__(model_class)
    torch.nn.Module.__init__(model)
    model.build_network(config)
    model.init_parameters()
    return model


def ask_model(name: str, config: dict, ask: dict, folder: Path, answer: dict) -> None:
    """Embeddings, losses and the first weights' gradient of our weights; then weights of theirs."""
    model = build(name, config)
    torch.save({"model": model.state_dict(), "iteration": 7}, folder / f"{name}-theirs.pt")
    model.eval()
    answer[f"{name}-theirs"] = embed(model, ask).detach().numpy()
    model.load_state_dict(torch.load(folder / f"{name}.pt", weights_only=True)["model"], strict=True)
    answer[f"{name}-ours"] = embed(model, ask).detach().numpy()
    model.train()
    train(model, ask, name, answer)


def embed(model: torch.nn.Module, ask: dict) -> torch.Tensor:
    sils = torch.from_numpy(ask["frames"])[None]
    lengths = torch.from_numpy(ask["lengths"])[None].int()
    return model(([sils], None, None, None, lengths))["inference_feat"]["embeddings"]


def train(model: torch.nn.Module, ask: dict, name: str, answer: dict) -> None:
    from modeling.losses.ce import CrossEntropyLoss
    from modeling.losses.triplet import TripletLoss

    labels = torch.from_numpy(ask["labels"])
    sils = torch.from_numpy(ask["batch"]).double()
    feats = model.double()(([sils], labels, None, None, None))["training_feat"]
    loss = TripletLoss(margin=0.2)(**feats["triplet"])[0].mean()
    if "softmax" in feats:
        loss = loss + CrossEntropyLoss(scale=16)(**feats["softmax"])[0]
    loss.backward()
    answer[f"{name}-loss"] = loss.item()
    answer[f"{name}-gradient"] = next(model.parameters()).grad.numpy()


def ask_protocol(ask: dict, answer: dict) -> None:
    import evaluation.evaluator as evaluator

    lines: list[str] = []
    evaluator.get_msg_mgr = lambda: types.SimpleNamespace(log_info=lines.append)
    features = {"embeddings": ask["features"], "labels": ask["identity"].tolist(), "types": ask["take"].tolist(),
                "views": ask["view"].tolist()}  # fmt: skip
    for metric in ("euc", "cos"):
        result = evaluator.evaluate_indoor_dataset(features, "CASIA-B", metric)
        answer[f"table-{metric}"] = [result[f"scalar/test_accuracy/{name}@R1"] for name in ("NM", "BG", "CL")]
    answer["summary-cos"] = lines[-1]


def main() -> None:
    checkout, folder = Path(sys.argv[1]), Path(sys.argv[2])
    prepare(checkout, folder)
    ask = dict(np.load(folder / "ask.npz"))
    answer: dict = {}
    for name, config in json.loads((folder / "models.json").read_text()).items():
        ask_model(name, config, ask, folder, answer)
    ask_protocol(ask, answer)
    np.savez(folder / "answer.npz", **answer)


if __name__ == "__main__":
    main()

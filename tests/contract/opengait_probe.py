"""Runs on an OpenGait checkout, in a process of its own: what do its models, losses and protocol make of our input?

Usage: python -m tests.contract.opengait_probe CHECKOUT FOLDER. Reads FOLDER/ask.npz, models.json and <model>.pt, writes
answer.npz and <model>-theirs.pt.
"""

from __future__ import annotations

import json
import os
import sys
import types
from pathlib import Path

import numpy as np
import torch

from gaitcrafter_ext.benchmarks.contenders import build_opengait, open_opengait
from gaitcrafter_ext.opengait.checkout import Checkout


def ask_model(name: str, config: dict, ask: dict, folder: Path, answer: dict) -> None:
    """Embeddings, losses and the first weights' gradient of our weights; then weights of theirs."""
    model = build_opengait(name, config)
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


def ask_protocols(ask: dict, folder: Path, answer: dict) -> None:
    """Every evaluation function on the same features; lists of clips are read from FOLDER, as in a checkout."""
    import evaluation.evaluator as evaluator
    from evaluation.metric import cuda_dist, evaluate_many

    lines: list[str] = []
    evaluator.get_msg_mgr = lambda: types.SimpleNamespace(log_info=lines.append)
    os.chdir(folder)
    for metric in ("euc", "cos"):
        casia = evaluator.evaluate_indoor_dataset(labelled(ask, "casia"), "CASIA-B", metric)
        answer[f"casia-b-{metric}"] = values(casia, "NM@R1", "BG@R1", "CL@R1")
        answer[f"summary-{metric}"] = lines[-1]
        oumvlp = evaluator.evaluate_indoor_dataset(labelled(ask, "oumvlp"), "OUMVLP", metric)
        answer[f"oumvlp-{metric}"] = values(oumvlp, "NM@R1")
        grew = evaluator.evaluate_real_scene(labelled(ask, "grew"), "GREW", metric)
        answer[f"grew-{metric}"] = values(grew, "Rank-1", "Rank-5")
        for name, judge in (("gait3d", evaluator.evaluate_Gait3D), ("ccgr", evaluator.evaluate_CCGR_MINI)):
            found = judge(labelled(ask, "gait3d"), "", metric)
            answer[f"{name}-{metric}"] = values(found, "Rank-1", "Rank-5", "Rank-10", "mAP", "mINP")
        evaluator.evaluate_CCPG(labelled(ask, "ccpg"), "CCPG", metric)
        heads = ("Rank-1 (Exclude identical-view cases)=", "mAP ", "mINP ")
        answer[f"ccpg-{metric}"] = np.array([printed(lines, f"==={head}") for head in heads])
        probes, gallery = ask["casia-take"] == "bg-01", np.isin(ask["casia-take"], ["nm-01", "nm-02", "nm-03", "nm-04"])
        dist = cuda_dist(ask["casia-features"][probes], ask["casia-features"][gallery], metric).numpy()
        labels = [ask[f"casia-{name}"][mask] for name in ("identity", "view") for mask in (probes, gallery)]
        answer[f"many-{metric}"] = 100 * np.array(evaluate_many(dist, *labels)[1:])


def printed(lines: list, head: str) -> list[float]:
    """The figures of the line below the last heading that begins so: ``CL: 1.000,\tUP: ...``."""
    place = max(place for place, line in enumerate(lines) if str(line).startswith(head))
    return [float(part.split(":")[1]) for part in lines[place + 1].split(",")]


def labelled(ask: dict, name: str) -> dict:
    labels = {key: ask[f"{name}-{ours}"].tolist() for key, ours in
              (("labels", "identity"), ("types", "take"), ("views", "view"))}  # fmt: skip
    return {"embeddings": ask[f"{name}-features"], **labels}


def values(result: dict, *names: str) -> list[float]:
    return [result[f"scalar/test_accuracy/{name}"] for name in names]


def main() -> None:
    checkout, folder = Path(sys.argv[1]), Path(sys.argv[2])
    torch.Tensor.cuda = lambda self, *args, **kwargs: self
    open_opengait(Checkout(checkout))
    ask = dict(np.load(folder / "ask.npz"))
    answer: dict = {}
    for name, config in json.loads((folder / "models.json").read_text()).items():
        ask_model(name, config, ask, folder, answer)
    ask_protocols(ask, folder, answer)
    np.savez(folder / "answer.npz", **answer)


if __name__ == "__main__":
    main()

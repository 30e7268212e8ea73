"""Writes the configs of this folder: four models x seven arms x two sizes. ``python opengait_configs/build.py``

Every file is a plain OpenGait config. They are written by one script so that the arms of a model differ in their data
and in nothing else; a test compares the files with what this script writes.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent

Config = dict[str, Any]

#: Share of the train people in per cent -> how many of CASIA-B's 74 and of the simulated cohort's 50.
FEW = {10: (7, 5), 25: (18, 12), 50: (37, 25)}

ARMS = ("real", "same-people", "novel-people", "synthetic-only", *(f"few-labels-{share}" for share in FEW))

# Read by people who know OpenGait: the published schedules, for the GPU; `cpu` is what a laptop does in minutes.
TRIPLET = {"type": "TripletLoss", "log_prefix": "triplet", "margin": 0.2, "loss_term_weight": 1.0}
SGD = {"solver": "SGD", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.0005}
CUT = {"type": "BaseSilCuttingTransform"}


def softmax(scale: int, smooth: bool) -> Config:
    """Cross-entropy over the people."""
    return {
        "type": "CrossEntropyLoss",
        "log_prefix": "softmax",
        "scale": scale,
        "label_smooth": smooth,
        "log_accuracy": True,
        "loss_term_weight": 1.0,
    }


def schedule(*milestones: int) -> Config:
    """The learning rate falls to a tenth at each milestone."""
    return {"scheduler": "MultiStepLR", "gamma": 0.1, "milestones": list(milestones)}


MODELS: dict[str, dict[str, Any]] = {
    "gaitset": {
        "model_cfg": {
            "model": "GaitSet",
            "in_channels": [1, 32, 64, 128],
            "SeparateFCs": {"in_channels": 128, "out_channels": 256, "parts_num": 62},
            "bin_num": [16, 8, 4, 2, 1],
        },
        "loss_cfg": [TRIPLET],
        "optimizer_cfg": SGD,
        "scheduler_cfg": schedule(10_000, 20_000, 30_000),
        "iterations": 40_000,
        "batch": [8, 16],
        "transform": [CUT],
    },
    "gaitbase": {
        "model_cfg": {
            "model": "Baseline",
            "backbone_cfg": {
                "type": "ResNet9",
                "block": "BasicBlock",
                "channels": [64, 128, 256, 512],
                "layers": [1, 1, 1, 1],
                "strides": [1, 2, 2, 1],
                "maxpool": False,
            },
            "SeparateFCs": {"in_channels": 512, "out_channels": 256, "parts_num": 16},
            "SeparateBNNecks": {"class_num": 74, "in_channels": 256, "parts_num": 16},
            "bin_num": [16],
        },
        "loss_cfg": [TRIPLET, softmax(16, True)],
        "optimizer_cfg": SGD,
        "scheduler_cfg": schedule(20_000, 40_000, 50_000),
        "iterations": 60_000,
        "batch": [8, 16],
        "transform": [
            {
                "type": "Compose",
                "trf_cfg": [CUT, {"type": "RandomRotate", "prob": 0.3}, {"type": "RandomErasing", "prob": 0.3}],
            }
        ],
    },
    "gaitgl": {
        "model_cfg": {"model": "GaitGL", "channels": [32, 64, 128], "class_num": 74},
        "loss_cfg": [TRIPLET, softmax(1, False)],
        "optimizer_cfg": {"solver": "Adam", "lr": 1.0e-4, "weight_decay": 0.0005},
        "scheduler_cfg": schedule(70_000),
        "iterations": 80_000,
        "batch": [8, 8],
        "transform": [CUT],
        "ordered": True,
    },
    "deepgaitv2": {
        "model_cfg": {
            "model": "DeepGaitV2",
            "Backbone": {"mode": "p3d", "in_channels": 1, "layers": [1, 1, 1, 1], "channels": [64, 128, 256, 512]},
            "SeparateBNNecks": {"class_num": 74},
        },
        "loss_cfg": [TRIPLET, softmax(16, True)],
        "optimizer_cfg": SGD,
        "scheduler_cfg": schedule(20_000, 40_000, 50_000),
        "iterations": 60_000,
        "batch": [8, 16],
        "transform": [
            {
                "type": "Compose",
                "trf_cfg": [
                    {"type": "RandomPerspective", "prob": 0.2},
                    CUT,
                    {"type": "RandomHorizontalFlip", "prob": 0.2},
                    {"type": "RandomRotate", "prob": 0.2},
                ],
            }
        ],
        "ordered": True,
    },
}

#: What is smaller on a CPU.
SMALL: dict[str, Config] = {
    "gaitset": {},
    "gaitbase": {
        "backbone_cfg": {"channels": [16, 32, 64, 128]},
        "SeparateFCs": {"in_channels": 128, "out_channels": 128},
        "SeparateBNNecks": {"in_channels": 128},
    },
    "gaitgl": {"channels": [8, 16, 32]},
    "deepgaitv2": {"Backbone": {"channels": [8, 16, 32, 64]}},
}

HEADS = {
    "real": "Real people only.",
    "same-people": "Real people, and more takes of the same people, made by a generator that was trained on them.",
    "novel-people": "Real people, and as many again who do not exist.",
    "synthetic-only": "People who do not exist, and no real one; the test people are real.",
}


def render(model: str, arm: str, cpu: bool) -> str:
    """The text of one config."""
    parts = MODELS[model]
    few = int(arm.rsplit("-", 1)[1]) if arm.startswith("few-labels") else None
    config = {
        "data_cfg": data(arm, few, cpu),
        "model_cfg": network(model, few, cpu),
        "loss_cfg": parts["loss_cfg"],
        "optimizer_cfg": parts["optimizer_cfg"],
        "scheduler_cfg": schedule(300, 450) if cpu else parts["scheduler_cfg"],
        "trainer_cfg": trainer(model, arm, few, cpu),
        "evaluator_cfg": {
            "restore_hint": iterations(model, cpu),
            "save_name": save_name(arm, cpu),
            "enable_float16": not cpu,
            "metric": "euc",
            "sampler": {
                "type": "InferenceSampler",
                "batch_size": 1,
                "sample_type": "all_ordered",
                "frames_all_limit": 720,
            },
            "transform": [CUT],
        },
    }
    return head(model, arm, few, cpu) + yaml.dump(copy.deepcopy(config), Dumper=_Plain, sort_keys=False, width=110)


def save_name(arm: str, cpu: bool) -> str:
    """Name of the run's folder."""
    return f"cpu-{arm}" if cpu else arm


def iterations(model: str, cpu: bool) -> int:
    """Length of the training."""
    return 500 if cpu else int(MODELS[model]["iterations"])


def data(arm: str, few: int | None, cpu: bool) -> Config:
    """Which people; equally many synthetic clips in every arm."""
    where = "cohort" if cpu else "your_path"
    partition = f"{where}/partition.json" if cpu else "./datasets/CASIA-B/CASIA-B.json"
    if few is not None:
        partition = f"../partitions/{'simulated' if cpu else 'casia-b'}-{few}.json"
    section: Config = {
        "dataset_name": "simulated" if cpu else "CASIA-B",
        "test_dataset_name": "CASIA-B",
        "dataset_root": f"{where}/pkl" if cpu else where,
        "dataset_partition": partition,
        "num_workers": 1,
    }
    if arm == "synthetic-only":
        section["synthetic_only"] = True
    if arm != "real":
        people: Config = {"identities": "all"} if arm == "same-people" else {"novel": 50 if cpu else 74}
        views = ["000", "054", "090", "144"] if cpu else "all"
        section["synthetic"] = [
            {"weights": weights(few, cpu), **people, "conditions": "all", "views": views, "takes": 1 if cpu else 2}
        ]
    return section


def people_of(few: int | None, cpu: bool) -> int:
    """How many real people the config trains on."""
    return FEW[few][cpu] if few is not None else (50 if cpu else 74)


def weights(few: int | None, cpu: bool) -> str:
    """The generator: trained on exactly the people that the config trains on."""
    if few is not None:
        return f"weights/{'simulated' if cpu else 'casia-b'}-{few}"
    return "bundled" if cpu else "weights/casia-b"


def network(model: str, few: int | None, cpu: bool) -> Config:
    """The model's section, with the class count of the real people alone; synthetic ones are added when it runs."""
    section: Config = copy.deepcopy(MODELS[model]["model_cfg"])
    for name, change in SMALL[model].items() if cpu else ():
        section[name] = {**section[name], **change} if isinstance(change, dict) else change
    for holder in (section, section.get("SeparateBNNecks", {})):
        if "class_num" in holder:
            holder["class_num"] = people_of(few, cpu)
    return section


def trainer(model: str, arm: str, few: int | None, cpu: bool) -> Config:
    """How it is trained: the same in every arm but for the share of synthetic people in a batch.

    Batches begin synthetic and end real, as in the project's own comparisons (experiments/setting.py).
    """
    parts = MODELS[model]
    people, takes = (8, 4) if cpu else parts["batch"]
    sampler: Config = {"type": "TripletSampler", "batch_size": [people, takes], "batch_shuffle": True}
    late = iterations(model, cpu) * 3 // 4
    if arm == "same-people":
        sampler |= {"type": "RealSyntheticTripletSampler", "synthetic_takes": [[0, 1.0], [late, 0.0]]}
    elif arm == "novel-people" or few is not None:
        # A batch holds nobody twice: where there are fewer real people than it takes, it ends with some who are novel.
        end = max(0.0, 1 - people_of(few, cpu) / people)
        sampler |= {"type": "RealSyntheticTripletSampler", "synthetic_people": [[0, 1.0], [late, end]]}
    sampler["sample_type"] = "fixed_ordered" if parts.get("ordered") else "fixed_unordered"
    sampler["frames_num_fixed"] = (9 if parts.get("ordered") else 8) if cpu else 30
    if parts.get("ordered"):
        sampler["frames_skip_num"] = 0
    total = iterations(model, cpu)
    return {
        "total_iter": total,
        "save_iter": 250 if cpu else 10_000,
        "log_iter": 50 if cpu else 100,
        "save_name": save_name(arm, cpu),
        "restore_hint": 0,
        "with_test": False,
        "enable_float16": not cpu,
        "sync_BN": not cpu and model != "gaitset",
        "fix_BN": False,
        "sampler": sampler,
        "transform": parts["transform"],
    }


def head(model: str, arm: str, few: int | None, cpu: bool) -> str:
    """What it is, and the commands."""
    name = f"opengait_configs/{model}/{save_name(arm, cpu)}.yaml"
    lines = [HEADS.get(arm, f"{few} % of the train people with labels, and people who do not exist.")]
    lines.append("Written by opengait_configs/build.py; OpenGait's own schema, plus `synthetic` and our sampler.")
    if cpu:
        lines.append("Sized for a CPU, on the simulated cohort:")
        lines.append("  python tools/simulate.py --out cohort --subjects 80 --train 50 --views 000,054,090,144")
    if few is not None or (arm != "real" and not cpu):
        partition = f"opengait_configs/partitions/{'simulated' if cpu else 'casia-b'}-{few}.json"
        root = "cohort/pkl" if cpu else "CASIA-B-pkl"
        split = partition if few is not None else "OpenGait/datasets/CASIA-B/CASIA-B.json"
        preset = f"opengait_configs/gaitcrafter/{'simulated-small' if cpu else 'casia-b'}.yaml"
        lines.append(
            f"  python tools/train.py --data {root} --partition {split} --config {preset} --out {weights(few, cpu)}"
        )
    root_set = "" if cpu else " --set data_cfg.dataset_root=CASIA-B-pkl"
    run = "python tools/opengait.py --opengait OpenGait --workdir ."
    lines.append(f"  {run} --cfgs {name}{root_set} --phase train   (then: test)")
    return "".join(f"# {line}\n" for line in lines)


class _Plain(yaml.SafeDumper):
    """Short lists and sections on one line, no anchors, indented lists."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _is_leaf(value: Any) -> bool:
    return not isinstance(value, (dict, list))


def _is_flat(value: Any) -> bool:
    return _is_leaf(value) or (isinstance(value, list) and all(map(_is_leaf, value)))


def _short(value: Any) -> bool:
    return len(str(value)) < 100


# 090 is a number to some readers of YAML: quote every name of digits.
_Plain.add_representer(
    str,
    lambda dumper, value: dumper.represent_scalar(
        "tag:yaml.org,2002:str", value, style="'" if value.isdigit() else None
    ),
)
_Plain.add_representer(
    list,
    lambda dumper, value: dumper.represent_sequence(
        "tag:yaml.org,2002:seq", value, flow_style=all(map(_is_flat, value))
    ),
)
_Plain.add_representer(
    dict,
    lambda dumper, value: dumper.represent_mapping(
        "tag:yaml.org,2002:map", value, flow_style=all(map(_is_leaf, value.values())) and _short(value)
    ),
)


def partitions() -> dict[str, str]:
    """Partition files of the few-labels arms: people spread evenly over the train people."""
    found = {}
    for share, counts in FEW.items():
        for name, pattern, train, test, count in (
            ("casia-b", "{:03d}", 74, range(75, 125), counts[0]),
            ("simulated", "sim-{:03d}", 50, range(51, 81), counts[1]),
        ):
            chosen = [pattern.format(1 + place * train // count) for place in range(count)]
            sets = {"TRAIN_SET": chosen, "TEST_SET": [pattern.format(number) for number in test]}
            found[f"partitions/{name}-{share}.json"] = json.dumps(sets, indent=1) + "\n"
    return found


def files() -> dict[str, str]:
    """Every file of this folder that is written here: name -> text."""
    written = partitions()
    for model in MODELS:
        for arm in ARMS:
            for cpu in (False, True):
                written[f"{model}/{save_name(arm, cpu)}.yaml"] = render(model, arm, cpu)
    return written


if __name__ == "__main__":
    for name, text in files().items():
        path = HERE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    print(f"{len(files())} files")

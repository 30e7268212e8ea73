"""Making an OpenGait process know us: data source, sampler, config loader. The checkout stays as it is."""

from __future__ import annotations

import argparse
import copy
import functools
import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from gaitcrafter_ext.errors import GaitCrafterError
from gaitcrafter_ext.hardware import pick_device
from gaitcrafter_ext.opengait.checkout import Checkout
from gaitcrafter_ext.opengait.config_keys import OUR_SAMPLER
from gaitcrafter_ext.opengait.device import patch_device, patch_saving, prepare_environment
from gaitcrafter_ext.opengait.prepare import Run, prepare
from gaitcrafter_ext.opengait.stubs import install_stubs


def register(checkout: Checkout, run: Run, device: str = "auto") -> None:
    """Bring this process to a device, and replace what OpenGait looks up in it by name.

    ``<checkout>/opengait`` must be on ``sys.path``; without ``torchrun`` this becomes a single process.
    """
    prepare_environment(device)
    patch_device(pick_device(device).type)
    patch_saving()
    install_stubs()
    data_set = importlib.import_module("gaitcrafter_ext.opengait.dataset").GaitDataSet
    for name in ("modeling.base_model", "modeling.multidataset_model"):
        if importlib.util.find_spec(name) is not None:
            vars(importlib.import_module(name))["DataSet"] = data_set
    sampler = importlib.import_module("gaitcrafter_ext.opengait.sampler").RealSyntheticTripletSampler
    vars(importlib.import_module("data.sampler"))[OUR_SAMPLER] = sampler
    vars(importlib.import_module("evaluation.evaluator"))["open"] = _opener(checkout.root)
    utils: Any = importlib.import_module("utils")
    utils.config_loader = _preparing(utils.config_loader, checkout.root, run)


def _preparing(original: Any, root: Path, run: Run) -> Any:
    """OpenGait's config loader, whose result is completed and checked once."""

    @functools.cache
    def prepared(config: Path) -> dict[str, Any]:
        here = Path.cwd()
        os.chdir(root)  # it reads ./configs/default.yaml, wherever its output goes
        try:
            loaded = original(str(config))
        finally:
            os.chdir(here)
        return prepare(loaded, run)

    return lambda path: copy.deepcopy(prepared(Path(path).resolve()))


def _opener(root: Path) -> Any:
    """``open`` for the evaluators, which read lists of probes from ``./datasets`` wherever the output goes."""

    def opener(path: Any, *args: Any, **kwargs: Any) -> Any:
        inside = root / str(path)
        return open(inside if not os.path.exists(path) and inside.is_file() else path, *args, **kwargs)

    return opener


def register_from_shim(shim: str) -> None:
    """What the shim file calls when OpenGait imports it: everything the launcher would have done by then.

    Configs without ``synthetic`` people are left alone. ``shim`` is ``<checkout>/opengait/modeling/models/<name>.py``.
    """
    if hasattr(sys.modules.get("data.sampler"), OUR_SAMPLER):  # by the launcher
        return
    sys.excepthook = _report
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--cfgs", type=Path, action="append", default=[])
    options.add_argument("--phase", default="train")
    options.add_argument("--iter", type=int)  # 0, where it is said, is the untrained network
    given, _rest = options.parse_known_args()
    checkout = Checkout(Path(shim).resolve().parents[3])
    folders = caller_folders(checkout.root, *given.cfgs)
    register(checkout, Run(given.phase, folders, iteration=given.iter, strict=False))


def _report(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """An error of ours that is not caught ends the process with one line, others with a traceback."""
    if isinstance(error, GaitCrafterError):
        print(f"error: {last_line(error)}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def last_line(error: BaseException) -> str:
    """The message; of an error that a data worker sent, what it says below the worker's traceback."""
    text = str(error).strip()
    if "Original Traceback" not in text:
        return " ".join(text.split())
    return text.splitlines()[-1].split(": ", 1)[-1]


def caller_folders(checkout: Path, *configs: Path) -> tuple[Path, ...]:
    """Where relative paths are looked up: here, in the checkout, beside the configs."""
    return tuple(dict.fromkeys([Path.cwd(), checkout, *(config.resolve().parent for config in configs)]))

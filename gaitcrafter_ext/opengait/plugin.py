"""Making an OpenGait process know us: data source, sampler, config loader. The checkout stays as it is."""

from __future__ import annotations

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
from gaitcrafter_ext.opengait.device import notify, patch_device, patch_saving, prepare_environment
from gaitcrafter_ext.opengait.prepare import Run, prepare
from gaitcrafter_ext.opengait.stubs import install_stubs

_MARK = "_gaitcrafter_run"


def register(run: Run) -> None:
    """Replace, in this process, what OpenGait looks up by name; ``<checkout>/opengait`` must be on ``sys.path``."""
    install_stubs()
    patch_saving()
    utils: Any = importlib.import_module("utils")
    setattr(utils, _MARK, run)
    data_set = importlib.import_module("gaitcrafter_ext.opengait.dataset").GaitDataSet
    for name in ("modeling.base_model", "modeling.multidataset_model"):
        if importlib.util.find_spec(name) is not None:
            vars(importlib.import_module(name))["DataSet"] = data_set
    sampler = importlib.import_module("gaitcrafter_ext.opengait.sampler").RealSyntheticTripletSampler
    vars(importlib.import_module("data.sampler"))[OUR_SAMPLER] = sampler
    vars(importlib.import_module("evaluation.evaluator"))["open"] = _opener(run.checkout.root)
    utils.config_loader = _preparing(utils.config_loader, run)


def _preparing(original: Any, run: Run) -> Any:
    """OpenGait's config loader, whose result is completed and checked once."""

    @functools.cache
    def prepared(config: Path) -> dict[str, Any]:
        here = Path.cwd()
        os.chdir(run.checkout.root)  # it reads ./configs/default.yaml, wherever its output goes
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


def register_from_shim(shim: str, *_: object) -> None:
    """What the shim file calls when OpenGait imports it: everything the launcher would have done by then.

    Without a GPU the process is brought to the CPU, without ``torchrun`` to a single process. Configs without
    ``synthetic`` people are left alone. ``shim`` is ``<checkout>/opengait/modeling/models/<name>.py``.
    """
    if hasattr(sys.modules.get("utils"), _MARK):  # by the launcher
        return
    _report_in_one_line()
    root, given = Path(shim).resolve().parents[3], _argv_options()
    try:
        checkout = Checkout(root)
        prepare_environment()
        device = pick_device("auto").type
        if device != "cuda":
            notify(f"no GPU here: OpenGait runs on the {device.upper()}")
        patch_device(device)
        phase, iteration = given.get("--phase", "train"), given.get("--iter", "")
        configs = [Path(given["--cfgs"]).resolve()] if "--cfgs" in given else []
        started = int(iteration) if iteration.isdecimal() else None  # 0, where it is said, is the untrained network
        register(Run(checkout, phase, caller_folders(root, *configs), iteration=started, strict=False))
    except GaitCrafterError as error:
        sys.exit(f"error: {last_line(error)}")


def _argv_options() -> dict[str, str]:
    """Options of the running ``main.py`` that have a value."""
    words = [part for word in sys.argv[1:] for part in word.split("=", 1)]
    return {word: value for word, value in zip(words, words[1:]) if word.startswith("--")}  # noqa: B905, RUF007


def _report_in_one_line() -> None:
    """Let an error of ours that is not caught end the process with one line instead of a traceback."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if isinstance(error, GaitCrafterError):
            print(f"error: {last_line(error)}", file=sys.stderr)
        else:
            before(kind, error, trace)

    sys.excepthook = hook


def last_line(error: BaseException) -> str:
    """The message; of an error that a data worker sent, what it says below the worker's traceback."""
    text = str(error).strip()
    if "Original Traceback" not in text:
        return " ".join(text.split())
    return text.splitlines()[-1].split(": ", 1)[-1]


def caller_folders(checkout: Path, *configs: Path) -> tuple[Path, ...]:
    """Where relative paths are looked up: here, in the checkout, beside the configs."""
    return tuple(dict.fromkeys([Path.cwd(), checkout, *(config.parent for config in configs)]))

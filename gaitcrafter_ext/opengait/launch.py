"""Running the unmodified ``opengait/main.py``, on any device, with us registered first."""

from __future__ import annotations

import contextlib
import importlib
import os
import runpy
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from gaitcrafter_ext.errors import DataError, GaitCrafterError, MissingError
from gaitcrafter_ext.opengait.checkout import Checkout
from gaitcrafter_ext.opengait.config_keys import apply_arm, parse_override
from gaitcrafter_ext.opengait.plugin import caller_folders, last_line, register
from gaitcrafter_ext.opengait.prepare import Run, data_cfgs, find_paths
from gaitcrafter_ext.records import read_yaml
from gaitcrafter_ext.silhouettes.files import storage_error


def launch(
    opengait: str | None,
    cfgs: Sequence[str],
    *,
    phase: str = "train",
    device: str = "auto",
    sets: Sequence[str] = (),
    workdir: str | None = None,
    iteration: int | None = None,
    log_to_file: bool = False,
    allow_missing: bool = False,
) -> None:
    """Check everything that can be checked, then run OpenGait in this process until it is done.

    ``cfgs`` are the config and arms to lay over it, ``sets`` are overrides ``a.b=v``. ``workdir`` is where ``output/``
    goes, the checkout where None. ``iteration`` is the checkpoint to start from, None where the config says.
    """
    checkout, overrides = Checkout(opengait), [parse_override(text) for text in sets]
    config, *arms = (_find_config(name, checkout) for name in cfgs)
    place = Path(workdir).resolve() if workdir else checkout.root
    folders = (*([place] if workdir else []), *caller_folders(checkout.root, config, *arms))
    try:
        place.mkdir(parents=True, exist_ok=True)
        os.chdir(place)
    except OSError as error:
        raise storage_error(place, error, "work in") from error
    sys.path.insert(0, str(checkout.package))
    changes = (*map(_read_arm, arms), *overrides)
    register(checkout, Run(phase, folders, changes, iteration, allow_missing), device)
    importlib.import_module("utils").config_loader(str(config))
    sys.argv = [str(checkout.package / "main.py"), "--cfgs", str(config), "--phase", phase]
    sys.argv += ([] if iteration is None else ["--iter", str(iteration)]) + ["--log_to_file"] * log_to_file
    with _one_line_errors():
        runpy.run_path(sys.argv[0], run_name="__main__")


def _find_config(name: str, checkout: Checkout) -> Path:
    """The config, looked up here and in the checkout."""
    for folder in (Path.cwd(), checkout.root):
        path = folder / Path(name).expanduser()
        if path.is_file():
            return path.resolve()
    raise MissingError(f"--cfgs: there is no file {name}, neither here nor in {checkout.root}")


def _read_arm(path: Path) -> dict[str, Any]:
    arm = read_yaml(path)
    if not isinstance(arm, dict):
        raise DataError(f"{path} holds no settings; expected sections such as data_cfg")
    return arm


def compose(names: Sequence[str], sets: Sequence[str], opengait: str | None) -> str:
    """One plain config of a base, its arms and ``--set`` overrides, for OpenGait's own ``main.py``."""
    checkout, whole = Checkout(opengait), dict[str, Any]()
    paths = [_find_config(name, checkout) for name in names]
    for arm in (*map(_read_arm, paths), *map(parse_override, sets)):
        apply_arm(whole, arm)
    for data in data_cfgs(whole):
        find_paths(data, caller_folders(checkout.root, *paths))
    return yaml.safe_dump(whole, sort_keys=False, default_flow_style=None, width=110)


@contextlib.contextmanager
def _one_line_errors() -> Iterator[None]:
    """OpenGait's own errors keep their traceback, which their author needs; ours, from wherever, are one line."""
    import torch

    try:
        yield
    except GaitCrafterError as error:
        raise type(error)(last_line(error)) from None
    except SystemExit as stop:
        if stop.code not in (0, None):
            raise GaitCrafterError(f"OpenGait ended with {stop.code}") from None
    except Exception as error:
        if "closed by peer" in str(error) or "Connection reset" in str(error):
            raise GaitCrafterError(
                "another process of this run ended; its own message says why. Checkpoints are whole: start again with "
                "--iter and the last one"
            ) from None
        traceback.print_exc()
        raise GaitCrafterError(f"OpenGait stopped: {type(error).__name__}: {last_line(error)}") from None
    finally:
        if torch.distributed.is_initialized():
            with contextlib.suppress(RuntimeError):
                torch.distributed.destroy_process_group()

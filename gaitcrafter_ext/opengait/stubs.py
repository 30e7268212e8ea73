"""Packages that OpenGait imports for some of its models: where one is missing, a stand-in that fails only when used.

OpenGait imports every model whatever the config names, so that one missing package breaks each run. Importing a
stand-in, naming its classes and deriving from them works; calling them is refused with the package's name. What every
run needs of torchvision (``make_grid``, ``Compose``) is there in full.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NoReturn

from gaitcrafter_ext.errors import MissingError
from gaitcrafter_ext.torchvision_build import patch_torchvision

#: Import name -> what ``pip`` calls it. Those that OpenGait imports in a ``try`` stay missing.
OPTIONAL = {
    "PIL": "pillow",
    "cv2": "opencv-python",
    "einops": "einops",
    "imageio": "imageio",
    "kornia": "kornia",
    "lightly": "lightly",
    "matplotlib": "matplotlib",
    "sklearn": "scikit-learn",
    "torchvision": "torchvision",
}


def install_stubs() -> tuple[str, ...]:
    """Make every package of ``OPTIONAL`` importable; returns those that are missing and were replaced."""
    missing = tuple(name for name in OPTIONAL if not _is_there(name))
    for name in missing:
        sys.modules.pop(name, None)  # None where its absence is settled
    if missing:
        sys.meta_path.insert(0, _StubFinder(missing))
    return missing


def _is_there(name: str) -> bool:
    if sys.modules.get(name) is not None:
        return True
    try:
        found = importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
    return found and (name != "torchvision" or patch_torchvision())


class _StubFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Answers for every module of the packages that are missing."""

    def __init__(self, packages: Sequence[str]) -> None:
        self.packages = frozenset(packages)

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name.split(".")[0] not in self.packages:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _StubModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(_STAND_INS.get(module.__name__, {}))


class _StubModule(ModuleType):
    """A module that has every name; each is a class that cannot be made."""

    def __getattr__(self, name: str) -> Any:
        return _stub_class(self.__name__, name)


class _StubMeta(type):
    """Lets attributes of a stub be named, too: ``stub.a.b``."""

    def __getattr__(cls, name: str) -> Any:
        return _stub_class(cls._dotted, name)


def _stub_class(place: str, name: str) -> type:
    if name.startswith("__"):
        raise AttributeError(name)
    package, dotted = place.split(".")[0], f"{place}.{name}"

    def refuse(cls: Any, *_: object, **__: object) -> NoReturn:
        raise MissingError(
            f"{dotted} is needed here, and the package '{package}' is not installed; run: pip install "
            f"{OPTIONAL[package]}"
        )

    return _StubMeta(name, (), {"__new__": refuse, "_dotted": dotted})


def _make_grid(pictures: Any, **_: Any) -> Any:
    """Pictures [n, 1, h, w], eight a row, each scaled to [0, 1]: [3, H, W], as torchvision's ``make_grid``."""
    import torch

    shown = pictures.detach().float()
    low, high = shown.amin((1, 2, 3), keepdim=True), shown.amax((1, 2, 3), keepdim=True)
    shown = torch.nn.functional.pad((shown - low) / (high - low).clamp(min=1e-5), (0, 2, 0, 2))
    shown = torch.cat([shown, shown.new_zeros(-len(shown) % 8, *shown.shape[1:])]).unflatten(0, (-1, 8))
    return shown.permute(2, 0, 3, 1, 4).flatten(3, 4).flatten(1, 2).expand(3, -1, -1)


def _compose(transforms: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """One transform after the other, as torchvision's ``Compose``."""
    return lambda value: functools.reduce(lambda done, transform: transform(done), transforms, value)


_STAND_INS: dict[str, dict[str, Any]] = {
    "torchvision.utils": {"make_grid": _make_grid},
    "torchvision.transforms": {"Compose": _compose},
}

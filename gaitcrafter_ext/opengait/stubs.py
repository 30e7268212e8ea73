"""Packages that OpenGait imports for some of its models: where one is missing, a stand-in that fails only when used.

OpenGait imports every model whatever the config names, so that one missing package breaks each run. Importing a
stand-in, naming its classes and deriving from them works; calling them is refused with the package's name. What every
run needs of torchvision (``make_grid``, ``Compose``) is there in full.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from gaitcrafter_ext.errors import MissingError
from gaitcrafter_ext.torchvision_build import patch_torchvision

__all__ = ["imported_packages", "install_stubs"]

# What a package is called where its import name differs.
_PIP_NAME = {"sklearn": "scikit-learn", "cv2": "opencv-python", "PIL": "pillow", "yaml": "pyyaml"}

# Nothing works without these: let their own ImportError speak.
_NEEDED = {"torch", "numpy", "yaml", "tqdm"}


def install_stubs(package: Path) -> tuple[str, ...]:
    """Make every package importable that the code below ``package`` (``<checkout>/opengait``) imports.

    Returns:
        The packages that are missing and were replaced, sorted.
    """
    wanted = imported_packages(package) - set(sys.stdlib_module_names) - _NEEDED
    ours = {path.stem for path in package.iterdir()}
    missing = sorted(name for name in wanted - ours if not _is_there(name))
    if missing:
        for name in missing:
            sys.modules.pop(name, None)  # None where its absence is settled
        sys.meta_path.insert(0, _StubFinder(missing))
    return tuple(missing)


def imported_packages(folder: Path) -> set[str]:
    """Top-level packages imported by the files of a folder, but for imports in a ``try``, which have a fallback."""
    found: set[str] = set()
    for path in sorted(folder.rglob("*.py")):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8", errors="replace"))
        except SyntaxError:
            continue
        found |= {name.split(".")[0] for name in _imports(tree)}
    return found


def _imports(node: ast.AST) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module and not child.level:
            yield child.module
        elif not isinstance(child, (ast.Try, ast.FunctionDef)):
            yield from _imports(child)


def _is_there(name: str) -> bool:
    if sys.modules.get(name) is not None:
        return True
    try:
        if importlib.util.find_spec(name) is None:
            return False
    except (ImportError, ValueError):
        return False
    return name != "torchvision" or patch_torchvision()


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
        if name.startswith("__"):
            raise AttributeError(name)
        return _stub_class(f"{self.__name__}.{name}")


class _StubMeta(type):
    """Lets attributes of a stub be named, too: ``stub.a.b``."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _stub_class(f"{cls._dotted}.{name}")


def _stub_class(dotted: str) -> type:
    def refuse(cls: Any, *_: object, **__: object) -> NoReturn:
        package = dotted.split(".")[0]
        raise MissingError(
            f"{dotted} is needed here, and the package '{package}' is not installed; "
            f"run: pip install {_PIP_NAME.get(package, package)}"
        )

    return _StubMeta(dotted.rsplit(".", 1)[-1], (), {"__new__": refuse, "_dotted": dotted})


def _make_grid(tensor: Any, nrow: int = 8, padding: int = 2, **options: Any) -> Any:
    """Pictures [n, c, h, w] side by side, each scaled to [0, 1]: [3, H, W], as torchvision's ``make_grid``."""
    import torch

    pictures = tensor.detach().float()
    low, high = pictures.amin((1, 2, 3), keepdim=True), pictures.amax((1, 2, 3), keepdim=True)
    pictures = (pictures - low) / (high - low).clamp(min=1e-5)
    columns = min(nrow, len(pictures))
    rows = -(-len(pictures) // columns)
    padded = torch.nn.functional.pad(pictures, (padding, 0, padding, 0))
    blank = padded.new_zeros(rows * columns - len(padded), *padded.shape[1:])
    tiles = torch.cat([padded, blank]).unflatten(0, (rows, columns))
    grid = tiles.permute(2, 0, 3, 1, 4).flatten(3, 4).flatten(1, 2)
    return grid.expand(3, -1, -1)


class _Compose:
    """One transform after the other, as torchvision's ``Compose``."""

    def __init__(self, transforms: Sequence[Any]) -> None:
        self.transforms = transforms

    def __call__(self, value: Any) -> Any:
        for transform in self.transforms:
            value = transform(value)
        return value


_STAND_INS: dict[str, dict[str, Any]] = {
    "torchvision.utils": {"make_grid": _make_grid},
    "torchvision.transforms": {"Compose": _Compose},
}

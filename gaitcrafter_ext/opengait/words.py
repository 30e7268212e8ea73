"""Which words a config may use: those that the checkout's own code reads, found without running it.

OpenGait drops a key that it does not know without a word. A key that neither its code nor any of its own configs
mentions is certainly a mistake.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.opengait.settings import KEYS
from gaitcrafter_ext.vocabulary import suggest

__all__ = ["Words", "check_keys", "read_words", "words_of"]

_YAML_KEY = re.compile(r"^[ \t]*(?:-[ \t]+)*([A-Za-z_]\w*)[ \t]*:", re.MULTILINE)
_LOOKUPS = {"get", "pop", "setdefault"}


@dataclass(frozen=True)
class Words:
    """What a checkout has words for.

    Attributes:
        read: Words that its code looks up, or takes as an argument.
        written: Words that its own configs use, whether or not anything reads them.
    """

    read: frozenset[str]
    written: frozenset[str]


@lru_cache(maxsize=4)
def words_of(root: Path) -> Words:
    """Words of a whole checkout, of torch's optimisers and schedulers, and our own."""
    read = set(KEYS)
    for name in ("sampler.py", "transforms.py"):
        read |= read_words(Path(__file__).with_name(name))
    for path in sorted((root / "opengait").rglob("*.py")):
        read |= read_words(path)
    written = set()
    for path in sorted((root / "configs").rglob("*.yaml")):
        written |= set(_YAML_KEY.findall(path.read_text(encoding="utf-8", errors="replace")))
    return Words(
        frozenset(read | _arguments("torch.optim") | _arguments("torch.optim.lr_scheduler")), frozenset(written)
    )


@lru_cache(maxsize=512)
def read_words(path: Path) -> frozenset[str]:
    """Words that a module looks up (``cfg["word"]``, ``cfg.get("word")``, ``"word" in cfg``) or has as an argument."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8", errors="replace"))
    except SyntaxError:
        return frozenset()
    return frozenset(word for node in ast.walk(tree) for word in _words(node))


def _words(node: ast.AST) -> Iterator[str]:
    if isinstance(node, (ast.FunctionDef, ast.Lambda)):
        yield from (argument.arg for argument in (*node.args.args, *node.args.kwonlyargs))
    found: ast.AST | None = None
    if isinstance(node, ast.Subscript):
        found = node.slice
    elif isinstance(node, ast.Compare):
        found = node.left
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _LOOKUPS:
        found = node.args[0] if node.args else None
    if isinstance(found, ast.Constant) and isinstance(found.value, str):
        yield found.value


def _arguments(module: str) -> set[str]:
    classes = [kind for kind in vars(importlib.import_module(module)).values() if inspect.isclass(kind)]
    own = [kind for kind in classes if kind.__module__.startswith("torch.optim")]
    return {name for kind in own for name in inspect.getfullargspec(kind.__init__).args}


def check_keys(cfgs: Mapping[str, Any], words: Words) -> None:
    """Refuse a key that no code of the checkout reads and none of its configs writes.

    Raises:
        UsageError: The key, where it stands, and the nearest known word.
    """
    known = words.read | words.written
    for path, key in _keys(cfgs, ""):
        if key not in known:
            where = f"{path}.{key}".lstrip(".")
            raise UsageError(f"{where}: OpenGait knows no key '{key}' and would drop it; {_nearest(key, known)}")


def _nearest(key: str, known: frozenset[str]) -> str:
    hint = suggest(key, sorted(known))
    return hint.split("? ")[0] + "?" if hint.startswith("did you mean") else "take it out"


def _keys(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every key of a config with where it stands; ours below ``synthetic`` are checked elsewhere."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield path, str(key)
            if key != "synthetic":
                yield from _keys(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _keys(inner, f"{path}[{number}]")

"""Options that several commands share, their types, and a bar of progress."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.generator.weights import BUNDLED
from gaitcrafter_ext.records import to_json


def at_least(minimum: int, maximum: int = 2**63 - 1) -> Callable[[str], int]:
    """An argparse type: whole numbers from ``minimum`` to ``maximum``, in ASCII digits."""

    def parse(text: str) -> int:
        try:
            value = int(text.encode("ascii"))
        except ValueError:
            raise argparse.ArgumentTypeError(f"'{text}' is not a whole number") from None
        if value < minimum:
            raise argparse.ArgumentTypeError(f"{value} is too small; at least {minimum}")
        if value > maximum:
            raise argparse.ArgumentTypeError(f"{value} is too large; at most {maximum}")
        return value

    return parse


def number(minimum: float, maximum: float = math.inf, *, above: bool = False) -> Callable[[str], float]:
    """An argparse type: finite numbers from ``minimum``, or only ``above`` it, to ``maximum``, in ASCII digits."""
    allowed = f"{'above' if above else 'from'} {minimum:g}" + (f" to {maximum:g}" if maximum < math.inf else "")

    def parse(text: str) -> float:
        try:
            value = float(text.encode("ascii"))
        except ValueError:
            value = math.nan
        if not minimum <= value <= maximum or math.isinf(value) or (above and value == minimum):
            raise argparse.ArgumentTypeError(f"'{text}' is not a finite number {allowed}")
        return value

    return parse


COUNT: dict[str, Any] = {"type": at_least(1), "metavar": "N"}
SWITCH: dict[str, Any] = {"action": "store_true"}

#: What an option of that name is in every command, unless the command says otherwise.
SHARED: dict[str, dict[str, Any]] = {
    "--config": {"metavar": "NAME|YAML", "help": "how the dataset is read: a YAML file, or a preset, e.g. casia-b"},
    "--device": {"default": "auto", "help": "cpu, cuda, mps or auto (default: a GPU where there is one)"},
    "--force": {**SWITCH, "help": "overwrite --out"},
    "--jobs": {"type": at_least(1), "metavar": "J", "help": "processes to use (default: every core)"},
    "--json": {**SWITCH, "help": "print one JSON object instead of the report"},
    "--out": {"type": Path, "required": True, "metavar": "DIR"},
    "--partition": {"metavar": "JSON", "help": "who is trained on and who is tested"},
    "--precision": {
        "choices": ("auto", "float32", "bfloat16"),
        "default": "auto",
        "help": "arithmetic (default auto: bfloat16 where it is fast)",
    },
    "--rows": {"type": at_least(1), "default": 24, "help": "clips on the contact sheet (default %(default)s)"},
    "--seed": {"type": at_least(0), "default": 0, "metavar": "S", "help": "default: %(default)s"},
    "--views": {"default": "all", "help": "comma-separated views, or all (default all)"},
    "--weights": {"default": BUNDLED, "metavar": "NAME|DIR", "help": "default: %(default)s"},
}


def options(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> Callable[..., None]:
    """``add(name, meaning, *other_names, **how)`` declares an option, as in :data:`SHARED` but for what is given."""

    def add(name: str, meaning: str = "", *other_names: str, **how: Any) -> None:
        said = {"help": meaning} if meaning else {}
        parser.add_argument(name, *other_names, **{**SHARED.get(name, {}), **said, **how})

    return add


#: What declares the options of a part of a command, and what runs it, whose docstring is the help.
Action = tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], None]]


def add_actions(parser: argparse.ArgumentParser, dest: str, actions: Mapping[str, Action]) -> None:
    """A sub-parser for each action by its name."""
    children = parser.add_subparsers(dest=dest, metavar=dest.upper(), required=True)
    for name, (declare, act) in actions.items():
        declare(children.add_parser(name, help=act.__doc__, description=act.__doc__, allow_abbrev=False))


def refuse_file(out: Path) -> None:
    """Raise ``UsageError`` where a folder to write is a file, or lies in one."""
    if any(path.is_file() for path in (out, *out.parents)):
        raise UsageError(f"--out: {out} is a file, or lies in one; name a folder")


def say(args: argparse.Namespace, facts: Any, *lines: str) -> None:
    """Print the facts as JSON where ``--json`` asks for it, the lines otherwise."""
    print(to_json(facts) if args.json else "\n".join(lines))


class Progress(AbstractContextManager["Progress"]):
    """A bar on stderr that a library function drives by ``bar(done, total)``, e.g. of ``"reading"``, ``"clip"``."""

    def __init__(self, what: str, unit: str) -> None:
        from tqdm import tqdm

        self._bar = tqdm(desc=what, unit=unit, file=sys.stderr, leave=False, mininterval=0.5, delay=0.5)

    def __call__(self, done: int, total: int) -> None:
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def __exit__(self, *_: object) -> None:
        self._bar.close()

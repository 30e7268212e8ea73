"""``gaitcrafter COMMAND``: finds the command's module, parses its options, reports its errors in one line.

A command is a module of this package with ``HELP``, ``add_arguments(parser)`` and ``run(args)``, which returns the
exit code or None; a module whose name begins with an underscore is no command. Exit codes: 0 or None done, 1 failed,
2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import pkgutil
import sys
import traceback
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NoReturn

import gaitcrafter_ext.cli
from gaitcrafter_ext import __version__
from gaitcrafter_ext.errors import GaitCrafterError, UsageError, suggest

#: Set to anything, it shows where an unforeseen error came from.
TRACEBACK_VARIABLE = "GAITCRAFTER_TRACEBACK"


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line that names the nearest option."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            near = difflib.get_close_matches(unknown[0].split("=")[0], list(self._option_string_actions), n=1)
            self.error(f"unknown argument '{unknown[0]}'" + (f"; did you mean '{near[0]}'?" if near else ""))
        return found

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see: {self.prog} --help)")


def command_names() -> list[str]:
    """Every command, in alphabetical order."""
    modules = [module.name for module in pkgutil.iter_modules(gaitcrafter_ext.cli.__path__) if not module.ispkg]
    return sorted(name.replace("_", "-") for name in modules if name != "main" and not name.startswith("_"))


def load_command(name: str) -> ModuleType:
    """The module of a command; importing it loads nothing heavy; ``UsageError`` where there is no such command."""
    if name not in command_names():
        raise UsageError(f"unknown command '{name}'; {suggest(name, command_names())}")
    return importlib.import_module(f"gaitcrafter_ext.cli.{name.replace('-', '_')}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that ``argv`` begins with, or that of the process; returns the exit code."""
    try:
        code = _dispatch(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
        return code
    except GaitCrafterError as error:
        return _complain(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    except BrokenPipeError:
        # The reader of our output left (`| head`). Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        return _complain(str(error) or type(error).__name__, 1)
    except Exception as error:
        if TRACEBACK_VARIABLE in os.environ:
            traceback.print_exc()
        return _complain(f"unexpected {type(error).__name__}: {error} (a bug; {TRACEBACK_VARIABLE}=1 shows where)", 1)


def _dispatch(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        print(_overview())
        return 0 if argv else UsageError.exit_code
    if argv[0] in ("-V", "--version"):
        print(f"gaitcrafter {__version__}")
        return 0
    if argv[0] == "--print-completion":
        return _print_completion(argv[1:])
    command = load_command(argv[0])
    parser = _Parser(prog=f"gaitcrafter {argv[0]}", description=command.HELP, allow_abbrev=False)
    command.add_arguments(parser)
    try:
        args = parser.parse_args(argv[1:])
    except SystemExit as stop:  # argparse ends the process after --help
        return int(stop.code or 0)
    return command.run(args) or 0


def _print_completion(shells: Sequence[str]) -> int:
    try:
        import shtab
    except ImportError:
        raise UsageError("--print-completion needs another package: pip install shtab") from None
    if len(shells) != 1 or shells[0] not in shtab.SUPPORTED_SHELLS:
        raise UsageError(f"--print-completion {' '.join(shells)}: allowed: {', '.join(shtab.SUPPORTED_SHELLS)}")
    parser = _Parser(prog="gaitcrafter")
    commands = parser.add_subparsers()
    for name in command_names():
        load_command(name).add_arguments(commands.add_parser(name, help=load_command(name).HELP))
    print(shtab.complete(parser, shells[0]))
    return 0


def _overview() -> str:
    width = max(map(len, command_names()))
    rows = [f"  {name:<{width}}  {load_command(name).HELP.splitlines()[0]}" for name in command_names()]
    return "\n".join(["usage: gaitcrafter COMMAND [options]    (gaitcrafter COMMAND --help)", "", *rows])


def _complain(message: str, code: int) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return code

"""The dispatch: exit codes, one-line errors, interruption, a reader that leaves."""

from __future__ import annotations

import argparse
import errno
import json
import math
import signal
import subprocess
import sys
import types
from collections.abc import Callable

import pytest

from gaitcrafter_ext.cli import main as command_line
from gaitcrafter_ext.cli._options import say
from gaitcrafter_ext.errors import DataError, UsageError

Run = Callable[[argparse.Namespace], int]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Run], None]:
    """Registers a command called ``walk`` that does what it is given."""

    def register(run: Run) -> None:
        def add_arguments(parser: argparse.ArgumentParser) -> None:
            parser.add_argument("--steps", type=int)

        module = types.SimpleNamespace(HELP="walk", add_arguments=add_arguments, run=run)
        monkeypatch.setattr(command_line, "load_command", lambda name: module)

    return register


def test_the_commands_own_code_is_returned_and_help_is_no_error(
    command: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    command(lambda args: args.steps)
    assert [command_line.main(["walk", "--steps", code]) for code in "01"] == [0, 1]
    for arguments in (["walk", "--help"], ["--help"], ["--version"]):
        assert command_line.main(arguments) == 0
    assert "--steps" in capsys.readouterr().out


def test_completion_knows_every_command_and_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["--print-completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert f"({' '.join(command_line.command_names())})" in script
    assert "--recogniser" in script  # of 'evaluate card'
    assert command_line.main(["--print-completion", "elvish"]) == 2
    assert "allowed: bash" in capsys.readouterr().err


def test_every_error_is_one_line_with_its_code(command: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    raised: list[BaseException] = []

    def fail(args: argparse.Namespace) -> int:
        raise raised[-1]

    command(fail)
    for error, code, line in (
        (UsageError("no such view"), 2, "error: no such view"),
        (DataError("two\nlines"), 1, "error: two lines"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "error: [Errno 28] No space left on device"),
        (KeyboardInterrupt(), 130, "error: interrupted"),
        (KeyError("x"), 1, "error: unexpected KeyError: 'x' (a bug; GAITCRAFTER_TRACEBACK=1 shows where)"),
    ):
        raised.append(error)
        assert command_line.main(["walk"]) == code
        assert capsys.readouterr() == ("", line + "\n")


def test_a_wrong_option_or_command_is_one_line_that_names_the_nearest(
    command: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.main(["synthesise"]) == 2
    assert "did you mean 'synthesize'?" in capsys.readouterr().err
    command(lambda args: 0)
    for arguments, words in (
        (["--step", "3"], "unknown argument '--step'; did you mean '--steps'?"),
        (["--steps", "many"], "invalid int value: 'many'"),
    ):
        assert command_line.main(["walk", *arguments]) == 2
        printed = capsys.readouterr().err
        assert words in printed
        assert printed.count("\n") == 1


SCRIPT = """
import sys, time, types
from gaitcrafter_ext.cli import main as command_line
def run(args):
    {body}
    return 0
command_line.load_command = lambda name: types.SimpleNamespace(HELP="", add_arguments=lambda parser: None, run=run)
sys.exit(command_line.main(["walk"]))
"""


def obey_interrupts() -> None:
    """A parent in the background has its children ignore Ctrl-C; these shall not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize(
    ("body", "leave", "code", "line"),
    [
        ("[print('row', i) for i in range(100000)]", lambda process: process.stdout.close(), 141, b""),
        (
            "print('on', flush=True); time.sleep(60)",
            lambda process: process.send_signal(signal.SIGINT),
            130,
            b"error: interrupted\n",
        ),
    ],
)
def test_a_reader_that_leaves_is_no_error_and_control_c_is_one_line(
    body: str, leave: Callable, code: int, line: bytes
) -> None:
    pipe, script = subprocess.PIPE, SCRIPT.format(body=body)
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=pipe, stderr=pipe, preexec_fn=obey_interrupts
    ) as process:
        process.stdout.readline()
        leave(process)
        assert process.stderr.read() == line
        assert process.wait() == code


def test_what_is_not_a_number_is_null_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    say(argparse.Namespace(json=True), {"found": math.nan, "clips": 3})
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {"found": None, "clips": 3}

"""The dispatch: exit codes, one-line errors, interruption, a reader that leaves."""

from __future__ import annotations

import argparse
import errno
import signal
import subprocess
import sys
import types
from collections.abc import Callable

import pytest

from gaitcrafter_ext.cli import main as command_line
from gaitcrafter_ext.errors import DataError, UsageError


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[argparse.Namespace], int]], None]:
    """Registers a command called ``walk`` that does what it is given."""

    def register(run: Callable[[argparse.Namespace], int]) -> None:
        module = types.ModuleType("walk")
        module.HELP = "walk"  # type: ignore[attr-defined]
        module.add_arguments = lambda parser: parser.add_argument("--steps", type=int)  # type: ignore[attr-defined]
        module.run = run  # type: ignore[attr-defined]
        monkeypatch.setattr(command_line, "load_command", lambda name: module)

    return register


def fail(error: BaseException) -> Callable[[argparse.Namespace], int]:
    def run(args: argparse.Namespace) -> int:
        raise error

    return run


def test_the_commands_own_code_is_returned(command: Callable) -> None:
    command(lambda args: args.steps)
    assert command_line.main(["walk", "--steps", "0"]) == 0
    assert command_line.main(["walk", "--steps", "1"]) == 1


def test_completion_knows_every_command_and_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["--print-completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert f"({' '.join(command_line.command_names())})" in script
    assert "--recogniser" in script  # of 'evaluate card'
    assert command_line.main(["--print-completion", "elvish"]) == 2
    assert "allowed: bash" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("no such view"), 2, "error: no such view"),
        (DataError("two\nlines"), 1, "error: two lines"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "error: [Errno 28] No space left on device"),
        (KeyboardInterrupt(), 130, "error: interrupted"),
        (KeyError("x"), 1, "error: unexpected KeyError: 'x' (a bug; GAITCRAFTER_TRACEBACK=1 shows where)"),
    ],
)
def test_every_error_is_one_line_with_its_code(
    command: Callable, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, line: str
) -> None:
    command(fail(error))
    assert command_line.main(["walk"]) == code
    assert capsys.readouterr() == ("", line + "\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["walk", "--step", "3"], "unknown argument '--step'; did you mean '--steps'?"),
        (["walk", "--steps", "many"], "invalid int value: 'many'"),
    ],
)
def test_a_wrong_option_is_one_line(
    command: Callable, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    command(lambda args: 0)
    assert command_line.main(arguments) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1


def test_an_unknown_command_names_the_nearest(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_line, "command_names", lambda: ["simulate", "synthesize"])
    assert command_line.main(["synthesise"]) == 2
    assert "did you mean 'synthesize'?" in capsys.readouterr().err


def test_help_and_version_are_no_errors(command: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    command(lambda args: 1)
    assert command_line.main(["walk", "--help"]) == 0
    assert command_line.main(["--help"]) == 0
    assert command_line.main(["--version"]) == 0
    assert "--steps" in capsys.readouterr().out


SCRIPT = """
import sys, time, types
from gaitcrafter_ext.cli import main as command_line
module = types.ModuleType("walk")
module.HELP = "walk"
module.add_arguments = lambda parser: None
def run(args):
    {body}
    return 0
module.run = run
command_line.load_command = lambda name: module
sys.exit(command_line.main(["walk"]))
"""


def obey_interrupts() -> None:
    """A parent in the background has its children ignore Ctrl-C; these shall not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def start(body: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(body=body)], stdout=pipe, stderr=pipe, preexec_fn=obey_interrupts
    )


def test_a_reader_that_leaves_is_no_error_message() -> None:
    with start("[print('row', i) for i in range(100000)]") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141


def test_control_c_ends_with_one_line() -> None:
    with start("print('on', flush=True); time.sleep(60)") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b"error: interrupted\n"
        assert process.wait() == 130

"""What every refused command has in common, and a disk that is full."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from gaitcrafter_ext.cli.main import main


def assert_refused(
    arguments: Sequence[str], code: int, words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command ends with ``code``, says ``words`` in one line on stderr, and writes nothing into ``folder``."""
    before = sorted(folder.rglob("*"))
    assert main(list(arguments)) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert words in err
    assert sorted(folder.rglob("*")) == before


def refused(capsys: pytest.CaptureFixture[str], code: int, wanted: int = 1) -> str:
    """The one line of a command that ended with ``code``; a bar may have stood where it stands."""
    line = capsys.readouterr().err.rpartition("\r")[2]
    assert code == wanted, line
    assert line.startswith("error: ")
    assert line.count("\n") == 1
    return line


def content_of(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@contextlib.contextmanager
def full_disk(largest: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

"""Writing files so that a kill, a full disk or a second process never leaves half of one."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import filelock

from gaitcrafter_ext.errors import ConflictError, GaitCrafterError, StorageError

#: How the name of every temporary file of ours begins; one that stays behind a kill may be deleted.
STAGED_PREFIX = ".gaitcrafter-"

#: Environment variable that names another folder than ``~/.cache/gaitcrafter``.
CACHE_VARIABLE = "GAITCRAFTER_CACHE"

_REMEDIES = {
    errno.ENOSPC: "the disk is full; free space and run again",
    errno.EDQUOT: "your disk quota is used up; free space and run again",
    errno.EFBIG: "the file is larger than this file system or limit allows; free space or raise the limit",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.EACCES: "no permission; choose another folder or change its rights",
    errno.EPERM: "no permission; choose another folder or change its rights",
    errno.ENOTDIR: "a part of this path is a file, not a folder; choose another folder",
    errno.EEXIST: "a part of this path is a file, not a folder; choose another folder",
    errno.EISDIR: "there is a folder of this name; choose another name",
}


def cache_root() -> Path:
    """Folder of what can be made again, such as clips made on demand, and of OpenGait where no option names it."""
    return Path(os.environ.get(CACHE_VARIABLE) or "~/.cache/gaitcrafter").expanduser()


def storage_error(path: str | os.PathLike[str], error: OSError, doing: str = "write") -> StorageError:
    """The one-line form of what the operating system refused to do with ``path``."""
    reason = _REMEDIES.get(error.errno or 0, error.strerror or str(error))
    return StorageError(f"cannot {doing} {os.fspath(path)}: {reason}")


@contextlib.contextmanager
def atomic_write(
    path: str | os.PathLike[str], mode: str = "wb", *, staging: str | os.PathLike[str] | None = None
) -> Iterator[IO[Any]]:
    """Open a file that appears under ``path`` complete or not at all; missing folders are made.

    The bytes go to a temporary file in ``staging`` (or ``path``'s own folder), on the same file system, that is flushed
    to the disk and then renamed, so an older file stays whole until the new one is. Text is UTF-8 with Unix line ends.

    Raises:
        StorageError: Disk full, read-only, no permission; nothing is left behind.
    """
    target = Path(path)
    folder = Path(staging) if staging is not None else target.parent
    staged = folder / f"{STAGED_PREFIX}{secrets.token_hex(8)}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _create(staged, mode) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(staged, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            staged.unlink()
        if isinstance(error, OSError) and not isinstance(error, GaitCrafterError):
            raise storage_error(target, error) from error
        raise


def _create(path: Path, mode: str) -> IO[Any]:
    """Open a new file with the rights that the user's umask gives (``tempfile`` would hide it from the group)."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    return os.fdopen(handle, mode) if "b" in mode else os.fdopen(handle, mode, encoding="utf-8", newline="\n")


def atomic_write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` as UTF-8, complete or not at all; raises ``StorageError`` as ``atomic_write`` does."""
    with atomic_write(path, "w") as file:
        file.write(text)


class FileLock:
    """A lock that one process holds and the system releases when that process ends, however it ends.

    ``what`` it locks is for the message; ``waiting`` is called once where it has to wait, at most ``patience_s``.
    Entering raises ``ConflictError`` when another process holds it, ``StorageError`` when the file cannot be made.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        what: str = "",
        patience_s: float = 0.0,
        waiting: Callable[[], None] = lambda: None,
    ) -> None:
        self.path = Path(path)
        self.what, self._patience_s, self._waiting = what or str(self.path), patience_s, waiting
        self._lock: filelock.BaseFileLock = filelock.FileLock(self.path, thread_local=False)

    def __enter__(self) -> FileLock:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not self._acquire(0.0):
                self._waiting()
                if not self._acquire(self._patience_s):
                    raise ConflictError(f"{self.what} is being worked on by another process; wait for it or stop it")
        except OSError as error:
            if isinstance(error, GaitCrafterError):
                raise
            raise storage_error(self.path, error, "lock") from error
        return self

    def _acquire(self, timeout: float) -> bool:
        try:
            self._lock.acquire(timeout=timeout)
        except filelock.Timeout:
            return False
        except NotImplementedError:  # a file system without flock: a file that is there while the lock is held
            self._lock = filelock.SoftFileLock(self.path.with_suffix(".held"), thread_local=False)
            return self._acquire(timeout)
        return True

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def is_held(self) -> bool:
        """Whether another process holds it; it is free again afterwards."""
        try:
            with self:
                return False
        except ConflictError:
            return True


def link_folder(source: Path, target: Path) -> None:
    """Let ``target`` stand for the folder ``source``; a link that is there stays."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.is_symlink():
            target.symlink_to(source, target_is_directory=True)
    except NotImplementedError:
        raise StorageError(f"cannot link {target}: this system knows no links") from None
    except OSError as error:
        raise storage_error(target, error) from error


def move_files(source: Path, target: Path) -> None:
    """Move every file under ``source`` to the same place under ``target``, over what is there."""
    for path in sorted(found for found in source.rglob("*") if found.is_file()):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, place)

"""Clips made on demand: once, whoever asks, kept under the name of exactly what was asked for.

``<cache>/synthetic/<plan>/`` is an output folder of ``synthesize``; its name is the plan's fingerprint, so that equal
wishes share it and other ones never touch it. A run that was killed leaves what it made, and the next one goes on.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from gaitcrafter_ext.errors import ConflictError, GaitCrafterError, StorageError
from gaitcrafter_ext.opengait.interpreter import choose_python, start_module
from gaitcrafter_ext.opengait.notices import tell
from gaitcrafter_ext.silhouettes.files import FileLock, atomic_write_text
from gaitcrafter_ext.synthesis.folder import MANIFEST, OutputFolder, Shard
from gaitcrafter_ext.synthesis.plan import Plan

__all__ = ["CACHE_VARIABLE", "cache_root", "obtain"]

#: Environment variable that names another folder than ``~/.cache/gaitcrafter``.
CACHE_VARIABLE = "GAITCRAFTER_CACHE"

_POLL_S = 0.25


def cache_root() -> Path:
    """Where what we make on demand lies."""
    return Path(os.environ.get(CACHE_VARIABLE) or "~/.cache/gaitcrafter").expanduser()


def obtain(plan: Plan, weights: Path, python: str | None = None) -> Path:
    """Root of the clips of ``plan``; they are made first where they are not there yet.

    Any number of processes may ask at once: one makes them, the others wait.

    Args:
        plan: What is wanted.
        weights: Folder of the weights that the plan names.
        python: Interpreter of the generator's environment, see ``choose_python``.

    Raises:
        MissingError: The interpreter, or a package that it needs, is not there.
        StorageError: The clips cannot be made or written; what was made stays, and the next call goes on.
    """
    folder = OutputFolder(cache_root() / "synthetic" / plan.fingerprint)
    if is_complete(folder, plan):
        return folder.clips
    with waiting_lock(folder.root.with_suffix(".lock"), "the clips of this config"):
        if not is_complete(folder, plan):
            # A killed run may have left a generator at work: it is making what we want.
            with waiting_lock(folder.state / f"{Shard().name}.lock", f"a generator at work in {folder.root}"):
                pass
            if not is_complete(folder, plan):
                _make(plan, folder, weights, choose_python(python))
    return folder.clips


def is_complete(folder: OutputFolder, plan: Plan) -> bool:
    """Whether every clip of ``plan`` is there, and what is written after the last one, too."""
    return (
        (folder.root / MANIFEST).is_file()
        and folder.plan() == plan
        and all(folder.path(key).is_file() for key in plan.clips)
    )


@contextlib.contextmanager
def waiting_lock(path: Path, what: str) -> Iterator[None]:
    """Hold a lock, after waiting for as long as another process has it."""
    lock, told = FileLock(path), False
    with contextlib.ExitStack() as held:
        while True:
            try:
                held.enter_context(lock)
                break
            except ConflictError:
                if not told:
                    tell(f"waiting for {what}")
                told = True
                time.sleep(_POLL_S)
        yield


def _make(plan: Plan, folder: OutputFolder, weights: Path, python: str) -> None:
    wanted = folder.root.with_suffix(".plan.json")
    atomic_write_text(wanted, plan.to_json())
    what = f"{len(plan.clips)} clips of {len(plan.identities)} people"
    tell(f"making {what} in {folder.root}, once; later runs reuse them", anyone=True)
    child = start_module(python, "host.generate", [str(wanted), str(weights), str(folder.root)])
    try:
        output, _ = child.communicate()
    except BaseException:
        child.terminate()
        child.wait()
        raise
    check_child(child.returncode, output, python, "making the clips")
    wanted.unlink(missing_ok=True)


def check_child(code: int, output: str, python: str, what: str) -> None:
    """Raise what a child reported on its last line of stdout, or that it ended without a word."""
    if code == 0:
        return
    try:
        reason = str(json.loads(output.splitlines()[-1])["error"])
    except (ValueError, LookupError, TypeError):
        raise StorageError(
            f"{what} ended with code {code} ({python}); what was made is kept, and the same command goes on"
        ) from None
    raise GaitCrafterError(f"{what}: {reason}")

"""Online mode: a background process makes fresh clips while the recogniser trains; here it is started and watched."""

from __future__ import annotations

import atexit
import hashlib
import importlib
import json
import os
import subprocess
import threading
import time
from pathlib import Path

from gaitcrafter_ext.errors import GaitCrafterError
from gaitcrafter_ext.opengait.cache import cache_root, check_child
from gaitcrafter_ext.opengait.interpreter import choose_python, start_module
from gaitcrafter_ext.opengait.notices import tell
from gaitcrafter_ext.opengait.pool import Pool
from gaitcrafter_ext.opengait.settings import OnlineSettings
from gaitcrafter_ext.opengait.sources import PlannedSource
from gaitcrafter_ext.silhouettes.files import atomic_write_text

__all__ = ["READY", "dry_message", "pool_folder", "start_pool"]

#: The share of worn clips from which on the pool counts as dry.
DRY_SHARE = 0.5

#: What the background process says when it begins.
READY = "ready\n"

_WATCH_S = 30.0
_POLL_S = 0.25


def pool_folder(source: PlannedSource) -> Path:
    """Where the clips of this wish lie; they outlive a run, so that the next one starts at once."""
    online = source.entry.online or OnlineSettings()
    facts = [source.plan.fingerprint, online.pool, online.name]
    name = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    return cache_root() / "online" / name


def start_pool(source: PlannedSource) -> Pool:
    """The pool of an entry, with at least one clip of everybody in it; the machine's first process keeps it filled.

    Raises:
        GaitCrafterError: The background process cannot make clips; the message says why.
    """
    online = source.entry.online or OnlineSettings()
    pool = Pool(pool_folder(source), source.plan.identities, online.pool)
    if os.environ.get("LOCAL_RANK", "0") == "0":
        _start_filler(source, pool, online)
    _wait_until_ready(pool)
    return pool


def _start_filler(source: PlannedSource, pool: Pool, online: OnlineSettings) -> None:
    python = choose_python(source.entry.python)
    wanted = pool.folder / "plan.json"
    atomic_write_text(wanted, source.plan.to_json())
    arguments = [str(pool.folder), str(source.weights), str(pool.slots), str(online.reuse), online.device]
    child = start_module(python, "host.filler", arguments, keep_stdin=True)
    atexit.register(_stop, child)
    said = _listen(child)
    while said != READY or not pool.is_ready():
        if said != READY or child.poll() is not None:
            check_child(child.wait() or 1, said, python, "filling the pool of data_cfg.synthetic.online")
        time.sleep(_POLL_S)
    threading.Thread(target=_watch, args=(pool, online, child), daemon=True, name="gaitcrafter-pool").start()


def _listen(child: subprocess.Popen[str]) -> str:
    """What the child says: ``READY`` once the pool is its own and the weights are loaded, else its last line."""
    said = ""
    for said in child.stdout or ():
        if said == READY:
            break
    return said


def _stop(child: subprocess.Popen[str]) -> None:
    """End the background process; it also ends by itself when its stdin closes, however this process ends."""
    if child.stdin is not None:
        child.stdin.close()
    try:
        child.wait(timeout=5)
    except subprocess.TimeoutExpired:
        child.kill()


def _wait_until_ready(pool: Pool) -> None:
    told = False
    while not pool.is_ready():
        if not told:
            tell(f"waiting for the first {len(pool.people)} clips in {pool.folder}")
        told = True
        time.sleep(_POLL_S)


def _watch(pool: Pool, online: OnlineSettings, child: subprocess.Popen[str]) -> None:
    """Say in OpenGait's log when clips are used more often than asked for."""
    before = pool.status().made
    while True:
        time.sleep(_WATCH_S)
        if child.poll() is not None:
            _log(f"the process that fills the pool ended (code {child.returncode}); its clips are reused from now on")
            return
        try:
            now = pool.status()
        except GaitCrafterError:
            continue
        message = dry_message(now.worn, now.filled, now.uses, online.reuse, (now.made - before) / _WATCH_S)
        if message:
            _log(message)
        before = now.made


def dry_message(worn: int, filled: int, uses: float, reuse: int, clips_per_s: float) -> str | None:
    """What to say of a pool in which many clips are worn; None where all is well."""
    if not filled or worn < DRY_SHARE * filled:
        return None
    return (
        f"the pool of synthetic clips runs dry: {worn} of {filled} were used {reuse} times or more ({uses:.1f} on "
        f"average) and {clips_per_s:.1f} fresh ones a second come in; they are reused meanwhile"
    )


def _log(message: str) -> None:
    importlib.import_module("utils").get_msg_mgr().log_warning(message)

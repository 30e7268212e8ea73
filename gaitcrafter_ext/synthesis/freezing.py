"""Freezing chosen identities in the output folder, once, whichever shard comes first."""

from __future__ import annotations

from collections.abc import Callable

from gaitcrafter_ext.errors import ConflictError
from gaitcrafter_ext.silhouettes.files import atomic_write_text
from gaitcrafter_ext.synthesis.folder import FROZEN, OutputFolder
from gaitcrafter_ext.synthesis.frozen import FilterRequest, FrozenIdentities
from gaitcrafter_ext.synthesis.plan import Plan

__all__ = ["freeze"]


def freeze(
    folder: OutputFolder,
    plan: Plan,
    request: FilterRequest,
    choose: Callable[[], FrozenIdentities],
    force: bool = False,
    waiting: Callable[[], None] = lambda: None,
) -> FrozenIdentities:
    """The identities that ``request`` names: those frozen in the folder, or else chosen now, while other shards wait.

    Args:
        folder: Where the run goes; its file :data:`~gaitcrafter_ext.synthesis.folder.FROZEN` is there from then on.
        plan: What the run would be without a filter, to see at once what is in the way.
        request: All that decides who is chosen.
        choose: Chooses; called only where the identities are not there yet.
        force: Replace identities that other settings chose.
        waiting: Called once if another process is choosing and must be waited for.

    Raises:
        ConflictError: The folder holds what is not ours or what other settings made, and ``force`` was not given.
        StorageError: The folder cannot be written.
    """
    _look(folder, plan, request, force)  # before anything of ours is written
    with folder.freezing(waiting):
        found = _look(folder, plan, request, force)
        if found is None:
            found = choose()
            folder.refuse_while_shards_work()
            atomic_write_text(folder.root / FROZEN, found.to_json())
    return found


def _look(folder: OutputFolder, plan: Plan, request: FilterRequest, force: bool) -> FrozenIdentities | None:
    """The identities that are there; None where they must be chosen."""
    found = folder.frozen()
    if found is not None and found.request == request:
        return found
    if found is not None and not force:
        raise ConflictError(
            f"{folder.root / FROZEN} was frozen by other settings (other "
            f"{', '.join(found.request.differences(request))}); choose another --out, or --force to choose anew"
        )
    if folder.plan() is not None and not force:
        raise ConflictError(
            f"{folder.root} belongs to a plan without this filter; choose another --out, or --force to delete the "
            "clips that its manifest lists"
        )
    folder.check(plan, force)
    return None

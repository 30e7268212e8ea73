"""Reading clips of which some may be broken: either all are named, or they are left out and counted."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gaitcrafter_ext.audit.features import ClipFeatures, extract
from gaitcrafter_ext.errors import DataError, GaitCrafterError
from gaitcrafter_ext.silhouettes.parallel import map_in_order
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey

__all__ = ["Broken", "read_features"]

Found = ClipFeatures | str


@dataclass(frozen=True)
class Broken:
    """A file that is no clip.

    Attributes:
        key: Its name.
        why: What is wrong with it.
    """

    key: ClipKey
    why: str


def read_features(
    store: SilhouetteStore,
    keys: Sequence[ClipKey],
    length: int | None = None,
    skip_broken: bool = False,
    jobs: int = 1,
    progress: Callable[[Iterable[Found]], Iterable[Found]] = iter,
) -> tuple[list[ClipFeatures], list[Broken]]:
    """Features of the clips that can be read, and the files that cannot.

    Args:
        store: Where the clips lie.
        keys: Which of them.
        length: Length at which masks are compared, see :func:`gaitcrafter_ext.audit.features.extract`.
        skip_broken: Leave broken files out instead of refusing them.
        jobs: Processes.
        progress: Wraps the results while they come.

    Raises:
        DataError: There are broken files and they are not to be left out; all were read first, the first are named.
    """
    clips, broken = [], []
    for key, found in zip(
        keys, progress(map_in_order(functools.partial(_try, store, length), keys, jobs)), strict=True
    ):
        if isinstance(found, str):
            broken.append(Broken(key, found))
        else:
            clips.append(found)
    if broken and not skip_broken:
        named = "; ".join(f"{each.key}: {each.why}" for each in broken[:3]) + ("; ..." if len(broken) > 3 else "")
        raise DataError(
            f"{store.root}: {len(broken)} broken file(s) ({named}); make them anew, or --skip-broken to go on without"
        )
    return clips, broken


def _try(store: SilhouetteStore, length: int | None, key: ClipKey) -> Found:
    try:
        return extract(key, store.read(key), length)
    except GaitCrafterError as error:
        return str(error).removeprefix(f"{store.path(key)}: ")

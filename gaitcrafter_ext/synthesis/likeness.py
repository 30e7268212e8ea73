"""People from their silhouettes: placed in the space of people, never trained on.

Whatever clips there are of a person serve (any views, any takes, bags and coats too): the more, the nearer. Cadence is
read from them as well. Torch loads when somebody is read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from gaitcrafter_ext.errors import MissingError, UsageError
from gaitcrafter_ext.generator.weights import PEOPLE_NAME, Card
from gaitcrafter_ext.silhouettes.cycle import cycle_of, is_reliable_deg
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.synthesis.identities import Cadence, Identity
from gaitcrafter_ext.vocabulary import ClipKey

__all__ = ["people_like", "permitted_people"]

#: Clips of a person that are read at most; more change the estimate little.
MOST_CLIPS = 60


def permitted_people(store: SilhouetteStore, partition: str | Path | None, asked: Sequence[str] | None) -> list[str]:
    """Whom ``--like`` may read: all in the tree, or TRAIN_SET where there is a partition; nobody of TEST_SET.

    Args:
        store: The tree.
        partition: Its partition; ``partition.json`` in the tree or beside it where not given, if there is one.
        asked: Names; None = all who may be.

    Raises:
        UsageError: Someone asked for belongs to TEST_SET.
        MissingError: Someone asked for is not there, or nobody is.
    """
    beside = [store.root / "partition.json", store.root.parent / "partition.json"]
    file = partition or next((path for path in beside if path.is_file()), None)
    people, known = store.identities(), Partition.load(file) if file else None
    tested = set(known.test) if known else set()
    names = list(asked) if asked is not None else [name for name in people if known is None or name in set(known.train)]
    for name in names:
        if name in tested:
            raise UsageError(f"--like: {name} belongs to TEST_SET of {file}; people to test on are never imitated")
    absent = sorted(set(names) - set(people))
    if absent or not names:
        found = f"holds no clip of {absent[0]}" if absent else f"holds nobody of TRAIN_SET of {file}"
        raise MissingError(f"--like: {store.root} {found}; it holds {', '.join(people[:5]) or 'nobody'}")
    return names


def people_like(card: Card, weights: Path, store: SilhouetteStore, names: Collection[str]) -> dict[str, Identity]:
    """Read people from a tree.

    Args:
        card: Of the weights.
        weights: Their folder.
        store: The tree, read by the rules of the weights' dataset.
        names: Whom.

    Returns:
        Name -> identity, in the order of ``names``.

    Raises:
        UsageError: The weights know someone of that name.
        DataError: A clip is damaged, or a take or view has a name that the rules cannot read.
    """
    from gaitcrafter_ext.generator.people import PeopleSpace

    for name in names:
        if name in card.vocabulary.identities:
            raise UsageError(f"--like: the weights know {name} already; ask for --identities {name}")
    space = PeopleSpace.from_pretrained(weights / Path(PEOPLE_NAME).parent)
    clips: dict[str, list[ClipKey]] = {name: [] for name in names}
    for key in store:
        if key.identity in clips:
            clips[key.identity].append(key)
    return {name: _read(card, space, store, keys) for name, keys in clips.items()}


def _read(card: Card, space: object, store: SilhouetteStore, keys: list[ClipKey]) -> Identity:
    from gaitcrafter_ext.generator.people import PeopleSpace, gei_features

    assert isinstance(space, PeopleSpace)
    chosen = [keys[index] for index in np.unique(np.linspace(0, len(keys) - 1, MOST_CLIPS).astype(int))]
    frames = [store.read(key) for key in chosen]
    degrees = [card.dataset.view_deg(key.view) for key in chosen]
    conditions = [card.dataset.condition_of(key.take) for key in chosen]
    features = np.stack([gei_features(clip[:, :, 8:56]) for clip in frames])
    angles = [float("nan") if angle is None else angle for angle in degrees]
    code = space.encode(features, conditions, angles)
    cycles = [
        cycle_of(clip[:, ::2, ::2]).frames
        for clip, angle in zip(frames, degrees, strict=True)
        if is_reliable_deg(angle)
    ]
    walks = [cycle for cycle in cycles if np.isfinite(cycle)]
    cadence = Cadence(round(float(np.median(walks)), 3), 0.0) if walks else None
    return Identity(code=tuple(round(float(value), 4) for value in code), cadence=cadence)

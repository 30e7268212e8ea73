"""People from their silhouettes: placed in the space of people, never trained on.

Whatever clips there are of a person serve (any views, any takes, bags and coats too): the more, the nearer. Cadence is
read from them as well. Torch loads when a person is read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gaitcrafter_ext.errors import MissingError, UsageError, suggest
from gaitcrafter_ext.generator.weights import PEOPLE_NAME, Card
from gaitcrafter_ext.silhouettes.cycle import cycle_of, is_reliable_deg
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.synthesis.identities import Cadence, Identity
from gaitcrafter_ext.vocabulary import ClipKey

if TYPE_CHECKING:
    from gaitcrafter_ext.generator.people import PeopleSpace

#: Clips of a person that are read at most; more change the estimate little.
MOST_CLIPS = 60


def permitted_people(store: SilhouetteStore, partition: str | Path | None, asked: Sequence[str] | None) -> list[str]:
    """Whom ``--like`` may read: all in the tree, or TRAIN_SET where there is a partition; never TEST_SET.

    Args:
        store: The tree.
        partition: Its partition; ``partition.json`` in the tree or beside it where not given, if there is one.
        asked: Names; None = all who may be.

    Raises:
        UsageError: A person asked for belongs to TEST_SET.
        MissingError: A person asked for is not there, or none is.
    """
    beside = [store.root / "partition.json", store.root.parent / "partition.json"]
    file = partition or next((path for path in beside if path.is_file()), None)
    people = list(dict.fromkeys(key.identity for key in store.require_keys()))
    known = Partition.load(file) if file else None
    tested, trained = (set(known.test), set(known.train)) if known else (set[str](), set(people))
    names = [name for name in people if name in trained] if asked is None else list(dict.fromkeys(asked))
    for name in names:
        if name in tested:
            raise UsageError(f"--like: {name} belongs to TEST_SET of {file}; people to test on are never imitated")
        if name not in people:
            raise MissingError(f"--like: {store.root} holds no clip of {name}; {suggest(name, people)}")
    if not names:
        raise MissingError(f"--like: {store.root} holds no person of TRAIN_SET of {file}; name people by --like-people")
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
        UsageError: The weights know a person of that name.
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


def _read(card: Card, space: PeopleSpace, store: SilhouetteStore, keys: list[ClipKey]) -> Identity:
    from gaitcrafter_ext.generator.people import gei_features

    chosen = [keys[index] for index in np.unique(np.linspace(0, len(keys) - 1, MOST_CLIPS).astype(int))]
    frames = [store.read_real(key) for key in chosen]
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

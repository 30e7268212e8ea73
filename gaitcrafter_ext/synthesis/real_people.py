"""People of a real tree: what it lacks of those whom the weights know, and others read from their silhouettes.

Whoever was never trained on is placed in the space of people by whatever clips there are (any views, any takes, bags
and coats too): the more, the nearer. Cadence is read from them as well. Torch loads when a person is read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gaitcrafter_ext.errors import DataError, MissingError, UsageError, WeightsError, suggest
from gaitcrafter_ext.generator.weights import PEOPLE_NAME, Card
from gaitcrafter_ext.silhouettes.cycle import cycle_of, is_reliable_deg
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.synthesis.identities import Cadence, Identity
from gaitcrafter_ext.vocabulary import ClipKey, identities_hash

if TYPE_CHECKING:
    from gaitcrafter_ext.generator.people import PeopleSpace

#: Clips of a person that are read at most; more change the estimate little.
MOST_CLIPS = 60

#: Of so many clips from the side or more, the share that are nearer to the weights' people when they are mirrored from
#: which the tree is taken to be mirrored: hardly any clip of people who face as the weights' do is.
FEWEST_SIDEWAYS, MIRRORED = 4, 0.8


@dataclass(frozen=True)
class Inventory:
    """What a tree holds of some people: clips, and takes and views that one of them has and the weights know.

    All views of unknown angle are one, called ``any``: a take with a clip of one lacks none. Takes are ordered by the
    weights' conditions, then by name, views as the weights'.
    """

    there: frozenset[ClipKey]
    takes: tuple[str, ...]
    views: tuple[str, ...]


def take_inventory(card: Card, store: SilhouetteStore, like: Collection[str] = ()) -> Inventory:
    """List the clips of those read from the tree, ``like``, or else of the weights' people.

    ``WeightsError`` where the tree does not hold exactly the people that the weights were trained on.
    """
    people = set(like) or _known_people(card, store)
    there = {replace(key, view=card.dataset.view_name(key.view)) for key in store if key.identity in people}
    takes, views = {key.take for key in there}, {key.view for key in there}
    rank = {condition: place for place, condition in enumerate(card.vocabulary.conditions)}
    ranked = sorted((rank.get(card.dataset.condition_of(take), -1), take) for take in takes)
    return Inventory(
        frozenset(there),
        tuple(take for place, take in ranked if place >= 0),
        tuple(view for view in card.vocabulary.views if view in views),
    )


def _known_people(card: Card, store: SilhouetteStore) -> set[str]:
    known = set(card.vocabulary.identities)
    present = known & set(store.identities())
    if identities_hash(present) != card.trained_on.identities_hash:
        raise WeightsError(
            f"--complete: the weights were trained on {len(known)} people of '{card.trained_on.dataset}', {store.root} "
            f"holds {len(present)} of them; give the root they were trained on, weights trained on this one, or "
            "--like for people whom the weights never saw"
        )
    return present


def permitted_people(store: SilhouetteStore, partition: str | Path | None, asked: Sequence[str] | None) -> list[str]:
    """Whom ``--like`` may read: those asked for, else all in the tree, or TRAIN_SET where there is a partition.

    It is ``partition.json`` in the tree or beside it where not given. ``UsageError`` where a person asked for belongs
    to TEST_SET or no one is, ``MissingError`` where one is not there, or no one of TRAIN_SET.
    """
    beside = [store.root / "partition.json", store.root.parent / "partition.json"]
    file = partition or next((path for path in beside if path.is_file()), None)
    people = dict.fromkeys(key.identity for key in store.require_keys())
    known = Partition.load(file) if file else Partition(tuple(people))
    tested, trained = set(known.test), set(known.train)
    names = [name for name in people if name in trained] if asked is None else list(dict.fromkeys(asked))
    if asked is not None and not names:
        raise UsageError(f"--like-people: no name given; {suggest('', list(people))}")
    for name in names:
        if name in tested:
            raise UsageError(f"--like: {name} belongs to TEST_SET of {file}; people to test on are never imitated")
        if name not in people:
            raise MissingError(f"--like: {store.root} holds no clip of {name}; {suggest(name, list(people))}")
    if not names:
        raise MissingError(f"--like: {store.root} holds no person of TRAIN_SET of {file}; name people by --like-people")
    return names


def people_like(card: Card, weights: Path, store: SilhouetteStore, names: Collection[str]) -> dict[str, Identity]:
    """Read people from a tree, by the rules of the weights' dataset: name -> identity, in the order of ``names``.

    Raises:
        UsageError: The weights know a person of that name.
        MissingError: There is no clip of a person.
        DataError: A clip is damaged, or a take or view has a name that the rules cannot read.
    """
    from gaitcrafter_ext.generator.people import PeopleSpace

    trained = set(card.vocabulary.identities)
    if known := [name for name in names if name in trained]:
        raise UsageError(f"--like: the weights know {known[0]} already; ask for --identities {known[0]}")
    space = PeopleSpace.from_pretrained(weights / Path(PEOPLE_NAME).parent)
    clips: dict[str, list[ClipKey]] = {name: [] for name in names}
    for key in store:
        if key.identity in clips:
            clips[key.identity].append(key)
    if lost := [name for name, keys in clips.items() if not keys]:
        raise MissingError(f"--like: {store.root} holds no clip of {lost[0]}; leave them out, or add clips")
    read = {name: _read(card, space, store, keys) for name, keys in clips.items()}
    away = [faces_away for _, theirs in read.values() for faces_away in theirs]
    if len(away) >= FEWEST_SIDEWAYS and np.mean(away) > MIRRORED:
        raise DataError(
            f"--like: {store.root}: {sum(away)} of {len(away)} clips from the side face the other way than those that "
            "the weights know; mirror their frames (frames[:, :, ::-1]), or give such views the angle that they show"
        )
    return {name: who for name, (who, _) in read.items()}


def _read(card: Card, space: PeopleSpace, store: SilhouetteStore, keys: list[ClipKey]) -> tuple[Identity, list[bool]]:
    """A person, and of each clip from the side whether it faces the other way."""
    from gaitcrafter_ext.generator.people import gei_features

    chosen = [keys[index] for index in np.unique(np.linspace(0, len(keys) - 1, MOST_CLIPS).astype(int))]
    clips = [store.read_real(key) for key in chosen]
    angles = [card.dataset.view_deg(key.view) for key in chosen]
    features = np.stack([gei_features(clip) for clip in clips])
    conditions = [card.dataset.condition_of(key.take) for key in chosen]
    degrees = [float("nan") if angle is None else angle for angle in angles]
    code = space.encode(features, conditions, degrees)
    seen = [(clip[:, ::2, ::2], angle) for clip, angle in zip(clips, angles, strict=True) if is_reliable_deg(angle)]
    cycles = [cycle for clip, angle in seen if np.isfinite(cycle := cycle_of(clip, angle).frames)]
    cadence = Cadence(round(float(np.median(cycles)), 3), 0.0) if cycles else None
    who = Identity(code=tuple(round(float(value), 4) for value in code), cadence=cadence)
    return who, space.face_away(features, conditions, degrees)

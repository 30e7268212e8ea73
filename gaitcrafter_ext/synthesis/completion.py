"""What a real tree lacks: the cells that a generator may fill for the people in it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from gaitcrafter_ext.errors import WeightsError
from gaitcrafter_ext.generator.weights import Card
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey, identities_hash


@dataclass(frozen=True)
class Inventory:
    """What a tree holds of some people.

    Attributes:
        there: Their clips. All views of unknown angle are one, called ``any``: a take with a clip of one lacks none.
        takes: Every take that one of them has and the weights can show, conditions in the weights' order, then by name.
        views: Every view that one of them has and the weights know, in the weights' order.
    """

    there: frozenset[ClipKey]
    takes: tuple[str, ...]
    views: tuple[str, ...]


def take_inventory(card: Card, store: SilhouetteStore, like: Collection[str] = ()) -> Inventory:
    """List the clips of the weights' people, after making sure that the tree is theirs, or of people read from it.

    Args:
        card: Of the weights.
        store: The tree, read by the rules of the weights' dataset.
        like: People whom the weights never saw, see :mod:`gaitcrafter_ext.synthesis.likeness`.

    Raises:
        WeightsError: The tree does not hold exactly the people that the weights were trained on.
    """
    present = set(like) or _known_people(card, store)
    name = card.dataset.view_name
    there = frozenset(replace(key, view=name(key.view)) for key in store if key.identity in present)
    rank = {condition: place for place, condition in enumerate(card.vocabulary.conditions)}
    condition = {take: card.dataset.condition_of(take) for take in {key.take for key in there}}
    takes = [take for take in condition if condition[take] in rank]
    views = {key.view for key in there}
    return Inventory(
        there=there,
        takes=tuple(sorted(takes, key=lambda take: (rank[condition[take]], take))),
        views=tuple(view for view in card.vocabulary.views if view in views),
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

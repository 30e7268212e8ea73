"""What a real tree lacks: the cells that a generator trained on its people may fill."""

from __future__ import annotations

from dataclasses import dataclass

from gaitcrafter_ext.errors import WeightsError
from gaitcrafter_ext.generator.card import Card
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey, condition_of, identities_hash

__all__ = ["Inventory", "take_inventory"]


@dataclass(frozen=True)
class Inventory:
    """What a tree holds of the people that some weights were trained on.

    Attributes:
        there: Their clips.
        takes: Every take that one of them has, conditions in the weights' order, then by name.
        views: Every view that one of them has and the weights know, in the weights' order.
    """

    there: frozenset[ClipKey]
    takes: tuple[str, ...]
    views: tuple[str, ...]


def take_inventory(card: Card, store: SilhouetteStore) -> Inventory:
    """List the clips of the weights' people, after making sure that the tree is theirs.

    Raises:
        WeightsError: The tree does not hold exactly the people that the weights were trained on.
    """
    known = set(card.vocabulary.identities)
    present = known & set(store.identities())
    if identities_hash(present) != card.trained_on.identities_hash:
        raise WeightsError(
            f"--complete: the weights were trained on {len(known)} people of '{card.trained_on.dataset}', {store.root} "
            f"holds {len(present)} of them; give the root they were trained on, or weights trained on this one"
        )
    clips = store.keys()
    there = [key for key in clips if key.identity in present]
    rank = {condition: place for place, condition in enumerate(card.vocabulary.conditions)}
    takes = {key.take for key in there if condition_of(key.take) in rank}
    views = {key.view for key in there}
    return Inventory(
        there=frozenset(there),
        takes=tuple(sorted(takes, key=lambda take: (rank[condition_of(take)], take))),
        views=tuple(view for view in card.vocabulary.views if view in views),
    )

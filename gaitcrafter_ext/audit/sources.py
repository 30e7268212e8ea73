"""Whose clips a card looks at: the generator's people, their held-out takes, strangers, and who was made of whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gaitcrafter_ext.audit.groups import Groups, common_clips, held_out_of_card, held_out_of_last_takes
from gaitcrafter_ext.audit.material import Material
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.generator.card import Card, read_card
from gaitcrafter_ext.generator.weights import locate
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.synthesis.folder import MANIFEST, OutputFolder
from gaitcrafter_ext.vocabulary import ClipKey

__all__ = ["Sources", "find_sources"]

Tree = tuple[SilhouetteStore, Sequence[ClipKey]]


@dataclass(frozen=True)
class Sources:
    """The clips of a card and the people they are of.

    Attributes:
        real: The real tree.
        synthetic: The synthetic tree.
        groups: Training, held-out and synthetic clips.
        others: Real clips of people whom the generator never saw.
        generator: The people it was trained on.
        test: The people of TEST_SET.
        parents: Synthetic person -> training people in the recipe.
        caveats: What limits the card.
    """

    real: SilhouetteStore
    synthetic: SilhouetteStore
    groups: Groups
    others: tuple[ClipKey, ...]
    generator: tuple[str, ...]
    test: tuple[str, ...]
    parents: Mapping[str, tuple[str, ...]]
    caveats: list[str] = field(default_factory=list)

    def counts(self, material: Material) -> dict[str, Any]:
        """How many people and clips of each kind there are, for the report."""
        kinds = {"synthetic": material.synthetic, "held_out": material.held_out,
                 "training": material.training, "others": material.others}  # fmt: skip
        novel = {clip.key.identity for clip in material.synthetic} - set(self.generator)
        return {
            "held_out_rule": self.groups.rule,
            "novel_people": len(novel),
            **{f"{name}_people": len({clip.key.identity for clip in clips}) for name, clips in kinds.items()},
            **{f"{name}_clips": len(clips) for name, clips in kinds.items()},
            "synthetic_clips_of_other_views": self.groups.passed_over,
        }


def find_sources(real: Tree, synthetic: Tree, partition: Partition, folder: str, weights: str | None) -> Sources:
    """Sort the clips of both trees by what they may be used for.

    Args:
        real: Real tree and its clips.
        synthetic: Synthetic tree and its clips.
        partition: Who is trained on and who is tested; real people outside it are not looked at.
        folder: Folder of the synthetic run, whose manifest tells recipes and weights.
        weights: Weights that made the clips; without them people are told by name and recipe.

    Raises:
        DataError: Nothing in common, or the clips were made by other weights.
        MissingError: There are no such weights.
    """
    card = read_card(locate(weights)) if weights else None
    recipes, caveats = _recipes(folder, card)
    made = {key.identity for key in synthetic[1]}
    named = {*partition.train, *partition.test}
    keys = [key for key in real[1] if key.identity in named]
    generator = _generator(card, recipes, made, partition)
    if card is not None:
        split = held_out_of_card(keys, card, real[0].root)
    else:
        split = held_out_of_last_takes(keys, generator, 1)
        caveats.append("no --weights: which real takes the generator never saw is guessed, the last of each condition")
    groups = common_clips(split[0], split[1], synthetic[1], split[2])
    cells = {(key.view, key.condition) for key in (*groups.training, *groups.held_out)}
    others = [key for key in keys if key.identity not in generator and (key.view, key.condition) in cells]
    if absent := set(generator) - {key.identity for key in groups.training}:
        caveats.append(
            f"{len(absent)} of the {len(generator)} people that the generator was trained on have no real clips here:"
            " copies of them, and likeness to them, cannot be found"
        )
    if not others:
        caveats.append(
            "there are no real people whom the generator never saw: strangers are its own training people, each against"
            " all others"
        )
    # Whom a blend leads away from is no parent, though the generator knows them.
    parents = {who: tuple(sorted(n for n, share in recipe.items() if share > 0)) for who, recipe in recipes.items()}
    return Sources(
        real[0], synthetic[0], groups, tuple(others), tuple(sorted(generator)), partition.test, parents, caveats
    )


def _recipes(folder: str, card: Card | None) -> tuple[dict[str, Mapping[str, float]], list[str]]:
    """Recipes from the manifest of a run, or from its parts while it is unfinished; a caveat where there is none."""
    made = OutputFolder(folder)
    found = made.manifests()
    if not found:
        return {}, [f"there is no {MANIFEST} beside the synthetic clips: nobody's parents are known"]
    records = made.records()
    made_by = sorted({record.weights for record in records})
    if card is not None and made_by and made_by != [card.fingerprint]:
        raise DataError(
            f"{folder} was made by weights {', '.join(made_by)}, and --weights is {card.fingerprint}; give the weights"
            " that made the clips"
        )
    unfinished = (
        [] if found[-1].name == MANIFEST else ["the synthetic run is not finished: some of its clips are missing"]
    )
    return {record.identity: record.recipe for record in records}, unfinished


def _generator(
    card: Card | None, recipes: Mapping[str, Mapping[str, float]], made: set[str], partition: Partition
) -> set[str]:
    """Everybody the generator was trained on, as far as is known.

    Raises:
        DataError: Nothing tells.
    """
    if card is not None:
        return set(card.vocabulary.identities)
    known = {name for recipe in recipes.values() for name in recipe} or (made & {*partition.train, *partition.test})
    if not known:
        raise DataError(
            "no common person: the synthetic clips name no real person, and no manifest tells whom they were blended"
            " from; give --weights DIR"
        )
    # Whoever is in TRAIN_SET was there to be trained on, also where no recipe names them; who is in TEST_SET was not,
    # unless a recipe names them, which is refused later.
    return known | set(partition.train)

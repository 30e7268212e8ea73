"""Who is compared with whom: training clips, held-out clips, synthetic clips, of common views and conditions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from gaitcrafter_ext.errors import DataError, MissingError
from gaitcrafter_ext.generator.card import Card
from gaitcrafter_ext.vocabulary import ClipKey

__all__ = ["Groups", "common_clips", "held_out_of_card", "held_out_of_last_takes"]


@dataclass(frozen=True)
class Groups:
    """The clips of an audit.

    Attributes:
        training: Real clips that the generator was trained on.
        held_out: Real clips of the same people that it was not.
        synthetic: Its clips, of views that the real clips have too.
        people: Real people there are both real and synthetic clips of.
        rule: How held-out clips were told, for the report.
        passed_over: Synthetic clips of views that the real clips lack.
    """

    training: tuple[ClipKey, ...]
    held_out: tuple[ClipKey, ...]
    synthetic: tuple[ClipKey, ...]
    people: tuple[str, ...]
    rule: str
    passed_over: int = 0


def held_out_of_card(real: Sequence[ClipKey], card: Card, root: object) -> tuple[list[ClipKey], list[ClipKey], str]:
    """Split the real clips of the people that weights were trained on: (training, held out, rule).

    Raises:
        DataError: The root has none of these people, or the weights held nothing out.
        MissingError: The root lacks a clip that the weights held out.
    """
    people = set(card.vocabulary.identities)
    known = [key for key in real if key.identity in people]
    if not known:
        raise DataError(
            f"the weights were trained on {_some(people)}, and {root} has {_some({key.identity for key in real})}:"
            " nobody in common; name the root that the weights were trained on"
        )
    names = set(card.trained_on.held_out)
    held = [key for key in known if f"{key.identity}/{key.take}" in names]
    if not held:
        why = "held no take out" if not names else f"held out {_some(names)}, which {root} lacks"
        raise (DataError if not names else MissingError)(
            f"the weights {why}: nothing to measure against; use weights with held-out takes and their own root"
        )
    rule = f"as the weights' card says ({card.trained_on.dataset})"
    return [key for key in known if f"{key.identity}/{key.take}" not in names], held, rule


def held_out_of_last_takes(
    real: Sequence[ClipKey], people: Collection[str], takes: int
) -> tuple[list[ClipKey], list[ClipKey], str]:
    """Split the real clips of ``people``: the last ``takes`` takes of each condition are held out, as training does.

    Raises:
        DataError: Nobody has more than ``takes`` takes of a condition.
    """
    from gaitcrafter_ext.generator.config import DatasetConfig
    from gaitcrafter_ext.generator.data import hold_out

    training, held = hold_out([key for key in real if key.identity in people], DatasetConfig(), takes)
    if not held:
        raise DataError(
            f"nobody has more than {takes} takes of a condition, so none can be held out;"
            " give a lower --held-out, or more takes"
        )
    return training, held, f"the last {takes} take(s) of each condition of each person"


def common_clips(
    training: Sequence[ClipKey], held_out: Sequence[ClipKey], synthetic: Sequence[ClipKey], rule: str
) -> Groups:
    """Keep the views that both have, and the real clips of conditions that the synthetic clips have.

    Raises:
        DataError: No view or no condition in common, or a single synthetic clip, or a single training clip.
    """
    real = [*training, *held_out]
    for what in ("view", "condition"):
        ours, theirs = ({getattr(key, what) for key in keys} for keys in (synthetic, real))
        if not ours & theirs:
            raise DataError(
                f"no common {what}: the synthetic clips have {_some(ours)}, the real ones {_some(theirs)};"
                " check the roots"
            )
    views = {key.view for key in synthetic} & {key.view for key in real}
    conditions = {key.condition for key in synthetic}
    train, held = ([key for key in keys if key.view in views and key.condition in conditions]
                   for keys in (training, held_out))  # fmt: skip
    made = [key for key in synthetic if key.view in views]
    for name, keys in (("synthetic", made), ("real training", train), ("held-out real", held)):
        if len(keys) < 2:
            raise DataError(
                f"{len(keys)} {name} clip(s) of the common views and conditions; at least 2 are needed: check the roots"
            )
    people = sorted({key.identity for key in made} & {key.identity for key in [*train, *held]})
    return Groups(tuple(train), tuple(held), tuple(made), tuple(people), rule, len(synthetic) - len(made))


def _some(names: Collection[str]) -> str:
    """A few names of a set, for a message."""
    shown = sorted(names)
    return ", ".join(shown[:3]) + (f", ... ({len(shown)})" if len(shown) > 3 else "") if shown else "none"

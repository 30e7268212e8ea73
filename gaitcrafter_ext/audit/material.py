"""What a card is measured on: clips by kind, and the spaces that they are points of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gaitcrafter_ext.audit.embeddings import Embedded, centred
from gaitcrafter_ext.audit.features import ClipFeatures
from gaitcrafter_ext.audit.uniqueness import matched_takes
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.recognition.gei import GeiSet

__all__ = ["PIXELS", "Material", "Space", "make_space"]

#: Name of the space of plain GEIs.
PIXELS = "pixel GEI"


@dataclass(frozen=True)
class Material:
    """The clips of a card.

    Attributes:
        synthetic: Synthetic clips.
        held_out: Real clips of the generator's people that it was not trained on.
        training: Real clips that it was.
        others: Real clips of people whom it never saw; may be empty.
        parents: Synthetic person -> training people in the recipe; one for a known person.
    """

    synthetic: Sequence[ClipFeatures]
    held_out: Sequence[ClipFeatures]
    training: Sequence[ClipFeatures]
    others: Sequence[ClipFeatures]
    parents: Mapping[str, tuple[str, ...]]

    @property
    def clips(self) -> tuple[Sequence[ClipFeatures], Sequence[ClipFeatures], Sequence[ClipFeatures]]:
        """Synthetic, held-out and training clips, as most measures take them."""
        return self.synthetic, self.held_out, self.training


@dataclass(frozen=True)
class Space:
    """All clips as points of one feature space, the mean training clip of each view taken off.

    Attributes:
        name: ``PIXELS`` or a recogniser's name.
        synthetic: Points of the synthetic clips.
        held_out: Of the held-out clips.
        training: Of the training clips.
        others: Of people whom the generator never saw.
        known: Real people whom the recogniser was trained on.
        generator: Everybody the generator was trained on.
        matching: Synthetic, held-out and training points for rank-1, where they differ from the above.
    """

    name: str
    synthetic: Embedded
    held_out: Embedded
    training: Embedded
    others: Embedded
    known: frozenset[str]
    generator: frozenset[str]
    matching: tuple[GeiSet, GeiSet, GeiSet]

    @cached_property
    def novel(self) -> Embedded:
        """Clips of people who are nobody of the training people."""
        return self.synthetic.where(~np.isin(self.synthetic.identity, list(self.generator)))

    @cached_property
    def strangers(self) -> Embedded:
        """Real clips of people whom the recogniser never saw, as many a person as synthetic people have.

        Raises:
            DataError: There are fewer than two.
        """
        parts = (self.training, self.held_out, self.others)
        real = Embedded(
            np.concatenate([part.vectors for part in parts if len(part)]),
            tuple(key for part in parts for key in part.keys),
        )
        unseen = set(real.people) - self.known
        if len(unseen) < 2:
            raise DataError(
                f"{self.name} was trained on all but {len(unseen)} of the {len(real.people)} real people; distances"
                " are calibrated on at least 2 whom it never saw"
            )
        return matched_takes(real.of(unseen), self.novel if len(self.novel) else self.synthetic)


def make_space(
    name: str,
    points: tuple[Embedded, Embedded, Embedded, Embedded],
    known: Sequence[str],
    generator: Sequence[str],
    matching: tuple[GeiSet, GeiSet, GeiSet],
) -> Space:
    """Centre the points of synthetic, held-out, training and other clips on the training clips, and name them.

    Raises:
        DataError: There is a view without training clips.
    """
    training = points[2]
    made, held, known_points, others = (centred(training, each) for each in points)
    return Space(name, made, held, known_points, others, frozenset(known), frozenset(generator), matching)

"""The feature spaces of a card: plain GEIs, and what each recogniser makes of the clips.

In each space the mean training clip of the view is taken off, so that people are compared and not cameras, and vectors
are brought to unit length: distances are cosine distances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from gaitcrafter_ext.audit.clips import ClipFeatures, common_length, geis, small_geis
from gaitcrafter_ext.audit.data import AuditData
from gaitcrafter_ext.audit.recognisers import Recogniser
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.features import FeatureSet, flatten_parts, joined
from gaitcrafter_ext.metrics.uniqueness import matched_takes
from gaitcrafter_ext.recognition.embedding import embed_frames
from gaitcrafter_ext.silhouettes.clip import window
from gaitcrafter_ext.silhouettes.store import SilhouetteStore

__all__ = ["PIXELS", "Space", "centred", "network_space", "pixel_space"]

#: Name of the space of plain GEIs.
PIXELS = "pixel GEI"


@dataclass(frozen=True)
class Space:
    """All clips as unit vectors of one feature space, the mean training clip of each view taken off.

    Attributes:
        name: ``PIXELS`` or a recogniser's name.
        others: Of people whom the generator never saw.
        known: Real people whom the recogniser was trained on.
        generator: The people the generator was trained on.
        probes: Synthetic, held-out and training features for rank-1, where they differ from the above.
    """

    name: str
    synthetic: FeatureSet
    held_out: FeatureSet
    training: FeatureSet
    others: FeatureSet
    known: frozenset[str]
    generator: frozenset[str]
    probes: tuple[FeatureSet, FeatureSet, FeatureSet]

    @cached_property
    def novel(self) -> FeatureSet:
        """Clips of novel identities."""
        return self.synthetic.where(~np.isin(self.synthetic.identity, list(self.generator)))

    @cached_property
    def strangers(self) -> FeatureSet:
        """Real clips of people whom the recogniser never saw, as many a person as synthetic people have.

        Raises:
            DataError: There are fewer than two.
        """
        real = joined(self.training, self.held_out, self.others)
        unseen = set(real.people) - self.known
        if len(unseen) < 2:
            raise DataError(
                f"{self.name} was trained on all but {len(unseen)} of the {len(real.people)} real people; distances"
                " are calibrated on at least 2 whom it never saw"
            )
        return matched_takes(real.only(people=unseen), self.novel if len(self.novel) else self.synthetic)


def pixel_space(data: AuditData) -> Space:
    """Plain GEIs; rank-1 by Euclidean distance of whole ones, as ``evaluate gei`` has it."""
    length = common_length(data.synthetic)
    made, held, known, others = (
        small_geis(clips, length) for clips in (data.synthetic, data.held_out, data.training, data.others)
    )
    made, held, known, others = (centred(known, each) for each in (made, held, known, others))
    probes = (geis(data.synthetic), geis(data.held_out), geis(data.training))
    return Space(PIXELS, made, held, known, others, frozenset(), frozenset(data.splits.generator), probes)


def network_space(recogniser: Recogniser, dataset: str, data: AuditData, device: torch.device) -> Space:
    """What a recogniser makes of the clips, real ones cut to the synthetic length: more frames embed more steadily.

    Args:
        recogniser: Whose embeddings.
        dataset: Name of the real data set, before the names of people the recogniser knows.
        data: The clips.
        device: Where to compute.
    """
    length = common_length(data.synthetic)

    def embedded(clips: Sequence[ClipFeatures], store: SilhouetteStore) -> FeatureSet:
        frames = (window(store.read(clip.key), length) for clip in clips)
        vectors = flatten_parts(embed_frames(recogniser.network, frames, device))
        return FeatureSet.of(vectors, [clip.label for clip in clips], [clip.condition for clip in clips])

    real = [embedded(clips, data.trees.real) for clips in (data.held_out, data.training, data.others)]
    made, held, known, others = (
        centred(real[1], each) for each in (embedded(data.synthetic, data.trees.synthetic), *real)
    )
    people = {name.removeprefix(f"{dataset}/") for name in recogniser.people if name.startswith(f"{dataset}/")}
    generator = frozenset(data.splits.generator)
    return Space(recogniser.name, made, held, known, others, frozenset(people), generator, (made, held, known))


def centred(reference: FeatureSet, clips: FeatureSet) -> FeatureSet:
    """Take the mean reference clip of the view off each clip, and bring the rest to unit length.

    Raises:
        DataError: The reference lacks a view.
    """
    means = {view: reference.vectors[reference.view == view].mean(axis=0) for view in np.unique(reference.view)}
    absent = sorted(set(clips.view.tolist()) - set(means))
    if absent:
        raise DataError(f"no real clip of view {absent[0]} to compare with; leave that view out (--views)")
    if not len(clips):
        return clips
    rest = clips.vectors - np.stack([means[view] for view in clips.view])
    return replace(clips, vectors=(rest / np.maximum(np.linalg.norm(rest, axis=1, keepdims=True), 1e-12)))

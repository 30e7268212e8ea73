"""The feature spaces of a card: plain GEIs, and what each recogniser makes of the clips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gaitcrafter_ext.audit.embeddings import Embedded, centred, geis, of_network, of_pixels
from gaitcrafter_ext.audit.features import ClipFeatures, common_length
from gaitcrafter_ext.audit.material import PIXELS, Material, Space, make_space
from gaitcrafter_ext.audit.ranks import geis_of
from gaitcrafter_ext.recognition.data import ClipRef
from gaitcrafter_ext.recognition.embedding import embed
from gaitcrafter_ext.silhouettes.clip import window
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey

__all__ = ["network_space", "pixel_space"]


def pixel_space(material: Material, generator: Sequence[str]) -> Space:
    """Plain GEIs; rank-1 by Euclidean distance, as ``evaluate gei`` has it."""
    length = common_length(material.synthetic)
    made, held, known, others = (of_pixels(clips, length) for clips in (*material.clips, material.others))
    matching = (geis_of(material.synthetic), geis_of(material.held_out), geis_of(material.training))
    return make_space(PIXELS, (made, held, known, others), (), generator, matching)


def network_space(
    name: str,
    network: nn.Module,
    people: Sequence[str],
    material: Material,
    generator: Sequence[str],
    stores: tuple[SilhouetteStore, SilhouetteStore],
    device: torch.device,
) -> Space:
    """What a recogniser makes of the clips.

    Args:
        name: How the report calls it.
        network: A GaitSet or GaitBase.
        people: Whom it was trained on.
        material: The clips.
        generator: Whom the generator was trained on.
        stores: The trees of the synthetic and the real clips.
        device: Where to compute.
    """
    length = common_length(material.synthetic)
    trees = [_MiddleFrames(store, length) for store in (stores[0], stores[1], stores[1], stores[1])]
    made, held, known, others = (
        _embedded(network, clips, tree, device)
        for clips, tree in zip((*material.clips, material.others), trees, strict=True)
    )
    matching = tuple(geis(centred(known, each)) for each in (made, held, known))
    return make_space(name, (made, held, known, others), people, generator, (matching[0], matching[1], matching[2]))


class _MiddleFrames(SilhouetteStore):
    """A tree whose clips are cut to the synthetic length: clips of more frames have steadier embeddings."""

    def __init__(self, store: SilhouetteStore, length: int) -> None:
        super().__init__(store.root)
        self.length = length

    def read(self, key: ClipKey) -> NDArray[np.uint8]:
        """The middle frames of a clip."""
        return window(super().read(key), self.length)


def _embedded(
    network: nn.Module, clips: Sequence[ClipFeatures], store: SilhouetteStore, device: torch.device
) -> Embedded:
    return of_network(embed(network, [ClipRef(store, clip.key) for clip in clips], device))

"""Clips as points: what recognisers (or plain GEIs) make of them, and the centre of each person.

The distance is d(f, g) = 1 - <f, g> between vectors of unit length (cosine). Before that, the mean real clip of the
view is taken off, so that people are compared and not cameras; of a recogniser with several parts the parts are brought
to equal length first, so that none outweighs the others. A person's centre is the mean of each view's mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.audit.features import ClipFeatures
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.features import Features
from gaitcrafter_ext.recognition.gei import GeiSet
from gaitcrafter_ext.recognition.separation import centre_of, directions
from gaitcrafter_ext.silhouettes.clip import window
from gaitcrafter_ext.vocabulary import ClipKey, condition_of

__all__ = ["Centres", "Embedded", "centred", "centres", "geis", "of_network", "of_pixels"]

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Embedded:
    """Points of many clips and what they are of.

    Attributes:
        vectors: float32 [N, D].
        keys: The clips.
    """

    vectors: Vectors
    keys: tuple[ClipKey, ...]

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def identity(self) -> NDArray[np.str_]:
        """Whose clip each is, str [N]."""
        return np.array([key.identity for key in self.keys], dtype=str)

    @cached_property
    def view(self) -> NDArray[np.str_]:
        """View of each clip, str [N]."""
        return np.array([key.view for key in self.keys], dtype=str)

    @cached_property
    def condition(self) -> NDArray[np.str_]:
        """Condition of each clip, str [N]."""
        return np.array([key.condition for key in self.keys], dtype=str)

    @property
    def people(self) -> list[str]:
        """Whose clips there are, sorted."""
        return sorted(set(self.identity.tolist()))

    def where(self, mask: NDArray[np.bool_]) -> Embedded:
        """The clips that a bool [N] mask picks."""
        picked = np.flatnonzero(mask)
        return Embedded(self.vectors[picked], tuple(self.keys[index] for index in picked.tolist()))

    def of(self, people: Sequence[str] | set[str]) -> Embedded:
        """The clips of these people."""
        return self.where(np.isin(self.identity, list(people)))


@dataclass(frozen=True)
class Centres:
    """Where each person is.

    Attributes:
        people: Their names, sorted.
        vectors: float32 [P, D], of unit length.
    """

    people: tuple[str, ...]
    vectors: Vectors

    def __len__(self) -> int:
        return len(self.people)


def of_pixels(clips: Sequence[ClipFeatures], length: int | None = None) -> Embedded:
    """GEIs at half the height and width, flattened; with ``length``, of the middle ``length`` frames only."""
    shown = [clip.frames if length is None else window(clip.frames, length) for clip in clips]
    images = [frames.mean(axis=0, dtype=np.float32).ravel() / np.float32(255) for frames in shown]
    return Embedded(_stack(images), tuple(clip.key for clip in clips))


def of_network(found: Features) -> Embedded:
    """A recogniser's embeddings [N, channels, parts], parts of equal length."""
    labels = zip(found.identity.tolist(), found.take.tolist(), found.view.tolist(), strict=True)
    return Embedded(directions(found.embeddings), tuple(ClipKey(*label) for label in labels))


def centred(reference: Embedded, clips: Embedded) -> Embedded:
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
    return replace(clips, vectors=_unit(rest))


def centres(clips: Embedded) -> Centres:
    """Centre of each person: mean of each view's mean, brought to unit length.

    Raises:
        DataError: There is no clip.
    """
    if not len(clips):
        raise DataError("no clip to take people's centres of; check the roots")
    found = [centre_of(clips.vectors[mask], clips.view[mask]) for mask in (clips.identity == p for p in clips.people)]
    return Centres(tuple(clips.people), np.stack(found))


def geis(clips: Embedded) -> GeiSet:
    """The same points in the form that nearest-neighbour matching takes."""
    takes = np.array([key.take for key in clips.keys], dtype=str)
    conditions = np.array([condition_of(take) for take in takes.tolist()], dtype=str)
    return GeiSet(clips.vectors, clips.identity, takes, conditions, clips.view)


def _unit(vectors: Vectors) -> Vectors:
    """Rows brought to length 1; a row of zeros stays."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), np.float32)


def _stack(vectors: list[Vectors]) -> Vectors:
    return np.stack(vectors).astype(np.float32) if vectors else np.zeros((0, 0), np.float32)

"""Was training data copied? The phase-aligned nearest training clip of every synthetic clip.

A clip counts as a copy where its nearest training clip is less than a third as far as the second nearest (Yoon et al.,
"Diffusion Probabilistic Models Generalize when They Fail to Memorize", 2023), the second being the nearest clip of
another take. Held-out real clips, cut to the synthetic length, say how near an honest new clip of the same people lies.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.audit.alignment import best_shift, clip_distances
from gaitcrafter_ext.audit.clips import ClipFeatures, Sides, common_length
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.silhouettes.clip import window
from gaitcrafter_ext.vocabulary import ClipKey

__all__ = ["COPY_RATIO", "Copies", "Match", "Nearness", "Scope", "copies"]

#: Among which training clips to look: those of the same view and condition, or all of them.
Scope = Literal["same", "all"]

#: Nearest over second nearest below this is a copy.
COPY_RATIO = 1 / 3

#: Clips nearer than half a grey level are the same clip, also where the second nearest is just as near.
SAME = 0.5 / 255


@dataclass(frozen=True)
class Match:
    """A clip of a cell ``view/condition`` and its nearest training clip.

    Attributes:
        shift: The frame of ``nearest`` that the clip's first frame matches; negative where ``nearest`` begins later.
        distance: Root of the mean squared difference of grey levels in [0, 1], over aligned frames.
        ratio: ``distance`` over that of the nearest clip of another take.
    """

    clip: ClipKey
    cell: str
    nearest: ClipKey
    shift: int
    distance: float
    ratio: float

    @property
    def copied(self) -> bool:
        """Whether the clip counts as a copy."""
        return self.ratio < COPY_RATIO


@dataclass(frozen=True)
class Nearness:
    """How near clips lie to the training clips: share of copies, median distance and ratio; NaN without clips.

    ``left_out`` counts clips without two training takes to be compared with.
    """

    matches: tuple[Match, ...]
    share: float
    distance: float
    ratio: float
    left_out: int

    @property
    def distances(self) -> NDArray[np.float64]:
        """Distance of each match."""
        return np.array([match.distance for match in self.matches])

    @property
    def cells(self) -> NDArray[np.str_]:
        """View and condition of each match."""
        return np.array([match.cell for match in self.matches], dtype=str)


@dataclass(frozen=True)
class Copies:
    """Synthetic clips and, as the floor, held-out real clips against the training clips.

    Attributes:
        scope: Among which training clips was looked.
        cyclic: Whether training clips went round.
    """

    scope: Scope
    cyclic: bool
    synthetic: Nearness
    held_out: Nearness


def copies(
    clips: Sides, trained_on: Sequence[ClipFeatures] | None = None, scope: Scope = "same", cyclic: bool = False
) -> Copies:
    """Find every clip's nearest training clip.

    Args:
        clips: Those under suspicion, real ones to compare with, and the training clips that these are compared to.
        trained_on: The clips that may have been copied; the training clips where not given.
        scope: Look among training clips of the same view and condition, or among all.
        cyclic: Let training clips go round instead of ending.

    Raises:
        DataError: No synthetic clip has two training takes to be compared with.
    """
    synthetic, held_out, training = clips
    length = common_length(synthetic)
    real = [replace(clip, frames=window(clip.frames, length)) for clip in held_out]
    ours = _nearness(synthetic, training if trained_on is None else trained_on, scope, cyclic)
    theirs = _nearness(real, training, scope, cyclic)
    if not ours.matches:
        raise DataError(
            f"copies: none of {len(synthetic)} synthetic clips has two training takes of its view and condition;"
            " check the roots, or look among all training clips"
        )
    return Copies(scope, cyclic, ours, theirs)


def _nearness(clips: Sequence[ClipFeatures], training: Sequence[ClipFeatures], scope: Scope, cyclic: bool) -> Nearness:
    """Match clips within each view and condition, or among all at once; in the order of the clips."""
    there, places = defaultdict[object, list[ClipFeatures]](list), defaultdict[object, list[int]](list)
    for clip in training:
        there[clip.cell if scope == "same" else ""].append(clip)
    for place, clip in enumerate(clips):
        places[clip.cell if scope == "same" else ""].append(place)
    found: dict[int, Match] = {}
    for group, mine in places.items():
        found.update(zip(mine, _within([clips[place] for place in mine], there[group], cyclic), strict=False))
    matches = tuple(found[place] for place in sorted(found))
    facts = np.array([(match.copied, match.distance, match.ratio) for match in matches]).reshape(-1, 3)
    share, distance, ratio = (facts[:, 0].mean(), *np.median(facts[:, 1:], axis=0)) if matches else (float("nan"),) * 3
    return Nearness(matches, float(share), float(distance), float(ratio), len(clips) - len(matches))


def _within(clips: Sequence[ClipFeatures], training: Sequence[ClipFeatures], cyclic: bool) -> list[Match]:
    """The match of each clip within one group; none at all where it lacks a second take."""
    takes = np.array([f"{clip.key.identity}/{clip.key.take}" for clip in training])
    if len(np.unique(takes)) < 2:
        return []
    table = clip_distances([clip.frames for clip in clips], [clip.frames for clip in training], cyclic)
    found = []
    for clip, distances in zip(clips, table, strict=True):
        first = int(distances.argmin())
        nearest, distance = training[first], float(distances[first])
        ratio = distance / float(distances[takes != takes[first]].min()) if distance > SAME else 0.0
        shift = best_shift(clip.frames, nearest.frames, cyclic)
        found.append(Match(clip.key, "/".join(clip.cell), nearest.key, shift, distance, ratio))
    return found

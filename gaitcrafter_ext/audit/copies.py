"""Was training data copied? The phase-aligned nearest training clip of every synthetic clip.

A clip counts as a copy where its nearest training clip is less than a third as far as the second nearest (Yoon et al.,
"Diffusion Probabilistic Models Generalize when They Fail to Memorize", 2023), the second being the nearest clip of
another take. Held-out real clips, cut to the synthetic length, say how near an honest new clip of the same people lies.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.audit.clips import Clips, Sides, length_of
from gaitcrafter_ext.audit.frames import best_shift, clip_distances
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.vocabulary import ClipKey

#: Among which training clips to look: those of the same view and condition, or all of them.
Scope = Literal["same", "all"]

#: Nearest over second nearest below this is a copy.
COPY_RATIO = 1 / 3

#: Clips nearer than half a grey level are the same clip, also where the second nearest is just as near.
SAME = 0.5 / 255


@dataclass(frozen=True)
class Match:
    """A clip of a cell ``view/condition`` and its nearest training clip.

    ``shift`` is the frame of ``nearest`` that the clip's first frame matches, negative where ``nearest`` begins later.
    ``distance`` is the root of the mean squared difference of grey levels in [0, 1] over aligned frames, ``ratio`` that
    over the distance of the nearest clip of another take.
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
    """How near clips lie to the training clips; NaN without clips.

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
    """Synthetic clips and, as the floor, held-out real clips against the training clips."""

    scope: Scope
    cyclic: bool
    synthetic: Nearness
    held_out: Nearness


def copies(clips: Sides, trained_on: Clips | None = None, scope: Scope = "same", cyclic: bool = False) -> Copies:
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
    length = length_of(synthetic)
    ours = _nearness(synthetic, training if trained_on is None else trained_on, scope, cyclic)
    if not ours.matches:
        raise DataError(
            f"copies: none of {len(synthetic)} synthetic clips has two training takes of its view and condition;"
            " check the roots, or look among all training clips"
        )
    return Copies(scope, cyclic, ours, _nearness([clip.shown(length) for clip in held_out], training, scope, cyclic))


def _nearness(clips: Clips, training: Clips, scope: Scope, cyclic: bool) -> Nearness:
    """Match clips within each view and condition, or among all at once; in the order of the clips."""
    there, places = defaultdict[object, list[int]](list), defaultdict[object, list[int]](list)
    for groups, side in ((there, training), (places, clips)):
        for place, clip in enumerate(side):
            groups[clip.cell if scope == "same" else ""].append(place)
    found: dict[int, Match] = {}
    for group, mine in places.items():
        matches = _within([clips[place] for place in mine], [training[place] for place in there[group]], cyclic)
        found.update(zip(mine, matches, strict=False))
    matches = [found[place] for place in sorted(found)]
    facts = np.array([(match.copied, match.distance, match.ratio) for match in matches]).reshape(-1, 3)
    share, distance, ratio = (facts[:, 0].mean(), *np.median(facts[:, 1:], axis=0)) if matches else (float("nan"),) * 3
    return Nearness(tuple(matches), float(share), float(distance), float(ratio), len(clips) - len(matches))


def _within(clips: Clips, training: Clips, cyclic: bool) -> list[Match]:
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

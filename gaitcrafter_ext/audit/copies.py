"""Was training data copied? The phase-aligned nearest training clip of every synthetic clip.

A clip counts as a copy where its nearest training clip is less than a third as far as the second nearest (Yoon et al.,
"Diffusion Probabilistic Models Generalize when They Fail to Memorize", 2023), the second being the nearest clip of
another take. Held-out real clips, cut to the synthetic length, say how near an honest new clip of the same people lies.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.audit.alignment import best_shift, clip_distances
from gaitcrafter_ext.audit.features import ClipFeatures, common_length
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.silhouettes.clip import window
from gaitcrafter_ext.vocabulary import ClipKey

__all__ = ["COPY_RATIO", "Copies", "Match", "Nearness", "Scope", "copies"]

Item = TypeVar("Item")

#: Among which training clips to look: those of the same view and condition, or all of them.
Scope = Literal["same", "all"]

#: Nearest over second nearest below this is a copy.
COPY_RATIO = 1 / 3

#: Clips nearer than half a grey level are the same clip, also where the second nearest is just as near.
SAME = 0.5 / 255


@dataclass(frozen=True)
class Match:
    """A clip and its nearest training clip.

    Attributes:
        clip: The clip.
        nearest: Its nearest training clip.
        shift: The frame of ``nearest`` that the clip's first frame matches; negative where ``nearest`` begins later.
        distance: Root of the mean squared difference of grey levels in [0, 1], over aligned frames.
        ratio: ``distance`` over that of the nearest clip of another take.
    """

    clip: ClipKey
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
    """How near clips lie to the training clips.

    Attributes:
        matches: One entry a clip.
        share: Share of clips that count as copies; NaN where there is no clip.
        distance: Median distance to the nearest training clip.
        ratio: Median ratio of nearest to second nearest.
        left_out: Clips without two training takes to be compared with.
    """

    matches: tuple[Match, ...]
    share: float
    distance: float
    ratio: float
    left_out: int


@dataclass(frozen=True)
class Copies:
    """Synthetic clips and, as the floor, held-out real clips against the training clips.

    Attributes:
        scope: Among which training clips was looked.
        cyclic: Whether training clips went round.
        synthetic: The synthetic clips.
        held_out: The floor: held-out real clips.
        closer: Share of (synthetic, held-out) pairs in which the synthetic clip lies nearer to its nearest training
            clip: 0.5 where synthetic clips keep the distance that real ones keep, 1 where all are nearer (the statistic
            of Meehan, Chaudhuri & Dasgupta, AISTATS 2020, pooled over cells).
    """

    scope: Scope
    cyclic: bool
    synthetic: Nearness
    held_out: Nearness
    closer: float


def copies(
    synthetic: Sequence[ClipFeatures],
    held_out: Sequence[ClipFeatures],
    training: Sequence[ClipFeatures],
    scope: Scope = "same",
    cyclic: bool = False,
) -> Copies:
    """Find every clip's nearest training clip.

    Args:
        synthetic: The clips under suspicion.
        held_out: Real clips that were not trained on.
        training: Real clips that were.
        scope: Look among training clips of the same view and condition, or among all.
        cyclic: Let training clips go round instead of ending.

    Raises:
        DataError: No synthetic clip has two training takes to be compared with.
    """
    length = common_length(synthetic)
    ours = nearness([(clip.key, clip.frames) for clip in synthetic], training, scope, cyclic)
    theirs = nearness([(clip.key, window(clip.frames, length)) for clip in held_out], training, scope, cyclic)
    if not ours.matches:
        raise DataError(
            f"copies: none of {len(synthetic)} synthetic clips has two training takes of its view and condition;"
            " check the roots, or look among all training clips"
        )
    return Copies(scope, cyclic, ours, theirs, _closer(ours.matches, theirs.matches))


def nearness(
    clips: Sequence[tuple[ClipKey, NDArray[np.uint8]]], training: Sequence[ClipFeatures], scope: Scope, cyclic: bool
) -> Nearness:
    """Match named clips, uint8 [T, 32, 32] each, within each view and condition, or among all at once."""
    there = _grouped((_group(clip.key, scope), clip) for clip in training)
    found: dict[int, Match] = {}
    for group, places in _grouped((_group(key, scope), place) for place, (key, _) in enumerate(clips)).items():
        matched = _within([clips[place] for place in places], there.get(group, []), cyclic)
        found.update(zip(places, matched, strict=False))
    matches = tuple(found[place] for place in sorted(found))
    return Nearness(
        matches,
        float(np.mean([match.copied for match in matches])) if matches else float("nan"),
        float(np.median([match.distance for match in matches])) if matches else float("nan"),
        float(np.median([match.ratio for match in matches])) if matches else float("nan"),
        len(clips) - len(matches),
    )


def _group(key: ClipKey, scope: Scope) -> tuple[str, str]:
    return (key.view, key.condition) if scope == "same" else ("", "")


def _grouped(pairs: Iterable[tuple[tuple[str, str], Item]]) -> dict[tuple[str, str], list[Item]]:
    groups: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for group, item in pairs:
        groups[group].append(item)
    return groups


def _within(
    clips: Sequence[tuple[ClipKey, NDArray[np.uint8]]], training: Sequence[ClipFeatures], cyclic: bool
) -> list[Match]:
    """The match of each clip within one group; none at all where it lacks a second take."""
    takes = np.array([f"{clip.key.identity}/{clip.key.take}" for clip in training])
    if len(np.unique(takes)) < 2:
        return []
    table = clip_distances([frames for _, frames in clips], [clip.frames for clip in training], cyclic)
    found = []
    for (key, frames), distances in zip(clips, table, strict=True):
        first = int(distances.argmin())
        second = float(distances[takes != takes[first]].min())
        nearest = training[first]
        ratio = float(distances[first]) / second if distances[first] > SAME else 0.0
        shift = best_shift(frames, nearest.frames, cyclic)
        found.append(Match(key, nearest.key, shift, float(distances[first]), ratio))
    return found


def _closer(ours: Sequence[Match], theirs: Sequence[Match]) -> float:
    """Share of pairs in which ours is nearer, ties counted half; NaN without pairs."""
    if not ours or not theirs:
        return float("nan")
    left = np.array([match.distance for match in ours])[:, None]
    right = np.array([match.distance for match in theirs])[None]
    return float((left < right).mean() + 0.5 * (left == right).mean())

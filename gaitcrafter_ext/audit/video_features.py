"""Features of whole clips that the likeness and variety measures are taken on, fitted on training clips only.

- *Style*: linear discriminants of GEIs with the cells (view, condition) as classes: where a clip lies as regards view
  and condition, whoever walks. Distances are in units of the spread within a cell.
- *Ordered*: frames become scores z_t on the principal components of training frames; a clip becomes its mean score and
  its lagged covariances C_l = mean_t z_t z_(t+l)^T, which know the order of the frames but not the phase. To shuffle or
  freeze the frames changes C_l for l > 0; to reverse them transposes it. The usual Frechet distance of video features
  barely notices time (arXiv 2404.12391). Within each cell the training mean is taken off and the spread brought to one,
  then principal components are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.audit.clips import ClipFeatures, common_length
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.features import FeatureSet
from gaitcrafter_ext.metrics.subspace import fit_discriminants, principal_components
from gaitcrafter_ext.silhouettes.clip import window

__all__ = ["OrderedSpace", "fit_ordered", "fit_style"]

Floats = NDArray[np.floating]
Frames = NDArray[np.uint8]

#: Principal components of GEIs before the discriminants.
STYLE_COMPONENTS = 100

#: Principal components of frames, and of clips; lags in frames (a step of 25 frames a second takes about 13).
FRAME_COMPONENTS, CLIP_COMPONENTS, LAGS = 12, 32, (1, 3, 6)

#: Frames that the components are taken from.
MOST_FRAMES = 4000


def fit_style(training: FeatureSet) -> Callable[[FeatureSet], FeatureSet]:
    """Fit style features on GEIs of training clips; the result maps GEIs to them.

    Raises:
        DataError: The clips are all of one view and condition.
    """
    cells = np.char.add(np.char.add(training.view, "/"), training.condition)
    count = len(np.unique(cells))
    if count < 2 or len(training) <= count:
        raise DataError(
            f"style: {len(training)} training clips of {count} view(s) and condition(s); style needs at least two of"
            " them and more clips"
        )
    fitted = fit_discriminants(training.vectors, cells, STYLE_COMPONENTS)
    return lambda clips: replace(clips, vectors=fitted.transform(clips.vectors))


@dataclass(frozen=True)
class OrderedSpace:
    """A fitted space of ordered features.

    Attributes:
        length: Frames of a clip that are looked at, the middle ones.
        frames: Mean [D] and components [D, F] of frames.
        means: Mean training features of each (view, condition).
        scale: Spread of each feature within a cell.
        clips: Mean [E] and components [E, C] of clips.
    """

    length: int
    frames: tuple[Floats, Floats]
    means: dict[tuple[str, str], Floats]
    scale: Floats
    clips: tuple[Floats, Floats]

    def __call__(self, clips: Sequence[ClipFeatures]) -> FeatureSet:
        """Features float [N, C] of clips whose cells the space knows (:meth:`knows`)."""
        raw = np.stack([self._raw(clip) for clip in clips]) if clips else np.zeros((0, len(self.scale)))
        mean, basis = self.clips
        return FeatureSet.of((raw - mean) @ basis, [clip.label for clip in clips], [clip.condition for clip in clips])

    def knows(self, clip: ClipFeatures) -> bool:
        """Whether there were training clips of its view and condition."""
        return clip.cell in self.means

    def _raw(self, clip: ClipFeatures) -> Floats:
        return (_lagged(window(clip.frames, self.length), *self.frames) - self.means[clip.cell]) / self.scale


def fit_ordered(training: Sequence[ClipFeatures], synthetic: Sequence[ClipFeatures]) -> OrderedSpace:
    """Fit the space on training clips, at the synthetic clips' length.

    Raises:
        DataError: There are fewer than three training clips, or clips are too short for the lags.
    """
    length = common_length(synthetic)
    if len(training) < 3 or length <= max(LAGS):
        raise DataError(
            f"ordered features: {len(training)} training clips, synthetic clips of {length} frames; at least 3 clips"
            f" of more than {max(LAGS)} frames are needed"
        )
    step = max(1, sum(len(clip.frames) for clip in training) // MOST_FRAMES)
    flat = np.concatenate([_flat(clip.frames) for clip in training])[::step]
    frames = principal_components(flat, FRAME_COMPONENTS)[:2]
    raw = np.stack([_lagged(window(clip.frames, length), *frames) for clip in training])
    cells = np.array(["/".join(clip.cell) for clip in training])
    means = {cell: raw[cells == "/".join(cell)].mean(axis=0) for cell in {clip.cell for clip in training}}
    rest = raw - np.stack([means[clip.cell] for clip in training])
    scale = rest.std(axis=0) + 1e-3 * raw.std() + 1e-12
    mean, basis, spread = principal_components(rest / scale, CLIP_COMPONENTS)
    return OrderedSpace(length, frames, means, scale, (mean, basis / (spread + 1e-12)))


def _flat(frames: Frames) -> NDArray[np.float32]:
    """uint8 [T, 32, 32] -> float32 [T, 256] in [0, 1], means of 2 x 2 pixels."""
    small = frames.reshape(len(frames), 16, 2, 16, 2).mean((2, 4), dtype=np.float32)
    return np.asarray(small.reshape(len(frames), -1) / np.float32(255))


def _lagged(frames: Frames, mean: Floats, basis: Floats) -> Floats:
    """Mean score and lagged covariances of one clip, uint8 [T, 32, 32]; the mean itself where T is too short."""
    scores = (_flat(frames) - mean) @ basis
    middle = scores.mean(axis=0)
    moving = scores - middle
    parts = [moving[:-lag].T @ moving[lag:] / max(1, len(moving) - lag) for lag in LAGS]
    return np.concatenate([middle, *(part.ravel() for part in parts)])

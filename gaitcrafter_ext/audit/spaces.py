"""The feature spaces of an audit: plain GEIs, what recognisers make of clips, style, and the order of frames.

- *Identity*: GEIs or embeddings of which the mean training clip of the view is taken off, so that people are compared
  and not cameras, as unit vectors: distances are cosine distances.
- *Style*: linear discriminants of GEIs with the cells (view, condition) as classes: where a clip lies as regards view
  and condition, whoever walks. Distances are in units of the spread within a cell.
- *Ordered*: frames become scores z_t on the principal components of training frames; a clip becomes its mean score and
  its lagged covariances C_l = mean_t z_t z_(t+l)^T, which know the order of the frames but not the phase. To shuffle or
  freeze the frames changes C_l for l > 0; to reverse them transposes it. The usual Frechet distance of video features
  barely notices time (arXiv 2404.12391). Within each cell the training mean is taken off and the spread brought to one,
  then principal components are kept.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from gaitcrafter_ext.audit.clips import Clips, Frames, Progress, common_length, geis, labelled, length_of, small_geis
from gaitcrafter_ext.audit.data import AuditData, Splits, Trees
from gaitcrafter_ext.audit.recognisers import Recogniser
from gaitcrafter_ext.errors import DataError, GaitCrafterError
from gaitcrafter_ext.metrics.centroids import matched_takes
from gaitcrafter_ext.metrics.features import FeatureSet, flatten_parts, joined
from gaitcrafter_ext.metrics.identification import fit_discriminants
from gaitcrafter_ext.recognition.embedding import embed_frames
from gaitcrafter_ext.silhouettes.clip import window
from gaitcrafter_ext.silhouettes.parallel import Shared
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey

Floats = NDArray[np.floating]

#: Name of the space of plain GEIs.
PIXELS = "pixel GEI"

#: Principal components of GEIs before the discriminants.
STYLE_COMPONENTS = 100

#: Principal components of frames, and of clips; lags in frames (a step of 25 frames a second takes about 13).
FRAME_COMPONENTS, CLIP_COMPONENTS, LAGS = 12, 32, (1, 3, 6)

#: Frames that the components are taken from.
MOST_FRAMES = 4000


@dataclass(frozen=True)
class Space:
    """All clips in one identity space.

    ``others`` are of people whom the generator never saw; ``known`` names the real people whom the recogniser was
    trained on, ``generator`` those of the generator. ``probes`` are synthetic, held-out and training features for
    rank-1, where they differ from the above.
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
        """Real clips of people whom the recogniser never saw, as many a person as synthetic people have."""
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
    length = length_of(data.kinds[0])
    kinds = [small_geis(clips, length) for clips in data.kinds]
    synthetic, held_out, training = map(geis, data.sides)
    made, held, known, others = (centred(kinds[2], each) for each in kinds)
    probes = (synthetic, held_out, training)
    return Space(PIXELS, made, held, known, others, frozenset(), frozenset(data.splits.generator), probes)


def network_space(recogniser: Recogniser, dataset: str, data: AuditData, vectors: Sequence[Floats]) -> Space:
    """What a recogniser made of the clips (:func:`embed_clips`); ``dataset`` stands before the names it knows."""
    found = []
    for keys, rows, clips in zip(data.splits.kinds, vectors, data.kinds, strict=True):
        row = {key: number for number, key in enumerate(keys)}  # files that could not be read have a row, but no clip
        found.append(labelled(rows[[row[clip.key] for clip in clips]] if clips else [], clips))
    made, held, known, others = (centred(found[2], each) for each in found)
    people = frozenset(name.removeprefix(f"{dataset}/") for name in recogniser.people if name.startswith(f"{dataset}/"))
    generator = frozenset(data.splits.generator)
    return Space(recogniser.name, made, held, known, others, people, generator, (made, held, known))


def embed_clips(
    recogniser: Recogniser, trees: Trees, splits: Splits, device: torch.device, shared: Shared, progress: Progress
) -> list[Floats] | None:
    """Vectors [n, D] of all clips of each kind of ``splits``; None but in the first process of those that share them.

    They are NaN for files that cannot be read. Real clips are cut to the synthetic length: more frames embed more
    steadily.
    """
    synthetic, *real = splits.kinds
    clips = [(trees.synthetic, key) for key in synthetic]
    length = common_length([len(frames) for _, frames in _readable(clips)])
    clips += [(trees.real, key) for keys in real for key in keys]

    def embed(rows: range) -> NDArray[np.float32]:
        good = list[int]()

        def frames() -> Iterator[Frames]:
            for place, found in _readable([clips[row] for row in rows]):
                good.append(place)
                yield window(found, length)
                progress(place + 1, len(rows))

        vectors = flatten_parts(embed_frames(recogniser.network, frames(), device))
        every = np.full((len(rows), vectors.shape[1]), np.nan, np.float32)
        every[good] = vectors
        return every

    if shared.process.count == 1:
        found: NDArray[np.float32] | None = embed(range(len(clips)))
    else:
        states = [store.path(key).stat() for store, key in clips]
        facts = [(str(key), state.st_size, state.st_mtime_ns) for (_, key), state in zip(clips, states, strict=True)]
        name = hashlib.sha256(f"{recogniser.fingerprint} {length} {facts}".encode()).hexdigest()[:16]
        found = gather(shared, name, len(clips), embed)
    return None if found is None else np.split(found, np.cumsum([len(keys) for keys in splits.kinds])[:-1])


def gather(
    shared: Shared, name: str, count: int, embed: Callable[[range], NDArray[np.float32]]
) -> NDArray[np.float32] | None:
    """``embed(range(count))``, float32 [count, D], each process its share of the rows; None but in the first one.

    ``name`` stands for everything that decides the result.
    """
    rank, team = shared.process.rank, shared.process.count
    found = {}
    for part in shared.own_first(team) if rank == 0 else [rank]:
        rows = range(part, count, team)
        found[part] = shared.array(f"{name}-{part}-of-{team}", len(rows), functools.partial(embed, rows))
    if rank:
        return None
    every = np.full((count, max(part.shape[1] for part in found.values())), np.nan, np.float32)
    for part, vectors in found.items():
        if vectors.size:  # where all files of a part are broken, D is not known
            every[part::team] = vectors
    return every


def _readable(clips: Sequence[tuple[SilhouetteStore, ClipKey]]) -> Iterator[tuple[int, Frames]]:
    """Places and frames of the clips that can be read; what cannot is named where features are read."""
    for place, (store, key) in enumerate(clips):
        try:
            yield place, store.read(key)
        except GaitCrafterError:
            continue


def centred(reference: FeatureSet, clips: FeatureSet) -> FeatureSet:
    """Take the mean reference clip of the view off each clip, and bring the rest to unit length."""
    means = {view: reference.vectors[reference.view == view].mean(axis=0) for view in np.unique(reference.view)}
    absent = sorted(set(clips.view.tolist()) - set(means))
    if absent:
        raise DataError(f"no real clip of view {absent[0]} to compare with; leave that view out (--views)")
    if not len(clips):
        return clips
    rest = clips.vectors - np.stack([means[view] for view in clips.view])
    return replace(clips, vectors=(rest / np.maximum(np.linalg.norm(rest, axis=1, keepdims=True), 1e-12)))


def fit_style(training: FeatureSet) -> Callable[[FeatureSet], FeatureSet]:
    """Fit style features on GEIs of training clips; the result maps GEIs to them."""
    cells = np.array(["/".join(cell) for cell in training.cells], dtype=str)
    count = len(np.unique(cells))
    if count < 2 or len(training) <= count:
        raise DataError(
            f"style: {len(training)} training clips of {count} view(s) and condition(s); style needs at least two of"
            " them and more clips"
        )
    fitted = fit_discriminants(training.vectors, cells, STYLE_COMPONENTS)
    return lambda clips: replace(clips, vectors=fitted.transform(clips.vectors))


def principal_components(vectors: Floats, count: int) -> tuple[Floats, Floats, Floats]:
    """Mean [D], leading directions [D, c] and spread along them [c]; c is ``count``, or less where spread ends."""
    from sklearn.decomposition import PCA

    found = PCA(min(count, *vectors.shape), svd_solver="full").fit(vectors)
    spread = np.sqrt(found.explained_variance_)
    kept = max(1, int((spread > 1e-6 * max(float(spread[0]), 1e-12)).sum()))
    return found.mean_, found.components_[:kept].T, spread[:kept]


def fit_ordered(training: Clips, length: int) -> Callable[[Clips], FeatureSet]:
    """Fit ordered features on the middle frames of training clips; the result maps clips of their cells."""
    if len(training) < 3 or length <= max(LAGS):
        raise DataError(
            f"ordered features: {len(training)} training clips, synthetic clips of {length} frames; at least 3 clips"
            f" of more than {max(LAGS)} frames are needed"
        )
    step = max(1, sum(len(clip.frames) for clip in training) // MOST_FRAMES)
    flat = np.concatenate([_flat(clip.frames) for clip in training])[::step]
    centre, axes, _ = principal_components(flat, FRAME_COMPONENTS)

    def lagged(clips: Clips) -> Floats:
        return np.stack([_lagged(window(clip.frames, length), centre, axes) for clip in clips])

    raw, cells = lagged(training), np.array(["/".join(clip.cell) for clip in training])
    means = {cell: raw[cells == "/".join(cell)].mean(axis=0) for cell in {clip.cell for clip in training}}
    rest = raw - np.stack([means[clip.cell] for clip in training])
    scale = rest.std(axis=0) + 1e-3 * raw.std() + 1e-12
    mean, basis, spread = principal_components(rest / scale, CLIP_COMPONENTS)

    def features(clips: Clips) -> FeatureSet:
        rest = lagged(clips) - np.stack([means[clip.cell] for clip in clips])
        return labelled((rest / scale - mean) @ (basis / (spread + 1e-12)), clips)

    return features


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

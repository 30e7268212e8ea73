"""Whom a recogniser is trained on, and which of their frames make each batch."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from gaitcrafter_ext.errors import DataError, UsageError
from gaitcrafter_ext.recognition.mixing_schedule import MixingSchedule, round_at_random, share_at
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey

if TYPE_CHECKING:
    import torch

Frames = npt.NDArray[np.uint8]
Item = TypeVar("Item")

#: Columns of a recogniser's frames: the middle, as OpenGait's ``BaseSilCuttingTransform`` cuts it.
COLUMNS = 44

#: How often OpenGait's GaitBase for CASIA-B makes each change, and the largest rotation to either side.
PROBABILITY, MAX_ROTATION_DEG = 0.3, 10.0

#: Share of the frame that is erased (Zhong et al., "Random Erasing", AAAI 2020), and the least height over width.
ERASED_SHARE, LEAST_ASPECT = (0.05, 0.2), 0.3


class ClipRef(NamedTuple):
    """A clip and the tree that holds it."""

    store: SilhouetteStore
    key: ClipKey


@dataclass(frozen=True)
class TrainingSet:
    """The people a recogniser learns to tell apart.

    ``of``: person -> places of their clips; the order of people is the order of classes, real ones first.
    ``synthetic``: places of the synthetic clips.
    """

    clips: tuple[ClipRef, ...]
    of: dict[str, tuple[int, ...]]
    synthetic: frozenset[int] = frozenset()

    @property
    def people(self) -> tuple[str, ...]:
        """Who is trained on, in the order of classes."""
        return tuple(self.of)

    @property
    def novel(self) -> tuple[str, ...]:
        """People who have synthetic clips only."""
        return tuple(person for person, clips in self.of.items() if self.synthetic.issuperset(clips))


@dataclass(frozen=True)
class Batch:
    """P people x K clips x L frames: uint8 [P * K * L, 64, 44] clip after clip, the class of each clip, and its L."""

    frames: Frames
    labels: npt.NDArray[np.int64]
    lengths: tuple[int, ...]


def training_set(
    store: SilhouetteStore,
    partition: Partition,
    synthetic: Sequence[SilhouetteStore] = (),
    views: Sequence[str] | None = None,
) -> TrainingSet:
    """Real clips of TRAIN_SET, and synthetic ones: of the same people under their own label, novel people after them.

    All people of the synthetic sets are used; ``views`` None means all.

    Raises:
        MissingError: TRAIN_SET names people who are not there.
        DataError: A test person is among the synthetic people, or fewer than two people have clips.
    """
    partition.check(store)
    train = frozenset(partition.train)
    clips = [ClipRef(store, key) for key in store if key.identity in train]
    for made in synthetic:
        tested = sorted(set(made.identities()) & set(partition.test))
        if tested:
            raise DataError(
                f"{made.root} holds synthetic clips of {tested[0]}, who is in TEST_SET;"
                " a recogniser must not train on test people: leave them out or move them to TRAIN_SET"
            )
        clips += [ClipRef(made, key) for key in made]
    clips = [clip for clip in clips if views is None or clip.key.view in views]
    numbers: dict[str, list[int]] = defaultdict(list)
    for number, clip in enumerate(clips):
        numbers[clip.key.identity].append(number)
    if len(numbers) < 2:
        raise DataError(f"clips of {len(numbers)} person(s) to train on; a recogniser needs at least 2")
    of = {person: tuple(theirs) for person, theirs in numbers.items()}
    return TrainingSet(tuple(clips), of, frozenset(n for n, clip in enumerate(clips) if clip.store is not store))


def cut(frames: Frames) -> Frames:
    """The middle columns of each frame: uint8 [T, 64, W] -> [T, 64, 44]."""
    margin = (frames.shape[-1] - COLUMNS) // 2
    return np.ascontiguousarray(frames[..., margin : margin + COLUMNS])


def to_sils(frames: Frames, device: torch.device | str = "cpu") -> torch.Tensor:
    """What the networks take: uint8 [F, 64, 44] -> float32 [F, 64, 44] in [0, 1]."""
    import torch

    return torch.from_numpy(frames).to(device).float().div_(255)


class PKSampler:
    """Draws P people, K clips of each, L frames of each clip; every batch is a function of the seed and its number.

    People are drawn uniformly, clips of a person uniformly, frames without order; with replacement only where there are
    too few (as OpenGait's TripletSampler and ``fixed_unordered``). ``synthetic_share``, by batch number, is that of the
    P people where there are novel ones, else of the K clips of whoever has both kinds, right in the mean where it is no
    whole number; None draws from all alike. Clips are kept in memory, up to ``budget_gib``; real ones whose values are
    no silhouette's are refused, a poor generator's are taken as they are.

    Raises:
        UsageError: The share cannot be met because there are no synthetic, or no real, clips.
    """

    def __init__(
        self,
        people: TrainingSet,
        shape: tuple[int, int, int],
        seed: int,
        synthetic_share: MixingSchedule | None = None,
        budget_gib: float = 4.0,
    ) -> None:
        self.people, self.shape, self.seed, self.share = people, shape, seed, synthetic_share
        self._labels = {person: label for label, person in enumerate(people.people)}
        self._novel = people.novel
        novel = frozenset(people.novel)
        self._real = tuple(person for person in people.people if person not in novel)
        self._kept: dict[int, Frames] = {}
        self._left = int(budget_gib * 2**30)
        shares = [share for _, share in synthetic_share or ()]
        if shares and ((max(shares) > 0 and not people.synthetic) or (min(shares) < 1 and not self._real)):
            raise UsageError(
                f"synthetic share {min(shares):g} to {max(shares):g}: there are"
                f" {len(people.clips) - len(people.synthetic)} real and {len(people.synthetic)} synthetic clips; both"
                " kinds are needed, or another share"
            )

    def batch(self, number: int) -> Batch:
        """The batch of this number, the same each time."""
        rng = np.random.default_rng([self.seed, number])
        _, clips, frames = self.shape
        share = None if self.share is None else share_at(self.share, number)
        drawn = self._draw_people(rng, share)
        parts = [self._frames(rng, clip, frames) for person in drawn for clip in self._draw_clips(rng, person, share)]
        labels = np.repeat([self._labels[person] for person in drawn], clips).astype(np.int64)
        return Batch(np.concatenate(parts), labels, (frames,) * len(parts))

    def _draw_people(self, rng: np.random.Generator, share: float | None) -> list[str]:
        if share is None or not self._novel:
            return _draw(rng, self.people.people, self.shape[0])
        return _draw_both(rng, self._real, self._novel, self.shape[0], share)

    def _draw_clips(self, rng: np.random.Generator, person: str, share: float | None) -> list[int]:
        count, clips = self.shape[1], self.people.of[person]
        made = [clip for clip in clips if clip in self.people.synthetic]
        if share is None or self._novel or not 0 < len(made) < len(clips):
            return _draw(rng, clips, count)
        filmed = [clip for clip in clips if clip not in self.people.synthetic]
        return _draw_both(rng, filmed, made, count, share)

    def _frames(self, rng: np.random.Generator, clip: int, count: int) -> Frames:
        frames = self._kept.get(clip)
        if frames is None:
            store, key = self.people.clips[clip]
            frames = cut(store.read(key) if clip in self.people.synthetic else store.read_real(key))
            if frames.nbytes <= self._left:
                self._kept[clip] = frames
                self._left -= frames.nbytes
        return frames[rng.choice(len(frames), count, replace=len(frames) < count)]


def _draw(rng: np.random.Generator, items: Sequence[Item], count: int) -> list[Item]:
    """``count`` of the items, each at most once where there are enough."""
    return [items[index] for index in rng.choice(len(items), count, replace=len(items) < count)]


def _draw_both(
    rng: np.random.Generator, real: Sequence[Item], synthetic: Sequence[Item], count: int, share: float
) -> list[Item]:
    made = round_at_random(share * count, rng)
    return _draw(rng, real, count - made) + _draw(rng, synthetic, made)


def augment(sils: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Turn some clips, float [n, L, H, W], by up to 10 degrees and erase a rectangle of some; their frames alike."""
    from kornia.geometry.transform import rotate

    count, _, height, width = sils.shape
    turned, erased = rng.random((2, count)) < PROBABILITY
    sils = sils.clone()
    angles = rng.uniform(-MAX_ROTATION_DEG, MAX_ROTATION_DEG, turned.sum()).tolist()
    if angles:
        sils[turned] = rotate(sils[turned], sils.new_tensor(angles))
    for clip in np.flatnonzero(erased):
        rows, columns = _rectangle(rng, height, width)
        sils[clip, :, rows, columns] = 0
    return sils


def _rectangle(rng: np.random.Generator, height: int, width: int) -> tuple[slice, slice]:
    """Where to erase; a rectangle that does not fit is drawn again."""
    while True:
        area, aspect = rng.uniform(*ERASED_SHARE) * height * width, rng.uniform(LEAST_ASPECT, 1 / LEAST_ASPECT)
        rows, columns = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if rows < height and columns < width:
            top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
            return slice(top, top + rows), slice(left, left + columns)

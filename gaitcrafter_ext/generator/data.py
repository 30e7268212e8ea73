"""The clips a generator is trained on: one memory-mapped file of frames, drawn from by a keyed random generator."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.generator.conditioning import Conditioning
from gaitcrafter_ext.generator.people import MIDDLE, PeopleSpace, gei_features
from gaitcrafter_ext.generator.sampling import FRAMES
from gaitcrafter_ext.generator.weights import Vocabulary, refused_writes
from gaitcrafter_ext.silhouettes.cycle import gait_phases
from gaitcrafter_ext.silhouettes.dataset import DatasetConfig
from gaitcrafter_ext.silhouettes.files import FileLock, atomic_write
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey

logger = logging.getLogger(__name__)

#: Rows of a frame; clips read at a time.
HEIGHT, CHUNK = 64, 512


def vocabulary_of(keys: Iterable[ClipKey], dataset: DatasetConfig) -> Vocabulary:
    """Everything these clips show, in canonical order (known conditions first)."""
    keys = list(keys)
    conditions = dataset.ordered_conditions(key.take for key in keys)
    views = {dataset.view_name(view): dataset.view_deg(view) for view in sorted({key.view for key in keys})}
    return Vocabulary(tuple(sorted({key.identity for key in keys})), tuple(conditions), views)


def hold_out(keys: Sequence[ClipKey], dataset: DatasetConfig, takes: int) -> tuple[list[ClipKey], list[ClipKey]]:
    """Split clips into those to train on and those held out: each person's last ``takes`` takes of each condition.

    Where a person has no more of a condition, all are trained on.
    """
    names: dict[tuple[str, str], set[str]] = defaultdict(set)
    for key in keys:
        names[key.identity, dataset.condition_of(key.take)].add(key.take)
    last = {
        (identity, take)
        for (identity, _), found in names.items()
        if len(found) > takes > 0
        for take in sorted(found)[-takes:]
    }
    held = [key for key in keys if (key.identity, key.take) in last]
    return [key for key in keys if (key.identity, key.take) not in last], held


class ClipDataset:
    """Clips as bytes in one memory-mapped file, with who, how, from where and at what phase of each.

    Clips shorter than a window are left out with a warning, and such as the ``vocabulary`` does not name where given.
    The name of the file, ``cache``, is deleted once it is mapped, so that its space is freed with the process, however
    that ends. Processes that share a file (:func:`readers`) give one name, whose beginning it bears.

    ``DataError`` where no clip is long enough or a file is damaged, ``StorageError`` where the cache cannot be written.
    """

    def __init__(
        self,
        store: SilhouetteStore,
        keys: Sequence[ClipKey],
        dataset: DatasetConfig,
        cache: Path,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        if vocabulary is not None:
            people, conditions = set(vocabulary.identities), set(vocabulary.conditions)
            keys = [key for key in keys if key.identity in people and dataset.condition_of(key.take) in conditions]
        mapped, packed = _mapped(store, keys, cache)
        self.keys, self.fingerprint, self.features = [keys[row] for row in packed.kept], packed.digest, packed.features
        self.length, self.first = packed.lengths, np.cumsum(packed.lengths) - packed.lengths
        self.vocabulary = vocabulary = vocabulary or vocabulary_of(self.keys, dataset)
        self.frames = torch.from_numpy(mapped)
        rows = {name: row for row, name in enumerate(vocabulary.identities)}
        self.person = np.array([rows[key.identity] for key in self.keys])
        self.condition = np.array([vocabulary.conditions.index(dataset.condition_of(key.take)) for key in self.keys])
        degrees = {view: dataset.view_deg(view) for view in sorted({key.view for key in self.keys})}
        self.view_deg = np.array([degrees[key.view] for key in self.keys], dtype=np.float32)  # None becomes NaN
        view = np.array([list(degrees).index(key.view) for key in self.keys])
        takes: dict[tuple[str, str], int] = {}
        self.take = np.array([takes.setdefault((key.identity, key.take), len(takes)) for key in self.keys])
        clips = [mapped[first : first + length] for first, length in zip(self.first, self.length, strict=True)]
        self.phases = gait_phases(clips, self.take, view, self.view_deg, dataset.shared_clock)
        self.codes = torch.zeros(len(vocabulary.identities), 1)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def cadence(self) -> dict[str, tuple[float, float]]:
        """Gait cycle of each person whose takes tell it: mean and standard deviation between takes, frames."""
        found: dict[str, list[float]] = {name: [] for name in self.vocabulary.identities}
        for clip in np.unique(self.take, return_index=True)[1]:
            if math.isfinite(self.phases.cycle[clip]):
                found[self.keys[clip].identity].append(float(self.phases.cycle[clip]))
        return {
            name: (round(float(np.mean(cycles)), 2), round(float(np.std(cycles)), 2))
            for name, cycles in found.items()
            if cycles
        }

    def weights(self, condition_balance: float) -> NDArray[np.float64]:
        """Probability of drawing each clip: people equally often, conditions by ``condition_balance`` in [0, 1]."""
        cell = self.person * len(self.vocabulary.conditions) + self.condition
        cells, where, counts = np.unique(cell, return_inverse=True, return_counts=True)
        share = counts ** (1.0 - condition_balance)
        person_of_cell = cells // len(self.vocabulary.conditions)
        share = share / np.bincount(person_of_cell, weights=share)[person_of_cell]
        weights = (share / counts)[where]
        return np.asarray(weights / weights.sum())

    def sample_batch(
        self, size: int, rng: np.random.Generator, cumulative: NDArray[np.float64]
    ) -> tuple[Tensor, Conditioning]:
        """Random windows of random clips; ``cumulative`` is the running sum of :meth:`weights`."""
        chosen = np.minimum(np.searchsorted(cumulative, rng.random(size), side="right"), len(self) - 1)
        return self.batch(chosen, rng.integers(self.length[chosen] - FRAMES + 1))

    def batch(self, clips: NDArray[np.int64], starts: NDArray[np.int64]) -> tuple[Tensor, Conditioning]:
        """The windows of the named clips that begin at ``starts``: float32 [b, 30, 64, 48] in [-1, 1]."""
        time = starts[:, None] + np.arange(FRAMES)
        where = torch.from_numpy(self.first[clips, None] + time).to(self.frames.device)
        phase = self.phases.start[clips, None] + 2 * np.pi * time / self.phases.cycle[clips, None]
        given = Conditioning(
            code=self.codes[torch.from_numpy(self.person[clips])],
            condition=torch.from_numpy(self.condition[clips]),
            view_deg=torch.from_numpy(self.view_deg[clips]),
            phase=torch.from_numpy(phase.astype(np.float32)),
        )
        return self.frames[where].float().div_(127.5).sub_(1.0), given

    def fit_people(self, code_dim: int) -> PeopleSpace:
        """The space of these people."""
        words = self.vocabulary
        return PeopleSpace.fit(
            self.features, self.person, self.condition, self.view_deg, words.identities, words.conditions, code_dim
        )

    def encode_people(self, space: PeopleSpace) -> PeopleSpace:
        """These people's places in a space that exists: the same encoder; people whom it knows keep their rows."""
        config, words = space.config, self.vocabulary
        placed = PeopleSpace(words.identities, config.conditions, config.view_deg, config.code_dim)
        codes = []
        for number, name in enumerate(words.identities):
            mine = self.person == number
            conditions = [words.conditions[index] for index in self.condition[mine]]
            known = space.row.get(name)
            seen = (self.features[mine], conditions, self.view_deg[mine].tolist())
            codes.append(space.encode(*seen) if known is None else space.codes[known])
        placed.load_state_dict({**space.state_dict(), "codes": torch.stack(codes).float()})
        return placed


class _Packed(NamedTuple):
    """Of a file of clips: rows of the keys that are in it, lengths, GEIs [n, 768], and a digest of names and pixels."""

    kept: NDArray[np.int64]
    lengths: NDArray[np.int64]
    features: NDArray[np.float32]
    digest: str


def readers() -> int:
    """How many processes of this machine map one file of clips: those of a ``torchrun``, else this one alone."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def _mapped(store: SilhouetteStore, keys: Sequence[ClipKey], cache: Path) -> tuple[NDArray[np.uint8], _Packed]:
    """Frames [sum of lengths, 64, 48], in one file that all processes of a ``torchrun`` on this machine map.

    Whichever comes first writes it, and the last one deletes its name; where one dies, the next one has the lock.
    """
    if readers() == 1:
        try:
            packed = _pack(store, keys, cache)
            return _map(cache, packed), packed
        finally:
            _delete([cache])
    # The number of torchrun's own process tells the files of this start from what a killed one left.
    start = f"{cache.stem}-{os.getppid()}-{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}-"
    asked = hashlib.blake2b(repr((store.root, list(map(str, keys)))).encode(), digest_size=8)
    file = cache.with_name(f"{start}{asked.hexdigest()}.u8")
    facts, seen = file.with_suffix(".npz"), file.with_suffix(".seen")
    with FileLock(cache.with_suffix(".lock"), str(cache), math.inf), refused_writes(file):
        _delete(path for path in cache.parent.glob(f"{cache.stem}-*") if not path.name.startswith(start))
        try:
            if not facts.is_file():  # written last
                with atomic_write(facts) as out:
                    np.savez(out, **_pack(store, keys, file)._asdict())
            with np.load(facts) as found:
                packed = _Packed(found["kept"], found["lengths"], found["features"], str(found["digest"]))
            mapped = _map(file, packed)
            with seen.open("ab") as marks:
                marks.write(b".")
            if seen.stat().st_size >= readers():
                _delete([file, facts, seen])
        except BaseException:
            _delete([file, facts, seen])
            raise
    return mapped, packed


def _map(file: Path, packed: _Packed) -> NDArray[np.uint8]:
    """Copy-on-write: nothing is read before it is drawn, and nothing we do reaches the file."""
    return np.memmap(file, np.uint8, "c", shape=(int(packed.lengths.sum()), HEIGHT, MIDDLE.stop - MIDDLE.start))


def _delete(files: Iterable[Path]) -> None:
    for file in files:
        with contextlib.suppress(OSError):
            file.unlink()


def _pack(store: SilhouetteStore, keys: Sequence[ClipKey], cache: Path) -> _Packed:
    """Write the middle columns of all clips that are long enough into one file."""
    found: list[tuple[int, int, NDArray[np.float32]]] = []
    digest = hashlib.blake2b(digest_size=8)
    with refused_writes(cache):
        cache.parent.mkdir(parents=True, exist_ok=True)
        with (
            ThreadPoolExecutor(max_workers=4) as pool,
            cache.open("wb") as file,
            tqdm(total=len(keys), desc="reading", unit="clip", delay=2, leave=False) as bar,
        ):
            for start in range(0, len(keys), CHUNK):
                chunk = keys[start : start + CHUNK]
                for row, (key, clip) in enumerate(zip(chunk, pool.map(store.read_real, chunk), strict=True), start):
                    bar.update()
                    if len(clip) < FRAMES:
                        continue
                    middle = np.ascontiguousarray(clip[:, :, MIDDLE])
                    file.write(middle.data)
                    digest.update(str(key).encode())
                    digest.update(middle.data)
                    found.append((row, len(clip), gei_features(clip)))
    if not found:
        raise DataError(f"{store.root}: none of {len(keys)} clips has {FRAMES} frames or more; longer ones are needed")
    if short := len(keys) - len(found):
        logger.warning("%d of %d clips are shorter than %d frames: left out", short, len(keys), FRAMES)
    kept, lengths, features = (np.array(column) for column in zip(*found, strict=True))
    return _Packed(kept, lengths, features, digest.hexdigest())


def drop_conditions(given: Conditioning, shares: Sequence[float], rng: np.random.Generator) -> Conditioning:
    """Classifier-free dropout (arXiv 2207.12598), on the CPU.

    ``shares`` says how often identity, condition and view are left out together; then each of them and the phase alone.
    """
    size = len(given.code)
    everything = rng.random(size) < shares[0]
    code, condition, view = (torch.from_numpy(everything | (rng.random(size) < p)) for p in shares[1:4])
    phase = torch.from_numpy(rng.random(size) < shares[4])
    return Conditioning(
        given.code.masked_fill(code[:, None], torch.nan),
        given.condition.masked_fill(condition, -1),
        given.view_deg.masked_fill(view, torch.nan),
        given.phase.masked_fill(phase[:, None], torch.nan),
    )

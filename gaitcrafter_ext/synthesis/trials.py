"""Trying people out: probe clips of each, made and embedded; and where the training people are.

Trials lie in a folder that processes share: each makes its own part of them first and then reads the others', or makes
what another one left undone. Where the training people are is computed once for weights and recogniser: what ships
lies beside the packaged recogniser, the rest in the user's cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import StorageError
from gaitcrafter_ext.generator.sampling import TILE
from gaitcrafter_ext.generator.weights import Card
from gaitcrafter_ext.hardware import Process
from gaitcrafter_ext.metrics.centroids import Centroids, find_centroids, greedily_unique, to_own_centroid
from gaitcrafter_ext.metrics.features import Features
from gaitcrafter_ext.recognition.filter_card import PACKAGED, FilterCard
from gaitcrafter_ext.silhouettes.files import atomic_write, cache_root
from gaitcrafter_ext.silhouettes.parallel import Shared
from gaitcrafter_ext.synthesis.identities import Identity, known_identity
from gaitcrafter_ext.synthesis.plan import FORMAT, ClipRequest, Sampling, make_request
from gaitcrafter_ext.vocabulary import ClipKey

if TYPE_CHECKING:
    from gaitcrafter_ext.synthesis.selection import Criteria, FilterRequest

Floats = NDArray[np.float32]
Progress = Callable[[int, int], None]

#: Makes the clips of some requests and embeds them: float32 [n, channels, parts].
Embedder = Callable[[Sequence[ClipRequest]], Floats]

#: Components by which the centroids of training people are kept: 0.6 MB of 1,000 people with 2,048 features.
RANK = 96


class Trials:
    """Features of people's probe clips, kept in ``shared`` where given.

    A probe clip is the clip of that name in a run of the same seed: what is judged is what is delivered.
    """

    def __init__(self, request: FilterRequest, embed: Embedder, shared: Shared | None = None) -> None:
        self.process = shared.process if shared else Process()
        self._request, self._embed, self._shared = request, embed, shared

    def features(self, people: Mapping[str, Identity], progress: Progress = lambda done, total: None) -> Features:
        """Try people out, ``TILE`` at a time; ``progress`` is called with (done, total) people."""
        names, probes = list(people), self._request.probes
        asked = [
            [
                make_request(ClipKey(name, take, view), people[name], probes.condition, degrees, self._request.sampling)
                for name in names[start : start + TILE]
                for take, (view, degrees) in product(probes.takes, probes.views.items())
            ]
            for start in range(0, len(names), TILE)
        ]
        found: dict[int, Floats] = {}
        for number in self._shared.own_first(len(asked)) if self._shared else range(len(asked)):
            progress(min(len(found) * TILE, len(names)), len(names))
            found[number] = self._recall(asked[number])
        keys = [each.key for requests in asked for each in requests]
        labels = np.array([(key.identity, key.take, key.view) for key in keys], dtype=str).reshape(-1, 3)
        return Features(np.concatenate([found[number] for number in range(len(asked))]), *labels.T)

    def _recall(self, requests: Sequence[ClipRequest]) -> Floats:
        """What is kept of some requests, or else is made now, unless another process is at it."""
        if self._shared is None:
            return self._embed(requests)
        networks = [self._request.weights, self._request.recogniser]
        question = [*networks, asdict(self._request.sampling), [asdict(each) for each in requests]]
        return self._shared.array(_fingerprint(question), len(requests), lambda: self._embed(requests))


def _fingerprint(facts: object) -> str:
    """32 hex digits of a SHA-256 of anything JSON can hold."""
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Tried:
    """Where people are who were tried out.

    ``own`` is the distance of each of their clips to the centroid of the same person's others, float32 [people, clips].
    """

    centroids: Centroids
    own: Floats

    @classmethod
    def of(cls, clips: Features) -> Tried:
        """From as many probe clips of each, one person after another."""
        centroids = find_centroids(clips)
        return cls(centroids, to_own_centroid(clips).reshape(len(centroids), -1))

    def consistency(self, criteria: Criteria) -> NDArray[np.float64]:
        """Share of each one's clips near their centroid, float64 [people]."""
        return np.asarray((self.own <= criteria.clip).mean(1))

    def control(self, criteria: Criteria) -> dict[str, int]:
        """How they would fare in the filter."""
        consistent = self.consistency(criteria) >= criteria.consistency
        unique = greedily_unique(self.centroids.vectors, criteria.unique)
        return {"people": len(self.own), "consistent": int(consistent.sum()), "unique": int(unique.sum())}

    def to_bytes(self) -> bytes:
        """A safetensors file in half precision: the centroids as their mean and :data:`RANK` principal components."""
        from safetensors.numpy import save

        mean = self.centroids.vectors.mean(0)
        left, scale, basis = np.linalg.svd(self.centroids.vectors - mean, full_matrices=False)
        half = {"scores": left[:, :RANK] * scale[:RANK], "basis": basis[:RANK], "own": self.own}
        tensors = {name: np.ascontiguousarray(values, np.float16) for name, values in half.items()}
        return bytes(save({"mean": mean, **tensors}))

    @classmethod
    def from_bytes(cls, content: bytes, names: Sequence[str]) -> Tried:
        """Of what :meth:`to_bytes` gave; raises ``ValueError`` where it is of other people."""
        from safetensors.numpy import load

        found = {name: values.astype(np.float32) for name, values in load(content).items()}
        vectors = found["mean"] + found["scores"] @ found["basis"]
        if not (len(names) == len(vectors) == len(found["own"]) and np.isfinite(vectors).all()):
            raise ValueError(f"not the places of {len(names)} people")
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return cls(Centroids(tuple(names), vectors), found["own"])


def known_people(
    card: Card,
    judge: FilterCard,
    request: FilterRequest,
    load: Callable[[Sampling], Embedder],
    shared: Shared | None = None,
    progress: Progress = lambda done, total: None,
) -> Tried:
    """The training people, as the weights make them: what a user has who has the weights and nothing else.

    Found where they were computed before, or else computed and kept; ``load`` is called only then. They are made by
    the request's sampler at seed 0 in fp32, whatever the request's own seed and precision.
    """
    from safetensors import SafetensorError

    sampling = replace(request.sampling, seed=0, precision="fp32")
    names = card.vocabulary.identities
    networks = [request.weights, judge.weights_sha256]
    facts = [FORMAT, RANK, *networks, asdict(sampling), asdict(request.probes), names, card.cadence]
    file = f"known-{_fingerprint(facts)[:16]}.safetensors"
    kept = cache_root() / "known" / file
    for path in (PACKAGED / file, kept):
        with contextlib.suppress(OSError, SafetensorError, KeyError, ValueError):  # not there, torn, of others
            return Tried.from_bytes(path.read_bytes(), names)
    people = {name: known_identity(name, card.cadence) for name in names}
    trials = Trials(replace(request, sampling=sampling), load(sampling), shared)
    content = Tried.of(trials.features(people, progress)).to_bytes()
    with contextlib.suppress(StorageError), atomic_write(kept) as out:  # else the next run places them again
        out.write(content)
    return Tried.from_bytes(content, names)

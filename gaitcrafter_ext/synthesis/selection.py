"""Choosing novel people before anything is planned: candidates are tried out until enough of them pass.

A candidate stays if it is

- *consistent*: enough of its clips lie within ``clip`` of the centroid of its other clips (C of DCFace, 2304.07060);
- *new*: its centroid is farther than ``known`` from that of every person the generator was trained on;
- *unique*: its centroid is farther than ``unique`` from that of every candidate that stayed before it (U, greedy).

They are asked in this order, and the first that fails is why the candidate fell: of clips that are not one person there
is no centroid to compare.

Processes that share a folder of trials make their own part of them first and then read the others', or make what
another one left undone. Where the training people are is computed once for weights and recogniser: what ships lies
beside the packaged recogniser, the rest in the user's cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice, product
from pathlib import Path
from typing import Annotated, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gaitcrafter_ext.errors import DataError, StorageError, UsageError
from gaitcrafter_ext.generator.sampling import TILE
from gaitcrafter_ext.generator.weights import Card
from gaitcrafter_ext.metrics.centroids import Centroids, find_centroids, greedily_unique, nearest, to_own_centroid
from gaitcrafter_ext.metrics.features import Features
from gaitcrafter_ext.recognition.filter_card import PACKAGED, FilterCard
from gaitcrafter_ext.records import fill, read_json, record
from gaitcrafter_ext.silhouettes.files import atomic_write, cache_root
from gaitcrafter_ext.silhouettes.parallel import Shared
from gaitcrafter_ext.synthesis.identities import BlendSettings, Identity, mixture, novel_series
from gaitcrafter_ext.synthesis.plan import FORMAT as PLAN_FORMAT
from gaitcrafter_ext.synthesis.plan import ClipRequest, Sampling, Stored, make_request
from gaitcrafter_ext.vocabulary import ClipKey, view_deg

Floats = NDArray[np.float32]
Progress = Callable[[int, int], None]

#: Makes the clips of some requests and embeds them: float32 [n, channels, parts].
Embedder = Callable[[Sequence[ClipRequest]], Floats]

#: Components by which the centroids of training people are kept: 0.6 MB of 1,000 people with 2,048 features.
RANK = 96

#: Version of the file's text.
FORMAT = 2

#: What becomes of a candidate.
Outcome = Literal["kept", "inconsistent", "known", "duplicate"]

#: Takes of each candidate that are tried, of the condition that hides nothing of the body where the weights know it.
TAKES, PLAIN = 2, "nm"

Share = Annotated[float, Field(ge=0, le=1)]


@record
class Criteria:
    """Thresholds: cosine distances, and the least share of a person's clips that must lie near their centroid."""

    clip: float
    consistency: Share
    known: float
    unique: float


@record
class Decision:
    """What became of a candidate, and why: ``consistency`` is the share of its clips near its centroid.

    ``nearest`` to it was one of the training people if it fell as known or none had stayed before it, else one of those
    that had, at that ``distance``.
    """

    name: str
    outcome: Outcome
    consistency: float
    nearest: str
    distance: float


@record
class Probes:
    """Which clips of each person are judged: take names, and view -> degrees as the weights understand them."""

    takes: tuple[str, ...]
    condition: str
    views: dict[str, float | None]


@record
class FilterSettings:
    """How many people are ``wanted``, of how many candidates at ``most``, by which thresholds.

    ``false_match_rate`` is the share of pairs of real people that they take for one, and so of good candidates that
    fall for each person they are compared to.
    """

    wanted: Annotated[int, Field(ge=1)]
    most: int
    false_match_rate: float = 0.01
    consistency: Share = 0.75


@record
class FilterRequest(Stored):
    """All that decides who stays; ``weights`` and ``recogniser`` are fingerprints."""

    weights: str
    recogniser: str
    settings: FilterSettings
    blend: BlendSettings
    sampling: Sampling
    probes: Probes


@record
class SelectedIdentities(Stored):
    """Who stays, and why: decisions on every candidate that was judged, in order.

    ``control`` says how the training people fare, as the weights make them: how many there are, how many of them are
    consistent, and how many would be kept as unique.
    """

    request: FilterRequest
    criteria: Criteria
    control: dict[str, int]
    notes: tuple[str, ...]
    decisions: tuple[Decision, ...]
    people: dict[str, Identity]
    format: int = FORMAT

    @property
    def counts(self) -> dict[str, int]:
        """How many candidates had each outcome."""
        outcomes = Counter(decision.outcome for decision in self.decisions)
        return {outcome: outcomes[outcome] for outcome in get_args(Outcome)}

    @property
    def short(self) -> int:
        """How many people are missing from what was wanted."""
        return self.request.settings.wanted - len(self.people)


def read_selected(path: Path) -> SelectedIdentities:
    """Read what ``filter --out`` wrote; ``DataError`` where it is something else, or of another version."""
    values = read_json(path)
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise DataError(f"{path}: not selected identities of version {FORMAT}; run 'filter' again")
    return fill(SelectedIdentities, values, path)


def selected_for(card: Card, path: Path, novel: int | None, option: str = "--{}") -> SelectedIdentities:
    """The people of a file that ``filter`` wrote, ``novel`` of them where a number was asked for.

    ``option`` is how the user writes options. ``UsageError`` where they were chosen for other weights, or are more or
    fewer.
    """
    selected = read_selected(path)
    if selected.request.weights != card.fingerprint:
        raise UsageError(
            f"{option.format('filter')}: the people of {path} were chosen for weights {selected.request.weights}, "
            f"these are {card.fingerprint}; run 'filter' again with these weights"
        )
    if novel not in (None, len(selected.people)):
        asked = option.format("novel")
        raise UsageError(f"{asked}: {novel}; {path} holds {len(selected.people)} people: leave {asked} out")
    return selected


def filter_request(
    card: Card, judge: FilterCard, settings: FilterSettings, blend: BlendSettings, sampling: Sampling
) -> FilterRequest:
    """Spell out a request; raises ``UsageError`` if a setting is out of its range."""
    if settings.wanted < 1:
        raise UsageError(f"--novel: {settings.wanted} people to choose; a filter needs 1 or more")
    if settings.most < settings.wanted:
        raise UsageError(f"--max-candidates: {settings.most}; allowed: {settings.wanted} (--novel) or more")
    judge.calibration.centre_radius(settings.false_match_rate)
    novel_series(card.vocabulary.identities, blend, card.cadence, card.code_dim)
    probes = choose_probes(card, judge.calibration.views)
    return FilterRequest(card.fingerprint, judge.fingerprint, settings, blend, sampling, probes)


def choose_probes(card: Card, calibrated: Sequence[str]) -> Probes:
    """Takes of plain walking at the views that the thresholds were calibrated on, or those nearest to them."""
    words = card.vocabulary
    condition = PLAIN if PLAIN in words.conditions else words.conditions[0]
    views: dict[str, float | None] = {}
    for wanted in map(view_deg, calibrated):
        apart = {  # views without an angle are all alike
            name: 360.0 if degrees is None else abs(degrees - wanted)
            for name, degrees in words.views.items()
            if name not in views
        }
        if apart:
            best = min(apart, key=lambda name: apart[name])
            views[best] = words.views[best]
    return Probes(tuple(card.dataset.take_names({condition: TAKES})), condition, views)


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


@dataclass(frozen=True)
class Trials:
    """People tried out by their probe clips, whose features are kept in ``shared``.

    A probe clip is the clip of that name in a run of the same seed: what is judged is what is delivered.
    """

    request: FilterRequest
    embed: Embedder
    shared: Shared

    def tried(self, people: Mapping[str, Identity], progress: Progress = lambda done, total: None) -> Tried:
        """Try people out, ``TILE`` at a time; ``progress`` is called with (done, total) people."""
        names, probes = list(people), self.request.probes
        asked = [
            [
                make_request(ClipKey(name, take, view), people[name], probes.condition, degrees, self.request.sampling)
                for name in names[start : start + TILE]
                for take, (view, degrees) in product(probes.takes, probes.views.items())
            ]
            for start in range(0, len(names), TILE)
        ]
        found: dict[int, Floats] = {}
        for number in self.shared.own_first(len(asked)):
            progress(min(len(found) * TILE, len(names)), len(names))
            found[number] = self._recall(asked[number])
        keys = [each.key for requests in asked for each in requests]
        labels = np.array([(key.identity, key.take, key.view) for key in keys], dtype=str).reshape(-1, 3)
        return Tried.of(Features(np.concatenate([found[number] for number in range(len(asked))]), *labels.T))

    def _recall(self, requests: Sequence[ClipRequest]) -> Floats:
        """What is kept of some requests, or else is made now, unless another process is at it."""
        networks = [self.request.weights, self.request.recogniser]
        question = [*networks, asdict(self.request.sampling), [asdict(each) for each in requests]]
        return self.shared.array(_fingerprint(question), len(requests), lambda: self.embed(requests))


def _fingerprint(facts: object) -> str:
    """32 hex digits of a SHA-256 of anything JSON can hold."""
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


class IdentityFilter:
    """Decides on candidates in order; those it keeps decide on those that come after, as the training people do."""

    def __init__(self, criteria: Criteria, known: Centroids) -> None:
        self.criteria, self.known = criteria, known
        self.kept = Centroids((), known.vectors[:0])

    def decide(self, name: str, centroid: NDArray[np.float32], consistency: float) -> Decision:
        """Keep a candidate at ``centroid``, a unit vector [D], or say why not."""
        other, distance = nearest(centroid, self.known)
        if consistency < self.criteria.consistency:
            return Decision(name, "inconsistent", consistency, other, distance)
        if distance <= self.criteria.known:
            return Decision(name, "known", consistency, other, distance)
        if len(self.kept):
            other, distance = nearest(centroid, self.kept)
            if distance <= self.criteria.unique:
                return Decision(name, "duplicate", consistency, other, distance)
        self.kept = Centroids((*self.kept.names, name), np.concatenate([self.kept.vectors, centroid[None]]))
        return Decision(name, "kept", consistency, other, distance)

    def decide_all(self, tried: Tried, wanted: float = math.inf) -> list[Decision]:
        """Decisions on people in order, until so many are kept."""
        decisions, shares = list[Decision](), tried.consistency(self.criteria).tolist()
        for name, centroid, share in zip(tried.centroids.names, tried.centroids.vectors, shares, strict=True):
            if len(self.kept) < wanted:
                decisions.append(self.decide(name, centroid, share))
        return decisions


@dataclass(frozen=True)
class Screening:
    """A filter at work: the weights' card, the recogniser's, what is asked, what loads both networks, and the trials.

    ``load`` is called only where someone has to be tried out; ``shared`` keeps what came of it.
    """

    card: Card
    judge: FilterCard
    request: FilterRequest
    load: Callable[[Sampling], Embedder]
    shared: Shared

    @property
    def criteria(self) -> Criteria:
        """The thresholds at the request's false match rate, and the leak radius of so many training people."""
        real, settings = self.judge.calibration, self.request.settings
        return Criteria(
            clip=real.clip_radius(settings.false_match_rate),
            consistency=settings.consistency,
            known=real.leak_radius(len(self.card.vocabulary.identities)),
            unique=real.centre_radius(settings.false_match_rate),
        )

    def trials(self, sampling: Sampling | None = None) -> Trials:
        """What tries people out, by the request's sampling if by no other."""
        request = replace(self.request, sampling=sampling or self.request.sampling)
        return Trials(request, self.load(request.sampling), self.shared)

    def known(self, progress: Progress = lambda done, total: None) -> Tried:
        """The training people, as the weights make them: what a user has who has the weights and nothing else.

        Found where they were computed before, or else computed and kept. They are made by the request's sampler at
        seed 0 in fp32, whatever the request's own seed and precision.
        """
        from safetensors import SafetensorError

        sampling = replace(self.request.sampling, seed=0, precision="fp32")
        names, cadence = self.card.vocabulary.identities, self.card.cadence
        networks, probes = [self.request.weights, self.judge.weights_sha256], asdict(self.request.probes)
        facts = [PLAN_FORMAT, RANK, *networks, asdict(sampling), probes, names, cadence]
        file = f"known-{_fingerprint(facts)[:16]}.safetensors"
        kept = cache_root() / "known" / file
        for path in (PACKAGED / file, kept):
            with contextlib.suppress(OSError, SafetensorError, KeyError, ValueError):  # not there, torn, of others
                return Tried.from_bytes(path.read_bytes(), names)
        people = {name: mixture({name: 1.0}, cadence) for name in names}
        content = self.trials(sampling).tried(people, progress).to_bytes()
        with contextlib.suppress(StorageError), atomic_write(kept) as out:  # else the next run places them again
            out.write(content)
        return Tried.from_bytes(content, names)

    def select(self, known: Tried, progress: Progress = lambda done, total: None) -> SelectedIdentities:
        """Try out candidates, in the order of their numbers, until enough pass or all that may be tried were.

        ``progress`` is called with (done, total) people that passed.
        """
        settings, card, trials = self.request.settings, self.card, self.trials()
        sieve, decisions = IdentityFilter(self.criteria, known.centroids), list[Decision]()
        people: dict[str, Identity] = {}
        series = novel_series(card.vocabulary.identities, self.request.blend, card.cadence, card.code_dim)
        while len(sieve.kept) < settings.wanted and len(people) < settings.most:
            progress(len(sieve.kept), settings.wanted)
            tiles = min(self.shared.process.count, math.ceil((settings.wanted - len(sieve.kept)) / TILE))
            candidates = dict(islice(series, min(tiles * TILE, settings.most - len(people))))
            people |= candidates
            decisions += sieve.decide_all(trials.tried(candidates), settings.wanted)
        kept, control = {name: people[name] for name in sieve.kept.names}, known.control(self.criteria)
        return SelectedIdentities(self.request, self.criteria, control, self.notes, tuple(decisions), kept)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the figures should know, a line each."""
        notes, real = list[str](), self.judge.calibration
        shared = {name.partition("/")[2] for name in self.judge.people} & set(self.card.vocabulary.identities)
        if shared and self.judge.training.get("dataset") == self.card.trained_on.dataset:
            notes.append(
                f"the recogniser was trained on {len(shared)} of the weights' people too; it tells them apart best"
            )
        if set(self.request.probes.views) != set(real.views):
            views = ", ".join(real.views)
            notes.append(f"the thresholds were calibrated at views {views}, which the weights do not know by that name")
        if real.unique and real.alone:
            group, share = next(iter(real.alone.items()))
            of = ", ".join(f"{kept:.0%} of {size}" for size, kept in real.unique.items())
            notes.append(
                f"for comparison, real people whom the recogniser never saw, at a rate of 0.01: {of} are unique; "
                f"{1 - share:.0%} are too near one of {group} others"
            )
        return tuple(notes)

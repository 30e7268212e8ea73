"""Choosing novel people before anything is planned: candidates are tried out until enough of them pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.generator.card import Card
from gaitcrafter_ext.generator.shape import TILE
from gaitcrafter_ext.identities.codes import BlendSettings, known_recipe, novel_identities
from gaitcrafter_ext.identities.selection import Criteria, Sieve, Verdict, shares_within
from gaitcrafter_ext.metrics.centroids import Centroids, find_centroids, greedily_unique, to_own_centroid
from gaitcrafter_ext.metrics.features import Features
from gaitcrafter_ext.recognition.filter_card import FilterCard
from gaitcrafter_ext.synthesis.frozen import FilterRequest, FilterSettings, FrozenIdentities
from gaitcrafter_ext.synthesis.plan import Sampling
from gaitcrafter_ext.synthesis.probing import Trier, choose_probes, try_out

__all__ = ["Known", "criteria_of", "filter_request", "notes_of", "select_identities", "try_known", "try_people"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Known:
    """The training people, as the weights make them: what a user has who has the weights and nothing else.

    Attributes:
        centres: Their centres.
        consistency: Share of each one's clips near their own centre.
    """

    centres: Centroids
    consistency: Mapping[str, float]

    def control(self, criteria: Criteria) -> dict[str, int]:
        """How they would fare in the filter."""
        consistent = sum(share >= criteria.consistency for share in self.consistency.values())
        unique = int(greedily_unique(self.centres.vectors, criteria.unique).sum())
        return {"people": len(self.centres), "consistent": consistent, "unique": unique}


def filter_request(
    card: Card, judge: FilterCard, settings: FilterSettings, blend: BlendSettings, sampling: Sampling
) -> FilterRequest:
    """Spell out a request, after checking it.

    Raises:
        UsageError: A setting is out of its range; the message names the option.
    """
    if settings.wanted < 1:
        raise UsageError(f"--novel: {settings.wanted} people to choose; a filter needs 1 or more")
    if settings.most < settings.wanted:
        raise UsageError(f"--max-candidates: {settings.most}; allowed: {settings.wanted} (--novel) or more")
    if not 0 <= settings.consistency <= 1:
        raise UsageError(f"--consistency: {settings.consistency:g}; allowed: 0 to 1")
    judge.calibration.centre_radius(settings.false_match_rate)
    novel_identities(1, card.vocabulary.identities, blend.seed, blend.parents, blend.concentration, blend.strategy)
    probes = choose_probes(card.vocabulary, judge.calibration.views)
    return FilterRequest(card.fingerprint, judge.fingerprint, settings, blend, sampling, probes)


def criteria_of(judge: FilterCard, settings: FilterSettings) -> Criteria:
    """The thresholds at a request's false match rate."""
    radius = judge.calibration.centre_radius(settings.false_match_rate)
    return Criteria(
        clip=judge.calibration.clip_radius(settings.false_match_rate),
        consistency=settings.consistency,
        known=radius,
        unique=radius,
    )


def select_identities(
    card: Card,
    judge: FilterCard,
    request: FilterRequest,
    tries: Trier,
    progress: Progress = lambda done, total: None,
) -> FrozenIdentities:
    """Try out candidates, in the order of their numbers, until enough pass or all that may be tried were.

    Args:
        card: Of the weights.
        judge: Card of the recogniser.
        request: What to choose.
        tries: Makes and embeds clips.
        progress: Called with (done, total) people: the training people, then those that passed.
    """
    settings, blend, subjects = request.settings, request.blend, card.vocabulary.identities
    criteria, total = criteria_of(judge, settings), len(subjects) + settings.wanted
    known = try_known(card, request, criteria, tries, lambda done, _: progress(done, total))
    sieve, verdicts = Sieve(criteria, known.centres), list[Verdict]()
    candidates = novel_identities(
        settings.most, subjects, blend.seed, blend.parents, blend.concentration, blend.strategy
    )
    recipes = {person.name: person.recipe for person in candidates}
    for names in _chunks(tuple(recipes)):
        clips = try_out({name: recipes[name] for name in names}, request.probes, request.sampling.seed, tries)
        verdicts += _judge(sieve, clips, settings.wanted)
        progress(len(subjects) + len(sieve.kept), total)
        if len(sieve.kept) == settings.wanted:
            break
    kept = {name: recipes[name] for name in sieve.kept}
    notes = notes_of(card, judge, request)
    return FrozenIdentities(request, criteria, known.control(criteria), notes, tuple(verdicts), kept)


def notes_of(card: Card, judge: FilterCard, request: FilterRequest) -> tuple[str, ...]:
    """What a reader of a filter's figures should know, a line each."""
    notes, trained_on = list[str](), {name.partition("/")[2] for name in judge.people}
    if judge.training.get("dataset") == card.trained_on.dataset:
        shared = len(trained_on & set(card.vocabulary.identities))
        if shared:
            notes.append(f"the recogniser was trained on {shared} of the weights' people too; it tells them apart best")
    if set(request.probes.views) != set(judge.calibration.views):
        views = ", ".join(judge.calibration.views)
        notes.append(f"the thresholds were calibrated at views {views}, which the weights do not know by that name")
    told = judge.calibration
    if told.unique and told.alone:
        group, share = next(iter(told.alone.items()))
        of = ", ".join(f"{kept:.0%} of {size}" for size, kept in told.unique.items())
        notes.append(
            f"for comparison, real people whom the recogniser never saw, at a rate of 0.01: {of} are unique; "
            f"{1 - share:.0%} are too near one of {group} others"
        )
    return tuple(notes)


def try_known(card: Card, request: FilterRequest, criteria: Criteria, tries: Trier, progress: Progress) -> Known:
    """Try out the people whom the weights know."""
    people = {name: known_recipe(name) for name in card.vocabulary.identities}
    clips = try_people(people, request, tries, progress)
    return Known(find_centroids(clips), shares_within(to_own_centroid(clips), clips.identity, criteria.clip))


def try_people(
    people: Mapping[str, Mapping[str, float]],
    request: FilterRequest,
    tries: Trier,
    progress: Progress = lambda done, total: None,
) -> Features:
    """Trial clips of people, some at a time; ``progress`` is told (done, total) people."""
    parts = list[Features]()
    for start, names in zip(range(0, len(people), TILE), _chunks(tuple(people)), strict=True):
        progress(start, len(people))
        chunk = {name: people[name] for name in names}
        parts.append(try_out(chunk, request.probes, request.sampling.seed, tries))
    return Features(
        np.concatenate([part.embeddings for part in parts]),
        np.concatenate([part.identity for part in parts]),
        np.concatenate([part.take for part in parts]),
        np.concatenate([part.view for part in parts]),
    )


def _judge(sieve: Sieve, clips: Features, wanted: int) -> list[Verdict]:
    """Verdicts on the people of some clips, until enough were kept."""
    centres = find_centroids(clips)
    shares = shares_within(to_own_centroid(clips), clips.identity, sieve.criteria.clip)
    verdicts = list[Verdict]()
    for name, centre in zip(centres.names, centres.vectors, strict=True):
        if len(sieve.kept) < wanted:
            verdicts.append(sieve.judge(name, centre, shares[name]))
    return verdicts


def _chunks(names: Sequence[str]) -> list[Sequence[str]]:
    """As many people at a time as a tile has clips: tiles and the embedding's batches come out even."""
    return [names[start : start + TILE] for start in range(0, len(names), TILE)]

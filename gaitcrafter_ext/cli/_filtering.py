"""What ``filter`` and ``synthesize --filter`` share: thresholds, choosing, and what is said of it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gaitcrafter_ext.cli._generating import MOST_PEOPLE, blend_of
from gaitcrafter_ext.cli._options import Progress, at_least, number
from gaitcrafter_ext.errors import GaitCrafterError, UsageError
from gaitcrafter_ext.generator.weights import Card
from gaitcrafter_ext.recognition.filter_card import BUNDLED, FilterCard, locate_filter, read_filter_card
from gaitcrafter_ext.silhouettes.parallel import Shared
from gaitcrafter_ext.synthesis.plan import Sampling
from gaitcrafter_ext.synthesis.run import pipeline_sampler
from gaitcrafter_ext.synthesis.selection import (
    Embedder,
    FilterRequest,
    FilterSettings,
    SelectedIdentities,
    Trials,
    Tried,
    filter_request,
    known_people,
    select_identities,
)

#: Candidates for each person wanted, at most, unless --max-candidates says otherwise.
PATIENCE = 20

#: What the options of a filter say where they are left out.
DEFAULTS = {"false_match_rate": 0.01, "consistency": 0.75, "max_candidates": None, "recogniser": BUNDLED}


def add_thresholds(parser: argparse.ArgumentParser) -> None:
    """Who passes a filter."""
    parser.set_defaults(**DEFAULTS)
    add = parser.add_argument_group("filter").add_argument
    rate = "two people count as one if nearer than this share of pairs of real people (default: %(default)s)"
    add("--false-match-rate", type=number(0, 1), metavar="R", help=rate)
    share = "least share of a candidate's clips near the centroid of its others (default: %(default)s)"
    add("--consistency", type=number(0, 1), metavar="C", help=share)
    most = f"candidates to judge at most (default: {PATIENCE} times --novel)"
    add("--max-candidates", type=at_least(1, PATIENCE * MOST_PEOPLE), metavar="M", help=most)
    add("--recogniser", metavar="NAME|DIR", help="who judges (default: %(default)s)")


def refuse_idle_thresholds(args: argparse.Namespace) -> None:
    """Refuse options of a filter where none is asked for."""
    given = [name.replace("_", "-") for name, default in DEFAULTS.items() if getattr(args, name) != default]
    if given and args.filter is None:
        raise UsageError(f"--{given[0]}: only with --filter; add it, or leave --{given[0]} out")


@dataclass(frozen=True)
class Filtering:
    """What the options ask for, and both networks, which load when someone has to be tried out."""

    request: FilterRequest
    judge: FilterCard
    card: Card
    weights: Path
    recogniser: Path
    device: str

    @classmethod
    def of(cls, args: argparse.Namespace, weights: Path, card: Card, wanted: int, sampling: Sampling) -> Filtering:
        """Read the options; raises ``UsageError`` where one is out of its range."""
        recogniser = locate_filter(args.recogniser)
        judge = read_filter_card(recogniser)
        most = PATIENCE * wanted if args.max_candidates is None else args.max_candidates
        settings = FilterSettings(wanted, most, args.false_match_rate, args.consistency)
        request = filter_request(card, judge, settings, blend_of(args, card), sampling)
        return cls(request, judge, card, weights, recogniser, args.device)

    def choose(self, shared: Shared) -> SelectedIdentities:
        """Choose, with a bar on stderr; all processes that share the trials find the same people."""
        known, trials = self.try_out(shared)
        with Progress("choosing people", "person") as bar:
            return select_identities(self.card, self.judge, self.request, known, trials, bar)

    def try_out(self, shared: Shared) -> tuple[Tried, Trials]:
        """The training people, and what tries others."""
        with Progress("placing the training people (once)", "person") as bar:
            known = known_people(self.card, self.judge, self.request, self.load, shared, bar)
        return known, Trials(self.request, self.load(self.request.sampling), shared)

    def load(self, sampling: Sampling) -> Embedder:
        """Both networks: makes clips and embeds them."""
        from gaitcrafter_ext.recognition.embedding import load_embedder

        sample = pipeline_sampler(self.weights, sampling, self.device)
        embed = load_embedder(self.recogniser, self.device)
        return lambda requests: embed(sample(requests))


def facts_of(selected: SelectedIdentities) -> dict[str, Any]:
    """What became of the candidates, for machines."""
    return {"asked": selected.request.settings.wanted, "judged": len(selected.decisions), **selected.counts}


def lines_of(selected: SelectedIdentities) -> list[str]:
    """What became of the candidates, in words."""
    counts, criteria, control = selected.counts, selected.criteria, selected.control
    rate = f"{selected.request.settings.false_match_rate:.2g}"
    return [
        f"{selected.request.settings.wanted} people asked for, {len(selected.decisions)} candidates judged, "
        f"{counts['kept']} kept",
        f"fell: {counts['inconsistent']} inconsistent (fewer than {criteria.consistency:.0%} of the clips within "
        f"{criteria.clip:.3g} of their centroid), {counts['known']} too near a training person (within "
        f"{criteria.known:.3g}), {counts['duplicate']} too near one that was kept (within {criteria.unique:.3g})",
        f"of real people whom the recogniser never saw, a share of {rate} of the pairs is nearer, and 5% are as near "
        "to one of as many others as there are training people",
        f"control: of the {control['people']} training people, as these weights make them, {control['consistent']} are "
        f"consistent and {control['unique']} unique",
        *selected.notes,
    ]


def refuse_shortfall(selected: SelectedIdentities) -> None:
    """Raise ``GaitCrafterError`` if fewer passed than were asked for."""
    if selected.short:
        raise GaitCrafterError(
            f"--novel: {len(selected.people)} of the {selected.request.settings.wanted} people asked for, after "
            f"{len(selected.decisions)} candidates (--max-candidates); raise it, or loosen --false-match-rate or "
            "--consistency"
        )

"""What ``synthesize`` and ``filter`` share: who is blended, how clips are sampled, and choosing people."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any, Literal

from gaitcrafter_ext.cli._options import Progress, at_least, number, options
from gaitcrafter_ext.errors import GaitCrafterError, UsageError
from gaitcrafter_ext.generator.sampling import FRAMES, LONGEST, PRECISIONS, SAMPLER_NAMES, SHORTEST, check_sampler
from gaitcrafter_ext.generator.weights import Card
from gaitcrafter_ext.recognition.filter_card import BUNDLED, locate_filter, read_filter_card
from gaitcrafter_ext.silhouettes.parallel import Shared
from gaitcrafter_ext.synthesis.identities import PARENTS, STRATEGIES, BlendSettings, usual_parents
from gaitcrafter_ext.synthesis.plan import Sampling, sampling_by
from gaitcrafter_ext.synthesis.run import DEVICES, pipeline_sampler
from gaitcrafter_ext.synthesis.selection import (
    Embedder,
    FilterSettings,
    Screening,
    SelectedIdentities,
    Tried,
    filter_request,
)

#: Novel people of one run, several times the largest gait dataset; another --identity-seed makes others.
MOST_PEOPLE = 100_000

#: Candidates for each person wanted, at most, unless --max-candidates says otherwise.
PATIENCE = 20

#: What the options of a filter say where they are left out.
DEFAULTS = {"false_match_rate": 0.01, "consistency": 0.75, "max_candidates": None, "recogniser": BUNDLED}


def add_blending(group: argparse._ArgumentGroup) -> None:
    """How novel people are made."""
    add, default = options(group), BlendSettings()
    ways = f"how novel people are made: {', '.join(STRATEGIES)} (default: even; draw: from the space, no parents)"
    add("--blend", ways, default=default.strategy, metavar="HOW")
    add("--blend-parents", f"known people in a novel one (default: {PARENTS})", type=at_least(2), metavar="K")
    shares = "Dirichlet parameter of their shares: large = equal, small = one parent rules (default: %(default)g)"
    above = number(0, 1e6, above=True)
    add("--concentration", shares, type=above, default=default.concentration, metavar="A")
    add("--identity-seed", "who is blended (default: 0)", type=at_least(0), default=0, metavar="S")


def blend_of(args: argparse.Namespace, card: Card) -> BlendSettings:
    """What ``add_blending``'s options say."""
    parents = args.blend_parents or usual_parents(len(card.vocabulary.identities))
    return BlendSettings(parents, args.concentration, args.identity_seed, args.blend)


def add_sampling(group: argparse._ArgumentGroup) -> None:
    """How clips are sampled."""
    add = options(group)
    length = f"frames a clip, {SHORTEST} to {LONGEST} (default: %(default)s)"
    add("--frames", length, type=at_least(SHORTEST, LONGEST), default=FRAMES, metavar="T")
    pace = "gait cycle: so many frames, or a factor on each person's own, e.g. x1.2 = slower (default: their own)"
    add("--cadence", pace, default="", metavar="FRAMES|xFACTOR")
    add("--seed", "of the clips' noise (default: 0)")
    add("--steps", "sampling steps (default: the weights')", type=at_least(1, 1000), metavar="N")
    add("--sampler", f"{', '.join(SAMPLER_NAMES)} (default: the weights')", metavar="NAME")
    towards = "guidance towards what is asked for, 1 = none (default: the weights')"
    add("--guidance", towards, type=number(0, 100), metavar="W")
    scale = "how far people stand from the average one: 1 = as trained, more = more distinct (default: the weights')"
    add("--identity-scale", scale, type=number(0, 10), metavar="S")
    auto = "auto: bf16 where the device multiplies it fast, else fp32; the plan keeps which (default: %(default)s)"
    add("--precision", auto, choices=("auto", *PRECISIONS))
    add("--device", choices=DEVICES)


def sampling_of(args: argparse.Namespace, card: Card, size: Literal[64, 128] = 64) -> Sampling:
    """What ``add_sampling``'s options say, completed by the weights' defaults; ``auto`` stays for later.

    Raises:
        UsageError: There is no such sampler or cadence, or distilled weights have others baked in.
    """
    sampler = check_sampler(args.sampler) if args.sampler else None
    others = {name: getattr(args, name) for name in ("seed", "frames", "precision", "cadence")}
    return sampling_by(card, sampler, args.steps, args.guidance, args.identity_scale, size=size, **others)


def add_thresholds(parser: argparse.ArgumentParser) -> None:
    """Who passes a filter."""
    parser.set_defaults(**DEFAULTS)
    add = options(parser.add_argument_group("filter"))
    rate = "two people count as one if nearer than this share of pairs of real people (default: %(default)s)"
    add("--false-match-rate", rate, type=number(0, 1), metavar="R")
    share = "least share of a candidate's clips near the centroid of its others (default: %(default)s)"
    add("--consistency", share, type=number(0, 1), metavar="C")
    most = f"candidates to judge at most (default: {PATIENCE} times --novel)"
    add("--max-candidates", most, type=at_least(1, PATIENCE * MOST_PEOPLE), metavar="M")
    add("--recogniser", "who judges (default: %(default)s)", metavar="NAME|DIR")


def refuse_idle_thresholds(args: argparse.Namespace) -> None:
    """Refuse options of a filter where none is asked for."""
    given = [name.replace("_", "-") for name, default in DEFAULTS.items() if getattr(args, name) != default]
    if given and args.filter is None:
        raise UsageError(f"--{given[0]}: only with --filter; add it, or leave --{given[0]} out")


def screening_of(
    args: argparse.Namespace, weights: Path, card: Card, wanted: int, sampling: Sampling, shared: Shared
) -> Screening:
    """The filter that the options ask for; raises ``UsageError`` where one is out of its range."""
    recogniser = locate_filter(args.recogniser)
    judge = read_filter_card(recogniser)
    most = PATIENCE * wanted if args.max_candidates is None else args.max_candidates
    settings = FilterSettings(wanted, most, args.false_match_rate, args.consistency)
    request = filter_request(card, judge, settings, blend_of(args, card), sampling)
    return Screening(card, judge, request, partial(load_networks, weights, recogniser, args.device), shared)


def load_networks(weights: Path, recogniser: Path, device: str, sampling: Sampling) -> Embedder:
    """What makes clips and embeds them."""
    from gaitcrafter_ext.recognition.embedding import load_embedder

    sample, embed = pipeline_sampler(weights, sampling, device), load_embedder(recogniser, device)
    return lambda requests: embed(sample(requests))


def place_known(screening: Screening) -> Tried:
    """Where the training people are."""
    with Progress("placing the training people (once)", "person") as bar:
        return screening.known(bar)


def choose_people(screening: Screening) -> SelectedIdentities:
    """Choose, with a bar on stderr; all processes that share the trials find the same people."""
    known = place_known(screening)
    with Progress("choosing people", "person") as bar:
        return screening.select(known, bar)


def facts_of(selected: SelectedIdentities) -> dict[str, Any]:
    """What became of the candidates, for machines."""
    return {"asked": selected.request.settings.wanted, "judged": len(selected.decisions), **selected.counts}


def lines_of(selected: SelectedIdentities) -> list[str]:
    """What became of the candidates, in words."""
    counts, criteria, control = selected.counts, selected.criteria, selected.control
    settings = selected.request.settings
    return [
        f"{settings.wanted} people asked for, {len(selected.decisions)} candidates judged, {counts['kept']} kept",
        f"fell: {counts['inconsistent']} inconsistent (fewer than {criteria.consistency:.0%} of the clips within "
        f"{criteria.clip:.3g} of their centroid), {counts['known']} too near a training person (within "
        f"{criteria.known:.3g}), {counts['duplicate']} too near one that was kept (within {criteria.unique:.3g})",
        f"of real people whom the recogniser never saw, a share of {settings.false_match_rate:.2g} of the pairs is "
        "nearer, and 5% are as near to one of as many others as there are training people",
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

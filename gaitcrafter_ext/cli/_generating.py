"""Options of the commands that make clips: who is blended, how clips are sampled."""

from __future__ import annotations

import argparse
from typing import Literal

from gaitcrafter_ext.cli._options import at_least, number
from gaitcrafter_ext.errors import UsageError, suggest
from gaitcrafter_ext.generator.sampling import FRAMES, LONGEST, PRECISIONS, SAMPLER_NAMES, SHORTEST, check_sampler
from gaitcrafter_ext.generator.weights import Card
from gaitcrafter_ext.synthesis.identities import PARENTS, STRATEGIES, BlendSettings
from gaitcrafter_ext.synthesis.plan import Sampling, sampling_by
from gaitcrafter_ext.synthesis.run import DEVICES

#: Novel people of one run, several times the largest gait dataset; another --identity-seed makes others.
MOST_PEOPLE = 100_000

Group = argparse._ArgumentGroup


def add_blending(group: Group) -> None:
    """How novel people are made."""
    add, default = group.add_argument, BlendSettings()
    ways = f"{', '.join(STRATEGIES)} (default: {default.strategy}; draw: from the space, no parents)"
    add("--blend", default=default.strategy, metavar="HOW", help=f"how novel people are made: {ways}")
    parents = f"known people in a novel one (default: {PARENTS})"
    add("--blend-parents", type=at_least(2), metavar="K", help=parents)
    shares = (
        "Dirichlet parameter of their shares: large = equal shares, small = one parent rules (default: %(default)g)"
    )
    above = number(0, 1e6, above=True)
    add("--concentration", type=above, default=default.concentration, metavar="A", help=shares)
    add("--identity-seed", type=at_least(0), default=0, metavar="S", help="who is blended (default: 0)")


def blend_of(args: argparse.Namespace, card: Card) -> BlendSettings:
    """What ``add_blending``'s options say; raises ``UsageError`` if there is no such strategy."""
    if args.blend not in STRATEGIES:
        raise UsageError(f"--blend: unknown '{args.blend}'; {suggest(args.blend, STRATEGIES)}")
    parents = args.blend_parents or min(PARENTS, max(2, len(card.vocabulary.identities)))
    return BlendSettings(parents, args.concentration, args.identity_seed, args.blend)


def add_sampling(group: Group) -> None:
    """How clips are sampled."""
    add = group.add_argument
    length = f"frames a clip, {SHORTEST} to {LONGEST} (default: %(default)s)"
    add("--frames", type=at_least(SHORTEST, LONGEST), default=FRAMES, metavar="T", help=length)
    pace = "gait cycle: so many frames, or a factor on each person's own, e.g. x1.2 = slower (default: their own)"
    add("--cadence", default="", metavar="FRAMES|xFACTOR", help=pace)
    add("--seed", type=at_least(0), default=0, metavar="S", help="of the clips' noise (default: 0)")
    add("--steps", type=at_least(1, 1000), metavar="N", help="sampling steps (default: the weights')")
    add("--sampler", metavar="NAME", help=f"{', '.join(SAMPLER_NAMES)} (default: the weights')")
    towards = "guidance towards what is asked for, 1 = none (default: the weights')"
    add("--guidance", type=number(0, 100), metavar="W", help=towards)
    scale = "how far people stand from the average one: 1 = as trained, more = more distinct (default: the weights')"
    add("--identity-scale", type=number(0, 10), metavar="S", help=scale)
    auto = "auto: bf16 where the device multiplies it fast, else fp32; the plan keeps which (default: %(default)s)"
    add("--precision", choices=("auto", *PRECISIONS), default="auto", help=auto)
    add("--device", choices=DEVICES, default="auto", help="default: a GPU where there is one")


def sampling_of(args: argparse.Namespace, card: Card, size: Literal[64, 128] = 64) -> Sampling:
    """What ``add_sampling``'s options say, completed by the weights' defaults; ``auto`` stays for later.

    Raises:
        UsageError: There is no such sampler or cadence, or distilled weights have others baked in.
    """
    sampler = check_sampler(args.sampler) if args.sampler else None
    others = {name: getattr(args, name) for name in ("seed", "frames", "precision", "cadence")}
    return sampling_by(card, sampler, args.steps, args.guidance, args.identity_scale, size=size, **others)

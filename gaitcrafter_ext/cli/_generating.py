"""Options of the commands that make clips: who is blended, how clips are sampled."""

from __future__ import annotations

import argparse

from gaitcrafter_ext.cli._options import at_least, number
from gaitcrafter_ext.generator.card import Card
from gaitcrafter_ext.generator.samplers import PRECISIONS, SAMPLER_NAMES, check_sampler
from gaitcrafter_ext.generator.shape import FRAMES
from gaitcrafter_ext.identities.codes import STRATEGIES, BlendSettings
from gaitcrafter_ext.synthesis.plan import Sampling
from gaitcrafter_ext.synthesis.redrawing import MOST_REDRAWS, redraws_of
from gaitcrafter_ext.synthesis.sampler import DEVICES

__all__ = ["MOST_PEOPLE", "add_blending", "add_sampling", "blend_of", "sampling_of"]

#: Parents of a novel person. Of blends of two, 7 % pass a filter: nearly all are too near a parent. Of five, 40 % pass.
PARENTS, FILTERED_PARENTS = 2, 5

#: Novel people of one run, several times the largest gait dataset; another --identity-seed makes others.
MOST_PEOPLE = 100_000

Group = argparse._ArgumentGroup


def add_blending(group: Group) -> None:
    """How novel people are made of known ones."""
    group.add_argument(
        "--blend",
        default="even",
        metavar="HOW",
        help=f"how parents are blended: {', '.join(STRATEGIES)} (default: even)",
    )
    group.add_argument(
        "--blend-parents",
        type=at_least(2),
        metavar="K",
        help=f"known people in a novel one (default: {PARENTS}, or {FILTERED_PARENTS} where a filter chooses)",
    )
    group.add_argument(
        "--concentration",
        type=number(0, 1e6, above=True),
        default=5.0,
        metavar="A",
        help="Dirichlet parameter of their shares: large = equal shares, small = one parent rules (default: 5)",
    )
    group.add_argument("--identity-seed", type=at_least(0), default=0, metavar="S", help="who is blended (default: 0)")


def blend_of(args: argparse.Namespace, card: Card, *, filtered: bool) -> BlendSettings:
    """What ``add_blending``'s options say; where they are silent, what goes with a filter or without one."""
    parents = args.blend_parents
    if parents is None:
        parents = min(FILTERED_PARENTS, len(card.vocabulary.identities)) if filtered else PARENTS
    return BlendSettings(parents, args.concentration, args.identity_seed, args.blend)


def add_sampling(group: Group) -> None:
    """How clips are sampled."""
    group.add_argument("--seed", type=at_least(0), default=0, metavar="S", help="of the clips' noise (default: 0)")
    group.add_argument("--steps", type=at_least(1), metavar="N", help="sampling steps (default: the weights')")
    group.add_argument("--sampler", metavar="NAME", help=f"{', '.join(SAMPLER_NAMES)} (default: the weights')")
    group.add_argument(
        "--guidance",
        type=number(0, 100),
        metavar="W",
        help="guidance towards what is asked for, 1 = none (default: the weights')",
    )
    group.add_argument(
        "--redraws",
        type=at_least(0, MOST_REDRAWS),
        metavar="N",
        help="draw a clip that walks faster or slower than training clips again, up to N times (default: the weights')",
    )
    group.add_argument(
        "--precision", choices=PRECISIONS, default="fp32",
        help="bf16 is faster on GPUs and on CPUs with AVX512-BF16 or AMX, far slower on others (default: %(default)s)",
    )  # fmt: skip
    group.add_argument("--device", choices=DEVICES, default="auto", help="default: a GPU where there is one")


def sampling_of(args: argparse.Namespace, card: Card) -> Sampling:
    """What ``add_sampling``'s options say, completed by the weights' defaults.

    Raises:
        UsageError: There is no such sampler, or the weights do not say how fast people walk.
    """
    guidance = card.sampling.guidance if args.guidance is None else args.guidance
    sampler = check_sampler(args.sampler) if args.sampler else card.sampling.sampler
    redraws = redraws_of(args.redraws, card, "--redraws")
    steps = args.steps or card.sampling.steps
    return Sampling(sampler, steps, guidance, FRAMES, args.seed, args.precision, redraws)

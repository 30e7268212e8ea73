"""``gaitcrafter synthesize``: clips of known and novel people, in a tree that OpenGait trains on."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gaitcrafter_ext.cli._options import Progress, add_json, at_least
from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.generator.card import Card, check_weights, read_card
from gaitcrafter_ext.generator.samplers import PRECISIONS, SAMPLER_NAMES, check_sampler
from gaitcrafter_ext.generator.weights import BUNDLED, locate
from gaitcrafter_ext.identities.codes import BlendSettings
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.synthesis.completion import Inventory, take_inventory
from gaitcrafter_ext.synthesis.estimate import estimate
from gaitcrafter_ext.synthesis.folder import ENTRY, MANIFEST, PARTITION, SHEET, OutputFolder, Shard
from gaitcrafter_ext.synthesis.plan import Plan, Sampling, Selection, make_plan
from gaitcrafter_ext.synthesis.run import ClipSampler, Outcome, synthesize
from gaitcrafter_ext.synthesis.sampler import DEVICES, pipeline_sampler
from gaitcrafter_ext.vocabulary import CASIA_B_TAKES, choose, condition_of, suggest, take_names

HELP = "Make clips of known and novel people, in a tree that OpenGait trains on"

#: The only length that weights of today make.
FRAMES = 30

#: Clips between two savings unless --batch-size says otherwise; what the pipeline computes at once.
CHUNK = 8

#: Novel people where the command line does not say.
NOVEL = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write; a rerun resumes")
    parser.add_argument("--weights", default=BUNDLED, metavar="NAME|DIR", help="default: %(default)s")
    _add_who(parser)
    _add_what(parser)
    _add_how(parser)
    parser.add_argument("--shard", default="1/1", metavar="I/N", help="make every N-th clip; shards may share --out")
    parser.add_argument("--dry-run", action="store_true", help="tell how many clips, disk and time; write nothing")
    parser.add_argument(
        "--force",
        action="store_true",
        help="where --out holds another plan's clips, delete those that its manifest lists; go on beside foreign files",
    )
    add_json(parser)


def _add_who(parser: argparse.ArgumentParser) -> None:
    who = parser.add_argument_group("who")
    who.add_argument("--identities", metavar="A,B|all|none", help="known people (default: none; with --complete: all)")
    who.add_argument(
        "--novel", type=at_least(0), metavar="N", help=f"novel people (default: {NOVEL}, with --complete: 0)"
    )
    who.add_argument(
        "--blend-parents", type=int, default=2, metavar="K", help="known people in a novel one (default: 2)"
    )
    who.add_argument(
        "--concentration",
        type=float,
        default=5.0,
        metavar="A",
        help="Dirichlet parameter of their shares: large = equal shares, small = one parent rules (default: 5)",
    )
    who.add_argument("--identity-seed", type=int, default=0, metavar="S", help="who is blended (default: 0)")


def _add_what(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what")
    what.add_argument("--conditions", default="all", metavar="nm,bg,cl|all", help="default: all the weights know")
    what.add_argument("--views", default="all", metavar="000,018|all", help="default: all the weights know")
    takes = what.add_mutually_exclusive_group()
    takes.add_argument("--takes", type=at_least(1), metavar="K", help="takes of each condition (default: 1)")
    takes.add_argument("--casia-b", action="store_true", help="CASIA-B's takes: nm-01..06, bg-01/02, cl-01/02")
    what.add_argument(
        "--complete",
        type=Path,
        metavar="ROOT",
        help="make only what ROOT lacks of the people the weights were trained on (takes default to those in ROOT)",
    )
    what.add_argument("--frames", type=int, default=FRAMES, help="frames a clip; only %(default)s yet")


def _add_how(parser: argparse.ArgumentParser) -> None:
    how = parser.add_argument_group("how")
    how.add_argument("--seed", type=at_least(0), default=0, metavar="S", help="of the clips' noise (default: 0)")
    how.add_argument("--steps", type=at_least(1), metavar="N", help="sampling steps (default: the weights')")
    how.add_argument("--sampler", metavar="NAME", help=f"{', '.join(SAMPLER_NAMES)} (default: the weights')")
    how.add_argument("--guidance", type=float, metavar="W", help="identity guidance, 1 = none (default: the weights')")
    how.add_argument("--precision", choices=PRECISIONS, default="fp32", help="bf16 is faster (default: %(default)s)")
    how.add_argument("--device", choices=DEVICES, default="auto", help="default: a GPU where there is one")
    how.add_argument(
        "--batch-size",
        type=at_least(1),
        default=CHUNK,
        metavar="B",
        help=f"clips between two savings; multiples of {CHUNK} are fastest (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Plan, then make, or with ``--dry-run`` tell what it would cost."""
    weights = locate(args.weights)
    card = read_card(weights)
    shard, sampling = Shard.parse(args.shard), _sampling(args, card)
    plan = _plan(args, card, sampling)
    folder = OutputFolder(args.out)
    check_weights(weights, card)
    if not plan.clips:
        _say(args, {"planned": 0}, [f"{args.complete} lacks nothing: no clip to make"])
        return 0

    def load() -> ClipSampler:
        return pipeline_sampler(weights, sampling, args.device)

    if args.dry_run:
        folder.check(plan, args.force)
        _tell_cost(args, plan, folder, load, shard)
        return 0
    with Progress(f"synthesizing {args.out}", "clip") as bar:
        done = synthesize(plan, folder, load, shard, chunk=args.batch_size, force=args.force, progress=bar)
    _tell_outcome(args, plan, done, shard)
    return 0


def _sampling(args: argparse.Namespace, card: Card) -> Sampling:
    if args.frames != FRAMES:
        raise UsageError(f"--frames: {args.frames}; these weights make clips of {FRAMES} frames only")
    guidance = card.sampling.guidance if args.guidance is None else args.guidance
    if not 0 <= guidance < math.inf:
        raise UsageError(f"--guidance: {guidance}; allowed: 0 or more (1 = none)")
    sampler = check_sampler(args.sampler) if args.sampler else card.sampling.sampler
    return Sampling(sampler, args.steps or card.sampling.steps, guidance, FRAMES, args.seed, args.precision)


def _plan(args: argparse.Namespace, card: Card, sampling: Sampling) -> Plan:
    words = card.vocabulary
    if args.complete is not None and args.novel:
        raise UsageError(f"--novel: {args.novel} with --complete, which is for known people; use --novel 0")
    who = ("none" if args.complete is None else "all") if args.identities is None else args.identities
    identities = choose(who, words.identities, "--identities")
    conditions = choose(args.conditions, words.conditions, "--conditions")
    views = choose(args.views, list(words.views), "--views")
    inventory = None if args.complete is None else take_inventory(card, SilhouetteStore(args.complete))
    if inventory is not None and args.views == "all":
        views = inventory.views
    novel = NOVEL if args.novel is None and inventory is None else args.novel or 0
    blend = BlendSettings(args.blend_parents, args.concentration, args.identity_seed)
    selection = Selection(identities, novel, _takes(args, conditions, inventory), views, blend)
    return make_plan(card, selection, sampling, inventory.there if inventory is not None else frozenset())


def _takes(args: argparse.Namespace, conditions: tuple[str, ...], inventory: Inventory | None) -> tuple[str, ...]:
    if args.casia_b:
        for condition in conditions:
            if condition not in CASIA_B_TAKES:
                raise UsageError(
                    f"--casia-b: CASIA-B has no condition '{condition}'; {suggest(condition, list(CASIA_B_TAKES))}"
                )
        return tuple(take_names(CASIA_B_TAKES, conditions))
    if inventory is not None and args.takes is None:
        return tuple(take for take in inventory.takes if condition_of(take) in conditions)
    return tuple(take_names(dict.fromkeys(conditions, args.takes or 1), conditions))


def _tell_cost(
    args: argparse.Namespace, plan: Plan, folder: OutputFolder, load: Callable[[], ClipSampler], shard: Shard
) -> None:
    cost = estimate(plan, folder, load, shard, args.batch_size)
    minutes, seconds = divmod(round(cost.seconds), 60)
    lines = [
        f"plan {plan.fingerprint}: {cost.planned} clips of {len(plan.identities)} people, {cost.to_make} to make now",
        f"disk: {cost.disk_bytes / 1e6:.1f} MB ({cost.free_bytes / 1e6:.0f} MB free)",
        f"time: about {minutes} min {seconds} s on this machine",
    ]
    _say(args, {"dry_run": True, "plan": plan.fingerprint, **asdict(cost)}, lines)


def _tell_outcome(args: argparse.Namespace, plan: Plan, done: Outcome, shard: Shard) -> None:
    facts: dict[str, Any] = {"plan": plan.fingerprint, **asdict(done), "complete": done.complete}
    lines = [f"{args.out / 'pkl'}: {done.made} clips made, {done.kept} were there; {len(plan.identities)} people"]
    if done.complete:
        made = {"partition": PARTITION, "opengait_entry": ENTRY, "contact_sheet": SHEET, "manifest": MANIFEST}
        facts |= {name: str(args.out / file) for name, file in made.items()}
        lines.append(f"beside it: {', '.join(made.values())}")
    else:
        lines.append(f"shard {shard} is done; {done.planned - done.there} of {done.planned} clips are other shards'")
    _say(args, facts, lines)


def _say(args: argparse.Namespace, facts: dict[str, Any], lines: list[str]) -> None:
    print(json.dumps({"out": str(args.out), **facts}) if args.json else "\n".join(lines))

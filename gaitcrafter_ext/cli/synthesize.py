"""``gaitcrafter synthesize``: clips of known and novel people, in a tree that OpenGait trains on."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from gaitcrafter_ext.cli._filtering import (
    add_thresholds,
    choose_identities,
    facts_of,
    lines_of,
    refuse_idle_thresholds,
    refuse_shortfall,
    request_of,
)
from gaitcrafter_ext.cli._generating import MOST_PEOPLE, add_blending, add_sampling, blend_of, sampling_of
from gaitcrafter_ext.cli._options import Progress, add_json, at_least
from gaitcrafter_ext.errors import UsageError, suggest
from gaitcrafter_ext.generator.shape import TILE
from gaitcrafter_ext.generator.weights import BUNDLED, Card, check_weights, locate, read_card
from gaitcrafter_ext.hardware import Process
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.synthesis.completion import Inventory, take_inventory
from gaitcrafter_ext.synthesis.folder import ENTRY, MANIFEST, PAGE, PARTITION, SHEET, OutputFolder, Shard, freeze
from gaitcrafter_ext.synthesis.identities import Identity
from gaitcrafter_ext.synthesis.likeness import people_like, permitted_people
from gaitcrafter_ext.synthesis.on_ray import synthesize_on_ray
from gaitcrafter_ext.synthesis.plan import ClipSampler, Plan, Sampling, Selection, make_plan
from gaitcrafter_ext.synthesis.run import Outcome, estimate, synthesize
from gaitcrafter_ext.synthesis.sampler import pipeline_sampler, settle_precision
from gaitcrafter_ext.synthesis.selection import SelectedIdentities, read_selected
from gaitcrafter_ext.synthesis.trials import Shared
from gaitcrafter_ext.vocabulary import CASIA_B_TAKES, ClipKey, choose, take_names

HELP = "Make clips of known and novel people, in a tree that OpenGait trains on"

#: Novel people where the command line does not say.
NOVEL = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write; a rerun resumes")
    parser.add_argument("--weights", default=BUNDLED, metavar="NAME|DIR", help="default: %(default)s")
    _add_who(parser)
    _add_what(parser)
    _add_how(parser)
    add_thresholds(parser)
    parser.add_argument(
        "--shard",
        metavar="I/N",
        help="make every N-th clip; shards may share --out (default: all; under torchrun, accelerate launch or srun, "
        "each process its own)",
    )
    parser.add_argument(
        "--engine", choices=("local", "ray"), default="local", help="ray: on $RAY_ADDRESS, whose machines share --out"
    )
    parser.add_argument(
        "--ray-tasks", type=at_least(1), metavar="N", help="shards on Ray (default: one a GPU, else one a machine)"
    )
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
        "--novel",
        type=at_least(0, MOST_PEOPLE),
        metavar="N",
        help=f"novel people (default: {NOVEL}, with --complete: 0)",
    )
    add_blending(who)
    who.add_argument(
        "--like", type=Path, metavar="ROOT", help="people from their silhouettes in ROOT, whom the weights never saw"
    )
    who.add_argument("--like-people", metavar="A,B", help="whom of them (default: all, of TRAIN_SET where it is known)")
    who.add_argument("--partition", metavar="JSON", help="of ROOT (default: partition.json in or beside it)")
    who.add_argument(
        "--filter",
        nargs="?",
        const="",
        metavar="FILE",
        help="novel people whom a recogniser finds unique, consistent and new; with FILE: those that 'filter' chose",
    )


def _add_what(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what")
    what.add_argument("--conditions", default="all", metavar="nm,bg,cl|all", help="default: all the weights know")
    what.add_argument("--views", default="all", metavar="000,018|all", help="default: all the weights know")
    takes = what.add_mutually_exclusive_group()
    takes.add_argument("--takes", type=at_least(1, 1000), metavar="K", help="takes of each condition (default: 1)")
    takes.add_argument("--casia-b", action="store_true", help="CASIA-B's takes: nm-01..06, bg-01/02, cl-01/02")
    what.add_argument(
        "--complete",
        type=Path,
        metavar="ROOT",
        help="make only what ROOT lacks, of the people the weights were trained on or, with --like, of those in ROOT",
    )
    what.add_argument("--size", type=int, choices=(64, 128), default=64, help="rows of a frame (default: %(default)s)")


def _add_how(parser: argparse.ArgumentParser) -> None:
    how = parser.add_argument_group("how")
    add_sampling(how)
    how.add_argument(
        "--batch-size",
        type=at_least(1),
        metavar="B",
        help=f"clips between two savings; multiples of {TILE} are fastest on a CPU (default: {TILE}, on a GPU several "
        "hundred)",
    )


def run(args: argparse.Namespace) -> int:
    """Choose who, plan, then make, or with ``--dry-run`` tell what it would cost."""
    refuse_idle_thresholds(args)
    if (args.engine != "ray" and args.ray_tasks is not None) or (args.engine == "ray" and args.shard is not None):
        raise UsageError("--engine ray makes its own shards: --ray-tasks with it, --shard without it")
    weights = locate(args.weights)
    card = read_card(weights)
    shard = Shard.of_process() if args.shard is None else Shard.parse(args.shard)
    sampling = sampling_of(args, card, args.size)
    folder = OutputFolder(args.out)
    selection, there = _selection(args, weights, card)
    sampling = settle_precision(sampling, args.device, folder.precision())
    plan = make_plan(card, selection, sampling, there)
    check_weights(weights, card)
    if not plan.clips:
        _say(args, {"planned": 0}, [f"{args.complete} lacks nothing: no clip to make"])
        return 0
    selected = _selected(args, weights, card, sampling, plan, folder, shard)
    if selected is not None:
        chosen = replace(selection, selected=selected.people, selected_by=selected.fingerprint)
        plan = make_plan(card, chosen, sampling, there)

    def load() -> ClipSampler:
        return pipeline_sampler(weights, sampling, args.device)

    if args.dry_run:
        folder.check(plan, args.force)
        _tell_cost(args, plan, folder, load, shard)
        return 0
    with Progress(f"synthesizing {args.out}", "clip") as bar:
        options = {"chunk": args.batch_size, "force": args.force, "progress": bar}
        if args.engine == "ray":
            done = synthesize_on_ray(plan, args.out, weights, args.device, args.ray_tasks, **options)
        else:
            done = synthesize(plan, folder, load, shard, **options)
    _tell_outcome(args, plan, done, shard, selected)
    if selected is not None:
        refuse_shortfall(selected)
    return 0


def _selection(args: argparse.Namespace, weights: Path, card: Card) -> tuple[Selection, frozenset[ClipKey]]:
    """Who and what, and what is there already."""
    words = card.vocabulary
    if args.complete is not None and (args.novel or args.filter is not None):
        wish = f"--novel: {args.novel}" if args.novel else "--filter:"
        raise UsageError(f"{wish} with --complete, which is for people in ROOT; use --novel 0 and no --filter")
    like = _like(args, weights, card)
    others = args.complete is None or like
    who = ("none" if others else "all") if args.identities is None else args.identities
    identities = choose(who, words.identities, "--identities")
    conditions = choose(args.conditions, words.conditions, "--conditions")
    views = choose(args.views, list(words.views), "--views")
    inventory = None
    if args.complete is not None:
        inventory = take_inventory(card, SilhouetteStore(args.complete, card.dataset), like)
        views = inventory.views if args.views == "all" else views
    silent = args.novel is None and args.complete is None and not like
    novel = NOVEL if silent else args.novel or 0
    takes = _takes(args, card, conditions, inventory)
    selection = Selection(identities, novel, takes, views, blend_of(args, card), like)
    return selection, inventory.there if inventory is not None else frozenset()


def _like(args: argparse.Namespace, weights: Path, card: Card) -> dict[str, Identity]:
    """People read from silhouettes."""
    if args.like is None:
        for name in ("like_people", "partition"):
            if getattr(args, name) is not None:
                raise UsageError(f"--{name.replace('_', '-')}: only with --like; add it, or leave this out")
        return {}
    store = SilhouetteStore(args.like, card.dataset)
    asked = None if args.like_people is None else [name for name in args.like_people.split(",") if name]
    return people_like(card, weights, store, permitted_people(store, args.partition, asked))


def _selected(
    args: argparse.Namespace,
    weights: Path,
    card: Card,
    sampling: Sampling,
    plan: Plan,
    folder: OutputFolder,
    shard: Shard,
) -> SelectedIdentities | None:
    """The novel people that a filter chose, here or before; None without ``--filter``."""
    if args.filter is None:
        return None
    if args.filter:
        return _read_selected(args, card, plan, folder)
    wanted = NOVEL if args.novel is None else args.novel
    request, judge = request_of(args, card, wanted, replace(sampling, size=64))  # as recognisers see clips
    if args.dry_run:
        found = folder.selected()
        return found if found is not None and found.request == request else None
    shared = Shared(folder.trials, Process(shard.index - 1, shard.count))

    def choose_them() -> SelectedIdentities:
        return choose_identities(args, weights, card, judge, request, shared)

    selected = freeze(folder, plan, request, choose_them, args.force)
    if not selected.people and args.identities in (None, "none"):
        refuse_shortfall(selected)
    return selected


def _read_selected(args: argparse.Namespace, card: Card, plan: Plan, folder: OutputFolder) -> SelectedIdentities:
    """The people of a file that ``filter`` wrote, selected in the folder too."""
    selected = read_selected(Path(args.filter))
    if selected.request.weights != card.fingerprint:
        raise UsageError(
            f"--filter: the people of {args.filter} were chosen for weights {selected.request.weights}, these are "
            f"{card.fingerprint}; run 'filter' again with these weights"
        )
    if args.novel is not None and args.novel != len(selected.people):
        raise UsageError(f"--novel: {args.novel}; {args.filter} holds {len(selected.people)} people: leave --novel out")
    return selected if args.dry_run else freeze(folder, plan, selected.request, lambda: selected, args.force)


def _takes(
    args: argparse.Namespace, card: Card, conditions: tuple[str, ...], inventory: Inventory | None
) -> tuple[str, ...]:
    if args.casia_b:
        for condition in conditions:
            if condition not in CASIA_B_TAKES:
                raise UsageError(
                    f"--casia-b: CASIA-B has no condition '{condition}'; {suggest(condition, list(CASIA_B_TAKES))}"
                )
        return tuple(take_names(CASIA_B_TAKES, conditions))
    if inventory is not None and args.takes is None:
        return tuple(take for take in inventory.takes if card.dataset.condition_of(take) in conditions)
    return tuple(card.dataset.take_names(dict.fromkeys(conditions, args.takes or 1)))


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
    if args.filter is not None and not plan.filter:
        lines.append("before that the filter chooses the novel people: 4 clips of each candidate; not counted here")
    _say(args, {"dry_run": True, "plan": plan.fingerprint, **asdict(cost)}, lines)


def _tell_outcome(
    args: argparse.Namespace, plan: Plan, done: Outcome, shard: Shard, selected: SelectedIdentities | None
) -> None:
    facts: dict[str, Any] = {"plan": plan.fingerprint, **asdict(done), "complete": done.complete}
    lines = [f"{args.out / 'pkl'}: {done.made} clips made, {done.kept} were there; {len(plan.identities)} people"]
    if selected is not None:
        facts |= {"filter": facts_of(selected)}
        lines += [f"filter: {line}" for line in lines_of(selected)]
    if done.complete:
        made = {
            "page": PAGE,
            "partition": PARTITION,
            "opengait_entry": ENTRY,
            "contact_sheet": SHEET,
            "manifest": MANIFEST,
        }
        facts |= {name: str(args.out / file) for name, file in made.items()}
        lines.append(f"beside it: {', '.join(made.values())}")
    else:
        lines.append(f"shard {shard} is done; {done.planned - done.there} of {done.planned} clips are other shards'")
    _say(args, facts, lines)


def _say(args: argparse.Namespace, facts: dict[str, Any], lines: list[str]) -> None:
    print(json.dumps({"out": str(args.out), **facts}) if args.json else "\n".join(lines))

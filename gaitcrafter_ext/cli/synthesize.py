"""``gaitcrafter synthesize``: clips of known and novel people, in a tree that OpenGait trains on."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from gaitcrafter_ext.cli import _generating as generating
from gaitcrafter_ext.cli._options import COUNT, SWITCH, Progress, at_least, options, say
from gaitcrafter_ext.errors import UsageError, suggest
from gaitcrafter_ext.generator.sampling import TILE
from gaitcrafter_ext.generator.weights import Card, check_weights, locate, read_card
from gaitcrafter_ext.hardware import Process
from gaitcrafter_ext.silhouettes.parallel import Shared
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.synthesis.folder import ENTRY, MANIFEST, PAGE, PARTITION, SHEET, OutputFolder, Shard
from gaitcrafter_ext.synthesis.identities import Identity
from gaitcrafter_ext.synthesis.on_ray import synthesize_on_ray
from gaitcrafter_ext.synthesis.plan import Plan, Selection, make_plan
from gaitcrafter_ext.synthesis.real_people import Inventory, people_like, permitted_people, take_inventory
from gaitcrafter_ext.synthesis.run import Estimate, Outcome, estimate, pipeline_sampler, settle_precision, synthesize
from gaitcrafter_ext.synthesis.selection import SelectedIdentities, selected_for
from gaitcrafter_ext.vocabulary import CASIA_B_TAKES, ClipKey, choose, take_names

HELP = "Make clips of known and novel people, in a tree that OpenGait trains on"

#: Novel people where the command line does not say.
NOVEL = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = options(parser)
    add("--out", "folder to write; a rerun resumes")
    add("--weights")
    _add_who(parser)
    _add_what(parser)
    how = parser.add_argument_group("how")
    generating.add_sampling(how)
    batch = f"clips between two savings (default: {TILE} a core, fastest on a CPU; on a GPU hundreds)"
    options(how)("--batch-size", batch, type=at_least(1), metavar="B")
    generating.add_thresholds(parser)
    shard = "make every N-th clip; shards may share --out (default: all; under a launcher each process its own)"
    add("--shard", shard, metavar="I/N")
    add("--engine", "ray: on $RAY_ADDRESS, whose machines share --out", choices=("local", "ray"), default="local")
    add("--ray-tasks", "shards on Ray (default: one a GPU, else one a machine)", **COUNT)
    add("--dry-run", "tell how many clips, disk and time; write nothing", **SWITCH)
    force = "where --out holds another plan's clips, delete those that its manifest lists; go on beside foreign files"
    add("--force", force)
    add("--json")


def _add_who(parser: argparse.ArgumentParser) -> None:
    who = parser.add_argument_group("who")
    add = options(who)
    add("--identities", "known people (default: none; with --complete: all)", metavar="A,B|all|none")
    people = at_least(0, generating.MOST_PEOPLE)
    add("--novel", f"novel people (default: {NOVEL}, with --complete: 0)", type=people, metavar="N")
    generating.add_blending(who)
    add("--like", "people from their silhouettes in ROOT, whom the weights never saw", type=Path, metavar="ROOT")
    add("--like-people", "whom of them (default: all, of TRAIN_SET where it is known)", metavar="A,B")
    add("--partition", "of ROOT (default: partition.json in or beside it)")
    chosen = "novel people whom a recogniser finds unique, consistent and new; with FILE: those that 'filter' chose"
    add("--filter", chosen, nargs="?", const="", metavar="FILE")


def _add_what(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what")
    add, every = options(what), "default: all the weights know"
    add("--conditions", every, default="all", metavar="nm,bg,cl|all")
    add("--views", every, metavar="000,018|all")
    takes = what.add_mutually_exclusive_group()
    options(takes)("--takes", "takes of each condition (default: 1)", type=at_least(1, 1000), metavar="K")
    options(takes)("--casia-b", "CASIA-B's takes: nm-01..06, bg-01/02, cl-01/02", **SWITCH)
    lacking = "make only what ROOT lacks, of the people the weights were trained on or, with --like, of those in ROOT"
    add("--complete", lacking, type=Path, metavar="ROOT")
    add("--size", "rows of a frame (default: %(default)s)", type=int, choices=(64, 128), default=64)


def run(args: argparse.Namespace) -> None:
    """Choose who, plan, then make, or with ``--dry-run`` tell what it would cost."""
    _check_options(args)
    weights = locate(args.weights)
    card = read_card(weights)
    shard = Shard.of_process() if args.shard is None else Shard.parse(args.shard)
    sampling = generating.sampling_of(args, card, args.size)
    folder = OutputFolder(args.out)
    selection, there = _selection(args, weights, card)
    sampling = settle_precision(sampling, args.device, folder.precision())
    plan = make_plan(card, selection, sampling, there)
    check_weights(weights, card)
    if not plan.clips:
        say(args, {"out": str(args.out), "planned": 0}, f"{args.complete} lacks nothing: no clip to make")
        return
    selected = None if args.filter is None else _selected(args, weights, card, plan, folder, shard)
    if selected is not None:
        plan = make_plan(card, replace(selection, selected=selected), sampling, there)
    load = partial(pipeline_sampler, weights, sampling, args.device)
    if args.dry_run:
        folder.check(plan, args.force)
        _say_cost(args, plan, estimate(plan, folder, load, shard, args.batch_size))
        return
    with Progress(f"synthesizing {args.out}", "clip") as bar:
        options = {"chunk": args.batch_size, "force": args.force, "progress": bar}
        if args.engine == "ray":
            done = synthesize_on_ray(plan, args.out, weights, args.device, args.ray_tasks, **options)
        else:
            done = synthesize(plan, folder, load, shard, **options)
    _say_outcome(args, plan, done, shard, selected)
    if selected is not None:
        generating.refuse_shortfall(selected)


def _check_options(args: argparse.Namespace) -> None:
    generating.refuse_idle_thresholds(args)
    if (args.engine != "ray" and args.ray_tasks is not None) or (args.engine == "ray" and args.shard is not None):
        raise UsageError("--engine ray makes its own shards: --ray-tasks with it, --shard without it")
    if args.complete is not None and (args.novel or args.filter is not None):
        wish = f"--novel: {args.novel}" if args.novel else "--filter:"
        raise UsageError(f"{wish} with --complete, which is for people in ROOT; use --novel 0 and no --filter")
    for name in ("like_people", "partition"):
        if args.like is None and getattr(args, name) is not None:
            raise UsageError(f"--{name.replace('_', '-')}: only with --like; add it, or leave this out")


def _selection(args: argparse.Namespace, weights: Path, card: Card) -> tuple[Selection, frozenset[ClipKey]]:
    """Who and what, and what is there already."""
    words, like = card.vocabulary, dict[str, Identity]()
    if args.like is not None:
        store = SilhouetteStore(args.like, card.dataset)
        asked = None if args.like_people is None else [name for name in args.like_people.split(",") if name]
        like = people_like(card, weights, store, permitted_people(store, args.partition, asked))
    silent = "none" if args.complete is None or like else "all"
    identities = choose(silent if args.identities is None else args.identities, words.identities, "--identities")
    conditions = choose(args.conditions, words.conditions, "--conditions")
    views = choose(args.views, list(words.views), "--views")
    inventory = None
    if args.complete is not None:
        inventory = take_inventory(card, SilhouetteStore(args.complete, card.dataset), like)
        views = inventory.views if args.views == "all" else views
    novel = NOVEL if args.novel is None and args.complete is None and not like else args.novel or 0
    takes = _takes(args, card, conditions, inventory)
    selection = Selection(identities, novel, takes, views, generating.blend_of(args, card), like)
    return selection, inventory.there if inventory is not None else frozenset()


def _takes(
    args: argparse.Namespace, card: Card, conditions: tuple[str, ...], inventory: Inventory | None
) -> tuple[str, ...]:
    if args.casia_b:
        if foreign := [condition for condition in conditions if condition not in CASIA_B_TAKES]:
            near = suggest(foreign[0], list(CASIA_B_TAKES))
            raise UsageError(f"--casia-b: CASIA-B has no condition '{foreign[0]}'; {near}")
        return tuple(take_names(CASIA_B_TAKES, conditions))
    if inventory is not None and args.takes is None:
        return tuple(take for take in inventory.takes if card.dataset.condition_of(take) in conditions)
    return tuple(card.dataset.take_names(dict.fromkeys(conditions, args.takes or 1)))


def _selected(
    args: argparse.Namespace, weights: Path, card: Card, plan: Plan, folder: OutputFolder, shard: Shard
) -> SelectedIdentities | None:
    """The novel people that a filter chose, here or before; None where a dry run would have to choose them."""
    if args.filter:
        return _read_selected(args, card, plan, folder)
    wanted = NOVEL if args.novel is None else args.novel
    sampling = replace(plan.sampling, size=64)  # as recognisers see clips
    shared = Shared(folder.trials, Process(shard.index - 1, shard.count))
    screening = generating.screening_of(args, weights, card, wanted, sampling, shared)
    if args.dry_run:
        found = folder.selected()
        return found if found is not None and found.request == screening.request else None
    selected = folder.select(plan, screening.request, partial(generating.choose_people, screening), args.force)
    if not selected.people and args.identities in (None, "none"):
        generating.refuse_shortfall(selected)
    return selected


def _read_selected(args: argparse.Namespace, card: Card, plan: Plan, folder: OutputFolder) -> SelectedIdentities:
    """The people of a file that ``filter`` wrote, selected in the folder too."""
    selected = selected_for(card, Path(args.filter), args.novel)
    return selected if args.dry_run else folder.select(plan, selected.request, lambda: selected, args.force)


def _say_cost(args: argparse.Namespace, plan: Plan, cost: Estimate) -> None:
    minutes, seconds = divmod(round(cost.seconds), 60)
    lines = [
        f"plan {plan.fingerprint}: {cost.planned} clips of {len(plan.identities)} people, {cost.to_make} to make now",
        f"disk: {cost.disk_bytes / 1e6:.1f} MB ({cost.free_bytes / 1e6:.0f} MB free)",
        f"time: about {minutes} min {seconds} s on this machine",
    ]
    if args.filter is not None and not plan.filter:
        lines.append("before that the filter chooses the novel people: 4 clips of each candidate; not counted here")
    say(args, {"out": str(args.out), "dry_run": True, "plan": plan.fingerprint, **asdict(cost)}, *lines)


def _say_outcome(
    args: argparse.Namespace, plan: Plan, done: Outcome, shard: Shard, selected: SelectedIdentities | None
) -> None:
    facts = {"out": str(args.out), "plan": plan.fingerprint, **asdict(done), "complete": done.complete}
    lines = [f"{args.out / 'pkl'}: {done.made} clips made, {done.kept} were there; {len(plan.identities)} people"]
    if selected is not None:
        facts |= {"filter": generating.facts_of(selected)}
        lines += [f"filter: {line}" for line in generating.lines_of(selected)]
    if done.complete:
        made = {"page": PAGE, "partition": PARTITION, "opengait_entry": ENTRY, "contact_sheet": SHEET}
        made["manifest"] = MANIFEST
        facts |= {name: str(args.out / file) for name, file in made.items()}
        lines.append(f"beside it: {', '.join(made.values())}")
    else:
        lines.append(f"shard {shard} is done; {done.planned - done.there} of {done.planned} clips are other shards'")
    say(args, facts, *lines)

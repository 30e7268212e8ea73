"""``gaitcrafter recognise``: train a recogniser, test it, hand it to OpenGait. Torch loads when an action runs."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gaitcrafter_ext.cli._options import COUNT, SWITCH, add_actions, number, options, refuse_file
from gaitcrafter_ext.errors import ConflictError, DataError, UsageError
from gaitcrafter_ext.generator.weights import names_in
from gaitcrafter_ext.hardware import pick_device, resolve_precision
from gaitcrafter_ext.recognition.config import MODELS, TrainingConfig, preset
from gaitcrafter_ext.recognition.data import training_set
from gaitcrafter_ext.recognition.evaluation import Roles, assign_roles, evaluate, protocol_for
from gaitcrafter_ext.recognition.mixing_schedule import read_schedule
from gaitcrafter_ext.silhouettes import manifest
from gaitcrafter_ext.silhouettes.dataset import DatasetConfig, load_dataset
from gaitcrafter_ext.silhouettes.files import atomic_write_text
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore, clips_in, folder_around
from gaitcrafter_ext.synthesis.folder import OutputFolder
from gaitcrafter_ext.vocabulary import ClipKey, choose

if TYPE_CHECKING:
    from torch import nn

    from gaitcrafter_ext.recognition.checkpoint import Card
    from gaitcrafter_ext.recognition.training import Step

HELP = "train GaitSet or GaitBase on any machine and test it by CASIA-B's protocol or the dataset's own"
SHAPE = "PxKxL"


class Data(NamedTuple):
    """Real clips: the tree, who is who, the views that were asked for, and every clip at them."""

    store: SilhouetteStore
    partition: Partition
    views: tuple[str, ...]
    keys: Sequence[ClipKey]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_actions(parser, "action", ACTIONS)


def run(args: argparse.Namespace) -> None:
    ACTIONS[args.action][1](args)


def _add_train(parser: argparse.ArgumentParser) -> None:
    _add_data(parser)
    add = options(parser)
    made = "synthetic clips to train on too; may be given several times"
    add("--synthetic", made, metavar="DIR", action="append", default=[])
    share = (
        "share of synthetic clips, by novel people or else by clips of each person: 0.5, or points ITERATION:SHARE,"
        " e.g. 0:1,150:0 (default: all people and clips alike)"
    )
    add("--synthetic-share", share, metavar="S")
    add("--model", f"{' or '.join(MODELS)} (default gaitset)", default="gaitset")
    add("--preset", "small, cpu: minutes on a laptop; full: OpenGait's schedule", default="cpu")
    add("--iterations", "instead of the preset's", **COUNT)
    add("--batch", "people x clips x frames, instead of the preset's", metavar=SHAPE)
    add("--learning-rate", "instead of the preset's", type=number(0, 1000), metavar="LR")
    add("--precision")
    add("--seed", "initial weights and batches (default 0)")
    add("--save-every", "iterations between saves (default 100)", **COUNT, default=100)
    add("--no-test", "stop after training", **SWITCH)
    add("--force", "delete an earlier run in --out first")


def _add_test(parser: argparse.ArgumentParser) -> None:
    _add_data(parser)
    options(parser)("--checkpoint", "an OpenGait checkpoint instead of the one in --out", metavar="FILE.pt")


def _add_export(parser: argparse.ArgumentParser) -> None:
    add = options(parser)
    add("--recogniser", "a folder that 'recognise train' wrote", required=True, metavar="DIR")
    add("--out", "the checkpoint to write", metavar="FILE.pt")
    add("--force")


def _add_data(parser: argparse.ArgumentParser) -> None:
    """What training and testing share."""
    add = options(parser)
    add("--data", "real clips: a folder of ids", required=True, metavar="ROOT")
    add("--partition", required=True)
    add("--out", "the recogniser's folder; the table goes there")
    add("--table", "its file there (default %(default)s)", default="table.json", metavar="NAME")
    rules = (
        "how the dataset is read and tested: a preset, e.g. oumvlp, or a YAML with the section 'dataset' (default: as"
        " CASIA-B where takes are named alike, else the first half of the first condition's takes is the gallery)"
    )
    add("--config", rules)
    add("--views")
    add("--metric", "distance (default euc)", choices=("euc", "cos"), default="euc")
    add("--device")
    add("--json")


def _train(args: argparse.Namespace) -> None:
    """train a recogniser on the people of TRAIN_SET, then print its table on those of TEST_SET"""
    from gaitcrafter_ext.generator.training import keep_freed_memory
    from gaitcrafter_ext.recognition.checkpoint import load_recogniser
    from gaitcrafter_ext.recognition.training import sampler_of, train

    config, data, out, device = _config(args), _open(args), args.out, pick_device(args.device)
    synthetic = [_synthetic(folder, data.partition, data.store.dataset) for folder in args.synthetic]
    people = training_set(data.store, data.partition, synthetic, data.views)
    sampler_of(config, people)
    tests = not args.no_test and bool(data.partition.test)
    clips = _test_set(data) if tests else None
    if args.force:  # only now that nothing is left to refuse
        _delete_run(out, args.table)
    what = f"{config.model} on {len(people.people)} people, {len(people.clips)} clips, {device}"
    print(f"training {what}", file=sys.stderr)
    keep_freed_memory()
    with _watched(config.iterations, out / "tensorboard") as on_step:
        train(config, people, out, device, args.save_every, on_step)
    network, card = load_recogniser(out)
    if clips is not None:
        _report(args, network, card, data, *clips)
    elif args.json:
        print(json.dumps(_about(args, card) | {"columns": None}, indent=2))


def _test(args: argparse.Namespace) -> None:
    """print the table of a trained recogniser on the people of TEST_SET"""
    from gaitcrafter_ext.recognition.checkpoint import load_opengait, load_recogniser

    data = _open(args)
    clips = _test_set(data)
    network, card = load_opengait(args.checkpoint) if args.checkpoint else load_recogniser(args.out)
    _report(args, network, card, data, *clips)


def _export(args: argparse.Namespace) -> None:
    """write a trained recogniser as an OpenGait checkpoint (.pt)"""
    if args.out.exists() and not args.force:
        raise ConflictError(f"{args.out} is already there; --force overwrites it")
    from gaitcrafter_ext.recognition.checkpoint import load_recogniser, save_opengait

    network, card = load_recogniser(args.recogniser)
    save_opengait(args.out, network, card.iterations)
    print(f"{args.out}: OpenGait model {'GaitSet' if card.model == 'gaitset' else 'Baseline'}; set restore_hint to it")


ACTIONS = {"train": (_add_train, _train), "test": (_add_test, _test), "export": (_add_export, _export)}


def _config(args: argparse.Namespace) -> TrainingConfig:
    """The preset with what the options change."""
    asked: dict[str, Any] = {"seed": args.seed, "precision": args.precision}
    asked |= {name: getattr(args, name) for name in ("iterations", "learning_rate") if getattr(args, name) is not None}
    if args.synthetic_share is not None:
        asked["synthetic_share"] = read_schedule(args.synthetic_share)
    if args.batch:
        sizes = re.fullmatch("([0-9]{1,4})x([0-9]{1,4})x([0-9]{1,4})", args.batch)
        if sizes is None:
            raise UsageError(f"--batch: cannot read '{args.batch}'; write {SHAPE}, e.g. 8x4x8, each at most 9999")
        asked |= zip(("people", "clips", "frames"), map(int, sizes.groups()), strict=True)
    return preset(args.model, args.preset).replaced(**asked)


def _open(args: argparse.Namespace) -> Data:
    refuse_file(args.out)
    store, partition = SilhouetteStore(args.data, load_dataset(args.config)), Partition.load(args.partition)
    partition.check(store)
    keys = store.require_keys()
    views = choose(args.views, sorted({key.view for key in keys}), "--views")
    wanted = frozenset(views)
    return Data(store, partition, views, [key for key in keys if key.view in wanted])


def _synthetic(folder: str, partition: Partition, dataset: DatasetConfig) -> SilhouetteStore:
    """The clips that ``synthesize`` wrote: they lie in the folder's ``pkl``; their generator saw no test person."""
    store = SilhouetteStore(clips_in(folder), dataset)
    made = OutputFolder(folder_around(store.root.resolve()))
    plan = made.plan()
    seen = {name for record in made.records() for name in record.mix}
    seen |= names_in(plan.seen, plan.dataset) if plan else set()
    manifest.refuse_tested(f"--synthetic: {folder}", seen, partition.test)
    return store


def _test_set(data: Data) -> tuple[Sequence[ClipKey], Roles]:
    """The clips that the protocol uses, and what each is; ``DataError`` where it cannot be run on these."""
    tested = frozenset(data.partition.test)
    keys = [key for key in data.keys if key.identity in tested]
    roles = assign_roles(keys, protocol_for(data.store.dataset, keys), data.partition)
    used = roles.used
    return [key for key, wanted in zip(keys, used, strict=True) if wanted], roles.where(used)


def _delete_run(out: Path, table: str) -> None:
    """Delete what an earlier run wrote, and nothing else."""
    from gaitcrafter_ext.recognition.checkpoint import CARD_FILE, MODEL_FILE
    from gaitcrafter_ext.recognition.training import STATE_FILE

    for name in (STATE_FILE, MODEL_FILE, CARD_FILE, table):
        (out / name).unlink(missing_ok=True)
    for events in (out / "tensorboard").glob("events.out.tfevents.*"):
        events.unlink()


@contextmanager
def _watched(iterations: int, folder: Path) -> Iterator[Callable[[Step], None]]:
    """A progress bar, and losses for TensorBoard at every tenth iteration; nothing is made before the first."""
    from tqdm import tqdm

    bar = writer = None
    with ExitStack() as open_things:

        def on_step(step: Step) -> None:
            nonlocal bar, writer
            if bar is None:
                done = step.iteration - 1
                bar = open_things.enter_context(tqdm(desc="training", unit="it", total=iterations, initial=done))
            entropy = "" if step.cross_entropy is None else f", cross-entropy {step.cross_entropy:.2f}"
            bar.set_postfix_str(f"triplet {step.triplet:.3f}{entropy}", refresh=False)
            bar.update()
            if step.iteration % 10:
                return
            if writer is None:
                from torch.utils.tensorboard import SummaryWriter

                writer = open_things.enter_context(SummaryWriter(str(folder)))
            for name, value in asdict(step).items():
                if name != "iteration" and value is not None:
                    writer.add_scalar(f"train/{name}", value, step.iteration)

        yield on_step


def _report(
    args: argparse.Namespace, network: nn.Module, card: Card, data: Data, keys: Sequence[ClipKey], roles: Roles
) -> None:
    """Test a recogniser, print the table and write it beside the recogniser."""
    from tqdm import tqdm

    from gaitcrafter_ext.recognition.embedding import embed_frames, label

    if known := sorted(set(card.people) & set(data.partition.test)):
        raise DataError(
            f"the recogniser was trained on {known[0]}, who is in TEST_SET ({len(known)} such);"
            " use the partition it was trained with"
        )
    clips = (data.store.read_real(key) for key in tqdm(keys, desc="embedding", unit="clip"))
    device = pick_device(args.device)
    # As it was trained, as OpenGait tests too, unless this machine only imitates bfloat16.
    precision = resolve_precision("auto", device) if card.training.get("precision") == "bfloat16" else "float32"
    features = label(embed_frames(network, clips, device, precision), keys)
    table = evaluate(features, roles, args.metric)
    content = {**_about(args, card), **asdict(table), "protocol": asdict(roles.protocol)}
    text = json.dumps(content, indent=2)
    atomic_write_text(args.out / Path(args.table).name, text + "\n")
    print(text if args.json else table)


def _about(args: argparse.Namespace, card: Card) -> dict[str, Any]:
    given = {"data": args.data, "partition": args.partition, "model": card.model, "iterations": card.iterations}
    return {**given, "trained_on": card.trained_on, "train_people": len(card.people)}

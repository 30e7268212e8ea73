"""``gaitcrafter recognise``: train a recogniser, test it, hand it to OpenGait. Torch loads when an action runs."""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gaitcrafter_ext.cli._options import at_least, number
from gaitcrafter_ext.errors import ConflictError, DataError, UsageError
from gaitcrafter_ext.recognition.config import MODELS, TrainingConfig, preset
from gaitcrafter_ext.recognition.mixing_schedule import read_schedule
from gaitcrafter_ext.silhouettes.files import atomic_write_text
from gaitcrafter_ext.vocabulary import ClipKey, choose

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from gaitcrafter_ext.recognition.checkpoint import Card
    from gaitcrafter_ext.recognition.evaluation import Roles
    from gaitcrafter_ext.recognition.training import Step
    from gaitcrafter_ext.silhouettes.dataset import DatasetConfig
    from gaitcrafter_ext.silhouettes.partition import Partition
    from gaitcrafter_ext.silhouettes.store import SilhouetteStore

HELP = "train GaitSet or GaitBase on any machine and test it by CASIA-B's protocol or the dataset's own"
SHAPE = "PxKxL"


class Data(NamedTuple):
    """Real clips: the tree, who is who, the views that were asked for, and every clip at them."""

    store: SilhouetteStore
    partition: Partition
    views: tuple[str, ...]
    keys: Sequence[ClipKey]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give each action its own sub-parser."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, (_, add, meaning) in ACTIONS.items():
        add(actions.add_parser(name, help=meaning, description=meaning, allow_abbrev=False))


def run(args: argparse.Namespace) -> int:
    """Run the action that was asked for."""
    ACTIONS[args.action][0](args)
    return 0


def _add_train(parser: argparse.ArgumentParser) -> None:
    _add_data(parser)
    add = parser.add_argument
    made = "synthetic clips to train on too; may be given several times"
    add("--synthetic", metavar="DIR", action="append", default=[], help=made)
    share = (
        "share of synthetic clips, by novel people or else by clips of each person: 0.5, or points ITERATION:SHARE,"
        " e.g. 0:1,150:0 (default: all people and clips alike)"
    )
    add("--synthetic-share", metavar="S", help=share)
    add("--model", default="gaitset", help=f"{' or '.join(MODELS)} (default gaitset)")
    add("--preset", default="cpu", help="small, cpu: minutes on a laptop; full: OpenGait's schedule")
    add("--iterations", type=at_least(1), metavar="N", help="instead of the preset's")
    add("--batch", metavar=SHAPE, help="people x clips x frames, instead of the preset's")
    add("--learning-rate", type=number(0, 1000), metavar="LR", help="instead of the preset's")
    arithmetic = "arithmetic of training (default auto: bfloat16 where it is fast)"
    add("--precision", choices=("auto", "float32", "bfloat16"), default="auto", help=arithmetic)
    add("--seed", type=at_least(0), default=0, help="initial weights and batches (default 0)")
    add("--save-every", type=at_least(1), default=100, metavar="N", help="iterations between saves (default 100)")
    add("--no-test", action="store_true", help="stop after training")
    add("--force", action="store_true", help="delete an earlier run in --out first")


def _add_test(parser: argparse.ArgumentParser) -> None:
    _add_data(parser)
    parser.add_argument("--checkpoint", metavar="FILE.pt", help="an OpenGait checkpoint instead of the one in --out")


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--recogniser", required=True, metavar="DIR", help="a folder that 'recognise train' wrote")
    parser.add_argument("--out", required=True, metavar="FILE.pt", help="the checkpoint to write")
    parser.add_argument("--force", action="store_true", help="overwrite it")


def _add_data(parser: argparse.ArgumentParser) -> None:
    """What training and testing share."""
    add = parser.add_argument
    add("--data", required=True, metavar="ROOT", help="real clips: a folder of ids")
    add("--partition", required=True, metavar="JSON", help="who is trained on and who is tested")
    add("--out", required=True, metavar="DIR", help="the recogniser's folder; the table goes there")
    add("--table", default="table.json", metavar="NAME", help="its file there (default %(default)s)")
    rules = (
        "how the dataset is read and tested: a preset, e.g. oumvlp, or a YAML with the section 'dataset' (default: as"
        " CASIA-B where takes are named alike, else the first half of the first condition's takes is the gallery)"
    )
    add("--config", metavar="NAME|YAML", help=rules)
    add("--views", default="all", help="comma-separated views, or all (default all)")
    add("--metric", choices=("euc", "cos"), default="euc", help="distance (default euc)")
    add("--device", default="auto", help="cpu, cuda, mps or auto (default auto)")
    add("--json", action="store_true", help="print the table as one JSON object")


def _train(args: argparse.Namespace) -> None:
    """Train (or resume), test, print the table; what cannot be done is refused before anything is deleted."""
    config = _config(args)

    from gaitcrafter_ext.generator.training import keep_freed_memory
    from gaitcrafter_ext.hardware import pick_device
    from gaitcrafter_ext.recognition.checkpoint import load_recogniser
    from gaitcrafter_ext.recognition.data import training_set
    from gaitcrafter_ext.recognition.training import sampler_of, train

    data = _open(args)
    out, device = Path(args.out), pick_device(args.device)
    synthetic = [_synthetic(folder, data.partition, data.store.dataset) for folder in args.synthetic]
    people = training_set(data.store, data.partition, synthetic, data.views)
    sampler_of(config, people)
    tests = not args.no_test and bool(data.partition.test)
    clips = _test_set(data) if tests else None
    if args.force:
        _delete_run(out, args.table)
    print(
        f"training {config.model} on {len(people.people)} people, {len(people.clips)} clips, {device}", file=sys.stderr
    )
    keep_freed_memory()
    with _watched(config.iterations, out / "tensorboard") as on_step:
        train(config, people, out, device, args.save_every, on_step)
    network, card = load_recogniser(out)
    if clips is not None:
        _report(args, network, card, data, *clips)
    elif args.json:
        print(json.dumps(_about(args, card) | {"columns": None}, indent=2))


def _test(args: argparse.Namespace) -> None:
    from gaitcrafter_ext.recognition.checkpoint import load_opengait, load_recogniser

    data = _open(args)
    clips = _test_set(data)
    network, card = load_opengait(args.checkpoint) if args.checkpoint else load_recogniser(args.out)
    _report(args, network, card, data, *clips)


def _export(args: argparse.Namespace) -> None:
    if Path(args.out).exists() and not args.force:
        raise ConflictError(f"{args.out} is already there; --force overwrites it")

    from gaitcrafter_ext.recognition.checkpoint import load_recogniser, save_opengait

    network, card = load_recogniser(args.recogniser)
    save_opengait(args.out, network, card.iterations)
    print(f"{args.out}: OpenGait model {'GaitSet' if card.model == 'gaitset' else 'Baseline'}; set restore_hint to it")


ACTIONS: dict[str, tuple[Callable[[argparse.Namespace], None], Callable[[argparse.ArgumentParser], None], str]] = {
    "train": (
        _train,
        _add_train,
        "train a recogniser on the people of TRAIN_SET, then print its table on those of TEST_SET",
    ),
    "test": (_test, _add_test, "print the table of a trained recogniser on the people of TEST_SET"),
    "export": (_export, _add_export, "write a trained recogniser as an OpenGait checkpoint (.pt)"),
}


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
    """Look at the real clips."""
    from gaitcrafter_ext.silhouettes.dataset import load_dataset
    from gaitcrafter_ext.silhouettes.partition import Partition
    from gaitcrafter_ext.silhouettes.store import SilhouetteStore

    if Path(args.out).exists() and not Path(args.out).is_dir():
        raise UsageError(f"--out: {args.out} is a file; name a folder")
    store, partition = SilhouetteStore(args.data, load_dataset(args.config)), Partition.load(args.partition)
    partition.check(store)
    keys = store.require_keys()
    views = choose(args.views, sorted({key.view for key in keys}), "--views")
    wanted = frozenset(views)
    return Data(store, partition, views, [key for key in keys if key.view in wanted])


def _synthetic(folder: str, partition: Partition, dataset: DatasetConfig) -> SilhouetteStore:
    """The clips that ``synthesize`` wrote: they lie in the folder's ``pkl``; their generator saw no test person."""
    from gaitcrafter_ext.generator.weights import names_in
    from gaitcrafter_ext.silhouettes import manifest
    from gaitcrafter_ext.silhouettes.store import SilhouetteStore
    from gaitcrafter_ext.synthesis.folder import OutputFolder

    inner = Path(folder) / "pkl"
    store = SilhouetteStore(inner if inner.is_dir() else folder, dataset)
    root = store.root.resolve()
    made = OutputFolder(root.parent if root.name == "pkl" else root)
    plan = made.plan()
    seen = {name for record in made.records() for name in record.mix}
    seen |= names_in(plan.seen, plan.dataset) if plan else set()
    manifest.refuse_tested(f"--synthetic: {folder}", seen, partition.test)
    return store


def _test_set(data: Data) -> tuple[Sequence[ClipKey], Roles]:
    """The clips that the protocol uses, and what each is; ``DataError`` where it cannot be run on these."""
    from gaitcrafter_ext.recognition.evaluation import assign_roles, protocol_for

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
            for name, value in dataclasses.asdict(step).items():
                if name != "iteration" and value is not None:
                    writer.add_scalar(f"train/{name}", value, step.iteration)

        yield on_step


def _report(
    args: argparse.Namespace, network: nn.Module, card: Card, data: Data, keys: Sequence[ClipKey], roles: Roles
) -> None:
    """Test a recogniser, print the table and write it beside the recogniser."""
    from tqdm import tqdm

    from gaitcrafter_ext.hardware import pick_device
    from gaitcrafter_ext.recognition.embedding import embed_frames, label
    from gaitcrafter_ext.recognition.evaluation import evaluate

    known = sorted(set(card.people) & set(data.partition.test))
    if known:
        raise DataError(
            f"the recogniser was trained on {known[0]}, who is in TEST_SET ({len(known)} such);"
            " use the partition it was trained with"
        )
    clips = (data.store.read_real(key) for key in tqdm(keys, desc="embedding", unit="clip"))
    features = label(embed_frames(network, clips, pick_device(args.device)), keys)
    table = evaluate(features, roles, args.metric)
    content = {**_about(args, card), **dataclasses.asdict(table), "protocol": dataclasses.asdict(roles.protocol)}
    text = json.dumps(content, indent=2)
    atomic_write_text(Path(args.out) / Path(args.table).name, text + "\n")
    print(text if args.json else table)


def _about(args: argparse.Namespace, card: Card) -> dict[str, Any]:
    """What was trained, for JSON."""
    given = {"data": args.data, "partition": args.partition, "model": card.model, "iterations": card.iterations}
    return {**given, "trained_on": card.trained_on, "train_people": len(card.people)}

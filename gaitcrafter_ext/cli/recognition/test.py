"""``gaitcrafter recognise test``: the table of a trained recogniser by the dataset's protocol."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaitcrafter_ext.errors import DataError, UsageError
from gaitcrafter_ext.silhouettes.files import atomic_write_text
from gaitcrafter_ext.vocabulary import ClipKey, choose

if TYPE_CHECKING:
    from torch import nn

    from gaitcrafter_ext.recognition.checkpoint import Card
    from gaitcrafter_ext.recognition.evaluation import Roles, Table
    from gaitcrafter_ext.silhouettes.partition import Partition
    from gaitcrafter_ext.silhouettes.store import SilhouetteStore

HELP = "print the table of a trained recogniser on the people of TEST_SET"


@dataclass(frozen=True)
class Data:
    """Real clips: the tree, who is who, the views that were asked for, and every clip at them."""

    store: SilhouetteStore
    partition: Partition
    views: tuple[str, ...]
    keys: Sequence[ClipKey]


@dataclass(frozen=True)
class TestSet:
    """The clips that the protocol uses, and what each is."""

    keys: Sequence[ClipKey]
    roles: Roles


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_data_arguments(parser)
    parser.add_argument("--checkpoint", metavar="FILE.pt", help="an OpenGait checkpoint instead of the one in --out")


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what training and testing share."""
    parser.add_argument("--data", required=True, metavar="ROOT", help="real clips: a folder of ids")
    parser.add_argument("--partition", required=True, metavar="JSON", help="who is trained on and who is tested")
    parser.add_argument("--out", required=True, metavar="DIR", help="the recogniser's folder; the table goes there")
    parser.add_argument("--table", default="table.json", metavar="NAME", help="its file there (default %(default)s)")
    parser.add_argument(
        "--config",
        metavar="NAME|YAML",
        help="how the dataset is read and tested: a preset, e.g. oumvlp, or a YAML with the section 'dataset' (default:"
        " as CASIA-B where takes are named alike, else the first half of the first condition's takes is the gallery)",
    )
    parser.add_argument("--views", default="all", help="comma-separated views, or all (default all)")
    parser.add_argument("--metric", choices=("euc", "cos"), default="euc", help="distance (default euc)")
    parser.add_argument("--test-precision", choices=("float32", "bfloat16"), default="float32",
                        help="arithmetic of testing (default float32)")  # fmt: skip
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps or auto (default auto)")
    parser.add_argument("--json", action="store_true", help="print the table as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the table and write it as JSON."""
    from gaitcrafter_ext.recognition.checkpoint import load_opengait, load_recogniser

    data = open_data(args)
    clips = test_set(data)
    network, card = load_opengait(args.checkpoint) if args.checkpoint else load_recogniser(args.out)
    report(args, network, card, data, clips)
    return 0


def open_data(args: argparse.Namespace) -> Data:
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


def test_set(data: Data) -> TestSet:
    """What the protocol tests; raises ``DataError`` where it cannot be run on these clips."""
    from gaitcrafter_ext.recognition.evaluation import assign_roles, protocol_for

    tested = frozenset(data.partition.test)
    keys = [key for key in data.keys if key.identity in tested]
    roles = assign_roles(keys, protocol_for(data.store.dataset, keys), data.partition)
    used = roles.used
    return TestSet([key for key, wanted in zip(keys, used, strict=True) if wanted], roles.where(used))


def report(args: argparse.Namespace, network: nn.Module, card: Card, data: Data, clips: TestSet) -> None:
    """Test a recogniser, print the table and write it beside the recogniser."""
    _refuse_known_people(card, data.partition)
    table = _table(args, network, data, clips)
    content = {**about(args, card), **dataclasses.asdict(table), "protocol": dataclasses.asdict(clips.roles.protocol)}
    text = json.dumps(content, indent=2)
    atomic_write_text(Path(args.out) / Path(args.table).name, text + "\n")
    print(text if args.json else table)


def about(args: argparse.Namespace, card: Card) -> dict[str, Any]:
    """What was trained, for JSON."""
    return {
        "data": args.data,
        "partition": args.partition,
        "model": card.model,
        "iterations": card.iterations,
        "trained_on": card.trained_on,
        "train_people": len(card.people),
    }


def _table(args: argparse.Namespace, network: nn.Module, data: Data, clips: TestSet) -> Table:
    from tqdm import tqdm

    from gaitcrafter_ext.hardware import pick_device
    from gaitcrafter_ext.recognition.data import ClipRef
    from gaitcrafter_ext.recognition.embedding import embed
    from gaitcrafter_ext.recognition.evaluation import evaluate

    features = embed(
        network,
        [ClipRef(data.store, key) for key in clips.keys],
        pick_device(args.device),
        args.test_precision,
        lambda them: tqdm(them, desc="embedding", unit="clip"),
    )
    return evaluate(features, clips.roles, args.metric)


def _refuse_known_people(card: Card, partition: Partition) -> None:
    known = sorted(set(card.people) & set(partition.test))
    if known:
        raise DataError(
            f"the recogniser was trained on {known[0]}, who is in TEST_SET ({len(known)} such);"
            " use the partition it was trained with"
        )

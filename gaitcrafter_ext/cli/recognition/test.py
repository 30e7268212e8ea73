"""``gaitcrafter recognise test``: the CASIA-B table of a trained recogniser."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from gaitcrafter_ext.errors import DataError, UsageError
from gaitcrafter_ext.silhouettes.files import atomic_write_text
from gaitcrafter_ext.vocabulary import choose

if TYPE_CHECKING:
    from torch import nn

    from gaitcrafter_ext.recognition.checkpoint import Card
    from gaitcrafter_ext.recognition.protocol import CasiaBTable
    from gaitcrafter_ext.silhouettes.partition import Partition
    from gaitcrafter_ext.silhouettes.store import SilhouetteStore

HELP = "print the CASIA-B table of a trained recogniser on the people of TEST_SET"
TABLE_FILE = "table.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_data_arguments(parser)
    parser.add_argument("--checkpoint", metavar="FILE.pt", help="an OpenGait checkpoint instead of the one in --out")


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what training and testing share."""
    parser.add_argument("--data", required=True, metavar="ROOT", help="real clips: a folder of ids")
    parser.add_argument("--partition", required=True, metavar="JSON", help="who is trained on and who is tested")
    parser.add_argument("--out", required=True, metavar="DIR", help="the recogniser's folder; table.json goes there")
    parser.add_argument("--views", default="all", help="comma-separated views, or all (default all)")
    parser.add_argument("--metric", choices=("euc", "cos"), default="euc", help="distance (default euc)")
    parser.add_argument("--test-precision", choices=("float32", "bfloat16"), default="float32",
                        help="arithmetic of testing (default float32)")  # fmt: skip
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps or auto (default auto)")
    parser.add_argument("--json", action="store_true", help="print the table as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the table and write ``table.json``."""
    from gaitcrafter_ext.recognition.checkpoint import load_opengait, load_recogniser

    store, partition, views = open_data(args)
    network, card = load_opengait(args.checkpoint) if args.checkpoint else load_recogniser(args.out)
    report(args, network, card, store, partition, views)
    return 0


def open_data(args: argparse.Namespace) -> tuple[SilhouetteStore, Partition, tuple[str, ...]]:
    """The clips, who is who, and the views that were asked for."""
    from gaitcrafter_ext.silhouettes.partition import Partition
    from gaitcrafter_ext.silhouettes.store import SilhouetteStore

    if Path(args.out).exists() and not Path(args.out).is_dir():
        raise UsageError(f"--out: {args.out} is a file; name a folder")
    store, partition = SilhouetteStore(args.data), Partition.load(args.partition)
    partition.check(store)
    return store, partition, choose(args.views, sorted({key.view for key in store.keys()}), "--views")  # noqa: SIM118


def report(
    args: argparse.Namespace,
    network: nn.Module,
    card: Card,
    store: SilhouetteStore,
    partition: Partition,
    views: tuple[str, ...],
) -> None:
    """Test a recogniser, print the table and write it beside the recogniser."""
    table = _table(args, network, card, store, partition, views)
    content = {
        "data": args.data,
        "partition": args.partition,
        "model": card.model,
        "iterations": card.iterations,
        "trained_on": card.trained_on,
        "train_people": len(card.people),
        "chance": table.chance,
        **dataclasses.asdict(table),
    }
    text = json.dumps(content, indent=2)
    atomic_write_text(Path(args.out) / TABLE_FILE, text + "\n")
    print(text if args.json else table)


def _table(
    args: argparse.Namespace,
    network: nn.Module,
    card: Card,
    store: SilhouetteStore,
    partition: Partition,
    views: tuple[str, ...],
) -> CasiaBTable:
    from tqdm import tqdm

    from gaitcrafter_ext.hardware import pick_device
    from gaitcrafter_ext.recognition.data import ClipRef
    from gaitcrafter_ext.recognition.embedding import embed
    from gaitcrafter_ext.recognition.protocol import PROTOCOL_TAKES, casia_b_table

    _refuse_known_people(card, partition)
    keys = [key for key in store.keys()  # noqa: SIM118
            if key.identity in set(partition.test) and key.view in views and key.take in PROTOCOL_TAKES]  # fmt: skip
    clips = [ClipRef(store, key) for key in keys]
    device = pick_device(args.device)
    features = embed(
        network, clips, device, args.test_precision, lambda them: tqdm(them, desc="embedding", unit="clip")
    )
    return casia_b_table(features, args.metric)


def _refuse_known_people(card: Card, partition: Partition) -> None:
    known = sorted(set(card.people) & set(partition.test))
    if known:
        raise DataError(
            f"the recogniser was trained on {known[0]}, who is in TEST_SET ({len(known)} such);"
            " use the partition it was trained with"
        )

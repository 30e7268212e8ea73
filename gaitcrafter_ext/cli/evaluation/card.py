"""``gaitcrafter evaluate card``: the identity card of a synthetic set, as ``report.json`` and ``report.html``."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from gaitcrafter_ext.cli.evaluation.options import add_measuring, add_trees, bars
from gaitcrafter_ext.errors import ConflictError
from gaitcrafter_ext.silhouettes.files import STAGED_PREFIX, storage_error

if TYPE_CHECKING:
    import torch

    from gaitcrafter_ext.audit.card import IdentityCard
    from gaitcrafter_ext.audit.data import AuditData
    from gaitcrafter_ext.audit.spaces import Space

HELP = "the identity card: every measure with floor, ceiling and chance, as report.json and report.html"

JSON_NAME, HTML_NAME = "report.json", "report.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_trees(parser, synthetic="what 'synthesize --out' wrote")
    parser.add_argument("--partition", required=True, metavar="JSON", help="who is trained on and who is tested")
    parser.add_argument("--out", required=True, type=Path, metavar="REPORT_DIR", help="folder of the report")
    parser.add_argument("--weights", metavar="NAME|DIR",
                        help="weights that made the clips: their card names people and held-out takes (without it each"
                        " person's last take of each condition counts as held out)")  # fmt: skip
    parser.add_argument("--recogniser", action="append", default=[], metavar="DIR",
                        help="folder of 'recognise train', or bundled; may be repeated (default: none)")  # fmt: skip
    parser.add_argument("--other-people", action="store_true",
                        help="the recognisers' people only bear the same names as the real ones here")  # fmt: skip
    parser.add_argument(
        "--experiments", metavar="DIR", help="what 'experiment --out' wrote: does it help a recogniser?"
    )
    parser.add_argument("--force", action="store_true", help="replace the report in REPORT_DIR")
    parser.add_argument("--device", default="auto", help="where networks compute: cpu, cuda, mps, auto (default)")
    add_measuring(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, write both files, print the table or the JSON."""
    _refuse_used_folder(args.out, args.force)
    _refuse_unwritable(args.out)
    from gaitcrafter_ext.audit.card import UTILITY
    from gaitcrafter_ext.audit.report import write_report
    from gaitcrafter_ext.audit.utility import utility_rows
    from gaitcrafter_ext.hardware import pick_device

    utility, device = utility_rows(args.experiments) if args.experiments else [], pick_device(args.device)
    data = _data(args)
    spaces, caveats = _spaces(args, data, device)
    card = dataclasses.replace(
        found := _measured(args, data, spaces, device),
        rows=(*found.rows, *utility),
        unmeasured=found.unmeasured if utility else (*found.unmeasured, UTILITY),
        caveats=(*caveats, *data.caveats),
        groups=data.counts(),
        asked={name: str(value) if isinstance(value, Path) else value for name, value in vars(args).items()},
    )
    write_report(args.out, card, data, spaces)
    written = f"\n\n{args.out / HTML_NAME}\n{args.out / JSON_NAME}\n"
    print(card.to_json() if args.json else card.to_text() + written, end="")
    return 0


def _refuse_used_folder(folder: Path, force: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConflictError(f"{folder} is a file; name a folder for --out")
    there = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    foreign = [name for name in there if name not in (JSON_NAME, HTML_NAME)]
    if foreign or (there and not force):
        remedy = "name another --out" if foreign else "name another --out, or --force to replace the report"
        raise ConflictError(f"{folder} is in use ({', '.join((foreign or there)[:3])}); {remedy}")


def _refuse_unwritable(folder: Path) -> None:
    """Make the folder and a file in it, and take both away again: measuring takes minutes."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(prefix=STAGED_PREFIX, dir=folder):
            pass
    except OSError as error:
        raise storage_error(folder, error) from error
    finally:
        for path in made:
            with contextlib.suppress(OSError):
                path.rmdir()


def _data(args: argparse.Namespace) -> AuditData:
    """Who is who, and the features of all clips."""
    from gaitcrafter_ext.audit.data import card_splits, load_audit_data, open_trees
    from gaitcrafter_ext.generator.weights import locate, read_card
    from gaitcrafter_ext.silhouettes.parallel import available_cores
    from gaitcrafter_ext.silhouettes.partition import Partition

    card = read_card(locate(args.weights)) if args.weights else None
    trees = open_trees(args.real, args.synthetic, args.views, card, args.config)
    partition = Partition.load(args.partition)
    partition.check(trees.real)
    splits = card_splits(trees, partition, args.synthetic, card)
    with bars("clip") as bar:
        data = load_audit_data(trees, splits, args.skip_broken, args.jobs or available_cores(), bar)
    for files in data.broken.values():
        for each in files:
            print(f"left out: {each.key}: {each.why}", file=sys.stderr)
    return data


def _spaces(args: argparse.Namespace, data: AuditData, device: torch.device) -> tuple[list[Space], list[str]]:
    """The space of plain GEIs, and one of each recogniser; who knows whom is checked before anything is embedded."""
    from gaitcrafter_ext.audit.recognisers import open_judges
    from gaitcrafter_ext.audit.spaces import network_space, pixel_space
    from gaitcrafter_ext.recognition.filter_card import dataset_name

    dataset = dataset_name(data.trees.real.root)
    judges, caveats = open_judges(args.recogniser, dataset, args.other_people, args.synthetic, data.splits)
    spaces = [pixel_space(data)]
    for judge in judges:
        print(f"embedding by {judge.name} ({judge.model})", file=sys.stderr)
        spaces.append(network_space(judge, dataset, data, device))
    return spaces, caveats


def _measured(args: argparse.Namespace, data: AuditData, spaces: list[Space], device: torch.device) -> IdentityCard:
    import numpy as np

    from gaitcrafter_ext.audit.card import run_measures
    from gaitcrafter_ext.audit.measures import clip_measures, membership_measure, people_measures
    from gaitcrafter_ext.audit.membership import membership_of_weights

    clips, rng = (data.splits.training, data.splits.held_out), np.random.default_rng([args.seed, 200])
    membership = membership_measure(
        data, lambda: membership_of_weights(args.weights, data.trees.real, *clips, rng, device)
    )
    people = [each for space in spaces for each in people_measures(data, space, args.seed)]
    with bars("measure") as bar:
        return run_measures([*people, *clip_measures(data, args.seed), membership], bar("measuring"))

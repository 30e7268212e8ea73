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
from gaitcrafter_ext.hardware import pick_device, this_process
from gaitcrafter_ext.silhouettes.files import STAGED_PREFIX, storage_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from gaitcrafter_ext.audit.card import IdentityCard
    from gaitcrafter_ext.audit.data import AuditData, Splits, Trees
    from gaitcrafter_ext.audit.recognisers import Recogniser
    from gaitcrafter_ext.audit.spaces import Space
    from gaitcrafter_ext.audit.team import Team

HELP = "the identity card: every measure with floor, ceiling and chance, as report.json and report.html"

JSON_NAME, HTML_NAME = "report.json", "report.html"

#: Where processes leave their shares while they work.
SHARES = ".shares"


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
    """Measure, write both files, print the table or the JSON; of several processes the first one does."""
    _refuse_used_folder(args.out, args.force)
    alone = this_process().count == 1
    _refuse_unwritable(args.out, tidy=alone)
    from gaitcrafter_ext.audit.card import UTILITY
    from gaitcrafter_ext.audit.recognisers import open_judges
    from gaitcrafter_ext.audit.report import write_report
    from gaitcrafter_ext.audit.team import Team
    from gaitcrafter_ext.audit.utility import utility_rows
    from gaitcrafter_ext.recognition.filter_card import dataset_name

    utility, device = utility_rows(args.experiments) if args.experiments else [], pick_device(args.device)
    trees, splits = _splits(args)
    dataset, team = dataset_name(trees.real.root), Team(args.out / SHARES)
    judges, caveats = open_judges(args.recogniser, dataset, args.other_people, args.synthetic, splits)
    with team.working():
        data = _data(args, trees, splits) if team.leads else None
        spaces = _spaces(dataset, judges, trees, splits, data, device, team)
        if data is None:
            print("this process has embedded its share; the first one writes the report", file=sys.stderr)
            return 0
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
    foreign = [name for name in there if name not in (JSON_NAME, HTML_NAME, SHARES)]
    reports = [name for name in there if name in (JSON_NAME, HTML_NAME)]
    if foreign or (reports and not force):
        remedy = "name another --out" if foreign else "name another --out, or --force to replace the report"
        raise ConflictError(f"{folder} is in use ({', '.join((foreign or reports)[:3])}); {remedy}")


def _refuse_unwritable(folder: Path, tidy: bool) -> None:
    """Make the folder and a file in it, and take both away again, unless others work there: measuring takes minutes."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(prefix=STAGED_PREFIX, dir=folder):
            pass
    except OSError as error:
        raise storage_error(folder, error) from error
    finally:
        for path in made if tidy else ():
            with contextlib.suppress(OSError):
                path.rmdir()


def _splits(args: argparse.Namespace) -> tuple[Trees, Splits]:
    """Who is who."""
    from gaitcrafter_ext.audit.data import card_splits, open_trees
    from gaitcrafter_ext.generator.weights import locate, read_card
    from gaitcrafter_ext.silhouettes.partition import Partition

    card = read_card(locate(args.weights)) if args.weights else None
    trees = open_trees(args.real, args.synthetic, args.views, card, args.config)
    partition = Partition.load(args.partition)
    partition.check(trees.real)
    return trees, card_splits(trees, partition, args.synthetic, card, args.people)


def _data(args: argparse.Namespace, trees: Trees, splits: Splits) -> AuditData:
    """The features of all clips."""
    from gaitcrafter_ext.audit.data import load_audit_data
    from gaitcrafter_ext.silhouettes.parallel import available_cores

    with bars("clip") as bar:
        data = load_audit_data(trees, splits, args.skip_broken, args.jobs or available_cores(), bar)
    for files in data.broken.values():
        for key, why in files.items():
            print(f"left out: {key}: {why}", file=sys.stderr)
    return data


def _spaces(
    dataset: str,
    judges: Sequence[Recogniser],
    trees: Trees,
    splits: Splits,
    data: AuditData | None,
    device: torch.device,
    team: Team,
) -> list[Space]:
    """The space of plain GEIs, and one of each recogniser; none where another process gathers them."""
    from gaitcrafter_ext.audit.spaces import embed_clips, network_space, pixel_space

    spaces = [pixel_space(data)] if data is not None else []
    for judge in judges:
        print(f"embedding by {judge.name} ({judge.model})", file=sys.stderr)
        vectors = embed_clips(judge, trees, splits, device, team)
        if data is not None and vectors is not None:
            spaces.append(network_space(judge, dataset, data, vectors))
    return spaces


def _measured(args: argparse.Namespace, data: AuditData, spaces: list[Space], device: torch.device) -> IdentityCard:
    from gaitcrafter_ext.audit.card import run_measures
    from gaitcrafter_ext.audit.measures import clip_measures, membership_measure, people_measures

    people = [each for space in spaces for each in people_measures(data, space, args.seed)]
    membership = membership_measure(data, args.weights, args.seed, device)
    with bars("measure") as bar:
        return run_measures([*people, *clip_measures(data, args.seed), membership], bar("measuring"))

"""``gaitcrafter evaluate card``, the identity card of a synthetic set, and ``clips``, a smaller look."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from gaitcrafter_ext.cli._options import Progress, add_jobs, at_least
from gaitcrafter_ext.cli.evaluation.options import add_trees
from gaitcrafter_ext.errors import ConflictError, listed
from gaitcrafter_ext.hardware import pick_device, this_process
from gaitcrafter_ext.silhouettes.files import STAGED_PREFIX, storage_error
from gaitcrafter_ext.silhouettes.parallel import Shared, available_cores
from gaitcrafter_ext.vocabulary import choose

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from gaitcrafter_ext.audit.card import IdentityCard, Measure
    from gaitcrafter_ext.audit.data import AuditData, Splits, Trees
    from gaitcrafter_ext.audit.recognisers import Recogniser
    from gaitcrafter_ext.audit.spaces import Space

CARD = "the identity card: every measure with floor, ceiling and chance, as report.json and report.html"
CLIPS = "copies, cadence, masks, motion and rank-1 of synthetic clips, each beside held-out real clips and chance"

JSON_NAME, HTML_NAME = "report.json", "report.html"

#: Where processes leave what they embedded while they work.
SHARES = ".shares"

#: What ``clips`` can measure.
MEASURES = ("rank", "copies", "cadence", "masks", "motion")


def add_card(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``card``."""
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
    _add_measuring(parser)


def add_clips(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``clips``."""
    add_trees(parser)
    parser.add_argument("--trained-weights", dest="weights", metavar="DIR",
                        help="weights that made them: their card names people and held-out takes (without it each"
                        " person's last take of each condition counts as held out)")  # fmt: skip
    parser.add_argument("--measures", default="all", help=f"comma-separated, of {','.join(MEASURES)} (default all)")
    _add_measuring(parser)


def _add_measuring(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--people", type=at_least(2), default=100, metavar="N",
                        help="look at so many people at most of those trained on, of novel ones and of others; the"
                        " report says how many are left out (default %(default)s)")  # fmt: skip
    parser.add_argument("--skip-broken", action="store_true", help="leave broken files out instead of refusing them")
    parser.add_argument("--seed", type=at_least(0), default=0, help="of bootstrap and subsets (default 0)")
    add_jobs(parser)


def card(args: argparse.Namespace) -> int:
    """Measure, write both files, print the table or the JSON; of several processes the first one does."""
    process = this_process()
    _refuse_unwritable(args.out)
    if process.rank == 0:
        _refuse_used_folder(args.out, args.force)
    from gaitcrafter_ext.audit.recognisers import open_judges
    from gaitcrafter_ext.audit.utility import utility_measure
    from gaitcrafter_ext.recognition.filter_card import dataset_name

    utility, device = utility_measure(args.experiments), pick_device(args.device)
    trees, splits = _splits(args, args.partition)
    dataset, shared = dataset_name(trees.real.root), Shared(args.out / SHARES, process)
    judges, caveats = open_judges(args.recogniser, dataset, args.other_people, args.synthetic, splits)
    with contextlib.nullcontext() if process.count == 1 else shared.working():
        data = _data(args, trees, splits) if process.rank == 0 else None
        spaces = _spaces(dataset, judges, trees, splits, data, device, shared)
        if data is not None:
            _report(args, data, spaces, utility, caveats, device)
    if process.count > 1 and shared.is_last():
        shared.forget()
    if data is None:
        print("this process has embedded its share; the first one writes the report", file=sys.stderr)
    return 0


def _refuse_unwritable(folder: Path) -> None:
    """Make a file where the report will be, since measuring takes minutes."""
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(prefix=STAGED_PREFIX, dir=nearest):
            pass
    except OSError as error:
        raise storage_error(folder, error) from error


def _refuse_used_folder(folder: Path, force: bool) -> None:
    there = sorted(path.name for path in folder.iterdir() if path.name != SHARES) if folder.exists() else []
    foreign = [name for name in there if name not in (JSON_NAME, HTML_NAME)]
    if foreign or (there and not force):
        remedy = "name another --out" if foreign else "name another --out, or --force to replace the report"
        raise ConflictError(f"{folder} is in use ({listed(foreign or there)}); {remedy}")


def _splits(args: argparse.Namespace, partition: str | None = None) -> tuple[Trees, Splits]:
    """Who is who."""
    from gaitcrafter_ext.audit.data import open_trees, sort_clips
    from gaitcrafter_ext.generator.weights import locate, read_card
    from gaitcrafter_ext.silhouettes.partition import Partition

    weights = read_card(locate(args.weights)) if args.weights else None
    trees = open_trees(args.real, args.synthetic, args.views, weights, args.config)
    people = Partition.load(partition) if partition else None
    if people is not None:
        people.check(trees.real)
    return trees, sort_clips(trees, args.synthetic, weights, args.people, people)


def _data(args: argparse.Namespace, trees: Trees, splits: Splits) -> AuditData:
    """The features of all clips."""
    from gaitcrafter_ext.audit.data import load_audit_data

    with Progress("reading", "clip") as bar:
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
    shared: Shared,
) -> list[Space]:
    """The space of plain GEIs, and one of each recogniser; none where another process gathers them."""
    from gaitcrafter_ext.audit.spaces import embed_clips, network_space, pixel_space

    spaces = [pixel_space(data)] if data is not None else []
    for judge in judges:
        print(f"embedding by {judge.name} ({judge.model})", file=sys.stderr)
        vectors = embed_clips(judge, trees, splits, device, shared)
        if data is not None and vectors is not None:
            spaces.append(network_space(judge, dataset, data, vectors))
    return spaces


def _report(
    args: argparse.Namespace,
    data: AuditData,
    spaces: list[Space],
    utility: Measure,
    caveats: Sequence[str],
    device: torch.device,
) -> None:
    from gaitcrafter_ext.audit.measures import clip_measures, membership_measure, people_measures
    from gaitcrafter_ext.audit.report import write_report

    people = [each for space in spaces for each in people_measures(data, space, args.seed)]
    membership = membership_measure(data, args.weights, args.seed, device)
    found = _measured(args, data, [*people, *clip_measures(data, args.seed), membership, utility], caveats)
    write_report(args.out, found, data, spaces)
    written = f"\n\n{args.out / HTML_NAME}\n{args.out / JSON_NAME}\n"
    print(found.to_json() if args.json else found.to_text() + written, end="")


def _measured(
    args: argparse.Namespace, data: AuditData, measures: Sequence[Measure], caveats: Sequence[str] = ()
) -> IdentityCard:
    from gaitcrafter_ext.audit.card import run_measures

    facts = {"caveats": (*caveats, *data.caveats), "groups": data.counts(), "asked": vars(args)}
    with Progress("measuring", "measure") as bar:
        return run_measures(measures, bar, **facts)


def clips(args: argparse.Namespace) -> int:
    """Print the tables, or the JSON object, on stdout."""
    wanted = choose(args.measures, MEASURES, "--measures")
    if this_process().rank:
        print("this process has nothing to do: the first one measures, on --jobs cores", file=sys.stderr)
        return 0
    from gaitcrafter_ext.audit.measures import clip_measures, rank_measure

    data = _data(args, *_splits(args))
    possible = [rank_measure(data), *clip_measures(data, args.seed)]
    found = _measured(args, data, [each for each in possible if each.name.replace("closer", "copies") in wanted])
    if args.json:
        print(found.to_json(), end="")
        return 0
    counts = found.groups
    print(
        f"{counts['synthetic_clips']} synthetic clips; real: {counts['training_clips']} training clips,"
        f" {counts['held_out_clips']} to compare with ({counts['held_out_rule']})\n{found.to_text(notes=True)}"
    )
    return 0

"""``gaitcrafter evaluate card``, the identity card of a synthetic set, and ``clips``, a smaller look."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gaitcrafter_ext.audit.card import HTML_NAME, JSON_NAME, IdentityCard, Measure, run_measures
from gaitcrafter_ext.audit.data import AuditData, Splits, Trees, load_audit_data, open_trees, sort_clips
from gaitcrafter_ext.audit.utility import utility_measure
from gaitcrafter_ext.cli._options import Progress
from gaitcrafter_ext.errors import ConflictError, listed
from gaitcrafter_ext.generator.weights import locate, read_card
from gaitcrafter_ext.hardware import pick_device, this_process
from gaitcrafter_ext.recognition.filter_card import dataset_name
from gaitcrafter_ext.silhouettes.files import STAGED_PREFIX, storage_error
from gaitcrafter_ext.silhouettes.parallel import Shared, available_cores
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.vocabulary import choose

if TYPE_CHECKING:
    from gaitcrafter_ext.audit.spaces import Space

#: Where processes leave what they embedded while they work.
SHARES = ".shares"

#: What ``clips`` can measure.
MEASURES = ("rank", "copies", "cadence", "masks", "motion")


def card(args: argparse.Namespace) -> None:
    """the identity card: every measure with floor, ceiling and chance, as report.json and report.html"""
    process = this_process()
    _refuse_unwritable(args.out)
    if process.rank == 0:
        _refuse_used_folder(args.out, args.force)
    from gaitcrafter_ext.audit.recognisers import open_judges
    from gaitcrafter_ext.audit.spaces import embed_clips, network_space, pixel_space

    utility, device = utility_measure(args.experiments), pick_device(args.device)
    trees, splits = _splits(args, args.partition)
    dataset, shared = dataset_name(trees.real.root), Shared(args.out / SHARES, process)
    judges, caveats = open_judges(args.recogniser, dataset, args.other_people, args.synthetic, splits)
    with contextlib.nullcontext() if process.count == 1 else shared.working():
        data = _data(args, trees, splits) if process.rank == 0 else None
        spaces = [] if data is None else [pixel_space(data)]
        for judge in judges:
            with Progress(f"embedding by {judge.name} ({judge.model})", "clip") as bar:
                vectors = embed_clips(judge, trees, splits, device, shared, bar)
            if data is not None and vectors is not None:
                spaces.append(network_space(judge, dataset, data, vectors))
        if data is not None:
            _report(args, data, spaces, utility, caveats)
    if process.count > 1 and shared.is_last():
        shared.forget()
    if data is None:
        print("this process has embedded its share; the first one writes the report", file=sys.stderr)


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
    weights = read_card(locate(args.weights)) if args.weights else None
    trees = open_trees(args.real, args.synthetic, args.views, weights, args.config)
    people = Partition.load(partition) if partition else None
    if people is not None:
        people.check(trees.real)
    return trees, sort_clips(trees, args.synthetic, weights, args.people, people)


def _data(args: argparse.Namespace, trees: Trees, splits: Splits) -> AuditData:
    with Progress("reading", "clip") as bar:
        data = load_audit_data(trees, splits, args.skip_broken, args.jobs or available_cores(), bar)
    for files in data.broken.values():
        for key, why in files.items():
            print(f"left out: {key}: {why}", file=sys.stderr)
    return data


def _report(
    args: argparse.Namespace, data: AuditData, spaces: list[Space], utility: Measure, caveats: Sequence[str]
) -> None:
    from gaitcrafter_ext.audit.measures import clip_measures, membership_measure, people_measures
    from gaitcrafter_ext.audit.report import write_report

    people = [each for space in spaces for each in people_measures(data, space, args.seed)]
    membership = membership_measure(data, args.weights, args.seed, pick_device(args.device))
    found = _measured(args, data, [*people, *clip_measures(data, args.seed), membership, utility], caveats)
    write_report(args.out, found, data, spaces)
    written = f"\n\n{args.out / HTML_NAME}\n{args.out / JSON_NAME}\n"
    print(found.to_json() if args.json else found.to_text() + written, end="")


def _measured(
    args: argparse.Namespace, data: AuditData, measures: Sequence[Measure], caveats: Sequence[str] = ()
) -> IdentityCard:
    facts = {"caveats": (*caveats, *data.caveats), "groups": data.counts(), "asked": vars(args)}
    with Progress("measuring", "measure") as bar:
        return run_measures(measures, bar, **facts)


def clips(args: argparse.Namespace) -> None:
    """copies, cadence, masks, motion and rank-1 of synthetic clips, each beside held-out real clips and chance"""
    wanted = choose(args.measures, MEASURES, "--measures")
    if this_process().rank:
        print("this process has nothing to do: the first one measures, on --jobs cores", file=sys.stderr)
        return
    from gaitcrafter_ext.audit.measures import clip_measures, rank_measure

    data = _data(args, *_splits(args))
    possible = [rank_measure(data), *clip_measures(data, args.seed)]
    found = _measured(args, data, [each for each in possible if each.name.replace("closer", "copies") in wanted])
    if args.json:
        print(found.to_json(), end="")
        return
    counts = found.groups
    others = counts["synthetic_clips_of_other_views"]
    left = f", {others} of other views left out" if others else ""
    print(
        f"{counts['synthetic_clips']} synthetic clips{left}; real: {counts['training_clips']} training clips,"
        f" {counts['held_out_clips']} to compare with ({counts['held_out_rule']})\n{found.to_text(notes=True)}"
    )

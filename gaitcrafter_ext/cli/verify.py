"""``gaitcrafter verify``: is a silhouette tree whole?"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence

from gaitcrafter_ext.cli._options import Progress, options
from gaitcrafter_ext.silhouettes.dataset import load_dataset
from gaitcrafter_ext.silhouettes.parallel import available_cores
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.pictures import sheet_of_store
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.silhouettes.verify import StoreReport, verify

HELP = "check a silhouette tree: counts, missing cells, frame statistics, bad files by name; exit 1 where one is bad"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = options(parser)
    add("root", "the folder of ids: <root>/<id>/<type>/<view>/<view>.pkl", metavar="ROOT")
    add("--config")
    add("--partition", "also check that all people it names are there")
    add("--sheet", "write a contact sheet of clips from all over the tree", metavar="PNG")
    add("--rows")
    add("--jobs")
    add("--json")


def run(args: argparse.Namespace) -> int:
    store = SilhouetteStore(args.root, load_dataset(args.config))
    if args.partition:
        Partition.load(args.partition).check(store)
    with Progress("reading", "clip") as progress:
        report = verify(store.root, args.jobs or available_cores(), progress, store.dataset)
    if args.sheet and report.clips:
        bad = {fault.path for fault in report.bad}
        good = [key for key in store if str(key.path(store.dataset.file)) not in bad]
        sheet_of_store(store, good, args.sheet, args.rows)
    print(json.dumps(report.to_json(), indent=2) if args.json else describe(report))
    return 0 if report.ok else 1


def describe(report: StoreReport) -> str:
    rows = {
        "per condition": _counts(report.conditions),
        "per view": _counts(report.views),
        "per identity": _counts(report.identities),
    }
    if report.frames is not None:
        rows |= {
            "frames": "{minimum} to {maximum} a clip, median {median:g}, {total} in all".format(**report.frames),
            "size": _counts(report.sizes),
            "grey pixels": f"{report.grey_share:.1%} (soft edges; CASIA-B by OpenGait: about 5%)",
            "at the border": f"{report.border_share:.1%} of the frames; empty: {report.empty_frames}",
        }
    missing = f"{_listed(report.missing or ())} (of {report.cells})"
    if report.missing is None:
        missing = f"not counted: identity x take x view would be {report.cells} cells, this tree is no grid"
    rows |= {"missing cells": missing, "bad files": str(len(report.bad) or "none")}
    lines = [f"{report.root}: {report.clips} clips of {len(report.identities)} identities"]
    lines += [f"{name:<14} {text}" for name, text in rows.items()]
    return "\n".join(lines + [f"  {fault.path}: {fault.why}" for fault in report.bad])


def _counts(counts: Mapping[str, int], most: int = 12) -> str:
    """``nm 6, bg 2``; beyond ``most`` names those that have fewest."""
    if len(counts) <= most:
        return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"
    values = sorted(counts.values())
    fewest = [name for name, count in counts.items() if count == values[0]]
    few = "" if values[0] == values[-1] else f"; fewest: {_listed(fewest, 5)}"
    return f"{values[0]} to {values[-1]} each{few}"


def _listed(names: Sequence[str], most: int = 6) -> str:
    if not names:
        return "none"
    return f"{len(names)}: " + ", ".join(names[:most]) + (", ..." if len(names) > most else "")

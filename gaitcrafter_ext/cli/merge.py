"""``gaitcrafter merge``: real and synthetic sets as one OpenGait tree with one partition."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from gaitcrafter_ext.cli._options import add_json
from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.opengait.merging import CLIPS, PARTITION, Merge, merge, plan_merge, undo
from gaitcrafter_ext.opengait.settings import MadeEntry

HELP = "Merge real and synthetic sets into one tree and one partition, for OpenGait without a plug-in"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--real", type=Path, metavar="ROOT", help="the real tree: folder of identities")
    parser.add_argument("--partition", type=Path, metavar="JSON", help="its partition")
    parser.add_argument("--dataset", metavar="NAME", help="its name, e.g. CASIA-B; decides who is the same person")
    parser.add_argument(
        "--synthetic",
        type=Path,
        action="append",
        metavar="DIR",
        help="a folder made by 'synthesize', or a folder of identities; may be given several times",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to make")
    parser.add_argument("--copy", action="store_true", help="copy the clips (default: link their folders)")
    parser.add_argument("--without-real", action="store_true", help="train on the synthetic clips only, test on real")
    parser.add_argument("--undo", type=Path, metavar="DIR", help="take a merge away; the merged sets stay untouched")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Merge, or undo a merge."""
    if args.undo is not None:
        takes = undo(args.undo)
        print(json.dumps({"undone": takes}) if args.json else f"{args.undo}: merge of {takes} takes undone")
        return 0
    lacking = [name for name in ("real", "partition", "dataset", "synthetic", "out") if not getattr(args, name)]
    if lacking:
        raise UsageError(f"needed: {', '.join('--' + name for name in lacking)} (or --undo DIR)")
    _check_out(args)
    entries = [_entry(folder) for folder in args.synthetic]
    plan = plan_merge(args.dataset, args.real, args.partition, entries, args.copy, args.without_real)
    merge(plan, args.out)
    _tell(args, plan)
    return 0


def _check_out(args: argparse.Namespace) -> None:
    """Refuse an ``--out`` that would lie among the clips that are merged."""
    out = args.out.resolve()
    for option, folder in (("--real", args.real), *(("--synthetic", folder) for folder in args.synthetic)):
        if folder.resolve() in (out, *out.parents):
            raise UsageError(f"--out: {args.out} is in {option} {folder}; choose a folder outside it")


def _entry(folder: Path) -> MadeEntry:
    """A folder of ``synthesize``, or a plain root."""
    if (folder / CLIPS).is_dir():
        partition = folder / PARTITION
        return MadeEntry(str(folder / CLIPS), str(partition) if partition.is_file() else None)
    return MadeEntry(str(folder))


def _tell(args: argparse.Namespace, plan: Merge) -> None:
    out = args.out.resolve()
    facts = {
        "dataset_root": str(out / CLIPS),
        "dataset_partition": str(out / PARTITION),
        "train": len(plan.train),
        "novel": plan.novel,
        "test": len(plan.test),
        "class_num": len(plan.train),
    }
    if args.json:
        print(json.dumps(facts))
        return
    print(f"dataset_root: {facts['dataset_root']}\ndataset_partition: {facts['dataset_partition']}")
    print(f"class_num: {facts['class_num']}  ({plan.novel} of them novel; {len(plan.test)} people to test, all real)")
    print(f"take it away: gaitcrafter merge --undo {args.out}")

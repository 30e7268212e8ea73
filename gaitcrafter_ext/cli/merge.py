"""``gaitcrafter merge``: real and synthetic sets as one OpenGait tree with one partition."""

from __future__ import annotations

import argparse
from pathlib import Path

from gaitcrafter_ext.cli._options import SWITCH, options, say
from gaitcrafter_ext.errors import MissingError, UsageError
from gaitcrafter_ext.opengait.config_keys import FolderEntry
from gaitcrafter_ext.opengait.merging import CLIPS, PARTITION, Merged, merge, plan_merge

HELP = "Merge real and synthetic sets into one tree and one partition, for OpenGait without a plug-in"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = options(parser)
    add("--real", "the real tree: folder of identities", type=Path, required=True, metavar="ROOT")
    add("--partition", "its partition", type=Path, required=True)
    add("--dataset", "its name, e.g. CASIA-B; decides who is the same person", required=True, metavar="NAME")
    made = "a folder made by 'synthesize', or a folder of identities; may be given several times"
    add("--synthetic", made, type=Path, action="append", required=True, metavar="DIR")
    add("--out", "folder to make")
    add("--file", "silhouettes in view folders of several files, e.g. {view}-aligned-sils.pkl", metavar="NAME")
    add("--copy", "copy the clips (default: link to them)", **SWITCH)
    add("--without-real", "train on the synthetic clips only, test on real", **SWITCH)
    add("--json")


def run(args: argparse.Namespace) -> None:
    if not args.real.is_dir():
        raise MissingError(f"--real: there is no folder {args.real}; name the folder of the real identities")
    _check_out(args)
    entries = [_entry(folder) for folder in args.synthetic]
    plan = plan_merge(args.dataset, args.real, args.partition, entries, args.file, args.without_real)
    merge(plan, args.out, args.copy)
    _report(args, plan)


def _check_out(args: argparse.Namespace) -> None:
    """Refuse an ``--out`` that would lie among the clips that are merged."""
    out = args.out.resolve()
    for option, folder in (("--real", args.real), *(("--synthetic", folder) for folder in args.synthetic)):
        if folder.resolve() in (out, *out.parents):
            raise UsageError(f"--out: {args.out} is in {option} {folder}; choose a folder outside it")


def _entry(folder: Path) -> FolderEntry:
    """A folder of ``synthesize``, or a plain root."""
    if (folder / CLIPS).is_dir():
        partition = folder / PARTITION
        return FolderEntry(str(folder / CLIPS), str(partition) if partition.is_file() else None)
    return FolderEntry(str(folder))


def _report(args: argparse.Namespace, plan: Merged) -> None:
    out, people = args.out.resolve(), plan.partition
    facts = {"dataset_root": str(out / CLIPS), "dataset_partition": str(out / PARTITION)}
    counts = {"train": len(people.train), "novel": len(plan.novel), "test": len(people.test)}
    say(
        args,
        {**facts, **counts, "class_num": counts["train"]},
        *(f"{name}: {path}" for name, path in facts.items()),
        f"class_num: {counts['train']}  ({counts['novel']} of them novel; {counts['test']} people to test, all real)",
        f"one file a view folder: no data_in_use; to undo, delete {args.out}",
    )

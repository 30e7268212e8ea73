"""``gaitcrafter evaluate``: measure a gait set. The identity card's own steps stand in ``_card``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from gaitcrafter_ext.audit.blind import KEY, SHEET, Row, draw_rows, matching_pairs, score, write_sheet
from gaitcrafter_ext.audit.clips import load_geis
from gaitcrafter_ext.audit.control import control, phase_errors
from gaitcrafter_ext.audit.data import open_tree, open_trees
from gaitcrafter_ext.audit.gei import describe, gallery_and_probes, rank_one
from gaitcrafter_ext.cli._card import MEASURES, card, clips
from gaitcrafter_ext.cli._options import SWITCH, Progress, add_actions, at_least, options, say
from gaitcrafter_ext.errors import DataError, UsageError
from gaitcrafter_ext.metrics.features import FeatureSet
from gaitcrafter_ext.records import fill, read_json
from gaitcrafter_ext.silhouettes.dataset import load_dataset
from gaitcrafter_ext.silhouettes.pictures import contact_sheet, spread
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.synthesis.folder import OutputFolder
from gaitcrafter_ext.vocabulary import VIEWS, ClipKey, choose

HELP = "measure a gait set: synthetic clips beside held-out real ones and chance"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_actions(parser, "measure", ACTIONS)


def run(args: argparse.Namespace) -> None:
    ACTIONS[args.measure][1](args)


def _add_reading(parser: argparse.ArgumentParser) -> None:
    add = options(parser)
    add("--config", "how takes and views are read: a preset or YAML (default: as the weights' card says)")
    add("--views")
    add("--json")


def _add_trees(parser: argparse.ArgumentParser, required: bool = True) -> None:
    add = options(parser)
    add("--real", "real clips: a folder of ids", required=required, metavar="ROOT")
    add("--synthetic", "what 'synthesize --out' wrote, or a folder of ids", required=required, metavar="DIR")
    _add_reading(parser)


def _add_gei(parser: argparse.ArgumentParser) -> None:
    add = options(parser)
    add("root", "real clips: a folder of ids (gallery and real probes)", metavar="ROOT")
    takes = "gallery, comma-separated takes or patterns such as nm-0[1-4] (default: the dataset's gallery)"
    add("--gallery", takes, metavar="TAKES")
    add("--probes", "real probes (default: the dataset's probes)", metavar="TAKES")
    add("--probe-root", "synthetic clips of people in ROOT; every take is a probe", metavar="DIR")
    _add_reading(parser)


def _gei(args: argparse.Namespace) -> None:
    """rank-1 by nearest gait energy image of the same view; with --probe-root, synthetic probes beside real ones"""
    store, keys = _open(args, args.root)
    gallery, asked = gallery_and_probes(store.dataset, keys, args.gallery, args.probes)
    real = _load(store, keys)
    probes = {"real": real.only(takes=asked)}
    if args.probe_root:
        probes["synthetic"] = _load(*_open(args, args.probe_root))
    report = rank_one(real.only(takes=gallery), probes)
    say(args, report, describe(report))


def _open(args: argparse.Namespace, root: str) -> tuple[SilhouetteStore, Sequence[ClipKey]]:
    """A tree, or that in its ``pkl`` folder, and its clips of the asked views."""
    store, keys = open_tree(root, load_dataset(args.config))
    wanted = choose(args.views, sorted({key.view for key in keys}), "--views")
    return store, [key for key in keys if key.view in wanted]


def _load(store: SilhouetteStore, keys: Sequence[ClipKey]) -> FeatureSet:
    with Progress(f"GEIs of {store.root}", "clip") as bar:
        return load_geis(store, keys, bar)


def _add_blind(parser: argparse.ArgumentParser) -> None:
    _add_trees(parser, required=False)
    add = options(parser)
    add("--out", "where sheet.png, answers.json and key.json go", required=False)
    add("--rows", "rows, half of them real (default 20)", type=at_least(2), default=20)
    add("--seed", "which clips, in which order (default 0)")
    add("--score", "the key.json of a sheet; with --answers", metavar="KEY")
    add("--answers", "the filled-in answers.json", metavar="FILE")


def _blind(args: argparse.Namespace) -> None:
    """a sheet of real and synthetic rows in random order with its key; with --score, hits of the answers"""
    if args.score or args.answers:
        return _score(args)
    missing = [name for name in ("real", "synthetic", "out") if not getattr(args, name)]
    if missing:
        raise UsageError(f"--{missing[0]} is missing; a sheet needs --real, --synthetic and --out")
    if args.rows % 2:
        raise UsageError(f"--rows {args.rows} is odd; half of the rows are real: give an even number")
    trees = open_trees(args.real, args.synthetic, args.views, config=args.config)
    rows = write_sheet(args.out, trees, draw_rows(trees, args.rows, np.random.default_rng(args.seed)))
    sheet, key = args.out / SHEET, args.out / KEY
    say(
        args,
        {"sheet": str(sheet), "key": str(key), "rows": len(rows)},
        f"sheet to show:      {sheet}  ({len(rows)} rows, half of them real)",
        f"answers to fill in: {args.out / 'answers.json'}  (real or synthetic for each row)",
        f"key to keep back:   {key}",
    )


def _score(args: argparse.Namespace) -> None:
    if not (args.score and args.answers):
        raise UsageError("--score KEY and --answers FILE belong together")
    key = fill(tuple[Row, ...], read_json(args.score), args.score)
    result = score(key, fill(dict[str, str], read_json(args.answers), args.answers))
    shares = ("share", "low", "high", "synthetic_as_real", "real_as_real")
    share, low, high, made, real = (f"{100 * result[name]:.0f}" for name in shares)
    text = (
        f"{result['hits']} of {result['rows']} rows right: {share} % [{low}, {high}], chance 50 %,"
        f" p = {result['p_value']:.3f}\ntaken for real: {made} % of the synthetic rows, {real} % of the real ones"
    )
    say(args, result, text)


def _add_pairs(parser: argparse.ArgumentParser) -> None:
    _add_trees(parser)
    add = options(parser)
    add("--out", "the sheet to write", metavar="PNG")
    add("--pairs", "how many, spread evenly over all (default 8)", type=at_least(1), default=8)
    add("--frames", "frames a row (default 12)", type=at_least(1), default=12)


def _pairs(args: argparse.Namespace) -> None:
    """a sheet of real clips, each above a synthetic one of the same person, condition and view"""
    trees = open_trees(args.real, args.synthetic, args.views, config=args.config)
    found = matching_pairs(trees)
    if not found:
        raise DataError(f"{args.real} and {args.synthetic} share no person, condition and view; nothing to compare")
    rows = []
    for theirs, ours in (found[index] for index in spread(len(found), args.pairs)):
        clip = trees.synthetic.read(ours)
        rows += [(f"real  {theirs}", trees.real.read(theirs)[: len(clip)]), (f"synth {ours}", clip)]
    contact_sheet(rows, args.out, frames=args.frames)
    shown = {"sheet": str(args.out), "pairs": len(rows) // 2, "possible": len(found)}
    say(args, shown, f"{args.out}: {shown['pairs']} of {len(found)} possible pairs")


def _add_control(parser: argparse.ArgumentParser) -> None:
    add = options(parser)
    add("synthetic", "what 'synthesize --out' wrote", type=Path, metavar="DIR")
    add("--seed", "of the bootstrap (default 0)")
    add("--json")


def _control(args: argparse.Namespace) -> None:
    """gait cycles read beside those asked for, and frame-to-frame overlap at the borders of windows"""
    with Progress("reading", "clip") as bar:
        found = control(OutputFolder(args.synthetic), np.random.default_rng(args.seed), bar)
    lines = ["view  cycle off by (mean)  clips"]
    lines += [f"{view:4}  {error:11.2f} frames  {count:5}" for view, (error, count) in found.views.items()]
    lines.append(f"worst clip: {found.worst:.2f} frames")
    for where, overlap in (("at window borders", found.seams), ("elsewhere", found.elsewhere)):
        if overlap.count:
            interval = f"[{overlap.low:.3f}, {overlap.high:.3f}]"
            lines.append(f"IoU of successive frames {where}: {overlap.value:.3f} {interval}")
    say(args, asdict(found), *lines)


def _add_phases(parser: argparse.ArgumentParser) -> None:
    add, default = options(parser), "default: %(default)s"
    add("--people", default, type=at_least(2, 1000), default=60, metavar="N")
    add("--takes", default, default="nm-01,cl-01", metavar="A,B")
    add("--frames", default, type=at_least(20, 100), default=40, metavar="T")
    add("--seed", type=at_least(0, 2**31 - 1), default=77)
    add("--json")


def _phases(args: argparse.Namespace) -> None:
    """error of gait cycle and phase by view, on simulated walkers of known phase"""
    with Progress("walking", "person") as bar:
        rows = phase_errors(args.people, args.takes.split(","), VIEWS, args.frames, args.seed, bar)
    lines = ["view  cycle off by  phase off by, view alone (flipped)  views together (flipped)"]
    lines += [
        f"{row.view}   {row.cycle:5.2f} frames  {row.alone:12.0f} deg ({row.alone_flipped:4.0%})"
        f"  {row.shared:20.0f} deg ({row.shared_flipped:4.0%})"
        for row in rows
    ]
    say(args, rows, *lines)


def _add_card(parser: argparse.ArgumentParser) -> None:
    _add_trees(parser)
    add = options(parser)
    add("--partition", required=True)
    add("--out", "folder of the report", metavar="REPORT_DIR")
    _add_weights(parser, "--weights")
    judge = "folder of 'recognise train', or bundled; may be repeated (default: none)"
    add("--recogniser", judge, action="append", default=[], metavar="DIR")
    add("--other-people", "the recognisers' people only bear the same names as the real ones here", **SWITCH)
    add("--experiments", "what 'experiment --out' wrote: does it help a recogniser?", metavar="DIR")
    add("--force", "replace the report in REPORT_DIR")
    add("--device")
    _add_measuring(parser)


def _add_clips(parser: argparse.ArgumentParser) -> None:
    _add_trees(parser)
    _add_weights(parser, "--trained-weights")
    options(parser)("--measures", f"comma-separated, of {','.join(MEASURES)} (default all)", default="all")
    _add_measuring(parser)


def _add_weights(parser: argparse.ArgumentParser, option: str) -> None:
    made_by = (
        "weights that made the clips: their card names people and held-out takes (without it each person's last take of"
        " each condition counts as held out)"
    )
    options(parser)(option, made_by, dest="weights", default=None, metavar="NAME|DIR")


def _add_measuring(parser: argparse.ArgumentParser) -> None:
    add = options(parser)
    most = (
        "look at so many people at most of those trained on, of novel ones and of others; the report says how many are"
        " left out (default %(default)s)"
    )
    add("--people", most, type=at_least(2), default=100, metavar="N")
    add("--skip-broken", "leave broken files out instead of refusing them", **SWITCH)
    add("--seed", "of bootstrap and subsets (default 0)")
    add("--jobs")


ACTIONS = {
    "gei": (_add_gei, _gei),
    "clips": (_add_clips, clips),
    "blind": (_add_blind, _blind),
    "pairs": (_add_pairs, _pairs),
    "phases": (_add_phases, _phases),
    "control": (_add_control, _control),
    "card": (_add_card, card),
}

"""``gaitcrafter pretreat``: pictures of walkers to aligned 64 x 64 clips."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from gaitcrafter_ext.cli._options import COUNT, SWITCH, Progress, at_least, number, options
from gaitcrafter_ext.errors import ConflictError, DataError, MissingError, UsageError
from gaitcrafter_ext.silhouettes.cycle import FPS
from gaitcrafter_ext.silhouettes.dataset import load_dataset
from gaitcrafter_ext.silhouettes.ingest import (
    Ingested,
    IngestOptions,
    Walk,
    find_walks,
    frames_of,
    ingest_frames,
    ingest_walks,
    is_archive,
    is_image,
)
from gaitcrafter_ext.silhouettes.masks import Frame
from gaitcrafter_ext.silhouettes.parallel import available_cores
from gaitcrafter_ext.silhouettes.pictures import sheet_of_store
from gaitcrafter_ext.silhouettes.store import SilhouetteStore, entry_names
from gaitcrafter_ext.silhouettes.video import read_video
from gaitcrafter_ext.vocabulary import ClipKey

HELP = "align silhouettes as OpenGait does: a tree or archive of frames or pickles, a folder of frames, or a video"

LAYOUTS = ("tree", "frames", "video")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = options(parser)
    what = "<id>/<type>/<view>/*.png (or *.pkl) tree, zip or tar of one (CASIA-B's download), folder of masks, video"
    add("input", what, type=Path, metavar="INPUT")
    add("--out", "root of the OpenGait tree to write clips to")
    add("--layout", "what INPUT is (default: found out by looking)", choices=LAYOUTS)
    add("--config", "dataset rules: which pickle of a view folder, e.g. casia-b-star")
    add("--identity", "who walks, e.g. 001 (folder of frames, or video)", metavar="ID")
    add("--take", "condition and number, e.g. nm-01 (folder of frames, or video)", metavar="TAKE")
    add("--view", "angle, e.g. 090 (folder of frames, or video)", metavar="VIEW")
    add("--min-frames", "refuse shorter walks (default 5)", type=at_least(2), default=5, metavar="N")
    border = "frames in which the person touches the picture's edge (default: keep, as OpenGait; drop for a video)"
    add("--border", border, choices=("keep", "drop"))
    add("--invert", "the person is black on white", **SWITCH)
    add("--as-opengait", "take masks as they are: specks, passers-by and greys included", **SWITCH)
    add("--walker", "of a video: 1 = who walks longest", **COUNT, default=1)
    add("--fps", "the video's frames a second (default: what it says itself)", type=number(1, 1000), metavar="RATE")
    add("--force", "make clips again that are there already")
    add("--save-sheet", "write a contact sheet of the clips", metavar="PNG")
    add("--rows")
    add("--jobs")
    add("--json")


def run(args: argparse.Namespace) -> None:
    """Align everything; results on stdout, warnings on stderr; ``DataError`` where nothing could be used."""
    source, out = args.input, args.out
    layout = args.layout or _layout(source)
    key = _key(args, layout)
    if out.resolve() == source.resolve() or source.resolve() in out.resolve().parents:
        raise UsageError(f"--out {out} lies in the input; choose a folder outside of it")
    options = IngestOptions(
        drop_border=(args.border or ("drop" if layout == "video" else "keep")) == "drop",
        invert=args.invert,
        as_opengait=args.as_opengait,
        min_frames=args.min_frames,
        force=args.force,
        dataset=load_dataset(args.config),
    )
    results = _ingest_tree(args, options) if key is None else [_ingest_one(args, layout, key, options)]
    _warn(results)
    usable = [result.key for result in results if result.state != "refused"]
    if not usable:
        with contextlib.suppress(OSError):  # an output folder that holds something stays
            out.rmdir()
        raise DataError(f"{source}: no walk could be used, {len(results)} refused for the reasons above")
    store = SilhouetteStore(out, options.dataset)
    if args.save_sheet:
        sheet_of_store(store, usable, args.save_sheet, args.rows)
    _report(store, results, args.json)


def _layout(source: Path) -> str:
    if not source.exists():
        raise MissingError(f"there is no {source}; expected a folder of frames, a tree of such folders, or a video")
    if source.is_file():
        return "tree" if is_archive(source.name) else "video"
    return "frames" if any(is_image(name) for name in entry_names(source)) else "tree"


def _key(args: argparse.Namespace, layout: str) -> ClipKey | None:
    """The name of the one clip that frames or a video make; None for a tree, which has names of its own."""
    names = {"--identity": args.identity, "--take": args.take, "--view": args.view}
    given = [option for option, name in names.items() if name is not None]
    absent = [option for option in names if option not in given]
    if layout == "tree":
        if given:
            raise UsageError(
                f"{', '.join(given)}: {args.input} is read as a tree, which names its own clips; leave it out, or name "
                "a folder that holds frames itself"
            )
        return None
    if absent:
        raise UsageError(f"{', '.join(absent)} missing: name the clip, e.g. --identity 001 --take nm-01 --view 090")
    for option, name in names.items():
        if not name or name.startswith(".") or "/" in name or "\\" in name:
            raise UsageError(f"{option} '{name}' cannot be a folder's name; use letters, digits and dashes")
    return ClipKey(args.identity, args.take, args.view)


def _ingest_tree(args: argparse.Namespace, options: IngestOptions) -> list[Ingested]:
    walks = find_walks(args.input)
    root = SilhouetteStore(args.out, create=True).root  # fails now, not after hours, if it cannot be written
    with Progress("aligning", "walk") as progress:
        return ingest_walks(walks, root, options, args.jobs or available_cores(), progress)


def _ingest_one(args: argparse.Namespace, layout: str, key: ClipKey, options: IngestOptions) -> Ingested:
    source, path = args.input, args.out / key.path(options.dataset.file)
    if not source.exists() or source.is_dir() != (layout == "frames"):
        raise MissingError(f"--layout {layout}: {source} is not a {'folder' if layout == 'frames' else 'file'}")
    if path.exists() and not options.force:
        raise ConflictError(f"{path} is there already; choose another name, or --force to replace it")
    frames = frames_of(Walk(key, source), options) if layout == "frames" else _cut_out(args)
    return ingest_frames(lambda: frames, key, args.out, options)


def _cut_out(args: argparse.Namespace) -> list[Frame]:
    """The frames of one walker of a video; says on stderr who walks in it."""
    with Progress("cutting out", "frame") as progress:
        video = read_video(args.input, args.fps, progress)
    if args.walker > len(video.walkers):
        raise UsageError(f"--walker {args.walker}: there are {len(video.walkers)} walkers in {args.input}")
    for rank, walker in enumerate(video.walkers, 1):
        chosen = "taken" if rank == args.walker else f"left out (--walker {rank} takes it)"
        where = f"frames {min(walker.seen)} to {max(walker.seen)} of {video.count}, {walker.direction}"
        print(f"walker {rank}: {where}: {chosen}", file=sys.stderr)
    if round(video.fps, 2) != FPS:
        print(f"{video.fps:g} frames a second, resampled to {FPS} (--fps, if that is not right)", file=sys.stderr)
    return video.frames(video.walkers[args.walker - 1])


def _warn(results: Sequence[Ingested], most: int = 20) -> None:
    """Say on stderr what was mended and left out, one count and one list for each kind of trouble."""
    for kind in sorted({kind for result in results for kind in result.warnings}):
        hit = [result for result in results if kind in result.warnings]
        print(f"warning: {kind}: {len(hit)} of {len(results)} walks", file=sys.stderr)
        for result in hit[:most]:
            print(f"  {result.key}: {result.warnings[kind]}", file=sys.stderr)
        if len(hit) > most:
            print(f"  ... and {len(hit) - most} more (all of them: --json)", file=sys.stderr)


def _report(store: SilhouetteStore, results: Sequence[Ingested], as_json: bool) -> None:
    counts = Counter({"written": 0, "kept": 0, "refused": 0})
    counts.update(result.state for result in results)
    frames = sum(result.frames for result in results)
    if as_json:
        walks = [{**asdict(result), "key": str(result.key)} for result in results]
        print(json.dumps({"root": str(store.root), **counts, "frames": frames, "walks": walks}, indent=2))
        return
    print(f"{store.root}: {counts['written']} clips written, {frames} frames")
    if counts["kept"]:
        print(f"{counts['kept']} were there already and are kept (--force makes them again)")
    if counts["refused"]:
        print(f"{counts['refused']} refused, see the warnings")

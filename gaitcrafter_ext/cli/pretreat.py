"""``gaitcrafter pretreat``: pictures of walkers to aligned 64 x 64 clips."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from gaitcrafter_ext.cli._options import Progress, add_jobs, add_json, at_least
from gaitcrafter_ext.errors import ConflictError, DataError, MissingError, UsageError
from gaitcrafter_ext.vocabulary import ClipKey

if TYPE_CHECKING:
    from gaitcrafter_ext.silhouettes.ingest import Ingested, IngestOptions
    from gaitcrafter_ext.silhouettes.store import SilhouetteStore

HELP = "align silhouettes as OpenGait does: a CASIA-B tree of PNG frames, a folder of frames, or a video of one walker"

LAYOUTS = ("casia-b", "frames", "video")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("input", metavar="INPUT", help="<id>/<type>/<view>/*.png tree, folder of masks, or video file")
    parser.add_argument("--out", required=True, metavar="DIR", help="root of the OpenGait tree to write clips to")
    parser.add_argument("--layout", choices=LAYOUTS, help="what INPUT is (default: found out by looking)")
    parser.add_argument("--identity", metavar="ID", help="who walks, e.g. 001 (folder of frames, or video)")
    parser.add_argument("--take", metavar="TAKE", help="condition and number, e.g. nm-01 (folder of frames, or video)")
    parser.add_argument("--view", metavar="VIEW", help="angle, e.g. 090 (folder of frames, or video)")
    parser.add_argument(
        "--min-frames", type=at_least(2), default=5, metavar="N", help="refuse shorter walks (default 5)"
    )
    parser.add_argument(
        "--border", choices=("keep", "drop"),
        help="frames in which the person touches the picture's edge (default: keep, as OpenGait; drop for a video)",
    )  # fmt: skip
    parser.add_argument("--force", action="store_true", help="make clips anew that are there already")
    parser.add_argument("--save-sheet", metavar="PNG", help="write a contact sheet of the clips")
    parser.add_argument("--rows", type=at_least(1), default=24, help="clips on the contact sheet (default 24)")
    add_jobs(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Align everything; results on stdout, warnings on stderr.

    Raises:
        DataError: Nothing could be used.
    """
    source, out = Path(args.input), Path(args.out)
    layout = args.layout or _layout(source)
    key = _key(args, layout)
    if out.resolve() == source.resolve() or source.resolve() in out.resolve().parents:
        raise UsageError(f"--out {out} lies in the input; choose a folder outside of it")

    from gaitcrafter_ext.silhouettes.ingest import IngestOptions
    from gaitcrafter_ext.silhouettes.store import SilhouetteStore

    options = IngestOptions(args.min_frames, (args.border or _BORDER[layout]) == "drop", args.force)
    results = _ingest(args, layout, key, options)
    _warn(results)
    states = Counter(result.state for result in results)
    if not states["written"] and not states["kept"]:
        raise DataError(f"{source}: no walk could be used, {len(results)} refused for the reasons above")
    store = SilhouetteStore(out)
    if args.save_sheet:
        _write_sheet(store, results, args.save_sheet, args.rows)
    print(json.dumps(_for_machines(store, results), indent=2) if args.json else describe(store, results))
    return 0


_BORDER = {"casia-b": "keep", "frames": "keep", "video": "drop"}


def _layout(source: Path) -> str:
    """Find out what the input is."""
    if not source.exists():
        raise MissingError(f"there is no {source}; expected a folder of frames, a tree of such folders, or a video")
    if source.is_file():
        return "video"

    from gaitcrafter_ext.silhouettes.pretreat import image_files

    return "frames" if image_files(source) else "casia-b"


def _key(args: argparse.Namespace, layout: str) -> ClipKey | None:
    """The name of the one clip that frames or a video make; None for a tree, which has names of its own."""
    names = {"--identity": args.identity, "--take": args.take, "--view": args.view}
    if layout == "casia-b":
        given = [option for option, name in names.items() if name is not None]
        if given:
            raise UsageError(f"{', '.join(given)}: a tree names its own clips; leave it out, or use --layout frames")
        return None
    absent = [option for option, name in names.items() if name is None]
    if absent:
        raise UsageError(f"{', '.join(absent)} missing: name the clip, e.g. --identity 001 --take nm-01 --view 090")
    for option, name in names.items():
        if not name or name.startswith(".") or "/" in name or "\\" in name:
            raise UsageError(f"{option} '{name}' cannot be a folder's name; use letters, digits and dashes")
    return ClipKey(args.identity, args.take, args.view)


def _ingest(args: argparse.Namespace, layout: str, key: ClipKey | None, options: IngestOptions) -> list[Ingested]:
    from gaitcrafter_ext.silhouettes.ingest import find_walks, ingest_frames, ingest_tree, ingest_video
    from gaitcrafter_ext.silhouettes.parallel import available_cores
    from gaitcrafter_ext.silhouettes.store import SilhouetteStore

    source = Path(args.input)
    if key is None:
        walks = find_walks(source)
        root = SilhouetteStore(args.out, create=True).root  # told now, not after hours, if it cannot be written
        with Progress("aligning", "walk") as progress:
            return ingest_tree(walks, root, options, args.jobs or available_cores(), progress)
    if not source.exists() or source.is_dir() != (layout == "frames"):
        raise MissingError(f"--layout {layout}: {source} is not a {'folder' if layout == 'frames' else 'file'}")
    root = Path(args.out)
    if (root / key.relative_path).exists() and not options.force:
        raise ConflictError(
            f"{root / key.relative_path} is there already; choose another name, or --force to replace it"
        )
    if layout == "frames":
        return [ingest_frames(source, key, root, options)]
    with Progress("cutting out", "frame") as progress:
        return [ingest_video(source, key, root, options, progress)]


def _warn(results: Sequence[Ingested], most: int = 20) -> None:
    """Say on stderr what was left out, one count and one list for each kind of trouble."""
    kinds = sorted({kind for result in results for kind in result.warnings})
    for kind in kinds:
        hit = [result for result in results if kind in result.warnings]
        print(f"warning: {kind}: {len(hit)} of {len(results)} walks", file=sys.stderr)
        for result in hit[:most]:
            print(f"  {result.key}: {result.warnings[kind]}", file=sys.stderr)
        if len(hit) > most:
            print(f"  ... and {len(hit) - most} more (all of them: --json)", file=sys.stderr)


def describe(store: SilhouetteStore, results: Sequence[Ingested]) -> str:
    """The outcome as text for people."""
    states = Counter(result.state for result in results)
    frames = sum(result.frames for result in results)
    lines = [f"{store.root}: {states['written']} clips written, {frames} frames"]
    if states["kept"]:
        lines.append(f"{states['kept']} were there already and are kept (--force makes them anew)")
    if states["refused"]:
        lines.append(f"{states['refused']} refused, see the warnings")
    return "\n".join(lines)


def _for_machines(store: SilhouetteStore, results: Sequence[Ingested]) -> dict[str, object]:
    states = Counter(result.state for result in results)
    counts = {state: states[state] for state in ("written", "kept", "refused")}
    walks = [{**asdict(result), "key": str(result.key)} for result in results]
    return {"root": str(store.root), **counts, "frames": sum(r.frames for r in results), "walks": walks}


def _write_sheet(store: SilhouetteStore, results: Sequence[Ingested], path: str, rows: int) -> None:
    from gaitcrafter_ext.silhouettes.sheet import contact_sheet, spread

    keys = [result.key for result in results if result.state != "refused"]
    shown = [keys[index] for index in spread(len(keys), rows)]
    contact_sheet([(str(key), store.read(key)) for key in shown], path)

"""``gaitcrafter export``: chosen clips as one animated picture or film."""

from __future__ import annotations

import argparse
from pathlib import Path

from gaitcrafter_ext.cli._options import at_least, number
from gaitcrafter_ext.errors import ConflictError
from gaitcrafter_ext.silhouettes.pictures import grid, write_animation
from gaitcrafter_ext.silhouettes.store import read_clip

HELP = "Write chosen clips as one GIF, WebP, animated PNG or MP4, for talks and pages"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP.pkl", help="clips, in reading order")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="ends in .gif, .webp, .png or .mp4")
    parser.add_argument("--columns", type=at_least(1, 100), default=8, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--scale", type=at_least(1, 16), default=2, metavar="K", help="enlargement of a pixel (default: %(default)s)"
    )
    parser.add_argument("--fps", type=number(1, 100), default=25.0, metavar="RATE", help="default: %(default)g")
    parser.add_argument("--force", action="store_true", help="overwrite FILE")


def run(args: argparse.Namespace) -> int:
    """Read, lay out, write."""
    if args.out.exists() and not args.force:
        raise ConflictError(f"--out: {args.out} is there already; choose another file, or overwrite it by --force")
    frames = grid([read_clip(path) for path in args.clips], args.columns, args.scale)
    write_animation(args.out, frames, args.fps)
    print(f"{args.out}: {len(args.clips)} clips, {len(frames)} frames of {frames.shape[2]} x {frames.shape[1]} pixels")
    return 0

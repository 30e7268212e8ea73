"""``gaitcrafter export``: chosen clips as one animated picture or film, or all clips of a folder as an archive."""

from __future__ import annotations

import argparse
from pathlib import Path

from gaitcrafter_ext.cli._options import COUNT, at_least, number, options
from gaitcrafter_ext.errors import ConflictError, UsageError
from gaitcrafter_ext.silhouettes.pictures import grid, write_animation
from gaitcrafter_ext.silhouettes.store import read_clip
from gaitcrafter_ext.synthesis.archives import write_parquet, write_webdataset

HELP = "Write clips as a GIF, WebP, animated PNG or MP4, or with their manifest as Parquet or WebDataset"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = options(parser)
    add("clips", "clips, in reading order; with --format one folder", nargs="+", type=Path, metavar="CLIP.pkl|DIR")
    add("--out", "ends in .gif, .webp, .png, .mp4; or a folder", metavar="FILE|DIR")
    archive = "all clips of what 'synthesize' wrote, or of a tree, with their manifest (parquet: needs pyarrow)"
    add("--format", archive, choices=("parquet", "webdataset"))
    add("--shard-clips", "clips a tar (default: %(default)s)", **COUNT, default=1000)
    add("--columns", "default: %(default)s", type=at_least(1, 100), default=8, metavar="N")
    add("--scale", "enlargement of a pixel (default: %(default)s)", type=at_least(1, 16), default=2, metavar="K")
    add("--fps", "default: %(default)g", type=number(1, 100), default=25.0, metavar="RATE")
    add("--force")


def run(args: argparse.Namespace) -> None:
    if args.out.exists() and not args.force:
        raise ConflictError(f"--out: {args.out} is there already; choose another file, or overwrite it by --force")
    if args.format is not None:
        return _archive(args)
    frames = grid([read_clip(path) for path in args.clips], args.columns, args.scale)
    write_animation(args.out, frames, args.fps)
    print(f"{args.out}: {len(args.clips)} clips, {len(frames)} frames of {frames.shape[2]} x {frames.shape[1]} pixels")


def _archive(args: argparse.Namespace) -> None:
    root, out = args.clips[0], args.out
    if len(args.clips) > 1 or not root.is_dir():
        raise UsageError(f"--format {args.format}: name one folder, what 'synthesize' wrote or an OpenGait tree")
    if out.exists() and out.is_dir() != (args.format == "webdataset"):  # --force does not put a file in its place
        raise ConflictError(f"--out: {out} is no {'folder' if out.is_file() else 'file'}; choose another name")
    if args.format == "parquet":
        write_parquet(root, out)
    else:
        write_webdataset(root, out, args.shard_clips)
    written = sorted(out.glob("clips-*.tar")) if out.is_dir() else [out]
    megabytes = sum(path.stat().st_size for path in written) / 1e6
    print(f"{out}: {len(written)} file{'s' * (len(written) > 1)}, {megabytes:.1f} MB")

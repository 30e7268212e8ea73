"""``gaitcrafter evaluate pairs``: real walks above the same people's synthetic ones, to look at."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from gaitcrafter_ext.cli._options import add_json, at_least
from gaitcrafter_ext.errors import DataError

if TYPE_CHECKING:
    from gaitcrafter_ext.vocabulary import ClipKey

HELP = "a sheet of real clips, each above a synthetic one of the same person, condition and view"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--real", required=True, metavar="ROOT", help="real clips: a folder of ids")
    parser.add_argument("--synthetic", required=True, metavar="DIR", help="synthetic clips: a folder of ids")
    parser.add_argument("--out", required=True, type=Path, metavar="PNG", help="the sheet to write")
    parser.add_argument("--pairs", type=at_least(1), default=8, help="how many, spread evenly over all (default 8)")
    parser.add_argument("--frames", type=at_least(1), default=12, help="frames a row (default 12)")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Write the sheet."""
    from gaitcrafter_ext.cli.evaluation.clips import open_store
    from gaitcrafter_ext.silhouettes.sheet import contact_sheet, spread

    (real, real_keys), (made, made_keys) = open_store(args.real), open_store(args.synthetic)
    pairs = match_pairs(real_keys, made_keys)
    if not pairs:
        raise DataError(f"{args.real} and {args.synthetic} share no person, condition and view; nothing to compare")
    rows = []
    for index in spread(len(pairs), args.pairs):
        first, second = pairs[index]
        clip = made.read(second)
        rows += [(f"real  {first}", real.read(first)[: len(clip)]), (f"synth {second}", clip)]
    contact_sheet(rows, args.out, frames=args.frames)
    found = {"sheet": str(args.out), "pairs": len(rows) // 2, "possible": len(pairs)}
    print(json.dumps(found) if args.json else f"{args.out}: {found['pairs']} of {len(pairs)} possible pairs")
    return 0


def match_pairs(real: list[ClipKey], synthetic: list[ClipKey]) -> list[tuple[ClipKey, ClipKey]]:
    """Each synthetic clip with the first real one of its person, condition and view, where there is one."""
    first: dict[tuple[str, str, str], ClipKey] = {}
    for key in real:
        first.setdefault((key.identity, key.condition, key.view), key)
    cells = [(key, (key.identity, key.condition, key.view)) for key in synthetic]
    return [(first[cell], key) for key, cell in cells if cell in first]

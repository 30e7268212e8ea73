"""``gaitcrafter recognise export``: a recogniser as a checkpoint that OpenGait loads."""

from __future__ import annotations

import argparse
from pathlib import Path

from gaitcrafter_ext.errors import ConflictError

HELP = "write a trained recogniser as an OpenGait checkpoint (.pt)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--recogniser", required=True, metavar="DIR", help="a folder that 'recognise train' wrote")
    parser.add_argument("--out", required=True, metavar="FILE.pt", help="the checkpoint to write")
    parser.add_argument("--force", action="store_true", help="overwrite it")


def run(args: argparse.Namespace) -> int:
    """Write the checkpoint."""
    if Path(args.out).exists() and not args.force:
        raise ConflictError(f"{args.out} is already there; --force overwrites it")

    from gaitcrafter_ext.recognition.checkpoint import load_recogniser, save_opengait

    network, card = load_recogniser(args.recogniser)
    save_opengait(args.out, network, card.iterations)
    print(f"{args.out}: OpenGait model {'GaitSet' if card.model == 'gaitset' else 'Baseline'}; set restore_hint to it")
    return 0

"""``gaitcrafter evaluate``: measure a gait set."""

from __future__ import annotations

import argparse

from gaitcrafter_ext.cli.evaluation import blind, card, clips, control, gei, pairs, phases

HELP = "measure a gait set: synthetic clips beside held-out real ones and chance"

_MEASURES = {
    "gei": gei,
    "clips": clips,
    "blind": blind,
    "pairs": pairs,
    "phases": phases,
    "control": control,
    "card": card,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give each measure its own sub-parser."""
    measures = parser.add_subparsers(dest="measure", metavar="MEASURE", required=True)
    for name, module in _MEASURES.items():
        child = measures.add_parser(name, help=module.HELP, description=module.HELP, allow_abbrev=False)
        module.add_arguments(child)


def run(args: argparse.Namespace) -> int:
    """Run the measure that was asked for."""
    return _MEASURES[args.measure].run(args)

"""``gaitcrafter evaluate``: measure a gait set."""

from __future__ import annotations

import argparse

from gaitcrafter_ext.cli.evaluation import card, control, gei, sheets

HELP = "measure a gait set: synthetic clips beside held-out real ones and chance"

#: Measure -> help, options, command.
_MEASURES = {
    "gei": (gei.HELP, gei.add_arguments, gei.run),
    "clips": (card.CLIPS, card.add_clips, card.clips),
    "blind": (sheets.BLIND, sheets.add_blind, sheets.blind),
    "pairs": (sheets.PAIRS, sheets.add_pairs, sheets.pairs),
    "phases": (control.PHASES, control.add_phases, control.phases),
    "control": (control.CONTROL, control.add_control, control.control),
    "card": (card.CARD, card.add_card, card.card),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give each measure its own sub-parser."""
    measures = parser.add_subparsers(dest="measure", metavar="MEASURE", required=True)
    for name, (summary, add, _) in _MEASURES.items():
        child = measures.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        add(child)


def run(args: argparse.Namespace) -> int:
    """Run the measure that was asked for."""
    return _MEASURES[args.measure][2](args)

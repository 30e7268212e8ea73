"""``gaitcrafter recognise``: train a recogniser and test it by its dataset's protocol."""

from __future__ import annotations

import argparse

from gaitcrafter_ext.cli.recognition import export, test, train

HELP = "train GaitSet or GaitBase on any machine and test it by CASIA-B's protocol or the dataset's own"

_ACTIONS = {"train": train, "test": test, "export": export}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give each action its own sub-parser."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, module in _ACTIONS.items():
        child = actions.add_parser(name, help=module.HELP, description=module.HELP, allow_abbrev=False)
        module.add_arguments(child)


def run(args: argparse.Namespace) -> int:
    """Run the action that was asked for."""
    return _ACTIONS[args.action].run(args)

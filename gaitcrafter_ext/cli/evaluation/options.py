"""Options that several measures share."""

from __future__ import annotations

import argparse

from gaitcrafter_ext.cli._options import add_json


def add_trees(parser: argparse.ArgumentParser, synthetic: str = "a folder of ids", required: bool = True) -> None:
    """``--real``, ``--synthetic``, ``--config``, ``--views`` and ``--json``."""
    parser.add_argument("--real", required=required, metavar="ROOT", help="real clips: a folder of ids")
    parser.add_argument("--synthetic", required=required, metavar="DIR", help=f"synthetic clips: {synthetic}")
    add_reading(parser)


def add_reading(parser: argparse.ArgumentParser) -> None:
    """``--config``, ``--views`` and ``--json``."""
    parser.add_argument(
        "--config", metavar="PRESET|YAML",
        help="how takes and views are read: the dataset of this config (default: as the weights' card says)",
    )  # fmt: skip
    parser.add_argument("--views", default="all", help="comma-separated views, or all (default all)")
    add_json(parser)

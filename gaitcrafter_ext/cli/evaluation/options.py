"""Options that several measures share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gaitcrafter_ext.cli._options import Progress, add_jobs, add_json, at_least


def add_trees(parser: argparse.ArgumentParser, synthetic: str = "a folder of ids", required: bool = True) -> None:
    """``--real``, ``--synthetic``, ``--config``, ``--views`` and ``--json``."""
    parser.add_argument("--real", required=required, metavar="ROOT", help="real clips: a folder of ids")
    parser.add_argument("--synthetic", required=required, metavar="DIR", help=f"synthetic clips: {synthetic}")
    add_config(parser)
    parser.add_argument("--views", default="all", help="comma-separated views, or all (default all)")
    add_json(parser)


def add_config(parser: argparse.ArgumentParser) -> None:
    """``--config``: how takes and views are read."""
    parser.add_argument(
        "--config", metavar="PRESET|YAML",
        help="how takes and views are read: the dataset of this config (default: as the weights' card says)",
    )  # fmt: skip


def add_measuring(parser: argparse.ArgumentParser) -> None:
    """``--people``, ``--skip-broken``, ``--seed`` and ``--jobs``."""
    parser.add_argument("--people", type=at_least(2), default=100, metavar="N",
                        help="look at so many people at most of those trained on, of novel ones and of others; the"
                        " report says how many are left out (default %(default)s)")  # fmt: skip
    parser.add_argument("--skip-broken", action="store_true", help="leave broken files out instead of refusing them")
    parser.add_argument("--seed", type=at_least(0), default=0, help="of bootstrap and subsets (default 0)")
    add_jobs(parser)


@contextmanager
def bars(unit: str) -> Iterator[Callable[[str], Progress]]:
    """Progress bars on stderr, one after the other: each call names the next and ends the one before."""
    shown: list[Progress] = []

    def following(what: str) -> Progress:
        if shown:
            shown.pop().__exit__(None, None, None)
        shown.append(Progress(what, unit))
        return shown[-1]

    try:
        yield following
    finally:
        for bar in shown:
            bar.__exit__(None, None, None)

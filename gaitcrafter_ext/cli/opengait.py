"""``gaitcrafter opengait``: run an OpenGait checkout on any device with us in it, or put a shim into it."""

from __future__ import annotations

import argparse
import json

from gaitcrafter_ext.cli._options import add_json, at_least
from gaitcrafter_ext.errors import UsageError

HELP = "Run OpenGait, unmodified, with synthetic people; on GPUs under torchrun, on one GPU or a CPU without"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    actions = ("run", "compose", "install", "uninstall", "status")
    action = "run (default); compose: print one plain config; install, uninstall, status: of the shim for main.py"
    parser.add_argument("action", nargs="?", choices=actions, default="run", help=action)
    checkout = "the checkout (default: $OPENGAIT_ROOT, then ~/.cache/gaitcrafter/OpenGait)"
    parser.add_argument("--opengait", metavar="PATH", help=checkout)
    add = parser.add_argument_group("run").add_argument
    cfgs = "config, then arms that change it; looked up here and in the checkout"
    add("--cfgs", nargs="+", metavar="X.yaml", help=cfgs)
    add("--phase", choices=("train", "test"), default="train", help="default: %(default)s")
    add("--device", default="auto", metavar="auto|cpu|cuda|mps", help="default: %(default)s")
    add("--set", action="append", default=[], metavar="a.b=v", help="change a value of the config")
    add("--workdir", metavar="DIR", help="where output/ goes (default: the checkout)")
    add("--iter", type=at_least(0), metavar="N", help="checkpoint to start from")
    add("--log_to_file", "--log-to-file", action="store_true", help="also log to a file in output/")
    add("--allow-missing", action="store_true", help="go on without people who are not on disk")
    # Given by torch.distributed.launch; the environment says the same.
    add("--local_rank", "--local-rank", type=int, help=argparse.SUPPRESS)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Do what was asked for."""
    if args.action in ("install", "uninstall", "status"):
        return _shim(args)
    if not args.cfgs:
        raise UsageError("--cfgs: no config named; e.g. --cfgs opengait_configs/gaitset.yaml")
    from gaitcrafter_ext.opengait.launch import compose, launch

    if args.action == "compose":
        print(compose(args.cfgs, args.set, args.opengait), end="")
        return 0

    launch(
        args.opengait,
        args.cfgs,
        phase=args.phase,
        device=args.device,
        sets=args.set,
        workdir=args.workdir,
        iteration=args.iter,
        log_to_file=args.log_to_file,
        allow_missing=args.allow_missing,
    )
    return 0


def _shim(args: argparse.Namespace) -> int:
    from gaitcrafter_ext.opengait.checkout import Checkout

    checkout = Checkout(args.opengait)
    if args.action == "install":
        checkout.install()
    removed = args.action == "uninstall" and checkout.uninstall()
    shim = str(checkout.shim.relative_to(checkout.root))
    facts = {"opengait": str(checkout.root), "commit": checkout.commit, "shim": shim, "current": checkout.is_current}
    text = f"removed {shim}" if removed else checkout.describe()
    print(json.dumps(facts) if args.json else f"{text}\nOpenGait {checkout.commit} at {checkout.root}")
    return 0

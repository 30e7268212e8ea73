"""``gaitcrafter opengait``: run an OpenGait checkout on any device with us in it, or put a shim into it."""

from __future__ import annotations

import argparse

from gaitcrafter_ext.cli._options import SWITCH, at_least, options, say
from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.opengait.checkout import Checkout

HELP = "Run OpenGait, unmodified, with synthetic people; on GPUs under torchrun, on one GPU or a CPU without"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = options(parser)
    actions = ("run", "compose", "install", "uninstall", "status")
    action = "run (default); compose: print one plain config; install, uninstall, status: of the shim for main.py"
    add("action", action, nargs="?", choices=actions, default="run")
    add("--opengait", "the checkout (default: $OPENGAIT_ROOT, then ~/.cache/gaitcrafter/OpenGait)", metavar="PATH")
    add("--json")
    add = options(parser.add_argument_group("run"))
    add("--cfgs", "config, then arms that change it; looked up here and in the checkout", nargs="+", metavar="X.yaml")
    add("--phase", "default: %(default)s", choices=("train", "test"), default="train")
    add("--device")
    add("--set", "change a value of the config", action="append", default=[], metavar="a.b=v")
    add("--workdir", "where output/ goes (default: the checkout)", metavar="DIR")
    add("--iter", "checkpoint to start from", type=at_least(0), metavar="N")
    add("--log_to_file", "also log to a file in output/", "--log-to-file", **SWITCH)
    add("--allow-missing", "go on without people who are not on disk", **SWITCH)
    add("--local_rank", argparse.SUPPRESS, "--local-rank", type=int)  # of a launcher; the environment says it too


def run(args: argparse.Namespace) -> None:
    if args.action in ("install", "uninstall", "status"):
        return _shim(args)
    if not args.cfgs:
        raise UsageError("--cfgs: no config named; e.g. --cfgs opengait_configs/gaitset.yaml")
    from gaitcrafter_ext.opengait.launch import compose, launch

    if args.action == "compose":
        print(compose(args.cfgs, args.set, args.opengait), end="")
        return
    alike = {name: getattr(args, name) for name in ("phase", "device", "workdir", "log_to_file", "allow_missing")}
    launch(args.opengait, args.cfgs, sets=args.set, iteration=args.iter, **alike)


def _shim(args: argparse.Namespace) -> None:
    checkout = Checkout(args.opengait)
    if args.action == "install":
        checkout.install()
    removed = args.action == "uninstall" and checkout.uninstall()
    shim = str(checkout.shim.relative_to(checkout.root))
    facts = {"opengait": str(checkout.root), "commit": checkout.commit, "shim": shim, "current": checkout.is_current}
    text = f"removed {shim}" if removed else checkout.describe()
    say(args, facts, text, f"OpenGait {checkout.commit} at {checkout.root}")

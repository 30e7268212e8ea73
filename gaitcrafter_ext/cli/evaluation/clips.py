"""``gaitcrafter evaluate clips``: synthetic clips beside real ones, measure by measure."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from gaitcrafter_ext.cli.evaluation.options import add_measuring, add_trees, bars
from gaitcrafter_ext.errors import DataError, UsageError
from gaitcrafter_ext.vocabulary import choose

if TYPE_CHECKING:
    from gaitcrafter_ext.audit.data import AuditData, Splits, Trees
    from gaitcrafter_ext.generator.weights import Card

HELP = "copies, cadence, masks, motion and rank-1 of synthetic clips, each beside held-out real clips and chance"

MEASURES = ("rank", "copies", "cadence", "masks", "motion")

#: Measures that need real clips of the very people that were synthesized.
PERSONAL = ("rank", "cadence")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_trees(parser)
    parser.add_argument(
        "--trained-weights", metavar="DIR", help="weights that made them: their card names people and held-out takes"
    )
    parser.add_argument(
        "--held-out", default="auto", metavar="auto|N",
        help="real takes that were not trained on: what the weights' card lists, or each person's last N takes of each"
        " condition (default auto: the card; without --trained-weights, 1)",
    )  # fmt: skip
    parser.add_argument("--measures", default="all", help=f"comma-separated, of {','.join(MEASURES)} (default all)")
    parser.add_argument(
        "--copies-among", choices=("same", "all"), default="same",
        help="training clips searched for copies: of the same view and condition, or all (default same)",
    )  # fmt: skip
    parser.add_argument("--cyclic", action="store_true", help="let training clips go round in the search for copies")
    add_measuring(parser)


def run(args: argparse.Namespace) -> int:
    """Print the tables, or the JSON object, on stdout."""
    measures = choose(args.measures, MEASURES, "--measures")
    takes = _held_out_takes(args)
    from gaitcrafter_ext.audit.card import plain
    from gaitcrafter_ext.audit.data import load_audit_data, open_trees
    from gaitcrafter_ext.cli.evaluation.clips_text import as_text
    from gaitcrafter_ext.generator.weights import locate, read_card
    from gaitcrafter_ext.silhouettes.parallel import available_cores

    card = read_card(locate(args.trained_weights)) if takes is None else None
    trees = open_trees(args.real, args.synthetic, args.views, card, args.config)
    splits = _splits(args, trees, card, takes or 1, [name for name in measures if name in PERSONAL])
    with bars("clip") as bar:
        data = load_audit_data(trees, splits, args.skip_broken, args.jobs or available_cores(), bar)
    results = _measure(args, measures, data)
    answer = {"asked": vars(args), **_counts(splits), "measures": results}
    print(json.dumps(plain(answer), indent=1) if args.json else as_text(splits, results))
    return 0


def _held_out_takes(args: argparse.Namespace) -> int | None:
    """How many last takes are held out; None where the card tells."""
    if args.held_out == "auto":
        return None if args.trained_weights else 1
    if args.trained_weights:
        raise UsageError("--trained-weights and --held-out N both say what was held out; leave --held-out away")
    if not args.held_out.isdigit() or int(args.held_out) < 1:
        raise UsageError(f"--held-out '{args.held_out}' is not possible; allowed: auto, or a whole number from 1")
    return int(args.held_out)


def _splits(args: argparse.Namespace, trees: Trees, card: Card | None, takes: int, personal: list[str]) -> Splits:
    from gaitcrafter_ext.audit.data import held_out_of_card, held_out_of_last_takes, split

    common = {key.identity for key in trees.real_keys} & {key.identity for key in trees.synthetic_keys}
    if not common and (personal or card is None):
        others = ",".join(name for name in MEASURES if name not in PERSONAL)
        raise DataError(
            f"no common person: {args.real} and {args.synthetic} share no identity; name the root that the generator"
            f" was trained on (novel people only: --trained-weights DIR --measures {others})"
        )
    if card is not None:
        return split(trees, *held_out_of_card(trees.real_keys, card, args.real))
    return split(trees, *held_out_of_last_takes(trees.real_keys, common, takes, trees.dataset))


def _measure(args: argparse.Namespace, measures: tuple[str, ...], data: AuditData) -> dict[str, Any]:
    """Result dataclass of each measure."""
    import numpy as np

    from gaitcrafter_ext.audit.cadence import cadence
    from gaitcrafter_ext.audit.clips import geis
    from gaitcrafter_ext.audit.copies import copies
    from gaitcrafter_ext.audit.statistics import masks, motion
    from gaitcrafter_ext.metrics.identification import ranks

    calls = {
        "rank": lambda rng: ranks(geis(data.synthetic), geis(data.held_out), geis(data.training), rng),
        "copies": lambda _: copies(data.clips, scope=args.copies_among, cyclic=args.cyclic),
        "cadence": lambda rng: cadence(data.clips, rng),
        "masks": lambda rng: masks(data.clips, rng),
        "motion": lambda rng: motion(data.clips, rng),
    }
    return {name: calls[name](np.random.default_rng([args.seed, MEASURES.index(name)])) for name in measures}


def _counts(splits: Splits) -> dict[str, Any]:
    return {
        "held_out_rule": splits.rule,
        "people": splits.people,
        "clips": {"synthetic": len(splits.synthetic), "held_out": len(splits.held_out),
                  "training": len(splits.training), "synthetic_of_other_views": splits.passed_over},
    }  # fmt: skip

"""``gaitcrafter evaluate clips``: synthetic clips beside real ones, measure by measure."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from gaitcrafter_ext.cli.evaluation.options import add_measuring, add_trees, bars
from gaitcrafter_ext.errors import DataError, UsageError
from gaitcrafter_ext.hardware import this_process
from gaitcrafter_ext.vocabulary import choose

if TYPE_CHECKING:
    from gaitcrafter_ext.audit.data import Splits, Trees
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
    if this_process().rank:
        print("this process has nothing to do: the first one measures, on --jobs cores", file=sys.stderr)
        return 0
    from gaitcrafter_ext.audit.card import plain, run_measures
    from gaitcrafter_ext.audit.data import load_audit_data, open_trees, some_people
    from gaitcrafter_ext.audit.measures import clip_measures, rank_measure
    from gaitcrafter_ext.generator.weights import locate, read_card
    from gaitcrafter_ext.silhouettes.parallel import available_cores

    weights = read_card(locate(args.trained_weights)) if args.trained_weights else None
    trees = open_trees(args.real, args.synthetic, args.views, weights, args.config)
    every = _splits(args, trees, weights, takes, [name for name in measures if name in PERSONAL])
    splits = some_people(every, {}, args.people)
    with bars("clip") as bar:
        data = load_audit_data(trees, splits, args.skip_broken, args.jobs or available_cores(), bar)
    possible = [rank_measure(data), *clip_measures(data, args.seed, args.copies_among, args.cyclic)]
    wanted = {*measures, *({"closer"} if "copies" in measures else ())}
    with bars("measure") as bar:
        card = run_measures([each for each in possible if each.name in wanted], bar("measuring"))
    if not args.json:
        print(_head(splits) + card.to_text(notes=True))
        return 0
    answer = {
        "asked": vars(args),
        "held_out_rule": splits.rule,
        "caveats": data.caveats,
        "people": splits.people,
        "clips": {"synthetic": len(splits.synthetic), "held_out": len(splits.held_out),
                  "training": len(splits.training), "synthetic_of_other_views": splits.passed_over},
        "rows": card.rows,
        "unmeasured": card.unmeasured,
        "measures": {name: result for (name, _), result in card.results.items() if result is not None},
    }  # fmt: skip
    print(json.dumps(plain(answer), indent=1))
    return 0


def _held_out_takes(args: argparse.Namespace) -> int | None:
    """How many last takes are held out; None where the weights' card tells, or else one that can be spared."""
    if args.held_out == "auto":
        return None
    if args.trained_weights:
        raise UsageError("--trained-weights and --held-out N both say what was held out; leave --held-out away")
    if not args.held_out.isdigit() or int(args.held_out) < 1:
        raise UsageError(f"--held-out '{args.held_out}' is not possible; allowed: auto, or a whole number from 1")
    return int(args.held_out)


def _splits(
    args: argparse.Namespace, trees: Trees, card: Card | None, takes: int | None, personal: list[str]
) -> Splits:
    from gaitcrafter_ext.audit.data import held_out_of_card, held_out_of_last_takes, split

    common = {key.identity for key in trees.real_keys} & {key.identity for key in trees.synthetic_keys}
    if not common and (personal or card is None):
        others = ",".join(name for name in MEASURES if name not in PERSONAL)
        raise DataError(
            f"no common person: {args.real} and {args.synthetic} share no identity; name the root that the generator"
            f" was trained on (novel people only: --trained-weights DIR --measures {others})"
        )
    if card is not None:
        return split(trees, *held_out_of_card(trees.real_keys, card, args.real, trees.dataset))
    return split(trees, *held_out_of_last_takes(trees.real_keys, common, takes, trees.dataset))


def _head(splits: Splits) -> str:
    left = f"; {splits.passed_over} synthetic clips of other views left out" if splits.passed_over else ""
    return (
        f"{len(splits.synthetic)} synthetic clips; real: {len(splits.training)} training clips,"
        f" {len(splits.held_out)} to compare with ({splits.rule}); {len(splits.people)} people in common{left}\n"
        + "".join(f"caveat: {each}\n" for each in splits.caveats)
    )

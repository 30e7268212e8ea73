"""``gaitcrafter evaluate clips``: synthetic clips beside real ones, measure by measure."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaitcrafter_ext.cli._options import add_jobs, add_json
from gaitcrafter_ext.cli.evaluation.finite import finite
from gaitcrafter_ext.errors import DataError, UsageError
from gaitcrafter_ext.vocabulary import choose

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gaitcrafter_ext.audit.features import ClipFeatures
    from gaitcrafter_ext.audit.groups import Groups
    from gaitcrafter_ext.silhouettes.store import SilhouetteStore
    from gaitcrafter_ext.vocabulary import ClipKey

HELP = "copies, cadence, masks, motion and rank-1 of synthetic clips, each beside held-out real clips and chance"

MEASURES = ("rank", "copies", "cadence", "masks", "motion")

#: Measures that need real clips of the very people that were synthesized.
PERSONAL = ("rank", "cadence")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--real", required=True, metavar="ROOT", help="real clips: a folder of ids")
    parser.add_argument("--synthetic", required=True, metavar="DIR", help="synthetic clips: a folder of ids")
    parser.add_argument(
        "--trained-weights",
        metavar="DIR",
        help="weights that made them: their card names people and held-out takes",
    )
    parser.add_argument(
        "--held-out", default="auto", metavar="auto|N",
        help="real takes that were not trained on: what the weights' card lists, or each person's last N takes of each"
        " condition (default auto: the card; without --trained-weights, 1)",
    )  # fmt: skip
    parser.add_argument("--measures", default="all", help=f"comma-separated, of {','.join(MEASURES)} (default all)")
    parser.add_argument("--views", default="all", help="comma-separated views, or all (default all)")
    parser.add_argument(
        "--copies-among", choices=("same", "all"), default="same",
        help="training clips searched for copies: of the same view and condition, or all (default same)",
    )  # fmt: skip
    parser.add_argument("--cyclic", action="store_true", help="let training clips go round in the search for copies")
    parser.add_argument("--seed", type=int, default=0, help="seed of the bootstrap intervals (default 0)")
    add_jobs(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the tables, or the JSON object, on stdout."""
    measures = choose(args.measures, MEASURES, "--measures")
    takes = _held_out_takes(args)
    groups = _groups(args, takes, measures)
    features = _features(args, groups)
    results = _measure(args, measures, *features)
    if args.json:
        answer = {"asked": vars(args), **_counts(groups), "measures": results}
        print(json.dumps(finite(_plain(answer)), indent=1))
    else:
        from gaitcrafter_ext.cli.evaluation.clips_text import as_text

        print(as_text(groups, results))
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


def open_store(root: str) -> tuple[SilhouetteStore, list[ClipKey]]:
    """The tree at ``root``, or in its ``pkl`` folder where it has one, and its clips.

    Raises:
        MissingError: There is no such folder.
        DataError: It holds no clip.
    """
    from gaitcrafter_ext.silhouettes.store import SilhouetteStore

    folder = Path(root)
    store = SilhouetteStore(folder / "pkl" if (folder / "pkl").is_dir() else folder)
    keys = store.keys()
    if not keys:
        raise DataError(f"{root} holds no clip; expected <identity>/<take>/<view>/<view>.pkl")
    return store, keys


def _groups(args: argparse.Namespace, takes: int | None, measures: tuple[str, ...]) -> Groups:
    from gaitcrafter_ext.audit.groups import common_clips, held_out_of_card, held_out_of_last_takes
    from gaitcrafter_ext.generator.card import read_card
    from gaitcrafter_ext.generator.weights import locate

    card = read_card(locate(args.trained_weights)) if takes is None else None
    real, made = open_store(args.real)[1], open_store(args.synthetic)[1]
    if args.views != "all":
        wanted = choose(args.views, sorted({key.view for key in [*real, *made]}), "--views")
        real, made = ([key for key in keys if key.view in wanted] for keys in (real, made))
    common = {key.identity for key in real} & {key.identity for key in made}
    needed = [name for name in measures if name in PERSONAL]
    if not common and (needed or card is None):
        others = ",".join(name for name in MEASURES if name not in PERSONAL)
        raise DataError(
            f"no common person: {args.real} and {args.synthetic} share no identity; name the root that the generator"
            f" was trained on (novel people only: --trained-weights DIR --measures {others})"
        )
    if card is not None:
        split = held_out_of_card(real, card, args.real)
    else:
        split = held_out_of_last_takes(real, common, takes or 1)
    return common_clips(split[0], split[1], made, split[2])


def _features(
    args: argparse.Namespace, groups: Groups
) -> tuple[list[ClipFeatures], list[ClipFeatures], list[ClipFeatures]]:
    """Features of the synthetic, held-out and training clips."""
    from tqdm import tqdm

    from gaitcrafter_ext.audit.features import common_length, load_features
    from gaitcrafter_ext.silhouettes.parallel import available_cores

    jobs = args.jobs or available_cores()

    def load(root: str, keys: tuple[ClipKey, ...], what: str, length: int | None = None) -> list[ClipFeatures]:
        def bar(them: Iterable[ClipFeatures]) -> Iterable[ClipFeatures]:
            return tqdm(them, desc=f"reading {what}", total=len(keys), unit="clip", delay=1, leave=False)

        return load_features(open_store(root)[0], keys, length, jobs, bar)

    synthetic = load(args.synthetic, groups.synthetic, "synthetic clips")
    length = common_length(synthetic)
    held_out = load(args.real, groups.held_out, "held-out clips", length)
    return synthetic, held_out, load(args.real, groups.training, "training clips", length)


def _measure(
    args: argparse.Namespace,
    measures: tuple[str, ...],
    synthetic: list[ClipFeatures],
    held_out: list[ClipFeatures],
    training: list[ClipFeatures],
) -> dict[str, Any]:
    """Result dataclass of each measure."""
    import numpy as np

    from gaitcrafter_ext.audit.cadence import cadence
    from gaitcrafter_ext.audit.copies import copies
    from gaitcrafter_ext.audit.masks import masks
    from gaitcrafter_ext.audit.motion import motion
    from gaitcrafter_ext.audit.ranks import ranks

    clips = (synthetic, held_out, training)
    calls = {
        "rank": lambda: ranks(*clips, np.random.default_rng([args.seed, 0])),
        "copies": lambda: copies(*clips, scope=args.copies_among, cyclic=args.cyclic),
        "cadence": lambda: cadence(*clips, np.random.default_rng([args.seed, 1])),
        "masks": lambda: masks(*clips, np.random.default_rng([args.seed, 3])),
        "motion": lambda: motion(*clips, np.random.default_rng([args.seed, 2])),
    }
    return {name: calls[name]() for name in measures}


def _counts(groups: Groups) -> dict[str, Any]:
    return {
        "held_out_rule": groups.rule,
        "people": groups.people,
        "clips": {"synthetic": len(groups.synthetic), "held_out": len(groups.held_out),
                  "training": len(groups.training), "synthetic_of_other_views": groups.passed_over},
    }  # fmt: skip


def _plain(value: Any) -> Any:
    """Dataclasses, keys and tuples as what JSON knows."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        text = str(value) if type(value).__name__ == "ClipKey" else None
        return text or {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value

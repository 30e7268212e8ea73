"""``gaitcrafter evaluate gei``: who, which view, which condition, as pixel GEIs tell."""

from __future__ import annotations

import argparse
import json
import math
from fnmatch import filter as matching
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaitcrafter_ext.cli._options import Progress, add_json, at_least
from gaitcrafter_ext.cli.evaluation.options import add_config
from gaitcrafter_ext.errors import DataError, UsageError, suggest
from gaitcrafter_ext.vocabulary import choose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gaitcrafter_ext.metrics.faithfulness import Faithfulness
    from gaitcrafter_ext.metrics.features import FeatureSet
    from gaitcrafter_ext.metrics.identification import Matches
    from gaitcrafter_ext.metrics.intervals import Estimate
    from gaitcrafter_ext.silhouettes.store import SilhouetteStore
    from gaitcrafter_ext.vocabulary import ClipKey

HELP = "rank-1 by nearest gait energy image of the same view; with --probe-root, synthetic probes beside real ones"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("root", nargs="?", metavar="ROOT", help="real clips: a folder of ids (gallery and real probes)")
    parser.add_argument("--gallery-root", metavar="ROOT", help="the same as ROOT, by name")
    takes = "comma-separated takes or patterns such as nm-0[1-4]"
    parser.add_argument(
        "--gallery", "--gallery-takes", dest="gallery", metavar="TAKES",
        help=f"gallery, {takes} (default: the dataset's gallery)",
    )  # fmt: skip
    parser.add_argument(
        "--probes", "--real-probe-takes", dest="probes", metavar="TAKES",
        help="real probes (default: the dataset's probes)",
    )  # fmt: skip
    parser.add_argument("--probe-root", metavar="DIR", help="synthetic clips of people in ROOT; every take is a probe")
    parser.add_argument("--probe-takes", default="*", metavar="TAKES", help="synthetic probes (default all)")
    parser.add_argument(
        "--centroids", metavar="ROOT",
        help="with --probe-root: real clips to fit view and condition classifiers on (held-out probes are left out)",
    )  # fmt: skip
    parser.add_argument("--centroid-takes", default="*", metavar="TAKES", help="takes to fit on (default all)")
    parser.add_argument("--views", default="all", help="comma-separated views, or all (default all)")
    parser.add_argument("--seed", type=at_least(0), default=0, help="seed of the bootstrap intervals (default 0)")
    add_config(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the tables, or the JSON object, on stdout."""
    root = args.root or args.gallery_root
    if not root:
        raise UsageError("no real clips named; write gaitcrafter evaluate gei ROOT")
    if args.gallery_root and args.gallery_root != root:
        raise UsageError(f"ROOT is '{root}' and --gallery-root is '{args.gallery_root}'; name the real clips once")
    if args.centroids and not args.probe_root:
        raise UsageError("--centroids judges synthetic clips; name them with --probe-root DIR")
    from gaitcrafter_ext.audit.card import plain
    from gaitcrafter_ext.metrics.faithfulness import faithfulness

    store, keys = _open(args, root)
    gallery_takes, probe_takes = _roles(args, store, keys)
    real = _load(store, keys)
    gallery, probes = real.only(takes=gallery_takes), real.only(takes=probe_takes)
    synthetic = _load(*_open(args, args.probe_root, args.probe_takes, "--probe-takes")) if args.probe_root else None
    report, readings = _report(gallery, probes, synthetic, args.seed), None
    if args.centroids and synthetic is not None:
        readings = faithfulness(_to_fit_on(args, root, real, probe_takes), probes, synthetic)
    if args.json:
        asked = {"root": root, "probe_root": args.probe_root, "centroids": args.centroids, "seed": args.seed}
        print(json.dumps(plain({"asked": asked, **report, "read_as_asked": readings or []}), indent=2))
    else:
        print("\n".join([*_rows(report), *(_reading_rows(readings) if readings is not None else [])]))
    return 0


def _open(
    args: argparse.Namespace, root: str, takes: str = "*", option: str = ""
) -> tuple[SilhouetteStore, Sequence[ClipKey]]:
    """A tree, or that in its ``pkl`` folder, and its clips of the asked views and takes."""
    from gaitcrafter_ext.audit.data import open_tree
    from gaitcrafter_ext.silhouettes.dataset import load_dataset

    store, keys = open_tree(root, load_dataset(args.config))
    wanted = choose(args.views, sorted({key.view for key in keys}), "--views")
    mine = [key for key in keys if key.view in wanted]
    named = _takes(takes, mine, option)
    return store, [key for key in mine if key.take in named]


def _takes(text: str, keys: Sequence[ClipKey], option: str) -> tuple[str, ...]:
    """The takes that a list of names and patterns means."""
    there = sorted({key.take for key in keys})
    found = list[str]()
    for name in text.split(","):
        mine = matching(there, name.strip())
        if not mine:
            raise DataError(f"{option}: no clip of take {name.strip()} at these views; {suggest(name, there)}")
        found += mine
    return tuple(dict.fromkeys(found))


def _load(store: SilhouetteStore, keys: Sequence[ClipKey]) -> FeatureSet:
    from gaitcrafter_ext.audit.clips import load_geis

    with Progress(f"GEIs of {store.root}", "clip") as bar:
        return load_geis(store, keys, bar)


def _roles(
    args: argparse.Namespace, store: SilhouetteStore, keys: Sequence[ClipKey]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Takes of the gallery and of the probes: those named, else those of the dataset's protocol."""
    from gaitcrafter_ext.recognition.evaluation import protocol_for

    gallery = _takes(args.gallery, keys, "--gallery") if args.gallery else ()
    probes = _takes(args.probes, keys, "--probes") if args.probes else ()
    if not (gallery and probes):
        protocol = protocol_for(store.dataset, keys)
        if protocol.probe_set:
            raise UsageError(
                f"{store.dataset.name} names its probes clip by clip; name takes by --gallery and --probes"
            )
        takes, columns = sorted({key.take for key in keys}), protocol.probes
        gallery = gallery or tuple(take for take in takes if any(protocol.in_gallery(take, each) for each in columns))
        usual = (take for take in takes if any(protocol.is_probe(take, each) for each in columns))
        probes = probes or tuple(take for take in usual if take not in gallery)
    if both := [take for take in gallery if take in probes]:
        raise UsageError(f"take {both[0]} is in the gallery and among the probes; it would only find itself")
    return gallery, probes


def _to_fit_on(args: argparse.Namespace, root: str, real: FeatureSet, probe_takes: tuple[str, ...]) -> FeatureSet:
    """The clips that classifiers learn from, without those they are tried on."""
    store, keys = _open(args, args.centroids, args.centroid_takes, "--centroid-takes")
    if Path(args.centroids).resolve() != Path(root).resolve():
        return _load(store, keys)
    return real.only(takes={key.take for key in keys} - set(probe_takes))


def _report(gallery: FeatureSet, real: FeatureSet, synthetic: FeatureSet | None, seed: int) -> dict[str, Any]:
    """Rank-1 of real and synthetic probes against one gallery of real clips; their ratio, by condition."""
    import numpy as np

    from gaitcrafter_ext.metrics.identification import match, share_ratios

    matched: dict[str, Matches] = {"real": match(gallery, real)}
    if synthetic is not None:
        matched["synthetic"] = match(gallery, synthetic)
    for kind, matches in matched.items():
        if not len(matches.probes):
            raise DataError(
                f"none of the {matches.dropped} {kind} probes is of a person and view that the gallery has;"
                " check the roots, the takes and the views"
            )
    ours = matched.get("synthetic")
    return {
        "people": len(gallery.people),
        "gallery_clips": len(gallery),
        "gallery_takes": np.unique(gallery.take).tolist(),
        "probe_takes": np.unique(real.take).tolist(),
        "views": np.unique(gallery.view).tolist(),
        "chance": 1 / len(gallery.people),
        "real": matched["real"].rank_one(),
        "synthetic": ours.rank_one() if ours else (),
        "ratio": share_ratios(ours, matched["real"], np.random.default_rng(seed)) if ours else {},
        "dropped": {kind: matches.dropped for kind, matches in matched.items()},
    }


def _rows(report: dict[str, Any]) -> list[str]:
    takes, views = (" ".join(report[name]) for name in ("gallery_takes", "views"))
    return [
        f"Pixel-GEI nearest neighbour, same view; gallery {takes}: {report['people']} people, {report['gallery_clips']}"
        f" clips, views {views}",
        f"{'rank-1 %':<22}{'95 % interval':>18}{'probes':>8}",
        *(_row("real" if report["synthetic"] else "", rank.condition, rank.share, 100) for rank in report["real"]),
        *(_row("synthetic", rank.condition, rank.share, 100) for rank in report["synthetic"]),
        f"{'chance':<10}{'':<4}{100 * report['chance']:>8.1f}",
        *(_row("ratio", name, ratio, 1) for name, ratio in report["ratio"].items()),
        *(f"left out: {count} {kind} probes without a gallery clip of their person and view"
          for kind, count in report["dropped"].items() if count),
    ]  # fmt: skip


def _row(kind: str, condition: str, estimate: Estimate, scale: float) -> str:
    digits = 1 if scale == 100 else 2
    value, low, high = (f"{scale * number:.{digits}f}" for number in (estimate.value, estimate.low, estimate.high))
    return f"{kind:<10}{condition:<4}{value:>8}{f'[{low}, {high}]':>18}{estimate.count:>8}"


def _reading_rows(readings: list[Faithfulness]) -> list[str]:
    """Accuracy of the synthetic clips beside the ceiling, one row a classifier."""
    from gaitcrafter_ext.metrics.faithfulness import ATTRIBUTES

    head = f"{'read as asked %':<22}{'synthetic':>10}{'95 % interval':>18}{'held-out real':>15}{'chance':>8}  by class"
    lacking = [name for name in ATTRIBUTES if name not in {each.attribute for each in readings}]
    notes = [f"{name:<12}cannot be read: the real clips to fit on hold one {name} only" for name in lacking]
    return ["", "View and condition, read from GEIs by classifiers fitted on real clips only", head, *notes] + [
        f"{each.attribute:<12}{each.classifier:<10}{100 * each.synthetic.value:>10.1f}"
        f"{f'[{100 * each.synthetic.low:.1f}, {100 * each.synthetic.high:.1f}]':>18}{100 * each.real.value:>15.1f}"
        f"{100 * each.chance:>8.1f}  {_classes(each)}"
        for each in readings
    ]


def _classes(each: Faithfulness) -> str:
    """``nm 96/98 ...``: synthetic and real accuracy of each class."""
    pairs = ((name, share, each.real_per_class.get(name, math.nan)) for name, share in each.per_class.items())
    return "  ".join(f"{name} {100 * share:.0f}/{100 * real:.0f}" for name, share, real in pairs)

"""``gaitcrafter evaluate gei``: who, which view, which condition, as pixel GEIs tell."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from gaitcrafter_ext.cli._options import Progress, add_json, at_least
from gaitcrafter_ext.cli.evaluation.options import add_config, parse_takes
from gaitcrafter_ext.errors import DataError, UsageError
from gaitcrafter_ext.vocabulary import choose, suggest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gaitcrafter_ext.metrics.features import FeatureSet
    from gaitcrafter_ext.metrics.gei_protocol import Faithfulness, GeiReport
    from gaitcrafter_ext.metrics.identification import RankOne
    from gaitcrafter_ext.metrics.intervals import Estimate
    from gaitcrafter_ext.silhouettes.dataset import DatasetConfig
    from gaitcrafter_ext.silhouettes.store import SilhouetteStore
    from gaitcrafter_ext.vocabulary import ClipKey

HELP = "rank-1 by nearest gait energy image of the same view; with --probe-root, synthetic probes beside real ones"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("root", nargs="?", metavar="ROOT", help="real clips: a folder of ids (gallery and real probes)")
    parser.add_argument("--gallery-root", metavar="ROOT", help="the same as ROOT, by name")
    takes = "comma-separated takes or ranges"
    parser.add_argument(
        "--gallery", "--gallery-takes", dest="gallery", metavar="TAKES",
        help=f"gallery {takes} such as nm-01..04 (default: the dataset's gallery)",
    )  # fmt: skip
    parser.add_argument(
        "--probes", "--real-probe-takes", dest="probes", metavar="TAKES",
        help=f"real probes, {takes} (default: the dataset's probes)",
    )  # fmt: skip
    parser.add_argument("--probe-root", metavar="DIR", help="synthetic clips of people in ROOT; every take is a probe")
    parser.add_argument("--probe-takes", default="all", metavar="TAKES", help="synthetic probes (default all)")
    parser.add_argument(
        "--centroids", metavar="ROOT",
        help="with --probe-root: real clips to fit view and condition classifiers on (held-out probes are left out)",
    )  # fmt: skip
    parser.add_argument("--centroid-takes", default="all", metavar="TAKES", help="takes to fit on (default all)")
    parser.add_argument("--views", default="all", help="comma-separated views, or all (default all)")
    parser.add_argument("--seed", type=at_least(0), default=0, help="seed of the bootstrap intervals (default 0)")
    add_config(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the tables, or the JSON object, on stdout."""
    root = _root(args)
    named = [parse_takes(text, option) if text else ()
             for text, option in ((args.gallery, "--gallery"), (args.probes, "--probes"))]  # fmt: skip
    _require_disjoint(*named)
    if args.centroids and not args.probe_root:
        raise UsageError("--centroids judges synthetic clips; name them with --probe-root DIR")

    import numpy as np

    from gaitcrafter_ext.metrics.gei_protocol import faithfulness, gei_report

    rng = np.random.default_rng(args.seed)
    store, keys = _open(args, root, None)
    gallery_takes, probe_takes = named if all(named) else _roles(store.dataset, keys, *named)
    real = _load(store, keys)
    gallery, probes = real.only(takes=gallery_takes), real.only(takes=probe_takes)
    _require_present(real, [*named[0], *named[1]], root)
    synthetic = _synthetic(args)
    report = gei_report(gallery, probes, synthetic, rng)
    readings = None
    if args.centroids and synthetic is not None:
        readings = faithfulness(_to_fit_on(args, root, real, probe_takes), probes, synthetic)
    print(_as_json(args, root, report, readings) if args.json else _as_text(report, readings))
    return 0


def _root(args: argparse.Namespace) -> str:
    if args.root and args.gallery_root and args.root != args.gallery_root:
        raise UsageError(f"ROOT is '{args.root}' and --gallery-root is '{args.gallery_root}'; name the real clips once")
    root = args.root or args.gallery_root
    if not root:
        raise UsageError("no real clips named; write gaitcrafter evaluate gei ROOT")
    return str(root)


def _require_disjoint(gallery: tuple[str, ...], probes: tuple[str, ...]) -> None:
    both = [take for take in gallery if take in probes]
    if both:
        raise UsageError(f"take {both[0]} is in the gallery and among the probes; it would only find itself")


def _takes(text: str, option: str) -> tuple[str, ...] | None:
    return None if text == "all" else parse_takes(text, option)


def _require_present(clips: FeatureSet, named: list[str], root: str) -> None:
    """Refuse a take that the user named and no clip shows; CASIA-B's defaults may be there in part."""
    there = sorted(set(clips.take.tolist()))
    for take in named:
        if take not in there:
            raise DataError(f"no clip of take {take} in {root} at these views; {suggest(take, there)}")


def _synthetic(args: argparse.Namespace) -> FeatureSet | None:
    if not args.probe_root:
        return None
    takes = _takes(args.probe_takes, "--probe-takes")
    clips = _load(*_open(args, args.probe_root, takes))
    _require_present(clips, list(takes or ()), args.probe_root)
    return clips


def _open(
    args: argparse.Namespace, root: str, takes: tuple[str, ...] | None
) -> tuple[SilhouetteStore, Sequence[ClipKey]]:
    """A tree, or that in its ``pkl`` folder, and its clips of the asked views and takes."""
    from gaitcrafter_ext.audit.data import open_tree
    from gaitcrafter_ext.silhouettes.dataset import load_dataset

    store, keys = open_tree(root, load_dataset(args.config))
    wanted = choose(args.views, sorted({key.view for key in keys}), "--views")
    return store, [key for key in keys if key.view in wanted and (takes is None or key.take in takes)]


def _load(store: SilhouetteStore, keys: Sequence[ClipKey]) -> FeatureSet:
    from gaitcrafter_ext.audit.clips import load_geis

    with Progress(f"GEIs of {store.root}", "clip") as bar:
        return load_geis(store, keys, bar)


def _roles(
    dataset: DatasetConfig, keys: Sequence[ClipKey], gallery: tuple[str, ...], probes: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Takes of the gallery and of the probes: those named, else those of the dataset's protocol."""
    from gaitcrafter_ext.recognition.evaluation import protocol_for

    protocol = protocol_for(dataset, keys)
    if protocol.probe_set:
        raise UsageError(f"{dataset.name} names its probes clip by clip; name takes by --gallery and --probes")
    takes = sorted({key.take for key in keys})
    ours = gallery or tuple(take for take in takes if any(protocol.in_gallery(take, each) for each in protocol.probes))
    asked = probes or tuple(take for take in takes if any(protocol.is_probe(take, each) for each in protocol.probes))
    _require_disjoint(ours, probes)
    return ours, tuple(take for take in asked if take not in ours)


def _to_fit_on(args: argparse.Namespace, root: str, real: FeatureSet, probe_takes: tuple[str, ...]) -> FeatureSet:
    """The clips that classifiers learn from, without those they are tried on."""
    takes = _takes(args.centroid_takes, "--centroid-takes")
    if Path(args.centroids).resolve() != Path(root).resolve():
        return _load(*_open(args, args.centroids, takes))
    import numpy as np

    return real.where(~np.isin(real.take, probe_takes)).only(takes=takes)


def _as_text(report: GeiReport, readings: list[Faithfulness] | None) -> str:
    lines = [
        f"Pixel-GEI nearest neighbour, same view; gallery {' '.join(report.gallery_takes)}: {report.people} people,"
        f" {report.gallery_clips} clips, views {' '.join(report.views)}",
        f"{'rank-1 %':<22}{'95 % interval':>18}{'probes':>8}",
        *_rank_rows("real" if report.synthetic else "", report.real),
        *_rank_rows("synthetic", report.synthetic),
        f"{'chance':<10}{'':<4}{100 * report.chance:>8.1f}",
    ]
    lines += [_row("ratio", name, ratio, 1) for name, ratio in report.ratio.items()]
    lines += [f"left out: {count} {kind} probes without a gallery clip of their person and view"
              for kind, count in report.dropped.items() if count]  # fmt: skip
    return "\n".join(lines + (_reading_rows(readings) if readings is not None else []))


def _rank_rows(kind: str, ranks: tuple[RankOne, ...]) -> list[str]:
    return [_row(kind, rank.condition, rank.share, 100) for rank in ranks]


def _row(kind: str, condition: str, estimate: Estimate, scale: float) -> str:
    digits = 1 if scale == 100 else 2
    value, low, high = (f"{scale * number:.{digits}f}" for number in (estimate.value, estimate.low, estimate.high))
    return f"{kind:<10}{condition:<4}{value:>8}{f'[{low}, {high}]':>18}{estimate.count:>8}"


def _reading_rows(readings: list[Faithfulness]) -> list[str]:
    """Accuracy of the synthetic clips beside the ceiling, one row a classifier."""
    from gaitcrafter_ext.metrics.gei_protocol import ATTRIBUTES

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


def _as_json(args: argparse.Namespace, root: str, report: GeiReport, readings: list[Faithfulness] | None) -> str:
    from gaitcrafter_ext.audit.card import plain

    asked = {"root": root, "probe_root": args.probe_root, "centroids": args.centroids, "seed": args.seed}
    return json.dumps(plain({"asked": asked, **vars(report), "read_as_asked": readings or []}), indent=2)

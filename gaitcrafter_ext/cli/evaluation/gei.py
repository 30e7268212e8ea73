"""``gaitcrafter evaluate gei``: who, which view, which condition, as pixel GEIs tell."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from gaitcrafter_ext.cli.evaluation.finite import finite
from gaitcrafter_ext.errors import DataError, UsageError
from gaitcrafter_ext.recognition.takes import GALLERY_TAKES, PROBE_TAKES, parse_takes
from gaitcrafter_ext.vocabulary import choose, suggest

if TYPE_CHECKING:
    from gaitcrafter_ext.recognition.bootstrap import Estimate
    from gaitcrafter_ext.recognition.gate import Faithfulness, GeiReport
    from gaitcrafter_ext.recognition.gei import GeiSet
    from gaitcrafter_ext.recognition.nearest import RankOne

HELP = "rank-1 by nearest gait energy image of the same view; with --probe-root, synthetic probes beside real ones"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("root", nargs="?", metavar="ROOT", help="real clips: a folder of ids (gallery and real probes)")
    parser.add_argument("--gallery-root", metavar="ROOT", help="the same as ROOT, by name")
    takes = "comma-separated takes or ranges"
    parser.add_argument(
        "--gallery", "--gallery-takes", dest="gallery", metavar="TAKES",
        help=f"gallery {takes} such as nm-01..04 (default {','.join(GALLERY_TAKES)})",
    )  # fmt: skip
    parser.add_argument(
        "--probes", "--real-probe-takes", dest="probes", metavar="TAKES",
        help=f"real probes, {takes} (default {','.join(PROBE_TAKES)})",
    )  # fmt: skip
    parser.add_argument("--probe-root", metavar="DIR", help="synthetic clips of people in ROOT; every take is a probe")
    parser.add_argument("--probe-takes", default="all", metavar="TAKES", help="synthetic probes (default all)")
    parser.add_argument(
        "--centroids", metavar="ROOT",
        help="with --probe-root: real clips to fit view and condition classifiers on (held-out probes are left out)",
    )  # fmt: skip
    parser.add_argument("--centroid-takes", default="all", metavar="TAKES", help="takes to fit on (default all)")
    parser.add_argument("--views", default="all", help="comma-separated views, or all (default all)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the bootstrap intervals (default 0)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the tables")


def run(args: argparse.Namespace) -> int:
    """Print the tables, or the JSON object, on stdout."""
    root = _root(args)
    gallery_takes = parse_takes(args.gallery, "--gallery") if args.gallery else GALLERY_TAKES
    probe_takes = parse_takes(args.probes, "--probes") if args.probes else PROBE_TAKES
    _require_disjoint(gallery_takes, probe_takes)
    if args.centroids and not args.probe_root:
        raise UsageError("--centroids judges synthetic clips; name them with --probe-root DIR")

    import numpy as np

    from gaitcrafter_ext.recognition.gate import faithfulness, gei_report

    rng = np.random.default_rng(args.seed)
    real = _load(root, args.views, None)
    gallery, probes = real.of(gallery_takes), real.of(probe_takes)
    _require_present(real, [*(gallery_takes if args.gallery else ()), *(probe_takes if args.probes else ())], root)
    synthetic = _synthetic(args)
    report = gei_report(gallery, probes, synthetic, rng)
    told = None
    if args.centroids and synthetic is not None:
        told = faithfulness(_to_fit_on(args, root, real, probe_takes), probes, synthetic, rng)
    print(_as_json(args, root, report, told) if args.json else _as_text(report, told))
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


def _require_present(clips: GeiSet, named: list[str], root: str) -> None:
    """Refuse a take that the user named and nobody has; CASIA-B's defaults may be there in part."""
    there = sorted(set(clips.take.tolist()))
    for take in named:
        if take not in there:
            raise DataError(f"no clip of take {take} in {root} at these views; {suggest(take, there)}")


def _synthetic(args: argparse.Namespace) -> GeiSet | None:
    if not args.probe_root:
        return None
    takes = _takes(args.probe_takes, "--probe-takes")
    clips = _load(args.probe_root, args.views, takes)
    _require_present(clips, list(takes or ()), args.probe_root)
    return clips


def _load(root: str, views: str, takes: tuple[str, ...] | None) -> GeiSet:
    """GEIs of the asked views and takes under a root, or under its ``pkl`` folder where it has one."""
    from tqdm import tqdm

    from gaitcrafter_ext.recognition.gei import load_geis
    from gaitcrafter_ext.silhouettes.store import SilhouetteStore

    folder = Path(root)
    store = SilhouetteStore(folder / "pkl" if (folder / "pkl").is_dir() else folder)
    keys = store.keys()
    wanted = choose(views, sorted({key.view for key in keys}), "--views") if views != "all" else None
    keys = [key for key in keys if (wanted is None or key.view in wanted) and (takes is None or key.take in takes)]
    return load_geis(store, keys, lambda them: tqdm(them, desc=f"GEIs of {folder.name}", unit="clip", delay=1))


def _to_fit_on(args: argparse.Namespace, root: str, real: GeiSet, probe_takes: tuple[str, ...]) -> GeiSet:
    """The clips that classifiers learn from, without those they are tried on."""
    takes = _takes(args.centroid_takes, "--centroid-takes")
    if Path(args.centroids).resolve() != Path(root).resolve():
        return _load(args.centroids, args.views, takes)
    import numpy as np

    return real.where(~np.isin(real.take, probe_takes)).of(takes)


def _as_text(report: GeiReport, told: list[Faithfulness] | None) -> str:
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
    return "\n".join(lines + (_told_rows(told) if told is not None else []))


def _rank_rows(kind: str, ranks: tuple[RankOne, ...]) -> list[str]:
    return [_row(kind, rank.condition, rank.share, 100) for rank in ranks]


def _row(kind: str, condition: str, estimate: Estimate, scale: float) -> str:
    digits = 1 if scale == 100 else 2
    value, low, high = (f"{scale * number:.{digits}f}" for number in (estimate.value, estimate.low, estimate.high))
    return f"{kind:<10}{condition:<4}{value:>8}{f'[{low}, {high}]':>18}{estimate.count:>8}"


def _told_rows(told: list[Faithfulness]) -> list[str]:
    """Accuracy of the synthetic clips beside the ceiling, one row a classifier."""
    from gaitcrafter_ext.recognition.gate import ATTRIBUTES

    head = f"{'read as asked %':<22}{'synthetic':>10}{'95 % interval':>18}{'held-out real':>15}{'chance':>8}  by class"
    untold = [name for name in ATTRIBUTES if name not in {each.attribute for each in told}]
    notes = [f"{name:<12}cannot be told: the real clips to fit on hold one {name} only" for name in untold]
    return ["", "View and condition, told from GEIs by classifiers fitted on real clips only", head, *notes] + [
        f"{each.attribute:<12}{each.classifier:<10}{100 * each.synthetic.value:>10.1f}"
        f"{f'[{100 * each.synthetic.low:.1f}, {100 * each.synthetic.high:.1f}]':>18}{100 * each.real.value:>15.1f}"
        f"{100 * each.chance:>8.1f}  {_classes(each)}"
        for each in told
    ]


def _classes(each: Faithfulness) -> str:
    """``nm 96/98 ...``: synthetic and real accuracy of each class."""
    pairs = ((name, share, each.real_per_class.get(name, math.nan)) for name, share in each.per_class.items())
    return "  ".join(f"{name} {100 * share:.0f}/{100 * real:.0f}" for name, share, real in pairs)


def _as_json(args: argparse.Namespace, root: str, report: GeiReport, told: list[Faithfulness] | None) -> str:
    asked = {"root": root, "probe_root": args.probe_root, "centroids": args.centroids, "seed": args.seed}
    read = [dataclasses.asdict(each) for each in told or ()]
    return json.dumps(finite({"asked": asked, **dataclasses.asdict(report), "read_as_asked": read}), indent=2)

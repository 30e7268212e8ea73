"""``gaitcrafter evaluate gei``: whose clip it is, as pixel GEIs tell."""

from __future__ import annotations

import argparse
from fnmatch import filter as matching
from typing import TYPE_CHECKING, Any

from gaitcrafter_ext.cli._options import Progress
from gaitcrafter_ext.cli.evaluation.options import add_reading
from gaitcrafter_ext.errors import DataError, UsageError, suggest
from gaitcrafter_ext.records import to_json
from gaitcrafter_ext.vocabulary import choose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gaitcrafter_ext.metrics.features import FeatureSet
    from gaitcrafter_ext.silhouettes.store import SilhouetteStore
    from gaitcrafter_ext.vocabulary import ClipKey

HELP = "rank-1 by nearest gait energy image of the same view; with --probe-root, synthetic probes beside real ones"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("root", metavar="ROOT", help="real clips: a folder of ids (gallery and real probes)")
    parser.add_argument(
        "--gallery", metavar="TAKES",
        help="gallery, comma-separated takes or patterns such as nm-0[1-4] (default: the dataset's gallery)",
    )  # fmt: skip
    parser.add_argument("--probes", metavar="TAKES", help="real probes (default: the dataset's probes)")
    parser.add_argument("--probe-root", metavar="DIR", help="synthetic clips of people in ROOT; every take is a probe")
    add_reading(parser)


def run(args: argparse.Namespace) -> int:
    """Print the table, or the JSON object, on stdout."""
    store, keys = _open(args, args.root)
    gallery_takes, probe_takes = _roles(args, store, keys)
    real = _load(store, keys)
    probes = {"real": real.only(takes=probe_takes)}
    if args.probe_root:
        probes["synthetic"] = _load(*_open(args, args.probe_root))
    report = _report(real.only(takes=gallery_takes), probes)
    print(to_json(report, indent=1) if args.json else "\n".join(_rows(report)))
    return 0


def _open(args: argparse.Namespace, root: str) -> tuple[SilhouetteStore, Sequence[ClipKey]]:
    """A tree, or that in its ``pkl`` folder, and its clips of the asked views."""
    from gaitcrafter_ext.audit.data import open_tree
    from gaitcrafter_ext.silhouettes.dataset import load_dataset

    store, keys = open_tree(root, load_dataset(args.config))
    wanted = choose(args.views, sorted({key.view for key in keys}), "--views")
    return store, [key for key in keys if key.view in wanted]


def _load(store: SilhouetteStore, keys: Sequence[ClipKey]) -> FeatureSet:
    from gaitcrafter_ext.audit.clips import load_geis

    with Progress(f"GEIs of {store.root}", "clip") as bar:
        return load_geis(store, keys, bar)


def _roles(
    args: argparse.Namespace, store: SilhouetteStore, keys: Sequence[ClipKey]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Takes of the gallery and of the probes: those named, else those of the dataset's protocol."""
    from gaitcrafter_ext.recognition.evaluation import protocol_for

    takes = sorted({key.take for key in keys})
    gallery, probes = (_takes(text, takes, name) for text, name in ((args.gallery, "gallery"), (args.probes, "probes")))
    if not (gallery and probes):
        protocol = protocol_for(store.dataset, keys)
        if protocol.probe_set:
            raise UsageError(
                f"{store.dataset.name} names its probes clip by clip; name takes by --gallery and --probes"
            )
        columns = protocol.probes
        gallery = gallery or tuple(take for take in takes if any(protocol.in_gallery(take, each) for each in columns))
        usual = (take for take in takes if any(protocol.is_probe(take, each) for each in columns))
        probes = probes or tuple(take for take in usual if take not in gallery)
    if both := [take for take in gallery if take in probes]:
        raise UsageError(f"take {both[0]} is in the gallery and among the probes; it would only find itself")
    return gallery, probes


def _takes(text: str | None, takes: Sequence[str], option: str) -> tuple[str, ...]:
    """The takes that a list of names and patterns means."""
    found = list[str]()
    for name in text.split(",") if text else ():
        mine = matching(takes, name.strip())
        if not mine:
            raise DataError(f"--{option}: no clip of take {name.strip()} at these views; {suggest(name, takes)}")
        found += mine
    return tuple(dict.fromkeys(found))


def _report(gallery: FeatureSet, probes: dict[str, FeatureSet]) -> dict[str, Any]:
    """Rank-1 of real and synthetic probes against one gallery of real clips, by condition."""
    import numpy as np

    from gaitcrafter_ext.metrics.identification import match

    matched = {kind: match(gallery, clips) for kind, clips in probes.items()}
    for kind, matches in matched.items():
        if not len(matches.probes):
            raise DataError(
                f"none of the {matches.dropped} {kind} probes is of a person and view that the gallery has;"
                " check the roots, the takes and the views"
            )
    return {
        "people": len(gallery.people),
        "gallery_clips": len(gallery),
        "gallery_takes": np.unique(gallery.take).tolist(),
        "probe_takes": np.unique(probes["real"].take).tolist(),
        "views": np.unique(gallery.view).tolist(),
        "chance": 1 / len(gallery.people),
        "rank1": {kind: matches.by_condition() for kind, matches in matched.items()},
        "dropped": {kind: matches.dropped for kind, matches in matched.items()},
    }


def _rows(report: dict[str, Any]) -> list[str]:
    takes, views = (" ".join(report[name]) for name in ("gallery_takes", "views"))
    rows = [
        f"Pixel-GEI nearest neighbour, same view; gallery {takes}: {report['people']} people, {report['gallery_clips']}"
        f" clips, views {views}",
        f"{'rank-1 %':<22}{'95 % interval':>18}{'probes':>8}",
    ]
    for kind, shares in report["rank1"].items():
        for condition, share in shares.items():
            value, low, high = (f"{100 * number:.1f}" for number in (share.value, share.low, share.high))
            name = kind if len(report["rank1"]) > 1 else ""
            rows.append(f"{name:<10}{condition:<4}{value:>8}{f'[{low}, {high}]':>18}{share.count:>8}")
    left = [
        f"left out: {count} {kind} probes without a gallery clip of their person and view"
        for kind, count in report["dropped"].items()
        if count
    ]
    return [*rows, f"{'chance':<14}{100 * report['chance']:>8.1f}", *left]

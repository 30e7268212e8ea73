"""``gaitcrafter evaluate card``: the identity card of a synthetic set, as ``report.json`` and ``report.html``."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gaitcrafter_ext.cli._options import add_jobs, add_json, at_least
from gaitcrafter_ext.cli.evaluation.clips import open_store
from gaitcrafter_ext.errors import ConflictError, DataError
from gaitcrafter_ext.silhouettes.files import STAGED_PREFIX, storage_error
from gaitcrafter_ext.vocabulary import choose

if TYPE_CHECKING:
    from gaitcrafter_ext.audit.card import IdentityCard, Measure
    from gaitcrafter_ext.audit.features import ClipFeatures
    from gaitcrafter_ext.audit.material import Material, Space
    from gaitcrafter_ext.audit.membership import Membership
    from gaitcrafter_ext.audit.sources import Sources
    from gaitcrafter_ext.vocabulary import ClipKey

HELP = "the identity card: every measure with floor, ceiling and chance, as report.json and report.html"

JSON_NAME, HTML_NAME = "report.json", "report.html"

#: How the clips of each kind are called in messages.
KINDS = ("synthetic", "held-out", "training", "other real")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--real", required=True, metavar="ROOT", help="real clips: a folder of ids")
    parser.add_argument("--partition", required=True, metavar="JSON", help="who is trained on and who is tested")
    parser.add_argument("--synthetic", required=True, metavar="DIR", help="what 'synthesize --out' wrote")
    parser.add_argument("--out", required=True, type=Path, metavar="REPORT_DIR", help="folder of the report")
    parser.add_argument("--weights", metavar="NAME|DIR",
                        help="weights that made the clips: their card names people and held-out takes (without it each"
                        " person's last take of each condition counts as held out)")  # fmt: skip
    parser.add_argument("--recogniser", action="append", default=[], metavar="DIR",
                        help="folder of 'recognise train', or bundled; may be repeated (default: none)")  # fmt: skip
    parser.add_argument("--other-people", action="store_true",
                        help="the recognisers' people only bear the same names as the real ones here")  # fmt: skip
    parser.add_argument(
        "--experiments", metavar="DIR", help="what 'experiment --out' wrote: does it help a recogniser?"
    )
    parser.add_argument("--views", default="all", help="comma-separated views, or all (default all)")
    parser.add_argument("--skip-broken", action="store_true", help="leave broken files out instead of refusing them")
    parser.add_argument("--force", action="store_true", help="replace the report in REPORT_DIR")
    parser.add_argument("--seed", type=at_least(0), default=0, help="of bootstrap and subsets (default 0)")
    parser.add_argument("--device", default="auto", help="where recognisers compute: cpu, cuda, mps, auto (default)")
    add_jobs(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, write both files, print the table or the JSON."""
    _refuse_used_folder(args.out, args.force)
    _refuse_unwritable(args.out)
    from gaitcrafter_ext.audit.card import HELPS
    from gaitcrafter_ext.audit.clip_rows import clip_measures
    from gaitcrafter_ext.audit.helps import helps_rows
    from gaitcrafter_ext.audit.people_rows import people_measures
    from gaitcrafter_ext.audit.report import write_report

    helps = helps_rows(args.experiments) if args.experiments else []
    sources, material = _material(args)
    spaces, caveats = _spaces(args, sources, material)
    measures = [each for space in spaces for each in people_measures(material, space, args.seed)]
    card = _take([*measures, *clip_measures(material, args.seed), _membership(args, sources)])
    asked = {name: str(value) if isinstance(value, Path) else value for name, value in vars(args).items()}
    card = dataclasses.replace(
        card,
        rows=(*card.rows, *helps),
        unmeasured=card.unmeasured if helps else (*card.unmeasured, HELPS),
        caveats=(*caveats, *sources.caveats),
        groups=sources.counts(material),
        asked=asked,
    )
    write_report(args.out, card, material, spaces, sources.real, sources.synthetic)
    print(card.to_json() if args.json else _as_text(card, args.out), end="" if args.json else "\n")
    return 0


def _refuse_used_folder(folder: Path, force: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConflictError(f"{folder} is a file; name a folder for --out")
    there = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    foreign = [name for name in there if name not in (JSON_NAME, HTML_NAME)]
    if foreign or (there and not force):
        remedy = "name another --out" if foreign else "name another --out, or --force to replace the report"
        raise ConflictError(f"{folder} is in use ({', '.join((foreign or there)[:3])}); {remedy}")


def _refuse_unwritable(folder: Path) -> None:
    """Make the folder and a file in it, and take both away again: measuring takes minutes."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(prefix=STAGED_PREFIX, dir=folder):
            pass
    except OSError as error:
        raise storage_error(folder, error) from error
    finally:
        for path in made:
            with contextlib.suppress(OSError):
                path.rmdir()


def _material(args: argparse.Namespace) -> tuple[Sources, Material]:
    """Who is who, and the features of all clips."""
    from gaitcrafter_ext.audit.features import common_length
    from gaitcrafter_ext.audit.material import Material
    from gaitcrafter_ext.audit.sources import find_sources
    from gaitcrafter_ext.silhouettes.partition import Partition

    (real, real_keys), (made, made_keys) = open_store(args.real), open_store(args.synthetic)
    if args.views != "all":
        wanted = choose(args.views, sorted({key.view for key in [*real_keys, *made_keys]}), "--views")
        real_keys, made_keys = ([key for key in keys if key.view in wanted] for keys in (real_keys, made_keys))
    partition = Partition.load(args.partition)
    partition.check(real)
    sources = find_sources((real, real_keys), (made, made_keys), partition, args.synthetic, args.weights)
    synthetic = _read(args, sources, sources.groups.synthetic, KINDS[0])
    length = common_length(synthetic)
    groups = sources.groups
    held_out, training, others = (
        _read(args, sources, keys, kind, length)
        for keys, kind in zip((groups.held_out, groups.training, sources.others), KINDS[1:], strict=True)
    )
    return sources, Material(synthetic, held_out, training, others, sources.parents)


def _read(
    args: argparse.Namespace, sources: Sources, keys: Sequence[ClipKey], kind: str, length: int | None = None
) -> list[ClipFeatures]:
    from tqdm import tqdm

    from gaitcrafter_ext.audit.reading import Found, read_features
    from gaitcrafter_ext.silhouettes.parallel import available_cores

    def bar(them: Iterable[Found]) -> Iterable[Found]:
        return tqdm(them, desc=f"reading {kind} clips", total=len(keys), unit="clip", delay=1, leave=False)

    store = sources.synthetic if kind == KINDS[0] else sources.real
    jobs = args.jobs or available_cores()
    clips, broken = read_features(store, keys, length, args.skip_broken, jobs, bar)
    for each in broken:
        print(f"left out: {store.root}/{each.key}: {each.why}", file=sys.stderr)
    if broken:
        sources.caveats.append(f"{len(broken)} broken {kind} file(s) were left out: {broken[0].key} and so on")
    if not clips and kind != KINDS[3]:
        raise DataError(f"no {kind} clip is left to measure; check the roots")
    return clips


def _spaces(args: argparse.Namespace, sources: Sources, material: Material) -> tuple[list[Space], list[str]]:
    """The space of plain GEIs, and one of each recogniser; who knows whom is checked before anything is embedded."""
    from gaitcrafter_ext.audit.disjoint import People, check_disjoint
    from gaitcrafter_ext.audit.recognisers import chosen_by, filter_people, named, open_recognisers
    from gaitcrafter_ext.audit.spaces import network_space, pixel_space
    from gaitcrafter_ext.hardware import pick_device
    from gaitcrafter_ext.recognition.filter_card import dataset_name

    device, dataset = pick_device(args.device), dataset_name(sources.real.root)
    networks = open_recognisers(args.recogniser, dataset, args.other_people)
    chose = chosen_by(args.synthetic)
    caveats = check_disjoint(
        People(
            named(dataset, sources.generator),
            named(dataset, sources.test),
            {each.name: each.people for each in networks},
            filter_people(chose, networks) if chose else (),
            tuple(each.name for each in networks if each.fingerprint == chose),
        )
    )
    if not networks:
        caveats.append(
            "no recogniser was given: people are told by pixel GEIs, which see clothes and build rather than gait;"
            " give --recogniser DIR, best two, trained on other people"
        )
    spaces = [pixel_space(material, sources.generator)]
    for each in networks:
        print(f"embedding by {each.name} ({each.model})", file=sys.stderr)
        known = [name.removeprefix(f"{dataset}/") for name in each.people if name.startswith(f"{dataset}/")]
        stores = (sources.synthetic, sources.real)
        spaces.append(network_space(each.name, each.network, known, material, sources.generator, stores, device))
    return spaces, caveats


def _membership(args: argparse.Namespace, sources: Sources) -> Measure:
    import numpy as np

    from gaitcrafter_ext.audit.card import Measure
    from gaitcrafter_ext.audit.clip_rows import membership_rows
    from gaitcrafter_ext.audit.membership import membership_of_weights

    def find() -> Membership:
        clips = (sources.groups.training, sources.groups.held_out)
        return membership_of_weights(args.weights, sources.real, *clips, np.random.default_rng([args.seed, 200]))

    return Measure("copied", "membership_auc", "generator", find, membership_rows)


def _take(measures: Sequence[Measure]) -> IdentityCard:
    from tqdm import tqdm

    from gaitcrafter_ext.audit.card import take

    def bar(them: Sequence[Measure]) -> Iterable[Measure]:
        with tqdm(them, unit="measure", delay=1, leave=False) as shown:
            for each in shown:
                shown.set_description(f"{each.name} ({each.features})")
                yield each

    return take(measures, bar)


def _as_text(card: IdentityCard, folder: Path) -> str:
    from gaitcrafter_ext.audit.wording import QUESTIONS, figure, interval

    lines = [f"caveat: {each}" for each in card.caveats]
    for key, question in QUESTIONS.items():
        rows = [each for each in card.rows if each.question == key]
        gone = [each for each in card.unmeasured if each.question == key]
        if rows or gone:
            lines += ["", f"{question:<46}{'value':>8}{'95 % interval':>18}{'floor':>8}{'ceiling':>8}{'chance':>8}"]
        lines += [
            f"  {each.measure:<20}{each.features[:23]:<24}{figure(each.value, each.unit):>8}{interval(each):>18}"
            f"{figure(each.floor, each.unit):>8}{figure(each.ceiling, each.unit):>8}{figure(each.chance, each.unit):>8}"
            for each in rows
        ]
        lines += [f"  {each.measure} ({each.features}): not measured: {each.why}" for each in gone]
    return "\n".join([*lines, "", f"{folder / HTML_NAME}", f"{folder / JSON_NAME}"])

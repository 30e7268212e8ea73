"""``gaitcrafter filter``: novel people who are unique, consistent and new, chosen before any clip is planned."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import replace
from pathlib import Path

from gaitcrafter_ext.cli._filtering import Filtering, add_thresholds, facts_of, lines_of, refuse_shortfall
from gaitcrafter_ext.cli._generating import MOST_PEOPLE, add_blending, add_sampling, sampling_of
from gaitcrafter_ext.cli._options import Progress, add_json, at_least
from gaitcrafter_ext.errors import ConflictError, DataError, MissingError
from gaitcrafter_ext.generator.weights import BUNDLED, check_weights, locate, read_card
from gaitcrafter_ext.hardware import this_process
from gaitcrafter_ext.records import to_json
from gaitcrafter_ext.silhouettes.files import STAGED_PREFIX, atomic_write_text
from gaitcrafter_ext.silhouettes.parallel import Shared
from gaitcrafter_ext.synthesis.comparing import Row, compare_ways
from gaitcrafter_ext.synthesis.run import settle_precision
from gaitcrafter_ext.synthesis.selection import FilterRequest, SelectedIdentities, notes_of, read_selected

HELP = "Choose novel people who are unique, consistent and unlike any training person"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add, chosen = parser.add_argument, "who was chosen, and why not others"
    add("--out", type=Path, required=True, metavar="FILE.json", help=chosen)
    add("--weights", default=BUNDLED, metavar="NAME|DIR", help="default: %(default)s")
    add("--novel", type=at_least(1, MOST_PEOPLE), required=True, metavar="N", help="how many people")
    add_blending(parser.add_argument_group("who"))
    add_sampling(parser.add_argument_group("how"))
    add_thresholds(parser)
    compare = "try N people of each way to make them instead, and write a table"
    add("--compare", action="store_true", help=compare)
    add("--force", action="store_true", help="overwrite --out")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Choose people and write them to a file, or compare ways to make them."""
    out: Path = args.out
    if out.is_dir():
        raise ConflictError(f"--out: {out} is a folder; name a file, such as {out / 'chosen.json'}")
    weights = locate(args.weights)
    card = read_card(weights)
    sampling = sampling_of(args, card)
    filtering = Filtering.of(args, weights, card, args.novel, sampling)
    sampling = settle_precision(sampling, args.device, _precision(out))
    filtering = replace(filtering, request=replace(filtering.request, sampling=sampling))
    check_weights(weights, card)
    shared = Shared(out.with_name(f"{STAGED_PREFIX}{out.name}.trials"), this_process())
    return (_compare if args.compare else _select)(args, filtering, shared)


def _precision(out: Path) -> str:
    """That of an earlier run, so that another machine finds the same people; empty where there was none."""
    try:
        return read_selected(out).request.sampling.precision
    except (MissingError, DataError):
        return ""


def _select(args: argparse.Namespace, filtering: Filtering, shared: Shared) -> int:
    selected = _found(args, filtering.request)
    if selected is None:
        with shared.working():
            selected = filtering.choose(shared)
        if not _write_as_last(args, shared, selected.to_json()):
            return 0
    facts = {"out": str(args.out), **facts_of(selected), "control": dict(selected.control)}
    lines = [f"{args.out}: {len(selected.people)} people", *lines_of(selected)]
    print(json.dumps(facts) if args.json else "\n".join(lines))
    refuse_shortfall(selected)
    return 0


def _found(args: argparse.Namespace, request: FilterRequest) -> SelectedIdentities | None:
    """What an earlier run of the same options chose; None where it must be chosen."""
    try:
        found = read_selected(args.out)
    except MissingError:
        return None
    except DataError:
        if args.force:
            return None
        raise ConflictError(f"{args.out} is there and not a filter's; choose another --out, or --force") from None
    if found.request == request or args.force:
        return found if found.request == request else None
    names = ", ".join(found.request.differences(request))
    raise ConflictError(f"{args.out} was chosen by other settings (other {names}); choose another --out, or --force")


def _write_as_last(args: argparse.Namespace, shared: Shared, text: str) -> bool:
    """Write the file and forget the trials, if no other process of the launcher is still at work."""
    if not shared.is_last():
        if not args.json:
            part = f"process {shared.process.rank + 1} of {shared.process.count}"
            print(f"{part} has done its part; the last one writes {args.out}")
        return False
    atomic_write_text(args.out, text)
    shared.forget()
    return True


def _compare(args: argparse.Namespace, filtering: Filtering, shared: Shared) -> int:
    if args.out.exists() and not args.force:
        raise ConflictError(f"{args.out} is already there; --force overwrites it")
    card, judge, request = filtering.card, filtering.judge, filtering.request
    with shared.working():
        known, trials = filtering.try_out(shared)
        with Progress("trying out people", "person") as bar:
            criteria, rows = compare_ways(card, judge, request, known, trials, bar)
    notes = notes_of(card, judge, request)
    facts = {
        "weights": card.fingerprint,
        "recogniser": judge.fingerprint,
        "false_match_rate": request.settings.false_match_rate,
        "criteria": criteria,
        "notes": notes,
        "rows": rows,
    }
    text = to_json(facts, indent=1)
    if _write_as_last(args, shared, text + "\n"):
        print(text if args.json else "\n".join([*_table(rows, request), *notes]))
    return 0


def _table(rows: list[Row], request: FilterRequest) -> list[str]:
    head = f"{'':<18}people  unique U  one person  known  all three  parent first (chance)  spacing"
    body = [
        f"{row.name:<18}{row.people:6}{_percent(row.unique):>10}{_percent(row.consistent):>12}{_percent(row.known):>7}"
        f"{_percent(row.kept):>11}{_percent(row.parent) + ' (' + _percent(row.chance) + ')':>23}{row.spacing:9.2g}"
        for row in rows
    ]
    rate = request.settings.false_match_rate
    return [head, *body, f"at a false match rate of {rate:g} among real people; {request.settings.wanted} people a row"]


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{share:.0%}"

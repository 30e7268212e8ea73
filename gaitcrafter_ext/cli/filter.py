"""``gaitcrafter filter``: novel people who are unique, consistent and new, chosen before any clip is planned."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict, replace
from pathlib import Path

from gaitcrafter_ext.cli._filtering import (
    add_thresholds,
    choose_identities,
    facts_of,
    lines_of,
    refuse_shortfall,
    request_of,
    try_out,
)
from gaitcrafter_ext.cli._generating import MOST_PEOPLE, add_blending, add_sampling, sampling_of
from gaitcrafter_ext.cli._options import Progress, add_json, at_least
from gaitcrafter_ext.errors import ConflictError, DataError, MissingError, UsageError
from gaitcrafter_ext.generator.weights import BUNDLED, Card, check_weights, locate, read_card
from gaitcrafter_ext.hardware import this_process
from gaitcrafter_ext.recognition.filter_card import FilterCard, locate_filter
from gaitcrafter_ext.silhouettes.files import STAGED_PREFIX, atomic_write_text
from gaitcrafter_ext.synthesis.comparing import Row, compare_ways, row_of_real
from gaitcrafter_ext.synthesis.sampler import settle_precision
from gaitcrafter_ext.synthesis.selection import (
    FilterRequest,
    SelectedIdentities,
    notes_of,
    read_selected,
)
from gaitcrafter_ext.synthesis.trials import Shared

HELP = "Choose novel people who are unique, consistent and unlike any training person"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE.json", help="who was chosen, and why not others"
    )
    parser.add_argument("--weights", default=BUNDLED, metavar="NAME|DIR", help="default: %(default)s")
    parser.add_argument("--novel", type=at_least(1, MOST_PEOPLE), required=True, metavar="N", help="how many people")
    add_blending(parser.add_argument_group("who"))
    add_sampling(parser.add_argument_group("how"))
    add_thresholds(parser)
    parser.add_argument(
        "--compare", action="store_true", help="try N people of each way to make them instead, and write a table"
    )
    parser.add_argument("--real", type=Path, metavar="ROOT", help="with --compare: real people to set beside them")
    parser.add_argument("--force", action="store_true", help="overwrite --out")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Choose people and write them to a file, or compare ways to make them."""
    if args.out.is_dir():
        raise ConflictError(f"--out: {args.out} is a folder; name a file, such as {args.out / 'chosen.json'}")
    weights = locate(args.weights)
    card = read_card(weights)
    request, judge = request_of(args, card, args.novel, sampling_of(args, card))
    request = replace(request, sampling=settle_precision(request.sampling, args.device, _precision(args)))
    check_weights(weights, card)
    if args.real is not None and not args.compare:
        raise UsageError("--real: only with --compare")
    if args.compare:
        return _compare(args, weights, card, judge, request)
    selected = _found(args, request)
    if selected is None:
        shared = _shared(args)
        with shared.working():
            selected = choose_identities(args, weights, card, judge, request, shared)
        if not shared.is_last():
            return _leave_to_the_last(args)
        atomic_write_text(args.out, selected.to_json())
        shared.forget()
    lines = [f"{args.out}: {len(selected.people)} people", *lines_of(selected)]
    facts = {"out": str(args.out), **facts_of(selected), "control": dict(selected.control)}
    print(json.dumps(facts) if args.json else "\n".join(lines))
    refuse_shortfall(selected)
    return 0


def _shared(args: argparse.Namespace) -> Shared:
    """Where the processes of a launcher keep trials until the file is written."""
    out: Path = args.out
    return Shared(out.with_name(f"{STAGED_PREFIX}{out.name}.trials"), this_process())


def _leave_to_the_last(args: argparse.Namespace) -> int:
    process = this_process()
    if not args.json:
        print(f"process {process.rank + 1} of {process.count} has done its part; the last one writes {args.out}")
    return 0


def _precision(args: argparse.Namespace) -> str:
    """That of an earlier run, so that another machine finds the same people; empty where there was none."""
    try:
        return read_selected(args.out).request.sampling.precision
    except (MissingError, DataError):
        return ""


def _found(args: argparse.Namespace, request: FilterRequest) -> SelectedIdentities | None:
    """What an earlier run of the same options froze; None where it must be chosen."""
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


def _compare(args: argparse.Namespace, weights: Path, card: Card, judge: FilterCard, request: FilterRequest) -> int:
    if args.out.exists() and not args.force:
        raise ConflictError(f"{args.out} is already there; --force overwrites it")
    from gaitcrafter_ext.recognition.embedding import embed_tree, load_embedder

    embed = load_embedder(locate_filter(args.recogniser), args.device)
    real = None if args.real is None else embed_tree(args.real, embed, tuple(request.probes.views), args.novel)
    shared = _shared(args)
    with shared.working():
        known, trials = try_out(args, weights, card, judge, request, shared)
        with Progress("trying out people", "person") as bar:
            table = compare_ways(card, judge, request, known, trials, bar)
    if not shared.is_last():
        return _leave_to_the_last(args)
    rows = [*table.rows, row_of_real(real, table)] if real is not None else list(table.rows)
    notes = list(notes_of(card, judge, request))
    facts = {
        "weights": card.fingerprint,
        "recogniser": judge.fingerprint,
        "false_match_rate": request.settings.false_match_rate,
        "criteria": asdict(table.criteria),
        "notes": notes,
        "rows": [_finite(row) for row in rows],
    }
    text = json.dumps(facts, indent=1)
    atomic_write_text(args.out, text + "\n")
    shared.forget()
    print(text if args.json else "\n".join([*_table(rows, request), *notes]))
    return 0


def _finite(row: Row) -> dict[str, object]:
    """A row for JSON, which knows no nan."""
    facts = asdict(row)
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in facts.items()}


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

"""``gaitcrafter filter``: choose novel people by a recogniser, or compare ways to make them."""

from __future__ import annotations

import argparse
import math
from dataclasses import replace

from gaitcrafter_ext.cli import _generating as generating
from gaitcrafter_ext.cli._options import SWITCH, Progress, at_least, options, say
from gaitcrafter_ext.errors import ConflictError, DataError, MissingError
from gaitcrafter_ext.generator.weights import check_weights, locate, read_card
from gaitcrafter_ext.hardware import this_process
from gaitcrafter_ext.records import to_json
from gaitcrafter_ext.silhouettes.files import STAGED_PREFIX, atomic_write_text
from gaitcrafter_ext.silhouettes.parallel import Shared
from gaitcrafter_ext.synthesis.comparing import Row, compare_ways
from gaitcrafter_ext.synthesis.run import settle_precision
from gaitcrafter_ext.synthesis.selection import FilterRequest, Screening, SelectedIdentities, read_selected

HELP = "Choose novel people who are unique, consistent and unlike any training person"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = options(parser)
    add("--out", "who was chosen, and why not others", metavar="FILE.json")
    add("--weights")
    add("--novel", "how many people", type=at_least(1, generating.MOST_PEOPLE), required=True, metavar="N")
    generating.add_blending(parser.add_argument_group("who"))
    generating.add_sampling(parser.add_argument_group("how"))
    generating.add_thresholds(parser)
    add("--compare", "try N people of each way to make them instead, and write a table", **SWITCH)
    add("--force")
    add("--json")


def run(args: argparse.Namespace) -> None:
    if args.out.is_dir():
        raise ConflictError(f"--out: {args.out} is a folder; name a file, such as {args.out / 'chosen.json'}")
    weights = locate(args.weights)
    card = read_card(weights)
    sampling = generating.sampling_of(args, card)
    shared = Shared(args.out.with_name(f"{STAGED_PREFIX}{args.out.name}.trials"), this_process())
    screening = generating.screening_of(args, weights, card, args.novel, sampling, shared)
    earlier = _earlier(args)
    # That of an earlier run, so that another machine finds the same people.
    sampling = settle_precision(sampling, args.device, earlier.request.sampling.precision if earlier else "")
    screening = replace(screening, request=replace(screening.request, sampling=sampling))
    check_weights(weights, card)
    if args.compare:
        _compare(args, screening, shared)
    else:
        _select(args, screening, shared, earlier)


def _earlier(args: argparse.Namespace) -> SelectedIdentities | None:
    """What an earlier run chose; None where there is nothing, or nothing that counts."""
    try:
        return read_selected(args.out)
    except MissingError:
        return None
    except DataError:
        if args.force or args.compare:
            return None
        raise ConflictError(f"{args.out} is there and not a filter's; choose another --out, or --force") from None


def _select(args: argparse.Namespace, screening: Screening, shared: Shared, found: SelectedIdentities | None) -> None:
    if found is not None and found.request != screening.request:
        if not args.force:
            names = ", ".join(found.request.differences(screening.request))
            raise ConflictError(
                f"{args.out} was chosen by other settings (other {names}); choose another --out, or --force"
            )
        found = None
    if found is None:
        with shared.working():
            found = generating.choose_people(screening)
        if not _write_as_last(args, shared, found.to_json()):
            return
    facts = {"out": str(args.out), **generating.facts_of(found), "control": dict(found.control)}
    say(args, facts, f"{args.out}: {len(found.people)} people", *generating.lines_of(found))
    generating.refuse_shortfall(found)


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


def _compare(args: argparse.Namespace, screening: Screening, shared: Shared) -> None:
    if args.out.exists() and not args.force:
        raise ConflictError(f"{args.out} is already there; --force overwrites it")
    with shared.working():
        known = generating.place_known(screening)
        with Progress("trying out people", "person") as bar:
            criteria, rows = compare_ways(screening, known, bar)
    facts = {
        "weights": screening.card.fingerprint,
        "recogniser": screening.judge.fingerprint,
        "false_match_rate": screening.request.settings.false_match_rate,
        "criteria": criteria,
        "notes": screening.notes,
        "rows": rows,
    }
    text = to_json(facts, indent=1)
    if _write_as_last(args, shared, text + "\n"):
        print(text if args.json else "\n".join([*_table(rows, screening.request), *screening.notes]))


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

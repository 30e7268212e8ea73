"""``python -m gaitcrafter_ext.recognition.export_filter``: make a filter's recogniser of a trained one.

Writes the weights in half precision, calibrates them on people whom they never saw, and writes the card. The packaged
one was made by the commands in ``bundled/card.json``.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.calibration import calibrate
from gaitcrafter_ext.recognition.checkpoint import MODEL_FILE, load_recogniser, save_recogniser
from gaitcrafter_ext.recognition.embedding import embed_keys, load_embedder
from gaitcrafter_ext.recognition.filter_card import FilterCard, dataset_name, write_filter_card
from gaitcrafter_ext.silhouettes.store import SilhouetteStore

__all__ = ["export_filter"]


def export_filter(
    run: Path, trained_on: Path, calibration: Path, out: Path, commands: Sequence[str], **made: Any
) -> FilterCard:
    """Write a filter's folder.

    Args:
        run: What ``recognise train`` wrote.
        trained_on: Root of the data that it was trained on.
        calibration: Root of the data to calibrate on.
        out: Folder to write.
        commands: What to run to make it again.
        made: More facts for the card, e.g. ``minutes``.

    Raises:
        DataError: It was trained on people of the calibration data, or there are too few of them.
    """
    network, card = load_recogniser(run)
    dataset, other = dataset_name(trained_on), dataset_name(calibration)
    people = tuple(f"{dataset}/{name}" for name in card.people)
    store = SilhouetteStore(calibration)
    keys = list(store.keys())
    overlap = sorted(set(people) & {f"{other}/{key.identity}" for key in keys})
    if overlap:
        raise DataError(f"the recogniser was trained on {overlap[0]} of the calibration people ({len(overlap)} such)")
    save_recogniser(out, network.half(), dataclasses.replace(card, people=people, trained_on=(dataset,)))
    done = FilterCard(
        people=people,
        training={"model": card.model, "iterations": card.iterations, "dataset": dataset, **made},
        calibrated_on=other,
        calibration=calibrate(embed_keys(store, keys, load_embedder(out))),
        commands=tuple(commands),
        weights_sha256=hashlib.sha256((out / MODEL_FILE).read_bytes()).hexdigest(),
    )
    write_filter_card(out, done)
    return done


def main() -> None:
    """Parse the options and export."""
    parser = argparse.ArgumentParser(description="Make a filter's recogniser of a trained one")
    parser.add_argument("--run", type=Path, required=True, help="folder that 'recognise train' wrote")
    parser.add_argument("--trained-on", type=Path, required=True, help="root of the data that it was trained on")
    parser.add_argument("--calibration", type=Path, required=True, help="root of data of people whom it never saw")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, help="what the training took")
    parser.add_argument("--command", action="append", default=[], help="what was run before, for the card")
    args = parser.parse_args()
    made = {} if args.minutes is None else {"minutes": args.minutes}
    card = export_filter(args.run, args.trained_on, args.calibration, args.out, args.command, **made)
    size, found = (args.out / MODEL_FILE).stat().st_size, card.calibration
    print(f"{args.out}: {size / 1e6:.2f} MB; calibrated on {found.people} people")
    for rate, centre, clip, genuine in zip(found.rates, found.centre, found.clip, found.genuine, strict=True):
        print(f"false match rate {rate:6.3f}: centres {centre:.3g}, clips {clip:.3g}, own clips found {genuine:.1%}")


if __name__ == "__main__":
    main()

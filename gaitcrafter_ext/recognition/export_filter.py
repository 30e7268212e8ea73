"""``python -m gaitcrafter_ext.recognition.export_filter``: make a filter's recogniser of a trained one.

Writes the weights in half precision, calibrates them on people whom they never saw, and writes the card; or calibrates
again one that is there. The packaged one was made by the commands in ``bundled/card.json``.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError, GaitCrafterError
from gaitcrafter_ext.metrics.calibration import Calibration, calibrate
from gaitcrafter_ext.recognition.checkpoint import load_recogniser, save_recogniser
from gaitcrafter_ext.recognition.embedding import embed_keys, embed_tree, load_embedder
from gaitcrafter_ext.recognition.filter_card import (
    MODEL_FILE,
    FilterCard,
    dataset_name,
    read_filter_card,
    write_filter_card,
)
from gaitcrafter_ext.silhouettes.store import SilhouetteStore

#: Frames of a real clip that are looked at: as many as a candidate's clip has, unless the user asks for others.
FRAMES = 30


def export_filter(
    out: Path,
    calibration: Path,
    commands: Sequence[str] = (),
    population: Path | None = None,
    trained: tuple[Path, Path] | None = None,
    **made: Any,
) -> FilterCard:
    """Write a filter's folder, calibrated on a tree of people whom the recogniser never saw.

    Those are strangers to the people of the tree ``population``, too, for the leak radii. ``trained`` is what
    ``recognise train`` wrote, and the root of its data; without it the filter in ``out`` is calibrated again.
    ``commands`` and ``made`` are for the card.

    Raises:
        DataError: A person is of two of the three groups, or there are too few of them.
    """
    if trained is None:
        before = read_filter_card(out)
        people, training, commands = before.people, before.training, tuple(commands) or before.commands
        _refuse_shared(people, calibration, population)
    else:
        (network, card), dataset = load_recogniser(trained[0]), dataset_name(trained[1])
        people = tuple(f"{dataset}/{name}" for name in card.people)
        training = {"model": card.model, "iterations": card.iterations, "dataset": dataset, **made}
        _refuse_shared(people, calibration, population)
        save_recogniser(out, network.half(), dataclasses.replace(card, people=people, trained_on=(dataset,)))
    done = FilterCard(
        people=people,
        training=training,
        calibrated_on=dataset_name(calibration),
        calibration=_calibration(out, calibration, population),
        commands=tuple(commands),
        weights_sha256=hashlib.sha256((out / MODEL_FILE).read_bytes()).hexdigest(),
    )
    write_filter_card(out, done)
    return done


def _refuse_shared(trained: Sequence[str], calibration: Path, population: Path | None) -> None:
    strangers = _people(calibration)
    others = set() if population is None else _people(population)
    for who, both in (("the calibration", strangers & set(trained)), ("the population's", others & set(trained))):
        if both:
            raise DataError(f"the recogniser was trained on {min(both)} of {who} people ({len(both)} such)")
    if strangers & others:
        raise DataError(f"{min(strangers & others)} is in {calibration} and in {population}: no stranger to them")


def _people(root: Path) -> set[str]:
    return {f"{dataset_name(root)}/{name}" for name in SilhouetteStore(root).identities()}


def _calibration(folder: Path, strangers: Path, population: Path | None) -> Calibration:
    whole, store = load_embedder(folder), SilhouetteStore(strangers)

    def embed(clips: NDArray[np.uint8]) -> NDArray[np.float32]:
        return whole(clips[:, :FRAMES])

    clips = embed_keys(store, store.keys(), embed)
    if population is None:
        return calibrate(clips)
    return calibrate(clips, embed_tree(population, embed, tuple(sorted(set(clips.view.tolist()))), sys.maxsize))


def main() -> None:
    """Parse the options and export."""
    parser = argparse.ArgumentParser(description="Make a filter's recogniser of a trained one")
    parser.add_argument(
        "--run", type=Path, help="folder that 'recognise train' wrote (default: calibrate the filter in --out again)"
    )
    parser.add_argument("--trained-on", type=Path, help="root of the data that --run was trained on")
    parser.add_argument("--calibration", type=Path, required=True, help="root of data of people whom it never saw")
    parser.add_argument("--population", type=Path, help="root of others, to whom those are strangers: leak radii")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, help="what the training took")
    parser.add_argument("--command", action="append", default=[], help="what was run before, for the card")
    args = parser.parse_args()
    if (args.run is None) != (args.trained_on is None):
        parser.error("--run and --trained-on go together")
    trained = None if args.run is None else (args.run, args.trained_on)
    made = {} if args.minutes is None else {"minutes": args.minutes}
    try:
        card = export_filter(args.out, args.calibration, args.command, args.population, trained, **made)
    except GaitCrafterError as error:
        parser.exit(error.exit_code, f"{parser.prog}: {error}\n")
    found = card.calibration
    print(f"{args.out}: calibrated on {found.people} people")
    for rate, centre, clip, genuine in zip(found.rates, found.centre, found.clip, found.genuine, strict=True):
        print(f"false match rate {rate:6.3f}: centres {centre:.3g}, clips {clip:.3g}, own clips found {genuine:.1%}")
    for count, radius in found.leak.items():
        print(f"{count:>5} known people: a leak is nearer than {radius:.3g} to one of them")


if __name__ == "__main__":
    main()

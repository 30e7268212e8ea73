"""The card of a recogniser that filters: whom it knows, how it was made, what its distances mean. Torch-free.

A filter's folder holds ``card.json`` beside what :mod:`gaitcrafter_ext.recognition.checkpoint` writes. People are named
with their data set, e.g. ``simulated-1-seed101/sim-001``: ``sim-001`` of another seed is another person.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gaitcrafter_ext.errors import MissingError, WeightsError
from gaitcrafter_ext.metrics.calibration import Calibration
from gaitcrafter_ext.records import fill, read_json, record
from gaitcrafter_ext.silhouettes.files import atomic_write_text, storage_error
from gaitcrafter_ext.silhouettes.store import folder_around

#: The name under which the packaged recogniser is asked for.
BUNDLED = "bundled"

CARD_FILE, MODEL_FILE, FORMAT = "card.json", "model.safetensors", 1

#: Its folder; where the packaged generator's training people are lies in it too.
PACKAGED = Path(__file__).parent / BUNDLED


@record
class FilterCard:
    """All of a filter's ``card.json``: whom it was trained on (``dataset/identity``) and how, what its distances mean,
    on strangers of which data set that was found, what to run to make it again, and the weights' SHA-256."""

    people: tuple[str, ...]
    training: dict[str, Any]
    calibrated_on: str
    calibration: Calibration
    commands: tuple[str, ...]
    weights_sha256: str

    @property
    def fingerprint(self) -> str:
        """Short name of exactly these weights and thresholds: 16 hex digits of a SHA-256 of both."""
        text = json.dumps([self.weights_sha256, asdict(self.calibration)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def locate_filter(name: str | Path) -> Path:
    """Folder of the recogniser called ``name``: ``"bundled"``, or a folder's path.

    Raises:
        MissingError: There is none.
    """
    folder = PACKAGED if name == BUNDLED else Path(name)
    if not (folder / CARD_FILE).is_file():
        raise MissingError(
            f"no filter's recogniser at '{name}'; allowed: '{BUNDLED}' or a folder that "
            "'python -m gaitcrafter_ext.recognition.export_filter' wrote"
        )
    return folder


def write_filter_card(folder: Path, card: FilterCard) -> None:
    """Write ``card.json``."""
    atomic_write_text(folder / CARD_FILE, json.dumps({"format": FORMAT, **asdict(card)}, indent=1) + "\n")


def read_filter_card(folder: Path) -> FilterCard:
    """Read a card and make sure that the weights beside it are its own.

    Raises:
        MissingError: A file is missing.
        DataError: The card is not JSON.
        WeightsError: It is no card of this version, or the weights are others.
    """
    content = read_json(folder / CARD_FILE)
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise WeightsError(f"{folder / CARD_FILE}: not a filter's card of format {FORMAT}; copy the folder again")
    card = fill(FilterCard, content, folder / CARD_FILE, WeightsError)
    try:
        found = hashlib.sha256((folder / MODEL_FILE).read_bytes()).hexdigest()
    except FileNotFoundError as error:
        raise MissingError(f"{error.filename} is missing; copy the whole folder again") from None
    except OSError as error:
        raise storage_error(folder, error, "read") from error
    if found != card.weights_sha256:
        raise WeightsError(f"{folder / MODEL_FILE}: truncated or changed (checksum differs); copy the folder again")
    return card


def dataset_name(root: Path) -> str:
    """A data set's name: cohort version and seed where ``simulate`` made it, else that of the folder around ``pkl``."""
    folder = folder_around(root.resolve())
    try:
        record = json.loads((folder / "cohort.json").read_text(encoding="utf-8"))
        return f"simulated-{record['cohort_version']}-seed{record['seed']}"
    except (OSError, ValueError, KeyError, TypeError):
        return folder.name

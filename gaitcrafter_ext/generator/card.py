"""The weights' own card: what they know, what they were trained on, how; readable without torch.

A weights folder is what ``diffusers`` writes (``model_index.json``, ``denoiser/``, ``scheduler/``) plus ``card.json``.
The card is written last and carries the weights' checksum, so half-written weights are told from whole ones.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gaitcrafter_ext.errors import MissingError, WeightsError

__all__ = ["CARD_NAME", "FORMAT", "Card", "SamplingDefaults", "TrainedOn", "Vocabulary", "checksum", "read_card"]

#: Version of the folder's layout and of the network's meaning; weights of another one are refused.
FORMAT = 2

CARD_NAME = "card.json"
WEIGHTS_NAME = "denoiser/diffusion_pytorch_model.safetensors"


@dataclass(frozen=True)
class Vocabulary:
    """What can be asked of the weights.

    Attributes:
        identities: People the generator was trained on, in the order of the identity code.
        conditions: Walking conditions, in the order of their index.
        views: View name -> degrees; ``None`` where the dataset does not know the angle.
    """

    identities: tuple[str, ...]
    conditions: tuple[str, ...]
    views: dict[str, float | None]


@dataclass(frozen=True)
class TrainedOn:
    """Which people, so that their synthetic clips are never mixed up with another dataset's people of the same name.

    Attributes:
        dataset: The dataset's name.
        identities_hash: :func:`gaitcrafter_ext.vocabulary.identities_hash` of the training people.
        held_out: Clips of these people that were kept from training, as ``identity/take`` names.
    """

    dataset: str
    identities_hash: str
    held_out: tuple[str, ...]


@dataclass(frozen=True)
class SamplingDefaults:
    """How clips are sampled unless the caller says otherwise (see :mod:`gaitcrafter_ext.generator.samplers`)."""

    sampler: str = "euler"
    steps: int = 8
    guidance: float = 2.0
    redraws: int = 2


@dataclass(frozen=True)
class Card:
    """All of ``card.json``.

    Attributes:
        vocabulary: What can be asked for.
        trained_on: Whom the weights know.
        sampling: Default sampler.
        training: How they were made: command, configuration, clips, minutes, loss curve.
        weights_sha256: Checksum of the safetensors file, hex.
        gait_cycle: Shortest and longest gait cycle of the training clips, frames (see ``ClipLibrary.gait_cycle``); None
            where that is not known.
        format: Version of the folder's layout.
    """

    vocabulary: Vocabulary
    trained_on: TrainedOn
    sampling: SamplingDefaults
    training: dict[str, Any]
    weights_sha256: str
    gait_cycle: tuple[float, float] | None = None
    format: int = FORMAT

    @property
    def fingerprint(self) -> str:
        """Short name of exactly these weights: the first 16 hex digits of their checksum."""
        return self.weights_sha256[:16]

    def to_json(self) -> str:
        """The text of ``card.json``."""
        return json.dumps(asdict(self), indent=1) + "\n"


def checksum(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _digest(file)


def _digest(file: Any) -> str:
    """``hashlib.file_digest`` for Python 3.10, which lacks it."""
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def read_card(folder: str | Path) -> Card:
    """Read and check the card of a weights folder; the weights themselves are not opened.

    Raises:
        MissingError: There is no such folder, or no card in it.
        WeightsError: The card is torn or of another format version.
    """
    path = Path(folder) / CARD_NAME
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise MissingError(
            f"no weights in {folder}: {CARD_NAME} is not there; name a folder written by 'train --out', or 'bundled'"
        ) from None
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise WeightsError(f"{path} is not JSON: the weights folder is damaged; train or copy it again") from None
    found = values.get("format") if isinstance(values, dict) else None
    if found != FORMAT:
        raise WeightsError(f"{path} is of format {found}, this version reads {FORMAT}; use the version that wrote it")
    try:
        return _card(values)
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path} lacks or misnames {error}: the weights folder is damaged; copy it again") from None


def _card(values: dict[str, Any]) -> Card:
    words, known = values["vocabulary"], values["trained_on"]
    return Card(
        vocabulary=Vocabulary(tuple(words["identities"]), tuple(words["conditions"]), dict(words["views"])),
        trained_on=TrainedOn(known["dataset"], known["identities_hash"], tuple(known["held_out"])),
        sampling=_sampling(values["sampling"]),
        training=values["training"],
        weights_sha256=values["weights_sha256"],
        gait_cycle=_gait_cycle(values.get("gait_cycle")),
    )


def _sampling(values: dict[str, Any]) -> SamplingDefaults:
    # Cards from before clips were drawn again ask for none.
    found = SamplingDefaults(**{"redraws": 0, **values})
    if type(found.redraws) is not int:
        raise ValueError(f"sampling.redraws {found.redraws!r}")
    return found


def _gait_cycle(value: Any) -> tuple[float, float] | None:
    if value is None:
        return None
    numbers = isinstance(value, list) and len(value) == 2 and all(isinstance(each, (int, float)) for each in value)
    if not numbers or not 0 < value[0] <= value[1] < float("inf"):
        raise ValueError(f"gait_cycle {value!r}")
    return float(value[0]), float(value[1])


def check_weights(folder: str | Path, card: Card) -> None:
    """Refuse a weights file that is not the one the card was written for.

    Raises:
        WeightsError: The file is missing, truncated or changed.
    """
    path = Path(folder) / WEIGHTS_NAME
    if not path.is_file():
        raise WeightsError(f"{path} is missing; copy the weights folder again")
    if checksum(path) != card.weights_sha256:
        raise WeightsError(f"{path} does not match the checksum in {CARD_NAME}: truncated or changed; copy it again")

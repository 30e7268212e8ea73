"""Weights, in a folder or on the Hugging Face Hub, and their card: what they know, from whom, how. Torch-free.

The folder is what ``diffusers`` writes (``model_index.json``, ``denoiser/``, ``people/``, ``scheduler/``) plus
``card.json``. The card is written last and carries the files' checksums, so half-written weights are told from whole
ones.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from gaitcrafter_ext.errors import DataError, GaitCrafterError, MissingError, StorageError, UsageError, WeightsError
from gaitcrafter_ext.generator.sampling import IdentityScale
from gaitcrafter_ext.records import fill, read_json, record
from gaitcrafter_ext.silhouettes.dataset import DatasetConfig
from gaitcrafter_ext.silhouettes.files import storage_error

#: Names of the packaged weights: those that sample, and those that they were distilled from, to train on and for other
#: steps and guidance.
BUNDLED, TEACHER = "bundled", "bundled-teacher"

#: Version of the folder's layout and of the network's meaning; weights of another one are refused.
FORMAT = 3

CARD_NAME = "card.json"
WEIGHTS_NAME = "denoiser/diffusion_pytorch_model.safetensors"
PEOPLE_NAME = "people/diffusion_pytorch_model.safetensors"

PACKAGED = {name: Path(__file__).parent / name for name in (BUNDLED, TEACHER)}

REPO_ID = re.compile(r"[\w.-]+/[\w.-]+")


@record
class Vocabulary:
    """What can be asked of the weights, in the order of their indices; views are name -> degrees (None: unknown)."""

    identities: tuple[str, ...]
    conditions: tuple[str, ...]
    views: dict[str, float | None]


@record
class TrainedOn:
    """Which people, so that synthetic clips are never tested on people whom their generator saw."""

    dataset: str
    identities_hash: str
    held_out: tuple[str, ...] = ()  # takes of these people that were kept from training, as identity/take
    takes: tuple[str, ...] = ()  # names of all takes trained on, a take of another name was not; empty: not known
    before: tuple[str, ...] = ()  # dataset/identity of all others whom these weights, or earlier ones, ever saw


@record
class SamplingDefaults:
    """How clips are sampled unless the caller says otherwise.

    With ``baked_in`` the weights were distilled to just this sampler, these steps and this guidance.
    """

    sampler: Literal["euler", "dpm++2m", "unipc"] = "euler"
    steps: Annotated[int, Field(ge=1, le=1000)] = 3
    guidance: Annotated[float, Field(ge=0, le=20)] = 2.25
    identity_scale: IdentityScale = 1.25
    baked_in: bool = False

    def choose(
        self, sampler: str | None, steps: int | None, guidance: float | None, identity_scale: IdentityScale | None
    ) -> SamplingDefaults:
        """These, with what is given in their place; raises ``UsageError`` where another choice is baked in."""
        asked = {"sampler": sampler, "steps": steps, "guidance": guidance, "identity_scale": identity_scale}
        given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
        for name, value in given.items():
            if self.baked_in and name != "identity_scale" and value != getattr(self, name):
                raise UsageError(
                    f"{name}: {value} asked for, but these weights are distilled, with {self.steps} steps of "
                    f"{self.sampler} and guidance {self.guidance:g} baked in; leave it out, or name the weights that "
                    f"they were distilled from (those of '{BUNDLED}' are '{TEACHER}')"
                )
        return replace(self, **given)


Cycle = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Spread = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@record
class Card:
    """All of ``card.json``.

    ``cadence`` is the gait cycle of each person whose clips tell it: mean and standard deviation between takes, frames.
    """

    vocabulary: Vocabulary
    trained_on: TrainedOn
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    cadence: dict[str, tuple[Cycle, Spread]] = field(default_factory=dict)
    sampling: SamplingDefaults = field(default_factory=SamplingDefaults)
    training: dict[str, Any] = field(default_factory=dict)  # command, configuration, clips, minutes, loss curve
    code_dim: Annotated[int, Field(ge=1)] = 64
    files: dict[str, str] = field(default_factory=dict)  # path in the folder -> SHA-256, hex
    format: int = FORMAT

    @property
    def fingerprint(self) -> str:
        """Short name of exactly these weights: 16 hex digits."""
        text = "\n".join(f"{name} {digest}" for name, digest in sorted(self.files.items()))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def was_held_out(self, identity: str, take: str) -> bool:
        """Whether a take of a known person was kept from training."""
        known = self.trained_on.takes
        return f"{identity}/{take}" in self._held_out or (bool(known) and take not in known)

    @functools.cached_property
    def _held_out(self) -> frozenset[str]:
        return frozenset(self.trained_on.held_out)  # asked about for every clip of a tree

    def everybody(self) -> set[str]:
        """``dataset/identity`` of all people that these weights ever saw."""
        known = {f"{self.trained_on.dataset}/{name}" for name in self.vocabulary.identities}
        return known | set(self.trained_on.before)

    def seen(self, dataset: str) -> set[str]:
        """Names of the people of a dataset whom these weights ever saw."""
        return names_in(self.everybody(), dataset)

    def to_json(self) -> str:
        """The text of ``card.json``."""
        return json.dumps(asdict(self), indent=1) + "\n"


def names_in(people: Iterable[str], dataset: str) -> set[str]:
    """Names of those of a dataset among ``dataset/identity``.

    Simulated people bear their seed in their names: they are the same in all datasets called ``simulated...``.
    """
    same = "simulated" if dataset.startswith("simulated") else f"{dataset}/"
    return {entry.rpartition("/")[2] for entry in people if entry.startswith(same)}


def checksum(path: Path) -> str:
    """SHA-256 of a file, hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextlib.contextmanager
def refused_writes(folder: Path) -> Iterator[None]:
    """Turn what a disk refuses into a ``StorageError`` of one line, whichever library meets it."""
    from safetensors import SafetensorError

    try:
        yield
    except GaitCrafterError:
        raise
    except OSError as error:
        raise storage_error(folder, error) from error
    except (SafetensorError, RuntimeError) as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None and "PytorchStreamWriter" not in str(error):
            raise
        raise storage_error(folder, OSError(int(number[1]) if number else errno.ENOSPC, str(error))) from error


def locate(name: str | Path) -> Path:
    """Folder of the weights called ``name``: a packaged name as text, or a folder's path; raises ``MissingError``."""
    folder = PACKAGED.get(name, Path(name)) if isinstance(name, str) else name  # a path is one, whatever it is called
    if not (folder / CARD_NAME).is_file():
        allowed = ", ".join(f"'{packaged}'" for packaged in PACKAGED)
        raise MissingError(f"no weights at '{name}'; allowed: {allowed} or a folder written by 'train --out'")
    return folder


def fetch(name: str | Path) -> Path:
    """As :func:`locate`; where there is no such folder, ``owner/name`` is fetched from the Hugging Face Hub."""
    if name in PACKAGED or Path(name).exists() or not REPO_ID.fullmatch(str(name)):
        return locate(name)
    from huggingface_hub import snapshot_download

    try:
        return locate(snapshot_download(str(name), allow_patterns=["*.json", "*.safetensors"]))
    except (OSError, ValueError) as error:
        raise MissingError(f"there is no folder '{name}', and no such repository of weights ({_line(error)})") from None


def trainable(name: str | Path) -> str | Path:
    """The weights to train on where ``name`` is asked for: behind the bundled ones, those they were distilled from."""
    return TEACHER if name == BUNDLED else name


def read_card(folder: str | Path) -> Card:
    """The card of a weights folder; ``MissingError`` where there is none, ``WeightsError`` where it cannot be used."""
    path = locate(folder) / CARD_NAME
    try:
        values = read_json(path)
    except DataError as error:
        raise WeightsError(f"{error}: the weights folder is damaged; train or copy it again") from None
    found = values.get("format") if isinstance(values, Mapping) else None
    if found != FORMAT:
        raise WeightsError(
            f"{path} is of format {found}, this version reads {FORMAT}; train again, or use the version that wrote it"
        )
    return fill(Card, values, path, WeightsError)


def check_weights(folder: str | Path, card: Card) -> None:
    """Raise ``WeightsError`` if a file is not the one that the card was written for."""
    for name, digest in card.files.items():
        path = Path(folder) / name
        if not path.is_file():
            raise WeightsError(f"{path} is missing; copy the weights folder again")
        if checksum(path) != digest:
            raise WeightsError(
                f"{path} does not match the checksum in {CARD_NAME}: truncated or changed; copy it again"
            )


def mixed_cadence(mix: Mapping[str, float], cadence: Mapping[str, Sequence[float]]) -> tuple[float, float] | None:
    """Gait cycle of a mixture of people, frames: the mean of those in it, and the root of their mean variance.

    None where no one's cadence is known.
    """
    known = {name: share for name, share in mix.items() if name in cadence}
    total = sum(known.values())
    if not total:
        return None
    mean = sum(share * cadence[name][0] for name, share in known.items()) / total
    variance = sum(share * cadence[name][1] ** 2 for name, share in known.items()) / total
    return mean, math.sqrt(variance)


def push(folder: Path, repo_id: str, private: bool | None, token: str | None) -> str:
    """Upload a weights folder to a repository, made where it is missing; returns the upload's address."""
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    try:
        api.create_repo(repo_id, private=private, exist_ok=True)
        done = api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message="Upload weights")
    except (OSError, ValueError) as error:
        raise StorageError(f"{repo_id}: the upload failed ({_line(error)})") from None
    return str(done.commit_url)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def model_card(card: Card, repo_id: str, licence: str, report: str | Path | None) -> str:
    """The text of the repository's ``README.md``; ``report`` is ``report.json`` of ``evaluate card``."""
    words, known, how = card.vocabulary, card.trained_on, card.sampling
    angles = f"{len(words.views)} views ({', '.join(words.views)})"
    figures = _figures(read_json(report) if report else {})
    return f"""\
---
license: {licence}
library_name: diffusers
tags: [gait-recognition, video-diffusion, silhouettes, gaitcrafter]
---
# {repo_id}

A video diffusion model of gait silhouettes (GaitCrafter, arXiv 2508.13300): clips of 64 x 64 pixels, conditioned on
identity, condition, view and gait phase.

## Data

{len(words.identities)} people of {known.dataset}; conditions {", ".join(words.conditions)}; {angles}.
{len(known.before)} other people were seen by weights that these began with. Whether clips and weights may be passed on
is for the licence of the training data to say.

## Use

```python
from gaitcrafter_ext import GaitCrafterPipeline, SampleRequest

pipeline = GaitCrafterPipeline.from_pretrained("{repo_id}")
clips = pipeline([SampleRequest({{pipeline.identities[0]: 1.0}}, "{words.conditions[0]}", None, seed=0)]).clips
```

Intended for research on gait recognition. Clips of a known person are that person's biometric data, and blends resemble
their parents. Not for imitating people, and not for tests on people whom the weights saw.

## Figures

{figures}

Fingerprint {card.fingerprint}; {how.steps} steps of {how.sampler}, guidance
{how.guidance:g}{" (both baked in)" * how.baked_in}, identity scale {how.identity_scale}.
"""


def _figures(report: dict[str, Any]) -> str:
    """Rows of an identity card as a table."""
    columns = ("question", "measure", "features", "value", "low", "high")
    rows = [f"| {' | '.join(str(row[name]) for name in columns)} |" for row in report.get("rows", [])]
    head = ["| question | measure | on | value | low | high |", "|---|---|---|---|---|---|"]
    return "\n".join(head + rows) if rows else "None were given; `gaitcrafter evaluate card` measures them."

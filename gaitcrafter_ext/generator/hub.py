"""Weights on the Hugging Face Hub: fetched by repository id, pushed with a model card made of ``card.json``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from gaitcrafter_ext.errors import MissingError, StorageError
from gaitcrafter_ext.generator.weights import Card, is_packaged, locate
from gaitcrafter_ext.records import read_json

REPO_ID = re.compile(r"[\w.-]+/[\w.-]+")


def fetch(name: str | Path) -> Path:
    """Folder of the weights called ``name``: ``bundled``, a folder, or a snapshot of the repository ``owner/name``.

    Raises:
        MissingError: There is no such folder, or the repository cannot be had.
    """
    if is_packaged(name) or Path(name).exists() or not REPO_ID.fullmatch(str(name)):
        return locate(name)
    from huggingface_hub import snapshot_download

    try:
        return locate(snapshot_download(str(name), allow_patterns=["*.json", "*.safetensors"]))
    except (OSError, ValueError) as error:
        raise MissingError(f"there is no folder '{name}', and no such repository of weights ({_line(error)})") from None


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
{how.guidance:g}{" (both baked in)" * how.baked_in}, identity scale {how.identity_scale:g}.
"""


def _figures(report: dict[str, Any]) -> str:
    """Rows of an identity card as a table."""
    columns = ("question", "measure", "features", "value", "low", "high")
    rows = [f"| {' | '.join(str(row[name]) for name in columns)} |" for row in report.get("rows", [])]
    head = ["| question | measure | on | value | low | high |", "|---|---|---|---|---|---|"]
    return "\n".join(head + rows) if rows else "None were given; `gaitcrafter evaluate card` measures them."

"""Weights on the Hugging Face Hub: fetched by repository id, pushed with a model card made of ``card.json``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gaitcrafter_ext.errors import MissingError, StorageError
from gaitcrafter_ext.generator.weights import BUNDLED, Card, locate
from gaitcrafter_ext.records import read_json

if TYPE_CHECKING:
    from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline

__all__ = ["fetch", "model_card", "push"]

REPO_ID = re.compile(r"[\w.-]+/[\w.-]+")


def fetch(name: str | Path) -> Path:
    """Folder of the weights called ``name``: ``bundled``, a folder, or a snapshot of the repository ``owner/name``.

    Raises:
        MissingError: There is no such folder, or the repository cannot be had.
    """
    if str(name) == BUNDLED or Path(name).exists() or not REPO_ID.fullmatch(str(name)):
        return locate(name)
    from huggingface_hub import snapshot_download

    try:
        return locate(snapshot_download(str(name), allow_patterns=["*.json", "*.safetensors"]))
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise MissingError(f"there is no folder '{name}', and no such repository of weights ({reason})") from None


def push(
    pipeline: GaitCrafterPipeline,
    folder: Path,
    repo_id: str,
    licence: str,
    private: bool | None,
    token: str | None,
    report: str | Path | None,
) -> str:
    """Upload ``folder``, where the pipeline has been saved, with a model card; see the pipeline's ``push_to_hub``."""
    from huggingface_hub import HfApi

    assert pipeline.card is not None
    figures = read_json(Path(report)) if report is not None else {}
    (folder / "README.md").write_text(model_card(pipeline.card, repo_id, licence, figures))
    api = HfApi(token=token)
    try:
        api.create_repo(repo_id, private=private, exist_ok=True)
        done = api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message="Upload weights")
    except (OSError, ValueError) as error:
        raise StorageError(f"{repo_id}: the upload failed ({' '.join(str(error).split())[:200]})") from None
    return str(done.commit_url)


def model_card(card: Card, repo_id: str, licence: str, report: Mapping[str, object]) -> str:
    """The text of the repository's ``README.md``.

    Args:
        card: Of the weights.
        repo_id: ``owner/name``.
        licence: Of the weights, as the Hub writes it; that of the training data decides it.
        report: ``report.json`` of ``evaluate card``; empty for none.
    """
    words, known, how = card.vocabulary, card.trained_on, card.sampling
    angles = f"{len(words.views)} views ({', '.join(words.views)})"
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

{_figures(report) or "None were given; `gaitcrafter evaluate card` measures them."}

Fingerprint {card.fingerprint}; {how.steps} steps of {how.sampler}, guidance
{how.guidance:g}{" (both baked in)" * how.baked_in}, identity scale {how.identity_scale:g}.
"""


def _figures(report: Mapping[str, object]) -> str:
    """Rows of an identity card as a table; empty without rows."""
    rows = report.get("rows")
    lines = [
        f"| {row['question']} | {row['measure']} | {row['features']} | {row['value']} | {row['low']} | {row['high']} |"
        for row in (rows if isinstance(rows, list) else [])
    ]
    head = ["| question | measure | on | value | low | high |", "|---|---|---|---|---|---|"]
    return "\n".join([*head, *lines]) if lines else ""

"""Weights by repository id; the network is replaced by a folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gaitcrafter_ext.errors import MissingError, StorageError
from gaitcrafter_ext.generator.hub import fetch
from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline
from gaitcrafter_ext.generator.weights import CARD_NAME, locate, read_card

BUNDLED = locate("bundled")


class FakeApi:
    """The Hub as a folder below ``remote``."""

    remote: Path
    broken = False

    def __init__(self, token: str | None = None) -> None:
        self.token = token

    def create_repo(self, repo_id: str, **_: Any) -> None:
        if self.broken:
            raise ConnectionError("no route to the Hub")
        (self.remote / repo_id).mkdir(parents=True, exist_ok=True)

    def upload_folder(self, *, repo_id: str, folder_path: Path, **_: Any) -> SimpleNamespace:
        shutil.copytree(folder_path, self.remote / repo_id, dirs_exist_ok=True)
        return SimpleNamespace(commit_url=f"https://hub/{repo_id}/commit/1")


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def snapshot_download(repo_id: str, **_: Any) -> str:
        if not (tmp_path / repo_id).is_dir():
            raise ConnectionError(f"404 for {repo_id}")
        return str(tmp_path / repo_id)

    FakeApi.remote = tmp_path
    monkeypatch.setattr("huggingface_hub.HfApi", FakeApi)
    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    return tmp_path


def pipeline() -> Any:
    """As much of a pipeline as an upload needs."""
    return SimpleNamespace(
        card=read_card(BUNDLED), save_pretrained=lambda folder: shutil.copy(BUNDLED / CARD_NAME, folder)
    )


def test_what_was_pushed_is_fetched_by_its_id_with_a_model_card(remote: Path, tmp_path: Path) -> None:
    row = {"question": "leakage", "measure": "leak", "features": "gei", "value": 0.1, "low": 0, "high": 0.2}
    (tmp_path / "report.json").write_text(json.dumps({"rows": [row]}))
    push = GaitCrafterPipeline.push_to_hub
    url = push(pipeline(), "lab/gait", licence="cc0-1.0", report=tmp_path / "report.json")
    assert url == "https://hub/lab/gait/commit/1"
    card = read_card(BUNDLED)
    assert read_card(fetch("lab/gait")) == card
    text = (remote / "lab/gait/README.md").read_text()
    assert text.startswith("---\nlicense: cc0-1.0\n")
    assert f"{len(card.vocabulary.identities)} people of {card.trained_on.dataset}" in text
    assert "| leakage | leak | gei | 0.1 | 0 | 0.2 |" in text
    assert 'from_pretrained("lab/gait")' in text


def test_failures_of_the_network_are_one_line_and_other_names_ask_nothing_of_it(
    remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        MissingError, match=r"no folder 'lab/none', and no such repository of weights .404 for lab/none"
    ):
        fetch("lab/none")
    monkeypatch.setattr(FakeApi, "broken", True)
    with pytest.raises(StorageError, match=r"lab/gait: the upload failed .no route"):
        GaitCrafterPipeline.push_to_hub(pipeline(), "lab/gait")
    monkeypatch.delattr("huggingface_hub.snapshot_download")
    assert fetch("bundled") == fetch(BUNDLED) == BUNDLED
    with pytest.raises(MissingError, match="no weights at 'nowhere'"):
        fetch("nowhere")

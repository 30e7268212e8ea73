"""The card of a weights folder, whole or refused in one line; weights by repository id, a folder for the network."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from gaitcrafter_ext.errors import MissingError, StorageError, WeightsError
from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline
from gaitcrafter_ext.generator.weights import (
    CARD_NAME,
    Card,
    TrainedOn,
    Vocabulary,
    check_weights,
    checksum,
    fetch,
    locate,
    read_card,
    trainable,
)
from tests.tiny import tiny_pipeline

CARD = Card(
    Vocabulary(("sim-001", "sim-002"), ("nm", "cl"), {"000": 0.0, "any": None}),
    TrainedOn("tiny", "0" * 16, ("sim-001/nm-03",), before=("other/p1",)),
    cadence={"sim-001": (25.0, 0.4)},
    training={"clips": 8},
    files={"a": "1" * 64, "b": "2" * 64},
)


def test_a_card_reads_back_and_names_everybody_whom_these_weights_or_earlier_ones_saw(tmp_path: Path) -> None:
    (tmp_path / CARD_NAME).write_text(CARD.to_json())
    assert read_card(tmp_path) == CARD
    assert CARD.everybody() == {"tiny/sim-001", "tiny/sim-002", "other/p1"}
    assert replace(CARD, training={}, files=dict(reversed(CARD.files.items()))).fingerprint == CARD.fingerprint
    assert replace(CARD, files={**CARD.files, "a": "3" * 64}).fingerprint != CARD.fingerprint


def test_values_outside_their_range_and_unknown_keys_are_refused(tmp_path: Path) -> None:
    values = json.loads(CARD.to_json())
    misspelt = {**values["vocabulary"], "conditons": []}
    for change, message in (
        ({"sampling": {"sampler": "heun"}}, "'sampling.sampler' is 'heun'"),
        ({"cadence": {"sim-001": [0, 1]}}, "'cadence.sim-001.0' is 0"),
        ({"cadence": {"sim-001": [float("nan"), 1]}}, "'cadence.sim-001.0' is nan"),
        ({"vocabulary": ["nm"]}, "'vocabulary' is a list"),
        ({"vocabulary": misspelt}, "unknown key 'vocabulary.conditons'; did you mean 'conditions'"),
        ({"format": 2}, "is of format 2, this version reads 3; train again"),
    ):
        (tmp_path / CARD_NAME).write_text(json.dumps({**values, **change}))
        with pytest.raises(WeightsError, match=message) as caught:
            read_card(tmp_path)
        assert "\n" not in str(caught.value)


def test_a_torn_card_and_files_that_are_missing_or_others_are_refused(tmp_path: Path) -> None:
    for text in (CARD.to_json()[:-40], "", "[]", "7", '{"format": 3}'):
        (tmp_path / CARD_NAME).write_text(text)
        with pytest.raises(WeightsError):
            read_card(tmp_path)
    for find in (read_card, locate):
        with pytest.raises(MissingError, match=r"no weights at .*'bundled-teacher' or a folder"):
            find(tmp_path / "nowhere")
    (tmp_path / "a").write_bytes(b"numbers")
    card = replace(CARD, files={"a": checksum(tmp_path / "a")})
    check_weights(tmp_path, card)
    (tmp_path / "a").write_bytes(b"number")
    with pytest.raises(WeightsError, match="truncated or changed; copy it again"):
        check_weights(tmp_path, card)
    (tmp_path / "a").unlink()
    with pytest.raises(WeightsError, match="is missing; copy the weights folder again"):
        check_weights(tmp_path, card)


def test_a_folder_called_as_the_packaged_weights_are_is_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bundled").mkdir()
    Path("bundled", CARD_NAME).write_text(CARD.to_json())
    assert read_card(locate("./bundled")) == CARD
    assert read_card(locate("bundled")) != CARD


def test_the_bundled_weights_are_whole_and_a_students_and_what_it_learned_from_is_trained_on() -> None:
    check_weights(locate("bundled"), read_card("bundled"))
    student, teacher = (read_card(locate(name)) for name in ("bundled", trainable("bundled")))
    assert (student.sampling.baked_in, student.sampling.steps, teacher.sampling.baked_in) == (True, 2, False)
    assert student.training["teacher"]["fingerprint"] == teacher.fingerprint
    assert student.everybody() == teacher.everybody()
    assert trainable("somewhere/else") == "somewhere/else"
    assert trainable(Path("bundled")) == Path("bundled")  # a folder of that name, as for locate


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Hub as a folder."""

    def snapshot_download(repo_id: str, **_: Any) -> str:
        if not (tmp_path / repo_id).is_dir():
            raise ConnectionError(f"404 for {repo_id}")
        return str(tmp_path / repo_id)

    def upload_folder(*, repo_id: str, folder_path: Path, **_: Any) -> SimpleNamespace:
        shutil.copytree(folder_path, tmp_path / repo_id)
        return SimpleNamespace(commit_url=f"https://hub/{repo_id}/commit/1")

    monkeypatch.setattr("huggingface_hub.HfApi", mock.Mock(return_value=mock.Mock(upload_folder=upload_folder)))
    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    return tmp_path


def test_what_was_pushed_is_fetched_by_its_id_with_a_model_card(remote: Path, tmp_path: Path) -> None:
    row = {"question": "leakage", "measure": "leak", "features": "gei", "value": 0.1, "low": 0, "high": 0.2}
    (tmp_path / "report.json").write_text(json.dumps({"rows": [row]}))
    pipeline = tiny_pipeline()
    url = pipeline.push_to_hub("lab/gait", licence="cc0-1.0", report=tmp_path / "report.json")
    assert url == "https://hub/lab/gait/commit/1"
    assert GaitCrafterPipeline.from_pretrained("lab/gait").card == pipeline.card
    text = (remote / "lab/gait/README.md").read_text()
    assert text.startswith("---\nlicense: cc0-1.0\n")
    for words in ("2 people of tiny", "| leakage | leak | gei | 0.1 | 0 | 0.2 |", 'from_pretrained("lab/gait")'):
        assert words in text


def test_failures_of_the_network_are_one_line(remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingError, match=r"no folder 'lab/none', and no such repository of weights .404 for lab"):
        fetch("lab/none")
    broken = mock.Mock(create_repo=mock.Mock(side_effect=ConnectionError("no route to the Hub")))
    monkeypatch.setattr("huggingface_hub.HfApi", mock.Mock(return_value=broken))
    with pytest.raises(StorageError, match=r"lab/gait: the upload failed .no route"):
        tiny_pipeline().push_to_hub("lab/gait")
    monkeypatch.delattr("huggingface_hub.snapshot_download")
    assert fetch("bundled") == fetch(locate("bundled")) == locate("bundled")
    with pytest.raises(MissingError, match="no weights at 'nowhere'"):
        fetch("nowhere")

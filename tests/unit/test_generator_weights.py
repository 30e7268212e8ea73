"""The card of a weights folder: whole or refused in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gaitcrafter_ext.errors import MissingError, WeightsError
from gaitcrafter_ext.generator.weights import (
    CARD_NAME,
    Card,
    TrainedOn,
    Vocabulary,
    check_weights,
    checksum,
    locate,
    read_card,
    trainable,
)

CARD = Card(
    Vocabulary(("sim-001", "sim-002"), ("nm", "cl"), {"000": 0.0, "any": None}),
    TrainedOn("tiny", "0" * 16, ("sim-001/nm-03",), before=("other/p1",)),
    cadence={"sim-001": (25.0, 0.4)},
    training={"clips": 8},
    files={"a": "1" * 64, "b": "2" * 64},
)


def _folder(path: Path, card: Card = CARD) -> Path:
    (path / CARD_NAME).write_text(card.to_json())
    return path


def test_a_card_reads_back_and_names_everybody_whom_these_weights_or_earlier_ones_saw(tmp_path: Path) -> None:
    assert read_card(_folder(tmp_path)) == CARD
    assert CARD.everybody() == {"tiny/sim-001", "tiny/sim-002", "other/p1"}
    assert replace(CARD, training={}, files=dict(reversed(CARD.files.items()))).fingerprint == CARD.fingerprint
    assert replace(CARD, files={**CARD.files, "a": "3" * 64}).fingerprint != CARD.fingerprint


def test_values_outside_their_range_and_unknown_keys_are_refused(tmp_path: Path) -> None:
    for keys, value, message in (
        (("sampling", "steps"), 0, "'sampling.steps' is 0"),
        (("sampling", "sampler"), "heun", "'sampling.sampler' is 'heun'"),
        (("sampling", "guidance"), -1, "'sampling.guidance' is -1"),
        (("cadence", "sim-001"), [0, 1], "'cadence.sim-001.0' is 0"),
        (("cadence", "sim-001"), [float("nan"), 1], "'cadence.sim-001.0' is nan"),
        (("cadence", "sim-001"), [25], "'cadence.sim-001"),
        (("code_dim",), 0, "'code_dim' is 0"),
        (("vocabulary",), ["nm"], "'vocabulary' is a list"),
        (("vocabulary", "conditons"), [], "unknown key 'vocabulary.conditons'; did you mean 'conditions'"),
        (("dataset", "name"), "", "'dataset.name' is ''"),
        (("format",), 2, "is of format 2, this version reads 3; train again"),
        (("format",), None, "is of format None"),
    ):
        values = json.loads(CARD.to_json())
        inner = values
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value
        (tmp_path / CARD_NAME).write_text(json.dumps(values))
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
    _folder(Path("bundled"))
    assert read_card(locate("./bundled")) == CARD
    assert read_card(locate("bundled")) != CARD


def test_the_bundled_weights_are_whole() -> None:
    card = read_card("bundled")
    check_weights(locate("bundled"), card)
    assert set(card.cadence) <= set(card.vocabulary.identities)


def test_the_bundled_weights_are_a_students_and_what_it_learned_from_is_trained_on() -> None:
    student, teacher = (read_card(locate(name)) for name in ("bundled", trainable("bundled")))
    assert (student.sampling.baked_in, student.sampling.steps, teacher.sampling.baked_in) == (True, 2, False)
    assert student.training["teacher"]["fingerprint"] == teacher.fingerprint
    assert student.everybody() == teacher.everybody()
    assert trainable("somewhere/else") == "somewhere/else"

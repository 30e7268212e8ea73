"""The card of a filter's recogniser; the packaged one keeps what it promises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gaitcrafter_ext.errors import MissingError, WeightsError
from gaitcrafter_ext.recognition.filter_card import dataset_name, locate_filter, read_filter_card, write_filter_card
from tests.filter_fakes import fake_card, write_tiny_filter


def test_a_card_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_tiny_filter(tmp_path, 0.25, 0.5)
    card = read_filter_card(tmp_path)
    assert card == fake_card(0.25, 0.5, card.weights_sha256)
    assert card.fingerprint == read_filter_card(tmp_path).fingerprint


def test_other_thresholds_are_another_recogniser() -> None:
    assert fake_card(0.1).fingerprint != fake_card(0.2).fingerprint != fake_card(0.2, sha256="cd" * 32).fingerprint


def test_other_weights_under_the_same_card_are_refused(tmp_path: Path) -> None:
    write_tiny_filter(tmp_path, 0.25, 0.5)
    (tmp_path / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(WeightsError, match="checksum differs"):
        read_filter_card(tmp_path)


def test_another_file_is_no_card(tmp_path: Path) -> None:
    write_tiny_filter(tmp_path, 0.25, 0.5)
    for text in ("", "[]", "{}", '{"format": 99}', '{"format": 1, "people": 3}'):
        (tmp_path / "card.json").write_text(text)
        with pytest.raises(ValueError, match=r"card\.json"):
            read_filter_card(tmp_path)


def test_what_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"no filter's recogniser at .*allowed: 'bundled'"):
        locate_filter(tmp_path)
    write_filter_card(tmp_path, fake_card())
    with pytest.raises(MissingError, match=r"model.safetensors is missing"):
        read_filter_card(locate_filter(tmp_path))


def test_a_simulated_data_set_is_named_by_version_and_seed(tmp_path: Path) -> None:
    (tmp_path / "cohort.json").write_text(json.dumps({"cohort_version": "1", "seed": 101}))
    assert dataset_name(tmp_path / "pkl") == dataset_name(tmp_path) == "simulated-1-seed101"
    (tmp_path / "cohort.json").write_text("x")
    assert dataset_name(tmp_path) == tmp_path.name


def test_the_packaged_recogniser_is_small_whole_and_calibrated_on_strangers() -> None:
    folder = locate_filter("bundled")
    card = read_filter_card(folder)
    assert (folder / "model.safetensors").stat().st_size < 3e6
    assert {name.partition("/")[0] for name in card.people} == {card.training["dataset"]}
    assert card.training["dataset"] != card.calibrated_on
    assert card.calibration.people >= 200
    assert 0.5 < card.calibration.alone["50"] < card.calibration.unique["50"] < 1
    assert card.calibration.genuine_share(0.01) > 0.5
    assert any("simulate.py" in line for line in card.commands)


def test_the_packaged_recogniser_knows_none_of_the_packaged_generators_people() -> None:
    # The generator's cohort has seed 0.
    card = read_filter_card(locate_filter("bundled"))
    assert not any(name.startswith("simulated-1-seed0/") for name in card.people)
    assert card.calibrated_on != "simulated-1-seed0"


def test_the_packaged_recogniser_embeds_clips() -> None:
    import numpy as np

    from gaitcrafter_ext.recognition.embedding import load_embedder
    from tests.tiny import tiny_clip

    embed = load_embedder(locate_filter("bundled"), "cpu")
    both = embed(np.stack([tiny_clip(0, 0, 30), tiny_clip(1, 0, 30)]))
    alone = embed(tiny_clip(1, 0, 30)[None])
    assert both.shape[0] == 2
    assert np.isfinite(both).all()
    np.testing.assert_allclose(both[1], alone[0], rtol=1e-3, atol=1e-4)

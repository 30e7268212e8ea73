"""A filter's recogniser: made of a trained one and calibrated on strangers; its card; the packaged one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.errors import DataError, MissingError, WeightsError
from gaitcrafter_ext.recognition.checkpoint import load_recogniser
from gaitcrafter_ext.recognition.embedding import embed_tree, load_embedder
from gaitcrafter_ext.recognition.export_filter import export_filter
from gaitcrafter_ext.recognition.filter_card import locate_filter, read_filter_card, write_filter_card
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey
from tests.filter_fakes import fake_card, write_recogniser, write_tiny_filter
from tests.tiny import tiny_clip


def cohort(root: Path, seed: int, people: int) -> Path:
    """A tree of noise clips with the record that names its seed."""
    store = SilhouetteStore(root / "pkl", create=True)
    for number in range(1, people + 1):
        for take in ("nm-01", "nm-02"):
            frames = np.random.default_rng([number, int(take[-1])]).integers(0, 256, (5, 64, 64), np.uint8)
            store.write(ClipKey(f"sim-{number:03d}", take, "090"), frames)
    (root / "cohort.json").write_text(json.dumps({"cohort_version": "1", "seed": seed}))
    return root / "pkl"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recogniser(tmp_path_factory.mktemp("run"), ("sim-001", "sim-002"), iterations=7)


def test_a_filter_is_made_and_calibrated_again_on_strangers(tmp_path: Path, trained: Path) -> None:
    """``sim-001`` of another seed is another person."""
    known, strangers, others = (
        cohort(tmp_path / str(seed), seed, people) for seed, people in ((1, 2), (2, 50), (3, 60))
    )
    out, made = tmp_path / "out", (trained, known)
    with pytest.raises(DataError, match=r"trained on simulated-1-seed1/sim-001 of the calibration people \(2 such\)"):
        export_filter(out, known, trained=made)
    assert not out.exists()
    card = export_filter(out, strangers, ["simulate ..."], trained=made, minutes=1.5)
    assert read_filter_card(out) == card
    assert card.people == ("simulated-1-seed1/sim-001", "simulated-1-seed1/sim-002")
    assert (card.calibrated_on, card.calibration.people, card.calibration.views) == ("simulated-1-seed2", 50, ("090",))
    assert card.training == {"model": "gaitset", "iterations": 7, "dataset": "simulated-1-seed1", "minutes": 1.5}
    half, whole = (sum(path.stat().st_size for path in folder.glob("*.safetensors")) for folder in (out, trained))
    assert half < 0.6 * whole
    assert load_recogniser(out)[1].people == card.people
    again = export_filter(out, strangers, ["again"], others)
    assert read_filter_card(out) == again
    assert (again.people, again.weights_sha256, again.training) == (card.people, card.weights_sha256, card.training)
    assert (card.calibration.leak, list(again.calibration.leak), again.commands) == ({}, ["50"], ("again",))
    with pytest.raises(DataError, match=r"simulated-1-seed2/sim-001 is in .* no stranger to them"):
        export_filter(out, strangers, population=strangers)
    with pytest.raises(DataError, match=r"trained on simulated-1-seed1/sim-001 of the population's people \(2 such\)"):
        export_filter(out, strangers, population=known)


def test_real_people_are_read_as_candidates_are(tmp_path: Path, trained: Path) -> None:
    root, embed = cohort(tmp_path / "a", 1, 3), load_embedder(trained, "cpu")
    found = embed_tree(root, embed, ("090",), 2)
    assert found.identity.tolist() == ["sim-001", "sim-001", "sim-002", "sim-002"]
    with pytest.raises(DataError, match=r"no clip sim-001/nm-01/054; each person needs nm-01 and nm-02 at 054"):
        embed_tree(root, embed, ("054",), 2)


def test_a_card_is_read_as_it_was_written_and_only_beside_its_own_weights(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"no filter's recogniser at .*allowed: 'bundled'"):
        locate_filter(tmp_path)
    write_filter_card(tmp_path, fake_card())
    with pytest.raises(MissingError, match=r"model.safetensors is missing"):
        read_filter_card(locate_filter(tmp_path))
    write_tiny_filter(tmp_path, 0.25, 0.5)
    card = read_filter_card(tmp_path)
    assert card == fake_card(0.25, 0.5, card.weights_sha256)
    assert card.fingerprint == read_filter_card(tmp_path).fingerprint
    assert fake_card(0.1).fingerprint != fake_card(0.2).fingerprint != fake_card(0.2, sha256="cd" * 32).fingerprint
    (tmp_path / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(WeightsError, match="checksum differs"):
        read_filter_card(tmp_path)
    (tmp_path / "card.json").write_text('{"format": 99}')
    with pytest.raises(ValueError, match=r"card\.json"):
        read_filter_card(tmp_path)


def test_the_packaged_recogniser_is_small_whole_and_calibrated_on_strangers() -> None:
    folder = locate_filter("bundled")
    card = read_filter_card(folder)
    assert (folder / "model.safetensors").stat().st_size < 3e6
    assert {name.partition("/")[0] for name in card.people} == {card.training["dataset"]}
    # The first cohort of the packaged generator has seed 0.
    assert len({card.training["dataset"], card.calibrated_on, "simulated-1-seed0"}) == 3
    assert card.calibration.people >= 200
    assert 0.5 < card.calibration.alone["50"] < card.calibration.unique["50"] < 1
    assert any("simulate.py" in line for line in card.commands)
    embed = load_embedder(folder, "cpu")
    both = embed(np.stack([tiny_clip(0, 0, 30), tiny_clip(1, 0, 30)]))
    assert np.isfinite(both).all()
    np.testing.assert_allclose(both[1], embed(tiny_clip(1, 0, 30)[None])[0], rtol=1e-3, atol=1e-4)

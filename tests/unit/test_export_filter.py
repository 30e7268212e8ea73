"""From a trained recogniser to one that filters: half precision, a calibration on strangers, qualified names."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.recognition.checkpoint import Card, load_recogniser, save_recogniser
from gaitcrafter_ext.recognition.config import GaitSetConfig
from gaitcrafter_ext.recognition.embedding import embed_tree, load_embedder
from gaitcrafter_ext.recognition.export_filter import export_filter, main, recalibrate
from gaitcrafter_ext.recognition.filter_card import read_filter_card
from gaitcrafter_ext.recognition.networks import build_network
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey

PEOPLE = ("sim-001", "sim-002")


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
    run = tmp_path_factory.mktemp("run")
    sizes = GaitSetConfig((4, 4, 4), 4, (2, 1))
    save_recogniser(run, build_network(sizes, 2), Card(sizes, PEOPLE, iterations=7))
    return run


def test_people_of_another_seed_with_the_same_names_are_strangers(tmp_path: Path, trained: Path) -> None:
    known, strangers = cohort(tmp_path / "a", 1, 2), cohort(tmp_path / "b", 2, 50)
    card = export_filter(trained, known, strangers, tmp_path / "out", ["simulate ..."], minutes=1.5)
    assert read_filter_card(tmp_path / "out") == card
    assert card.people == ("simulated-1-seed1/sim-001", "simulated-1-seed1/sim-002")
    assert (card.calibrated_on, card.calibration.people, card.calibration.views) == ("simulated-1-seed2", 50, ("090",))
    assert card.training == {"model": "gaitset", "iterations": 7, "dataset": "simulated-1-seed1", "minutes": 1.5}
    half, whole = (
        sum(path.stat().st_size for path in folder.glob("*.safetensors")) for folder in (tmp_path / "out", trained)
    )
    assert half < 0.6 * whole
    assert load_recogniser(tmp_path / "out")[1].people == card.people


def test_calibrating_on_people_trained_on_is_refused(tmp_path: Path, trained: Path) -> None:
    same = cohort(tmp_path / "a", 1, 50)
    with pytest.raises(DataError, match=r"trained on simulated-1-seed1/sim-001 of the calibration people \(2 such\)"):
        export_filter(trained, same, same, tmp_path / "out", [])
    assert not (tmp_path / "out").exists()


def test_a_filter_is_calibrated_again_on_others_and_on_a_population_they_are_strangers_to(
    tmp_path: Path, trained: Path
) -> None:
    known, strangers, others = (
        cohort(tmp_path / str(seed), seed, people) for seed, people in ((1, 2), (2, 50), (3, 60))
    )
    before = export_filter(trained, known, strangers, tmp_path / "out", ["simulate ..."])
    after = recalibrate(tmp_path / "out", strangers, others, ["again"])
    assert read_filter_card(tmp_path / "out") == after
    assert (after.people, after.weights_sha256, after.training) == (
        before.people,
        before.weights_sha256,
        before.training,
    )
    assert (before.calibration.leak, list(after.calibration.leak), after.commands) == ({}, ["50"], ("again",))
    with pytest.raises(DataError, match=r"simulated-1-seed2/sim-001 is in .* no stranger to them"):
        recalibrate(tmp_path / "out", strangers, strangers, [])
    with pytest.raises(DataError, match=r"trained on simulated-1-seed1/sim-001 of the population's people \(2 such\)"):
        recalibrate(tmp_path / "out", strangers, known, [])


def test_its_command_refuses_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["export_filter", "--calibration", str(tmp_path), "--out", str(tmp_path / "none")])
    with pytest.raises(SystemExit, match="1"):
        main()
    assert capsys.readouterr().err.count("\n") == 1


def test_real_people_are_read_as_candidates_are(tmp_path: Path, trained: Path) -> None:
    root, embed = cohort(tmp_path / "a", 1, 3), load_embedder(trained, "cpu")
    found = embed_tree(root, embed, ("090",), 2)
    assert found.identity.tolist() == ["sim-001", "sim-001", "sim-002", "sim-002"]
    with pytest.raises(DataError, match=r"no clip sim-001/nm-01/054; each person needs nm-01 and nm-02 at 054"):
        embed_tree(root, embed, ("054",), 2)

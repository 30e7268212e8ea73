"""``gaitcrafter evaluate gei`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import CASIA_B_TAKES, ClipKey, take_names

WIDTHS = {"nm": 0, "bg": 2, "cl": 4}


def write_tree(root: Path, people: int, takes: list[str], seed: int) -> Path:
    """People are ellipses of their own height, conditions make them wider."""
    store = SilhouetteStore(root, create=True)
    rows, columns = np.mgrid[:64, :64] - 31.5
    for person in range(people):
        for take in takes:
            rng = np.random.default_rng([seed, person, len(take), ord(take[0]), int(take[-1])])
            width = 8 + WIDTHS[take[:2]] + 0.3 * rng.normal()
            frame = 255.0 * ((columns / width) ** 2 + (rows / (18 + 3 * person)) ** 2 < 1)
            frames = np.clip(frame + 20 * rng.normal(size=(4, 64, 64)), 0, 255).astype(np.uint8)
            store.write(ClipKey(f"{person:03d}", take, "090"), frames)
    return root


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tree(tmp_path_factory.mktemp("real"), 4, take_names(CASIA_B_TAKES), seed=1)


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tree(tmp_path_factory.mktemp("synthetic") / "pkl", 4, ["nm-01", "bg-01", "cl-01"], seed=2).parent


def test_one_root_prints_rank_one_of_each_condition_with_chance(real: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "gei", str(real)]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line.split()[1] for line in lines[2:]}
    assert rows["nm"] == "100.0"
    assert set(rows) == {"nm", "bg", "cl", "chance"}
    assert rows["chance"] == "25.0"


def test_synthetic_probes_stand_beside_real_ones(
    real: Path, synthetic: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--probe-root", str(synthetic), "--probes", "nm-06,bg-02,cl-02"]
    assert main(["evaluate", "gei", str(real), *options, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["probe_takes"] == ["bg-02", "cl-02", "nm-06"]
    assert answer["rank1"]["synthetic"]["nm"]["count"] == 4
    assert answer["rank1"]["synthetic"]["nm"]["value"] == answer["rank1"]["real"]["nm"]["value"] == 1.0


def test_bad_input_is_one_line_and_the_right_exit_code(real: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options, code, words in (
        ([], 2, "ROOT"),
        (["ROOT", "--gallery", "nm-0[1-5]", "--probes", "nm-05"], 2, "nm-05 is in the gallery and among the probes"),
        (["ROOT", "--probes", "nm-09"], 1, "no clip of take nm-09"),
        (["ROOT", "--views", "091"], 2, "did you mean '090'"),
        (["ROOT", "--config", "gait3d"], 2, "names its probes clip by clip"),
        (["nowhere"], 1, "there is no folder nowhere"),
    ):
        assert main(["evaluate", "gei", *(str(real) if word == "ROOT" else word for word in options)]) == code
        errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
        assert len(errors) == 1
        assert words in errors[0]

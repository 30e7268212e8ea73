"""OpenGait, unmodified, with us in it: data, names, training and testing on a real checkout.

``make test-opengait`` runs them; $OPENGAIT_ROOT names the checkout. GaitBase needs torchvision.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.opengait.prepare import class_counts
from gaitcrafter_ext.records import read_yaml
from gaitcrafter_ext.silhouettes.dataset import load_dataset
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.synthesis.output import opengait_entry
from tests.contract.launcher_probe import LAYOUTS, joined
from tests.opengait_fakes import CHECKOUT, REPOSITORY, TAKES, run_python, synthetic_set, write_config, write_tree
from tests.synthesis_fakes import small_plan

pytestmark = pytest.mark.opengait

PEOPLE = tuple(f"sim-{number:03d}" for number in range(1, 7))
RECIPES = {
    "sim-001": {"sim-001": 1.0},
    "syn-0001": {"sim-001": 0.5, "sim-002": 0.5},
    "syn-0002": {"sim-002": 0.5, "sim-003": 0.5},
}
NOVEL = ["simulated-~syn-0001", "simulated-~syn-0002"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people to train on, two to test on; a synthetic set with one of the four and two novel people."""
    root = write_tree(tmp_path_factory.mktemp("data"), PEOPLE, test=2)
    synthetic_set(root / "syn", RECIPES, takes=("nm-01", "nm-09"))
    return root


#: What OpenGait ends a test with.
TABLE = re.compile(r"NM@R1: [\d.]+%\tBG@R1: [\d.]+%\tCL@R1: [\d.]+%")


@pytest.fixture(scope="module")
def answer(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one OpenGait process answers, see ``launcher_probe.py``."""
    done = run_python("-m", "tests.contract.launcher_probe", CHECKOUT, data, tmp_path_factory.mktemp("probe"))
    return json.loads(done.stdout.splitlines()[-1])


def test_opengaits_own_configs_take_synthetic_people_unless_labels_are_no_identities(answer: dict[str, Any]) -> None:
    assert {name: said for name, said in answer["stock"].items() if "no identities" not in said} == {}
    assert len(answer["stock"]) == 4  # three of Scoliosis1K, one segmentation


def test_every_datasets_layout_mixes_with_synthetic_clips_beside_it_or_merged(answer: dict[str, Any]) -> None:
    for name, (_, view, _, columns) in LAYOUTS.items():
        joined, merged = answer["layouts"][name]
        synthetic = load_dataset(name).view_name(view)
        assert joined["views"] == merged["views"] == sorted({view, synthetic}), name
        assert joined["synthetic"] == [3], name
        assert joined["shapes"] == [[64, columns]], name  # brought to the real clips' width
        assert merged["shapes"] == sorted([64, width] for width in {columns, 64}), name
        assert joined["sums"] == merged["sums"], name  # the checkout's own data set reads what ours does
        assert joined["takes"][:3] == merged["takes"][:3], name


def test_known_people_join_novel_ones_sort_after_and_test_data_stay_real(answer: dict[str, Any], data: Path) -> None:
    found, only, tested = (answer[name] for name in ("train", "only", "test"))
    assert found["labels"][:4] == [f"simulated-{name}" for name in PEOPLE[:4]]
    assert [label.split("@")[0] for label in found["labels"][4:]] == NOVEL
    assert [label.split("@")[0] for label in only] == ["simulated-sim-001", *NOVEL]
    takes = {take.split()[1] for take in found["takes"] if take.startswith("simulated-sim-001 ")}
    assert takes == {*TAKES, "nm-syn-01", "nm-syn-09"}
    real, synthetic = (SilhouetteStore(data / part) for part in ("pkl", "syn/pkl"))
    wanted = [int(real.read(key).sum()) for key in real if key.identity in PEOPLE[:4]]
    wanted += [int(synthetic.read(key).sum()) for key in synthetic]
    assert found["sums"] == answer["cached"] == wanted  # every clip is read as it was written
    assert found["synthetic"] == list(range(80, 92))
    assert (tested["labels"], tested["synthetic"], len(tested["sums"])) == (["sim-005", "sim-006"], [], 40)


def test_opengaits_loader_and_transforms_take_our_batches_of_one_or_several_data_sets(answer: dict[str, Any]) -> None:
    for batch in answer["batches"]:
        assert (batch["shape"], batch["peak"]) == ([4, 6, 64, 44], 1.0)
        assert sorted(label >= 4 for label in batch["labels"]) == [False, False, True, True]
    several = answer["several"]
    assert [batch["shape"] for batch in several] == [[4, 6, 64, 44]] * 4
    # Labels of both sets in one order: Another-..., simulated-..., then the novel people.
    assert all(label >= 4 for batch in several[:2] for label in batch["labels"])
    assert all(label < 4 for batch in several[2:] for label in batch["labels"])
    assert answer["class_num"] == [6, 10]


def launcher(folder: Path, cfgs: dict[str, Any]) -> list[str | Path]:
    """The command that runs a config on the CPU; its output goes to ``folder/work``."""
    path = write_config(folder / "config.yaml", cfgs)
    where = ["--opengait", CHECKOUT, "--cfgs", path, "--workdir", folder / "work"]
    return [REPOSITORY / "tools/opengait.py", *where, "--device", "cpu"]


def test_gaitset_trains_saves_restores_and_is_tested(data: Path, tmp_path: Path) -> None:
    command = launcher(tmp_path, joined(data))
    trained = run_python(*command).stderr
    assert "training on 4 real people (80 clips) and 12 synthetic clips, 2 of the 6 people" in trained
    saved = tmp_path / "work/output/simulated/GaitSet/real/checkpoints/real-00002.pt"
    assert saved.is_file()
    tested = run_python(*command, "--phase", "test", "--iter", "2").stderr
    assert f"Restore Parameters from {saved.relative_to(tmp_path / 'work')}" in tested
    assert "batch_size: 16 -> 1" in tested
    assert TABLE.search(tested)


@pytest.mark.parametrize("model", ["gaitbase", "gaitgl", "deepgaitv2"])
def test_the_other_models_train_and_are_tested(data: Path, tmp_path: Path, model: str) -> None:
    if model == "gaitbase" and importlib.util.find_spec("torchvision") is None:
        pytest.skip("OpenGait's GaitBase needs torchvision")
    errors = run_python(*launcher(tmp_path, joined(data, model))).stderr
    assert "class_num: 4 -> 6" in errors
    assert TABLE.search(errors)


def test_opengaits_own_main_knows_us_by_the_shim_alone(data: Path, tmp_path: Path) -> None:
    copied = tmp_path / "OpenGait"  # so that the real one is never touched
    for name in ("opengait", "configs"):
        shutil.copytree(CHECKOUT / name, copied / name, ignore=shutil.ignore_patterns("__pycache__"))
    cfgs = joined(data)
    command = ["opengait/main.py", "--cfgs", write_config(tmp_path / "config.yaml", cfgs)]
    assert main(["opengait", "install", "--opengait", str(copied)]) == 0
    floor = run_python(*command, "--phase", "test", "--iter", "0", cwd=copied).stderr
    assert "Restore Parameters" not in floor
    assert TABLE.search(floor)
    trained = run_python(*command, cwd=copied).stderr
    assert "12 synthetic clips" in trained
    assert TABLE.search(trained)
    cfgs["data_cfg"]["synthetic"][0]["root"] = str(tmp_path / "nowhere")
    write_config(tmp_path / "config.yaml", cfgs)
    refused = run_python(*command, code=1, cwd=copied).stderr
    assert "Traceback" not in refused
    assert "error: there is no folder" in refused.splitlines()[-1]
    assert main(["opengait", "uninstall", "--opengait", str(copied)]) == 0
    assert not list((copied / "opengait/modeling/models").rglob("*gaitcrafter*"))


def start_torchrun(folder: Path, cfgs: dict[str, Any]) -> subprocess.Popen[str]:
    """Two processes of the launcher, by gloo."""
    torchrun = ["torch.distributed.run", "--standalone", "--local-addr=127.0.0.1", "--nproc_per_node=2"]
    command = [sys.executable, "-m", *torchrun, *launcher(folder, cfgs)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_train_and_test_on_clips_that_are_made_once_and_reused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAITCRAFTER_CACHE", str(tmp_path / "cache"))
    cfgs = joined(data, "deepgaitv2")
    entry = {"weights": "bundled", "novel": 3, "conditions": ["nm"], "views": ["000", "090"]}
    cfgs["data_cfg"] |= {"synthetic": [entry], "dataset_name": "mine"}
    with start_torchrun(tmp_path, cfgs) as run:
        errors = run.communicate()[1]
    assert run.returncode == 0, errors
    assert errors.count("making 6 clips of 3 people") == 1
    for words in ("synthesizing", "and 6 synthetic clips, 3 of the 7 people", "batch_size: 16 -> 2"):
        assert words in errors
    assert errors.count("Iteration 00002") == 1
    assert TABLE.search(errors)
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.pkl")}
    assert len(made) == 6
    assert "making" not in run_python(*launcher(tmp_path, cfgs)).stderr
    assert {path: path.stat().st_mtime_ns for path in made} == made


def test_known_novel_and_imitated_people_join_on_demand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAITCRAFTER_CACHE", str(tmp_path / "cache"))
    root = write_tree(tmp_path / "real", ("a", "b", "c", "d"), test=1)
    common = {"weights": "bundled-teacher", "conditions": ["nm"], "views": ["090"], "steps": 1, "frames": 24}
    known = {**common, "identities": ["sim2508-001", "sim2508-1000"]}
    cfgs = joined(root, "deepgaitv2")
    cfgs["data_cfg"] |= {
        "dataset_name": "simulated-2508",
        "synthetic": [{**common, "novel": 1, "cadence": 20}, known, {**common, "like": str(root / "pkl")}],
    }
    cfgs["trainer_cfg"]["sampler"]["synthetic_takes"] = 0.5
    errors = run_python(*launcher(tmp_path, cfgs)).stderr
    assert all(f"making {count} clips of {count} people" in errors for count in (1, 2, 3))
    assert "and 6 synthetic clips, 3 of the 6 people" in errors
    made = [pickle.loads(path.read_bytes()) for path in (tmp_path / "cache").rglob("090.pkl")]
    assert [frames.shape for frames in made] == [(24, 64, 64)] * 6
    known["identities"] = ["sim2508-0001"]
    refused = run_python(*launcher(tmp_path, cfgs), code=2).stderr
    assert "data_cfg.synthetic.identities: unknown 'sim2508-0001'; did you mean 'sim2508-001'" in refused


def test_a_killed_rank_ends_the_run_and_loses_nothing(data: Path, tmp_path: Path) -> None:
    cfgs = joined(data)
    cfgs["trainer_cfg"] |= {"total_iter": 100_000, "save_iter": 1, "with_test": False}
    saved = tmp_path / "work/output/simulated/GaitSet/real/checkpoints"
    with start_torchrun(tmp_path, cfgs) as run:
        deadline = time.monotonic() + 600
        while len(list(saved.glob("real-*.pt"))) <= 3:
            assert run.poll() is None, run.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        listed = subprocess.run(["ps", "--ppid", str(run.pid), "-o", "pid="], capture_output=True, text=True)
        os.kill(int(listed.stdout.split()[-1]), signal.SIGKILL)
        run.communicate(timeout=300)
    assert run.returncode != 0
    for path in saved.glob("*.pt"):
        assert torch.load(path, weights_only=True)["iteration"] == int(path.stem[-5:])


def test_class_counts_stand_where_opengait_has_them_and_data_keys_are_opengaits() -> None:
    entry, found = yaml.safe_load(opengait_entry(small_plan(), Path("out"))), {}
    base = ("gaitbase/gaitbase_da_casiab", "deepgaitv2/DeepGaitV2_casiab", "gaitgl/gaitgl", "gaitset/gaitset")
    for name in (*base, "gaitpart/gaitpart"):
        config = read_yaml(CHECKOUT / f"configs/{name}.yaml")
        found[config["model_cfg"]["model"]] = {place for place, _ in class_counts(config, "")}
    assert {model: {place for place, _ in class_counts(of, "")} for model, of in entry["class_count"].items()} == found
    assert set(entry["alone"]) <= set(read_yaml(CHECKOUT / "configs/default.yaml")["data_cfg"])

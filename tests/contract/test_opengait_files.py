"""Our files are OpenGait's files: its own pretreatment, data set and collate function agree.

``make test-opengait`` runs them; $OPENGAIT_ROOT names the checkout.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
import pytest

from gaitcrafter_ext.silhouettes.ingest import IngestOptions, find_walks, ingest_walks
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.pretreat import align
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey
from tests.opengait_fakes import CHECKOUT

pytestmark = pytest.mark.opengait


Pretreat = Callable[[ClipKey, list[Path], Path], None]


@pytest.fixture(scope="module")
def theirs() -> Pretreat:
    """OpenGait's own pretreatment of one walk: its name, its pictures, where to write."""
    spec = importlib.util.spec_from_file_location("opengait_pretreatment", CHECKOUT / "datasets" / "pretreatment.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def pretreat(key: ClipKey, pictures: list[Path], out: Path) -> None:
        opened: list[IO[Any]] = []
        module.open = lambda *given: _opened(opened, *given)
        logging.disable(logging.WARNING)
        try:
            module.imgs2pickle(((key.identity, key.take, key.view), pictures), str(out))
        finally:
            logging.disable(logging.NOTSET)
            for file in opened:
                file.close()

    return pretreat


def random_mask(rng: np.random.Generator) -> np.ndarray:
    """A person-like blob of any size and place in a picture, sometimes grey, at the border, or nearly nothing."""
    mask = np.zeros((int(rng.integers(60, 260)), int(rng.integers(60, 340))), np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        centre = (int(rng.integers(-5, mask.shape[1] + 5)), int(rng.integers(-5, mask.shape[0] + 5)))
        axes = (int(rng.integers(1, 30)), int(rng.integers(2, 80)))
        cv2.ellipse(mask, centre, axes, float(rng.integers(0, 40)), 0, 360, int(rng.choice([255, 255, 90])), -1)
    return mask


def test_align_equals_opengaits_pretreatment(theirs: Pretreat, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    kept = 0
    for number in range(300):
        path, mask, key = tmp_path / f"{number:03d}.png", random_mask(rng), ClipKey("001", "nm-01", f"{number:03d}")
        cv2.imwrite(str(path), mask)
        theirs(key, [path], tmp_path / "theirs")
        written = tmp_path / "theirs" / key.relative_path
        ours = align(mask)
        assert (ours is not None) == written.is_file()
        if ours is not None:
            kept += 1
            assert np.array_equal(ours, pickle.loads(written.read_bytes())[0]), number
    assert 100 < kept < 300


def test_a_whole_raw_tree_gives_the_same_clips(theirs: Pretreat, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for take in ("nm-01", "cl-02"):
        for view in ("000", "090"):
            folder = tmp_path / "raw" / "007" / take / view
            folder.mkdir(parents=True)
            for number in range(8):
                mask = cv2.ellipse(np.zeros((240, 320), np.uint8), (60 + 9 * number, 120), (15, 60), 0, 0, 360, 255, -1)
                mask[120:, ::2] *= np.uint8(rng.integers(0, 2))
                cv2.imwrite(str(folder / f"007-{take}-{view}-{number:03d}.png"), mask)
    store = SilhouetteStore(tmp_path / "ours", create=True)
    ingest_walks(find_walks(tmp_path / "raw"), store.root, IngestOptions())
    for walk in find_walks(tmp_path / "raw"):
        assert walk.key is not None
        theirs(walk.key, list(walk.path.glob("*.png")), tmp_path / "theirs")
    expected = SilhouetteStore(tmp_path / "theirs")
    assert store.keys() == expected.keys()
    assert len(store.keys()) == 4
    assert all(np.array_equal(store.read(key), expected.read(key)) for key in expected)


# Run in a process of its own: OpenGait's modules are called `data` and `utils`.
READ = """
import json, random, sys, types, os
import numpy as np
for name in ("torchvision", "torchvision.utils"):
    sys.modules.setdefault(name, types.ModuleType(name))
sys.modules["torchvision"].utils = sys.modules["torchvision.utils"]
import torch
torch.distributed.init_process_group("gloo", init_method="file://" + sys.argv[3] + "/rendezvous", rank=0, world_size=1)
sys.path.insert(0, sys.argv[1])
from utils import get_msg_mgr
get_msg_mgr().init_manager(sys.argv[3] + "/log", False, 1)
from data.dataset import DataSet
from data.collate_fn import CollateFn
random.seed(0); np.random.seed(0)
found = {}
for training in (True, False):
    root, partition = sys.argv[2] + "/pkl", sys.argv[2] + "/partition.json"
    data = DataSet(dict(dataset_name="CASIA-B", dataset_root=root, dataset_partition=partition, cache=False), training)
    lengths = [len(data[index][0]) for index in range(len(data))]
    frames = [data[index][0][0] for index in range(len(data))]
    for kind in ("fixed_unordered", "fixed_ordered", "all_ordered"):
        collate = CollateFn(data.label_set, dict(sample_type=kind, frames_num_fixed=10, frames_skip_num=0))
        batch, labels, takes, views, _ = collate([data[index] for index in range(len(data))])
        found[f"{kind} {training}"] = [list(np.asarray(batch[0]).shape), str(np.asarray(batch[0]).dtype)]
    found[f"{training}"] = dict(
        labels=data.label_set, takes=data.types_set, views=data.views_set, modalities=lengths,
        sums=[int(clip.sum()) for clip in frames], shapes=[list(clip.shape) for clip in frames],
    )
print(json.dumps(found))
"""


def test_opengaits_data_set_reads_the_tree_that_we_write(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    store = SilhouetteStore(tmp_path / "out" / "pkl", create=True)
    sums = {}
    for identity in ("001", "syn-0001", "075"):
        for take in ("nm-01", "bg-01"):
            key = ClipKey(identity, take, "090")
            clip = rng.integers(0, 256, (12, 64, 64), dtype=np.uint8)
            store.write(key, clip)
            sums[key] = int(clip.sum())
    Partition(("001", "syn-0001"), ("075",)).save(tmp_path / "out" / "partition.json")
    found = _run(READ, str(CHECKOUT / "opengait"), str(tmp_path / "out"), str(tmp_path))
    assert found["True"]["labels"] == ["CASIA-B-001", "CASIA-B-syn-0001"]
    assert found["False"]["labels"] == ["075"]
    assert (found["True"]["takes"], found["True"]["views"]) == (["bg-01", "nm-01"], ["090"])
    assert found["True"]["modalities"] == [1] * 4
    assert found["True"]["shapes"] == [[12, 64, 64]] * 4
    assert found["True"]["sums"] == [sums[key] for key in sorted(sums) if key.identity != "075"]
    assert found["fixed_unordered True"] == [[4, 10, 64, 64], "uint8"]
    assert found["fixed_ordered False"] == [[2, 10, 64, 64], "uint8"]
    assert found["all_ordered False"] == [[1, 24, 64, 64], "uint8"]


def _opened(files: list[IO[Any]], path: str, mode: str) -> IO[Any]:
    """``open`` that remembers what it opened, since the script leaves closing to chance."""
    files.append(open(path, mode))  # noqa: SIM115
    return files[-1]


def _run(script: str, *arguments: str) -> dict[str, dict[str, list[object]]]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, env=environment, cwd=arguments[-1]
    )
    assert done.returncode == 0, done.stderr
    loaded: dict[str, dict[str, list[object]]] = json.loads(done.stdout.splitlines()[-1])
    return loaded

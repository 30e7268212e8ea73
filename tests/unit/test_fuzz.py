"""Whatever bytes a file holds: it is read, or refused in one line; no other error, no code run, no hang.

The default run tries a few examples of each kind, `make test-slow` thousands; with GAITCRAFTER_FUZZ=N, N of each.
"""

from __future__ import annotations

import json
import os
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gaitcrafter_ext.errors import GaitCrafterError
from gaitcrafter_ext.silhouettes import manifest
from gaitcrafter_ext.silhouettes.dataset import load_dataset
from gaitcrafter_ext.silhouettes.masks import decode
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.pretreat import align_all
from gaitcrafter_ext.silhouettes.store import read_clip

MANY = int(os.environ.get("GAITCRAFTER_FUZZ", "1000"))
CLIP = np.random.default_rng(0).integers(0, 256, (3, 64, 64), dtype=np.uint8)
CANARY = Path(tempfile.gettempdir()) / f"gaitcrafter-canary-{os.getpid()}"


class Bomb:
    """Leaves a file behind when it is unpickled the ordinary way."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (CANARY.touch, ())


def mutated(*originals: bytes) -> st.SearchStrategy[bytes]:
    """One of these files with a few pieces of it replaced, cut out or doubled."""
    piece = st.tuples(st.integers(0, 2**16), st.integers(0, 8), st.binary(max_size=8))

    def change(original: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
        for place, length, new in changes:
            start = place % (len(original) + 1)
            original = original[:start] + new + original[start + length :]
        return original

    return st.builds(change, st.sampled_from(originals), st.lists(piece, max_size=6))


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["001", "nm", "*"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3),
    max_leaves=8,
)
OPCODES = st.lists(
    st.sampled_from(
        [bytes([code]) for code in range(256)] + [b"cnumpy\ndtype\n", b"cos\nsystem\n", b"X\x02\x00\x00\x00u1"]
    ),
    max_size=24,
).map(lambda codes: b"\x80\x04" + b"".join(codes) + b".")
PICKLES = st.one_of(
    st.binary(max_size=64),
    OPCODES,
    mutated(*(pickle.dumps(CLIP[:, :4, :4], protocol) for protocol in range(6)), pickle.dumps([CLIP, Bomb()])),
)


def known_to(kind: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Mappings with some of the right keys and any values."""
    values = {name: PLAIN | st.just(value) for name, value in kind.items()}
    return PLAIN | st.fixed_dictionaries({}, optional=values)


PARTITION = known_to({"TRAIN_SET": ["001"], "TEST_SET": ["002"], "PROBE_SET": ["002-nm-01-090"]})
RECORD = known_to({"identity": "a", "take": "b", "view": "c", "seed": 1, "steps": 2, "frames": 3, "mix": {"a": 1.0}})
DATASET = known_to(
    {"name": "x", "file": "{view}.pkl", "takes_pattern": "(", "views": {"*": None}, "conditions": {}, "protocol": {}}
)


def as_json(value: Any) -> bytes:
    return json.dumps(value, skipkeys=True).encode()


def as_yaml(value: Any) -> bytes:
    return yaml.safe_dump({"dataset": value}).encode()


YAML_TEXT = mutated(b"dataset: {name: x, views: {'000': 0}}\n", b"a: &a [*a, *a]\ndataset: *a\n", b"{? [1]: !!float x}")


def complaint(read: Callable[[Path], object], content: bytes) -> str:
    """What is said of a file of this content; nothing where it can be read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        try:
            read(path)
        except GaitCrafterError as error:
            return str(error)
    return ""


def clip_of(path: Path) -> None:
    assert read_clip(path).shape[1:] == (64, 64)


def image_of(path: Path) -> None:
    content = path.read_bytes()
    assert align_all([("image", lambda: decode(content))]).frames.shape[1:] == (64, 64)


IMAGE = np.zeros((40, 30), np.uint8)
IMAGE[4:36, 10:20] = 255
IMAGES = mutated(
    *(cv2.imencode(suffix, IMAGE)[1].tobytes() for suffix in (".png", ".jpg", ".bmp", ".webp", ".tiff")),
    cv2.imencode(".png", np.dstack([IMAGE] * 4))[1].tobytes(),
)

CASES: dict[str, tuple[Callable[[Path], object], st.SearchStrategy[bytes]]] = {
    "clip": (clip_of, PICKLES),
    "partition": (Partition.load, PARTITION.map(as_json) | mutated(b'\xef\xbb\xbf{"TRAIN_SET": ["001"]}')),
    "manifest": (
        manifest.read,
        RECORD.map(lambda value: as_json(value) + b"\n") | st.binary().map(lambda b: b + b"\n"),
    ),
    "config": (load_dataset, DATASET.map(as_yaml) | YAML_TEXT),
    "image": (image_of, IMAGES),
}


@pytest.mark.parametrize("examples", [40, pytest.param(MANY, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", CASES)
def test_any_file_is_read_or_refused_in_one_line(name: str, examples: int) -> None:
    read, contents = CASES[name]

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(contents)
    def check(content: bytes) -> None:
        assert "\n" not in complaint(read, content)
        assert not CANARY.exists()

    check()

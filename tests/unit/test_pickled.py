"""Pickles that every numpy reads, and a reader that runs nothing."""

from __future__ import annotations

import base64
import collections
import os
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.silhouettes import pickled

FRAMES = np.random.default_rng(0).integers(0, 256, (7, 64, 64), dtype=np.uint8)


def test_plain_pickle_reads_what_we_write_and_numpy_1_knows_its_names() -> None:
    restored = pickle.loads(pickled.dumps(FRAMES))
    assert restored.dtype == np.uint8
    assert restored.flags.writeable
    assert np.array_equal(restored, FRAMES)
    # OpenGait's users run numpy from 1.17 on; numpy 2 would write `numpy._core`, which those before 1.26 lack.
    opcodes = list(pickletools.genops(pickled.dumps(FRAMES)))
    named = {argument for opcode, argument, _ in opcodes if opcode.name == "GLOBAL"}
    assert named == {"numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype"}
    assert max(opcode.proto for opcode, _, _ in opcodes) == 3
    assert pickled.dumps(np.asfortranarray(FRAMES)) == pickled.dumps(FRAMES)


def test_plain_arrays_of_any_length_type_and_protocol_are_read() -> None:
    for frames in (np.zeros((0, 64, 64), np.uint8), np.ones((70_000, 1, 1), np.uint8), FRAMES):
        assert np.array_equal(pickle.loads(pickled.dumps(frames)), frames)
        assert np.array_equal(pickled.loads(pickled.dumps(frames), "x"), frames)
    for array in (FRAMES, np.asfortranarray(FRAMES), FRAMES.astype(">f4"), FRAMES > 9):
        for protocol in range(6):
            restored = pickled.loads(pickle.dumps(array, protocol), "x")
            assert restored.dtype == array.dtype
            assert np.array_equal(restored, array)


# np.array([[0, 128], [255, 7]], np.uint8), pickled by numpy 1.23.5 under Python 3.11 with protocol 5.
OF_NUMPY_1 = (
    "gAWVeQAAAAAAAACMEm51bXB5LmNvcmUubnVtZXJpY5SMC19mcm9tYnVmZmVylJOUKJYEAAAAAAAAAACA/weUjAVudW1weZSMBWR0"
    "eXBllJOUjAJ1MZSJiIeUUpQoSwOMAXyUTk5OSv////9K/////0sAdJRiSwJLAoaUjAFDlHSUUpQu"
)


def test_arrays_of_numpy_1_are_read() -> None:
    assert pickled.loads(base64.b64decode(OF_NUMPY_1), "x").tolist() == [[0, 128], [255, 7]]


class Bomb:
    """Leaves a folder behind when it is unpickled the ordinary way."""

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, ("sprung",))


def test_code_in_a_file_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for protocol in range(6):
        data = pickle.dumps([FRAMES, Bomb()], protocol)
        with pytest.raises(DataError, match=r"^bad\.pkl: refused.*mkdir.*nothing was run"):
            pickled.loads(data, "bad.pkl")
    assert not Path("sprung").exists()
    pickle.loads(data)
    assert Path("sprung").exists(), "the trap does not work, so the test proves nothing"


def test_plain_values_are_read_and_anything_else_is_refused() -> None:
    plain: list[Any] = [[1, 2], {"a": 1}, "text", 5, None]
    for thing in plain:
        assert pickled.loads(pickle.dumps(thing), "x") == thing
    objects, dates = np.array([1, "a"], object), np.zeros(2, "datetime64[s]")
    for other in (objects, np.array(["text"]), dates, collections.OrderedDict(a=1), 1j):
        with pytest.raises(DataError, match=r"^x: refused"):
            pickled.loads(pickle.dumps(other), "x")


def test_damaged_files_are_named() -> None:
    for data in (b"", b"hello", pickle.dumps(FRAMES)[:-500], pickled.dumps(FRAMES)[:40], b"\x80\x05."):
        with pytest.raises(DataError, match=r"^cut\.pkl: "):
            pickled.loads(data, "cut.pkl")
    lies = pickled.dumps(FRAMES).replace(b"J\x07\x00\x00\x00", b"J\xff\xff\xff\x7f", 1)
    with pytest.raises(DataError, match="does not match"):
        pickled.loads(lies, "x")
    with pytest.raises(DataError):
        pickled.loads(b"\x80\x04Nr\xff\xff\xff\x7f.", "x")  # 16 GB of memo for one None

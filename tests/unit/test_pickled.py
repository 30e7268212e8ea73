"""Pickles that every numpy reads, and a reader that runs nothing."""

from __future__ import annotations

import base64
import collections
import io
import os
import pickle
import pickletools
from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.silhouettes import pickled

FRAMES = np.random.default_rng(0).integers(0, 256, (7, 64, 64), dtype=np.uint8)


def test_plain_pickle_reads_what_we_write() -> None:
    restored = pickle.loads(pickled.dumps(FRAMES))
    assert restored.dtype == np.uint8
    assert restored.flags.writeable
    assert np.array_equal(restored, FRAMES)


def test_only_names_that_numpy_1_knows_are_written() -> None:
    # OpenGait's users run numpy from 1.17 on; numpy 2 would write `numpy._core`, which those before 1.26 lack.
    opcodes = list(pickletools.genops(pickled.dumps(FRAMES)))
    named = {argument for opcode, argument, _ in opcodes if opcode.name == "GLOBAL"}
    assert named == {"numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype"}
    assert max(opcode.proto for opcode, _, _ in opcodes) == 3


def test_the_bytes_depend_on_the_frames_only() -> None:
    strided = np.repeat(FRAMES, 2, axis=0)[::2]
    assert pickled.dumps(strided) == pickled.dumps(FRAMES.copy()) == pickled.dumps(np.asfortranarray(FRAMES))


@pytest.mark.parametrize("frames", [np.zeros((0, 64, 64), np.uint8), np.ones((70_000, 1, 1), np.uint8), FRAMES])
def test_any_length_survives(frames: np.ndarray) -> None:
    assert np.array_equal(pickle.loads(pickled.dumps(frames)), frames)
    assert np.array_equal(pickled.loads(pickled.dumps(frames), "x"), frames)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("array", [FRAMES, np.asfortranarray(FRAMES), FRAMES.astype(">f4"), FRAMES > 9])
def test_plain_arrays_of_every_protocol_are_read(array: np.ndarray, protocol: int) -> None:
    restored = pickled.loads(pickle.dumps(array, protocol), "x")
    assert restored.dtype == array.dtype
    assert np.array_equal(restored, array)


# np.array([[0, 128], [255, 7]], np.uint8), pickled by numpy 1.23.5 under Python 3.11.
OF_NUMPY_1 = {
    0: (
        "Y251bXB5LmNvcmUubXVsdGlhcnJheQpfcmVjb25zdHJ1Y3QKcDAKKGNudW1weQpuZGFycmF5CnAxCihJMAp0cDIKY19jb2RlY3MK"
        "ZW5jb2RlCnAzCihWYgpwNApWbGF0aW4xCnA1CnRwNgpScDcKdHA4ClJwOQooSTEKKEkyCkkyCnRwMTAKY251bXB5CmR0eXBlCnAx"
        "MQooVnUxCnAxMgpJMDAKSTAxCnRwMTMKUnAxNAooSTMKVnwKcDE1Ck5OTkktMQpJLTEKSTAKdHAxNgpiSTAwCmczCihWXHUwMDAw"
        "gP8HCnAxNwpnNQp0cDE4ClJwMTkKdHAyMApiLg=="
    ),
    2: (
        "gAJjbnVtcHkuY29yZS5tdWx0aWFycmF5Cl9yZWNvbnN0cnVjdApxAGNudW1weQpuZGFycmF5CnEBSwCFcQJjX2NvZGVjcwplbmNv"
        "ZGUKcQNYAQAAAGJxBFgGAAAAbGF0aW4xcQWGcQZScQeHcQhScQkoSwFLAksChnEKY251bXB5CmR0eXBlCnELWAIAAAB1MXEMiYiH"
        "cQ1ScQ4oSwNYAQAAAHxxD05OTkr/////Sv////9LAHRxEGKJaANYBgAAAADCgMO/B3ERaAWGcRJScRN0cRRiLg=="
    ),
    4: (
        "gASVjgAAAAAAAACMFW51bXB5LmNvcmUubXVsdGlhcnJheZSMDF9yZWNvbnN0cnVjdJSTlIwFbnVtcHmUjAduZGFycmF5lJOUSwCF"
        "lEMBYpSHlFKUKEsBSwJLAoaUaAOMBWR0eXBllJOUjAJ1MZSJiIeUUpQoSwOMAXyUTk5OSv////9K/////0sAdJRiiUMEAID/B5R0"
        "lGIu"
    ),
    5: (
        "gAWVeQAAAAAAAACMEm51bXB5LmNvcmUubnVtZXJpY5SMC19mcm9tYnVmZmVylJOUKJYEAAAAAAAAAACA/weUjAVudW1weZSMBWR0"
        "eXBllJOUjAJ1MZSJiIeUUpQoSwOMAXyUTk5OSv////9K/////0sAdJRiSwJLAoaUjAFDlHSUUpQu"
    ),
}


@pytest.mark.parametrize("protocol", OF_NUMPY_1)
def test_arrays_of_numpy_1_are_read(protocol: int) -> None:
    assert pickled.loads(base64.b64decode(OF_NUMPY_1[protocol]), "x").tolist() == [[0, 128], [255, 7]]


class Bomb:
    """Leaves a file behind when it is unpickled the ordinary way."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("protocol", range(6))
def test_code_in_a_file_does_not_run(tmp_path: Path, protocol: int) -> None:
    trap = tmp_path / "sprung"
    data = pickle.dumps([FRAMES, Bomb(trap)], protocol)
    with pytest.raises(DataError, match=r"^bad\.pkl: refused.*mkdir.*nothing was run"):
        pickled.loads(data, "bad.pkl")
    assert not trap.exists()
    pickle.loads(data)
    assert trap.exists(), "the trap does not work, so the test proves nothing"


@pytest.mark.parametrize(
    "thing",
    [np.array([1, "a"], object), np.array(["text"]), np.zeros(2, "datetime64[s]"), collections.OrderedDict(a=1), 1j],
)
def test_anything_but_a_plain_array_is_refused(thing: object) -> None:
    with pytest.raises(DataError, match=r"^x: refused"):
        pickled.loads(pickle.dumps(thing), "x")


@pytest.mark.parametrize("thing", [[1, 2], {"a": 1}, "text", 5, None])
def test_plain_python_values_are_read_as_they_are(thing: object) -> None:
    assert pickled.loads(pickle.dumps(thing), "x") == thing


@pytest.mark.parametrize("data", [b"", b"hello", pickle.dumps(FRAMES)[:-500], pickled.dumps(FRAMES)[:40], b"\x80\x05."])
def test_damaged_files_are_named(data: bytes) -> None:
    with pytest.raises(DataError, match=r"^cut\.pkl: "):
        pickled.loads(data, "cut.pkl")


def test_a_shape_that_lies_about_its_bytes_is_refused() -> None:
    data = pickled.dumps(FRAMES).replace(b"J\x07\x00\x00\x00", b"J\xff\xff\xff\x7f", 1)
    with pytest.raises(DataError, match="does not match"):
        pickled.loads(data, "x")


def test_a_persistent_reference_is_refused() -> None:
    class Pointing(pickle.Pickler):
        def persistent_id(self, obj: object) -> str | None:
            return "elsewhere" if obj == "x" else None

    buffer = io.BytesIO()
    Pointing(buffer).dump(["x"])
    with pytest.raises(DataError, match=r"^x: "):
        pickled.loads(buffer.getvalue(), "x")

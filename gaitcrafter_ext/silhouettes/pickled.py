"""Clips as pickles: bytes that every numpy reads, and a reader that runs nothing it finds in a file.

``pickle.load`` executes what a file asks for. Here the few names that a pickled array needs are bound to inert
stand-ins, every other name is refused, and the array is built from the plain bytes that remain.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
import struct
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError

# Protocol 3, written by hand: numpy 2 would name `numpy._core`, which numpy < 1.26 cannot import, and `pickle`
# memoises by object identity, so its bytes may differ from run to run. Each piece is one opcode and its argument.
_HEAD = (
    b"\x80\x03"  # PROTO 3
    b"cnumpy.core.multiarray\n_reconstruct\n"
    b"cnumpy\nndarray\nK\x00\x85C\x01b\x87R"  # _reconstruct(ndarray, (0,), b"b")
    b"(K\x01"  # its state: (version 1, ...
)
_DTYPE = (
    b"cnumpy\ndtype\nX\x02\x00\x00\x00u1\x89\x88\x87R"  # dtype("u1", False, True)
    b"(K\x03X\x01\x00\x00\x00|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"  # its state: version 3, no byte order
    b"\x89"  # C order
)
_TAIL = b"tb."
_OURS = re.compile(re.escape(_HEAD) + b"J(....)J(....)J(....)\x87" + re.escape(_DTYPE) + b"B(....)", re.DOTALL)


def dumps(frames: NDArray[np.uint8]) -> bytes:
    """Pickle a uint8 array [T, H, W] so that ``pickle.load`` reads it under Python >= 3.3 with any numpy.

    Equal arrays give equal bytes on every machine.
    """
    pixels = np.ascontiguousarray(frames, dtype=np.uint8).tobytes()
    shape = b"".join(b"J" + struct.pack("<i", size) for size in frames.shape) + b"\x87"
    return _HEAD + shape + _DTYPE + b"B" + struct.pack("<I", len(pixels)) + pixels + _TAIL


def loads(data: bytes, source: object) -> Any:
    """Read a pickled plain numpy array, of any protocol, written by numpy 1 or 2, without running anything.

    Returns:
        A numpy array of its own memory, a list of such, or the plain Python object (dict, number, text...) that the
        pickle holds instead.

    Raises:
        DataError: The bytes are no pickle, are cut short, or name anything but a plain array.
    """
    ours = _read_ours(data)
    if ours is not None:
        return ours
    try:
        _check_memo(data)
        return _built(_PlainUnpickler(io.BytesIO(data), encoding="latin1").load())
    except Exception as error:  # a hostile or damaged pickle may fail in any way
        shown = " ".join(str(error).split())[:200]
        if isinstance(error, _RefusedError):
            raise DataError(f"{source}: refused, it holds more than a plain array ({shown}); nothing was run") from None
        if isinstance(error, (EOFError, pickle.UnpicklingError, ValueError)):
            raise DataError(f"{source}: not a pickle, or cut short ({shown})") from None
        raise DataError(f"{source}: damaged pickle ({type(error).__name__}: {shown})") from None


def _read_ours(data: bytes) -> NDArray[np.uint8] | None:
    """The array of bytes that ``dumps`` wrote, at a tenth of the cost; None for any other bytes."""
    head = _OURS.match(data)
    if head is None:
        return None
    *shape, size = (int.from_bytes(number, "little") for number in head.groups())
    if prod(shape) != size or len(data) != head.end() + size + len(_TAIL) or not data.endswith(_TAIL):
        return None
    return np.frombuffer(data, np.uint8, size, head.end()).reshape(shape).copy()


def _check_memo(data: bytes) -> None:
    """Refuse a pickle that numbers its objects higher than it can have any: Python would make room for all numbers."""
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > len(data):
            raise _RefusedError(f"object number {argument}")


class _RefusedError(Exception):
    """The pickle names something that is not part of a plain array."""


class _Dtype:
    """Stands in for ``numpy.dtype``: remembers the type's letters, e.g. ``u1``, and byte order."""

    def __init__(self, letters: Any, *_: Any) -> None:
        self.letters, self.order = letters, ""

    def __setstate__(self, state: Any) -> None:
        self.order = state[1] if state[1] in ("<", ">") else ""

    def resolve(self) -> np.dtype[Any]:
        if not isinstance(self.letters, str) or self.letters[:1] not in tuple("buifc"):
            raise _RefusedError(f"an array of type {self.letters!r}")
        return np.dtype(self.order + self.letters)


class _Array:
    """Stands in for ``numpy.ndarray``: remembers shape, type and bytes until the whole file has been read."""

    def __init__(self, *_: Any) -> None:
        self.state: tuple[Any, ...] | None = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def build(self) -> NDArray[Any]:
        if self.state is None:
            raise _RefusedError("an array without content")
        _, shape, dtype, fortran, pixels = self.state
        if not isinstance(dtype, _Dtype) or not isinstance(pixels, (bytes, bytearray, str)):
            raise _RefusedError("an array of objects")
        raw = pixels.encode("latin1") if isinstance(pixels, str) else pixels
        resolved = dtype.resolve()
        if any(size < 0 for size in shape) or prod(shape) * resolved.itemsize != len(raw):
            raise ValueError(f"shape {list(shape)} does not match {len(raw)} bytes")
        return np.frombuffer(raw, resolved).reshape(shape, order="F" if fortran else "C").copy(order="C")


def _built(content: Any) -> Any:
    """The arrays of a pickle that is one, or a list of some."""
    if isinstance(content, (list, tuple)):
        return [_built(item) if isinstance(item, _Array) else item for item in content]
    return content.build() if isinstance(content, _Array) else content


def _from_buffer(buffer: Any, dtype: Any, shape: Any, order: str) -> _Array:
    """Protocol 5's constructor of an array."""
    array = _Array()
    array.state = (1, shape, dtype, order == "F", buffer)
    return array


def _encode(text: str, encoding: str) -> bytes:
    """Protocols 0 to 2 spell bytes as latin-1 text."""
    if encoding not in ("latin1", "latin-1"):
        raise _RefusedError(f"text in {encoding}")
    return text.encode("latin1")


_STAND_INS: dict[str, Callable[..., Any]] = {
    "numpy.ndarray": object,  # passed along, never called
    "numpy.dtype": _Dtype,
    "numpy.core.multiarray._reconstruct": _Array,
    "numpy._core.multiarray._reconstruct": _Array,
    "numpy.core.numeric._frombuffer": _from_buffer,
    "numpy._core.numeric._frombuffer": _from_buffer,
    "_codecs.encode": _encode,
}


class _PlainUnpickler(pickle.Unpickler):
    """An unpickler that knows the names of a plain array and no others."""

    def find_class(self, module: str, name: str) -> Any:
        if (found := _STAND_INS.get(f"{module}.{name}")) is None:
            raise _RefusedError(f"it names {module}.{name}")
        return found

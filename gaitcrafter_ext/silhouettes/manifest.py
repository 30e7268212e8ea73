"""What was made: one JSON line a clip, with all it takes to make the same clip again."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, field
from pathlib import Path
from typing import IO, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gaitcrafter_ext.errors import ConflictError, DataError, MissingError, WeightsError, listed
from gaitcrafter_ext.records import fill, record
from gaitcrafter_ext.silhouettes.files import atomic_write_text, storage_error
from gaitcrafter_ext.vocabulary import ClipKey

_Count = Annotated[int, Field(ge=1, strict=True)]


@record
class ManifestRecord:
    """How one synthetic clip was made."""

    identity: str
    take: str
    view: str
    #: Of the run; the clip's own noise is keyed by it and the clip's name.
    seed: Annotated[int, Field(ge=0, strict=True)]
    #: Fingerprint of the weights.
    weights: str
    sampler: str
    steps: _Count
    guidance: float
    frames: _Count
    #: See :func:`pixels_sha256`.
    sha256: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")]
    #: Known person -> mixing weight: one for a known person, more for a blend, none for a code.
    mix: dict[str, Annotated[float, Field(ge=0)]] = field(default_factory=dict)
    #: Gait cycle that was asked for, frames; None where none was. Frame f has the phase ``2 pi f / cycle + start``.
    cycle: Annotated[float, Field(gt=0)] | None = None
    start: float = 0.0
    #: Factor on the person's distance from the average one.
    identity_scale: float = 1.0

    @property
    def key(self) -> ClipKey:
        """The clip's name."""
        return ClipKey(self.identity, self.take, self.view)

    def to_line(self) -> str:
        """The record as one line of JSON, with its line end."""
        return json.dumps(asdict(self), ensure_ascii=False) + "\n"


def pixels_sha256(frames: NDArray[np.uint8]) -> str:
    """SHA-256 of a clip's pixels, uint8 [T, 64, 64] in C order, as 64 hexadecimal digits."""
    return hashlib.sha256(np.ascontiguousarray(frames, np.uint8).tobytes()).hexdigest()


def append(path: str | os.PathLike[str], *made: ManifestRecord) -> None:
    """Add records; they are on the disk when this returns.

    A torn last line, left by a kill, is cut off first. One process at a time may append to a file.

    Raises:
        StorageError: Disk full, read-only, no permission; the file stays as it was.
    """
    lines = "".join(record.to_line() for record in made).encode()
    try:
        with open(path, "ab+", buffering=0) as file:
            end = _end_of_last_line(file)
            try:
                file.truncate(end)
                if file.write(lines) != len(lines):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
            except OSError:
                file.truncate(end)
                raise
    except OSError as error:
        raise storage_error(path, error) from error


def _end_of_last_line(file: IO[bytes], step: int = 4096) -> int:
    """Offset behind the last line end of an open file, found from its end; 0 where there is none."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - step)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def read(path: str | os.PathLike[str]) -> list[ManifestRecord]:
    """Read every whole record, in the file's order; a torn last line is passed over.

    Raises:
        MissingError: There is no such file.
        StorageError: It cannot be read.
        DataError: A line is not a record; file and line are named.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise MissingError(f"there is no manifest {os.fspath(path)}") from None
    except OSError as error:
        raise storage_error(path, error, "read") from error
    whole = data[: data.rfind(b"\n") + 1].splitlines()
    return [_parse(line, f"{os.fspath(path)}:{number}") for number, line in enumerate(whole, 1)]


def merge(
    paths: Iterable[str | os.PathLike[str]], out: str | os.PathLike[str], order: Sequence[ClipKey]
) -> list[ManifestRecord]:
    """Write one manifest of several, complete or not at all: the records of ``order``, each in one part or more.

    Raises:
        ConflictError: Two parts describe one clip differently.
        MissingError: No part names a clip of ``order``.
        StorageError: ``out`` cannot be written.
    """
    known: dict[ClipKey, ManifestRecord] = {}
    for path in paths:
        for found in read(path):
            if known.setdefault(found.key, found) != found:
                raise ConflictError(
                    f"{os.fspath(path)}: {found.key} is described otherwise in another part; make it again"
                )
    absent = [key for key in order if key not in known]
    if absent:
        raise MissingError(f"no manifest names {absent[0]} ({len(absent)} of {len(order)} clips); finish every shard")
    records = [known[key] for key in order]
    atomic_write_text(out, "".join(each.to_line() for each in records))
    return records


def refuse_tested(source: str, trained: Iterable[str], tested: Iterable[str]) -> None:
    """Refuse clips or weights of a generator that has seen the people to test on; raises ``WeightsError``."""
    seen = sorted(set(trained) & set(tested))
    if seen:
        raise WeightsError(
            f"{source}: its generator was trained on {listed(seen)} of TEST_SET; train it on this partition's TRAIN_SET"
        )


def _parse(line: bytes, where: str) -> ManifestRecord:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not a manifest record ({error})") from None
    return fill(ManifestRecord, content, where)

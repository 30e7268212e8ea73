"""Clips with their manifest for tools other than OpenGait: a Parquet file, or tar shards as WebDataset reads them.

Both hold a clip's frames, uint8 [T, H, W], with the names of its person, take and view, and what the manifest says of
it where there is one. In Parquet (extra ``parquet``) the frames are bytes in C order beside their shape; in a tar they
are the array ``frames`` of ``identity/take/view.npz``, beside ``.json``.
"""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.silhouettes.dataset import DatasetConfig
from gaitcrafter_ext.silhouettes.files import STAGED_PREFIX, atomic_write, move_files
from gaitcrafter_ext.silhouettes.manifest import ManifestRecord
from gaitcrafter_ext.silhouettes.store import SilhouetteStore, clips_in, read_frames
from gaitcrafter_ext.synthesis.folder import OutputFolder

#: A clip's frames, and its facts: the names' parts, and what the manifest says.
Sample = tuple[NDArray[np.uint8], dict[str, Any]]

#: Clips of a Parquet row group.
GROUP = 64

SHARD = "clips-{}.tar"


def write_parquet(root: Path, out: Path) -> None:
    """Write all clips of what ``synthesize`` wrote, or of any OpenGait tree, to one file.

    ``UsageError`` where pyarrow is not installed, ``DataError`` where a clip is damaged.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise UsageError("--format parquet needs pyarrow; run: pip install 'gaitcrafter-ext[parquet]'") from None
    kinds = {int: pa.int64(), str: pa.string(), dict[str, float]: pa.map_(pa.string(), pa.float64())}
    columns = {name: kinds.get(kind, pa.float64()) for name, kind in get_type_hints(ManifestRecord).items()}
    schema = pa.schema(columns | {"frames": pa.binary(), "shape": pa.list_(pa.int64(), 3)})
    samples = _samples(root)
    with atomic_write(out) as file, parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while group := list(islice(samples, GROUP)):
            rows = [
                {
                    **facts,
                    "mix": list(facts["mix"].items()) if "mix" in facts else None,
                    "frames": clip.tobytes(),
                    "shape": clip.shape,
                }
                for clip, facts in group
            ]
            writer.write_table(pa.Table.from_pylist(rows, schema))


def write_webdataset(root: Path, out: Path, shard_clips: int) -> None:
    """Write ``clips-000000.tar``, ... of ``shard_clips`` clips each into a folder; see :func:`write_parquet`."""
    samples, place = _samples(root), out.resolve()
    staging = place.with_name(f"{STAGED_PREFIX}{place.name}")  # so that no shorter set is taken for the whole one
    shutil.rmtree(staging, ignore_errors=True)
    try:
        for number, first in enumerate(samples):
            with (
                atomic_write(staging / SHARD.format(f"{number:06d}")) as file,
                tarfile.open(fileobj=file, mode="w") as tar,
            ):
                for sample in chain([first], islice(samples, shard_clips - 1)):
                    _add_sample(tar, *sample)
        for earlier in out.glob(SHARD.format("[0-9]" * 6)):
            earlier.unlink()
        move_files(staging, out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _samples(root: Path) -> Iterator[Sample]:
    """Every clip of an output folder or of a tree, in the tree's order."""
    folder = OutputFolder(root)
    store = SilhouetteStore(clips_in(root), DatasetConfig(file=folder.file))
    records = {each.key: each for each in folder.records()}
    for key in store.require_keys():
        facts = asdict(records[key]) if key in records else asdict(key)
        facts.pop("frames", None)  # how many
        yield read_frames(store.path(key)), facts


def _add_sample(tar: tarfile.TarFile, frames: NDArray[np.uint8], facts: dict[str, Any]) -> None:
    packed = io.BytesIO()
    np.savez_compressed(packed, frames=frames)
    view = facts["view"].replace(".", "_")  # the first dot of a name begins its ending
    text = json.dumps(facts, ensure_ascii=False).encode()
    for ending, content in ((".npz", packed.getvalue()), (".json", text)):
        entry = tarfile.TarInfo(f"{facts['identity']}/{facts['take']}/{view}{ending}")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))

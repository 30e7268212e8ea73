"""OpenGait's data set, joined by synthetic people while training. Importable only where OpenGait's ``data`` is."""

from __future__ import annotations

import importlib
import importlib.util
import multiprocessing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.opengait.notices import tell
from gaitcrafter_ext.opengait.online import start_pool
from gaitcrafter_ext.opengait.people import free_take, real_people, takes_of
from gaitcrafter_ext.opengait.pool import Pool
from gaitcrafter_ext.opengait.settings import parse_entries
from gaitcrafter_ext.opengait.sources import PlannedSource, Source, open_source
from gaitcrafter_ext.opengait.stubs import install_stubs
from gaitcrafter_ext.silhouettes.clip import HEIGHT, WIDTH
from gaitcrafter_ext.silhouettes.store import read_clip
from gaitcrafter_ext.vocabulary import ClipKey

__all__ = ["GaitDataSet"]

if multiprocessing.parent_process() is not None:  # a data worker that was spawned, not forked, knows nothing of us yet
    _found = importlib.util.find_spec("data.dataset")
    if _found is not None and _found.origin is not None:
        install_stubs(Path(_found.origin).parents[1])

_HostDataSet: Any = importlib.import_module("data.dataset").DataSet


class SyntheticPaths(list):
    """The one path of a synthetic clip, told from OpenGait's plain lists by its class."""


class PoolSlot(list):
    """A clip that is made anew while training goes on; the list is empty, the clip is asked from the pool."""

    def __init__(self, pool: Pool, slot: int) -> None:
        super().__init__()
        self.pool, self.slot = pool, slot

    def __reduce__(self) -> tuple[Any, ...]:
        return (PoolSlot, (self.pool, self.slot))


class GaitDataSet(_HostDataSet):
    """OpenGait's ``DataSet``; in training, with the people of ``data_cfg.synthetic`` beside the real ones.

    Args:
        data_cfg: OpenGait's, with ``synthetic`` and ``synthetic_only`` of ours, see ``settings``.
        training: Test data stay real.

    Attributes:
        synthetic_indices: Which of the sequences are synthetic.

    Raises:
        GaitCrafterError: See ``sources.open_source``; or the real data cannot be mixed with silhouettes of 64 x 64.
    """

    synthetic_indices: frozenset[int] = frozenset()
    seqs_info: list[list[Any]]
    seqs_data: list[Any]
    indices_dict: dict[str, list[int]]

    def __init__(self, data_cfg: Mapping[str, Any], training: bool) -> None:
        super().__init__(data_cfg, training)
        entries = parse_entries(data_cfg.get("synthetic")) if training else ()
        if not entries:
            return
        real = real_people(self.dataset_name, data_cfg["dataset_root"], data_cfg["dataset_partition"])
        if data_cfg.get("synthetic_only"):
            self.seqs_info, self.seqs_data = [], []
        self._check_real()
        found: list[list[Any]] = []
        for entry in entries:
            found += self._sequences(open_source(entry, real), real.root, found)
        if data_cfg.get("self_supervised"):  # OpenGait then calls every sequence somebody else
            found = [["-".join(sequence[:3]), *sequence[1:]] for sequence in found]
        count = len(self.seqs_info)
        self.seqs_info = self.seqs_info + found
        self.seqs_data = self.seqs_data + [None] * len(found)
        self.synthetic_indices = frozenset(range(count, len(self.seqs_info)))
        self._index()
        self._report(count)

    def _sequences(self, source: Source, real_root: Path, earlier: list[list[Any]]) -> list[list[Any]]:
        """OpenGait's ``[label, type, view, paths]`` of every clip of a source."""
        people = {person.name: person for person in source.people}
        if isinstance(source, PlannedSource) and source.entry.online is not None:
            pool = start_pool(source)
            owners = [(people[pool.owner(slot)], slot) for slot in range(pool.slots)]
            return [
                [person.label(self.dataset_name), f"online-{slot:05d}", "any", PoolSlot(pool, slot)]
                for person, slot in owners
            ]
        root, keys = source.clips()
        taken = {(label, take) for label, take, *_ in earlier}
        renamed: dict[tuple[str, str], str] = {}
        found = []
        for key in keys:
            label = people[key.identity].label(self.dataset_name)
            if (label, key.take) not in renamed:
                mine = {take for name, take in taken if name == label}
                real = takes_of(real_root, key.identity) if people[key.identity].known else set()
                renamed[label, key.take] = free_take(key.take, mine | real)
            found.append([label, renamed[label, key.take], key.view, SyntheticPaths([_path(root, key)])])
        return found

    def _check_real(self) -> None:
        """Refuse real data that cannot be put into one batch with silhouettes of 64 x 64."""
        if not self.seqs_info:
            return
        label, take, view, paths = self.seqs_info[0]
        if len(paths) != 1:
            raise DataError(
                f"data_cfg.synthetic: the real clip {label}/{take}/{view} has {len(paths)} modalities, synthetic clips "
                "have silhouettes only; choose the silhouettes by data_cfg.data_in_use"
            )
        shape = list(getattr(super().__loader__(paths)[0], "shape", ()))
        if shape[1:] != [HEIGHT, WIDTH]:
            raise DataError(
                f"data_cfg.synthetic: real frames are {shape[1:]}, synthetic ones {[HEIGHT, WIDTH]}; a batch needs "
                "one size: align the real data with OpenGait's pretreatment.py or tools/pretreat.py"
            )

    def _index(self) -> None:
        """What OpenGait derives from ``seqs_info``, derived again."""
        self.label_list = [sequence[0] for sequence in self.seqs_info]
        self.types_list = [sequence[1] for sequence in self.seqs_info]
        self.views_list = [sequence[2] for sequence in self.seqs_info]
        self.label_set = sorted(set(self.label_list))
        self.types_set = sorted(set(self.types_list))
        self.views_set = sorted(set(self.views_list))
        self.indices_dict = {label: [] for label in self.label_set}
        for index, sequence in enumerate(self.seqs_info):
            self.indices_dict[sequence[0]].append(index)

    def _report(self, real: int) -> None:
        own = {self.label_list[index] for index in range(real)}
        novel = len(self.label_set) - len(own)
        tell(
            f"training on {len(own)} real people ({real} clips) and {len(self.synthetic_indices)} synthetic clips, "
            f"{novel} of the {len(self.label_set)} people synthetic only"
        )

    def __loader__(self, paths: list[str]) -> list[Any]:
        """Frames of a sequence, one array a modality; synthetic files are read by our own, careful reader."""
        if isinstance(paths, PoolSlot):
            return [paths.pool.read(paths.slot)]
        if isinstance(paths, SyntheticPaths):
            return [read_clip(paths[0])]
        loaded: list[Any] = super().__loader__(paths)
        return loaded

    def __getitem__(self, index: int) -> tuple[list[Any], list[Any]]:
        sequence = self.seqs_info[index]
        if isinstance(sequence[-1], PoolSlot):  # never cached: it changes
            return self.__loader__(sequence[-1]), sequence
        item: tuple[list[Any], list[Any]] = super().__getitem__(index)
        return item


def _path(root: Path, key: ClipKey) -> str:
    return str(root / key.relative_path)

"""OpenGait's data set, joined by synthetic people while training. Importable only where OpenGait's ``data`` is."""

from __future__ import annotations

import importlib
import importlib.util
import multiprocessing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.opengait.config_keys import read_entries
from gaitcrafter_ext.opengait.device import notify
from gaitcrafter_ext.opengait.people import TakeNames, real_people
from gaitcrafter_ext.opengait.sources import Source, fit, frame_size, open_source
from gaitcrafter_ext.opengait.stubs import install_stubs
from gaitcrafter_ext.silhouettes.clip import HEIGHT, WIDTH
from gaitcrafter_ext.silhouettes.store import read_frames

__all__ = ["GaitDataSet"]

if multiprocessing.parent_process() is not None:  # a data worker that was spawned, not forked, knows nothing of us yet
    _found = importlib.util.find_spec("data.dataset")
    if _found is not None and _found.origin is not None:
        install_stubs(Path(_found.origin).parents[1])

_HostDataSet: Any = importlib.import_module("data.dataset").DataSet


class SyntheticPaths(list[str]):
    """The one path of a synthetic clip, its class tells it from OpenGait's plain lists."""


class GaitDataSet(_HostDataSet):
    """OpenGait's ``DataSet``; in training, with the people of ``data_cfg.synthetic`` beside the real ones.

    Args:
        data_cfg: OpenGait's, with ``synthetic`` and ``synthetic_only`` of ours, see ``config_keys``.
        training: Test data stay real.

    Attributes:
        synthetic_indices: Which of the sequences are synthetic.

    Raises:
        GaitCrafterError: See ``sources.open_source``; or the real data are not silhouettes.
    """

    synthetic_indices: frozenset[int] = frozenset()
    frame_size: tuple[int, int] = (HEIGHT, WIDTH)
    seqs_info: list[list[Any]]
    seqs_data: list[Any]
    indices_dict: dict[str, list[int]]

    def __init__(self, data_cfg: Mapping[str, Any], training: bool) -> None:
        super().__init__(data_cfg, training)
        entries = read_entries(data_cfg.get("synthetic")) if training else ()
        if not entries:
            return
        real = real_people(self.dataset_name, data_cfg["dataset_root"], data_cfg["dataset_partition"])
        pattern = self._look_at_real()
        sources = [open_source(entry, real, pattern) for entry in entries]
        if data_cfg.get("synthetic_only"):
            self.seqs_info, self.seqs_data = [], []
        names = TakeNames(real)
        found = [sequence for source in sources for sequence in self._sequences(source, names)]
        if data_cfg.get("self_supervised"):  # OpenGait then gives each sequence a label of its own
            found = [["-".join(sequence[:3]), *sequence[1:]] for sequence in found]
        count = len(self.seqs_info)
        self.seqs_info = self.seqs_info + found
        self.seqs_data = self.seqs_data + [None] * len(found)
        self.synthetic_indices = frozenset(range(count, len(self.seqs_info)))
        self._index()
        self._report(count)

    def _look_at_real(self) -> str | None:
        """Take the frames' size from the first real clip, and return its file's name with ``{view}`` for the view."""
        if not self.seqs_info:
            return None
        label, take, view, paths = self.seqs_info[0]
        where = f"data_cfg.synthetic: the real clip {label}/{take}/{view}"
        if len(paths) != 1:
            raise DataError(
                f"{where} has {len(paths)} modalities, synthetic clips are silhouettes; choose the silhouettes by "
                "data_cfg.data_in_use"
            )
        self.frame_size = frame_size(super().__loader__(paths)[0], where)
        return Path(paths[0]).name.replace(view, "{view}")

    def _sequences(self, source: Source, names: TakeNames) -> list[list[Any]]:
        """OpenGait's ``[label, type, view, paths]`` of every clip of a source."""
        clips, takes = source.clips(), dict[str, dict[str, None]]()
        for key, _ in clips:
            takes.setdefault(key.identity, {})[key.take] = None
        labels = {person.name: person.label(self.dataset_name) for person in source.people}
        renamed = {
            person.name: names.fresh(labels[person.name], person, takes[person.name])
            for person in source.people
            if person.name in takes
        }
        return [
            [labels[key.identity], renamed[key.identity][key.take], key.view, SyntheticPaths([str(path)])]
            for key, path in clips
        ]

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
        own = set(self.label_list[:real])
        novel = len(self.label_set) - len(own)
        notify(
            f"training on {len(own)} real people ({real} clips) and {len(self.synthetic_indices)} synthetic clips, "
            f"{novel} of the {len(self.label_set)} people synthetic only"
        )

    def __loader__(self, paths: list[str]) -> list[Any]:
        """Frames of a sequence, one array a modality; synthetic files are read by our own, careful reader."""
        if isinstance(paths, SyntheticPaths):
            return [fit(read_frames(paths[0]), self.frame_size)]
        loaded: list[Any] = super().__loader__(paths)
        return loaded

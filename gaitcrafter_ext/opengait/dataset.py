"""OpenGait's data set, joined by synthetic people while training. Importable only where OpenGait's ``data`` is."""

from __future__ import annotations

import importlib
import multiprocessing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gaitcrafter_ext.errors import DataError, MissingError
from gaitcrafter_ext.opengait.config_keys import read_entries
from gaitcrafter_ext.opengait.device import notify
from gaitcrafter_ext.opengait.people import real_people
from gaitcrafter_ext.opengait.sources import fit, frame_size, joined, open_source
from gaitcrafter_ext.opengait.stubs import install_stubs
from gaitcrafter_ext.silhouettes.clip import HEIGHT, WIDTH
from gaitcrafter_ext.silhouettes.store import read_frames

if multiprocessing.parent_process() is not None:  # a data worker that was spawned, not forked, knows nothing of us yet
    install_stubs()

_HostDataSet: Any = importlib.import_module("data.dataset").DataSet
if not hasattr(_HostDataSet, "_DataSet__dataset_parser"):
    raise MissingError(
        "the checkout's DataSet does not read its tree as OpenGait's does; check out a commit of 2024 to 2026"
    )


class SyntheticPaths(list[str]):
    """The one path of a synthetic clip, its class tells it from OpenGait's plain lists."""


class GaitDataSet(_HostDataSet):
    """OpenGait's ``DataSet``; in training, with the people of ``data_cfg.synthetic`` beside the real ones.

    ``synthetic_indices`` says which of the sequences are synthetic; test data stay real.

    Raises:
        GaitCrafterError: See ``sources.open_source``; or the real data are not silhouettes.
    """

    synthetic_indices: frozenset[int] = frozenset()
    frame_size: tuple[int, int] = (HEIGHT, WIDTH)
    seqs_info: list[list[Any]]

    def _DataSet__dataset_parser(self, data_cfg: Mapping[str, Any], training: bool) -> None:  # noqa: N802
        """OpenGait's reading of the tree, then the synthetic people: all that it derives from both follows."""
        super()._DataSet__dataset_parser(data_cfg, training)
        entries = read_entries(data_cfg.get("synthetic")) if training else ()
        if not entries:
            return
        real = real_people(self.dataset_name, data_cfg["dataset_root"], data_cfg["dataset_partition"])
        pattern = self._look_at_real()
        sources = [open_source(entry, real, pattern) for entry in entries]
        own = [] if data_cfg.get("synthetic_only") else self.seqs_info
        made = [
            [person.label, key.take, key.view, SyntheticPaths([str(path)])] for person, key, path in joined(sources)
        ]
        self.seqs_info = own + made
        self.synthetic_indices = frozenset(range(len(own), len(self.seqs_info)))
        people, everybody = ({sequence[0] for sequence in sequences} for sequences in (own, self.seqs_info))
        notify(
            f"training on {len(people)} real people ({len(own)} clips) and {len(made)} synthetic clips, "
            f"{len(everybody) - len(people)} of the {len(everybody)} people synthetic only"
        )

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

    def __loader__(self, paths: list[str]) -> list[Any]:
        """Frames of a sequence, one array a modality; synthetic files are read by our own, careful reader."""
        if isinstance(paths, SyntheticPaths):
            return [fit(read_frames(paths[0]), self.frame_size)]
        loaded: list[Any] = super().__loader__(paths)
        return loaded

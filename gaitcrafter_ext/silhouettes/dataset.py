"""How a dataset's folders are read: file names, conditions, angles, and which takes are gallery and which are probes.

The rules come from a YAML file or from a preset of the package, and travel with the weights that were trained by them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from gaitcrafter_ext.errors import DataError, MissingError, UsageError, suggest
from gaitcrafter_ext.records import fill, read_yaml, record
from gaitcrafter_ext.vocabulary import DEFAULT_FILE, ClipKey, in_order, view_deg

#: The one name of all views whose angle is unknown.
UNKNOWN_VIEW = "any"

Metric = Literal["rank-1", "rank-5", "rank-10", "rank-20", "mAP", "mINP"]

_PRESETS = Path(__file__).parents[1] / "presets"


@record
class Protocol:
    """Which clips of the test people are gallery and which are probes. Takes are named by patterns (``nm-0[1-4]``)."""

    gallery: tuple[str, ...] = ()
    #: Column of the results -> takes of its probes, and of its own gallery, where that is not ``gallery`` (CCPG).
    probes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    galleries: dict[str, tuple[str, ...]] = field(default_factory=dict)
    #: The partition names the probes (PROBE_SET, Gait3D), or the gallery (GALLERY_SET, CCGR-MINI), clip by clip; every
    #: other clip is of the other kind, and there are no patterns.
    probe_set: bool = False
    exclude_identical_view: bool = True
    #: Views are identical that agree up to this text: with ``_`` CCPG's ``05_0`` and ``05_1``.
    view_ends_at: str = ""
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1)] = ("rank-1",)

    def __post_init__(self) -> None:
        if self.probe_set and (self.gallery or self.galleries or self.probes):
            raise DataError("protocol: probe_set stands in the place of gallery and probes; leave them out")
        if not self.probe_set and not all(self.gallery_of(column) for column in self.probes or [""]):
            raise DataError("protocol: gallery names no take; name some, e.g. gallery: ['nm-0[1-4]']")
        if not self.probe_set and not (self.probes and all(self.probes.values())):
            raise DataError("protocol: probes names no take; name some, e.g. probes: {NM: ['nm-0[56]']}")
        for column in self.galleries:
            if column not in self.probes:
                raise DataError(f"protocol.galleries: no probes '{column}'; {suggest(column, list(self.probes))}")

    def view_of(self, folder: str) -> str:
        """The view that a folder's clips count as."""
        return folder.split(self.view_ends_at)[0] if self.view_ends_at else folder

    def gallery_of(self, column: str) -> tuple[str, ...]:
        """Patterns of the gallery that the probes of ``column`` are compared with."""
        return self.galleries.get(column, self.gallery)

    def in_gallery(self, take: str, column: str) -> bool:
        """Whether a take belongs to the gallery of ``column``."""
        return _matches(take, self.gallery_of(column))

    def is_probe(self, take: str, column: str) -> bool:
        """Whether a take is a probe of ``column``."""
        return _matches(take, self.probes[column])


@record
class DatasetConfig:
    """How a dataset is read."""

    name: Annotated[str, Field(min_length=1)] = "custom"
    #: Which file of a view folder holds the silhouettes; ``{view}`` stands for the folder's name.
    file: str = DEFAULT_FILE
    #: Width of the dataset's frames where they are 64 rows high; None = found by looking. Synthetic clips are written
    #: as wide, so that both fit into one batch.
    columns: Literal[44, 64] | None = None
    #: Matches a take's name in full; its group ``condition`` is the walking condition, without that group ``nm``.
    takes_pattern: str = r"(?P<condition>[^-]+)(-.*)?"
    #: The dataset's word for a condition -> the word used for it here; an unlisted word stays as it is.
    conditions: dict[str, Annotated[str, Field(min_length=1)]] = field(default_factory=dict)
    #: How synthetic takes are called, e.g. ``camid0_videoid{n}``; ``{condition}`` is the dataset's word, ``{n}`` the
    #: number. Empty = the first of some usual forms that ``takes_pattern`` reads.
    new_takes: str = ""
    #: View name -> degrees, None where the angle is unknown; ``*`` = all not listed. Empty = each name is its angle.
    views: dict[str, Annotated[float, Field(ge=0, lt=360)] | None] = field(default_factory=dict)
    #: None = see :meth:`protocol_of`.
    protocol: Protocol | None = None
    #: The cameras of a take record at the same time, so that its views show the same steps.
    shared_clock: bool = False

    def __post_init__(self) -> None:
        try:
            re.compile(self.takes_pattern)
        except re.error as error:
            raise DataError(
                f"dataset.takes_pattern '{self.takes_pattern}' is no regular expression ({error}); correct it"
            ) from None
        name = self.file.replace("{view}", "0")
        if not name.endswith(".pkl") or len(name) == 4 or set(name) & set("/\\{}\0"):
            raise DataError(f"dataset.file is '{self.file}'; expected a file name such as '{{view}}.pkl'")

    def condition_of(self, take: str) -> str:
        """Walking condition of a take; ``DataError`` where the name does not match ``takes_pattern``."""
        match = re.fullmatch(self.takes_pattern, take)
        if match is None:
            raise DataError(
                f"take '{take}' does not match dataset.takes_pattern '{self.takes_pattern}'; correct the pattern"
            )
        word = match.groupdict().get("condition") or "nm"
        return self.conditions.get(word, word)

    def view_deg(self, view: str) -> float | None:
        """Angle of a view, degrees; None where unknown, ``DataError`` where its name is neither listed nor one."""
        if not self.views:
            return view_deg(view)
        if view == UNKNOWN_VIEW and view not in self.views and None in self.views.values():
            return None  # a synthetic clip's folder
        if view not in self.views and "*" not in self.views:
            raise DataError(f"view '{view}' is not in dataset.views; {suggest(view, list(self.views))}")
        return self.views.get(view, self.views.get("*"))

    def view_name(self, view: str) -> str:
        """What the generator calls a view: its name, or :data:`UNKNOWN_VIEW` for all views without an angle."""
        return UNKNOWN_VIEW if self.views and self.view_deg(view) is None else view

    def ordered_conditions(self, takes: Iterable[str]) -> list[str]:
        """The conditions of these takes, each once, the known ones first."""
        return in_order(self.condition_of(take) for take in set(takes))

    def take_names(self, takes: Mapping[str, int]) -> list[str]:
        """Names for so many takes of each condition, such as the rules read: ``nm-01``, or ``01``."""
        found = []
        for condition, count in takes.items():
            word = next((word for word, ours in self.conditions.items() if ours == condition), condition)
            usual = ("{condition}-{n:02d}", "{n:02d}-{condition}", "{n:02d}", "{condition}{n:02d}", "{condition}")
            forms = (self.new_takes,) if self.new_takes else usual
            names = ([form.format(condition=word, n=n) for n in range(1, count + 1)] for form in forms)
            fits = (these for these in names if len({*these}) == count and self._read_as(these, condition))
            chosen = next(fits, None)
            if chosen is None:
                raise DataError(
                    f"dataset.takes_pattern '{self.takes_pattern}' reads none of {word}-01, 01-{word}, 01 as {count} "
                    f"takes of '{condition}'; set dataset.new_takes, e.g. '{word}_{{n}}', or ask for fewer takes"
                )
            found += chosen
        return found

    def _read_as(self, takes: Iterable[str], condition: str) -> bool:
        return all(re.fullmatch(self.takes_pattern, take) and self.condition_of(take) == condition for take in takes)

    def protocol_of(self, keys: Iterable[ClipKey]) -> Protocol:
        """The dataset's protocol; where it names none, one made for these clips.

        The gallery is then the first half of the first condition's takes, all others are probes, a column for each
        condition. The identical view is left out where there are several views of known angle. ``DataError`` where
        there is a single take: nothing is left to compare with it.
        """
        if self.protocol is not None:
            return self.protocol
        keys = list(keys)
        views, takes = {key.view for key in keys}, sorted({key.take for key in keys})
        if len(takes) < 2:
            raise DataError(
                f"{len(takes)} take cannot be gallery and probe; name takes in dataset.protocol or record more"
            )
        conditions = self.ordered_conditions(takes)
        of = {word: [escape(take) for take in takes if self.condition_of(take) == word] for word in conditions}
        first = of[conditions[0]]
        half = max(1, len(first) // 2)
        probes = {**of, conditions[0]: first[half:]}
        return Protocol(
            gallery=tuple(first[:half]),
            probes={word.upper(): tuple(patterns) for word, patterns in probes.items() if patterns},
            exclude_identical_view=len({view for view in views if self.view_deg(view) is not None}) > 1,
        )


def _matches(take: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(take, pattern) for pattern in patterns)


@record
class _Section:
    """What of a config this room reads."""

    dataset: DatasetConfig


def preset_names() -> list[str]:
    """Presets in the package, by name."""
    return sorted(path.stem for path in _PRESETS.glob("*.yaml"))


def preset_path(name: str | Path) -> Path:
    """The YAML file that ``--config`` means: a file, or a preset of the package by its name; else ``MissingError``."""
    path = Path(name)
    if path.is_file():
        return path
    if path.suffix in (".yaml", ".yml") or len(path.parts) != 1:
        raise MissingError(f"config {name} is not there; name a YAML file, or a preset: {', '.join(preset_names())}")
    if str(name) not in preset_names():
        raise MissingError(f"there is no config or preset '{name}'; {suggest(str(name), preset_names())}")
    return _PRESETS / f"{name}.yaml"


def load_dataset(name: str | Path | None) -> DatasetConfig:
    """The section ``dataset`` of a config (see :func:`preset_path`); None = the defaults.

    Raises ``UsageError`` where a key or value of it is wrong, else as ``read_yaml``.
    """
    if name is None:
        return DatasetConfig()
    path = preset_path(name)
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise UsageError(f"{path}: expected the section 'dataset', found {type(content).__name__}")
    return fill(_Section, {"dataset": content.get("dataset") or {}}, path, UsageError).dataset

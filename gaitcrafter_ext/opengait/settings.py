"""What may stand under ``data_cfg: synthetic:``, one entry a set of synthetic people.

OpenGait drops a key that it does not know without a word; ours are refused, with the nearest name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.vocabulary import suggest

__all__ = ["KEYS", "Entry", "MadeEntry", "OnlineSettings", "WeightsEntry", "parse_entries"]

#: Keys of ours under ``data_cfg``.
KEYS = ("synthetic", "synthetic_only")


@dataclass(frozen=True)
class MadeEntry:
    """Clips that are there already.

    Attributes:
        root: The folder of identities.
        partition: Whose TRAIN_SET says who joins; everybody in ``root`` where not given.
    """

    root: str
    partition: str | None = None


@dataclass(frozen=True)
class OnlineSettings:
    """Clips made while the recogniser trains.

    Attributes:
        pool: Clips kept at a time.
        reuse: How often each is used before a fresh one takes its place.
        device: Where they are made: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
        name: Of the pool, where two runs at a time would share one.
    """

    pool: int = 500
    reuse: int = 4
    device: str = "cpu"
    name: str = "default"


@dataclass(frozen=True)
class WeightsEntry:
    """Clips made on demand.

    Attributes:
        weights: ``"bundled"`` or a weights folder.
        identities: Known people, or ``"all"`` or ``"none"``.
        novel: How many novel people.
        conditions: Walking conditions, or ``"all"``.
        views: View names, or ``"all"``.
        takes: Takes of each condition.
        seed: Of the clips' noise.
        steps: Sampling steps; the weights' own where None.
        sampler: Sampler; the weights' own where None.
        guidance: Guidance towards what is asked for; the weights' own where None.
        redraws: How often a clip that walks strangely is drawn again; the weights' own where None.
        blend: How people are blended, see ``identities.codes``.
        blend_parents: Known people in a novel one.
        concentration: Dirichlet parameter of their shares.
        identity_seed: Who is blended.
        python: Interpreter of an environment that has the generator's packages; see ``cache.interpreter``.
        online: Make clips all the time instead of once.
    """

    weights: str
    identities: tuple[str, ...] | str = "none"
    novel: int = 0
    conditions: tuple[str, ...] | str = "all"
    views: tuple[str, ...] | str = "all"
    takes: int = 1
    seed: int = 0
    steps: int | None = None
    sampler: str | None = None
    guidance: float | None = None
    redraws: int | None = None
    blend: str = "even"
    blend_parents: int = 2
    concentration: float = 5.0
    identity_seed: int = 0
    python: str | None = None
    online: OnlineSettings | None = None


Entry = MadeEntry | WeightsEntry

_WHERE = "data_cfg.synthetic"
_LEAST = {
    "novel": 0, "takes": 1, "seed": 0, "steps": 1, "redraws": 0, "blend_parents": 2, "identity_seed": 0, "pool": 1,
    "reuse": 1,
}  # fmt: skip
_NAMES = ("identities", "conditions", "views")


def parse_entries(value: Any) -> tuple[Entry, ...]:
    """Read the value of ``data_cfg.synthetic``: a list of entries, or a single one; None is none.

    Raises:
        UsageError: A key or value is not allowed.
    """
    if value is None:
        return ()
    entries = [value] if isinstance(value, Mapping) else value
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        raise UsageError(f"{_WHERE}: found {value!r}; expected a list of entries with 'root' or 'weights' each")
    return tuple(_entry(entry, f"{_WHERE}[{number}]") for number, entry in enumerate(entries))


def _entry(entry: Any, where: str) -> Entry:
    if not isinstance(entry, Mapping) or ("root" in entry) == ("weights" in entry):
        raise UsageError(f"{where}: an entry names either 'root' (clips that are there) or 'weights' (made on demand)")
    kind: Any = MadeEntry if "root" in entry else WeightsEntry
    values = _known(entry, kind, where)
    if values.get("online") is not None:
        values["online"] = OnlineSettings(**_known(values["online"], OnlineSettings, f"{where}.online"))
    for name in _NAMES:
        if name in values:
            values[name] = _names(values[name], f"{where}.{name}")
    made: Entry = kind(**values)
    if isinstance(made, WeightsEntry) and not made.novel and made.identities in ("none", ()):
        raise UsageError(f"{where}: nobody asked for; set 'novel: 50' or 'identities: all'")
    return made


def _known(entry: Any, kind: Any, where: str) -> dict[str, Any]:
    """The entry's values, each of its field's kind."""
    if not isinstance(entry, Mapping):
        raise UsageError(f"{where}: found {entry!r}; expected keys such as {kind.__name__.lower()}'s")
    allowed = [field.name for field in dataclasses.fields(kind)]
    for name, value in entry.items():
        if name not in allowed:
            raise UsageError(f"{where}: unknown key '{name}'; {suggest(str(name), allowed)}")
        if name in _LEAST and not (value is None and name in ("steps", "redraws")):
            _whole(value, _LEAST[name], f"{where}.{name}")
    for name in ("weights", "root", "partition", "python", "sampler", "blend", "device", "name"):
        if entry.get(name) is not None and not isinstance(entry[name], (str, Path)):
            raise UsageError(f"{where}.{name}: found {entry[name]!r}; expected text")
    for name in ("guidance", "concentration"):
        if entry.get(name) is not None and (isinstance(entry[name], bool) or not isinstance(entry[name], (int, float))):
            raise UsageError(f"{where}.{name}: found {entry[name]!r}; expected a number")
    return {name: str(value) if isinstance(value, Path) else value for name, value in entry.items()}


def _whole(value: Any, least: int, where: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UsageError(f"{where}: found {value!r}; allowed: whole numbers from {least} on")


def _names(value: Any, where: str) -> tuple[str, ...] | str:
    """``all``, ``none``, or names; YAML reads 000 as a number, which is refused for what it is."""
    if value in ("all", "none"):
        return str(value)
    names = [name.strip() for name in value.split(",")] if isinstance(value, str) else value
    if not isinstance(names, Sequence) or not names or not all(isinstance(name, str) for name in names):
        raise UsageError(f"{where}: found {value!r}; expected all, or names in quotes such as ['000', '018']")
    return tuple(names)

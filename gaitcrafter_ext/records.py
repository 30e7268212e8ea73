"""The one reader of everything stored or configured: values from JSON or YAML become frozen dataclasses.

A record declares its ranges in its fields' types (``Annotated[int, Field(ge=1)]``); pydantic checks them when a file is
read. Unknown keys are refused with the nearest name. pydantic itself loads only when something is read.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import reprlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

from gaitcrafter_ext.errors import DataError, GaitCrafterError, MissingError, StorageError, suggest

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: Any) -> Any:
        """Stand-in for the type checker's decorator."""
        return lambda decorated: decorated


T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def record(kind: type[T]) -> type[T]:
    """Class decorator: a frozen dataclass that refuses unknown keys when it is read."""
    kind.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined]
    return dataclasses.dataclass(frozen=True)(kind)


def fill(kind: type[T], values: Any, source: object, error: type[GaitCrafterError] = DataError) -> T:
    """Make a record, or a dataclass of records, of what JSON or YAML gave.

    What does not fit raises ``error``, one line: file, key, what was found, what is allowed.
    """
    from pydantic import ValidationError

    try:
        return _adapter(kind).validate_python(values)  # type: ignore[arg-type]
    except ValidationError as found:
        reason = _reason(kind, found.errors(include_url=False)[0])
        raise error(f"{source}: {' '.join(reason.split())}") from None


def to_json(value: Any, indent: int | None = None) -> str:
    """Dataclasses, tuples, paths and what JSON knows as JSON; numbers that are not finite as null."""
    return str(_adapter(Any).dump_json(value, indent=indent), "utf-8")


def read_json(path: str | Path) -> Any:
    """What a JSON file holds; a byte order mark is accepted.

    Raises:
        MissingError: There is no such file.
        StorageError: The system does not let it be read.
        DataError: It is not JSON.
    """
    return _parsed(path, "JSON", json.loads)


def read_yaml(path: str | Path) -> Any:
    """What a YAML file holds, an empty mapping where it is empty; raises as ``read_json``."""
    import yaml

    found = _parsed(path, "YAML", yaml.safe_load, yaml.YAMLError)
    return {} if found is None else found


def _parsed(path: str | Path, kind: str, parse: Callable[[str], Any], refused: type[Exception] = ValueError) -> Any:
    try:
        return parse(Path(path).read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError, refused) as error:
        shown = " ".join(str(error).split())[:200]
        raise DataError(f"{path} is not {kind}: {shown}; correct the file or write it again") from None
    except (FileNotFoundError, NotADirectoryError):
        raise MissingError(f"{path} is not there; name a file that is") from None
    except IsADirectoryError:
        raise MissingError(f"{path} is a folder; name a file in it") from None
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from None


@functools.cache
def _adapter(kind: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _reason(kind: Any, found: Any) -> str:
    """One error of pydantic's in our words."""
    if found["type"] == "value_error":  # a record's own check, in our words already
        return str(found["ctx"]["error"])
    place = [str(part) for part in found["loc"]]
    key = ".".join(place)
    if found["type"] == "unexpected_keyword_argument":
        return f"unknown key '{key}'; {suggest(place[-1], _names(kind, place[:-1]))}"
    if place[-1:] == ["[key]"]:
        return f"'{'.'.join(place[:-2])}' names {found['input']!r}, which is not text; put it in quotes, e.g. '000'"
    if found["type"] == "missing":
        return f"'{key}' is missing; add it"
    if found["type"] == "dataclass_type":
        return f"'{key or 'the file'}' is a {type(found['input']).__name__}; expected {', '.join(_names(kind, place))}"
    shown = reprlib.repr(found["input"])
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    quote = "; put it in quotes" if found["type"] == "string_type" and not isinstance(found["input"], dict) else ""
    return f"'{key or 'the file'}' is {shown}; {found['msg'][:1].lower()}{found['msg'][1:]}{quote}"


def _names(kind: Any, place: list[str]) -> list[str]:
    """Field names of the record at ``place`` within ``kind``; the tag of a union picks one of its records."""
    kinds = [kind] if dataclasses.is_dataclass(kind) else []
    for part in place:
        hints = [get_type_hints(each).get(part) for each in kinds]
        inner = [each for hint in hints for each in (hint, *get_args(hint)) if dataclasses.is_dataclass(each)]
        kinds = inner or [each for each in kinds if part in {field.default for field in dataclasses.fields(each)}]
    return [field.name for each in kinds for field in dataclasses.fields(each)]

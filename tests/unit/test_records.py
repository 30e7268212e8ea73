from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from gaitcrafter_ext.errors import DataError, MissingError, UsageError
from gaitcrafter_ext.records import fill, read_json, read_yaml, record


@record
class Inner:
    rate: Annotated[float, Field(gt=0)] = 1.0
    name: str = "x"


@record
class Outer:
    count: Annotated[int, Field(ge=1)]
    inner: Inner = Inner()


def test_a_record_is_filled_with_records_and_converted_numbers() -> None:
    assert fill(Outer, {"count": 2, "inner": {"rate": "5e-4"}}, "a.yaml") == Outer(2, Inner(5e-4))


def test_what_does_not_fit_is_refused_in_one_line() -> None:
    for values, message in (
        ({"count": 0}, "a.yaml: 'count' is 0; input should be greater than or equal to 1"),
        ({"count": 1, "inner": {"rat": 1}}, r"unknown key 'inner.rat'; did you mean 'rate'\? allowed: rate, name"),
        ({"count": 1, "inner": {"name": 1}}, "'inner.name' is 1; .*; put it in quotes"),
        ({}, "a.yaml: 'count' is missing; add it"),
        ([], "a.yaml: 'the file' is a list; expected count, inner"),
    ):
        with pytest.raises(UsageError, match=rf"\A.*{message}.*\Z"):
            fill(Outer, values, "a.yaml", UsageError)


def test_files_are_read_with_a_byte_order_mark_and_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf{}")
    assert read_json(path) == {}
    path.write_text("{")
    with pytest.raises(DataError, match=r"a\.json is not JSON"):
        read_json(path)
    path.write_text("a: [")
    with pytest.raises(DataError, match=r"a\.json is not YAML"):
        read_yaml(path)
    with pytest.raises(MissingError, match="is not there"):
        read_json(tmp_path / "b.json")
    with pytest.raises(MissingError, match="is a folder"):
        read_yaml(tmp_path)

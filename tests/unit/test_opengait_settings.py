"""What may stand under data_cfg.synthetic."""

from __future__ import annotations

from typing import Any

import pytest

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.opengait.overrides import apply_override, parse_override
from gaitcrafter_ext.opengait.settings import MadeEntry, OnlineSettings, WeightsEntry, parse_entries


def test_entries_of_both_kinds() -> None:
    made, planned = parse_entries(
        [
            {"root": "synthetic/pkl", "partition": "synthetic/partition.json"},
            {"weights": "bundled", "novel": 50, "conditions": ["nm", "bg"], "views": "all", "takes": 2},
        ]
    )
    assert made == MadeEntry("synthetic/pkl", "synthetic/partition.json")
    assert planned == WeightsEntry("bundled", novel=50, conditions=("nm", "bg"), views="all", takes=2)
    assert parse_entries(None) == ()


def test_one_entry_needs_no_list_and_names_may_be_one_text() -> None:
    (entry,) = parse_entries({"weights": "bundled", "novel": 1, "views": "000, 018", "online": {"pool": 5}})
    assert entry == WeightsEntry("bundled", novel=1, views=("000", "018"), online=OnlineSettings(pool=5))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"root": "a", "weights": "b"}, "either 'root'"),
        ({"novel": 3}, "either 'root'"),
        ("bundled", "expected a list"),
        ({"weights": "bundled", "novl": 3}, "did you mean 'novel'"),
        ({"root": "a", "novel": 3}, "unknown key 'novel'"),
        ({"weights": "bundled", "novel": -1}, "whole numbers from 0 on"),
        ({"weights": "bundled", "novel": True}, "whole numbers from 0 on"),
        ({"weights": "bundled", "novel": 3, "takes": 0}, "whole numbers from 1 on"),
        ({"weights": "bundled", "novel": 3, "redraws": -1}, "whole numbers from 0 on"),
        ({"weights": "bundled", "novel": 3, "redraws": True}, "whole numbers from 0 on"),
        ({"weights": "bundled", "novel": 3, "views": [0, 18]}, "names in quotes"),
        ({"weights": "bundled", "novel": 3, "guidance": "high"}, "expected a number"),
        ({"weights": "bundled"}, "nobody asked for"),
        ({"weights": 3, "novel": 3}, "expected text"),
        ({"weights": "bundled", "novel": 3, "online": {"pool": 0}}, "synthetic[0].online.pool"),
        ({"weights": "bundled", "novel": 3, "online": {"size": 5}}, "unknown key 'size'"),
    ],
)
def test_a_wrong_entry_is_refused_in_one_line(entry: Any, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_entries([entry] if isinstance(entry, dict) else entry)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_overrides_read_yaml_and_reach_into_lists_and_new_sections() -> None:
    cfgs: dict[str, Any] = {"a": {"b": [1, {"c": 2}]}, "d": None}
    for text in ("a.b.1.c=0.5", "a.b.0=[8, 16]", "d.e.f=yes", "g=text"):
        apply_override(cfgs, *parse_override(text))
    assert cfgs == {"a": {"b": [[8, 16], {"c": 0.5}]}, "d": {"e": {"f": True}}, "g": "text"}


@pytest.mark.parametrize("text", ["a.b", "=3", "a..b=3", "a=[1"])
def test_an_override_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--set"):
        parse_override(text)


@pytest.mark.parametrize("text", ["a.b.7=1", "a.x.y=1", "a.b.one=1"])
def test_an_override_that_leads_nowhere_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--set"):
        apply_override({"a": {"b": [1], "x": 3}}, *parse_override(text))

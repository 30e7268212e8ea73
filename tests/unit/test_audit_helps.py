"""What experiments found, on the identity card."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gaitcrafter_ext.audit.helps import helps_rows
from gaitcrafter_ext.errors import DataError, MissingError

ARMS = [
    {"name": "real", "rank1": {"NM": [60.0, 70.0], "CL": [20.0, 40.0]}, "against": ""},
    {"name": "real + novel people", "rank1": {"NM": [66.0, 72.0], "CL": [50.0, 50.0]}, "against": "real"},
    {"name": "untrained", "rank1": {"NM": [10.0, 12.0], "CL": [5.0, 5.0]}, "against": ""},
]


def test_each_trained_arm_has_a_row_a_condition_with_ceiling_and_chance(tmp_path: Path) -> None:
    (tmp_path / "same-vs-novel.json").write_text(json.dumps({"arms": ARMS, "chance": 4.0}))
    rows = {(row.features, row.measure): row for row in helps_rows(tmp_path)}
    assert len(rows) == 4
    real = rows["same-vs-novel: real", "rank1_nm"]
    assert (real.value, real.low, real.high, real.count, real.chance) == pytest.approx((0.65, 0.6, 0.7, 2, 0.04))
    novel = rows["same-vs-novel: real + novel people", "rank1_cl"]
    assert (novel.value, novel.ceiling) == pytest.approx((0.5, 0.3))
    assert "+20.0 +- 14.1 points against real" in novel.note
    assert "untrained network 5.0 %" in novel.note


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="holds no results; name a folder in which 'experiment' has finished"):
        helps_rows(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"arms": [{"name": "real"}], "chance": 1}'])
def test_a_file_of_something_else_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DataError, match=r"x\.json is not what 'experiment' writes"):
        helps_rows(tmp_path)


@pytest.mark.parametrize("value", ["NaN", "150.0", "-1.0", "Infinity"])
@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[60.0, 70.0]", r"rank-1 of arm 'real' in NM"),
        ("[5.0, 5.0]", r"rank-1 of arm 'untrained' in CL"),
        ('"chance": 4.0', "chance"),
    ],
)
def test_a_value_that_is_no_percentage_is_named(tmp_path: Path, value: str, text: str, what: str) -> None:
    head, old = text.rsplit(" ", 1)
    spoilt = f"{head} {value}{']' if old.endswith(']') else ''}"
    (tmp_path / "x.json").write_text(json.dumps({"arms": ARMS, "chance": 4.0}).replace(text, spoilt))
    with pytest.raises(DataError, match=rf"x\.json: {what} is {value.lower()[:3]}.*; allowed: 0 to 100 \(percent\)"):
        helps_rows(tmp_path)

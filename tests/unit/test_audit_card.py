"""The card's shell: rows, what could not be measured, JSON, who may know whom, what experiments found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.audit.card import NONE, QUESTIONS, Measure, Row, figure, interval, label, row, run_measures
from gaitcrafter_ext.audit.recognisers import check_disjoint
from gaitcrafter_ext.audit.utility import utility_rows
from gaitcrafter_ext.errors import DataError, MissingError
from gaitcrafter_ext.metrics.intervals import Estimate

SHARE = Estimate(0.5, 0.4, 0.6, 10)

ARMS = [
    {"name": "real", "figures": {"NM rank-1": [60.0, 70.0], "CL rank-1": [20.0, 40.0]}, "against": ""},
    {
        "name": "real + novel people",
        "figures": {"NM rank-1": [66.0, 72.0], "CL rank-1": [50.0, 50.0]},
        "against": "real",
    },
    {"name": "untrained", "figures": {"NM rank-1": [10.0, 12.0], "CL rank-1": [5.0, 5.0]}, "against": ""},
]


def measure(question: str, name: str, fails: bool = False) -> Measure:
    def find() -> list[Row]:
        if fails:
            raise DataError("there is no novel person")
        return [row(question, name, "pixels", SHARE, chance=0.1)]

    return Measure(question, name, "pixels", find)


def test_rows_come_in_the_order_of_the_questions_and_failures_keep_their_reason() -> None:
    asked = [measure("masks", "area"), measure("identification", "rank1"), measure("uniqueness", "u", fails=True)]
    card = run_measures(asked)
    assert [each.measure for each in card.rows] == ["rank1", "area"]
    assert [(each.measure, each.why) for each in card.unmeasured] == [("u", "there is no novel person")]
    assert [question for question, _, _ in card.by_question()] == [
        QUESTIONS[key] for key in ("identification", "uniqueness", "masks")
    ]


def test_json_keeps_its_schema_and_writes_missing_numbers_as_null() -> None:
    found = json.loads(run_measures([measure("identification", "rank1"), measure("uniqueness", "u", True)]).to_json())
    assert list(found) == ["schema", "asked", "groups", "caveats", "rows", "unmeasured"]
    assert found["rows"][0] == {
        "question": "identification", "measure": "rank1", "features": "pixels", "unit": "share", "value": 0.5,
        "low": 0.4, "high": 0.6, "count": 10, "floor": None, "ceiling": None, "chance": 0.1, "note": "",
    }  # fmt: skip
    assert list(found["unmeasured"][0]) == ["question", "measure", "features", "why"]


def test_numbers_are_written_with_their_unit() -> None:
    assert [figure(value, "share") for value in (0.123, NONE)] == ["12.3 %", "-"]
    assert [figure(value, "number") for value in (0.01234, 12.345, 0.0)] == ["0.012", "12.35", "0.00"]
    shown = [Row("copies", "closer", "x", "share", 0.5, low, 0.6, 3) for low in (0.4, np.nan)]
    assert [interval(each) for each in shown] == ["[40.0, 60.0]", ""]
    assert [label(name) for name in ("rank1_nm", "u", "area")] == ["rank-1 nm", "U, share kept", "area"]


def test_no_judge_and_no_generator_may_know_the_tested_people() -> None:
    known, tested = {"a", "b"}, {"t", "u"}
    assert [each[:32] for each in check_disjoint(known, tested, {"one": {"r"}, "two": {"a", "r"}}, ())] == [
        "the recogniser two knows 1 of th"
    ]
    assert [each[:39] for each in check_disjoint(known, tested, {"one": {"r"}, "two": {"f"}}, ("f", "a"))] == [
        "the filter's recogniser knows 1 of the ", "the recogniser two and the filter's rec"
    ]  # fmt: skip
    assert "nothing tells" in check_disjoint(known, tested, {}, None)[0]
    for generator, judge, chose, words in (
        ({"a", "t"}, set[str](), (), "generator was trained on t of TEST_SET; give the partition"),
        (known, {"t", "u"}, (), "recogniser one was trained on t, u of TEST_SET; give one that was not"),
        (known, set[str](), ("t",), "filter's recogniser was trained on t of TEST_SET; filter with one"),
    ):
        with pytest.raises(DataError, match=words):
            check_disjoint(generator, tested, {"one": judge}, chose)


def test_each_trained_arm_has_a_row_a_condition_with_ceiling_and_chance(tmp_path: Path) -> None:
    (tmp_path / "same-vs-novel.json").write_text(json.dumps({"arms": ARMS, "chance": 4.0}))
    rows = {(row.features, row.measure): row for row in utility_rows(tmp_path)}
    assert len(rows) == 4
    real = rows["same-vs-novel: real", "rank1_nm"]
    assert (real.value, real.low, real.high, real.count, real.chance) == pytest.approx((0.65, 0.6, 0.7, 2, 0.04))
    novel = rows["same-vs-novel: real + novel people", "rank1_cl"]
    assert (novel.value, novel.ceiling) == pytest.approx((0.5, 0.3))
    assert "+20.0 +- 14.1 points against real" in novel.note
    assert "untrained network 5.0 %" in novel.note


def test_files_that_are_no_experiments_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="holds no results; name a folder in which 'experiment' has finished"):
        utility_rows(tmp_path)
    good = json.dumps({"arms": ARMS, "chance": 4.0})
    for text, words in (
        ("", "is not JSON"),
        ("[1]", "is"),
        ('{"chance": 1}', "'arms' is missing"),
        (good.replace("[60.0, 70.0]", "[60.0, NaN]"), r"arms.0.figures.NM rank-1.1' is nan"),
        (good.replace('"chance": 4.0', '"chance": 150.0'), "'chance' is 150.0"),
        (good.replace('"against": "real"', '"against": "nothing"'), "arms do not match"),
    ):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(DataError, match=rf"x\.json.*{words}"):
            utility_rows(tmp_path)

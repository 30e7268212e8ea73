"""The card's shell: rows, what could not be measured, JSON, who may know whom, plots."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import pytest

from gaitcrafter_ext.audit.card import NONE, QUESTIONS, Measure, Row, row, take
from gaitcrafter_ext.audit.disjoint import People, check_disjoint
from gaitcrafter_ext.audit.drawing import Plot, ticks
from gaitcrafter_ext.audit.wording import figure, interval, label
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.recognition.bootstrap import Estimate

SHARE = Estimate(0.5, 0.4, 0.6, 10)


def measure(question: str, name: str, fails: bool = False) -> Measure:
    def find() -> Estimate:
        if fails:
            raise DataError("there is no novel person")
        return SHARE

    return Measure(question, name, "pixels", find, lambda found: [row(question, name, "pixels", found, chance=0.1)])


def test_rows_come_in_the_order_of_the_questions_and_failures_are_told() -> None:
    card = take([measure("mask", "area"), measure("person", "rank1"), measure("different", "u", fails=True)])
    assert [each.measure for each in card.rows] == ["rank1", "area"]
    assert [(each.measure, each.why) for each in card.unmeasured] == [("u", "there is no novel person")]
    assert set(card.results) == {("area", "pixels"), ("rank1", "pixels")}


def test_json_keeps_its_schema_and_writes_missing_numbers_as_null() -> None:
    card = take([measure("person", "rank1"), measure("different", "u", fails=True)])
    found = json.loads(card.to_json())
    assert list(found) == ["schema", "asked", "groups", "caveats", "rows", "unmeasured"]
    assert found["rows"][0] == {
        "question": "person", "measure": "rank1", "features": "pixels", "unit": "share", "value": 0.5, "low": 0.4,
        "high": 0.6, "count": 10, "floor": None, "ceiling": None, "chance": 0.1, "note": "",
    }  # fmt: skip
    assert list(found["unmeasured"][0]) == ["question", "measure", "features", "why"]
    assert {each["question"] for each in found["rows"]} <= set(QUESTIONS)


def test_whoever_is_tested_may_be_known_to_nobody() -> None:
    honest = People(("a", "b"), ("t",), {"one": ("r",), "two": ("a", "r")})
    assert [each[:32] for each in check_disjoint(honest)] == ["the recogniser two knows 1 of th"]
    filtered = People(("a", "b"), ("t",), {"one": ("r",), "two": ("f",)}, ("f", "a"))
    assert [each[:39] for each in check_disjoint(filtered)] == [
        "the filter's recogniser knows 1 of the ", "the recogniser two and the filter's rec"
    ]  # fmt: skip
    assert "nothing tells" in check_disjoint(People(("a",), (), {}, None))[0]
    with pytest.raises(DataError, match="generator was trained on t of TEST_SET"):
        check_disjoint(People(("a", "t"), ("t",), {}))
    with pytest.raises(DataError, match=r"recogniser one was trained on t, u \(2 people\) of TEST_SET"):
        check_disjoint(People(("a",), ("t", "u"), {"one": ("t", "u")}))
    with pytest.raises(DataError, match="filter's recogniser was trained on t"):
        check_disjoint(People(("a",), ("t",), {}, ("t",)))
    with pytest.raises(DataError, match="one chose the novel people itself"):
        check_disjoint(People(("a",), (), {"one": ()}, (), ("one",)))


def test_numbers_are_written_with_their_unit() -> None:
    assert [figure(value, "share") for value in (0.123, NONE)] == ["12.3 %", "-"]
    assert [figure(value, "number") for value in (0.01234, 12.345, 0.0)] == ["0.012", "12.35", "0.00"]
    assert interval(Row("person", "rank1", "pixels", "share", 0.5, 0.4, 0.6, 3)) == "[40.0, 60.0]"
    assert interval(Row("person", "rank1", "pixels", "share", 0.5, NONE, NONE, 3)) == ""
    assert [label(name) for name in ("rank1_nm", "u", "area")] == ["rank-1 nm", "U, share kept", "area"]


def test_ticks_are_round_and_within() -> None:
    assert ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(-0.3, 41) == [0, 10, 20, 30, 40]
    assert ticks(3, 3) == [3]


def test_a_plot_is_whole_xml_with_its_words_escaped() -> None:
    plot = Plot("a < b & c", ("x", 0, 1), ("y", 0, 2))
    plot.line([(0, 0), (1, 2)], "#000", "line", dashed=True)
    plot.dots([(0.5, 1)], "#f00", "dots", "cross")
    plot.steps([0, 0.5, 1], [1, 2], "#00f", "steps")
    found = ElementTree.fromstring(plot.svg())
    words = [element.text for element in found.iter("text")]
    assert words[0] == "a < b & c"
    assert {"x", "y", "line", "dots", "steps"} <= set(words)
    assert found.find("polyline") is not None

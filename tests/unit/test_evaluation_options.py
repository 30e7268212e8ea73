"""Takes as the command line spells them."""

from __future__ import annotations

import pytest

from gaitcrafter_ext.cli.evaluation.options import parse_takes
from gaitcrafter_ext.errors import UsageError


@pytest.mark.parametrize(
    ("text", "takes"),
    [
        ("nm-05,nm-06", ("nm-05", "nm-06")),
        ("nm-05..06", ("nm-05", "nm-06")),
        ("nm-01..nm-03", ("nm-01", "nm-02", "nm-03")),
        ("cl-01, nm-09..10", ("cl-01", "nm-09", "nm-10")),
        ("nm-01..02,nm-02", ("nm-01", "nm-02")),
        ("00", ("00",)),
    ],
)
def test_lists_and_ranges_are_spelled_out_in_order_each_take_once(text: str, takes: tuple[str, ...]) -> None:
    assert parse_takes(text, "--gallery") == takes


@pytest.mark.parametrize("text", ["", " , ", "nm-06..05", "nm-01..bg-02", "nm..04"])
def test_a_range_that_cannot_be_meant_is_refused_with_the_options_name(text: str) -> None:
    with pytest.raises(UsageError, match="--gallery"):
        parse_takes(text, "--gallery")

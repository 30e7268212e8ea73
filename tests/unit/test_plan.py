"""The plan: canonical order, its text, what tells two apart, and seeds that depend on the clip alone."""

from __future__ import annotations

import pytest

from gaitcrafter_ext.errors import DataError, UsageError
from gaitcrafter_ext.synthesis.plan import Plan, Selection, clip_seed, make_plan
from gaitcrafter_ext.vocabulary import ClipKey
from tests.synthesis_fakes import CARD, SAMPLING, small_plan

KEY = ClipKey("sim-001", "nm-01", "090")


def test_clips_go_by_person_then_take_then_view() -> None:
    plan = small_plan(novel=1)
    assert [str(key) for key in plan.clips] == [
        "sim-002/nm-01/000",
        "sim-002/nm-01/090",
        "sim-002/cl-01/000",
        "sim-002/cl-01/090",
        "syn-0001/nm-01/000",
        "syn-0001/nm-01/090",
        "syn-0001/cl-01/000",
        "syn-0001/cl-01/090",
    ]
    assert plan.identities == ("sim-002", "syn-0001")


def test_a_request_tells_the_generator_all_it_needs() -> None:
    request = small_plan().requests()[1]
    assert (request.key, dict(request.recipe), request.view_deg) == (
        ClipKey("sim-002", "nm-01", "090"),
        {"sim-002": 1.0},
        90.0,
    )


def test_the_text_gives_the_plan_back() -> None:
    plan = small_plan()
    again = Plan.from_json(plan.to_json())
    assert again == plan
    assert again.requests() == plan.requests()
    assert again.fingerprint == plan.fingerprint


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 99}', '{"format": 2, "clips": ["a/b/c"]}', "\x00"])
def test_another_text_is_no_plan(text: str) -> None:
    with pytest.raises(DataError, match="plan"):
        Plan.from_json(text)


def test_differences_are_named() -> None:
    assert small_plan().differences(small_plan()) == []
    assert small_plan().differences(small_plan(seed=1)) == ["seed"]
    assert small_plan().differences(small_plan(novel=3)) == ["recipes", "clips"]


def test_a_clips_noise_depends_on_the_clip_alone() -> None:
    few, many = small_plan(novel=1), small_plan(novel=3, takes=("nm-01", "bg-01", "cl-01"))
    seeds = {request.key: request.seed for request in many.requests()}
    assert len(set(seeds.values())) == len(seeds)
    assert all(seeds[request.key] == request.seed for request in few.requests())


def test_a_clips_noise_is_keyed_by_seed_name_and_recipe() -> None:
    seeds = {
        clip_seed(0, KEY, {"sim-001": 1.0}),
        clip_seed(1, KEY, {"sim-001": 1.0}),
        clip_seed(0, ClipKey("sim-001", "nm-02", "090"), {"sim-001": 1.0}),
        clip_seed(0, KEY, {"sim-001": 0.5, "sim-002": 0.5}),
    }
    assert len(seeds) == 4
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert clip_seed(0, KEY, {"a": 0.4, "b": 0.6}) == clip_seed(0, KEY, {"b": 0.6, "a": 0.4})


def test_clip_seeds_never_change_between_versions() -> None:
    # A change of this number changes every clip that anyone made with a seed they wrote down.
    assert clip_seed(0, KEY, {"sim-001": 1.0}) == 6136828394724097040


def test_what_is_there_is_left_out_with_its_people() -> None:
    there = {ClipKey("sim-001", "nm-01", "000"), ClipKey("sim-001", "nm-01", "090"), ClipKey("sim-002", "nm-01", "000")}
    plan = make_plan(CARD, Selection(("sim-001", "sim-002"), 0, ("nm-01",), ("000", "090")), SAMPLING, there)
    assert plan.clips == (ClipKey("sim-002", "nm-01", "090"),)
    assert plan.identities == ("sim-002",)


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        (Selection((), 0, ("nm-01",), ("000",)), "nobody to synthesize"),
        (Selection(("sim-001",), 0, (), ("000",)), "no condition to synthesize"),
        (Selection(("sim-001",), 0, ("nm-01",), ()), "no view to synthesize"),
        (Selection((), -1, ("nm-01",), ("000",)), "--novel: -1"),
    ],
)
def test_an_empty_selection_is_refused(selection: Selection, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make_plan(CARD, selection, SAMPLING)

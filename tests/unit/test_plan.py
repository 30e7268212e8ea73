"""The plan: canonical order, its text, what tells two apart, and noise and gait that depend on the clip alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gaitcrafter_ext.errors import ConflictError, DataError, UsageError
from gaitcrafter_ext.synthesis.identities import Cadence, Identity
from gaitcrafter_ext.synthesis.plan import Plan, Sampling, Selection, clip_seed, make_plan
from gaitcrafter_ext.vocabulary import ClipKey
from tests.synthesis_fakes import BLEND, CARD, SAMPLING, small_plan

KEY = ClipKey("sim-001", "nm-01", "090")
KNOWN = Identity({"sim-001": 1.0})


def test_clips_go_by_person_then_take_then_view_and_requests_hold_all_that_the_sampler_needs() -> None:
    plan = small_plan(novel=1)
    cells = ["nm-01/000", "nm-01/090", "cl-01/000", "cl-01/090"]
    assert list(plan.clips) == [f"{name}/{cell}" for name in ("sim-002", "syn-0001") for cell in cells]
    assert plan.identities == ("sim-002", "syn-0001")
    request = plan.requests()[1]
    assert (request.key, request.condition, request.view_deg) == (ClipKey("sim-002", "nm-01", "090"), "nm", 90.0)
    assert request.identity == Identity({"sim-002": 1.0}, cadence=Cadence(25.0, 0.5))


def test_the_text_gives_the_plan_back() -> None:
    like = {"me": Identity(code=(0.5,) * 8, cadence=Cadence(27.0, 0.0)), "no pace": Identity(code=(1.0,) * 8)}
    plan = make_plan(CARD, Selection(("sim-001",), 2, ("nm-01",), ("000",), BLEND, like), SAMPLING)
    again = Plan.from_json(plan.to_json())
    assert (again, again.requests(), again.fingerprint) == (plan, plan.requests(), plan.fingerprint)


def test_another_text_is_no_plan() -> None:
    facts = json.loads(small_plan().to_json())
    for change, said in (
        ({"format": None}, "not a plan"),
        ({"clips": ["a/b/c"]}, "its clips name a, of whom it says nothing"),
    ):
        with pytest.raises(DataError, match=said):
            Plan.from_json(json.dumps(facts | change))
    with pytest.raises(ConflictError, match=r"a plan that cannot be used: 'sampling\.frames' is 19"):
        Plan.from_json(json.dumps(facts | {"sampling": facts["sampling"] | {"frames": 19}}))
    with pytest.raises(DataError, match="not a plan"):
        Plan.from_json("[]")
    with pytest.raises(ConflictError, match="a plan of version 4, this program reads 6; choose another --out"):
        Plan.from_json('{"format": 4, "clips": []}')


def test_noise_and_gait_of_a_clip_depend_on_seed_name_and_identity_not_on_what_else_is_planned() -> None:
    few, many = small_plan(novel=1), small_plan(novel=3, takes=("nm-01", "bg-01", "cl-01"))
    wanted = {request.key: request for request in many.requests()}
    assert all(wanted[request.key] == request for request in few.requests())
    assert len({request.seed for request in wanted.values()}) == len(wanted)
    seeds = {
        clip_seed(0, KEY, KNOWN),
        clip_seed(1, KEY, KNOWN),
        clip_seed(0, replace(KEY, take="nm-02"), KNOWN),
        clip_seed(0, KEY, Identity({"sim-001": 0.5, "sim-002": 0.5})),
        clip_seed(0, KEY, Identity(code=(1.0,))),
    }
    assert len(seeds) == 5
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert clip_seed(0, KEY, Identity({"a": 0.4, "b": 0.6})) == clip_seed(0, KEY, Identity({"b": 0.6, "a": 0.4}))
    # A change of this number changes every clip that was ever made with a seed that someone wrote down.
    assert clip_seed(0, KEY, KNOWN) == 1089318593067329525


def walks(cadence: str = "") -> dict[str, tuple[float | None, float]]:
    plan = make_plan(CARD, Selection(("sim-001",), 0, ("nm-01", "nm-02"), ("000", "090")), SAMPLING)
    plan = replace(plan, sampling=replace(plan.sampling, cadence=cadence))
    return {f"{each.key.take}/{each.key.view}": (each.cycle, each.start) for each in plan.requests()}


def test_the_views_of_a_take_show_one_walk_and_takes_differ_as_the_persons_own_do() -> None:
    own = walks()
    assert own["nm-01/000"] == own["nm-01/090"]
    assert own["nm-01/000"] != own["nm-02/000"]
    assert all(cycle is not None and 23 <= cycle <= 25 for cycle, _ in own.values())  # 24 +- two deviations of 0.5


def test_cadence_is_frames_exactly_or_a_factor_on_the_persons_own_where_it_is_known() -> None:
    own, slower = walks(), walks("x1.5")
    assert {cycle for cycle, _ in walks("31.5").values()} == {31.5}
    for name, (cycle, start) in own.items():
        assert cycle is not None
        assert slower[name] == (pytest.approx(1.5 * cycle, abs=1e-3), start)
    like = {"me": Identity(code=(1.0,) * 8)}
    for cadence, asked in (("", None), ("x1.5", None), ("30", 30.0)):
        sampling = replace(SAMPLING, cadence=cadence)
        plan = make_plan(CARD, Selection((), 0, ("nm-01",), ("090",), like=like), sampling)
        assert plan.requests()[0].cycle == asked
    for text in ("9.9", "80.1", "x0.4", "x2.1", "fast", "nan"):
        with pytest.raises(UsageError, match=r"--cadence: '.*'; allowed: frames a gait cycle \(10 to 80\) or a factor"):
            Sampling("euler", 2, 1.0, 0, cadence=text)


def test_clips_that_are_there_are_left_out_with_people_who_lack_nothing() -> None:
    there = {ClipKey("sim-001", "nm-01", "000"), ClipKey("sim-001", "nm-01", "090"), ClipKey("sim-002", "nm-01", "000")}
    plan = make_plan(CARD, Selection(("sim-001", "sim-002"), 0, ("nm-01",), ("000", "090")), SAMPLING, there)
    assert (plan.clips, plan.identities) == (("sim-002/nm-01/090",), ("sim-002",))


def test_a_selection_that_cannot_be_planned_is_refused() -> None:
    for selection, said in (
        (Selection((), 0, ("nm-01",), ("000",)), "no person to synthesize"),
        (Selection((), -1, ("nm-01",), ("000",)), "--novel: -1"),
        (Selection((), 1, ("nm-01",), ("000",), BLEND, {"syn-0001": KNOWN}), "--like: a person is called syn-0001"),
    ):
        with pytest.raises(UsageError, match=said):
            make_plan(CARD, selection, SAMPLING)

"""The plan: order, text, noise and gait that depend on the clip alone; real people: what they lack, who they are."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.errors import ConflictError, DataError, GaitCrafterError, MissingError, UsageError, WeightsError
from gaitcrafter_ext.generator.people import PeopleSpace
from gaitcrafter_ext.generator.weights import read_card
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.synthesis.identities import Cadence, Identity
from gaitcrafter_ext.synthesis.plan import Plan, Sampling, Selection, clip_seed, make_plan
from gaitcrafter_ext.synthesis.real_people import people_like, permitted_people, take_inventory
from gaitcrafter_ext.vocabulary import ClipKey
from tests.synthesis_fakes import (
    BLEND,
    CARD,
    PEOPLE,
    SAMPLING,
    TINY_PEOPLE,
    small_plan,
    walking_tree,
    write_tiny_weights,
)

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
    short = facts | {"sampling": facts["sampling"] | {"frames": 19}}
    refused: list[tuple[object, type[GaitCrafterError], str]] = [
        ([], DataError, "not a plan"),
        (facts | {"format": None}, DataError, "not a plan"),
        (facts | {"clips": ["a/b/c"]}, DataError, "its clips name a, of whom it says nothing"),
        (short, ConflictError, r"a plan that cannot be used: 'sampling\.frames' is 19"),
        ({"format": 4, "clips": []}, ConflictError, "a plan of version 4, this program reads 7; choose another --out"),
    ]
    for content, error, said in refused:
        with pytest.raises(error, match=said):
            Plan.from_json(json.dumps(content))


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


CLIP = np.full((3, 64, 64), 255, np.uint8)


def tree(root: Path, people: tuple[str, ...], take: str = "nm-02") -> SilhouetteStore:
    store = SilhouetteStore(root, create=True)
    for name in people:
        store.write(ClipKey(name, take, "090"), CLIP)
    return store


def test_the_weights_people_are_inventoried_whoever_else_is_there(tmp_path: Path) -> None:
    store = tree(tmp_path, (*PEOPLE, "test-person"))
    store.write(ClipKey(PEOPLE[0], "cl-01", "000"), CLIP)
    store.write(ClipKey(PEOPLE[0], "xx-01", "045"), CLIP)
    inventory = take_inventory(CARD, store)
    assert (inventory.takes, inventory.views) == (("nm-02", "cl-01"), ("000", "090"))
    assert ClipKey("test-person", "nm-02", "090") not in inventory.there
    assert len(inventory.there) == len(PEOPLE) + 2
    assert {key.identity for key in take_inventory(CARD, store, ["test-person"]).there} == {"test-person"}
    with pytest.raises(WeightsError, match=r"trained on 5 people of 'simulated', .* holds 3 of them"):
        take_inventory(CARD, tree(tmp_path / "few", PEOPLE[:3]))


def test_people_to_imitate_are_those_of_train_set_or_those_asked_for_but_never_of_test_set(tmp_path: Path) -> None:
    store = tree(tmp_path / "pkl", ("a", "b", "c", "d"))
    assert permitted_people(store, None, None) == ["a", "b", "c", "d"]
    Partition(("b", "c"), ("d",)).save(tmp_path / "partition.json")  # beside the tree: found
    assert permitted_people(store, None, None) == ["b", "c"]
    assert permitted_people(store, None, ["c", "a", "c"]) == ["c", "a"]
    Partition(("a", "x"), ("b",)).save(tmp_path / "other.json")
    assert permitted_people(store, tmp_path / "other.json", None) == ["a"]
    Partition(("x",)).save(tmp_path / "strangers.json")
    for partition, asked, error, said in (
        (None, ["a", "d"], UsageError, r"--like: d belongs to TEST_SET of .*partition\.json; people to test on"),
        (None, [], UsageError, "--like-people: no name given; allowed: a, b, c, d"),
        (None, ["zz"], MissingError, "holds no clip of zz; allowed: a, b, c, d"),
        (tmp_path / "strangers.json", None, MissingError, r"holds no person of TRAIN_SET of .*strangers\.json"),
    ):
        with pytest.raises(error, match=said):
            permitted_people(store, partition, asked)


def test_people_of_a_large_tree_are_looked_up_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known, others = (tuple(f"{kind}-{number:05d}" for number in range(20_000)) for kind in ("known", "other"))
    store, card = SilhouetteStore(tmp_path), replace(CARD, vocabulary=replace(CARD.vocabulary, identities=known))
    monkeypatch.setattr(store, "require_keys", lambda: [ClipKey(name, "nm-01", "090") for name in others])
    started = time.process_time()
    assert permitted_people(store, None, others) == list(others)
    with pytest.raises(UsageError, match="know known-19999 already"):
        people_like(card, tmp_path, store, [*others, known[-1]])
    assert time.process_time() - started < 1.5  # a search of one list for each of another takes many times that


def test_people_are_read_with_code_and_cadence_from_whatever_clips_there_are(tmp_path: Path) -> None:
    weights = write_tiny_weights(tmp_path / "weights")
    card = read_card(weights)
    store = SilhouetteStore(walking_tree(tmp_path / "pkl", ("a", "b", TINY_PEOPLE[0]), ("nm-01", "cl-01")))
    store.write(ClipKey("front", "nm-01", "000"), store.read(ClipKey("a", "nm-01", "000")))
    found = people_like(card, weights, store, ["b", "front"])
    assert list(found) == ["b", "front"]
    assert all(len(who.code) == card.code_dim and np.linalg.norm(who.code) > 0 for who in found.values())
    assert found["b"].cadence == Cadence(pytest.approx(26, abs=0.5), 0.0)  # type: ignore[arg-type]
    assert found["front"].cadence is None  # legs hide each other there
    store.write(ClipKey("dim", "nm-01", "090"), np.zeros((30, 64, 64), np.uint8))
    refused: list[tuple[str, type[GaitCrafterError], str]] = [
        (TINY_PEOPLE[0], UsageError, "--like: the weights know sim-001 already; ask for --identities sim-001"),
        ("dim", DataError, r"dim/nm-01/090/090\.pkl"),
        ("empty", MissingError, "holds no clip of empty"),
    ]
    for name, error, message in refused:
        with pytest.raises(error, match=message):
            people_like(card, weights, store, [name])


def test_a_tree_of_people_who_face_the_other_way_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = write_tiny_weights(tmp_path / "weights")
    store = SilhouetteStore(walking_tree(tmp_path / "pkl", ("a", "b"), ("nm-01", "cl-01")))
    monkeypatch.setattr(PeopleSpace, "face_away", lambda self, features, *_: [True] * len(features))
    with pytest.raises(DataError, match=r"pkl: \d+ of \d+ clips .* face the other way .*mirror"):
        people_like(read_card(weights), weights, store, ["a", "b"])

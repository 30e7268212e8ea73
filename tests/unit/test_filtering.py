"""Choosing people with a painted generator whose clips show the recipe, and a recogniser that reads it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from gaitcrafter_ext.synthesis.freezing import freeze
from numpy.typing import NDArray

from gaitcrafter_ext.errors import ConflictError, DataError, UsageError
from gaitcrafter_ext.generator.weights import Vocabulary
from gaitcrafter_ext.synthesis.comparing import WAYS, compare_ways, row_of_real
from gaitcrafter_ext.synthesis.folder import OutputFolder, Shard
from gaitcrafter_ext.synthesis.identities import BlendSettings, novel_identities
from gaitcrafter_ext.synthesis.plan import ClipRequest, Plan, Selection, make_plan
from gaitcrafter_ext.synthesis.run import synthesize
from gaitcrafter_ext.synthesis.selection import (
    FilterRequest,
    FilterSettings,
    SelectedIdentities,
    choose_probes,
    filter_request,
    forget,
    read_selected,
    remembering,
    select_identities,
)
from tests.filter_fakes import fake_card, features, try_codes
from tests.synthesis_fakes import CARD, PEOPLE, SAMPLING, paint, small_plan, tree_bytes

JUDGE = fake_card(centre=0.15, clip=0.1)


def request(wanted: int = 3, most: int = 60, judge: object = None, **blend: object) -> FilterRequest:
    settings = FilterSettings(wanted, most)
    return filter_request(CARD, JUDGE, settings, BlendSettings(**blend), SAMPLING)  # type: ignore[arg-type]


def choose(wanted: int = 3, most: int = 60, **blend: object) -> SelectedIdentities:
    return select_identities(CARD, JUDGE, request(wanted, most, **blend), try_codes)


def cosine(one: dict[str, float], other: dict[str, float]) -> float:
    codes = np.array([[recipe.get(name, 0.0) for name in PEOPLE] for recipe in (one, other)])
    return float(1 - codes[0] @ codes[1] / np.linalg.norm(codes[0]) / np.linalg.norm(codes[1]))


def test_those_kept_are_the_first_that_a_naive_loop_would_keep() -> None:
    kept: dict[str, dict[str, float]] = {}
    for person in novel_identities(60, PEOPLE):
        others = [{name: 1.0} for name in PEOPLE] + list(kept.values())
        if len(kept) < 6 and all(cosine(dict(person.recipe), other) > 0.15 for other in others):
            kept[person.name] = dict(person.recipe)
    found = choose(wanted=6)
    assert dict(found.recipes) == kept
    assert len(kept) == 6
    assert found.verdicts[-1].name == list(kept)[-1]


def test_more_wanted_changes_none_of_the_earlier_ones() -> None:
    assert list(choose(2).recipes.items()) == list(choose(6).recipes.items())[:2]


def test_it_stops_at_the_most_candidates_and_says_how_many_are_short() -> None:
    found = choose(wanted=20, most=20)
    assert len(found.verdicts) == 20
    assert 0 < len(found.recipes) < 20
    assert found.short == 20 - len(found.recipes)
    assert sum(found.counts.values()) == 20


def test_near_copies_of_training_people_fall_as_known() -> None:
    found = choose(wanted=20, most=20, concentration=0.05)
    assert found.counts["known"] > 10


def test_clips_that_do_not_show_the_person_make_nobody_consistent() -> None:
    def noise(requests: Sequence[ClipRequest]) -> NDArray[np.float32]:
        rows = [np.random.default_rng(each.seed).normal(size=(64, 1)) for each in requests]
        return np.stack(rows).astype(np.float32)

    found = select_identities(CARD, JUDGE, request(3, 10), noise)
    assert found.counts["inconsistent"] == 10
    assert found.control == {"people": 5, "consistent": 0, "unique": 5}


def test_trial_clips_have_the_noise_of_the_clips_delivered() -> None:
    seen: dict[str, int] = {}

    def spy(requests: Sequence[ClipRequest]) -> NDArray[np.float32]:
        seen.update({str(each.key): each.seed for each in requests})
        return try_codes(requests)

    found = select_identities(CARD, JUDGE, request(), spy)
    plan = plan_of(found)
    assert all(seen[str(each.key)] == each.seed for each in plan.requests())


def plan_of(found: SelectedIdentities) -> Plan:
    selection = Selection((), 0, ("nm-01",), ("000", "090"), frozen=found.recipes, frozen_by=found.fingerprint)
    return make_plan(CARD, selection, SAMPLING)


def test_the_text_gives_the_selection_back() -> None:
    found = choose()
    again = SelectedIdentities.from_json(found.to_json())
    assert again == found
    assert again.fingerprint == found.fingerprint


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 9}', '{"format": 1, "request": {}}'])
def test_another_text_is_no_selection(text: str) -> None:
    with pytest.raises(DataError):
        SelectedIdentities.from_json(text)


def test_the_selection_is_part_of_the_plan() -> None:
    found = choose()
    plan = plan_of(found)
    assert plan.identities == tuple(found.recipes)
    assert Plan.from_json(plan.to_json()) == plan
    unfiltered = make_plan(CARD, Selection((), 3, ("nm-01",), ("000", "090")), SAMPLING)
    assert "filter" in plan.differences(unfiltered)
    assert "filter" in unfiltered.differences(plan)
    assert '"filter"' not in unfiltered.to_json()


def test_probes_are_the_calibrated_views_or_the_nearest() -> None:
    words = Vocabulary(("a", "b"), ("bg", "nm"), {"000": 0.0, "018": 18.0, "072": 72.0, "108": 108.0})
    assert choose_probes(words, ("000", "090")).takes == ("nm-01", "nm-02")
    assert list(choose_probes(words, ("018", "000")).views) == ["018", "000"]
    assert list(choose_probes(words, ("054", "090")).views) == ["072", "108"]
    nameless = Vocabulary(("a", "b"), ("walk",), {"left": None})
    assert choose_probes(nameless, ("054", "090")).takes == ("walk-01", "walk-02")
    assert list(choose_probes(nameless, ("054", "090")).views) == ["left"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (FilterSettings(0, 10), "--novel: 0"),
        (FilterSettings(5, 4), "--max-candidates: 4; allowed: 5"),
        (FilterSettings(1, 9, 0.5), "--false-match-rate: 0.5"),
        (FilterSettings(1, 9, 0.01, 1.5), "--consistency: 1.5"),
    ],
)
def test_settings_out_of_range_are_refused(settings: FilterSettings, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        filter_request(CARD, JUDGE, settings, BlendSettings(), SAMPLING)


def never() -> SelectedIdentities:
    raise AssertionError("chosen anew")


def test_frozen_identities_are_chosen_once(tmp_path: Path) -> None:
    folder, found = OutputFolder(tmp_path / "out"), choose()
    assert freeze(folder, small_plan(), found.request, lambda: found) == found
    assert freeze(folder, small_plan(), found.request, never) == found
    assert read_selected(tmp_path / "out" / "identities.json") == found


def test_other_settings_are_refused_and_force_chooses_anew(tmp_path: Path) -> None:
    folder, found, other = OutputFolder(tmp_path / "out"), choose(3), choose(2)
    freeze(folder, small_plan(), found.request, lambda: found)
    with pytest.raises(ConflictError, match=r"frozen by other settings \(other settings\)"):
        freeze(folder, small_plan(), other.request, never)
    assert freeze(folder, small_plan(), other.request, lambda: other, force=True) == other


def test_a_foreign_file_of_that_name_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "identities.json").write_text("mine")
    with pytest.raises(ConflictError, match=r"identities\.json not ours"):
        freeze(OutputFolder(tmp_path), small_plan(), choose().request, never, force=True)
    assert (tmp_path / "identities.json").read_text() == "mine"


def test_a_folder_of_a_run_without_filter_is_refused_before_anything_is_chosen(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path / "out")
    synthesize(small_plan(), folder, lambda: paint)
    before = tree_bytes(folder.root)
    with pytest.raises(ConflictError, match="plan without this filter"):
        freeze(folder, small_plan(), choose().request, never)
    assert tree_bytes(folder.root) == before


def test_a_filtered_run_resumes_in_shards_to_the_same_bytes(tmp_path: Path) -> None:
    found = choose()
    for name, shards in (("whole", ("1/1",)), ("parts", ("2/2", "1/2", "2/2"))):
        folder = OutputFolder(tmp_path / name)
        for shard in shards:
            frozen = freeze(folder, small_plan(), found.request, lambda: found)
            synthesize(plan_of(frozen), folder, lambda: paint, Shard.parse(shard))
    assert tree_bytes(tmp_path / "whole") == tree_bytes(tmp_path / "parts")


def test_going_back_to_a_run_without_filter_leaves_no_selection(tmp_path: Path) -> None:
    folder, found = OutputFolder(tmp_path / "out"), choose()
    freeze(folder, small_plan(), found.request, lambda: found)
    synthesize(plan_of(found), folder, lambda: paint)
    synthesize(small_plan(), folder, lambda: paint, force=True)
    assert not (folder.root / "identities.json").exists()


def test_ways_to_blend_stand_beside_each_other() -> None:
    table = compare_ways(CARD, JUDGE, request(8, 8), try_codes)
    rows = {row.name: row for row in table.rows}
    assert list(rows) == ["training people", *WAYS]
    assert rows["training people"].unique == rows["training people"].consistent == 1
    two = rows["two parents"]
    assert (two.people, two.parent, two.chance) == (8, 1.0, 0.4)
    assert two.kept <= min(two.unique, 1 - two.known)
    assert rows["two, one may rule"].known >= two.known


def test_real_people_are_not_held_against_synthetic_ones() -> None:
    table = compare_ways(CARD, JUDGE, request(2, 2), try_codes)
    real = row_of_real(features({"a": [np.eye(9)[7]] * 2, "b": [np.eye(9)[8]] * 2}), table)
    assert (real.people, real.unique, real.consistent) == (2, 1.0, 1.0)
    assert np.isnan([real.known, real.kept, real.parent]).all()


def test_a_choice_that_was_cut_goes_on_where_it_was(tmp_path: Path) -> None:
    folder, wish, asked = tmp_path / "trials", request(6), list[str]()

    def cut(requests: Sequence[ClipRequest]) -> NDArray[np.float32]:
        if len(asked) == 1:
            raise KeyboardInterrupt
        return count(requests)

    def count(requests: Sequence[ClipRequest]) -> NDArray[np.float32]:
        asked.append(requests[0].key.identity)
        return try_codes(requests)

    with pytest.raises(KeyboardInterrupt):
        select_identities(CARD, JUDGE, wish, remembering(folder, wish, cut))
    assert asked == ["sim-001"]
    found = select_identities(CARD, JUDGE, wish, remembering(folder, wish, count))
    assert found == choose(6)
    assert len(set(asked)) == len(asked)
    forget(folder)
    assert not folder.exists()


def test_a_torn_or_foreign_trial_is_made_again(tmp_path: Path) -> None:
    wish = request(2)
    select_identities(CARD, JUDGE, wish, remembering(tmp_path, wish, try_codes))
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:200])
    assert select_identities(CARD, JUDGE, wish, remembering(tmp_path, wish, try_codes)) == choose(2)


def test_trials_of_other_weights_or_sampling_are_not_taken_for_these(tmp_path: Path) -> None:
    wish = request(2)
    select_identities(CARD, JUDGE, wish, remembering(tmp_path, wish, try_codes))
    before = len(list(tmp_path.iterdir()))
    other = replace(wish, weights="0" * 16)
    select_identities(CARD, JUDGE, other, remembering(tmp_path, other, try_codes))
    assert len(list(tmp_path.iterdir())) == 2 * before


def test_a_shard_waits_for_the_one_that_chooses_and_takes_its_people(tmp_path: Path) -> None:
    folder, found, events = OutputFolder(tmp_path / "out"), choose(), list[str]()
    waits = Event()

    def choose_slowly() -> SelectedIdentities:
        events.append("choosing")
        assert waits.wait(20)
        return found

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(freeze, folder, small_plan(), found.request, choose_slowly)
        while not events:
            time.sleep(0.01)
        assert freeze(folder, small_plan(), found.request, never, waiting=waits.set) == found
        assert first.result() == found
    assert events == ["choosing"]

"""The filter: decisions on constructed people, choosing with a recogniser that reads mixing weights, and keeping."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from numpy.typing import NDArray

from gaitcrafter_ext.errors import ConflictError, DataError, MissingError, UsageError
from gaitcrafter_ext.generator.weights import Vocabulary, locate, read_card
from gaitcrafter_ext.hardware import Process
from gaitcrafter_ext.metrics.centroids import Centroids
from gaitcrafter_ext.recognition.filter_card import locate_filter, read_filter_card
from gaitcrafter_ext.silhouettes.files import CACHE_VARIABLE, cache_root
from gaitcrafter_ext.silhouettes.parallel import Shared
from gaitcrafter_ext.synthesis.comparing import WAYS, compare_ways
from gaitcrafter_ext.synthesis.folder import OutputFolder
from gaitcrafter_ext.synthesis.identities import BlendSettings, Identity, novel_identities
from gaitcrafter_ext.synthesis.plan import ClipRequest, Plan, Sampling, Selection, make_plan, sampling_by
from gaitcrafter_ext.synthesis.run import synthesize
from gaitcrafter_ext.synthesis.selection import (
    Criteria,
    Embedder,
    FilterRequest,
    FilterSettings,
    IdentityFilter,
    Screening,
    SelectedIdentities,
    Trials,
    Tried,
    choose_probes,
    filter_request,
    read_selected,
)
from tests.filter_fakes import fake_card, features, try_codes
from tests.synthesis_fakes import BLEND, CARD, PEOPLE, SAMPLING, paint, small_plan, tree_bytes

AXES = np.eye(30, dtype=np.float32)
CRITERIA = Criteria(clip=0.2, consistency=0.75, known=0.1, unique=0.1)
KNOWN = Centroids(("sim-001", "sim-002"), AXES[:2])
JUDGE = fake_card(centre=0.15, clip=0.1)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))


def towards(one: int, other: int, share: float) -> NDArray[np.float32]:
    vector = AXES[one] * (1 - share) + AXES[other] * share
    return np.asarray(vector / np.linalg.norm(vector))


def test_each_kind_of_bad_candidate_falls_for_its_own_reason() -> None:
    tried = Tried.of(features({"crowd": [AXES[4], AXES[5], AXES[6], AXES[7]], "one": [AXES[8]] * 4}))
    assert tried.consistency(CRITERIA).tolist() == [0.0, 1.0]
    crowd, sieve = tried.centroids.vectors[0], IdentityFilter(CRITERIA, KNOWN)
    candidates = {
        "crowd": (crowd, 0.0),
        "same place": (crowd, 1.0),  # the crowd fell, so this is no duplicate
        "trained on": (towards(1, 7, 0.1), 1.0),
        "new": (AXES[9], 0.75),  # consistent enough at the threshold itself
        "new again": (AXES[9], 1.0),
    }
    decisions = [sieve.decide(name, *candidate) for name, candidate in candidates.items()]
    assert [each.outcome for each in decisions] == ["inconsistent", "kept", "known", "kept", "duplicate"]
    assert sieve.kept.names == ("same place", "new")
    assert [(each.nearest, each.distance) for each in decisions[2:]] == [
        ("sim-002", pytest.approx(0.00612, abs=1e-4)),
        ("same place", pytest.approx(1.0)),
        ("new", pytest.approx(0.0)),
    ]
    exact = float(1 - towards(0, 9, 0.3) @ AXES[0])
    for radius, outcome in ((exact, "known"), (exact - 1e-4, "kept")):  # at the threshold is too near
        sieve = IdentityFilter(replace(CRITERIA, known=radius), KNOWN)
        assert sieve.decide("a", towards(0, 9, 0.3), 1.0).outcome == outcome


def request(wanted: int = 3, most: int = 60, **blend: object) -> FilterRequest:
    settings = BlendSettings(**{"parents": 2, **blend})  # type: ignore[arg-type]
    return filter_request(CARD, JUDGE, FilterSettings(wanted, most), settings, SAMPLING)


def trials() -> Shared:
    """Where a single process keeps what it tried."""
    return Shared(cache_root() / "trials")


def select(wish: FilterRequest, embed: Embedder = try_codes, shared: Shared | None = None) -> SelectedIdentities:
    screening = Screening(CARD, JUDGE, wish, lambda sampling: embed, shared or trials())
    return screening.select(screening.known())


def choose(wanted: int = 3, most: int = 60, **blend: object) -> SelectedIdentities:
    return select(request(wanted, most, **blend))


def cosine(one: dict[str, float], other: dict[str, float]) -> float:
    codes = np.array([[mix.get(name, 0.0) for name in PEOPLE] for mix in (one, other)])
    return float(1 - codes[0] @ codes[1] / np.linalg.norm(codes[0]) / np.linalg.norm(codes[1]))


def test_those_kept_are_the_first_that_a_naive_loop_would_keep() -> None:
    kept: dict[str, dict[str, float]] = {}
    for name, person in novel_identities(60, PEOPLE, BLEND).items():
        others = [{name: 1.0} for name in PEOPLE] + list(kept.values())
        if len(kept) < 6 and all(cosine(person.mix, other) > 0.15 for other in others):
            kept[name] = person.mix
    found = choose(wanted=6)
    assert {name: who.mix for name, who in found.people.items()} == kept
    assert found.decisions[-1].name == list(kept)[-1]
    assert list(choose(2).people) == list(kept)[:2]


def test_it_stops_at_the_most_candidates_and_counts_how_many_are_short() -> None:
    found = choose(wanted=20, most=20)
    assert len(found.decisions) == sum(found.counts.values()) == 20
    assert 0 < len(found.people) < 20
    assert found.short == 20 - len(found.people)
    assert choose(20, 20, concentration=0.05).counts["known"] > 10  # near copies of one parent


def test_clips_that_do_not_show_a_person_make_no_one_consistent() -> None:
    def noise(requests: Sequence[ClipRequest]) -> NDArray[np.float32]:
        rows = [np.random.default_rng(each.seed).normal(size=(64, 1)) for each in requests]
        return np.stack(rows).astype(np.float32)

    found = select(request(3, 10), noise)
    assert found.counts["inconsistent"] == 10
    assert found.control == {"people": 5, "consistent": 0, "unique": 5}


def plan_of(found: SelectedIdentities) -> Plan:
    return make_plan(CARD, Selection((), 0, ("nm-01",), ("000", "090"), selected=found), SAMPLING)


def test_what_is_judged_is_what_is_delivered() -> None:
    seen: dict[str, ClipRequest] = {}

    def spy(requests: Sequence[ClipRequest]) -> NDArray[np.float32]:
        seen.update({str(each.key): each for each in requests})
        return try_codes(requests)

    plan = plan_of(select(request(), spy))
    assert all(seen[str(each.key)] == each for each in plan.requests())


def test_the_file_gives_the_selection_back_and_is_part_of_the_plan(tmp_path: Path) -> None:
    found, file = choose(), tmp_path / "chosen.json"
    with pytest.raises(MissingError):
        read_selected(file)
    facts = json.loads(found.to_json())
    spread = facts | {"request": facts["request"] | {"blend": facts["request"]["blend"] | {"strategy": "spread"}}}
    for text, said in (
        ("", ""),
        ("[]", ""),
        (json.dumps(facts | {"format": 1}), "version"),
        (json.dumps(facts | {"people": {"a": {"mix": 1}}}), "a.mix"),
        (json.dumps(facts | {"people": {"a": {"mix": {"sim-001": -0.5}}}}), "'people.a.mix.sim-001' is -0.5"),
        (json.dumps(spread), "'request.blend.strategy' is 'spread'; input should be 'even' or 'draw'"),
    ):
        file.write_text(text)
        with pytest.raises(DataError, match=rf"chosen\.json.*{said}"):
            read_selected(file)
    file.write_text(found.to_json())
    again = read_selected(file)
    assert (again, again.fingerprint) == (found, found.fingerprint)
    plan = plan_of(found)
    assert Plan.from_json(plan.to_json()) == plan
    alike = Selection((), 0, ("nm-01",), ("000",), like={next(iter(found.people)): Identity()}, selected=found)
    with pytest.raises(UsageError, match="--like: a person is called syn-0001, as novel ones are"):
        make_plan(CARD, alike, SAMPLING)
    unfiltered = make_plan(CARD, Selection((), 3, ("nm-01",), ("000", "090"), BLEND), SAMPLING)
    assert "filter" in plan.differences(unfiltered)


def test_probes_are_the_calibrated_views_or_the_nearest() -> None:
    known = Vocabulary(("a", "b"), ("bg", "nm"), {"000": 0.0, "018": 18.0, "072": 72.0, "108": 108.0})
    nameless = Vocabulary(("a", "b"), ("walk",), {"left": None})
    for words, calibrated, condition, views in (
        (known, ("018", "000"), "nm", ["018", "000"]),
        (known, ("054", "090"), "nm", ["072", "108"]),
        (nameless, ("054", "090"), "walk", ["left"]),
    ):
        found = choose_probes(replace(CARD, vocabulary=words), calibrated)
        assert found.takes == (f"{condition}-01", f"{condition}-02")
        assert list(found.views) == views


def test_trials_are_kept_by_all_that_decides_them(tmp_path: Path) -> None:
    wish, asked, shared = request(6), list[str](), Shared(tmp_path / "trials")

    def cut(requests: Sequence[ClipRequest]) -> NDArray[np.float32]:
        if asked:
            raise KeyboardInterrupt
        return count(requests)

    def count(requests: Sequence[ClipRequest]) -> NDArray[np.float32]:
        asked.append(requests[0].key.identity)
        return try_codes(requests)

    with pytest.raises(KeyboardInterrupt):
        select(wish, cut, shared)
    found = select(wish, count, shared)
    assert found == choose(6)
    assert len(set(asked)) == len(asked) > 1  # nothing was made twice, of known people or candidates
    known = asked.count("sim-001")
    for path in shared.folder.glob("*.npy"):
        path.write_bytes(path.read_bytes()[:200])  # torn by a kill
    before = len(asked)
    assert select(wish, count, shared) == found
    assert len(asked) == 2 * before - known  # where the training people are is kept for good
    for other in (replace(wish, weights="0" * 16), replace(wish, sampling=replace(SAMPLING, steps=3))):
        select(other, count, shared)
    assert len(asked) == 4 * before - known
    shared.forget()
    assert not shared.folder.exists()


def test_two_processes_share_the_trials_and_find_the_same_people(tmp_path: Path) -> None:
    wish, alone, asked = request(20, 200), choose(20, 200), (list[str](), list[str]())
    both_at_work = Barrier(2)
    shares = [Shared(tmp_path / "trials", Process(rank, 2)) for rank in (0, 1)]

    def work(rank: int) -> SelectedIdentities:
        def embed(requests: Sequence[ClipRequest]) -> NDArray[np.float32]:
            asked[rank].append(requests[0].key.identity)
            if requests[0].key.identity in ("syn-0001", "syn-0009"):
                both_at_work.wait(60)
            return try_codes(requests)

        return select(wish, embed, shares[rank])

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(work, range(2))) == [alone, alone]
    assert ("syn-0001" in asked[0], "syn-0009" in asked[1]) == (True, True)
    assert not set(asked[0]) & set(asked[1])
    with shares[1].working():
        assert not shares[0].is_last()
    assert shares[0].is_last()


def never_load(sampling: Sampling) -> Embedder:
    raise AssertionError("placed again")


def test_training_people_are_placed_once_whatever_the_seed_and_nearly_exactly() -> None:
    exact = Trials(request(), try_codes, trials()).tried({name: Identity({name: 1.0}) for name in PEOPLE})
    found = Screening(CARD, JUDGE, request(), lambda sampling: try_codes, trials()).known()
    np.testing.assert_allclose(found.centroids.vectors, exact.centroids.vectors, atol=1e-3)
    assert found.centroids.names == PEOPLE
    again = Screening(CARD, JUDGE, replace(request(), sampling=replace(SAMPLING, seed=7)), never_load, trials()).known()
    assert (again.centroids.vectors == found.centroids.vectors).all()
    paced = replace(CARD, cadence={PEOPLE[0]: (31.0, 0.5)})
    for card, judge in ((CARD, replace(JUDGE, weights_sha256="cd" * 32)), (paced, JUDGE)):
        with pytest.raises(AssertionError, match="placed again"):
            Screening(card, judge, request(), never_load, trials()).known()
    fewer = replace(found, centroids=Centroids(PEOPLE[:2], found.centroids.vectors[:2]))
    for content in (b"torn", fewer.to_bytes()):
        for path in (cache_root() / "known").iterdir():
            path.write_bytes(content)
        with pytest.raises(AssertionError, match="placed again"):
            Screening(CARD, JUDGE, request(), never_load, trials()).known()


def test_places_of_the_bundled_people_come_with_the_package() -> None:
    card, judge = read_card(locate("bundled")), read_filter_card(locate_filter("bundled"))
    wish = filter_request(card, judge, FilterSettings(1, 1), BlendSettings(), sampling_by(card, seed=3))
    assert Screening(card, judge, wish, never_load, trials()).known().centroids.names == card.vocabulary.identities


def never() -> SelectedIdentities:
    raise AssertionError("chosen again")


def test_a_folder_keeps_the_people_that_were_chosen_until_forced(tmp_path: Path) -> None:
    folder, found, other = OutputFolder(tmp_path / "out"), choose(3), choose(2)
    assert folder.select(small_plan(), found.request, lambda: found) == found
    assert folder.select(small_plan(), found.request, never) == found
    with pytest.raises(ConflictError, match=r"chosen by other settings \(other settings\)"):
        folder.select(small_plan(), other.request, never)
    assert folder.select(small_plan(), other.request, lambda: other, force=True) == other
    synthesize(plan_of(other), folder, lambda: paint)
    synthesize(small_plan(), folder, lambda: paint, force=True)
    assert not (folder.root / "identities.json").exists()  # a run without a filter holds no selection


def test_nothing_is_chosen_where_the_folder_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "identities.json").write_text("mine")
    with pytest.raises(ConflictError, match=r"identities\.json not ours"):
        OutputFolder(tmp_path).select(small_plan(), choose().request, never, force=True)
    folder = OutputFolder(tmp_path / "out")
    synthesize(small_plan(), folder, lambda: paint)
    before = tree_bytes(tmp_path)
    with pytest.raises(ConflictError, match="plan without this filter"):
        folder.select(small_plan(), choose().request, never)
    assert tree_bytes(tmp_path) == before


def test_of_two_shards_that_choose_at_once_the_first_to_end_decides(tmp_path: Path) -> None:
    folder, found = OutputFolder(tmp_path / "out"), choose()

    def slower() -> SelectedIdentities:
        assert folder.select(small_plan(), found.request, lambda: found) == found  # meanwhile
        return replace(found, notes=("the other's",))

    assert folder.select(small_plan(), found.request, slower) == found


def test_ways_to_make_people_stand_in_one_table() -> None:
    wish = request(8, 8)
    screening = Screening(CARD, JUDGE, wish, lambda sampling: try_codes, trials())
    rows = {row.name: row for row in compare_ways(screening, screening.known())[1]}
    fits = [name for name, way in WAYS.items() if way.strategy == "draw" or way.parents <= len(PEOPLE)]
    assert list(rows) == ["training people", *fits]
    assert rows["training people"].unique == rows["training people"].consistent == 1
    two = rows["two parents"]
    assert (two.people, two.parent, two.chance) == (8, 1.0, 0.4)
    assert two.kept <= min(two.unique, 1 - two.known)

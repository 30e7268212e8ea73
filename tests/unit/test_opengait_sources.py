"""Who is who among real and synthetic people, which clips join, and clips on demand: made once, whoever asks."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gaitcrafter_ext.errors import ConflictError, DataError, GaitCrafterError, MissingError, UsageError, WeightsError
from gaitcrafter_ext.generator.weights import locate, read_card
from gaitcrafter_ext.opengait import on_demand, sources
from gaitcrafter_ext.opengait.config_keys import FolderEntry, GeneratedEntry, read_entries
from gaitcrafter_ext.opengait.on_demand import get_or_synthesize, make_clips, plan_of, run_generators, start_generator
from gaitcrafter_ext.opengait.people import RealPeople, check_origin, person_of, real_people
from gaitcrafter_ext.opengait.sources import Source, fit, frame_size, joined, open_source
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.synthesis.folder import OutputFolder
from gaitcrafter_ext.synthesis.identities import Identity
from gaitcrafter_ext.synthesis.plan import Plan, Sampling
from gaitcrafter_ext.synthesis.run import synthesize
from gaitcrafter_ext.vocabulary import ClipKey
from tests.opengait_fakes import synthetic_set, write_tree
from tests.synthesis_fakes import paint, small_plan
from tests.tiny import tiny_pipeline

PEOPLE = ("sim-001", "sim-002", "sim-003", "sim-004")
BLEND = {"sim-001": 0.4, "sim-002": 0.6}
ALONE = {"sim-001": 1.0}
KNOWN, NOVEL = person_of("sim-001", Identity(ALONE), "w"), person_of("syn-0001", Identity(BLEND), "w")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> RealPeople:
    root = write_tree(tmp_path_factory.mktemp("real"), PEOPLE, ("nm-01",), test=1)
    return real_people("simulated", root / "pkl", root / "partition.json")


def opened(real: RealPeople, made: Path) -> Source:
    return open_source(FolderEntry(str(made / "pkl"), str(made / "partition.json")), real, "{view}.pkl")


def test_known_people_share_a_label_and_novel_ones_are_their_recipe_and_weights() -> None:
    assert (KNOWN.known, KNOWN.label) == (True, "sim-001")
    assert not NOVEL.known
    assert NOVEL.label > "zzz"  # sorts after all
    recipes = ((BLEND, "w"), (dict(reversed(BLEND.items())), "w"), (BLEND, "v"))
    assert len({person_of("syn-0001", Identity(recipe), weights).label for recipe, weights in recipes}) == 2
    assert person_of("syn-0001", None, "a").label != person_of("syn-0001", None, "b").label
    # One person at weight 1 under another name is a copy of a real person, and has a label of its own.
    assert not person_of("syn-0001", Identity(ALONE), "w").known


def test_a_made_set_joins_by_its_plan(real: RealPeople, tmp_path: Path) -> None:
    source = opened(real, synthetic_set(tmp_path / "a", {"sim-001": ALONE, "syn-0001": BLEND}))
    assert [(person.name, person.known) for person in source.people] == [("sim-001", True), ("syn-0001", False)]
    assert [str(key) for key, _ in source.clips()][:1] == ["sim-001/nm-01/000"]
    assert len(source.clips()) == 4
    others = synthetic_set(tmp_path / "b", {"syn-0001": BLEND}, dataset="CASIA-B")
    assert len(opened(real, others).people) == 1  # novel people of another dataset may join


def test_sets_that_must_not_join_are_refused(real: RealPeople, tmp_path: Path) -> None:
    seen = synthetic_set(tmp_path / "c", {"sim-001": ALONE})
    plan = Plan.from_json((seen / "plan.json").read_text())
    (seen / "plan.json").write_text(replace(plan, seen=("simulated/sim-004",)).to_json())
    odd = write_tree(tmp_path / "odd", ("x-1",), ("nm-01",))
    (odd / "pkl/x-1/nm-01/000/000.pkl").write_bytes(b"no pickle")
    tested = synthetic_set(tmp_path / "b", {"syn-0001": {"sim-001": 0.5, "sim-004": 0.5}})
    elsewhere = synthetic_set(tmp_path / "a", {"sim-001": ALONE}, dataset="CASIA-B")
    cases: tuple[tuple[Path, type[GaitCrafterError], str], ...] = (
        (elsewhere, WeightsError, "trained on 'CASIA-B' and the config's dataset is 'simulated'"),
        (tested, WeightsError, "sim-004 of TEST"),
        (seen, WeightsError, "sim-004 of TEST_SET"),
        (write_tree(tmp_path / "d", ("sim-002", "x-1"), ("nm-01",)), ConflictError, "sim-002 is a real person of 'sim"),
        (odd, DataError, "000.pkl: not a pickle"),
    )
    for made, kind, said in cases:
        with pytest.raises(kind, match=said):
            opened(real, made)


def test_test_people_count_whom_the_weights_saw_under_an_earlier_name_of_the_dataset(
    real: RealPeople, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = read_card(locate("bundled"))
    before = replace(card.trained_on, before=("simulated-0/sim-004", "CASIA-B/sim-003"))
    monkeypatch.setattr(sources, "read_card", lambda _: replace(card, trained_on=before))
    entry = GeneratedEntry("bundled", novel=1)
    for dataset, name in (("simulated", "sim-004"), ("CASIA-B", "sim-003")):
        with pytest.raises(WeightsError, match=f"trained on {name} of TEST_SET"):
            open_source(entry, replace(real, dataset=dataset, test=("sim-003", "sim-004")))
    assert len(open_source(entry, replace(real, dataset="OUMVLP")).people) == 1


def test_a_generator_of_some_train_people_may_join_and_one_of_others_not(real: RealPeople) -> None:
    check_origin("w", "simulated", PEOPLE[:2], [KNOWN], real)
    check_origin("w", "simulated", ["sim-909"], [], real)  # not of this data set at all
    held_out = replace(real, train=PEOPLE[:2])
    with pytest.raises(WeightsError, match=r"on 2 people of 'simulated', of whom sim-003 not in TRAIN_SET"):
        check_origin("w", "simulated", ["sim-001", "sim-003"], [], held_out)


def test_takes_of_several_sources_never_meet_and_keep_their_condition() -> None:
    def source(*names: str) -> Source:
        keys = [ClipKey(person.name, take, "090") for person in (KNOWN, NOVEL) for take in names]
        return Source((KNOWN, NOVEL), lambda: [(key, Path("clip")) for key in keys])

    takes = [(person.name, key.take) for person, key, _ in joined([source("nm-01", "walk"), source("nm-01")])]
    assert takes == [
        ("sim-001", "nm-syn-01"),
        ("sim-001", "walk-syn"),
        ("syn-0001", "nm-01"),
        ("syn-0001", "walk"),
        ("sim-001", "nm-syn2-01"),
        ("syn-0001", "nm-syn-01"),
    ]


def test_silhouettes_are_told_from_other_modalities_by_name() -> None:
    assert frame_size(np.full((3, 64, 44), 255, np.uint8), "x") == (64, 44)
    clips: list[tuple[Any, str]] = [
        (np.full((3, 64, 64), 11, np.uint8), "values up to 11, as labels of body parts"),
        (np.full((3, 64, 64), 1, np.uint8), "write them as 0 and 255"),
        (np.zeros((3, 17, 2)), "poses"),
        (np.full((3, 50, 50), 255, np.uint8), "frames of 50 x 50"),
    ]
    for clip, said in clips:
        with pytest.raises(DataError, match=said):
            frame_size(clip, "001/nm-01/090")


def test_widths_of_64_and_44_are_one_middle() -> None:
    wide = np.zeros((2, 64, 64), np.uint8)
    wide[:, :, 12:50] = 255
    narrow = fit(wide, (64, 44))
    assert narrow.shape == (2, 64, 44)
    assert (fit(narrow, (64, 64)) == wide).all()
    large = fit(narrow, (128, 88))
    assert large.shape == (2, 128, 88)
    assert np.abs(fit(large, (64, 64)).astype(int) - wide).mean() < 3


def test_people_imitated_after_the_real_root_join_themselves(real: RealPeople, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = small_plan()
    plan = replace(plan, people={**plan.people, "sim-003": Identity(code=(0.1,) * 4)})
    monkeypatch.setattr(sources, "plan_of", lambda *_: plan)
    real = replace(real, dataset="other")
    asked = GeneratedEntry("bundled", like=str(real.root))
    with pytest.raises(WeightsError, match="sim-002 as known people"):
        open_source(asked, real)
    plan = replace(plan, people={name: who for name, who in plan.people.items() if name != "sim-002"})
    assert [person.name for person in open_source(asked, real).people if person.known] == ["sim-003"]
    with pytest.raises(ConflictError, match="sim-003 is a real person"):
        open_source(replace(asked, like="elsewhere"), real)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GAITCRAFTER_CACHE", str(tmp_path))
    return tmp_path


def planned(real: RealPeople, **options: Any) -> Plan:
    (entry,) = read_entries({"weights": "bundled-teacher", **options})
    weights = locate(entry.weights)
    return plan_of(entry, read_card(weights), weights, real)


def test_an_entry_becomes_the_plan_that_synthesize_makes(real: RealPeople) -> None:
    plan = planned(real, novel=2, conditions="nm", views="090", takes=2, frames=60, cadence="x1.1", seed=7, steps=3)
    assert [name.split("/", 1)[1] for name in plan.clips] == ["nm-01/090", "nm-02/090"] * 2
    sampling = plan.sampling
    assert (sampling.seed, sampling.steps, sampling.frames, sampling.cadence) == (7, 3, 60, "x1.1")
    default, card = planned(real, novel=1).sampling, read_card(locate("bundled-teacher")).sampling
    assert asdict(default).items() >= asdict(card).items() - {("baked_in", False)}
    assert {each.name for each in fields(Sampling)} - {"columns"} <= {each.name for each in fields(GeneratedEntry)}
    with pytest.raises(UsageError, match=r"data_cfg\.synthetic\.conditions"):
        planned(real, novel=1, conditions="xx")


def test_weights_of_few_people_blend_as_many_as_they_know(real: RealPeople, tmp_path: Path) -> None:
    tiny_pipeline().save_pretrained(tmp_path)
    assert len(planned(real, weights=str(tmp_path), novel=1).people["syn-0001"].mix) == 2


def test_only_training_people_are_imitated(real: RealPeople, monkeypatch: pytest.MonkeyPatch) -> None:
    imitated: list[str] = []
    monkeypatch.setattr(on_demand, "people_like", lambda card, weights, store, names: imitated.extend(names) or {})
    (real.root / "sim-005").mkdir()  # holds no clip
    few = replace(real, train=("sim-001",))  # sim-002 is there, but in neither set: few labels
    with pytest.raises(UsageError, match="no person"):
        planned(few, like=str(real.root))
    assert imitated == ["sim-001"]


@pytest.fixture
def made(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """Plans whose clips were made; painting them takes a moment."""
    found: list[Plan] = []

    def make(plan: Plan, folder: OutputFolder, *_: object) -> None:
        found.append(plan)
        synthesize(plan, folder, lambda: paint)

    monkeypatch.setattr(on_demand, "_make", make)
    return found


def test_clips_are_made_once_and_kept_by_what_was_asked_for(
    home: Path, made: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, weights = small_plan(), Path("weights")
    folder = get_or_synthesize(plan, weights)
    assert folder.root.parent == home / "synthetic"
    assert SilhouetteStore(folder.clips).keys() == sorted(plan.keys)
    lost = folder.path(plan.keys[3])
    before = lost.read_bytes()
    lost.unlink()
    assert [get_or_synthesize(plan, weights).root for _ in range(2)] == [folder.root] * 2
    assert lost.read_bytes() == before
    assert made == [plan] * 2
    other = get_or_synthesize(small_plan(seed=1), weights)
    monkeypatch.setattr(on_demand, "code_fingerprint", lambda: "other code")
    assert len({folder.root, other.root, get_or_synthesize(plan, weights).root}) == 3


def test_whoever_asks_at_the_same_time_waits_for_the_clips(made: list[Plan]) -> None:
    with ThreadPoolExecutor(3) as pool:
        folders = list(pool.map(lambda _: get_or_synthesize(small_plan(), Path("weights")), range(3)))
    assert [len(list(folder.clips.rglob("*.pkl"))) for folder in folders] == [12] * 3
    assert len(made) == 1


@pytest.mark.slow
def test_a_shard_on_each_gpu_makes_the_same_clips_as_one_process(
    home: Path, real: RealPeople, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(real, novel=2, conditions="nm", views="090")
    whole = get_or_synthesize(plan, locate("bundled-teacher"), device="cpu")
    shards = OutputFolder(home / "shards")
    shards.root.mkdir()
    (shards.root / "plan.json").write_text(plan.to_json())
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    make_clips(str(shards.root), str(locate("bundled-teacher")), "auto")
    assert all(shards.path(key).read_bytes() == whole.path(key).read_bytes() for key in plan.keys)


def test_why_a_generator_failed_becomes_the_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GaitCrafterError, match=r"making the clips: .*nowhere.*the same command goes on"):
        run_generators(sys.executable, ("nowhere", "weights", "cpu"))
    (home / "cv2.py").write_text("import no_such_package")
    monkeypatch.setenv("PYTHONPATH", str(home))
    with pytest.raises(GaitCrafterError, match=r"the generator needs a package .*no_such_package.*GAITCRAFTER_PYTHON"):
        run_generators(sys.executable, ("folder", "weights", "cpu"))
    monkeypatch.setattr(on_demand, "BOOT", "raise SystemExit(9)")
    with pytest.raises(GaitCrafterError, match="ended with code 9"):
        run_generators(sys.executable, ())
    monkeypatch.setenv("GAITCRAFTER_PYTHON", "no-such-python")
    with pytest.raises(MissingError, match="no-such-python"):
        get_or_synthesize(small_plan(), home)


def test_a_generator_ends_when_its_parent_does(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(small_plan().to_json())
    with start_generator(sys.executable, [str(tmp_path), str(tmp_path / "weights"), "cpu"]) as child:
        child.stdin.close()
        assert child.wait(60) == 143

"""The card: its rows, who may judge whom, what experiments found; the blind sheet, control of cadence, recognisers."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.audit.blind import Row as BlindRow
from gaitcrafter_ext.audit.blind import draw_rows, score
from gaitcrafter_ext.audit.card import QUESTIONS, Measure, Row, row, run_measures
from gaitcrafter_ext.audit.control import control, phase_errors
from gaitcrafter_ext.audit.data import Splits, Trees
from gaitcrafter_ext.audit.recognisers import check_disjoint, chosen_by, filter_people, open_judges, open_recognisers
from gaitcrafter_ext.audit.utility import utility_rows
from gaitcrafter_ext.errors import DataError, MissingError
from gaitcrafter_ext.generator.weights import checksum
from gaitcrafter_ext.metrics.intervals import Estimate
from gaitcrafter_ext.recognition.checkpoint import MODEL_FILE
from gaitcrafter_ext.recognition.filter_card import write_filter_card
from gaitcrafter_ext.silhouettes.manifest import ManifestRecord
from gaitcrafter_ext.silhouettes.parallel import Shared
from gaitcrafter_ext.silhouettes.store import SilhouetteStore, write_clip
from gaitcrafter_ext.synthesis.folder import SELECTED, OutputFolder
from gaitcrafter_ext.synthesis.identities import BlendSettings
from gaitcrafter_ext.synthesis.selection import FilterSettings, Screening, filter_request
from gaitcrafter_ext.vocabulary import ClipKey
from tests.filter_fakes import fake_card, try_codes, write_recogniser
from tests.synthesis_fakes import CARD, SAMPLING

SHARE = Estimate(0.5, 0.4, 0.6, 10)

ARMS = [
    {"name": name, "figures": {"NM rank-1": nm, "CL rank-1": cl}, "against": against}
    for name, nm, cl, against in (
        ("real", [60.0, 70.0], [20.0, 40.0], ""),
        ("real + novel people", [66.0, 72.0], [50.0, 50.0], "real"),
        ("untrained", [10.0, 12.0], [5.0, 5.0], ""),
    )
]


def measure(question: str, name: str, fails: bool = False) -> Measure:
    def find() -> list[Row]:
        if fails:
            raise DataError("there is no novel person")
        return [row(question, name, "pixels", SHARE, chance=0.1)]

    return Measure(question, name, "pixels", find)


def test_rows_come_in_the_order_of_the_questions_failures_keep_their_reason_and_json_has_a_schema() -> None:
    asked = [measure("masks", "area"), measure("identification", "rank1"), measure("uniqueness", "u", fails=True)]
    card = run_measures(asked, lambda done, total: None)
    assert [each.measure for each in card.rows] == ["rank1", "area"]
    assert [(each.measure, each.why) for each in card.unmeasured] == [("u", "there is no novel person")]
    assert [question for question, _, _ in card.by_question()] == [
        QUESTIONS[key] for key in ("identification", "uniqueness", "masks")
    ]
    found = json.loads(card.to_json())
    assert list(found) == ["schema", "asked", "groups", "caveats", "rows", "unmeasured"]
    assert found["rows"][0] == {
        "question": "identification", "measure": "rank1", "features": "pixels", "unit": "share", "value": 0.5,
        "low": 0.4, "high": 0.6, "count": 10, "floor": None, "ceiling": None, "chance": 0.1, "note": "",
    }  # fmt: skip


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
        (good.replace("[60.0, 70.0]", "[60.0, NaN]"), r"arms.0.figures.NM rank-1.1' is nan"),
        (good.replace('"against": "real"', '"against": "nothing"'), "arms do not match"),
    ):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(DataError, match=rf"x\.json.*{words}"):
            utility_rows(tmp_path)


REAL = [ClipKey(f"{i:03d}", take, view) for i in range(6) for take in ("nm-01", "cl-01") for view in ("054", "090")]
MADE = [ClipKey(f"syn-{i:04d}", take, "090") for i in range(6) for take in ("nm-01", "bg-01", "cl-01")]


def trees(root: Path, made: list[ClipKey] = MADE) -> Trees:
    stores = [SilhouetteStore(root / name, create=True) for name in ("real", "made")]
    return Trees(*stores, REAL, made)


def drawn(root: Path, seed: int = 0, rows: int = 12) -> list[tuple[str, ClipKey]]:
    return draw_rows(trees(root), rows, np.random.default_rng(seed))


def test_half_the_rows_are_real_and_views_and_conditions_do_not_tell(tmp_path: Path) -> None:
    rows = drawn(tmp_path)
    kinds = {kind: Counter((key.view, key.take[:2]) for which, key in rows if which == kind) for kind, _ in rows}
    assert kinds["real"] == kinds["synthetic"]
    assert sum(kinds["real"].values()) == 6
    assert len({key for _, key in rows}) == 12
    assert drawn(tmp_path) == rows
    assert [kind for kind, _ in rows] != [kind for kind, _ in drawn(tmp_path, seed=1)]
    with pytest.raises(DataError, match="there are 12"):
        drawn(tmp_path, rows=26)
    with pytest.raises(DataError, match="there are 0"):
        draw_rows(trees(tmp_path, []), 2, np.random.default_rng(0))


def test_hits_are_counted_with_the_exact_interval_and_answers_must_fit_the_key() -> None:
    key = [BlindRow(f"row {n:02d}", "real" if n % 2 else "synthetic", "x") for n in range(1, 21)]
    answers: dict[str, str] = {row.label: row.kind for row in key}
    for label in ("row 01", "row 02", "row 03", "row 04", "row 06"):
        answers[label] = "real" if answers[label] == "synthetic" else "synthetic"
    found = score(key, answers)
    assert (found["hits"], found["rows"]) == (15, 20)
    assert (found["low"], found["high"]) == pytest.approx((0.509, 0.913), abs=1e-3)
    assert found["p_value"] == pytest.approx(0.0207, abs=1e-4)
    assert (found["synthetic_as_real"], found["real_as_real"]) == pytest.approx((0.3, 0.8))
    for wrong, words in (
        ({"row 20": "fake"}, "'row 20' is answered 'fake'"),
        ({"row 21": "real"}, "name 'row 21', which the key does not"),
    ):
        with pytest.raises(DataError, match=words):
            score(key, answers | wrong)


def run_of(root: Path, cycle: float | None, jump: bool = False) -> OutputFolder:
    """One clip of 60 frames, 25 frames a cycle; ``jump``: the body moves where the second window begins."""
    time = np.arange(60)[:, None, None]
    y, x = np.arange(64)[None, :, None], np.arange(64)[None, None]
    reach = np.where(y > 40, 6 * np.sin(2 * np.pi * time / 25) + 2 * np.cos(4 * np.pi * time / 25), 0)
    shift = np.where(time >= 15, 12, 0) if jump else 0
    clip = np.where((np.abs(x - 28 - reach - shift) < 5) & (y > 4), 255, 0).astype(np.uint8)
    folder = OutputFolder(root)
    record = ManifestRecord("a", "nm-01", "090", 0, "w", "euler", 3, 1.0, 60, "", cycle=cycle)
    write_clip(folder.path(record.key), clip)
    folder.state.mkdir()
    for manifest in (root / "manifest.jsonl", folder.state / "shard-1-of-1.jsonl"):  # as a finished run has them
        manifest.write_text(record.to_line())
    return folder


def test_the_cycle_read_is_set_beside_the_one_asked_for_and_a_run_without_is_refused(tmp_path: Path) -> None:
    found = control(run_of(tmp_path, 27.0), np.random.default_rng(0))
    assert found.views["090"] == (pytest.approx(2.0, abs=0.3), 1)
    assert found.worst == pytest.approx(2.0, abs=0.3)
    with pytest.raises(DataError, match="no clip was asked for with a gait cycle"):
        control(run_of(tmp_path / "none", None), np.random.default_rng(0))


def test_a_jump_at_a_window_border_shows_as_a_seam(tmp_path: Path) -> None:
    smooth = control(run_of(tmp_path / "smooth", 25.0), np.random.default_rng(0))
    torn = control(run_of(tmp_path / "torn", 25.0, jump=True), np.random.default_rng(0))
    assert smooth.seams.value == pytest.approx(smooth.elsewhere.value, abs=0.1)
    assert torn.seams.value < torn.elsewhere.value - 0.1


@pytest.mark.slow
def test_phases_are_read_within_degrees_where_cameras_share_a_clock() -> None:
    rows = phase_errors(12, ("nm-01",), ("054", "090", "126"), 40, 77, lambda done, total: None)
    assert [row.view for row in rows] == ["054", "090", "126"]
    assert all(row.cycle < 0.6 and row.shared < 12 and row.shared_flipped <= 0.1 for row in rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_recogniser(tmp_path / "mine", ("001", "002"))


def test_equal_names_are_the_same_person_unless_told_otherwise_and_no_two_recognisers_bear_one(folder: Path) -> None:
    (found,) = open_recognisers([str(folder)], "CASIA-B")
    assert (found.name, found.model, found.people) == ("mine", "gaitset", ("CASIA-B/001", "CASIA-B/002"))
    assert open_recognisers([str(folder)], "CASIA-B", other_people=True)[0].people == ()
    with pytest.raises(DataError, match="bear one name"):
        open_recognisers([str(folder), str(folder)], "x")
    with pytest.raises(MissingError, match="no recogniser in"):
        open_recognisers([str(folder.parent)], "x")


def test_whoever_chose_the_people_may_not_judge_them(folder: Path, tmp_path: Path) -> None:
    card = fake_card(centre=0.15, clip=0.1)
    judge = replace(card, people=("simulated-1-seed9/001",), weights_sha256=checksum(folder / MODEL_FILE))
    write_filter_card(folder, judge)
    (found,) = open_recognisers([str(folder)], "simulated-1-seed0")
    assert found.people == ("simulated-1-seed9/001",)
    assert filter_people(found.fingerprint, [found]) == found.people
    assert filter_people("f" * 16, [found]) is None
    assert chosen_by(tmp_path) == ""
    request = filter_request(CARD, judge, FilterSettings(1, 60), BlendSettings(2), SAMPLING)
    screening = Screening(CARD, judge, request, lambda sampling: try_codes, Shared(tmp_path / "trials"))
    chosen = screening.select(screening.known())
    (tmp_path / SELECTED).write_text(chosen.to_json())
    assert chosen_by(tmp_path) == found.fingerprint
    with pytest.raises(DataError, match="mine chose the novel people itself"):
        open_judges([str(folder)], "x", False, str(tmp_path), Splits((), (), (), ""))
    (tmp_path / SELECTED).write_text("{}")
    with pytest.raises(DataError, match="not selected identities"):
        chosen_by(tmp_path)


def test_the_packaged_recogniser_knows_people_of_another_seed_than_the_packaged_weights() -> None:
    (found,) = open_recognisers(["bundled"], "simulated-1-seed0")
    assert found.name == "bundled"
    assert {name.split("/")[0] for name in found.people} == {"simulated-1-seed101"}
    assert filter_people(found.fingerprint, []) == found.people

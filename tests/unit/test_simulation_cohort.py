"""The cohort: who is who, whatever else is asked for; and the folder it is written to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.errors import ConflictError, UsageError
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.simulation.cohort import FRAMES_MAX, person, pose_take, render_take, true_phase
from gaitcrafter_ext.simulation.writing import CohortPlan, read_plan, write_cohort
from gaitcrafter_ext.vocabulary import ClipKey

ONE_EACH = {"nm": 1, "bg": 1, "cl": 1}


def plan(**changes: object) -> CohortPlan:
    values: dict[str, object] = {"subjects": 2, "views": ("054", "090"), "takes": ONE_EACH, "frames": 5, "train": 1}
    return CohortPlan(**{**values, **changes})  # type: ignore[arg-type]


def finish(what: CohortPlan, out: Path, **options: object) -> tuple[int, int]:
    steps = list(write_cohort(what, out, **options))  # type: ignore[arg-type]
    return sum(made for made, _ in steps), sum(kept for _, kept in steps)


def content(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*.pkl"))}


def test_clips_have_the_form_of_the_field() -> None:
    clip = render_take(0, person(0, 1), "nm-01", ["090"], 10)["090"]
    assert clip.shape == (10, 64, 64)
    assert clip.dtype == np.uint8
    assert (clip.max(axis=(1, 2)) > 250).all()
    assert clip[:, 0].any(axis=1).all()  # the crop touches top and bottom
    assert clip[:, -1].any(axis=1).all()
    assert 0.03 < ((clip > 0) & (clip < 255)).mean() < 0.07


def test_a_view_does_not_depend_on_the_others() -> None:
    who = person(0, 2)
    both, alone = render_take(0, who, "bg-01", ["000", "126"], 6), render_take(0, who, "bg-01", ["126"], 6)
    np.testing.assert_array_equal(both["126"], alone["126"])


def test_all_cameras_film_one_walk_but_not_with_the_same_noise() -> None:
    clips = render_take(0, person(0, 3), "nm-02", ["000", "180"], 25)
    front, back = clips["000"].astype(float), clips["180"][:, :, ::-1].astype(float)
    agreement = 1.0 - np.abs(front - back).mean(axis=(1, 2)) / 255.0
    assert agreement.min() > 0.85
    assert (np.abs(front - back) > 0).any()


def test_people_takes_and_seeds_differ() -> None:
    def first(seed: int, number: int, take: str) -> np.ndarray:
        return render_take(seed, person(seed, number), take, ["090"], 5)["090"]

    base = first(0, 1, "nm-01")
    for other in (first(0, 2, "nm-01"), first(0, 1, "nm-02"), first(0, 1, "cl-01"), first(1, 1, "nm-01")):
        assert (base != other).mean() > 0.01


def test_a_coat_makes_the_outline_wider_and_a_bag_adds_to_it() -> None:
    areas = {take: [] for take in ("nm-01", "bg-01", "cl-01")}
    for number in range(1, 9):
        for take, found in areas.items():
            found.append(float(render_take(0, person(0, number), take, ["090"], 12)["090"].mean()))
    assert np.mean(areas["bg-01"]) > 1.03 * np.mean(areas["nm-01"])
    assert np.mean(areas["cl-01"]) > 1.10 * np.mean(areas["nm-01"])


def test_further_takes_can_be_rendered_and_stand_on_the_ground() -> None:
    posed = pose_take(0, person(0, 4), "cl-23", 8)
    np.testing.assert_allclose(posed.points[..., 2].min(axis=1), 0.0, atol=0.06)


def test_the_left_foot_is_ahead_at_phase_0_and_the_right_half_a_cycle_later() -> None:
    for number, take in ((1, "nm-01"), (2, "bg-02"), (3, "cl-01")):
        phase, cycle = true_phase(0, number, take, 60)
        assert np.median(np.diff(phase)) == pytest.approx(1.0 / cycle, rel=0.1)
        who = person(0, number)
        posed = pose_take(0, who, take, 60)
        left, right = (posed.points[:, who.body.rows(foot), 1].mean(axis=1) for foot in ("foot.L", "foot.R"))
        ahead = right - left  # the walker faces -Y
        strike = np.argmax(ahead)
        assert abs((phase[strike] + 0.5) % 1.0 - 0.5) < 0.08
        assert abs(phase[np.argmin(ahead)] % 1.0 - 0.5) < 0.08


def test_unknown_takes_and_lengths_out_of_range_are_refused() -> None:
    for take in ("nm", "nm-00", "xx-01", "nm-x", "-1"):
        with pytest.raises(UsageError, match="unknown take"):
            render_take(0, person(0, 1), take, ["090"], 5)
    for frames in (4, FRAMES_MAX + 1):
        with pytest.raises(UsageError, match="out of range"):
            render_take(0, person(0, 1), "nm-01", ["090"], frames)


def test_a_cohort_is_written_in_the_layout(tmp_path: Path) -> None:
    assert finish(plan(), tmp_path / "c") == (12, 0)
    assert set(SilhouetteStore(tmp_path / "c" / "pkl").keys()) == plan().clips()
    assert Partition.load(tmp_path / "c" / "partition.json") == Partition(("sim-001",), ("sim-002",))
    assert read_plan(tmp_path / "c") == plan()
    assert plan(subjects=1, seed=7).identities() == ["sim7-001"]
    assert sorted(p.name for p in (tmp_path / "c").iterdir()) == ["cohort.json", "partition.json", "pkl"]


def test_a_rerun_makes_only_what_is_missing_and_a_cohort_may_grow(tmp_path: Path) -> None:
    finish(plan(subjects=1), tmp_path)
    before = content(tmp_path)
    SilhouetteStore(tmp_path / "pkl").path(ClipKey("sim-001", "cl-01", "054")).unlink()
    assert finish(plan(subjects=1), tmp_path) == (1, 5)
    assert content(tmp_path) == before
    assert finish(plan(takes={"nm": 2, "bg": 1, "cl": 1}), tmp_path) == (10, 6)
    assert before.items() <= content(tmp_path).items()


def test_people_change_between_train_and_test_only_by_force(tmp_path: Path) -> None:
    before = {"subjects": 3, "train": 2, "views": ("090",), "takes": {"nm": 1}}
    finish(plan(**before), tmp_path)
    files = {name: (tmp_path / name).read_bytes() for name in ("partition.json", "cohort.json")}
    for changes, moved in (({"train": 1}, "sim-002"), ({"subjects": 4, "train": 3}, "sim-003")):
        message = rf"1 of its 3 people would change .*\(such as {moved}\).*give --train 2 as before.*--force"
        with pytest.raises(ConflictError, match=message):
            finish(plan(**{**before, **changes}), tmp_path)
    assert files == {name: (tmp_path / name).read_bytes() for name in files}
    assert finish(plan(**{**before, "train": 1}), tmp_path, force=True) == (0, 3)
    assert Partition.load(tmp_path / "partition.json").train == ("sim-001",)


def test_another_cohort_is_replaced_only_by_force(tmp_path: Path) -> None:
    finish(plan(), tmp_path)
    before = content(tmp_path)
    for other in (plan(seed=1), plan(frames=6), plan(subjects=1)):
        with pytest.raises(ConflictError, match="another cohort"):
            finish(other, tmp_path)
    assert content(tmp_path) == before
    (tmp_path / "pkl" / "notes.txt").write_text("mine")
    finish(plan(subjects=1, seed=1), tmp_path, force=True)
    assert set(SilhouetteStore(tmp_path / "pkl").keys()) == plan(subjects=1, seed=1).clips()
    assert (tmp_path / "pkl" / "notes.txt").read_text() == "mine"


def test_foreign_files_are_refused_and_survive_force(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ConflictError, match=r"thesis\.tex"):
        finish(plan(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]
    finish(plan(subjects=1), tmp_path, force=True)
    assert (tmp_path / "thesis.tex").read_text() == "x"


@pytest.mark.parametrize("damaged", ["{}", "not JSON", '{"subjects": -1}', '{"subjects": 1, "sead": 2}'])
def test_a_damaged_record_is_refused(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "cohort.json").write_text(damaged)
    with pytest.raises(ConflictError, match=r"not a cohort's record: .*cohort\.json.*another --out"):
        finish(plan(), tmp_path, force=True)


def test_plans_out_of_range_are_refused() -> None:
    for wrong in ({"subjects": 0}, {"frames": 4}, {"train": 3}, {"seed": -1}, {"views": ()}, {"takes": {}}):
        with pytest.raises(UsageError):
            plan(**wrong)

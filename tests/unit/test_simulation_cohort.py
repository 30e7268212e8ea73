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


def plan(**changes: object) -> CohortPlan:
    values: dict[str, object] = {"subjects": 2, "views": ("090",), "takes": {"nm": 1}, "frames": 5, "train": 1}
    return CohortPlan(**{**values, **changes})  # type: ignore[arg-type]


def write(what: CohortPlan, out: Path) -> tuple[int, int]:
    steps = list(write_cohort(what, out))
    return sum(made for made, _ in steps), sum(kept for _, kept in steps)


def content(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_clips_have_the_form_of_the_field_and_every_draw_its_own_stream() -> None:
    def clip(seed: int, number: int, take: str, *views: str) -> np.ndarray:
        return render_take(seed, person(seed, number), take, views or ["090"], 6)[views[-1] if views else "090"]

    base = clip(0, 1, "nm-01")
    assert (base.shape, base.dtype) == ((6, 64, 64), np.uint8)
    assert (base.max(axis=(1, 2)) > 250).all()
    assert base[:, [0, -1]].any(axis=2).all(), "the crop touches top and bottom"
    assert 0.03 < ((base > 0) & (base < 255)).mean() < 0.07
    for other in (clip(0, 2, "nm-01"), clip(0, 1, "nm-02"), clip(0, 1, "cl-01"), clip(1, 1, "nm-01")):
        assert (base != other).mean() > 0.01
    np.testing.assert_array_equal(clip(0, 1, "bg-01", "000", "126"), clip(0, 1, "bg-01", "126"))


def test_all_cameras_film_one_walk_but_not_with_the_same_noise() -> None:
    clips = render_take(0, person(0, 3), "nm-02", ["000", "180"], 25)
    apart = np.abs(clips["000"].astype(float) - clips["180"][:, :, ::-1])
    assert apart.mean(axis=(1, 2)).max() / 255.0 < 0.15
    assert apart.any()


def test_a_coat_makes_the_outline_wider_and_a_bag_adds_to_it() -> None:
    people = [person(0, number) for number in range(1, 9)]
    normal, bag, coat = (
        np.mean([render_take(0, who, take, ["090"], 5)["090"].mean() for who in people])
        for take in ("nm-01", "bg-01", "cl-01")
    )
    assert bag > 1.03 * normal
    assert coat > 1.10 * normal


def test_the_left_foot_is_ahead_at_phase_0_and_the_right_half_a_cycle_later() -> None:
    for number, take in ((1, "nm-01"), (2, "bg-02"), (3, "cl-23")):
        phase, cycle = true_phase(0, number, take, 60)
        assert np.median(np.diff(phase)) == pytest.approx(1.0 / cycle, rel=0.1)
        who = person(0, number)
        steps = pose_take(0, who, take, 60)
        left, right = (steps.walk.position[:, bone, 1] for bone in (8, 14))
        ahead = right - left  # the walker faces -Y
        assert abs((phase[ahead.argmax()] + 0.5) % 1.0 - 0.5) < 0.08
        assert abs(phase[ahead.argmin()] % 1.0 - 0.5) < 0.08
        np.testing.assert_allclose(steps.points[..., 2].min(axis=1), 0.0, atol=0.06, err_msg="not on the ground")


def test_what_cannot_be_simulated_is_refused() -> None:
    for take in ("nm-00", "xx-01"):
        with pytest.raises(UsageError, match="unknown take"):
            render_take(0, person(0, 1), take, ["090"], 5)
    with pytest.raises(UsageError, match="out of range"):
        render_take(0, person(0, 1), "nm-01", ["090"], FRAMES_MAX + 1)
    for wrong in ({"subjects": 0}, {"frames": 4}, {"train": 3}, {"seed": -1}, {"views": ()}, {"takes": {}}):
        with pytest.raises(UsageError):
            plan(**wrong)


def test_a_rerun_makes_only_what_is_missing_and_a_cohort_may_grow(tmp_path: Path) -> None:
    first = plan(views=("054", "090"), takes={"nm": 1, "cl": 1}, subjects=1)
    assert write(first, tmp_path) == (4, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cohort.json", "partition.json", "pkl"]
    assert set(SilhouetteStore(tmp_path / "pkl").keys()) == first.clips()
    assert Partition.load(tmp_path / "partition.json") == Partition(("sim-001",), ())
    assert read_plan(tmp_path) == first
    assert plan(subjects=1, seed=7).identities() == ["sim7-001"]
    before = content(tmp_path / "pkl")
    SilhouetteStore(tmp_path / "pkl").path(ClipKey("sim-001", "cl-01", "054")).unlink()
    assert write(first, tmp_path) == (1, 3)
    assert content(tmp_path / "pkl") == before
    assert write(plan(views=("054", "090"), takes={"nm": 2, "cl": 1}), tmp_path) == (8, 4)
    assert before.items() <= content(tmp_path / "pkl").items()


def test_people_do_not_change_between_train_and_test(tmp_path: Path) -> None:
    write(plan(subjects=3, train=2), tmp_path)
    before = content(tmp_path)
    for changed, moved in ((plan(subjects=3, train=1), "sim-002"), (plan(subjects=4, train=3), "sim-003")):
        message = rf"1 of its 3 people would change .*\(such as {moved}\).*give --train 2 as before, or another --out"
        with pytest.raises(ConflictError, match=message):
            write(changed, tmp_path)
    assert content(tmp_path) == before


def test_another_cohort_or_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ConflictError, match=r"thesis\.tex"):
        write(plan(), tmp_path)
    write(plan(), tmp_path / "c")
    before = content(tmp_path)
    for other in (plan(seed=1), plan(frames=6), plan(subjects=1)):
        with pytest.raises(ConflictError, match="another cohort"):
            write(other, tmp_path / "c")
    assert content(tmp_path) == before


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cohort.json").write_text('{"subjects": 1, "sead": 2}')
    with pytest.raises(ConflictError, match=r"not a cohort's record: .*cohort\.json.*another --out"):
        write(plan(), tmp_path)

"""Bodies, gait, cameras; the cohort: who is who, whatever else is asked for; and the folder it is written to."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest

from gaitcrafter_ext.errors import ConflictError, UsageError
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.simulation.bodies import Body, drawn_faces, sample_body, skin, skin_points
from gaitcrafter_ext.simulation.camera import MARGIN, SUBPIXELS, fill, project, segmentation_noise, take_bite
from gaitcrafter_ext.simulation.cohort import FRAMES_MAX, body_mesh, person, pose_take, render_take, true_phase
from gaitcrafter_ext.simulation.gait import Gait, evaluate, joint_angles, mean_curve, vary_gait, walk
from gaitcrafter_ext.simulation.writing import CohortPlan, read_plan, write_cohort
from gaitcrafter_ext.vocabulary import ClipKey
from tests.refusals import content_of


@pytest.fixture(scope="module")
def gait() -> Gait:
    return vary_gait(Gait(), np.random.default_rng(0), scale=0.0)


@pytest.fixture(scope="module")
def body() -> Body:
    return sample_body(np.random.default_rng(0))


def test_bodies_stand_on_the_ground_with_hanging_limbs_left_at_plus_x() -> None:
    for seed in range(10):
        body = sample_body(np.random.default_rng(seed))
        assert abs(body.vertices[:, 2].min()) < 0.03
        assert 1.3 < body.vertices[:, 2].max() < 2.2
        for side, sign in (("L", 1.0), ("R", -1.0)):
            for chain in (("thigh", "shank", "foot"), ("upperarm", "forearm", "hand")):
                upper, middle, lower = (body.joint(f"{name}.{side}") for name in chain)
                assert np.abs(upper[:2] - middle[:2]).max() < 0.01
                assert np.abs(middle[:2] - lower[:2]).max() < 0.01
                assert upper[2] > middle[2] > lower[2]
                assert sign * upper[0] > 0


def test_skinning_equals_the_naive_sum(body: Body, gait: Gait) -> None:
    rng = np.random.default_rng(3)
    some = rng.integers(0, len(body.vertices), 30)
    steps = walk(body, gait, 3, rng)
    moved = skin()
    slow = np.zeros((3, 30, 3))
    for t, (n, p) in itertools.product(range(3), enumerate(some)):
        for b, weight in zip(moved.bones[p], moved.weights[p], strict=True):
            arm = body.vertices[p] - body.joints[b]
            slow[t, n] += weight * (steps.world[t, b] @ arm + steps.position[t, b])
    fast = skin_points(body.vertices, moved, body.joints, steps.world, steps.position)[:, some]
    np.testing.assert_allclose(fast, slow, atol=2e-4)  # weights below 1e-4 are left out


def test_joint_curves_stay_in_the_ranges_they_were_set_from_and_steps_have_human_length(body: Body, gait: Gait) -> None:
    phase = np.linspace(0.0, 1.0, 400, endpoint=False)
    hip, knee, ankle = (evaluate(mean_curve(joint), phase) for joint in ("hip", "knee", "ankle"))
    for value, low, high in (
        (hip.max(), 27, 34),
        (hip.min(), -15, -9),
        (knee.max(), 52, 62),
        (knee[phase < 0.3].max(), 13, 22),
        (knee.min(), -3, 5),
        (ankle.max(), 8, 13),
        (ankle.min(), -20, -13),
    ):
        assert low < value < high
    angles = joint_angles(gait, phase)
    for name in ("hip", "knee", "ankle", "arm"):  # the sides are half a cycle apart
        np.testing.assert_allclose(angles[name][:, 0], np.roll(angles[name][:, 1], -200), atol=1e-9, err_msg=name)
    assert np.corrcoef(angles["hip"][:, 0], angles["arm"][:, 0])[0, 1] < -0.7, "arms swing against the legs"
    along_m = walk(body, gait, 50, np.random.default_rng(11)).along_m
    assert 0.9 < (along_m[-1] - along_m[0]) / (49 / 25) < 1.7, "metres a second"


def test_views_show_what_their_names_say() -> None:
    def seen(point: tuple[float, float, float], azimuth_deg: float, along_m: float = 0.0) -> np.ndarray:
        return project(np.array([[point]]), np.array([along_m]), azimuth_deg)[:, 0, 0]

    assert seen((0, -0.2, 1.6), 90)[0] < seen((0, 0.2, 1.6), 90)[0], "from the side the walker faces image left"
    assert seen((0.3, 0, 1), 0)[0] > 0 > seen((0.3, 0, 1), 180)[0]
    assert (np.diff([seen((0, 0, 1), 90, along)[0] for along in (-1.0, 0.0, 1.0)]) < 0).all()
    heights = [seen((0, 0, 0), 0, along)[1] - seen((0, 0, 1.7), 0, along)[1] for along in (-1.0, 0.0, 1.0)]
    assert heights[0] < heights[1] < heights[2], "at view 000 the walker comes nearer"
    assert abs(heights[1] - 128) < 2


def covered(ring: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Pixels whose centre lies in a convex ring of points, [K, 2], in either sense."""
    centres = np.stack(np.indices(shape)[::-1], axis=-1) + np.array([1e-6, 2e-6])
    side = ring[None, None] - centres[:, :, None]
    cross = side[..., 0] * np.roll(side, -1, 2)[..., 1] - side[..., 1] * np.roll(side, -1, 2)[..., 0]
    return (cross > 0).all(-1) | (cross < 0).all(-1)


def test_the_outline_is_that_of_all_front_faces_and_hulls_filled_one_by_one() -> None:
    posed = pose_take(0, person(0, 5), "cl-01", 5)
    flat = project(posed.points, posed.walk.along_m, 54.0) / 3
    faces = drawn_faces()
    mask, points = fill(flat, *body_mesh(), posed.hulls)[2], flat[:, 2].T
    points = np.rint((points - np.floor(points.min(0)) + MARGIN) * SUBPIXELS) / SUBPIXELS
    a, b = (points[faces[:, k]] - points[faces[:, 0]] for k in (1, 2))
    rings = [points[face] for face in faces[a[:, 0] * b[:, 1] < a[:, 1] * b[:, 0]]]
    rings += [cv2.convexHull(points[hull].astype(np.float32))[:, 0] for hull in posed.hulls]
    expected = np.any([covered(ring, mask.shape) for ring in rings], axis=0)
    assert set(np.unique(mask)) == {0, 255}
    assert ((mask > 0) != expected).sum() <= 2  # of about 700 pixels of the walker


def test_noise_stays_at_the_outline_and_a_bite_is_small() -> None:
    mask = cv2.circle(np.zeros((120, 100), np.uint8), (50, 60), 35, 255, -1)
    core, near = (change(mask, np.ones((9, 9), np.uint8)) > 0 for change in (cv2.erode, cv2.dilate))
    rng = np.random.default_rng(1)
    first, second = segmentation_noise(mask, rng), segmentation_noise(mask, rng)
    assert (first != second).any()
    for noisy in (first, second):
        assert (noisy[core] == 255).all()
        assert (noisy[~near] == 0).all()
        assert 5 < (np.abs(noisy.astype(int) - mask) > 127).sum() < 0.05 * (mask > 0).sum()
    assert segmentation_noise(cv2.resize(mask, (800, 960)), rng).shape == (960, 800), "near to the camera"
    bitten = mask.copy()
    take_bite(bitten, rng)
    assert 3 < (bitten != mask).sum() < 120


plan = functools.partial(CohortPlan, subjects=2, views=("090",), takes={"nm": 1}, frames=5, train=1)


def write(what: CohortPlan, out: Path) -> tuple[int, int]:
    made, kept = zip(*write_cohort(what, out), strict=True)
    return sum(made), sum(kept)


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
    for take in ("nm-00", "nm-²", "xx-01"):
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
    made = [ClipKey("sim-001", take, view) for take in ("cl-01", "nm-01") for view in ("054", "090")]
    assert SilhouetteStore(tmp_path / "pkl").keys() == made
    assert Partition.load(tmp_path / "partition.json") == Partition(("sim-001",), ())
    assert read_plan(tmp_path) == first
    assert plan(subjects=1, seed=7).identities() == ["sim7-001"]
    before = content_of(tmp_path / "pkl")
    SilhouetteStore(tmp_path / "pkl").path(made[0]).unlink()
    assert write(first, tmp_path) == (1, 3)
    assert content_of(tmp_path / "pkl") == before
    assert write(plan(views=("054", "090"), takes={"nm": 2, "cl": 1}), tmp_path) == (8, 4)
    assert before.items() <= content_of(tmp_path / "pkl").items()


def test_people_do_not_change_between_train_and_test(tmp_path: Path) -> None:
    write(plan(subjects=3, train=2), tmp_path)
    before = content_of(tmp_path)
    for changed, moved in ((plan(subjects=3, train=1), "sim-002"), (plan(subjects=4, train=3), "sim-003")):
        message = rf"1 of its 3 people would change .*\(such as {moved}\).*give --train 2 as before, or another --out"
        with pytest.raises(ConflictError, match=message):
            write(changed, tmp_path)
    assert content_of(tmp_path) == before


def test_another_cohort_or_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ConflictError, match=r"thesis\.tex"):
        write(plan(), tmp_path)
    write(plan(), tmp_path / "c")
    before = content_of(tmp_path)
    for other in (plan(seed=1), plan(frames=6), plan(subjects=1), plan(takes={"cl": 1}), plan(views=("000",))):
        with pytest.raises(ConflictError, match="another cohort"):
            write(other, tmp_path / "c")
    assert content_of(tmp_path) == before


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cohort.json").write_text('{"subjects": 1, "sead": 2}')
    with pytest.raises(ConflictError, match=r"not a cohort's record: .*cohort\.json.*another --out"):
        write(plan(), tmp_path)

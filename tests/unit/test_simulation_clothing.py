"""Clothes, coats, hair and bags."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gaitcrafter_ext.simulation.bags import BAG_KINDS, Bag, carry, hanging_bag, wear_backpack
from gaitcrafter_ext.simulation.bodies import Body, sample_body
from gaitcrafter_ext.simulation.clothing import (
    COLLARS,
    HAIR_STYLES,
    Coat,
    Dress,
    coat_gait,
    drape_profile,
    dress_body,
    sample_coat,
    sample_dress,
    wear_coat,
    wear_hair,
)
from gaitcrafter_ext.simulation.gait import sample_gait, walk
from gaitcrafter_ext.simulation.shells import Shells, box, ellipsoid, rings, trunk_profile


@pytest.fixture(scope="module")
def body() -> Body:
    return sample_body(np.random.default_rng(0))


@pytest.fixture
def dress() -> Dress:
    return replace(sample_dress(np.random.default_rng(1), "male"), skirt_m=0.0)


@pytest.fixture
def coat() -> Coat:
    return sample_coat(np.random.default_rng(2))


def test_shapes_have_the_sizes_asked_for() -> None:
    np.testing.assert_allclose(np.ptp(box(np.zeros(3), (0.3, 0.2, 0.5)), axis=0), (0.3, 0.2, 0.5))
    np.testing.assert_allclose(np.ptp(ellipsoid(np.zeros(3), (1, 2, 3)), axis=0), (2, 4, 6))
    ring = rings(np.array([[0.2, 0.1, 0.15]]), np.array([1.0]))[0]
    np.testing.assert_allclose((ring[:, 0].max(), ring[:, 1].min(), ring[:, 1].max()), (0.2, -0.1, 0.15))


def test_draped_cloth_never_narrows_on_the_way_down(body: Body) -> None:
    heights = np.linspace(1.3, 0.8, 12)
    assert (np.diff(drape_profile(body, heights, 0.01, 1.0), axis=0) >= -1e-12).all()
    np.testing.assert_allclose(drape_profile(body, heights, 0.01, 0.0), trunk_profile(body, heights) + 0.01)


def test_trousers_are_no_narrower_than_their_leg(body: Body, dress: Dress) -> None:
    vertices = dress_body(body, replace(dress, leg_width_m=0.09), Shells())
    shin = body.rows("shank.L")
    low = shin[body.vertices[shin, 2] < body.joint("foot.L")[2] + 0.1]
    radius = np.linalg.norm(vertices[low, :2] - body.joint("foot.L")[:2], axis=1)
    assert radius.min() > 0.085


def test_a_coat_hides_the_waist_and_part_of_the_legs(body: Body, dress: Dress, coat: Coat) -> None:
    shells = Shells()
    vertices = dress_body(body, dress, shells, coat.thickness_m, coat.sleeve_radius_m)
    wear_coat(body, vertices, replace(coat, hem_m=0.4, belt=0.0, collar="none"), shells)
    points = shells.all_points()
    waist = points[np.abs(points[:, 2] - body.joint("thorax")[2]) < 0.06]
    naked = trunk_profile(body, body.joint("thorax")[2:3])[0, 0]
    assert np.abs(waist[:, 0]).max() > naked + 0.015
    np.testing.assert_allclose(points[:, 2].min(), body.joint("pelvis")[2] - 0.4)
    assert any(np.isin(rows, body.rows("thigh")).any() for rows in shells.body_rows if len(rows))


def test_a_coat_weighs_on_the_gait(coat: Coat) -> None:
    gait = sample_gait(np.random.default_rng(3))
    for seed in range(20):
        heavy = coat_gait(gait, coat, np.random.default_rng(seed))
        assert heavy.hip_gain < gait.hip_gain
        assert (heavy.arm_swing_deg < gait.arm_swing_deg).all()
        assert (heavy.arm_out_deg > gait.arm_out_deg).all()


def test_every_collar_can_be_worn(body: Body, dress: Dress, coat: Coat) -> None:
    counts = {}
    for collar in COLLARS:
        shells = Shells()
        wear_coat(body, dress_body(body, dress, Shells()), replace(coat, collar=collar), shells)
        np.testing.assert_allclose(shells.skin().weights.sum(1), 1.0)
        counts[collar] = shells.count()
    assert [collar for collar in COLLARS if counts[collar] == counts["none"]] == ["none"]


def test_every_hair_style_stays_about_the_head(body: Body) -> None:
    for style in HAIR_STYLES:
        shells = Shells()
        wear_hair(body, style, 0.02, shells)
        assert (shells.count() == 0) == (style == "bald")
        reach = np.abs(shells.all_points() - body.joint("head"))
        assert (reach < (0.2, 0.3, 0.45)).all(), style


def make_bag(kind: str, side: int = 0) -> Bag:
    return Bag(kind, side, (0.12, 0.36, 0.28), 0.0, 0.0, 0.3)


def test_a_hanging_bag_is_on_its_side_and_above_the_ground(body: Body, dress: Dress) -> None:
    vertices = dress_body(body, dress, Shells())
    for kind in BAG_KINDS[1:]:
        for side, sign in ((0, 1.0), (1, -1.0)):
            rng = np.random.default_rng(4)
            bag = make_bag(kind, side)
            steps = walk(body, carry(sample_gait(rng), bag, rng), 25, rng)
            posed = hanging_bag(body, vertices, bag, steps)
            assert sign * posed[..., 0].mean() > 0.08, kind
            assert posed[..., 2].min() > steps.position[..., 2].min(), kind


def test_a_backpack_is_on_the_back(body: Body, dress: Dress) -> None:
    shells = Shells()
    vertices = dress_body(body, dress, Shells())
    wear_backpack(body, vertices, make_bag("backpack"), shells)
    assert shells.all_points()[:, 1].max() > vertices[body.rows("chest", "thorax"), 1].max() + 0.1


def test_a_loaded_arm_swings_less() -> None:
    gait = sample_gait(np.random.default_rng(5))
    for kind in BAG_KINDS:
        loaded = carry(gait, make_bag(kind, side=1), np.random.default_rng(6))
        assert loaded.arm_swing_deg[1] < gait.arm_swing_deg[1], kind

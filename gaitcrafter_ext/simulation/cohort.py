"""A cohort: people drawn by seed, their takes, and what eleven cameras see of each take.

Person ``n`` of a seed is the same whatever the size of the cohort, and a take is the same whichever others are asked
for: every draw is keyed by (seed, person, take) and, for the segmentation noise, by the view too.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.silhouettes.pretreat import align
from gaitcrafter_ext.simulation.bags import Bag, carry, hanging_bag, sample_bag, vary_bag, wear_backpack
from gaitcrafter_ext.simulation.bodies import SOLID, Array, Body, Index, drawn_faces, rows, sample_body, skin_points
from gaitcrafter_ext.simulation.camera import fill, neighbours, project, segmentation_noise
from gaitcrafter_ext.simulation.clothing import Dress, Outfit, coat_gait, sample_coat, sample_dress, vary_dress, wear
from gaitcrafter_ext.simulation.gait import Gait, Walk, vary_gait, walk
from gaitcrafter_ext.vocabulary import CONDITIONS, condition_of, view_deg

#: Changes whenever a rendered byte changes.
COHORT_VERSION = "2"

FRAMES_MIN, FRAMES_MAX = 5, 100

#: How much a person changes from take to take, as a share of the spread between people.
TAKE_SCALE = 0.45

# What a random stream is for; part of its key.
STREAM_PERSON, STREAM_TAKE, STREAM_VIEW = 0, 1, 2


@dataclass(frozen=True)
class Person:
    """Who walks, number from 1, and what stays the same in all takes."""

    number: int
    body: Body
    gait: Gait
    dress: Dress
    bag: Bag


@dataclass(frozen=True)
class PosedTake:
    """A posed take, before any camera."""

    #: Body, what is worn, and what hangs, [T, P, 3], metres.
    points: Array
    #: Rows of ``points``.
    hulls: list[Index]
    walk: Walk


def identity_name(number: int, seed: int = 0) -> str:
    """Name of the n-th person, from 1: ``sim-001`` of seed 0, ``sim7-001`` of seed 7."""
    return f"sim{seed or ''}-{number:03d}"


def person(seed: int, number: int) -> Person:
    """The n-th person of a seed, from 1."""
    rng = np.random.default_rng([seed, number, STREAM_PERSON])
    body = sample_body(rng)
    return Person(number, body, vary_gait(Gait(), rng), sample_dress(rng, body.sex), sample_bag(rng, body.sex))


def take_rng(seed: int, who: Person, take: str, stream: int, *more: int) -> np.random.Generator:
    """A random stream of a take, of which any number from 1 may be asked for."""
    condition, _, number = take.partition("-")
    if condition not in CONDITIONS or not number.isdecimal() or int(number) < 1:
        raise UsageError(f"unknown take '{take}'; allowed: nm, bg or cl and a number from 01, such as nm-07")
    return np.random.default_rng([seed, who.number, stream, CONDITIONS.index(condition), int(number), *more])


def pose_take(seed: int, who: Person, take: str, frames: int) -> PosedTake:
    """Dress and walk one take."""
    rng, condition = take_rng(seed, who, take, STREAM_TAKE), condition_of(take)
    gait, dress = vary_gait(who.gait, rng, TAKE_SCALE), vary_dress(who.dress, rng, TAKE_SCALE)
    outfit, coat, bag = Outfit(who.body), None, None
    if condition == "cl":
        coat = sample_coat(rng)
        gait = coat_gait(gait, coat, rng)
    elif condition == "bg":
        bag = vary_bag(who.bag, rng)
        gait = carry(gait, bag, rng)
    wear(outfit, dress, coat)
    return assemble(outfit, bag, walk(who.body, gait, frames, rng))


def assemble(outfit: Outfit, bag: Bag | None, steps: Walk) -> PosedTake:
    """Skin everything, add the bag, put the lower foot on the ground in each frame."""
    if bag is not None and bag.kind == "backpack":
        wear_backpack(outfit, bag)
    points = skin_points(*outfit.rest(), outfit.body.joints, steps.world, steps.position)
    hulls = [*outfit.hulls, *map(rows, SOLID)]
    if bag is not None and bag.kind != "backpack":
        block = hanging_bag(outfit, bag, steps)
        hulls.append(np.arange(points.shape[1], points.shape[1] + block.shape[1]))
        points = np.concatenate([points, block], axis=1)
    points[..., 2] -= points[:, rows("foot"), 2].min(axis=1)[:, None]
    return PosedTake(points, hulls, steps)


@functools.cache
def body_mesh() -> tuple[Index, Index]:
    """The faces that all bodies share, and their neighbours."""
    return drawn_faces(), neighbours(drawn_faces())


def render_take(seed: int, who: Person, take: str, views: Iterable[str], frames: int) -> dict[str, NDArray[np.uint8]]:
    """Render one take of a :func:`person` of the same seed from several views; all cameras film the same walk.

    The take's number may go beyond CASIA-B's; ``frames`` is 5 to 100, at 25 a second.

    Returns:
        uint8 [frames, 64, 64] by view.

    Raises:
        UsageError: Unknown take, or a length out of range.
    """
    if not FRAMES_MIN <= frames <= FRAMES_MAX:
        raise UsageError(f"frames {frames} is out of range; allowed: {FRAMES_MIN} to {FRAMES_MAX}")
    posed = pose_take(seed, who, take, frames)
    clips = {}
    for view in views:
        degrees = view_deg(view)
        rng = take_rng(seed, who, take, STREAM_VIEW, round(10 * degrees))
        masks = fill(project(posed.points, posed.walk.along_m, degrees), *body_mesh(), posed.hulls)
        aligned = [align(segmentation_noise(mask, rng)) for mask in masks]
        clips[view] = np.stack([frame for frame in aligned if frame is not None])
    return clips


def true_phase(seed: int, number: int, take: str, frames: int) -> tuple[Array, float]:
    """Where in the gait cycle each frame of a take is, the same in all views: the truth for estimates of phase.

    Returns:
        float64 [frames], gait cycles, not wrapped (0, 1, 2, ... at heel strikes of the left foot, a half later those
        of the right), and the mean length of a cycle in frames.
    """
    walked = pose_take(seed, person(seed, number), take, frames).walk
    return walked.phase, walked.cycle_frames

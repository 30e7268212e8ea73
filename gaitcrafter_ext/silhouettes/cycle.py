"""The gait cycle, from silhouettes alone: how long it is, and where in it each frame lies.

*Length* (:func:`cycle_of`). The lower half of the body is fitted by the first four harmonics of a common cycle, all
pixels at once, and the cycle that explains most of their motion is taken: the maximum-likelihood period of a signal in
white noise (Quinn & Hannan, "The Estimation and Tracking of Frequency", 2001), with a slight ridge, because thirty
frames hold little more than one cycle. A straight trend in time is taken off first (walkers come nearer or turn). Seen
from the side left and right steps look alike, so that little but the second and fourth harmonic is there; a cycle is
two steps then too: where the first outweighs the second, it was a step. In a clip of unknown view an F test of the odd
harmonics tells a slow walk of 36 to 44 frames from a run of 18 to 22, which needs 45 frames. Simulated walkers of known
cadence, 30 frames: mean error 0.3 frames from the side and 0.4 to 0.6 obliquely (036-144); 0.7 to 0.9 near the front,
where readings of so short a clip also lean to the middle of the range: :func:`is_reliable_deg` names these views. With
60 frames it is below 0.2 at every view.

*Phase* (:func:`gait_phases`). The legs' horizontal spread peaks twice a cycle, so the second harmonic of the spread
gives the phase up to half a cycle: which foot is in front stays open. The centre of the legs moves once a cycle (sway,
perspective), differently in each view. Over a data set, these first harmonics, turned back by the phase that is known,
are plus or minus one pattern: their first principal component is that pattern, and a take's sign on it tells left from
right. Which foot is "left" stays a convention of the data set. Where the cameras of a take record together, its views
share one cycle and one phase; elsewhere they share the cycle, since a take is one walk. Simulated walkers of known
phase (``docs/results.md``): median error 4 degrees with eleven cameras.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Frames a second of CASIA-B, KTH and the simulated cohort.
FPS = 25

#: Cycles that are looked for, frames: 0.72 to 1.76 seconds.
SHORTEST, LONGEST, STEP = 18.0, 44.0, 0.1

#: A clip must show about a cycle.
FRAMES_MIN = 20

HARMONICS = (1, 2, 3, 4)
RIDGE = 0.02

#: A slow drift beside the steps passes for 3/2 of a cycle: cycles longer than this (1.36 s) must explain so much more,
#: where a clip shows fewer than :data:`ENOUGH` of them.
SLOW, MARGIN, ENOUGH = 34.0, 0.15, 1.4

#: Harmonics of a cycle that its two steps differ by, and the F statistic from which they are taken to be there.
ODD, DIFFERENT = (1, 3), 1.75

#: Within so many degrees of walking straight at or from the camera, legs hide each other.
FRONTAL_DEG = 20.0

#: Within so many degrees of walking straight past the camera, left and right steps look alike.
SIDE_DEG = 25.0

#: First row of the legs.
LEGS = 44


class Cycle(NamedTuple):
    """Length of a clip's gait cycle (both steps), frames, and the share of the lower body's motion that it explains."""

    frames: float
    strength: float


class GaitPhases(NamedTuple):
    """Phases of n clips: frame ``f`` of clip ``i`` has the phase ``2 pi f / cycle[i] + start[i]``, radians.

    Both float64 [n], NaN where it cannot be known; phase 0 is where the legs are farthest apart.
    """

    cycle: Floats
    start: Floats


def is_reliable_deg(degrees: float | None) -> bool:
    """Whether a cycle can be read from a view: not within 20 degrees of 0 or 180. Unknown angles (None, NaN) pass."""
    if degrees is None or math.isnan(degrees):
        return True
    turned = degrees % 180.0
    return min(turned, 180.0 - turned) > FRONTAL_DEG


def is_from_the_side(degrees: float) -> bool:
    """Whether a view is within 25 degrees of 90 or 270; NaN is not."""
    return abs(degrees % 180.0 - 90.0) <= SIDE_DEG


def cycle_of(frames: NDArray[np.uint8], view_deg: float | None = None) -> Cycle:
    """Gait cycle of a clip, uint8 [T, h, w], 0-255, the body upright; 32 x 32 is fine enough.

    ``view_deg`` helps to tell a cycle from one of its steps; None or NaN where it is unknown.

    Returns:
        The cycle to a fraction of a frame; NaN and strength 0 for fewer than 20 frames or none that move.
    """
    if len(frames) < FRAMES_MIN:
        return Cycle(math.nan, 0.0)
    legs = frames[:, frames.shape[1] // 2 :].reshape(len(frames), -1).astype(np.float64) / 255.0
    lengths, straight, waves = _waves(len(frames))
    legs = legs - straight @ (straight.T @ legs)
    products = legs @ legs.T
    total = float(np.trace(products))
    if total < 1e-9 * legs.size:
        return Cycle(math.nan, 0.0)
    explained = _energy(products, waves) / total
    best = int((explained - MARGIN * (lengths > max(SLOW, len(frames) / ENOUGH))).argmax())
    if 2 * lengths[best] <= LONGEST and _is_a_step(products, straight, float(lengths[best]), view_deg):
        best = int(np.abs(lengths - 2 * lengths[best]).argmin())
    best = _uphill(explained, best)
    return Cycle(float(lengths[best]), float(explained[best]))


def _is_a_step(products: Floats, straight: Floats, length: float, view_deg: float | None) -> bool:
    """Whether a cycle that was found is half of one. From oblique views that does not happen: their steps differ."""
    if view_deg is None or math.isnan(view_deg):
        return _steps_differ(products, straight, 2 * length)
    first, second = (_energy(products, _basis(straight, length, (harmonic,))) for harmonic in (1, 2))
    return is_from_the_side(view_deg) and bool(first > second)


def _steps_differ(products: Floats, straight: Floats, length: float) -> bool:
    """Whether every second step of a cycle of some length differs from the first: an F test of its odd harmonics.

    ``products`` [T, T] are those of the frames, ``straight`` [T, 2] is the trend that was taken off.
    """
    even = tuple(2 * harmonic for harmonic in HARMONICS)
    alike, total = _energy(products, _basis(straight, length, even)), float(np.trace(products))
    odd = _energy(products, _basis(straight, length, (*ODD, *even))) - alike
    left = len(products) - straight.shape[1] - 2 * len(even)
    return bool(odd / (2 * len(ODD)) > DIFFERENT * (total - alike) / left)


def _energy(products: Floats, waves: Floats) -> Floats:
    """How much of the frames' energy waves [..., T, 2 H] explain: [...]."""
    return np.asarray(((products @ waves) * waves).sum(axis=(-2, -1)))


def _uphill(values: Floats, place: int) -> int:
    """The local maximum that ``place`` lies below."""
    while True:
        near = range(max(0, place - 1), min(len(values), place + 2))
        higher = max(near, key=values.__getitem__)
        if values[higher] <= values[place]:
            return place
        place = higher


@functools.lru_cache(maxsize=64)
def _waves(count: int) -> tuple[Floats, Floats, Floats]:
    """Candidate cycles [C], the trend's orthonormal basis [T, 2], and the harmonics of each candidate [C, T, 8]."""
    time = np.arange(count) - (count - 1) / 2
    straight, _ = np.linalg.qr(np.stack([np.ones(count), time], axis=1))
    lengths = np.round(np.arange(SHORTEST, LONGEST + STEP / 2, STEP), 1)
    return lengths, straight, np.stack([_basis(straight, length, HARMONICS) for length in lengths.tolist()])


def _basis(straight: Floats, length: float, harmonics: Sequence[int]) -> Floats:
    """Harmonics of a cycle beside a straight trend: W [T, 2 H], of which |W' x|^2 is the energy of the ridge fit."""
    time = np.arange(len(straight)) - (len(straight) - 1) / 2
    phase = 2 * np.pi * time[:, None] * np.array(harmonics) / length
    waves = np.concatenate([np.cos(phase), np.sin(phase)], axis=1)
    waves -= straight @ (straight.T @ waves)
    gram = waves.T @ waves + RIDGE * len(time) / 2 * np.eye(waves.shape[1])
    return np.asarray(waves @ np.linalg.cholesky(np.linalg.inv(gram)))


def gait_phases(
    clips: Sequence[NDArray[np.uint8]],
    take: NDArray[np.int64],
    view: NDArray[np.int64],
    view_deg: NDArray[np.float32],
    shared_clock: bool,
) -> GaitPhases:
    """Estimate the phases of a data set's clips, uint8 [T, h, w] each, aligned.

    Args:
        clips: The n clips.
        take: [n], number of the walk that a clip shows; clips of one walk share its cycle.
        view: [n], number of the view.
        view_deg: [n], degrees; NaN where unknown.
        shared_clock: Whether clips of one walk, where they are equally long, begin at the same moment.
    """
    n, takes = len(clips), int(take.max(initial=-1)) + 1
    reliable = np.array([is_reliable_deg(float(degrees)) for degrees in view_deg], dtype=bool)
    joint = _share_a_clock(clips, take, takes) if shared_clock else np.zeros(takes, dtype=bool)
    cycle = _cycles(clips, take, view_deg, reliable, joint)[take]
    first, second = np.zeros(n, np.complex128), np.zeros(n, np.complex128)
    for index in np.flatnonzero(np.isfinite(cycle)).tolist():
        first[index], second[index] = _leg_harmonics(clips[index], float(cycle[index]))
    summed = np.zeros(takes, np.complex128)
    np.add.at(summed, take[reliable], second[reliable])
    half = np.angle(np.where(joint[take], summed[take], second)) / 2
    turned = first * np.exp(-1j * half)
    sign = np.ones(n)
    together, apart = joint[take], ~joint[take]
    if together.any():
        pattern = np.zeros((takes, int(view.max()) + 1), np.complex128)
        pattern[take[together], view[together]] = turned[together]
        sign[together] = _signs(pattern)[take[together]]
    for number in np.unique(view[apart]):
        mine = apart & (view == number)
        sign[mine] = _signs(turned[mine, None])
    peak = half + np.pi * (sign < 0)
    return GaitPhases(cycle, np.where(np.isfinite(cycle), -peak, np.nan))


def _leg_harmonics(clip: NDArray[np.uint8], cycle: float) -> tuple[complex, complex]:
    """First harmonic of the legs' centre and second of their spread, ``amplitude * exp(i * phase of the peak)``."""
    mass = clip[:, LEGS * clip.shape[1] // 64 :].sum(axis=1, dtype=np.float64)
    columns, total = np.arange(mass.shape[1]), mass.sum(axis=1) + 1e-6
    centre = mass @ columns / total
    spread = np.sqrt((mass * (columns - centre[:, None]) ** 2).sum(axis=1) / total)
    return _harmonic(centre, cycle, 1), _harmonic(spread, cycle, 2)


def _harmonic(signal: Floats, cycle: float, multiple: int) -> complex:
    """Least-squares amplitude of one harmonic beside a straight trend."""
    time = np.arange(len(signal), dtype=np.float64)
    angle = 2 * np.pi * multiple * time / cycle
    basis = np.stack([np.ones_like(time), time - time.mean(), np.cos(angle), np.sin(angle)], axis=1)
    return complex(*np.linalg.lstsq(basis, signal, rcond=None)[0][2:])


def _share_a_clock(clips: Sequence[NDArray[np.uint8]], take: NDArray[np.int64], takes: int) -> NDArray[np.bool_]:
    """Which takes have views of one length: others were cut view by view and do not begin together."""
    shortest, longest = np.full(takes, np.inf), np.zeros(takes)
    lengths = np.array([len(clip) for clip in clips], dtype=np.float64)
    np.minimum.at(shortest, take, lengths)
    np.maximum.at(longest, take, lengths)
    return np.asarray(shortest == longest)


def _cycles(
    clips: Sequence[NDArray[np.uint8]],
    take: NDArray[np.int64],
    view_deg: NDArray[np.float32],
    reliable: NDArray[np.bool_],
    joint: NDArray[np.bool_],
) -> Floats:
    """Gait cycle of each take: of its views together where they share a clock, else the median of its views."""
    found = np.full(len(joint), np.nan)
    order = np.flatnonzero(reliable)[np.argsort(take[reliable], kind="stable")]
    for chosen in np.split(order, np.flatnonzero(np.diff(take[order])) + 1) if len(order) else ():
        number, seen = take[chosen[0]], view_deg[chosen].tolist()
        shown = [clips[index][:, ::2, ::2] for index in chosen]
        if joint[number]:  # an oblique view tells left from right for all
            shown, seen = [np.concatenate(shown, axis=2)], [seen[0] if all(map(is_from_the_side, seen)) else math.nan]
        each = [cycle for pair in zip(shown, seen, strict=True) if math.isfinite(cycle := cycle_of(*pair).frames)]
        found[number] = np.median(each) if each else np.nan
    return found


def _signs(pattern: NDArray[np.complex128]) -> Floats:
    """Sign of each row [n, views] on the first principal component; the component's own sign is that of its sum."""
    real = np.concatenate([pattern.real, pattern.imag], axis=1)
    component = np.linalg.eigh(real.T @ real)[1][:, -1]
    component *= 1.0 if component.sum() >= 0 else -1.0
    return np.asarray(np.where(real @ component < 0, -1.0, 1.0))

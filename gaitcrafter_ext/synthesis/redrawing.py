"""Clips that walk too fast or too slowly are drawn again, with other noise.

Seen from the side, one clip in five of the bundled weights walks faster than nearly every training clip: a mistake,
not a person's gait, for it comes and goes with the noise. Drawing again until the gait cycle lies in the range of the
training clips is rejection sampling: among clips that walk as people do, shares stay as they were. Other mistakes stay,
too. The cycle is read as the audit reads it: what the audit says of cadence was in part selected for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.generator.card import Card
from gaitcrafter_ext.generator.shape import TILE
from gaitcrafter_ext.silhouettes.cycle import cycle_of, is_reliable_deg
from gaitcrafter_ext.synthesis.plan import ClipRequest, Redraws, Sampling, noise_key

__all__ = ["MOST_REDRAWS", "ClipSampler", "Drawn", "draw", "draw_all", "redraws_of", "strangeness"]

#: Makes clips, uint8 [n, T, 64, 64], of n requests; a clip depends on its own request alone.
ClipSampler = Callable[[Sequence[ClipRequest]], NDArray[np.uint8]]

#: A clip that is still strange then is not worth more.
MOST_REDRAWS = 100


@dataclass(frozen=True)
class Drawn:
    """A clip, drawn once or several times.

    Attributes:
        request: What was asked for.
        draws: How often it was drawn.
        frames: The first of its least strange draws, uint8 [T, 64, 64].
        strange: How strange that is, see ``strangeness``.
    """

    request: ClipRequest
    draws: int = 0
    frames: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 64, 64), np.uint8))
    strange: float = float("inf")

    @property
    def wanted(self) -> ClipRequest:
        """What to make next."""
        return replace(self.request, seed=noise_key(self.request.seed, self.draws)) if self.draws else self.request

    def seen(self, frames: NDArray[np.uint8], redraws: Redraws | None) -> Drawn:
        """After one more draw."""
        strange = strangeness(frames, self.request.view_deg, redraws) if redraws else 0.0
        if self.draws and strange >= self.strange:
            return replace(self, draws=self.draws + 1)
        return Drawn(self.request, self.draws + 1, frames, strange)

    def stays(self, redraws: Redraws | None) -> bool:
        """Whether it is drawn no more."""
        return self.strange == 0.0 or redraws is None or self.draws > redraws.times


def redraws_of(asked: int | None, card: Card, option: str) -> Redraws | None:
    """What to draw again, and how often: as asked, else as the weights choose.

    Args:
        asked: How often; None leaves it to the weights.
        card: Of the weights.
        option: Where it was asked, for the message.

    Raises:
        UsageError: It is out of range, or the weights do not say how fast their people walk.
    """
    times = card.sampling.redraws if asked is None else asked
    if not 0 <= times <= MOST_REDRAWS:
        raise UsageError(f"{option}: {times}; allowed: 0 to {MOST_REDRAWS}")
    if asked and card.gait_cycle is None:
        raise UsageError(
            f"{option}: {asked}; these weights do not say how long a gait cycle of their people is (they are older than"
            " this option, or know frontal views alone); allowed: 0, or weights trained anew"
        )
    return Redraws(times, *card.gait_cycle) if times and card.gait_cycle else None


def draw(requests: Sequence[ClipRequest], sample: ClipSampler, sampling: Sampling, size: int = TILE) -> Iterator[Drawn]:
    """Make clips, some of them several times; each comes as soon as it stays.

    What becomes of a clip depends on its own request alone, whatever it is drawn with.

    Args:
        requests: What to make.
        sample: Makes clips.
        sampling: Says what is drawn again.
        size: Clips to make at once; new draws fill up what is made next.

    Yields:
        Every clip; without redraws in the order of the requests.
    """
    fresh, again = deque(Drawn(request) for request in requests), deque[Drawn]()
    while fresh or again:
        batch = [(again or fresh).popleft() for _ in range(min(size, len(again) + len(fresh)))]
        clips = sample([each.wanted for each in batch])
        for each, frames in zip(batch, clips, strict=True):
            drawn = each.seen(frames, sampling.redraws)
            if drawn.stays(sampling.redraws):
                yield drawn
            else:
                again.append(drawn)


def draw_all(requests: Sequence[ClipRequest], sample: ClipSampler, sampling: Sampling) -> NDArray[np.uint8]:
    """The clips of ``draw`` in the order of the requests: uint8 [n, T, 64, 64]."""
    found = {drawn.request.key: drawn.frames for drawn in draw(requests, sample, sampling)}
    return np.stack([found[request.key] for request in requests])


def strangeness(frames: NDArray[np.uint8], view_deg: float | None, redraws: Redraws) -> float:
    """How many frames the gait cycle lies outside the training clips' range; 0 also where the view does not tell.

    Infinite for a clip that does not move.
    """
    if not is_reliable_deg(view_deg):
        return 0.0
    cycle = cycle_of(frames).frames
    return float("inf") if np.isnan(cycle) else float(max(0.0, redraws.shortest - cycle, cycle - redraws.longest))

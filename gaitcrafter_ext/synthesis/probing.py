"""Trial clips: a few of each person, made and embedded before it is known whether that person stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.generator.card import Vocabulary
from gaitcrafter_ext.metrics.features import Features
from gaitcrafter_ext.synthesis.frozen import Probes
from gaitcrafter_ext.synthesis.plan import ClipRequest, clip_seed
from gaitcrafter_ext.vocabulary import ClipKey, take_names, view_deg

__all__ = ["Trier", "choose_probes", "try_out"]

#: Makes the clips of some requests and embeds them: float32 [n, channels, parts].
Trier = Callable[[Sequence[ClipRequest]], NDArray[np.float32]]

#: Takes of each trial person.
TAKES = 2

#: The condition that people are judged by, where the weights know it: nothing hides the body.
PLAIN = "nm"


def choose_probes(words: Vocabulary, calibrated: tuple[str, ...]) -> Probes:
    """Two takes of plain walking at the views that the thresholds were calibrated on, or those nearest to them.

    Args:
        words: What the weights can be asked for.
        calibrated: View names of the calibration.
    """
    condition = PLAIN if PLAIN in words.conditions else words.conditions[0]
    views: dict[str, float | None] = {}
    for wanted in calibrated:
        left = [name for name in words.views if name not in views]
        if left:
            best = min(left, key=lambda name: _distance(words.views[name], wanted))
            views[best] = words.views[best]
    return Probes(tuple(take_names({condition: TAKES}, [condition])), views)


def try_out(people: Mapping[str, Mapping[str, float]], probes: Probes, seed: int, tries: Trier) -> Features:
    """Make and embed the trial clips of some people.

    A trial clip has the noise of the clip of that name in a run of the same seed: what is judged is what is delivered.

    Args:
        people: Name -> recipe.
        probes: Which clips.
        seed: Of the run.
        tries: Makes and embeds clips.
    """
    cells = [ClipKey(*cell) for cell in product(people, probes.takes, probes.views)]
    recipes = [people[key.identity] for key in cells]
    requests = [
        ClipRequest(key, recipe, probes.views[key.view], clip_seed(seed, key, recipe))
        for key, recipe in zip(cells, recipes, strict=True)
    ]
    return Features(
        tries(requests),
        np.array([key.identity for key in cells], dtype=str),
        np.array([key.take for key in cells], dtype=str),
        np.array([key.view for key in cells], dtype=str),
    )


def _distance(degrees: float | None, wanted: str) -> float:
    """Degrees between a view and the one wanted; views without an angle are all alike."""
    return 360.0 if degrees is None else abs(degrees - view_deg(wanted))

"""Clips that walk strangely are drawn again: which, how often, and with what noise."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError, UsageError
from gaitcrafter_ext.generator.card import Card, SamplingDefaults, TrainedOn, Vocabulary
from gaitcrafter_ext.silhouettes import cycle as cycle_module
from gaitcrafter_ext.silhouettes.cycle import Cycle
from gaitcrafter_ext.synthesis import redrawing
from gaitcrafter_ext.synthesis.plan import ClipRequest, Plan, Redraws, Sampling, noise_key
from gaitcrafter_ext.synthesis.redrawing import draw, draw_all, redraws_of, strangeness
from gaitcrafter_ext.vocabulary import ClipKey
from tests.stick_walkers import stick_clip
from tests.synthesis_fakes import small_plan

AGAIN = Redraws(2, 25.0, 30.0)
SAMPLING = Sampling("euler", 8, 2.0, 30, 0, redraws=AGAIN)
REQUESTS = [ClipRequest(ClipKey(f"syn-{seed:04d}", "nm-01", "090"), {}, 90.0, seed) for seed in range(1, 6)]


class Drawer:
    """Draws walkers whose gait cycle is looked up by the seed, 27 frames where it is not named."""

    def __init__(self, cycles: dict[int, float]) -> None:
        self.cycles, self.calls = cycles, list[list[int]]()

    def __call__(self, requests: Sequence[ClipRequest]) -> NDArray[np.uint8]:
        self.calls.append([int(each.key.identity[-1]) for each in requests])
        return np.stack([stick_clip(0, self.cycles.get(each.seed, 27.0), 30) for each in requests])


def test_clips_that_walk_as_people_do_are_drawn_once() -> None:
    draws = Drawer({})
    clips = draw_all(REQUESTS, draws, SAMPLING)
    assert draws.calls == [[1, 2, 3, 4, 5]]
    assert np.array_equal(clips, Drawer({})(REQUESTS))


def test_without_redraws_nothing_is_judged() -> None:
    draws = Drawer({2: 20.0})
    made = list(draw(REQUESTS, draws, Sampling("euler", 8, 2.0, 30, 0), size=2))
    assert [drawn.request for drawn in made] == REQUESTS
    assert draws.calls == [[1, 2], [3, 4], [5]]


def test_only_strange_clips_are_drawn_again_until_they_are_not() -> None:
    draws = Drawer({2: 20.0, 4: 36.0, noise_key(4, 1): 21.0})
    clips = draw_all(REQUESTS, draws, SAMPLING)
    assert draws.calls == [[1, 2, 3, 4, 5], [2, 4], [4]]
    assert [strangeness(frames, 90.0, AGAIN) for frames in clips] == [0.0] * 5


def test_new_draws_fill_up_what_is_made_next() -> None:
    draws = Drawer({1: 20.0, noise_key(1, 1): 20.0})
    made = [(drawn.request.seed, drawn.draws) for drawn in draw(REQUESTS, draws, SAMPLING, size=2)]
    assert draws.calls == [[1, 2], [1, 3], [1, 4], [5]]
    assert made == [(2, 1), (3, 1), (1, 3), (4, 1), (5, 1)]


def test_the_least_strange_draw_stays_where_all_are() -> None:
    cycles = {1: 20.0, noise_key(1, 1): 23.0, noise_key(1, 2): 19.0}
    [drawn] = draw(REQUESTS[:1], Drawer(cycles), SAMPLING)
    assert np.array_equal(drawn.frames, stick_clip(0, 23.0, 30))
    assert 1.0 < drawn.strange < 3.0


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_clip_depends_on_its_own_request_alone(size: int) -> None:
    cycles = {2: 20.0, 4: 20.5, noise_key(4, 1): 20.0, noise_key(2, 1): 26.0}
    together = dict(zip(range(1, 6), draw_all(REQUESTS, Drawer(cycles), SAMPLING), strict=True))
    for drawn in draw(REQUESTS[::-1], Drawer(cycles), SAMPLING, size):
        assert np.array_equal(drawn.frames, together[drawn.request.seed])


def test_frontal_views_are_not_judged_and_still_clips_are_strangest() -> None:
    fast, still = stick_clip(0, 20.0, 30), np.repeat(stick_clip(0, 27.0, 30)[:1], 30, axis=0)
    assert strangeness(fast, 0.0, AGAIN) == 0.0
    assert 4.0 < strangeness(fast, None, AGAIN) < 6.0
    assert strangeness(still, 90.0, AGAIN) == float("inf")


@pytest.mark.parametrize("cycle", [25.0, 25.1, 29.9, 30.0])
def test_the_range_includes_its_ends(monkeypatch: pytest.MonkeyPatch, cycle: float) -> None:
    lengths = cycle_module._waves(30)[0]
    read = Cycle(float(lengths[np.abs(lengths - cycle).argmin()]), 1.0)
    monkeypatch.setattr(redrawing, "cycle_of", lambda frames: read)
    assert strangeness(stick_clip(0, 27.0, 30), 90.0, AGAIN) == 0.0


def test_new_draws_have_noise_of_their_own() -> None:
    seeds = {noise_key(seed, attempt) for seed in range(50) for attempt in (1, 2, 3)}
    assert len(seeds) == 150
    assert all(0 <= seed < 2**63 for seed in seeds)


def card(gait_cycle: tuple[float, float] | None, redraws: int = 0) -> Card:
    words = Vocabulary(("sim-001",), ("nm",), {"090": 90.0})
    return Card(words, TrainedOn("x", "0", ()), SamplingDefaults(redraws=redraws), {}, "0" * 64, gait_cycle)


def test_the_weights_choose_unless_asked_and_must_know_how_people_walk() -> None:
    usual = (25.0, 30.0)
    assert redraws_of(None, card(usual, 2), "--redraws") == AGAIN
    assert redraws_of(3, card(usual), "--redraws") == Redraws(3, *usual)
    for asked, weights in ((0, card(usual, 2)), (0, card(None)), (None, card(None)), (None, card(None, 2))):
        assert redraws_of(asked, weights, "--redraws") is None
    with pytest.raises(UsageError, match="--redraws: 101; allowed: 0 to 100"):
        redraws_of(101, card(usual), "--redraws")
    with pytest.raises(UsageError, match="--redraws: 3; these weights do not say how long a gait cycle"):
        redraws_of(3, card(None), "--redraws")


@pytest.mark.parametrize(
    "redraws",
    [{"times": "2", "shortest": 1, "longest": 2}, {"times": 2, "shortest": 3, "longest": 2}, [2], {"times": 2}],
)
def test_a_plan_with_broken_redraws_is_none(redraws: object) -> None:
    text = (
        small_plan().to_json().replace('"precision": "fp32"', f'"precision": "fp32", "redraws": {json.dumps(redraws)}')
    )
    with pytest.raises(DataError, match="not a plan"):
        Plan.from_json(text)


def test_without_redraws_a_plan_reads_as_before() -> None:
    plain = Sampling("euler", 8, 2.0, 30, 0)
    assert "redraws" not in plain.facts()
    assert Sampling.from_facts(plain.facts()) == plain
    assert Sampling.from_facts(json.loads(json.dumps(SAMPLING.facts()))) == SAMPLING

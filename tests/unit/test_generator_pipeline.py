"""The pipeline: the same clip however it is asked for, of any length, and what is refused."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from gaitcrafter_ext.errors import DataError, UsageError, WeightsError
from gaitcrafter_ext.generator.framework import DiffusionPipeline
from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline, SampleRequest
from gaitcrafter_ext.generator.postprocess import FINE, STEEP, _in_pieces, clean_mask, postprocess, ragged
from gaitcrafter_ext.generator.sampling import FRAMES, LONGEST, SHORTEST, windows
from gaitcrafter_ext.generator.weights import SamplingDefaults, read_card
from tests.tiny import PEOPLE, tiny_pipeline

Denoise = Callable[..., torch.Tensor]


@pytest.fixture(scope="module")
def pipeline() -> GaitCrafterPipeline:
    return tiny_pipeline()


@pytest.fixture
def answering(pipeline: GaitCrafterPipeline, monkeypatch: pytest.MonkeyPatch) -> Callable[[Denoise], None]:
    return lambda denoise: monkeypatch.setattr(pipeline.denoiser, "forward", denoise)


def _requests(count: int) -> list[SampleRequest]:
    return [
        SampleRequest({PEOPLE[index % 2]: 1.0}, ("nm", "cl")[index % 2], 90.0 * (index % 2), seed=index)
        for index in range(count)
    ]


def test_a_clip_is_the_same_in_any_batch_order_and_number(pipeline: GaitCrafterPipeline) -> None:
    requests = _requests(3)  # the first and the last one differ in their seeds alone
    for frames, steps, sampler in ((30, 2, "euler"), (30, 2, "dpm++2m"), (30, 2, "unipc"), (60, 1, "euler")):
        together = pipeline(requests, frames, steps, sampler).clips
        backwards = pipeline(requests[::-1], frames, steps, sampler, batch_size=2).clips[::-1]
        assert np.array_equal(together, backwards)
        assert not np.array_equal(together[0], together[2])
    assert np.array_equal(together[1:2], pipeline(requests[1:2], frames, steps, sampler).clips)
    assert pipeline([], 45).clips.shape == (0, 45, 64, 64)


def test_batches_side_by_side_leave_the_number_of_threads_as_it_was(pipeline: GaitCrafterPipeline) -> None:
    before = torch.get_num_threads()
    together = pipeline(_requests(3), batch_size=1, steps=1).clips
    assert torch.get_num_threads() == before
    torch.set_num_threads(before + 2)  # more batches at once
    try:
        assert np.array_equal(pipeline(_requests(3), batch_size=1, steps=1).clips, together)
        assert torch.get_num_threads() == before + 2
    finally:
        torch.set_num_threads(before)


def test_windows_cover_every_frame_and_follow_one_another_closely() -> None:
    for frames in range(SHORTEST, LONGEST + 1):
        starts = windows(frames)
        assert starts[0] == 0
        assert starts[-1] == max(0, frames - FRAMES)
        assert all(0 < after - before <= FRAMES // 2 for before, after in itertools.pairwise(starts))
    assert len(windows(90)) <= 6


def test_clips_of_any_length_have_no_seam(pipeline: GaitCrafterPipeline, answering: Callable[[Denoise], None]) -> None:
    """The denoiser answers with its conditioning: a bar whose edge lies where the phase says."""
    columns = torch.arange(48.0)

    def bar(phase: torch.Tensor) -> torch.Tensor:
        return (0.2 * (10 * torch.cos(phase)[..., None] + 8 - (columns - 24).abs())).clamp(-1, 1)

    answering(lambda x_t, t, code, condition, view_deg, phase: bar(phase)[:, :, None].expand_as(x_t))
    for frames in (SHORTEST, 31, 90):
        clips = pipeline([replace(_requests(1)[0], cycle=27.0, start=0.5)], frames, steps=2, guidance=1.0).clips
        phase = 2 * math.pi * torch.arange(frames, dtype=torch.float64) / 27 + 0.5
        expected = postprocess(bar(phase.float())[:, None].expand(frames, 64, 48))
        assert clips.shape == (1, frames, 64, 64)
        assert np.abs(clips[0].astype(int) - expected)[:, 3:-3].max() <= 1  # the outermost rows are ragged


def test_phases_and_codes_are_the_requests_or_the_persons(
    pipeline: GaitCrafterPipeline, answering: Callable[[Denoise], None]
) -> None:
    codes, phases = list[torch.Tensor](), list[torch.Tensor]()

    def denoise(x_t: torch.Tensor, t: torch.Tensor, code: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
        codes.append(code[0])
        phases.append(rest[-1][0])
        return x_t

    answering(denoise)
    one, coded = _requests(1)[0], replace(_requests(1)[0], weights={}, code=(1.0, -2.0, 0.5, 0.0))
    others = {"cl": 3.0}
    slow, coat = replace(one, cycle=30.0, start=1.0), replace(one, condition="cl")
    for request, scale in ((one, 1.0), (slow, 2.0), (one, None), (coded, 2.0), (one, others), (coat, others)):
        pipeline([request], steps=1, guidance=1.0, identity_scale=scale)
    time = torch.arange(30.0)
    torch.testing.assert_close(phases[0], 2 * math.pi * time / 24)
    torch.testing.assert_close(phases[1], 2 * math.pi * time / 30 + 1)
    assert phases[3].isnan().all()
    torch.testing.assert_close(codes[1], 2 * codes[0])  # away from the average person
    torch.testing.assert_close(codes[2], SamplingDefaults.identity_scale * codes[0])
    assert codes[3].tolist() == [2.0, -4.0, 1.0, 0.0]
    torch.testing.assert_close(codes[4], codes[0])  # a condition that the mapping does not name
    torch.testing.assert_close(codes[5], 3 * codes[0])


def test_weights_have_defaults(pipeline: GaitCrafterPipeline) -> None:
    clips = pipeline(_requests(1)).clips
    assert np.array_equal(clips, pipeline(_requests(1), steps=3, sampler="euler", guidance=2.25).clips)
    assert not np.array_equal(clips, pipeline(_requests(1), steps=3, guidance=1).clips)


@pytest.mark.filterwarnings("ignore:`torch_dtype` is deprecated")
def test_weights_are_saved_and_loaded_in_half_precision_too(pipeline: GaitCrafterPipeline, tmp_path: Path) -> None:
    pipeline.save_pretrained(tmp_path / "weights")
    loaded = GaitCrafterPipeline.from_pretrained(tmp_path / "weights")
    assert isinstance(loaded, DiffusionPipeline)
    assert loaded.card == pipeline.card == read_card(tmp_path / "weights")
    assert loaded.identities == PEOPLE
    full = pipeline(_requests(2), steps=1).clips
    assert np.array_equal(loaded(_requests(2), steps=1).clips, full)
    loaded.save_pretrained(tmp_path / "again")
    assert read_card(tmp_path / "again").fingerprint == pipeline.card.fingerprint
    halves = (loaded.to(torch.float16), GaitCrafterPipeline.from_pretrained(tmp_path / "again", dtype=torch.float16))
    for half in halves:
        assert half.denoiser.dtype == half.people.dtype == torch.float16
        assert np.abs(half(_requests(2), steps=1).clips - full.astype(int)).mean() < 1.0
    assert np.abs(pipeline(_requests(2), steps=1, precision="bf16").clips - full.astype(int)).mean() < 8.0


def test_a_pipeline_made_of_parts_needs_a_card_to_be_saved(pipeline: GaitCrafterPipeline, tmp_path: Path) -> None:
    parts = GaitCrafterPipeline(**pipeline.components)
    request = replace(_requests(1)[0], cycle=24.0)
    assert np.array_equal(parts([request], steps=1).clips, pipeline([request], steps=1).clips)
    with pytest.raises(UsageError, match=r"has no card; set pipeline\.card first"):
        parts.save_pretrained(tmp_path / "weights")
    assert not (tmp_path / "weights").exists()


def test_requests_and_options_that_the_weights_cannot_serve_are_refused(pipeline: GaitCrafterPipeline) -> None:
    (request,) = _requests(1)
    for message, changed, options in (
        ("identity 'sim-01' is unknown to these weights; did you mean 'sim-001'", {"weights": {"sim-01": 1.0}}, {}),
        ("weights: .*finite numbers from 0", {"weights": {PEOPLE[0]: -0.5, PEOPLE[1]: 1.5}}, {}),
        ("condition 'bg' is unknown to these weights", {"condition": "bg"}, {}),
        ("code: 2 numbers; expected 4", {"code": (0.0, 1.0)}, {}),
        ("cycle: 0.0 frames asked for", {"cycle": 0.0}, {}),
        ("frames: 19; allowed: 20 to 600", {}, {"frames": 19}),
        ("steps: 0 asked for; allowed: 1 or more", {}, {"steps": 0}),
        ("guidance: -1.0 asked for", {}, {"guidance": -1.0}),
        ("identity_scale: condition 'coat' is unknown to these weights", {}, {"identity_scale": {"coat": 2.0}}),
        ("unknown 'ddim'", {}, {"sampler": "ddim"}),
        ("precision: unknown 'fp8'", {}, {"precision": "fp8"}),
    ):
        with pytest.raises(UsageError, match=message):
            pipeline([replace(request, **changed)], **options)


def test_damaged_weights_are_refused_in_one_line(pipeline: GaitCrafterPipeline, tmp_path: Path) -> None:
    pipeline.save_pretrained(tmp_path)
    for name, content, message in (
        ("model_index.json", b"[]", "the weights do not load"),
        ("people/diffusion_pytorch_model.safetensors", b"{", "truncated or changed; copy it again"),
    ):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content)
        with pytest.raises(WeightsError, match=message) as caught:
            GaitCrafterPipeline.from_pretrained(tmp_path)
        assert "\n" not in str(caught.value)
        (tmp_path / name).write_bytes(whole)
    GaitCrafterPipeline.from_pretrained(tmp_path)


def answer(top: int = 0, bottom: int = 64) -> torch.Tensor:
    """A bar of 12 columns on background: float32 [1, 64, 48]."""
    frame = torch.full((1, 64, 48), -0.9)
    frame[:, top:bottom, 18:30] = 0.9
    return frame


def naive(frame: np.ndarray) -> np.ndarray:
    """Frame by frame with OpenCV: float32 [64, 48] -> float32 in [-1, 1]."""
    person, near = clean_mask((frame > 0).astype(np.uint8)), np.ones((3, 3), np.uint8)
    inside, outside = cv2.erode(person, near) > 0, cv2.dilate(person, near) == 0
    signed = np.where(person > 0, np.abs(frame), -np.abs(frame))
    level_set = np.where(inside, np.float32(1), np.where(outside, np.float32(-1), signed))
    fine = cv2.resize(level_set, (48 * FINE, 64 * FINE), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(np.clip(STEEP * fine, -1, 1), (48, 64), interpolation=cv2.INTER_AREA))


def test_outlines_are_those_of_a_naive_twin_to_a_grey_level() -> None:
    noise = np.random.default_rng(0).standard_normal((6, 64, 48)).astype(np.float32)
    frames = np.stack([cv2.GaussianBlur(frame, (0, 0), 1 + index) for index, frame in enumerate(noise)])
    expected = np.pad(127.5 * (np.stack([naive(frame) for frame in frames]) + 1), ((0, 0), (0, 0), (8, 8)))
    found = postprocess(torch.from_numpy(frames).reshape(2, 3, 64, 48))
    assert (found.shape, found.dtype) == ((2, 3, 64, 64), np.uint8)
    assert np.abs(found.reshape(6, 64, 64).astype(int) - expected).max() <= 1
    assert ((found > 0) & (found < 255)).mean() > 0.05


def test_specks_go_and_large_pieces_and_feet_stay() -> None:
    sample = answer(1, 58)
    sample[0, 6, 5] = 0.8  # a speck
    sample[0, 62, 40] = 0.9  # one below the person
    sample[0, 20:40, 40:46] = 0.9  # a piece of a sixth of the person
    sample[0, 60:63, 18:26] = 0.9  # a foot that is not joined to its leg
    done = postprocess(sample)[0]
    assert not done[:, : 18 + 8].any()
    assert not done[50:, 40:].any()
    assert (done[21:39, 49:53] == 255).all()
    assert (done[61:63, 27:33] == 255).all()


def test_the_first_and_last_rows_are_reached_in_some_frames_where_the_network_is_undecided_about_them() -> None:
    sample = answer(1, 63).expand(3, 200, 64, 48).clone()
    sample[..., [0, -1], 18:30] = -0.3
    rows = ragged(sample, [1, 2, 1])
    assert torch.equal(rows[..., 1:-1, :], sample[..., 1:-1, :])
    assert torch.equal(rows[0], rows[2])
    reached = (rows[:2][..., [0, -1], 18:30] > 0).any(-1).float().mean(dim=1)  # of two clips, first and last row
    assert ((reached > 0.6) & (reached < 0.95)).all()  # 12 columns of 22 % each, neighbours alike
    assert torch.equal(rows[..., :18], sample[..., :18])  # where nobody stands


def test_an_empty_frame_leaves_its_neighbours_alone_and_numbers_that_are_not_finite_are_refused() -> None:
    empty = torch.full((1, 64, 48), -1.0)
    done = postprocess(torch.stack([empty, answer()]))
    assert not done[0].any()
    np.testing.assert_array_equal(done[1], postprocess(answer()))
    sample = answer()
    sample[0, 3, 3] = float("nan")
    with pytest.raises(DataError, match="not finite"):
        postprocess(sample)


def test_frames_of_several_pieces_are_found_without_looking_for_pieces() -> None:
    noise = np.random.default_rng(0).standard_normal((24, 64, 48)).astype(np.float32)
    masks = np.stack([cv2.GaussianBlur(frame, (0, 0), 3 + index) for index, frame in enumerate(noise)]) > 0
    masks[0] = False
    several = [n for n, mask in enumerate(masks) if cv2.connectedComponents(mask.astype(np.uint8))[0] > 2]
    assert 0 < len(several) < 23
    assert _in_pieces(torch.from_numpy(masks)).tolist() == several

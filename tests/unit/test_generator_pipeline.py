from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from gaitcrafter_ext.generator.export import write_weights

from gaitcrafter_ext.errors import MissingError, UsageError, WeightsError
from gaitcrafter_ext.generator.network import GaitUNet
from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline, SampleRequest
from gaitcrafter_ext.generator.weights import CARD_NAME, WEIGHTS_NAME, TrainedOn, Vocabulary, read_card
from tests.tiny import PEOPLE

WORDS = Vocabulary(PEOPLE, ("nm", "cl"), {"000": 0.0, "090": 90.0})


def _network() -> GaitUNet:
    torch.manual_seed(0)
    made = GaitUNet(identities=2, conditions=2, channels=(8, 64), blocks=(1, 1), embedding=16, canvas_channels=2)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny"
    write_weights(path, _network(), WORDS, TrainedOn("tiny", "0" * 16, ("sim-001/nm-03",)), {"clips": 0}, 3.0)
    return path


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> GaitCrafterPipeline:
    return GaitCrafterPipeline.from_pretrained(folder)


def _requests(count: int) -> list[SampleRequest]:
    return [
        SampleRequest({PEOPLE[index % 2]: 1.0}, ("nm", "cl")[index % 2], 90.0 * (index % 2), seed=index)
        for index in range(count)
    ]


def test_loaded_weights_are_the_saved_ones_to_half_precision(pipeline: GaitCrafterPipeline) -> None:
    saved, loaded = _network().state_dict(), pipeline.denoiser.state_dict()
    assert all(torch.equal(loaded[name], value.half().float()) for name, value in saved.items())


def test_the_card_says_what_the_weights_know(folder: Path, pipeline: GaitCrafterPipeline) -> None:
    assert pipeline.vocabulary == WORDS
    assert pipeline.card == read_card(folder)
    assert pipeline.card.trained_on == TrainedOn("tiny", "0" * 16, ("sim-001/nm-03",))


def test_clips_are_whole_frames(pipeline: GaitCrafterPipeline) -> None:
    clips = pipeline(_requests(2), steps=2)
    assert (clips.shape, clips.dtype) == ((2, 30, 64, 64), np.uint8)


def test_same_seed_same_sample_whatever_the_company(pipeline: GaitCrafterPipeline) -> None:
    requests = _requests(11)
    together = pipeline(requests, steps=2)
    backwards = pipeline(requests[::-1], steps=2)[::-1]
    alone = np.concatenate([pipeline([request], steps=2) for request in requests])
    assert np.array_equal(together, backwards)
    assert np.array_equal(together, alone)


def test_another_seed_another_sample(pipeline: GaitCrafterPipeline) -> None:
    request = _requests(1)[0]
    first, other = pipeline([request, replace(request, seed=99)], steps=2)
    assert not np.array_equal(first, other)


def test_guidance_changes_the_clip_and_defaults_to_the_cards(pipeline: GaitCrafterPipeline) -> None:
    default, named, none = (pipeline(_requests(1), steps=4, guidance=weight) for weight in (None, 2.0, 1.0))
    assert np.array_equal(default, named)
    assert not np.array_equal(default, none)


def test_guidance_leads_away_from_any_walk_of_anybody_seen_from_anywhere(
    pipeline: GaitCrafterPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    def forward(noisy: torch.Tensor, level: torch.Tensor, code: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
        condition, view_deg = rest
        told.append((float(code.sum()), bool((condition < 0).all()), bool(view_deg.isnan().all())))
        return torch.zeros_like(noisy)

    monkeypatch.setattr(pipeline.denoiser, "forward", forward)
    pipeline(_requests(8), steps=4, guidance=1.5)
    assert set(told) == {(8.0, False, False), (0.0, True, True)}


def test_what_is_nearly_black_or_white_comes_out_so(
    pipeline: GaitCrafterPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    shades = torch.tensor([-0.9, -0.25, 0.25, 0.9]).repeat_interleave(12)

    def forward(noisy: torch.Tensor, *told: torch.Tensor) -> torch.Tensor:
        return shades.expand_as(noisy)

    monkeypatch.setattr(pipeline.denoiser, "forward", forward)
    clip = pipeline(_requests(1), steps=1)[0]
    assert (set(np.unique(clip[..., 8:31])), set(np.unique(clip[..., 33:56]))) == ({0}, {255})


def test_nothing_asked_nothing_made(pipeline: GaitCrafterPipeline) -> None:
    assert pipeline([]).shape == (0, 30, 64, 64)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": {"sim-01": 1.0}}, "identity 'sim-01' is unknown to these weights; did you mean 'sim-001'"),
        ({"recipe": {"sim-001": 0.5}}, "the weights must sum to 1"),
        ({"recipe": {}}, "the weights must sum to 1"),
        ({"condition": "bg"}, "condition 'bg' is unknown to these weights"),
    ],
)
def test_requests_that_the_weights_cannot_serve_are_refused(
    pipeline: GaitCrafterPipeline, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        pipeline([replace(_requests(1)[0], **changes)], steps=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": 60}, "make clips of 30 frames only"),
        ({"steps": 0}, "steps: 0 asked for; allowed: 1 or more"),
        ({"guidance": -1.0}, "guidance: -1.0 asked for"),
        ({"sampler": "ddim"}, "unknown 'ddim'"),
        ({"precision": "fp8"}, "precision: unknown 'fp8'"),
    ],
)
def test_options_out_of_range_are_refused(
    pipeline: GaitCrafterPipeline, options: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        pipeline(_requests(1), **options)


def _copy(folder: Path, target: Path) -> Path:
    for path in (found for found in folder.rglob("*") if found.is_file()):
        place = target / path.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())
    return target


def test_truncated_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    weights = _copy(folder, tmp_path / "copy") / WEIGHTS_NAME
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(WeightsError, match="truncated or changed; copy it again"):
        GaitCrafterPipeline.from_pretrained(tmp_path / "copy")


def test_missing_parts_are_named(folder: Path, tmp_path: Path) -> None:
    (_copy(folder, tmp_path / "copy") / WEIGHTS_NAME).unlink()
    with pytest.raises(WeightsError, match="is missing"):
        GaitCrafterPipeline.from_pretrained(tmp_path / "copy")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"format": 2', '"format": 99', "is of format 99, this version reads 2"),
        ('"vocabulary"', '"words"', "lacks or misnames 'vocabulary'"),
        ("{", "", "is not JSON"),
        ('"redraws": 2', '"redraws": "2"', "lacks or misnames sampling.redraws '2'"),
        ('"gait_cycle": null', '"gait_cycle": "25"', "lacks or misnames gait_cycle '25'"),
        ('"gait_cycle": null', '"gait_cycle": [30, 24]', "lacks or misnames gait_cycle"),
        ('"gait_cycle": null', '"gait_cycle": [NaN, 24]', "lacks or misnames gait_cycle"),
    ],
)
def test_a_card_of_another_version_or_a_torn_one_is_refused(
    folder: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    card = _copy(folder, tmp_path / "copy") / CARD_NAME
    card.write_text(card.read_text().replace(old, new, 1))
    with pytest.raises(WeightsError, match=message):
        read_card(tmp_path / "copy")


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no weights"):
        GaitCrafterPipeline.from_pretrained(tmp_path)

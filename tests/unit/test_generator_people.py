"""The space of people, on people whose gait energy images are drawn from a few hidden dimensions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gaitcrafter_ext.generator.people import FEATURES, PeopleSpace, gei_features

CONDITIONS, VIEWS, DIM = ("nm", "cl"), (0.0, 90.0), 8
NAMES = tuple(f"p{number:02d}" for number in range(40))


@dataclass(frozen=True)
class Clips:
    """Features [n, 768] of clips, and whose, in what and from where they are."""

    features: NDArray[np.float32]
    person: NDArray[np.int64]
    condition: NDArray[np.int64]
    view_deg: NDArray[np.float32]

    def __getitem__(self, rows: NDArray[np.bool_]) -> Clips:
        return Clips(self.features[rows], self.person[rows], self.condition[rows], self.view_deg[rows])

    def fit(self, names: tuple[str, ...] = NAMES) -> PeopleSpace:
        return PeopleSpace.fit(self.features, self.person, self.condition, self.view_deg, names, CONDITIONS, DIM)

    def encode(self, space: PeopleSpace) -> torch.Tensor:
        return space.encode(self.features, [CONDITIONS[row] for row in self.condition], self.view_deg.tolist())


def walks(takes: int = 3, seed: int = 0) -> Clips:
    """Everybody in both conditions and views; cl shows less of a person, and another ``seed`` is another recording."""
    people, noise = np.random.default_rng(7), np.random.default_rng(seed)
    hidden = people.standard_normal((len(NAMES), DIM))
    shapes = people.standard_normal((2, 2, DIM, FEATURES)) * np.array([1.0, 0.5])[:, None, None, None]
    person, condition, view, _ = (each.ravel() for each in np.indices((len(NAMES), 2, 2, takes)))
    seen = np.einsum("nh,nhf->nf", hidden[person], shapes[condition, view])
    seen += 8 * noise.standard_normal(seen.shape)
    return Clips(seen.astype(np.float32), person, condition, np.array(VIEWS, np.float32)[view])


@pytest.fixture(scope="module")
def space() -> PeopleSpace:
    return walks().fit()


def test_a_gei_is_the_mean_over_time_and_two_by_two_pixels() -> None:
    frames = np.zeros((2, 64, 64), np.uint8)
    frames[0, :2, 10:12] = 255
    features = gei_features(frames)
    assert features.shape == (FEATURES,)
    assert features[1] == pytest.approx(0.5)
    assert features.sum() == pytest.approx(0.5)


def test_codes_are_whitened_and_blends_and_draws_are_distributed_like_people(space: PeopleSpace) -> None:
    np.testing.assert_allclose(np.cov(space.codes.numpy().T), np.eye(DIM), atol=1e-4)
    assert torch.equal(space.blend({"p03": 1.0}), space.codes[3])
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    chosen = [rng.choice(NAMES, 5, replace=False) for _ in range(300)]
    blends = torch.stack([space.blend(dict(zip(names, rng.dirichlet(np.ones(5)), strict=True))) for names in chosen])
    assert float(blends.norm(dim=1).median() / space.codes.norm(dim=1).median()) == pytest.approx(1.0, abs=0.15)
    drawn = torch.stack([space.draw(generator) for _ in range(300)])
    for codes in (blends, drawn):
        assert float(codes.std(dim=0).mean()) == pytest.approx(1.0, abs=0.15)


def test_people_are_placed_near_themselves_and_nearer_the_more_of_them_is_seen(space: PeopleSpace) -> None:
    again = walks(takes=4, seed=1)
    nm, side, first = again.condition == 0, again.view_deg == 90, np.arange(len(again.person)) % 4 == 0
    similar = []
    for chosen in (~nm & side & first, nm & side & first, nm & side, nm):
        codes = torch.stack([again[chosen & (again.person == who)].encode(space) for who in range(len(NAMES))])
        similar.append(float(torch.nn.functional.cosine_similarity(codes, space.codes, dim=-1).mean()))
    assert similar == sorted(similar)
    assert (torch.cdist(codes, space.codes).argmin(dim=1) == torch.arange(len(NAMES))).float().mean() > 0.9
    lengths = codes.norm(dim=1)
    torch.testing.assert_close(lengths, space.codes.norm(dim=1).median().expand_as(lengths))


def _similarities(codes: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.cosine_similarity(codes, code[None], dim=1)


def test_an_unknown_view_or_condition_falls_back_to_the_nearest_one(space: PeopleSpace) -> None:
    mine = walks(seed=2)
    mine = mine[(mine.person == 0) & (mine.condition == 0) & (mine.view_deg == 90)]
    usual = mine.encode(space)
    for names, degrees in ((["scarf"] * 3, [90.0] * 3), (["nm"] * 3, [75.0] * 3), (["nm"] * 3, [450.0] * 3)):
        assert torch.equal(space.encode(mine.features, names, degrees), usual)
    unknown = space.encode(mine.features, ["nm"] * 3, [math.nan] * 3)
    assert torch.isfinite(unknown).all()


def test_a_person_who_was_never_seen_in_plain_clothes_is_placed_by_the_others(space: PeopleSpace) -> None:
    clips = walks()
    partly = clips[(clips.person != 4) | (clips.condition == 1)].fit()
    torch.testing.assert_close(partly.codes[4], clips[(clips.person == 4) & (clips.condition == 1)].encode(partly))
    others = torch.arange(len(NAMES)) != 4
    found, expected = (_similarities(each.codes[others], each.codes[4]) for each in (partly, space))
    assert np.corrcoef(found, expected)[0, 1] > 0.5


def test_few_people_and_a_single_one_have_codes_too() -> None:
    clips = walks()
    three = clips[clips.person < 3].fit(NAMES[:3])
    assert torch.linalg.matrix_rank(three.codes) == 2
    assert torch.equal(three.codes[:, 2:], torch.zeros(3, DIM - 2))
    assert torch.equal(three.draw(torch.Generator())[2:], torch.zeros(DIM - 2))
    mine = clips[clips.person == 0]
    single = mine.fit(NAMES[:1])
    for code in (single.codes[0], single.blend({"p00": 1.0}), mine.encode(single)):
        assert torch.equal(code, torch.zeros(DIM))

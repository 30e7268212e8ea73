"""Clips to train on: held out, packed, mapped and drawn; the space of people, on images of few hidden dimensions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError, MissingError, StorageError
from gaitcrafter_ext.generator.config import DatasetConfig
from gaitcrafter_ext.generator.data import ClipDataset, drop_conditions, hold_out, vocabulary_of
from gaitcrafter_ext.generator.people import FEATURES, PeopleSpace, _filled, gei_features
from gaitcrafter_ext.generator.weights import Vocabulary
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import CASIA_B_TAKES, ClipKey, take_names
from tests.tiny import PEOPLE, tiny_clip, tiny_config, tiny_dataset, tiny_tree

KEYS = [
    ClipKey(person, take, view) for person in PEOPLE for take in take_names(CASIA_B_TAKES) for view in ("000", "090")
]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> ClipDataset:
    return tiny_dataset(tiny_tree(tmp_path_factory.mktemp("tree")), tiny_config())


def _read(root: Path, keys: list[ClipKey] | None = None, vocabulary: Vocabulary | None = None) -> ClipDataset:
    store = SilhouetteStore(root / "pkl")
    return ClipDataset(store, keys or store.keys(), DatasetConfig(), root / "c.u8", vocabulary)


def test_the_last_take_of_each_condition_is_held_out_but_never_the_only_one() -> None:
    training, held = hold_out(KEYS, DatasetConfig(), 1)
    assert {key.take for key in held} == {"nm-06", "bg-02", "cl-02"}
    assert sorted(training + held) == sorted(KEYS)
    training, held = hold_out([key for key in KEYS if key.take in ("nm-01", "nm-02", "cl-01")], DatasetConfig(), 1)
    assert ({key.take for key in training}, {key.take for key in held}) == ({"nm-01", "cl-01"}, {"nm-02"})


def test_vocabulary_is_in_canonical_order() -> None:
    words = vocabulary_of(reversed(KEYS), DatasetConfig())
    assert words == Vocabulary(PEOPLE, ("nm", "bg", "cl"), {"000": 0.0, "090": 90.0})
    assert vocabulary_of(KEYS, DatasetConfig(views={"*": None})).views == {"any": None}
    with pytest.raises(DataError, match=r"view '000' is not in dataset\.views"):
        vocabulary_of(KEYS, DatasetConfig(views={"side": 90.0}))


def test_clips_are_drawn_by_a_key_conditions_balanced_as_asked_and_people_always(dataset: ClipDataset) -> None:
    for balance, share_of_cl in ((0.0, 1 / 3), (1.0, 1 / 2)):
        weights = dataset.weights(balance)
        assert weights.sum() == pytest.approx(1.0)
        assert weights[dataset.condition == 1].sum() == pytest.approx(share_of_cl)
        assert weights[dataset.person == 0].sum() == pytest.approx(0.5)
    cumulative = np.cumsum(dataset.weights(0.5))
    first, again, other = (dataset.sample_batch(8, np.random.default_rng(key), cumulative)[0] for key in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_window_is_the_clips_own_pixels_labels_and_phases(dataset: ClipDataset) -> None:
    dataset.codes = dataset.fit_people(4).codes
    clips, starts = np.array([0, 3, 8]), np.array([2, 0, 1])
    clean, given = dataset.batch(clips, starts)
    for row, (clip, start) in enumerate(zip(clips, starts, strict=True)):
        key = dataset.keys[clip]
        person, take = PEOPLE.index(key.identity), ("nm-01", "nm-02", "nm-03", "cl-01").index(key.take)
        pixels = torch.from_numpy(tiny_clip(person, take)[start : start + 30, :, 8:56])
        torch.testing.assert_close(clean[row], pixels.float() / 127.5 - 1)
        assert torch.equal(given.code[row], dataset.codes[person])
        assert (int(given.condition[row]), float(given.view_deg[row])) == (int(take == 3), float(key.view))
        # A step of a block takes 12 frames, and its first frame lies 5 frames later from take to take.
        widest = (3 - 5 * take - start) % 12
        torch.testing.assert_close(
            torch.cos(2 * given.phase[row, widest::12]), torch.ones(len(range(widest, 30, 12))), atol=0.1, rtol=0
        )
    assert dataset.cadence == {name: (pytest.approx(24, abs=0.5), pytest.approx(0, abs=0.5)) for name in PEOPLE}


def test_no_cache_file_is_left_behind_whether_or_not_all_clips_are_read(tmp_path: Path) -> None:
    root = tiny_tree(tmp_path)
    found = _read(root)
    assert found.batch(np.arange(2), np.zeros(2, np.int64))[0].max() == 1.0
    store = SilhouetteStore(root / "pkl")
    store.path(found.keys[3]).write_bytes(b"not a clip")
    with pytest.raises(DataError, match=str(found.keys[3])):
        _read(root)
    with pytest.raises(MissingError, match="there is no clip"):
        _read(root, [ClipKey("sim-009", "nm-01", "000")])
    assert not (root / "c.u8").exists()
    with pytest.raises(StorageError, match=r"cannot write .*partition\.json/c\.u8: a part of this path is a file"):
        ClipDataset(store, found.keys, DatasetConfig(), tmp_path / "partition.json" / "c.u8")


def test_processes_of_one_torchrun_map_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tiny_tree(tmp_path)
    alone = _read(root)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    (root / "c-0-0-killed.u8").write_bytes(b"half")
    first, other = _read(root), _read(root, alone.keys[:3])
    assert len(list(root.glob("c-*.u8"))) == 2
    with monkeypatch.context() as patch:
        patch.setattr(SilhouetteStore, "read_real", None)
        second = _read(root)
    for found in (first, second):
        assert (found.keys, found.fingerprint) == (alone.keys, alone.fingerprint)
        assert torch.equal(found.frames, alone.frames)
        assert np.array_equal(found.features, alone.features)
    assert _read(root, alone.keys[:3]).fingerprint == other.fingerprint != alone.fingerprint
    SilhouetteStore(root / "pkl").path(alone.keys[3]).write_bytes(b"not a clip")
    for _ in range(2):  # what cannot be packed is mapped by neither
        with pytest.raises(DataError, match=str(alone.keys[3])):
            _read(root)
    assert not list(root.glob("c-*"))


def test_the_fingerprint_tells_names_apart_too(tmp_path: Path) -> None:
    root = tiny_tree(tmp_path)
    first = _read(root).fingerprint
    assert _read(root).fingerprint == first
    (root / "pkl" / PEOPLE[1]).rename(root / "pkl" / "sim-003")
    assert _read(root).fingerprint != first


def test_short_clips_and_unknown_ones_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store, short = SilhouetteStore(tiny_tree(tmp_path) / "pkl"), ClipKey("sim-003", "nm-01", "090")
    store.write(short, tiny_clip(0, 0, frames=12))
    found = _read(tmp_path)
    assert "1 of 21 clips are shorter than 30 frames" in caplog.text
    assert (len(found), found.vocabulary.identities) == (20, PEOPLE)
    with pytest.raises(DataError, match="none of 1 clips has 30 frames"):
        _read(tmp_path, [short])
    some = _read(tmp_path, None, Vocabulary(("sim-000", PEOPLE[1]), ("cl", "nm"), {}))
    assert {key.identity for key in some.keys} == {PEOPLE[1]}
    assert (some.person.tolist(), some.condition.tolist()) == ([1] * 10, [0] * 4 + [1] * 6)


def test_inputs_are_left_out_as_often_as_asked_and_all_but_the_phase_together(dataset: ClipDataset) -> None:
    rng = np.random.default_rng(0)
    _, given = dataset.sample_batch(400, rng, np.cumsum(dataset.weights(0.5)))
    dropped = drop_conditions(given, (0.5, 0.0, 0.0, 0.2, 0.1), rng)
    code, condition, view = dropped.code.isnan().all(1), dropped.condition == -1, dropped.view_deg.isnan()
    assert torch.equal(code, condition)
    assert bool(view[code].all())
    for found, share in ((code, 0.5), (view, 0.6), (dropped.phase.isnan().all(1), 0.1)):
        assert float(found.float().mean()) == pytest.approx(share, abs=0.08)
    kept = ~code
    assert torch.equal(dropped.code[kept], given.code[kept])
    assert not given.code.isnan().any()


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

    def fit(self, names: tuple[str, ...] = NAMES, codes: NDArray[np.float64] | None = None) -> PeopleSpace:
        cells = (self.features, self.person, self.condition, self.view_deg)
        return PeopleSpace.fit(*cells, names, CONDITIONS, DIM, codes)

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
    np.testing.assert_allclose(gei_features(frames), 0.5 * np.eye(FEATURES)[1])


def test_views_that_a_person_lacks_are_told_by_the_others() -> None:
    rng, size = np.random.default_rng(0), np.arange(1, 31) ** -0.5  # thirty traits, few large, as of people
    traits, shown = rng.standard_normal((90, 30)) * size, rng.standard_normal((30, 8, FEATURES))
    whole = np.einsum("pt,tvf->pvf", traits, shown)
    seen = rng.random((90, 8, 1)) < 0.8
    seen[7] = False  # nobody's clips
    lacking = ~seen & seen.any(axis=1)[:, None]
    filled = _filled(np.where(seen, whole, 0.0), seen)
    assert np.array_equal(filled[seen[..., 0]], whole[seen[..., 0]])
    assert np.square((filled - whole)[lacking[..., 0]]).sum() < 0.3 * np.square(whole[lacking[..., 0]]).sum()
    assert np.array_equal(_filled(whole, np.ones_like(seen)), whole)


def test_mixtures_made_together_are_those_made_alone_and_an_empty_one_is_the_middle(space: PeopleSpace) -> None:
    mixtures = [{"p03": 2.0}, {}, {"p05": 0.6, "p01": 0.8}, {"p03": 1.0, "p05": 0.0}]
    together = space.blends(mixtures, space.codes)
    np.testing.assert_allclose(together[2], 0.6 * space.codes[5] + 0.8 * space.codes[1], atol=1e-6)
    assert torch.equal(together[0], space.codes[3])
    assert torch.equal(together[3], space.codes[3])
    assert not together[1].any()
    assert torch.equal(space.blend(mixtures[2]), together[2])


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


def test_an_unknown_view_or_condition_falls_back_to_the_nearest_one(space: PeopleSpace) -> None:
    clips = walks(seed=2)
    mine = clips[(clips.person == 0) & (clips.condition == 0) & (clips.view_deg == 90)]
    usual = mine.encode(space)
    for names, degrees in ((["scarf"] * 3, [90.0] * 3), (["nm"] * 3, [75.0] * 3), (["nm"] * 3, [450.0] * 3)):
        assert torch.equal(space.encode(mine.features, names, degrees), usual)
    assert torch.isfinite(space.encode(mine.features, ["nm"] * 3, [math.nan] * 3)).all()


def test_a_person_who_was_never_seen_in_plain_clothes_is_placed_by_the_others(space: PeopleSpace) -> None:
    clips = walks()
    partly = clips[(clips.person != 4) | (clips.condition == 1)].fit()
    torch.testing.assert_close(partly.codes[4], clips[(clips.person == 4) & (clips.condition == 1)].encode(partly))
    others, similarity = torch.arange(len(NAMES)) != 4, torch.nn.functional.cosine_similarity
    found, expected = (similarity(each.codes[others], each.codes[4:5], dim=1) for each in (partly, space))
    assert np.corrcoef(found, expected)[0, 1] > 0.5


def test_given_codes_are_kept_and_others_are_placed_among_them() -> None:
    clips, again = walks(), walks(seed=1)
    turned = clips.fit().codes.numpy().astype(np.float64)[:, ::-1] * np.array([-1.0, 1.0])[np.arange(DIM) % 2]
    given = clips.fit(codes=turned.copy())
    np.testing.assert_allclose(given.codes.numpy(), turned, atol=1e-6)
    placed = torch.stack([again[again.person == who].encode(given) for who in range(len(NAMES))])
    assert (torch.cdist(placed, given.codes).argmin(dim=1) == torch.arange(len(NAMES))).float().mean() > 0.9


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


def test_clips_from_the_side_that_face_the_other_way_are_found() -> None:
    space = PeopleSpace(("a",), ("nm",), (0.0, 90.0), 4)
    space.error[:] = 0.5
    face = np.zeros((32, 24), np.float32)
    face[:, :9] = 1
    space.mean[:] = torch.from_numpy(face.ravel())
    features = np.stack([face.ravel(), *[face[:, ::-1].ravel()] * 3])
    assert space.face_away(features, ["nm"] * 4, [90.0, 90.0, 0.0, float("nan")]) == [False, True]

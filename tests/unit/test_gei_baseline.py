"""Pixel-GEI nearest neighbour, the view and condition classifiers, and the gate made of them."""

from __future__ import annotations

import numpy as np
import pytest

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.recognition.centroids import CLASSIFIERS, tell
from gaitcrafter_ext.recognition.gate import faithfulness, gei_report
from gaitcrafter_ext.recognition.gei import GeiSet, load_geis
from gaitcrafter_ext.recognition.nearest import match, match_other_takes, rank_one
from gaitcrafter_ext.vocabulary import CASIA_B_TAKES, ClipKey, condition_of, take_names

PIXELS = 120
EVERY_TAKE = tuple(take_names(CASIA_B_TAKES))


def direction(*seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=PIXELS)


def people(noise: float, seed: int, count: int = 8, views: tuple[str, ...] = ("054", "090")) -> GeiSet:
    """Clips that are the sum of a person's, a view's and a condition's own direction, and noise."""
    rng = np.random.default_rng(seed)
    rows, labels = [], []
    for person in range(count):
        for view in views:
            for take in EVERY_TAKE:
                parts = (direction(1, person), direction(2, int(view)), direction(3, ord(take[0])))
                rows.append(sum(parts) + noise * rng.normal(size=PIXELS))
                labels.append((f"{person:03d}", take, condition_of(take), view))
    return GeiSet(np.array(rows, np.float32), *np.array(labels).T)


def relabelled(clips: GeiSet, **fields: np.ndarray) -> GeiSet:
    kept = {name: getattr(clips, name) for name in ("images", "identity", "take", "condition", "view")}
    return GeiSet(**{**kept, **fields})


def test_load_geis_is_the_mean_frame_in_zero_to_one() -> None:
    class Source:
        def keys(self) -> list[ClipKey]:
            return [ClipKey("001", "nm-01", "090")]

        def read(self, key: ClipKey) -> np.ndarray:
            return np.stack([np.full((64, 64), 255, np.uint8), np.zeros((64, 64), np.uint8)])

    loaded = load_geis(Source())
    assert loaded.images == pytest.approx(np.full((1, 64 * 64), 0.5))
    assert (loaded.identity[0], loaded.condition[0], loaded.view[0]) == ("001", "nm", "090")


def test_match_agrees_with_a_naive_loop() -> None:
    clips = people(noise=6.0, seed=0)
    gallery, probes = clips.of(("nm-01", "nm-02")), clips.of(("nm-05", "cl-01"))
    hits = []
    for image, person, view in zip(probes.images, probes.identity, probes.view, strict=True):
        there = gallery.view == view
        distances = np.linalg.norm(gallery.images[there] - image, axis=1)
        hits.append(gallery.identity[there][distances.argmin()] == person)
    matches = match(gallery, probes)
    assert matches.hits.tolist() == hits
    assert 0 < np.mean(hits) < 1


def test_leaving_one_take_out_agrees_with_a_naive_loop() -> None:
    clips = people(noise=6.0, seed=0, count=4)
    hits = []
    for number, (image, person, take, view) in enumerate(
        zip(clips.images, clips.identity, clips.take, clips.view, strict=True)
    ):
        there = (clips.view == view) & ~((clips.identity == person) & (clips.take == take))
        assert not there[number]
        distances = np.linalg.norm(clips.images[there] - image, axis=1)
        hits.append(clips.identity[there][distances.argmin()] == person)
    assert match_other_takes(clips).hits.tolist() == hits
    assert 0 < np.mean(hits) < 1


def test_a_person_with_one_take_cannot_be_found_among_other_takes() -> None:
    clips = people(noise=0.1, seed=0, count=3)
    lonely = clips.where((clips.identity != "001") | (clips.take == "nm-01"))
    matches = match_other_takes(lonely)
    assert matches.dropped == 2
    assert "001" not in matches.probes.identity


def test_a_probe_without_a_gallery_clip_at_its_view_is_left_out_and_counted() -> None:
    clips = people(noise=0.1, seed=0)
    gallery = clips.where(~((clips.identity == "003") & (clips.view == "090"))).of(("nm-01",))
    matches = match(gallery, clips.of(("nm-05",)))
    assert matches.dropped == 1
    assert "003/090" not in np.char.add(np.char.add(matches.probes.identity, "/"), matches.probes.view).tolist()


def test_rank_one_is_given_for_each_condition_in_casia_b_order() -> None:
    clips = people(noise=0.1, seed=0)
    ranks = rank_one(match(clips.of(("nm-01",)), clips.of(("cl-01", "bg-01", "nm-05"))), np.random.default_rng(0))
    assert [rank.condition for rank in ranks] == ["nm", "bg", "cl"]
    assert [rank.share.count for rank in ranks] == [16, 16, 16]
    assert set(ranks[0].per_view) == {"054", "090"}


@pytest.mark.parametrize("classifier", CLASSIFIERS)
@pytest.mark.parametrize("attribute", ["view", "condition"])
def test_each_classifier_reads_clean_clips_and_fails_where_labels_were_shuffled(
    attribute: str, classifier: str
) -> None:
    real, clips = people(noise=1.0, seed=0), people(noise=1.0, seed=1)
    right = tell(attribute, classifier, real, clips)
    shuffled = np.random.default_rng(0).permutation(getattr(clips, attribute))
    wrong = tell(attribute, classifier, real, relabelled(clips, **{attribute: shuffled}))
    assert right.hits.mean() > 0.95
    assert wrong.hits.mean() < right.hits.mean() - 0.3
    assert right.chance == pytest.approx(1 / (2 if attribute == "view" else 3))


def test_lda_sees_through_people_where_the_plain_centroid_does_not() -> None:
    """Persons differ much more than conditions: the discriminants drop the persons' directions."""
    real, clips = people(noise=2.0, seed=0, count=30), people(noise=2.0, seed=1, count=30)
    loud = [
        np.array([10 * direction(1, int(person)) for person in part.identity], np.float32) for part in (real, clips)
    ]
    real, clips = (relabelled(part, images=part.images + add) for part, add in zip((real, clips), loud, strict=True))
    assert tell("condition", "lda", real, clips).hits.mean() > tell("condition", "plain", real, clips).hits.mean() + 0.1


def test_clips_of_a_class_that_was_never_fitted_are_left_out_and_counted() -> None:
    real, clips = people(noise=1.0, seed=0), people(noise=1.0, seed=1)
    told = tell("condition", "plain", real.where(real.condition != "bg"), clips)
    assert told.dropped == int((clips.condition == "bg").sum())
    assert "bg" not in told.clips.condition


def test_real_takes_passed_off_as_synthetic_reach_the_ceiling_and_permuted_people_reach_chance() -> None:
    real = people(noise=2.0, seed=0, count=20)
    gallery, probes = real.of(("nm-01", "nm-02")), real.of(("nm-05", "nm-06"))
    copies = gei_report(gallery, probes, probes, np.random.default_rng(0))
    assert copies.ratio["nm"].value == pytest.approx(1.0)
    permuted = relabelled(probes, identity=np.roll(probes.identity, 2 * 4))
    strangers = gei_report(gallery, probes, permuted, np.random.default_rng(0))
    assert strangers.synthetic[0].share.value <= 2 * strangers.chance
    assert strangers.chance == pytest.approx(1 / 20)


def test_faithfulness_gives_the_ceiling_beside_every_reading() -> None:
    real = people(noise=2.0, seed=0)
    told = faithfulness(
        real.of(("nm-01", "nm-02", "bg-01", "cl-01")),
        real.of(("nm-06", "bg-02", "cl-02")),
        people(noise=2.0, seed=1),
        np.random.default_rng(0),
    )
    assert {(each.attribute, each.classifier) for each in told} == {
        (attribute, name) for attribute in ("view", "condition") for name in CLASSIFIERS
    }
    assert all(each.real.count == 48 and each.synthetic.count == 160 for each in told)


def test_an_empty_gallery_and_probes_of_strangers_are_refused() -> None:
    clips = people(noise=1.0, seed=0)
    with pytest.raises(DataError, match="gallery holds no clip"):
        gei_report(clips.of(("nm-09",)), clips, None, np.random.default_rng(0))
    strangers = relabelled(clips, identity=np.char.add("syn-", clips.identity))
    with pytest.raises(DataError, match="synthetic probes"):
        gei_report(clips.of(("nm-01",)), clips.of(("nm-05",)), strangers, np.random.default_rng(0))

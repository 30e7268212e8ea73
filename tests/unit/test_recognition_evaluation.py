"""Protocols against naive loops and constructed answers."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from itertools import compress, permutations

import numpy as np
import pytest

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.features import Features
from gaitcrafter_ext.recognition.evaluation import Table, assign_roles, evaluate, protocol_for
from gaitcrafter_ext.silhouettes.dataset import DatasetConfig, Protocol, load_dataset
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.vocabulary import CASIA_B_TAKES, ClipKey, take_names

VIEWS = ("000", "054", "090")
TAKES = tuple(take_names(CASIA_B_TAKES))
PROBES = {"NM": TAKES[4:6], "BG": TAKES[6:8], "CL": TAKES[8:]}
CASIA_B = protocol_for(load_dataset("casia-b"), [])


def walkers(
    people: int, noise: float, views: tuple[str, ...] = VIEWS, takes: tuple[str, ...] = TAKES
) -> tuple[Features, list[ClipKey]]:
    """Every person has a direction of their own; the clips differ from it by noise."""
    rng = np.random.default_rng(0)
    keys = [ClipKey(f"{p:03d}", take, view) for p in range(people) for take in takes for view in views]
    centres = rng.normal(size=(people, 6, 4))
    embeddings = [centres[int(key.identity)] + noise * rng.normal(size=(6, 4)) for key in keys]
    labels = np.array([(key.identity, key.take, key.view) for key in keys])
    return Features(np.array(embeddings, np.float32), *labels.T), keys


def table(features: Features, keys: list[ClipKey], protocol: Protocol = CASIA_B) -> Table:
    return evaluate(features, assign_roles(keys, protocol))


def naive_rank1(features: Features, probe_takes: tuple[str, ...]) -> float:
    """Mean over the pairs of different views."""
    shares = []
    for probe_view, gallery_view in permutations(VIEWS, 2):
        probes = np.flatnonzero((features.view == probe_view) & np.isin(features.take, probe_takes))
        gallery = np.flatnonzero((features.view == gallery_view) & np.isin(features.take, TAKES[:4]))
        hits = []
        for probe in probes:
            apart = [
                np.linalg.norm(features.embeddings[probe] - features.embeddings[i], axis=0).mean() for i in gallery
            ]
            hits.append(features.identity[gallery[int(np.argmin(apart))]] == features.identity[probe])
        shares.append(round(100 * float(np.mean(hits)), 2))
    return float(np.mean(shares))


def test_across_views_the_table_agrees_with_a_naive_loop() -> None:
    features, keys = walkers(people=6, noise=1.2)
    found = table(features, keys)
    for name, takes in PROBES.items():
        column = found.columns[name]
        assert column.metrics["rank-1"] == pytest.approx(naive_rank1(features, takes))
        assert len(column.per_person) == 6
        assert np.mean(list(column.per_person.values())) == pytest.approx(column.metrics["rank-1"], abs=0.01)
    assert 20 < found.columns["NM"].metrics["rank-1"] < 100
    assert found.columns["NM"].probes == 6 * 2 * 3
    assert json.loads(json.dumps(asdict(found)))["chance"] == pytest.approx(100 / 6)


def test_a_ranked_gallery_agrees_with_a_naive_loop() -> None:
    features, keys = walkers(people=8, noise=2.5)
    protocol = replace(CASIA_B, exclude_identical_view=False, metrics=("rank-1", "rank-5", "mAP", "mINP"))
    found = table(features, keys, protocol).columns["BG"].metrics
    gallery = np.isin(features.take, TAKES[:4])
    first, fifth, ap, inp = [], [], [], []
    for probe in np.flatnonzero(np.isin(features.take, PROBES["BG"])):
        apart = np.linalg.norm(features.embeddings[gallery] - features.embeddings[probe], axis=1).mean(1)
        match = features.identity[gallery][np.argsort(apart)] == features.identity[probe]
        precision = [match[: place + 1].mean() for place in range(len(match)) if match[place]]
        first.append(match[0])
        fifth.append(match[:5].any())
        ap.append(np.mean(precision))
        inp.append(match.sum() / (np.flatnonzero(match)[-1] + 1))
    expected = {"rank-1": first, "rank-5": fifth, "mAP": ap, "mINP": inp}
    assert found == pytest.approx({name: 100 * float(np.mean(values)) for name, values in expected.items()})
    assert found["mINP"] < found["mAP"] < found["rank-5"] < 100


def test_the_identical_view_does_not_count() -> None:
    """Clips of one view are all alike whoever walks, so only the other views can tell people apart."""
    features, keys = walkers(people=4, noise=0.01)
    marked = features.embeddings.copy()
    marked[:, 0, 0] += [100.0 * VIEWS.index(view) for view in features.view]
    column = table(replace(features, embeddings=marked), keys).columns["NM"]
    cells = np.array(column.cells)
    assert column.metrics["rank-1"] == pytest.approx(cells[~np.eye(3, dtype=bool)].mean())
    ranked = replace(CASIA_B, metrics=("mAP",))
    assert table(replace(features, embeddings=marked), keys, ranked).columns["NM"].metrics["mAP"] < 100


def preset(name: str) -> Protocol:
    found = load_dataset(name).protocol
    assert found is not None
    return found


def test_probes_may_be_named_clip_by_clip_and_views_by_their_camera() -> None:
    features, keys = walkers(people=3, noise=0.01, takes=("camid1_videoid2", "camid4_videoid1"), views=("seq0",))
    names = [str(key).replace("/", "-") for key in sorted(keys, key=lambda key: (key.take, key.identity))]
    for partition in (Partition((), (), tuple(names[:2])), Partition((), (), gallery=tuple(names[2:]))):
        found = evaluate(features, assign_roles(keys, preset("gait3d"), partition))
        assert (found.gallery, found.columns["all"].probes, found.columns["all"].metrics["mINP"]) == (4, 2, 100.0)
    with pytest.raises(DataError, match="the protocol takes PROBE_SET or GALLERY_SET of the partition"):
        assign_roles(keys, preset("gait3d"))
    features, keys = walkers(people=4, noise=0.01, takes=("U0_D0", "U1_D1"), views=("05_0", "05_1", "11_0"))
    assert table(features, keys, preset("ccpg")).views == ("05", "11")
    with pytest.raises(DataError, match="at another view"):
        assign_roles([key for key in keys if key.view != "11_0"], preset("ccpg"))


def test_views_that_lack_clips_are_left_out_and_probes_without_a_gallery_clip_counted() -> None:
    features, keys = walkers(people=6, noise=0.01)
    kept = ~(np.isin(features.take, TAKES[:4]) & (features.view == "054"))
    column = table(features.where(kept), list(compress(keys, kept))).columns["NM"]
    assert column.cells[0][1] is None
    assert column.metrics["rank-1"] == 100.0
    features, keys = walkers(people=3, noise=0.01, takes=("01", "02"), views=("a",))
    kept = np.array([key.identity != "002" or key.take != "01" for key in keys])
    found = table(features.where(kept), list(compress(keys, kept)), preset("grew"))
    assert found.columns["GREW"].unmatched == 1
    assert found.columns["GREW"].metrics["rank-20"] == 100.0
    assert "1 probes have no gallery clip" in str(found)


def test_takes_named_as_casia_bs_are_tested_as_there_and_others_by_halves() -> None:
    _, keys = walkers(people=2, noise=0.1)
    assert protocol_for(DatasetConfig(), keys) == CASIA_B
    _, keys = walkers(people=2, noise=0.1, takes=("walk-1", "walk-2", "walk-3", "walk-4", "run-1"))
    found = protocol_for(DatasetConfig(), keys)
    assert found.gallery == ("run-1",)
    assert set(found.probes) == {"WALK"}


def test_what_a_protocol_cannot_be_run_on_is_refused_by_names_alone() -> None:
    _, keys = walkers(people=3, noise=0.1)
    with pytest.raises(DataError, match="same person at another view; test two views or more"):
        assign_roles([key for key in keys if key.view == "090"], CASIA_B)
    with pytest.raises(DataError, match=r"no probe among 36 test clips; .*there are the takes nm-01, nm-02"):
        assign_roles([key for key in keys if key.take in TAKES[:4]], CASIA_B)
    with pytest.raises(DataError, match=r"gallery of 'NM' \('nm-0\[1-4\]'\) has clips of 1 people"):
        assign_roles([key for key in keys if key.identity == "001"], CASIA_B)
    with pytest.raises(DataError, match="there are no test clips"):
        assign_roles([], CASIA_B)

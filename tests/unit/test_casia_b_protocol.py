"""The CASIA-B table against a naive loop and constructed answers."""

from __future__ import annotations

import numpy as np
import pytest

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.features import Features, part_mean_distances
from gaitcrafter_ext.recognition.protocol import PROBES, casia_b_table
from gaitcrafter_ext.recognition.takes import GALLERY_TAKES
from gaitcrafter_ext.vocabulary import CASIA_B_TAKES, take_names

VIEWS = ("000", "054", "090")


def walkers(people: int, noise: float, views: tuple[str, ...] = VIEWS) -> Features:
    """Every person has a direction of their own; the clips differ from it by noise."""
    rng = np.random.default_rng(0)
    labels = [(f"{p:03d}", take, view) for p in range(people) for take in take_names(CASIA_B_TAKES) for view in views]
    centres = rng.normal(size=(people, 6, 4))
    embeddings = [centres[int(person)] + noise * rng.normal(size=(6, 4)) for person, _, _ in labels]
    return Features(np.array(embeddings, np.float32), *np.array(labels).T)


def naive_rank1(features: Features, probe_takes: tuple[str, ...]) -> float:
    """Mean over probe views of the mean over other gallery views."""
    rows = []
    for probe_view in VIEWS:
        row = []
        for gallery_view in VIEWS:
            if gallery_view == probe_view:
                continue
            gallery = [i for i in range(len(features.view))
                       if features.view[i] == gallery_view and features.take[i] in GALLERY_TAKES]  # fmt: skip
            hits = []
            for probe in range(len(features.view)):
                if features.view[probe] == probe_view and features.take[probe] in probe_takes:
                    apart = [np.linalg.norm(features.embeddings[probe] - features.embeddings[i], axis=0).mean()
                             for i in gallery]  # fmt: skip
                    hits.append(features.identity[gallery[int(np.argmin(apart))]] == features.identity[probe])
            row.append(round(100 * float(np.mean(hits)), 2))
        rows.append(np.mean(row))
    return float(np.mean(rows))


def test_the_table_agrees_with_a_naive_loop() -> None:
    features = walkers(people=6, noise=1.2)
    table = casia_b_table(features)
    for name, takes in PROBES.items():
        assert table.conditions[name].rank1 == pytest.approx(naive_rank1(features, takes))
    assert 20 < table.conditions["NM"].rank1 < 100
    assert table.conditions["NM"].probes == 6 * 2 * 3


def test_clean_features_are_all_found_and_strangers_only_by_chance() -> None:
    features = walkers(people=20, noise=0.01)
    assert casia_b_table(features).conditions["CL"].rank1 == 100.0
    probes = ~np.isin(features.take, GALLERY_TAKES)
    shifted = np.where(probes, np.roll(features.identity, 30), features.identity)
    table = casia_b_table(Features(features.embeddings, shifted, features.take, features.view))
    assert table.conditions["CL"].rank1 == 0.0
    assert table.chance == 5.0


def test_the_identical_view_does_not_count() -> None:
    """Clips of one view are all alike whoever walks, so only the other views can tell people apart."""
    features = walkers(people=4, noise=0.01)
    marks = np.array([100.0 * VIEWS.index(view) for view in features.view], np.float32)
    embeddings = features.embeddings.copy()
    embeddings[:, 0, 0] += marks
    cells = np.array(casia_b_table(Features(embeddings, features.identity, features.take, features.view))
                     .conditions["NM"].cells)  # fmt: skip
    table = casia_b_table(Features(embeddings, features.identity, features.take, features.view)).conditions["NM"]
    off_diagonal = cells[~np.eye(3, dtype=bool)].mean()
    assert table.rank1 == pytest.approx(off_diagonal)


@pytest.mark.parametrize("metric", ["euc", "cos"])
def test_distances_are_means_over_parts(metric: str) -> None:
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(3, 5, 4)).astype(np.float32), rng.normal(size=(2, 5, 4)).astype(np.float32)
    if metric == "euc":
        expected = np.linalg.norm(left[:, None] - right[None], axis=2).mean(-1)
    else:
        unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (left, right)]
        expected = 1 - np.einsum("ncp,mcp->nmp", *unit).mean(-1)
    np.testing.assert_allclose(part_mean_distances(left, right, metric), expected, rtol=1e-4, atol=1e-5)


def test_the_printed_table_names_views_mean_and_chance() -> None:
    text = str(casia_b_table(walkers(people=4, noise=0.01)))
    assert "000    054    090   mean" in text
    assert "chance 25.0" in text
    assert text.splitlines()[-1] == "NM@R1: 100.00%\tBG@R1: 100.00%\tCL@R1: 100.00%"


def test_what_the_protocol_cannot_be_run_on_is_refused() -> None:
    features = walkers(people=3, noise=0.1)
    with pytest.raises(DataError, match="one view only"):
        casia_b_table(walkers(people=3, noise=0.1, views=("090",)))
    with pytest.raises(DataError, match="no probe"):
        casia_b_table(features.where(np.isin(features.take, GALLERY_TAKES)))
    with pytest.raises(DataError, match=r"no gallery clip .* at view 054"):
        casia_b_table(features.where(~(np.isin(features.take, GALLERY_TAKES) & (features.view == "054"))))
    with pytest.raises(DataError, match="no test clips"):
        casia_b_table(features.where(np.zeros(len(features.view), bool)))

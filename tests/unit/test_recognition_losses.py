"""Losses against naive loops and closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from gaitcrafter_ext.recognition.losses import cross_entropy_loss, part_distances, triplet_loss


def test_part_distances_are_euclidean() -> None:
    left, right = torch.randn(4, 5, 3), torch.randn(6, 5, 3)
    distances = part_distances(left, right)
    naive = torch.stack([torch.cdist(left[..., part], right[..., part]) for part in range(3)])
    torch.testing.assert_close(distances, naive, rtol=1e-4, atol=1e-5)


def test_equal_embeddings_have_zero_distance_and_a_finite_gradient() -> None:
    x = torch.ones(2, 3, 1, requires_grad=True)
    distances = part_distances(x, x)
    distances.sum().backward()
    assert torch.equal(distances, torch.zeros(1, 2, 2))
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("people", [[0, 1, 0, 1, 0, 1], [0, 0, 1, 0, 1, 2], [2, 0, 0, 0, 0, 1]])
def test_triplet_loss_agrees_with_a_loop_over_all_triplets(people: list[int]) -> None:
    embeddings, labels = torch.randn(6, 4, 2, generator=torch.Generator().manual_seed(0)), torch.tensor(people)
    parts = []
    for part in range(2):
        x, losses = embeddings[..., part], []
        for a in range(6):
            for p in range(6):
                for n in range(6):
                    if labels[a] == labels[p] and labels[a] != labels[n]:
                        losses.append(max(0.0, float((x[a] - x[p]).norm() - (x[a] - x[n]).norm()) + 0.2))
        wrong = [loss for loss in losses if loss > 0]
        parts.append(sum(wrong) / len(wrong))
    assert triplet_loss(embeddings, labels, 0.2).item() == pytest.approx(sum(parts) / 2, rel=1e-4)


def test_the_gradient_of_uneven_batches_is_finite() -> None:
    embeddings = torch.randn(6, 4, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    triplet_loss(embeddings, torch.tensor([0, 0, 0, 1, 1, 2])).backward()
    assert embeddings.grad is not None
    assert torch.isfinite(embeddings.grad).all()
    assert embeddings.grad.abs().sum() > 0


def test_triplet_loss_of_one_person_is_zero() -> None:
    assert triplet_loss(torch.randn(3, 4, 2), torch.tensor([1, 1, 1])).item() == 0.0


def test_triplet_loss_is_zero_when_people_are_far_apart() -> None:
    embeddings = torch.tensor([0.0, 0.0, 9.0, 9.0]).reshape(4, 1, 1)
    assert triplet_loss(embeddings, torch.tensor([0, 0, 1, 1])).item() == 0.0


def test_cross_entropy_of_even_logits_is_the_log_of_the_class_count() -> None:
    loss = cross_entropy_loss(torch.zeros(2, 7, 3), torch.tensor([1, 6]))
    assert loss.item() == pytest.approx(math.log(7))


def test_cross_entropy_with_smoothing_has_its_closed_form() -> None:
    logits = torch.zeros(1, 4, 1)
    logits[0, 2] = 0.5
    log_partition = math.log(3 + math.exp(8.0))
    expected = log_partition - 8.0 * (0.9 + 0.1 / 4)
    assert cross_entropy_loss(logits, torch.tensor([2]), scale=16.0, smoothing=0.1).item() == pytest.approx(expected)

"""What recognisers are trained with: batch-all triplets and smoothed cross-entropy, part by part, as in OpenGait."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional as F

#: OpenGait's margin of the triplet loss, and scale and label smoothing of the cross-entropy.
MARGIN = 0.2
SCALE = 16.0
SMOOTHING = 0.1


def part_distances(left: Tensor, right: Tensor) -> Tensor:
    """Euclidean distances of every pair in every part, [n, c, p] and [m, c, p] -> float32 [p, n, m].

    The gradient is zero where a distance is zero.
    """
    left, right = left.float().permute(2, 0, 1), right.float().permute(2, 0, 1)
    inner = left @ right.transpose(1, 2)
    squared = (left**2).sum(-1).unsqueeze(2) + (right**2).sum(-1).unsqueeze(1) - 2 * inner
    equal = squared <= 0  # not "apart > 0": what is not a number must stay so
    return squared.masked_fill(equal, 1.0).sqrt().masked_fill(equal, 0.0)


def triplet_loss(embeddings: Tensor, labels: Tensor, margin: float = MARGIN) -> Tensor:
    """Batch-all triplet loss, averaged over the triplets that violate the margin (Hermans et al., arXiv 1703.07737).

    Embeddings [n, c, p], labels int [n], of which some may be there more often than others. The mean over parts; a part
    without a violation counts as zero.
    """
    same = labels[:, None] == labels[None]
    most, least = int(same.sum(1).max()), int(same.sum(1).min())
    # Of each anchor the positives first. Where its row is the shorter one, infinities stand for triplets there are not.
    order = same.logical_not().byte().argsort(dim=1, stable=True)
    same = same.gather(1, order)
    distances = part_distances(embeddings, embeddings)
    distances = distances.gather(2, order.expand_as(distances))
    positive = distances[..., :most].masked_fill(~same[:, :most], -math.inf).unsqueeze(3)
    negative = distances[..., least:].masked_fill(same[:, least:], math.inf).unsqueeze(2)
    loss = F.relu(positive - negative + margin).flatten(1)
    return (loss.sum(1) / (loss > 0).sum(1).clamp(min=1)).mean()


def cross_entropy_loss(logits: Tensor, labels: Tensor, scale: float = SCALE, smoothing: float = SMOOTHING) -> Tensor:
    """Cross-entropy of cosine logits [n, classes, p], scaled, averaged over clips and parts.

    ``smoothing``: share of the probability that is spread over all classes.
    """
    targets = labels[:, None].expand(-1, logits.shape[2])
    return F.cross_entropy(logits.float() * scale, targets, label_smoothing=smoothing)

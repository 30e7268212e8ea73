"""How far apart people are: their centres, the distances between them, and of clips to their own centre and others'.

All distances are cosine distances of whole embeddings whose parts count alike, in [0, 2]: the mean over parts of one
minus the cosine of two clips, as in OpenGait. A centre is the mean over views of the means over a view's clips, so that
a person with many clips of one view is not drawn towards it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.features import Features

__all__ = [
    "Centres",
    "centre_of",
    "cosine_distances",
    "directions",
    "find_centres",
    "greedily_apart",
    "greedily_unique",
    "to_other_centres",
    "to_own_centre",
]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Centres:
    """One point a person.

    Attributes:
        names: The people.
        vectors: float32 [n, D], of length 1.
    """

    names: tuple[str, ...]
    vectors: Floats

    def __len__(self) -> int:
        return len(self.names)


def directions(embeddings: Floats) -> Floats:
    """Embeddings as vectors of length 1 in which every part counts alike: float32 [N, c, p] -> [N, c * p]."""
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    parts = embeddings / np.maximum(lengths, 1e-12) / np.sqrt(embeddings.shape[2])
    return parts.reshape(len(parts), parts.shape[1] * parts.shape[2]).astype(np.float32)


def cosine_distances(left: Floats, right: Floats) -> Floats:
    """One minus the cosine of every pair of unit vectors: [n, D] and [m, D] -> [n, m]."""
    return (1 - left @ right.T).astype(np.float32)


def centre_of(vectors: Floats, view: npt.NDArray[np.str_]) -> Floats:
    """One person's centre: the mean over views of the mean over their clips, brought to length 1.

    Args:
        vectors: float32 [N, D], the person's clips.
        view: str [N], of each clip.

    Returns:
        float32 [D].
    """
    mean = np.stack([vectors[view == name].mean(0) for name in np.unique(view)]).mean(0)
    return (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)


def find_centres(clips: Features) -> Centres:
    """The centre of everybody, in the order in which they first appear."""
    vectors, names = directions(clips.embeddings), tuple(dict.fromkeys(clips.identity.tolist()))
    found = [centre_of(vectors[clips.identity == name], clips.view[clips.identity == name]) for name in names]
    return Centres(names, np.stack(found) if found else np.zeros((0, 0), np.float32))


def to_own_centre(clips: Features) -> Floats:
    """Each clip's distance to the centre of its person's other clips: float32 [N].

    Raises:
        DataError: Somebody has one clip only.
    """
    vectors = directions(clips.embeddings)
    found = np.zeros(len(vectors), np.float32)
    for number, name in enumerate(clips.identity):
        others = clips.identity == name
        others[number] = False
        if not others.any():
            raise DataError(f"{name} has one clip only; whether a person is one person needs two or more")
        found[number] = 1 - vectors[number] @ centre_of(vectors[others], clips.view[others])
    return found


def to_other_centres(clips: Features) -> Floats:
    """Every clip's distance to the centre of everybody else: float32 [N * (people - 1)]."""
    centres = find_centres(clips)
    strangers = clips.identity[:, None] != np.array(centres.names)[None]
    return cosine_distances(directions(clips.embeddings), centres.vectors)[strangers]


def greedily_unique(vectors: Floats, radius: float) -> npt.NDArray[np.bool_]:
    """Which of some unit vectors stay, in order, if each must be farther than ``radius`` from all that stayed."""
    return greedily_apart(cosine_distances(vectors, vectors), radius)


def greedily_apart(distances: Floats, radius: float) -> npt.NDArray[np.bool_]:
    """The same of a table of distances [N, N]: bool [N]."""
    close, stays = distances <= radius, np.zeros(len(distances), bool)
    for number in range(len(distances)):
        stays[number] = not (close[number] & stays).any()
    return stays

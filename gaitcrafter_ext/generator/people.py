"""The space of people: an identity code says where a person stands among others, by their gait energy images.

The codes are the whitened principal components of people's mean gait energy images (GEI, Han & Bhanu 2006), all views
of plain walking side by side. A blend is a mixture of known people's codes whose weights are brought to length 1, which
distributes it like a person; a normal draw is a person too.

Who was never trained on is placed by whatever clips there are. Each condition and view has a ridge regression from GEI
to code with a known error; the estimates of several clips are fused as Gaussians (product of experts with a common
prior), whose errors are taken to be correlated as much as they were between views of one person.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gaitcrafter_ext.generator.framework import ConfigMixin, ModelMixin, register_to_config

#: Columns that the generator sees; a GEI is halved each way.
MIDDLE = slice(8, 56)
GEI_ROWS, GEI_COLUMNS = 32, 24

#: Sine of the angle from which a walker is seen from the side.
SIDEWAYS = 0.7
FEATURES = GEI_ROWS * GEI_COLUMNS

#: Ridge, as a share of the mean eigenvalue of the clips' Gram matrix; folds by person that measure the error.
RIDGE, FOLDS = 1e-2, 5

#: Principal components that tell the views that a person lacks from the others, and rounds in which they do.
FILLED_BY, FILLED_IN = 16, 10

Floats = NDArray[np.float64]


def gei_features(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Gait energy image of a clip's middle columns: uint8 [T, 64, 64] to float32 [768] in [0, 1]."""
    mean = frames[:, :, MIDDLE].mean(axis=0, dtype=np.float64) / 255
    return mean.reshape(GEI_ROWS, 2, GEI_COLUMNS, 2).mean(axis=(1, 3)).ravel().astype(np.float32)


class PeopleSpace(ModelMixin, ConfigMixin):
    """Codes of the people that the weights know, and the encoder that places others among them.

    ``view_deg`` are the angles of the views with an encoder, None for the one of unknown angle.
    """

    # All float32.
    codes: Tensor  # [identities, code_dim], whitened
    mean: Tensor  # [conditions, views, 768], mean GEI
    readout: Tensor  # [conditions, views, 768, code_dim], regression to the code
    error: Tensor  # [conditions, views, code_dim], variance of its error; 1, the prior's, where nothing is known
    correlation: Tensor  # scalar, of the errors of two clips of one person

    @register_to_config
    def __init__(
        self, identities: Sequence[str], conditions: Sequence[str], view_deg: Sequence[float | None], code_dim: int
    ) -> None:
        super().__init__()
        cells = (len(conditions), len(view_deg))
        self.register_buffer("codes", torch.zeros(len(identities), code_dim))
        self.register_buffer("mean", torch.zeros(*cells, FEATURES))
        self.register_buffer("readout", torch.zeros(*cells, FEATURES, code_dim))
        self.register_buffer("error", torch.ones(*cells, code_dim))
        self.register_buffer("correlation", torch.zeros(()))

    @cached_property
    def row(self) -> dict[str, int]:
        """Row of each known person."""
        return {name: row for row, name in enumerate(self.config.identities)}

    def blend(self, weights: Mapping[str, float]) -> Tensor:
        """Code [code_dim] of a mixture of known people: name -> weight; one name alone is that person's own row."""
        return self.blends([weights], self.codes.cpu())[0]

    def blends(self, mixtures: Sequence[Mapping[str, float]], codes: Tensor) -> Tensor:
        """Codes [n, code_dim] of many mixtures, 0 where one is empty; ``codes`` are those of the people, on the CPU."""
        names = [name for mixture in mixtures for name in mixture]
        rows = codes[[self.row[name] for name in names]].double()
        share = torch.tensor([share for mixture in mixtures for share in mixture.values()], dtype=torch.float64)
        owner = torch.arange(len(mixtures)).repeat_interleave(torch.tensor([len(mixture) for mixture in mixtures]))
        length = torch.zeros(len(mixtures), dtype=torch.float64).index_add_(0, owner, share.square()).sqrt()
        mixed = torch.zeros(len(mixtures), codes.shape[1], dtype=torch.float64)
        return mixed.index_add_(0, owner, rows * (share / length[owner])[:, None]).float()

    def draw(self, generator: torch.Generator) -> Tensor:
        """Code [code_dim] of a person drawn from the space."""
        used = (self.codes.cpu().std(dim=0, correction=0) > 1e-3).float() if len(self.codes) > 1 else 1.0
        return torch.randn(self.codes.shape[1], generator=generator) * used

    def encode(self, features: NDArray[np.float32], condition: Sequence[str], view_deg: Sequence[float]) -> Tensor:
        """Code [code_dim] of one person, of whom ``features`` [n, 768] are the :func:`gei_features` of clips.

        A condition that the space does not know is read as the first that it does, a view, NaN where unknown, as the
        nearest with an encoder.
        """
        means, precisions = [], []
        for row, name, degrees in zip(features, condition, view_deg, strict=True):
            cell = self._cell(name, degrees)
            centred = torch.from_numpy(row).double() - self.mean[cell].cpu().double()
            means.append(centred @ self.readout[cell].cpu().double())
            precisions.append(1 / self.error[cell].cpu().double())
        mean, precision = torch.stack(means), torch.stack(precisions)
        share = 1 / (1 + (len(mean) - 1) * float(self.correlation))
        total = 1 + share * (precision - 1).sum(0)
        fused = share * (mean * precision).sum(0) / total
        # Shrunk estimates all lie near the middle; people lie on a shell.
        lengths = self.codes.norm(dim=1)
        radius = float(lengths[lengths > 0].median()) if lengths.any() else 0.0
        return (fused * radius / fused.norm().clamp(min=1e-6)).float()

    def face_away(
        self, features: NDArray[np.float32], condition: Sequence[str], view_deg: Sequence[float]
    ) -> list[bool]:
        """Of each clip seen from the side, whether it is nearer to the mean of its view when it is mirrored."""
        found = []
        for row, name, degrees in zip(features, condition, view_deg, strict=True):
            if abs(math.sin(math.radians(degrees))) > SIDEWAYS:  # not where the angle is unknown, NaN
                mean = self.mean[self._cell(name, degrees)].cpu().numpy()
                mirrored = row.reshape(GEI_ROWS, GEI_COLUMNS)[:, ::-1].ravel()
                found.append(bool(np.square(mirrored - mean).sum() < np.square(row - mean).sum()))
        return found

    def _cell(self, condition: str, view_deg: float) -> tuple[int, int]:
        """Condition and view of the encoder to use: the nearest that has learned something."""
        names = list(self.config.conditions)
        rows = [names.index(condition)] if condition in names else []
        apart = [_degrees_between(view_deg, known) for known in self.config.view_deg]
        for row in (*rows, *range(len(names))):
            if learned := (self.error[row].mean(dim=-1) < 1).nonzero()[:, 0].tolist():
                return row, min(learned, key=apart.__getitem__)
        return 0, 0

    @classmethod
    def fit(
        cls,
        features: NDArray[np.float32],
        person: NDArray[np.int64],
        condition: NDArray[np.int64],
        view_deg: NDArray[np.float32],
        identities: Sequence[str],
        conditions: Sequence[str],
        code_dim: int,
        codes: Floats | None = None,
    ) -> PeopleSpace:
        """Learn the space of a data set: a clip's GEI a row, [n, 768], with indices of its person and condition [n].

        ``view_deg`` [n] is NaN where unknown. Codes come from the first condition; people without a clip of it are
        placed as strangers are. Dimensions of the code beyond what the people span stay 0. Given ``codes``
        [identities, code_dim] stand in for the principal components.
        """
        angles = sorted({float(angle) for angle in view_deg if math.isfinite(angle)})
        known = [*angles, *([None] if np.isnan(view_deg).any() else [])]
        view = np.array([known.index(None if math.isnan(angle) else float(angle)) for angle in view_deg])
        space = cls(tuple(identities), tuple(conditions), tuple(known), code_dim)
        plain = condition == condition.min()
        if codes is None:
            codes = _principal_codes(features[plain], person[plain], view[plain], len(identities), len(known), code_dim)
        space.codes.copy_(torch.from_numpy(codes))
        has_code = np.isin(person, person[plain])
        left: list[dict[int, Floats]] = []
        for cell in sorted({*zip(condition[has_code].tolist(), view[has_code].tolist(), strict=True)}):
            mine = has_code & (condition == cell[0]) & (view == cell[1])
            left.append(space._fit_cell(cell, features[mine].astype(np.float64), person[mine], codes))
        space.correlation.fill_(_correlation(left))
        for who in np.unique(person[~has_code]):
            mine = person == who
            names = [conditions[index] for index in condition[mine]]
            space.codes[who] = space.encode(features[mine], names, view_deg[mine].tolist())
        return space

    def _fit_cell(
        self, cell: tuple[int, int], x: Floats, person: NDArray[np.int64], codes: Floats
    ) -> dict[int, Floats]:
        """Fit the regression of one condition and view; returns each person's error outside their own fold."""
        everyone = np.unique(person)
        if len(everyone) < 2:
            return {}
        residual: dict[int, list[Floats]] = {}
        for fold in np.array_split(everyone, min(FOLDS, len(everyone))):
            out = np.isin(person, fold)
            mean, readout = _ridge(x[~out], codes[person[~out]])
            for who, row in zip(person[out], (x[out] - mean) @ readout - codes[person[out]], strict=True):
                residual.setdefault(int(who), []).append(row)
        mean, readout = _ridge(x, codes[person])
        variance = np.mean([row**2 for rows in residual.values() for row in rows], axis=0)
        self.mean[cell], self.readout[cell] = torch.from_numpy(mean).float(), torch.from_numpy(readout).float()
        self.error[cell] = torch.from_numpy(np.clip(variance, 1e-3, 1.0)).float()
        return {who: np.mean(rows, axis=0) for who, rows in residual.items()}


def _principal_codes(
    features: NDArray[np.float32], person: NDArray[np.int64], view: NDArray[np.int64], people: int, views: int, dim: int
) -> Floats:
    """Whitened principal components of people's mean GEIs, views side by side: float64 [people, dim]."""
    from sklearn.decomposition import PCA

    total = np.zeros((people, views, FEATURES))
    count = np.zeros((people, views, 1))
    np.add.at(total, (person, view), features)
    np.add.at(count, (person, view), 1)
    mean = _filled(total / np.maximum(count, 1), count > 0)
    codes = np.zeros((people, dim))
    components = min(dim, people - 1)
    if components > 0:
        pca = PCA(components, whiten=True, svd_solver="full" if people <= 2000 else "randomized", random_state=0)
        codes[:, :components] = pca.fit_transform(mean.reshape(people, -1))
        codes[count.sum(axis=(1, 2)) == 0] = 0
    return codes


def _filled(mean: Floats, seen: NDArray[np.bool_]) -> Floats:
    """GEIs [people, views, f], those of views that a person lacks (``seen`` [people, views, 1]) told by the others.

    Regularised iterative PCA (Josse & Husson 2012). With everybody's mean in their place, which they begin as, the
    principal components would tell who was seen from where.
    """
    from sklearn.decomposition import PCA

    some = seen.any(axis=(1, 2))  # nobody else has a code
    mean = np.where(seen, mean, mean.sum(axis=0) / np.maximum(seen.sum(axis=0), 1))
    components = min(FILLED_BY, int(some.sum()) // 3)  # more would learn the gaps by heart
    filled, there = mean[some], seen[some]
    if components > 0 and not there.all():
        pca = PCA(components, svd_solver="randomized", random_state=0)
        for _ in range(FILLED_IN):
            scores = pca.fit_transform(filled.reshape(len(filled), -1))
            shrunk = scores * np.maximum(0, 1 - pca.noise_variance_ / pca.explained_variance_)
            filled = np.where(there, filled, pca.inverse_transform(shrunk).reshape(filled.shape))
        mean[some] = filled
    return mean


def _ridge(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Mean [f] and coefficients [f, d] of a ridge regression of ``y`` [n, d] on ``x`` [n, f]."""
    mean = x.mean(axis=0)
    centred = x - mean
    penalty = RIDGE * float((centred**2).sum()) / len(x) + 1e-9
    if len(x) < x.shape[1]:
        gram = centred @ centred.T
        return mean, centred.T @ np.linalg.solve(gram + penalty * np.eye(len(x)), y)
    return mean, np.linalg.solve(centred.T @ centred + penalty * np.eye(x.shape[1]), centred.T @ y)


def _correlation(errors: Sequence[Mapping[int, Floats]]) -> float:
    """Mean correlation of one person's errors between conditions and views, in [0, 1]."""
    sums, squares = 0.0, 0.0
    for who in sorted(set().union(*errors)):
        rows = np.stack([found[who] for found in errors if who in found])
        if len(rows) > 1:
            sums += float((rows.sum(axis=0) ** 2 - (rows**2).sum(axis=0)).mean()) / (len(rows) - 1)
            squares += float((rows**2).sum(axis=0).mean())
    return float(np.clip(sums / squares, 0.0, 1.0)) if squares > 0 else 0.0


def _degrees_between(asked: float, known: Any) -> float:
    """Degrees between two views; an unknown angle is farther than any."""
    if known is None or math.isnan(asked):
        return 0.0 if known is None and math.isnan(asked) else 360.0
    apart = abs(asked - float(known)) % 360
    return min(apart, 360 - apart)

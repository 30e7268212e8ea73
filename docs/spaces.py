"""Spaces of people at equal training: a table of what each kind of identity code gives.

    python docs/spaces.py --work spaces
    python docs/spaces.py --work spaces --populations 102 --variants gei-32-noise-0.125    # a part, to share them out

Small generators learn the same people from the same clips, each with other identity codes: principal components of gait
energy images (GEI), of a recogniser's prototypes, or random ones. That recogniser learned people of yet another cohort
and judges nothing; the judge is that of ``figures.py``. Three populations. What is done is not done again.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from figures import STRANGER_SEED, STRANGERS, VIEWS, Judge, Maker, Takes, Vectors, gaitcrafter, radius_of, simulate
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from gaitcrafter_ext.generator.config import GeneratorConfig, load_config
from gaitcrafter_ext.generator.data import ClipDataset
from gaitcrafter_ext.generator.denoising import DenoiseClips
from gaitcrafter_ext.generator.people import PeopleSpace
from gaitcrafter_ext.generator.training import Trainer
from gaitcrafter_ext.metrics.centroids import greedily_unique
from gaitcrafter_ext.recognition.checkpoint import load_recogniser
from gaitcrafter_ext.recognition.embedding import embed_frames
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.synthesis.plan import Selection
from gaitcrafter_ext.synthesis.real_people import people_like

#: The takes that people are learned from, and those that judge.
LEARNED, JUDGED = ("nm-01", "nm-02", "bg-01", "cl-01", "cl-02"), ("nm-03", "nm-04", "nm-05")
TAKES = "nm=5,bg=1,cl=2"
POPULATIONS = (101, 102, 103)
OTHERS, OTHERS_SEED = 60, 104
BATCH = 32
#: People of whom clips are generated: known ones, novel ones, others than those learned.
KNOWN, NOVEL, LIKE = 60, 40, 40


@dataclass(frozen=True)
class Variant:
    """A kind of identity codes, their dimensions, and the noise on them in training."""

    kind: str
    dim: int = 64
    noise: float = 0.125

    def __str__(self) -> str:
        return f"{self.kind}-{self.dim}-noise-{self.noise:g}"


VARIANTS = (
    Variant("gei"),
    Variant("gei", dim=32),
    Variant("prototypes"),
    Variant("random"),
    Variant("gei", noise=0.0),
    Variant("gei", noise=0.25),
    Variant("gei", noise=0.5),
)


class Clips(ClipDataset):
    """A dataset whose people are placed in the space of a variant."""

    variant: Variant
    recogniser: torch.nn.Module
    store: SilhouetteStore

    def fit_people(self, code_dim: int) -> PeopleSpace:
        words, codes = self.vocabulary, None
        if self.variant.kind == "random":
            codes = np.random.default_rng(0).standard_normal((len(words.identities), code_dim))
        if self.variant.kind == "prototypes":
            codes = self._prototypes(code_dim)
        cells = (self.features, self.person, self.condition, self.view_deg)
        return PeopleSpace.fit(*cells, words.identities, words.conditions, code_dim, codes)

    def _prototypes(self, code_dim: int) -> NDArray[np.float64]:
        """Whitened principal components of people's mean embeddings in plain clothes, each less its view's mean."""
        plain = np.flatnonzero(self.condition == self.condition.min())
        clips = (self.store.read_real(self.keys[row]) for row in plain)
        embeddings = embed_frames(self.recogniser, clips).reshape(len(plain), -1).astype(np.float64)
        for view in np.unique(self.view_deg[plain]):
            embeddings[self.view_deg[plain] == view] -= embeddings[self.view_deg[plain] == view].mean(axis=0)
        rows = range(len(self.vocabulary.identities))
        means = np.stack([embeddings[self.person[plain] == row].mean(axis=0) for row in rows])
        found, codes = min(code_dim, len(means) - 1), np.zeros((len(means), code_dim))
        codes[:, :found] = PCA(found, whiten=True).fit_transform(means)
        return codes


def generator_config(variant: Variant, clips: int) -> GeneratorConfig:
    config = load_config("simulated-small")
    training = replace(config.training, max_clips=clips, batch_size=BATCH, code_noise=variant.noise, held_out_takes=0)
    return replace(config, model=replace(config.model, code_dim=variant.dim), training=training)


def learn(variant: Variant, store: SilhouetteStore, recogniser: torch.nn.Module, clips: int, folder: Path) -> None:
    """Train a generator and write its weights."""
    config = generator_config(variant, clips)
    keys = [key for key in store.require_keys() if key.take in LEARNED]
    dataset = Clips(store, keys, config.dataset, folder / "training" / "clips.u8")
    dataset.variant, dataset.recogniser, dataset.store = variant, recogniser, store
    trainer = Trainer(config, DenoiseClips(config, dataset, None), folder / "training")
    for _ in trainer.run():
        pass
    trainer.pipeline({}).save_pretrained(folder)


class Bench:
    """A population and the strangers beside it, as the judge sees them."""

    def __init__(self, judge: Judge, store: SilhouetteStore, strangers: SilhouetteStore) -> None:
        self.judge, self.store, self.strangers = judge, store, strangers
        real = {name: _vectors(judge, tree) for name, tree in (("known", store), ("strangers", strangers))}
        judge.learn_views({**real["known"], **real["strangers"]})
        self.people = {name: sorted({key[0] for key in found}) for name, found in real.items()}
        self.gallery = {name: judge.centroids(self.people[name], real[name], JUDGED) for name in real}
        self.real = real

    def chance(self) -> dict[str, float]:
        """What a guess scores."""
        known, strangers = (100 / len(self.people[name]) for name in ("known", "strangers"))
        return {"known, nm": known, "known, cl": known, "like, nm": strangers}

    def ceiling(self) -> dict[str, float]:
        """What clips of the people themselves score."""
        known, some = (
            {key: vector for key, vector in self.real[name].items() if key[0] in self.people[name][:count]}
            for name, count in (("known", KNOWN), ("strangers", LIKE))
        )
        return {
            "known, nm": self._rank1(known, "known", "nm-01"),
            "known, cl": self._rank1(known, "known", "cl-01"),
            "blends unique": self._unique(self.gallery["strangers"][:NOVEL]),
            "blends leak": 5.0,
            "like, nm": self._rank1(some, "strangers", "nm-01"),
        }

    def figures(self, weights: Path, like: bool) -> dict[str, float]:
        """What the clips of a generator score, in percent."""
        make = Maker(str(weights), None, None)
        known = self.judge.vectors(make(Selection(tuple(self.people["known"][:KNOWN]), 0, ("nm-01", "cl-01"), VIEWS)))
        found = {f"known, {name}": self._rank1(known, "known", f"{name}-01") for name in ("nm", "cl")}
        novel = self.judge.vectors(make(Selection((), NOVEL, ("nm-01",), VIEWS)))
        centroids = self.judge.centroids(list(dict.fromkeys(key[0] for key in novel)), novel, ("nm-01",))
        nearest = 1 - (self.gallery["strangers"] @ self.gallery["known"].T).max(axis=1)
        near = 1 - (centroids @ self.gallery["known"].T).max(axis=1) < np.quantile(nearest, 0.05)
        found |= {"blends unique": self._unique(centroids), "blends leak": 100 * float(near.mean())}
        if like:
            seen = Takes(self.strangers, LEARNED[:2])
            people = people_like(make.card, make.weights, seen, self.people["strangers"][:LIKE])  # type: ignore[arg-type]
            made = self.judge.vectors(make(Selection((), 0, ("nm-01",), VIEWS, like=people)))
            found["like, nm"] = self._rank1(made, "strangers", "nm-01")
        return found

    def _rank1(self, vectors: Vectors, who: str, take: str) -> float:
        part = {key: vector for key, vector in vectors.items() if key[1] == take}
        return 100 * float(self.judge.hits(part, self.people[who], self.gallery[who]).mean())

    def _unique(self, centroids: NDArray[np.float32]) -> float:
        return 100 * float(greedily_unique(centroids, radius_of(self.gallery["strangers"])).mean())


def _vectors(judge: Judge, store: SilhouetteStore) -> Vectors:
    wanted = {*JUDGED, "nm-01", "cl-01"}
    keys = [key for key in store if key.take in wanted and key.view in VIEWS]
    return judge.vectors({(key.identity, key.take, key.view): store.read(key) for key in keys})


def small_recogniser(work: Path) -> torch.nn.Module:
    """A small GaitSet that learned other people."""
    cohort, folder = work / "others", work / "recogniser"
    if not (folder / "recogniser.json").is_file():
        simulate(cohort, OTHERS, OTHERS_SEED, TAKES, VIEWS)
        where = ("--data", cohort / "pkl", "--partition", cohort / "partition.json", "--out", folder)
        kind = ("--model", "gaitset", "--preset", "small", "--iterations", "400", "--no-test")
        gaitcrafter("recognise", "train", *where, *kind)
    return load_recogniser(folder)[0]


def table(results: dict[str, list[dict[str, float]]]) -> str:
    """A row a variant: mean over the populations, and each."""
    columns = list(results["real clips"][0])
    rows = [f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name, found in results.items():
        cells = [[each[column] for each in found if column in each] for column in columns]
        shown = [f"{statistics.fmean(c):.0f} ({', '.join(f'{v:.0f}' for v in c)})" if c else "" for c in cells]
        rows.append(f"| {name} | {' | '.join(shown)} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("spaces"))
    parser.add_argument("--people", type=int, default=200, help="of each population")
    parser.add_argument("--clips", type=int, default=16000, help="each generator is trained on so many")
    parser.add_argument("--populations", type=int, nargs="+", default=POPULATIONS, metavar="SEED")
    names = [str(variant) for variant in VARIANTS]
    parser.add_argument("--variants", nargs="+", default=names, choices=names, metavar="NAME", help=", ".join(names))
    args = parser.parse_args()
    chosen = [variant for variant in VARIANTS if str(variant) in args.variants]
    # Whitened codes of as many dimensions as people, less one, are all equally far apart: no kind of them is another.
    if args.people < 2 * (widest := max(variant.dim for variant in chosen)):
        parser.error(f"--people: {args.people}; allowed: {2 * widest} or more, twice the dimensions of a code")
    recogniser, judge = small_recogniser(args.work), Judge()
    strangers = simulate(args.work / "strangers", STRANGERS, STRANGER_SEED, TAKES, VIEWS)
    results: dict[str, list[dict[str, float]]] = {}
    for seed in args.populations:
        store = simulate(args.work / f"population-{seed}-{args.people}", args.people, seed, TAKES, VIEWS)
        bench = Bench(judge, store, strangers)
        results.setdefault("real clips", []).append(bench.ceiling())
        results.setdefault("chance", []).append(bench.chance())
        for variant in chosen:
            folder = args.work / f"{variant}-{seed}-{args.people}-people-{args.clips}-clips"
            done = folder / "figures.json"
            if not done.is_file():
                learn(variant, store, recogniser, args.clips, folder)
                done.write_text(json.dumps(bench.figures(folder, variant.kind != "random")))
            results.setdefault(str(variant), []).append(json.loads(done.read_text()))
            print(seed, variant, results[str(variant)][-1], flush=True)
    print(table(results))


if __name__ == "__main__":
    main()

"""The figures of the bundled weights in docs/results.md: identity, novelty and people never trained on.

    python docs/figures.py --people 50 --work figures
    python docs/figures.py --known-only --identity-scale 1.5
    python docs/figures.py --known-only --weights student

Other weights must know the same people. Simulates 50 of the known people on other occasions and 80 strangers, generates
clips and judges all by the bundled recogniser, which was trained on neither. Views 054, 090 and 144; a clip is compared
with centroids of three real takes of each person after the mean of its view was taken off; novel people, a take each as
the strangers beside them, also without that, as the filter compares them. Whether the condition is the one asked for is
judged by a classifier of gait energy images of strangers; how much of a code the clips show, by the encoder that the
weights bring. A minute on a GPU, five on two cores with bf16.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from gaitcrafter_ext.generator.people import PeopleSpace, gei_features
from gaitcrafter_ext.generator.weights import PEOPLE_NAME, locate, read_card
from gaitcrafter_ext.metrics.centroids import greedily_unique
from gaitcrafter_ext.metrics.intervals import estimate_share
from gaitcrafter_ext.metrics.variety import within_balls
from gaitcrafter_ext.recognition.embedding import load_embedder
from gaitcrafter_ext.recognition.filter_card import locate_filter
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.synthesis.identities import BlendSettings, Identity
from gaitcrafter_ext.synthesis.plan import Selection, make_plan, sampling_by
from gaitcrafter_ext.synthesis.real_people import people_like
from gaitcrafter_ext.synthesis.run import pipeline_sampler
from gaitcrafter_ext.synthesis.selection import read_selected

VIEWS, FRAMES, SEED, CHUNK = ("054", "090", "144"), 30, 7, 64
KNOWN_SEED, STRANGER_SEED, STRANGERS = 2508, 4711, 80
TAKES = {"known": "nm=6,bg=2,cl=4", "strangers": "nm=4,bg=2,cl=2"}
#: Takes of real clips whose neighbourhoods stand in for those of generated ones.
OTHERS = ("nm-05", "bg-01", "cl-03")
GALLERY = {"known": ("nm-03", "nm-04", "nm-05"), "strangers": ("nm-02", "nm-03", "nm-04")}
PROBES = {
    "known": {"nm": ("nm-06",), "bg": ("bg-02",), "cl": ("cl-03", "cl-04")},
    "strangers": {"nm": ("nm-01",), "bg": ("bg-02",), "cl": ("cl-01", "cl-02")},
}

#: Dimensions of the codes, principal components in the order of their variance, that are looked at together.
DIMENSIONS = ((0, 8), (8, 16), (16, 24), (24, 32), (32, 48), (48, 64))

Key = tuple[str, str, str]
Clips = dict[Key, NDArray[np.uint8]]
Vectors = dict[Key, NDArray[np.float32]]


class Judge:
    """The bundled recogniser: unit vectors less the mean of their view among real plain walks."""

    def __init__(self) -> None:
        self.embed = load_embedder(locate_filter("bundled"), "auto")
        self.view_mean: dict[str, NDArray[np.float32]] = {}

    def vectors(self, clips: Clips) -> Vectors:
        keys, found = list(clips), []
        for start in range(0, len(keys), CHUNK):
            part = np.stack([clips[key][:FRAMES] for key in keys[start : start + CHUNK]])
            found.append(_unit(self.embed(part).reshape(len(part), -1)))
        return dict(zip(keys, np.concatenate(found), strict=True))

    def learn_views(self, real: Vectors) -> None:
        for view in VIEWS:
            plain = [vector for key, vector in real.items() if key[2] == view and key[1].startswith("nm")]
            self.view_mean[view] = np.mean(plain, axis=0)

    def centroids(
        self, people: list[str], vectors: Vectors, takes: tuple[str, ...], off: bool = True
    ) -> NDArray[np.float32]:
        """A unit vector a person; the means of views are taken ``off`` before."""
        means = self.view_mean if off else dict.fromkeys(VIEWS, np.float32(0))
        rows = [[vectors[who, take, view] - means[view] for take in takes for view in VIEWS] for who in people]
        return np.stack([_unit(np.mean(row, axis=0)) for row in rows])

    def hits(self, vectors: Vectors, people: list[str], gallery: NDArray[np.float32]) -> NDArray[np.bool_]:
        found = [
            people[int((gallery @ _unit(vector - self.view_mean[view])).argmax())] == who
            for (who, _, view), vector in vectors.items()
        ]
        return np.array(found)

    def rank1(self, vectors: Vectors, people: list[str], gallery: NDArray[np.float32]) -> str:
        return _share(self.hits(vectors, people, gallery), [who for who, _, _ in vectors])


class Maker:
    """Weights at their defaults, or at another identity scale and number of steps."""

    def __init__(self, weights: str, identity_scale: float | None, steps: int | None) -> None:
        self.weights = locate(weights)
        self.card = read_card(self.weights)
        self.sampling = sampling_by(self.card, identity_scale=identity_scale, steps=steps, seed=SEED)
        self.sample = pipeline_sampler(self.weights, self.sampling)
        self.people: dict[str, Identity] = {}  # of the last call

    def __call__(self, selection: Selection) -> Clips:
        plan = make_plan(self.card, selection, self.sampling)
        requests, found, self.people = plan.requests(), Clips(), plan.people
        for start in range(0, len(requests), CHUNK):
            part = requests[start : start + CHUNK]
            names = [(each.key.identity, each.key.take, each.key.view) for each in part]
            found |= dict(zip(names, self.sample(part), strict=True))
        return found


class Conditions:
    """A classifier of conditions for each view: principal components of gait energy images, logistic regression."""

    def __init__(self, store: SilhouetteStore) -> None:
        self.of_view = {}
        for view in VIEWS:
            keys = [key for key in store if key.view == view]
            images = np.stack([self._image(store.read(key)) for key in keys])
            model = make_pipeline(PCA(60, random_state=0), LogisticRegression(C=3, max_iter=2000))
            self.of_view[view] = model.fit(images, [key.take[:2] for key in keys])

    def shares(self, clips: Clips) -> str:
        """How many clips of each condition are taken for it."""
        right: dict[str, list[bool]] = {}
        for (_, take, view), clip in clips.items():
            right.setdefault(take[:2], []).append(self.of_view[view].predict(self._image(clip)[None])[0] == take[:2])
        return ", ".join(f"{name} {100 * np.mean(hits):.0f} %" for name, hits in sorted(right.items(), reverse=True))

    def _image(self, clip: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(cv2.resize(clip[:FRAMES].mean(axis=0), (32, 32), interpolation=cv2.INTER_AREA).ravel() / 255)


class Codes:
    """Codes asked for beside those read from the clips, three plain ones a person, by the weights' own encoder."""

    def __init__(self, make: Maker) -> None:
        self.make, self.space = make, PeopleSpace.from_pretrained(make.weights / Path(PEOPLE_NAME).parent)

    def compare(self, name: str, clips: Clips) -> None:
        """Print the correlation of both, by :data:`DIMENSIONS`; people are the weights', or those of the last call."""
        people: dict[str, list[Key]] = {}
        for key in clips:
            people.setdefault(key[0], []).append(key)
        asked = np.stack([self._asked(who) for who in people])
        read = np.stack([self._read(clips, keys) for keys in people.values()])
        shown = [np.corrcoef(asked[:, low:high].ravel(), read[:, low:high].ravel())[0, 1] for low, high in DIMENSIONS]
        where = ", ".join(f"{low + 1}-{high} {value:.2f}" for (low, high), value in zip(DIMENSIONS, shown, strict=True))
        print(f"{name}: code asked for and code shown, correlation by dimensions: {where}", flush=True)

    def _asked(self, who: str) -> NDArray[np.float32]:
        identity = self.make.people.get(who, Identity({who: 1.0}))
        return np.asarray(identity.code or self.space.blend(identity.mix), np.float32)

    def _read(self, clips: Clips, keys: list[Key]) -> NDArray[np.float32]:
        features = np.stack([gei_features(clips[key][:FRAMES]) for key in keys])
        return np.asarray(self.space.encode(features, ["nm"] * len(keys), [float(key[2]) for key in keys]))


def _probes(store: SilhouetteStore) -> Clips:
    takes = {take for found in PROBES["known"].values() for take in found}
    keys = [key for key in store if key.take in takes and key.view in VIEWS]
    return {(key.identity, key.take, key.view): store.read(key) for key in keys}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--work", type=Path, default=Path("figures"))
    parser.add_argument("--weights", default="bundled", help="others must know the same people")
    parser.add_argument("--steps", type=int, help="default: the weights'")
    parser.add_argument("--identity-scale", type=float, help="default: the weights'")
    parser.add_argument("--novel", type=int, help="novel people of each way (default: as --people)")
    parser.add_argument("--known-only", action="store_true", help="leave out novel people and those never trained on")
    args = parser.parse_args()
    cohorts = {
        name: simulate(args.work / name, people, seed, TAKES[name], ("000", *VIEWS))
        for name, people, seed in (("known", 50, KNOWN_SEED), ("strangers", STRANGERS, STRANGER_SEED))
    }
    judge, real = Judge(), {}
    for name, store in cohorts.items():
        wanted = {*OTHERS, *GALLERY[name], *(take for takes in PROBES[name].values() for take in takes)}
        keys = [key for key in store if key.take in wanted and key.view in VIEWS]
        real[name] = judge.vectors({(key.identity, key.take, key.view): store.read(key) for key in keys})
    judge.learn_views({**real["known"], **real["strangers"]})
    people = {name: sorted({key[0] for key in vectors}, key=_number) for name, vectors in real.items()}
    gallery = {name: judge.centroids(people[name], real[name], GALLERY[name]) for name in real}
    for name, probes in PROBES.items():
        for condition, takes in probes.items():
            chosen = {key: vector for key, vector in real[name].items() if key[1] in takes}
            print(f"real {name}, {condition}: rank-1 {judge.rank1(chosen, people[name], gallery[name])}", flush=True)
    make = Maker(args.weights, args.identity_scale, args.steps)
    conditions = Conditions(cohorts["strangers"])
    real_clips = _probes(cohorts["known"])
    print(f"real known people: condition recognised {conditions.shares(real_clips)}", flush=True)
    made = make(Selection(tuple(people["known"][: args.people]), 0, ("nm-03", "bg-02", "cl-03"), VIEWS))
    print(f"generated known people: condition recognised {conditions.shares(made)}", flush=True)
    broken = " and ".join(f"{100 * _broken(clips):.2f} %" for clips in (made, real_clips))
    print(f"frames in more than one piece: {broken} of real ones", flush=True)
    codes = Codes(make)
    codes.compare("real known people", {key: clip for key, clip in real_clips.items() if key[1] == "nm-06"})
    codes.compare("generated known people", {key: clip for key, clip in made.items() if key[1] == "nm-03"})
    vectors = judge.vectors(made)
    strangers = judge.centroids(people["strangers"], real["strangers"], PROBES["strangers"]["nm"])
    _known(judge, vectors, people["known"], gallery["known"], strangers)
    chosen = {key: vector for key, vector in real["known"].items() if key[0] in people["known"][: args.people]}
    others = {key: vector for key, vector in chosen.items() if key[1] in OTHERS}
    print(f"recall of real known people's clips: {_recall(judge, chosen, vectors)} by generated ones", flush=True)
    print(f"... {_recall(judge, chosen, others)} by as many real ones", flush=True)
    if not args.known_only:
        _novel(judge, make, codes, args.novel or args.people, real, people, args.work)
        _like(judge, make, cohorts["strangers"], people["strangers"], gallery["strangers"])


def _broken(clips: Clips) -> float:
    """Share of frames in more than one piece (8-neighbours, above half white)."""
    masks = [(frame > 127).astype(np.uint8) for clip in clips.values() for frame in clip[:FRAMES]]
    return float(np.mean([cv2.connectedComponents(mask, connectivity=8)[0] > 2 for mask in masks]))


def _recall(judge: Judge, real: Vectors, other: Vectors) -> str:
    """Real probes that lie in the neighbourhood of some other clip of their condition, k = 3 (arXiv 1904.06991)."""
    parts = []
    for condition, takes in PROBES["known"].items():
        probes, balls = (
            np.stack([vector - judge.view_mean[key[2]] for key, vector in some.items() if key[1].startswith(names)])
            for some, names in ((real, takes[-1:]), (other, (condition,)))
        )
        parts.append(f"{condition} {100 * within_balls(probes, balls, 3).any(axis=1).mean():.0f} %")
    return ", ".join(parts)


def _known(judge: Judge, made: Vectors, people: list[str], gallery: Any, strangers: Any) -> None:
    chosen = list(dict.fromkeys(key[0] for key in made))
    for condition in ("nm", "bg", "cl"):
        part = {key: vector for key, vector in made.items() if key[1].startswith(condition)}
        print(f"generated known people, {condition}: rank-1 {judge.rank1(part, people, gallery)}", flush=True)
    radius = radius_of(strangers)
    drawn = judge.centroids(chosen, made, ("nm-03",))
    for name, vectors in (("strangers", strangers[: len(chosen)]), ("generated known people", drawn)):
        kept = greedily_unique(vectors, radius)
        print(f"{name}: unique {_share(kept, [str(n) for n in range(len(kept))])}", flush=True)


def _novel(
    judge: Judge,
    make: Maker,
    codes: Codes,
    count: int,
    real: dict[str, Vectors],
    people: dict[str, list[str]],
    work: Path,
) -> None:
    gaitcrafter("filter", "--weights", make.weights, "--novel", str(count), "--out", work / f"chosen-{count}.json")
    ways: dict[str, dict[str, Any]] = {
        "blends of ten": {"blend": BlendSettings(10)},
        "chosen by the filter": {"selected": read_selected(work / f"chosen-{count}.json")},
        "drawn": {"blend": BlendSettings(strategy="draw")},
    }
    made = {}
    for name, way in ways.items():
        clips = make(Selection((), count, ("nm-01",), VIEWS, **way))
        codes.compare(f"novel, {name}", clips)
        made[name] = judge.vectors(clips)
    for off, how in ((True, "means of views off"), (False, "embeddings as they are")):
        known, again = (judge.centroids(people[name], real[name], GALLERY[name], off) for name in people)
        strangers = judge.centroids(people["strangers"], real["strangers"], PROBES["strangers"]["nm"], off)
        leak, radius = np.quantile(1 - (strangers @ known.T).max(axis=1), 0.05), radius_of(strangers)
        own, others = _own_and_others(strangers, again)
        found = _share(own < np.quantile(others, 0.001), people["strangers"])
        print(f"{how}: real strangers matched with themselves at a false match rate of 0.001: {found}", flush=True)
        for name, vectors in made.items():
            who = list(dict.fromkeys(key[0] for key in vectors))
            places = judge.centroids(who, vectors, ("nm-01",), off)
            kept, near = greedily_unique(places, radius), 1 - (places @ known.T).max(axis=1) < leak
            fifty = " and ".join(f"{_unique_of_fifty(some, radius):.0f} %" for some in (places, strangers))
            print(f"{how}: novel, {name}: unique {_share(kept, who)}, leak {_share(near, who)}", flush=True)
            print(f"... unique among fifty of them and among fifty strangers, mean of draws: {fifty}", flush=True)


def _own_and_others(probes: NDArray[np.float32], gallery: NDArray[np.float32]) -> tuple[Any, Any]:
    """Distances of people to themselves and to all others."""
    distances, own = 1 - probes @ gallery.T, np.eye(len(probes), dtype=bool)
    return distances[own], distances[~own]


def _unique_of_fifty(vectors: NDArray[np.float32], radius: float) -> float:
    rng = np.random.default_rng(0)
    drawn = (vectors[rng.permutation(len(vectors))[:50]] for _ in range(40))
    return 100 * float(np.mean([greedily_unique(some, radius).mean() for some in drawn]))


def _like(judge: Judge, make: Maker, store: SilhouetteStore, people: list[str], gallery: Any) -> None:
    for name, takes in (("two plain takes", ("nm-03", "nm-04")), ("one take in a coat", ("cl-02",))):
        seen = Takes(store, takes)
        like = people_like(make.card, make.weights, seen, people)  # type: ignore[arg-type]
        made = judge.vectors(make(Selection((), 0, ("nm-03", "cl-03"), VIEWS, like=like)))
        for condition in ("nm", "cl"):
            part = {key: vector for key, vector in made.items() if key[1].startswith(condition)}
            shown = judge.rank1(part, people, gallery)
            print(f"people never trained on, from {name} in four views, {condition}: rank-1 {shown}", flush=True)


class Takes:
    """Some takes of a tree."""

    def __init__(self, store: SilhouetteStore, takes: tuple[str, ...]) -> None:
        self.store, self.takes, self.root = store, takes, store.root
        self.read_real, self.dataset = store.read_real, store.dataset

    def __iter__(self) -> Any:
        return (key for key in self.store if key.take in self.takes)


def simulate(folder: Path, people: int, seed: int, takes: str, views: tuple[str, ...]) -> SilhouetteStore:
    who = ("--subjects", str(people), "--train", str(people), "--seed", str(seed))
    gaitcrafter("simulate", "--out", folder, "--frames", "40", *who, "--takes", takes, "--views", ",".join(views))
    return SilhouetteStore(folder / "pkl")


def gaitcrafter(*words: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "gaitcrafter_ext", *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def radius_of(strangers: NDArray[np.float32]) -> float:
    """Distance that 1 % of the pairs of strangers are nearer than."""
    return float(np.quantile(1 - (strangers @ strangers.T)[np.triu_indices(len(strangers), 1)], 0.01))


def _share(hits: NDArray[np.bool_], people: list[str]) -> str:
    found = estimate_share(hits, np.array(people, dtype=str))
    return f"{100 * found.value:.0f} % [{100 * found.low:.0f}, {100 * found.high:.0f}]"


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32)


def _number(name: str) -> tuple[int, str]:
    return int(name.rsplit("-", 1)[1]), name


if __name__ == "__main__":
    main()

"""What listing, planning and splitting cost at OU-MVLP's and GREW's size, on a tree of links to one tiny clip.

Each task runs in a process of its own, whose time and memory are measured. Nothing here depends on what clips show.
"""

from __future__ import annotations

import importlib
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence, Set
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gaitcrafter_ext.silhouettes.dataset import load_dataset
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore, write_clip
from gaitcrafter_ext.vocabulary import ClipKey, identities_hash

if TYPE_CHECKING:
    from gaitcrafter_ext.generator.weights import Card
    from gaitcrafter_ext.synthesis.plan import Selection

#: Links to one file that a file system allows (ext4: 65,000), with some to spare.
LINKS = 60_000

#: What a task may take: seconds and 10^9 bytes.
LIMITS = (60.0, 2.0)


@dataclass(frozen=True)
class Size:
    """A dataset's size: people to train on and to test, (take, view) of each one's clips, and synthetic people."""

    train: int
    test: int
    clips: Callable[[int, bool], Iterator[tuple[str, str]]]
    novel: int = 1000

    def people(self) -> Partition:
        """Everybody, by number."""
        names = [f"{number:05d}" for number in range(self.train + self.test)]
        return Partition(tuple(names[: self.train]), tuple(names[self.train :]))

    def keys(self) -> Iterator[ClipKey]:
        """Every clip."""
        for number, name in enumerate((*self.people().train, *self.people().test)):
            yield from (ClipKey(name, take, view) for take, view in self.clips(number, number < self.train))


def _oumvlp(number: int, train: bool) -> Iterator[tuple[str, str]]:
    angles = [f"{degrees:03d}" for degrees in (*range(0, 91, 15), *range(180, 271, 15))]
    return product(("00", "01"), angles)


def _grew(number: int, train: bool) -> Iterator[tuple[str, str]]:
    takes = ("00",) * (6 if number < 2946 else 5) if train else ("01", "01", "02", "02")
    return ((take, f"{number:05d}{place:03d}") for place, take in enumerate(takes))


#: 10,307 people x 14 views x 2 takes; 26,345 people with 128,671 clips, each at a view of its own.
SIZES = {"oumvlp": Size(5153, 5154, _oumvlp), "grew": Size(20_345, 6000, _grew)}


@dataclass(frozen=True)
class Cost:
    """What a task took: ``count`` is how many things it found, ``cpu_seconds`` the processor's time (of its processes
    together; on a busy machine ``seconds`` is more than it need be), ``memory_gb`` its peak, 10^9 bytes."""

    size: str
    task: str
    count: int
    seconds: float
    cpu_seconds: float
    memory_gb: float

    @property
    def ok(self) -> bool:
        """Whether it is within the limits."""
        return self.seconds < LIMITS[0] and self.memory_gb < LIMITS[1]

    def __str__(self) -> str:
        verdict = "" if self.ok else f"  over the limit of {LIMITS[0]:.0f} s and {LIMITS[1]:.0f} GB"
        cost = f"{self.seconds:>8.1f} s ({self.cpu_seconds:.1f} s of processor){self.memory_gb:>7.2f} GB"
        return f"{self.size:<8}{self.task:<12}{self.count:>9,}{cost}{verdict}"


def build(folder: Path, size: Size) -> None:
    """Write ``pkl``, synthetic people with 20 clips each in ``synthetic``, and ``partition.json`` last."""
    if (folder / "partition.json").is_file():
        return
    _link_tree(folder / "pkl", size.keys())
    names = product((f"syn-{n:04d}" for n in range(size.novel)), (f"nm-{n:02d}" for n in range(20)), ("090",))
    _link_tree(folder / "synthetic", (ClipKey(*name) for name in names))
    size.people().save(folder / "partition.json")


def _link_tree(root: Path, keys: Iterator[ClipKey]) -> None:
    store, source = SilhouetteStore(root, create=True), root.parent / "clip.pkl"
    frames = np.zeros((2, 64, 64), np.uint8)
    frames[:, 4:60, 24:40] = 255
    for number, key in enumerate(keys):
        if number % LINKS == 0:
            source = root.parent / f"{root.name}-{number}.pkl"
            write_clip(source, frames)
        path = store.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            os.link(source, path)


def measure_scale(size: str, folder: Path, tasks: Sequence[str] = ()) -> Iterator[Cost]:
    """Run every task on a tree in ``folder``, which is built where it is missing."""
    build(folder, SIZES[size])
    angles = size != "grew"  # without them there are no cells to complete
    for task in tasks or [task for task in TASKS if angles or task != "complete"]:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            yield pool.submit(_cost, task, size, folder).result()


def _cost(task: str, size: str, folder: Path) -> Cost:
    started = time.perf_counter()
    count, seconds = TASKS[task](size, folder), time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Cost(size, task, count, seconds, sum(os.times()[:4]), peak / 1e9)


def _list(size: str, folder: Path) -> int:
    return len(_store(size, folder).keys())


def _verify(size: str, folder: Path) -> int:
    from gaitcrafter_ext.silhouettes.parallel import available_cores
    from gaitcrafter_ext.silhouettes.verify import verify

    return verify(folder / "pkl", jobs=available_cores(), dataset=load_dataset(size)).clips


def _partition(size: str, folder: Path) -> int:
    partition = Partition.load(folder / "partition.json")
    partition.check(_store(size, folder))
    return len(partition.train) + len(partition.test)


def _recognise(size: str, folder: Path) -> int:
    """What ``recognise train`` does before it trains."""
    from gaitcrafter_ext.recognition.data import PKSampler, training_set
    from gaitcrafter_ext.recognition.evaluation import assign_roles, protocol_for

    store, partition = _store(size, folder), Partition.load(folder / "partition.json")
    people = training_set(store, partition, [SilhouetteStore(folder / "synthetic")])
    PKSampler(people, (8, 16, 2), 0, ((0, 0.5),)).batch(0)
    keys = _keys_of(partition.test, store)
    roles = assign_roles(keys, protocol_for(store.dataset, keys))
    return len(people.clips) + int(roles.used.sum())


def _plan(size: str, folder: Path) -> int:
    """What ``synthesize`` plans for everybody and novel people at the known views, or at the one unknown."""
    from gaitcrafter_ext.synthesis.plan import Selection

    card = _card(_trained(size, folder), size)
    words = card.vocabulary
    return _planned(card, Selection(words.identities, SIZES[size].novel, ("00",), tuple(words.views)))


def _complete(size: str, folder: Path) -> int:
    """What ``synthesize --complete`` plans where a thousand clips are missing; needs views of known angles."""
    from gaitcrafter_ext.synthesis.plan import Selection
    from gaitcrafter_ext.synthesis.real_people import take_inventory

    keys = _trained(size, folder)
    card, there = _card(keys, size), frozenset(keys[:-1000])
    inventory = take_inventory(card, _store(size, folder))
    return _planned(card, Selection(card.vocabulary.identities, 0, inventory.takes, inventory.views), there)


def _opengait(size: str, folder: Path) -> int:
    """Our data source in OpenGait, real people and synthetic ones."""
    from gaitcrafter_ext.benchmarks.contenders import open_opengait
    from gaitcrafter_ext.opengait.checkout import Checkout

    open_opengait(Checkout())
    importlib.import_module("utils").get_msg_mgr().init_manager(str(folder / "log"), False, 1)
    from gaitcrafter_ext.opengait.dataset import GaitDataSet

    given = {
        "dataset_name": size,
        "dataset_root": str(folder / "pkl"),
        "dataset_partition": str(folder / "partition.json"),
        "synthetic": [{"root": str(folder / "synthetic")}],
        "cache": False,
    }
    return len(GaitDataSet(given, True))


def _store(size: str, folder: Path) -> SilhouetteStore:
    return SilhouetteStore(folder / "pkl", load_dataset(size))


def _keys_of(people: Sequence[str], store: SilhouetteStore) -> list[ClipKey]:
    wanted = frozenset(people)
    return [key for key in store if key.identity in wanted]


def _trained(size: str, folder: Path) -> list[ClipKey]:
    return _keys_of(Partition.load(folder / "partition.json").train, _store(size, folder))


def _card(keys: Sequence[ClipKey], size: str) -> Card:
    """The card of a generator that was trained on these clips."""
    from gaitcrafter_ext.generator.data import vocabulary_of
    from gaitcrafter_ext.generator.weights import Card, TrainedOn

    dataset = load_dataset(size)
    words = vocabulary_of(keys, dataset)
    cadence = dict.fromkeys(words.identities, (27.0, 0.6))
    return Card(words, TrainedOn(size, identities_hash(words.identities)), dataset, cadence)


def _planned(card: Card, selection: Selection, there: Set[ClipKey] = frozenset()) -> int:
    from gaitcrafter_ext.synthesis.plan import Plan, Sampling, make_plan

    plan = make_plan(card, selection, Sampling("euler", 3, 2.0, seed=0), there)
    return len(Plan.from_json(plan.to_json()).clips)


#: Task -> what does it and counts.
TASKS: dict[str, Callable[[str, Path], int]] = {
    "list": _list,
    "verify": _verify,
    "partition": _partition,
    "recognise": _recognise,
    "plan": _plan,
    "complete": _complete,
    "opengait": _opengait,
}

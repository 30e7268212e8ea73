"""What an audit looks at: which clips are training, held out, synthetic, of strangers, and their features."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from gaitcrafter_ext.audit.clips import Clips, Progress, Sides, condition_in, length_of, read_features, some
from gaitcrafter_ext.audit.copies import Match, copies
from gaitcrafter_ext.errors import DataError, MissingError, listed
from gaitcrafter_ext.generator.weights import Card
from gaitcrafter_ext.metrics.features import Cell, as_many_takes
from gaitcrafter_ext.silhouettes.dataset import DatasetConfig, load_dataset
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore, clips_in, folder_around
from gaitcrafter_ext.synthesis.folder import MANIFEST, OutputFolder
from gaitcrafter_ext.vocabulary import ClipKey, choose

#: What it means for the figures.
NOT_HELD_OUT = (
    "not held out: real clips that the generator was trained on stand in for held-out ones, so that rank-1, cadence,"
    " variety and likeness flatter it; whether clips are nearer than new real ones would be cannot be measured"
)

#: Clips of a kind at most where each is held against each: floors of copying, likeness.
MOST = 1000

Keys = Sequence[ClipKey]

#: Training clips, held-out clips, the rule that tells them apart, and whether the latter were kept from training.
Parts = tuple[list[ClipKey], list[ClipKey], str, bool]

#: Synthetic person -> training person -> weight in the blend.
Mixes = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Trees:
    """The real and the synthetic tree, read by one dataset's rules, and the clips of each that are looked at."""

    real: SilhouetteStore
    synthetic: SilhouetteStore
    real_keys: Keys
    synthetic_keys: Keys

    def cell(self, key: ClipKey) -> Cell:
        """View and condition of a clip."""
        return self.real.dataset.view_name(key.view), condition_in(self.real.dataset, key.take)


@dataclass(frozen=True)
class Splits:
    """The clips of an audit, of common views and conditions.

    ``held_out`` are of the people of ``training``, as ``rule`` says; unless ``unseen``, they were trained on as well.
    ``others`` are of people whom the generator never saw. ``passed_over`` counts synthetic clips of other views.
    ``generator`` are the people that it was trained on, as far as is known, ``before`` is ``dataset/identity`` of
    everyone else that the weights ever saw, ``test`` are those of TEST_SET; ``parents`` are each synthetic person's.
    """

    training: Keys
    held_out: Keys
    synthetic: Keys
    rule: str
    unseen: bool = True
    passed_over: int = 0
    others: Keys = ()
    generator: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    parents: Mixes = field(default_factory=dict)
    caveats: tuple[str, ...] = ()

    @property
    def kinds(self) -> tuple[Keys, Keys, Keys, Keys]:
        """Synthetic, held-out, training clips and those of others."""
        return self.synthetic, self.held_out, self.training, self.others

    @property
    def gallery(self) -> str:
        """What the held-out clips are, for notes."""
        return "takes that the generator never saw" if self.unseen else "clips that the generator saw, not held out"


@dataclass(frozen=True)
class AuditData:
    """The features of all clips, and where they come from.

    ``kinds`` are synthetic, held-out, training clips and those of others; ``broken`` names files that were left out and
    why.
    """

    trees: Trees
    splits: Splits
    kinds: Sequence[Clips]
    broken: Mapping[str, Mapping[ClipKey, str]]

    @property
    def sides(self) -> Sides:
        """Synthetic, held-out and training clips."""
        synthetic, held_out, training, _ = self.kinds
        return synthetic, held_out, training

    @property
    def trained_on(self) -> Clips:
        """All clips that the generator was trained on, those that stand in for held-out ones included."""
        _, held_out, training = self.sides
        return training if self.splits.unseen else [*training, *held_out]

    @functools.cached_property
    def matches(self) -> tuple[list[Match], list[Match]]:
        """The nearest training clips of synthetic clips and of some held-out ones; raises as :func:`copies`."""
        synthetic, held_out, training = self.sides
        return copies((synthetic, some(held_out, MOST, np.random.default_rng([0, 107])), training), self.trained_on)

    @property
    def caveats(self) -> tuple[str, ...]:
        """What limits the audit, broken files included."""
        return *self.splits.caveats, *(
            f"{len(files)} broken {kind} file(s) were left out: {next(iter(files))} and so on"
            for kind, files in self.broken.items()
            if files
        )

    def counts(self) -> dict[str, Any]:
        """How many people and clips of each kind there are, for the report."""
        kinds = dict(zip(("synthetic", "held_out", "training", "others"), self.kinds, strict=True))
        people = {name: {clip.key.identity for clip in clips} for name, clips in kinds.items()}
        return {
            "held_out_rule": self.splits.rule,
            "novel_people": len(people["synthetic"] - set(self.splits.generator)),
            **{f"{name}_people": len(found) for name, found in people.items()},
            **{f"{name}_clips": len(clips) for name, clips in kinds.items()},
            "synthetic_clips_of_other_views": self.splits.passed_over,
        }


def open_tree(root: str, dataset: DatasetConfig | None = None) -> tuple[SilhouetteStore, list[ClipKey]]:
    """The tree at ``root``, or in its ``pkl`` folder where it has one, and its clips; ``MissingError`` without any."""
    store = SilhouetteStore(clips_in(root), dataset)
    return store, store.require_keys()


def open_trees(
    real: str, synthetic: str, views: str = "all", card: Card | None = None, config: str | None = None
) -> Trees:
    """Both trees, cut to the asked views, read by the rules of the weights' card unless a config or preset names some.

    Raises ``MissingError`` without such a folder, config or any clip, ``UsageError`` where a view is in neither tree.
    """
    dataset = load_dataset(config) if config or card is None else card.dataset
    (real_store, real_keys), (made_store, made_keys) = open_tree(real, dataset), open_tree(synthetic, dataset)
    wanted = frozenset(choose(views, sorted({key.view for key in [*real_keys, *made_keys]}), "--views"))
    real_keys, made_keys = ([key for key in keys if key.view in wanted] for keys in (real_keys, made_keys))
    return Trees(real_store, made_store, real_keys, made_keys)


def sort_clips(trees: Trees, folder: str, card: Card | None, most: int, partition: Partition | None = None) -> Splits:
    """Sort the clips of both trees by what they may be used for.

    ``folder`` is that of the synthetic run, whose manifest tells blends and weights; ``card`` is of the weights that
    made the clips, without it people are known by name and blend. At most ``most`` people are looked at of those
    trained on, of novel ones, and of others. ``partition`` says who is trained on and who is tested: real people
    outside it are not looked at, and without it there are no others.

    Raises ``DataError`` where nothing is in common, there is nothing to compare with, or other weights made the clips;
    ``MissingError`` where the root lacks a clip that the weights held out.
    """
    mixes, caveats = _mixes(folder, card)
    named = None if partition is None else {*partition.train, *partition.test}
    keys = [key for key in trees.real_keys if named is None or key.identity in named]
    generator = _generator(trees, card, mixes, keys, partition)
    if card is not None:
        parts = held_out_of_card(keys, card, trees.real.root, trees.real.dataset)
    else:
        parts = last_takes(keys, generator, trees.real.dataset)
        caveats.append(f"no weights given: which real clips the generator never saw is guessed ({parts[2]})")
    found, others = split(trees, *parts), list[ClipKey]()
    if partition is not None:
        cells = {trees.cell(key) for key in (*found.training, *found.held_out)}
        others = [key for key in keys if key.identity not in generator and trees.cell(key) in cells]
        made = ((key.identity, trees.cell(key)) for key in found.synthetic)
        few = as_many_takes(others, [trees.cell(key) for key in others], made)  # no measure looks at more
        others = [key for key, looked_at in zip(others, few, strict=True) if looked_at]
        caveats += _absent(generator, found.training, others)
    full = replace(
        found,
        others=others,
        generator=tuple(sorted(generator)),
        before=card.trained_on.before if card else (),
        test=partition.test if partition else (),
        parents=mixes,
        caveats=(*found.caveats, *caveats),
    )
    return _some_people(full, most)


def _mixes(folder: str, card: Card | None) -> tuple[Mixes, list[str]]:
    """Blends from the manifest of a run, or from its parts while it is unfinished; caveats of that."""
    made = OutputFolder(folder_around(Path(folder)))
    found, records = made.manifests(), made.records()
    made_by = sorted({record.weights for record in records})
    if card is not None and made_by not in ([], [card.fingerprint]):
        raise DataError(
            f"{folder} was made by weights {', '.join(made_by)}, and those given are {card.fingerprint}; give the"
            " weights that made the clips"
        )
    unfinished = bool(found) and found[-1].name != MANIFEST
    caveats = ["the synthetic run is not finished: some of its clips are missing"] if unfinished else []
    caveats += [] if found else ["no manifest beside the clips: whom novel people are blends of is not known"]
    return {record.identity: record.mix for record in records}, caveats


def _generator(trees: Trees, card: Card | None, mixes: Mixes, real: Keys, partition: Partition | None) -> set[str]:
    """Everyone the generator was trained on, as far as is known."""
    if card is not None:
        return set(card.vocabulary.identities)
    known = {name for mix in mixes.values() for name in mix} or (_people(trees.synthetic_keys) & _people(real))
    if not known:
        raise DataError(
            "no common person: the synthetic clips name no real person, and no manifest tells whom they were blended"
            " from; name the root that the generator was trained on, or give the weights"
        )
    # Whoever is in TRAIN_SET was there to be trained on, also where no blend names them; who is in TEST_SET was not,
    # unless a blend names them, which is refused later.
    return known | set(partition.train if partition else ())


def held_out_of_card(real: Keys, card: Card, root: object, dataset: DatasetConfig) -> Parts:
    """Split the real clips of whom weights were trained on; where nothing was held out, see :func:`halves`."""
    people, names = set(card.vocabulary.identities), card.trained_on.held_out
    known = [key for key in real if key.identity in people]
    if not known:
        raise DataError(
            f"the weights were trained on {listed(sorted(people))}, and {root} has {_listed(_people(real))}:"
            " no person in common; name the root that the weights were trained on"
        )
    held = {key for key in known if card.was_held_out(key.identity, key.take)}
    if held:
        rule = f"held out as the weights' card says ({card.trained_on.dataset})"
        return sorted(set(known) - held), sorted(held), rule, True
    if names:
        raise MissingError(
            f"the weights held out {_listed(names)}, which {root} lacks: nothing to measure against; name the root that"
            " they were trained on"
        )
    return halves(known, dataset)


def last_takes(real: Keys, people: Collection[str], dataset: DatasetConfig) -> Parts:
    """Split the real clips of ``people``: the last take of each condition is held out, as training does.

    Where no person has two takes of a condition, see :func:`halves`.
    """
    from gaitcrafter_ext.generator.data import hold_out

    mine = [key for key in real if key.identity in people]
    if not mine:
        raise DataError(
            f"no common person: the synthetic clips are of {_listed(people)}, or blended from them, and the real ones"
            f" of {_listed(_people(real))}; name the root that the generator was trained on"
        )
    training, held = hold_out(mine, dataset, 1)
    if held:
        return training, held, "held out: the last take of each condition of each person", True
    return halves(mine, dataset)


def halves(known: Keys, dataset: DatasetConfig) -> Parts:
    """Where all takes were trained on (CCPG has one take a condition): every second clip stands in for a held-out one.

    Clips are dealt within a person, condition and view; views of unknown angle are one view, so its cameras are dealt.
    """
    cells = defaultdict[tuple[str, str, str], list[ClipKey]](list)
    for key in sorted(known):
        cells[key.identity, condition_in(dataset, key.take), dataset.view_name(key.view)].append(key)
    training, beside = ([key for cell in cells.values() for key in cell[at::2]] for at in (0, 1))
    if not beside:
        raise DataError(
            "no take was held out from training, and no person has two real clips of a condition and view: nothing to"
            " measure against; record a second take, or train with held-out takes"
        )
    rule = "not held out: all takes were trained on; every second clip of each person, condition and view"
    return training, beside, rule, False


def split(trees: Trees, training: Keys, held_out: Keys, rule: str, unseen: bool = True) -> Splits:
    """Keep the views that both trees have, and the real clips of conditions that the synthetic clips have."""
    real, made = ({trees.cell(key) for key in keys} for keys in ([*training, *held_out], trees.synthetic_keys))
    for at, what in enumerate(("view", "condition")):
        ours, theirs = ({cell[at] for cell in cells} for cells in (made, real))
        if not ours & theirs:
            raise DataError(
                f"no common {what}: the synthetic clips have {_listed(ours)}, the real ones {_listed(theirs)}; check"
                " the roots, and that takes are read by the dataset's rules (of the weights' card, or --config)"
            )
    views, conditions = {view for view, _ in made} & {view for view, _ in real}, {condition for _, condition in made}

    def common(key: ClipKey) -> bool:
        view, condition = trees.cell(key)
        return view in views and condition in conditions

    train, held, kept = (tuple(filter(common, keys)) for keys in (training, held_out, trees.synthetic_keys))
    for name, keys in (("synthetic", kept), ("real training", train), ("held-out real", held)):
        if len(keys) < 2:
            raise DataError(
                f"{len(keys)} {name} clip(s) of the common views and conditions; at least 2 are needed: check the roots"
            )
    caveats = () if unseen else (NOT_HELD_OUT,)
    return Splits(train, held, kept, rule, unseen, len(trees.synthetic_keys) - len(kept), caveats=caveats)


def _absent(generator: set[str], training: Keys, others: Keys) -> list[str]:
    """Caveats of people of whom there are no real clips."""
    caveats = []
    if absent := generator - _people(training):
        caveats.append(
            f"{len(absent)} of the {len(generator)} people that the generator was trained on have no real clips here:"
            " copies of them, and likeness to them, cannot be found"
        )
    if not others:
        caveats.append(
            "there are no real people whom the generator never saw: strangers are its own training people, each against"
            " all others"
        )
    return caveats


def _some_people(splits: Splits, most: int) -> Splits:
    """At most so many people of each kind: of training people those synthesized and then main parents first."""
    made, real, others = (_people(keys) for keys in (splits.synthetic, splits.training, splits.others))
    known = real | made & set(splits.generator)
    novel = sorted(made - known)[:most]
    mixes = [splits.parents[name] for name in novel if name in splits.parents]
    parents = [sorted(mix, key=lambda name: (-mix[name], name)) for mix in mixes]  # largest share first
    main, minor = [each[0] for each in parents if each], [name for each in parents for name in each]
    order = dict.fromkeys([*sorted(made & known), *main, *minor, *_shuffled(known)])
    kept = {*[name for name in order if name in known][:most], *novel, *_shuffled(others)[:most]}
    caveats = [
        f"{len(kept & group)} of {len(group)} {who} are looked at (--people {most}){more}"
        for group, who, more in (
            (known, "people that the generator was trained on",
             ", those synthesized and main parents of novel people first, so that likeness to parents shows; copies of"
             " the others, and likeness to them, cannot be found"),
            (made - known, "novel people", ""),
            (others, "people whom the generator never saw", ""),
        )
        if not group <= kept
    ]  # fmt: skip
    synthetic, held_out, training, rest = (tuple(key for key in keys if key.identity in kept) for keys in splits.kinds)
    said = (*splits.caveats, *caveats)
    return replace(splits, synthetic=synthetic, held_out=held_out, training=training, others=rest, caveats=said)


def _shuffled(names: Iterable[str]) -> list[str]:
    return np.random.default_rng(0).permutation(sorted(names)).tolist()


def load_audit_data(trees: Trees, splits: Splits, skip_broken: bool, jobs: int, progress: Progress) -> AuditData:
    """Features of all clips; masks of real clips at the length of the synthetic ones.

    Raises ``DataError`` where a file is broken and not to be left out, or no clip of a kind is left.
    """
    found, broken = list[Clips](), dict[str, Mapping[ClipKey, str]]()
    total, length = sum(map(len, splits.kinds)), None
    for kind, keys in zip(("synthetic", "held-out", "training", "other real"), splits.kinds, strict=True):
        store, before = trees.real if found else trees.synthetic, sum(map(len, splits.kinds[: len(found)]))
        bar = functools.partial(lambda before, done, _: progress(before + done, total), before)
        clips, broken[kind] = read_features(store, keys, length, skip_broken, jobs, bar)
        if keys and not clips:
            raise DataError(f"no {kind} clip is left to measure; check the roots")
        found.append(clips)
        length = length or length_of(clips)
    return AuditData(trees, splits, found, broken)


def _people(keys: Iterable[ClipKey]) -> set[str]:
    return {key.identity for key in keys}


def _listed(names: Iterable[str]) -> str:
    return listed(sorted(names)) or "none"

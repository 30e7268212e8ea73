"""From an entry under ``data_cfg.synthetic`` to people and clips: checked first, made (if at all) when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gaitcrafter_ext.errors import MissingError, UsageError
from gaitcrafter_ext.generator.card import Card, check_weights, read_card
from gaitcrafter_ext.generator.samplers import check_sampler
from gaitcrafter_ext.generator.shape import FRAMES
from gaitcrafter_ext.generator.weights import locate
from gaitcrafter_ext.identities.codes import BlendSettings
from gaitcrafter_ext.opengait.cache import obtain
from gaitcrafter_ext.opengait.people import RealPeople, SyntheticPerson, check_origin, person_of, stranger
from gaitcrafter_ext.opengait.settings import Entry, MadeEntry, WeightsEntry
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.synthesis.folder import OutputFolder
from gaitcrafter_ext.synthesis.plan import Plan, Sampling, Selection, make_plan
from gaitcrafter_ext.synthesis.redrawing import redraws_of
from gaitcrafter_ext.vocabulary import ClipKey, choose, take_names

__all__ = ["MadeSource", "PlannedSource", "Source", "open_source", "plan_of"]


@dataclass(frozen=True)
class MadeSource:
    """Clips that are there.

    Attributes:
        store: Where.
        people: Who joins.
        keys: Their clips.
    """

    store: SilhouetteStore
    people: tuple[SyntheticPerson, ...]
    keys: tuple[ClipKey, ...]

    def clips(self) -> tuple[Path, tuple[ClipKey, ...]]:
        """Root, and the clips below it."""
        return self.store.root, self.keys


@dataclass(frozen=True)
class PlannedSource:
    """Clips that a plan describes.

    Attributes:
        entry: The wish.
        weights: Folder of the weights.
        plan: What it comes to.
        people: Who joins.
    """

    entry: WeightsEntry
    weights: Path
    plan: Plan
    people: tuple[SyntheticPerson, ...]

    def clips(self) -> tuple[Path, tuple[ClipKey, ...]]:
        """Root, and the clips below it; raises as ``cache.obtain`` does."""
        return obtain(self.plan, self.weights, self.entry.python), self.plan.clips


Source = MadeSource | PlannedSource


def open_source(entry: Entry, real: RealPeople) -> Source:
    """Look an entry up and check that its people may join the config's; nothing is made yet.

    Raises:
        MissingError: The root, partition or weights are not there.
        DataError: A clip is none, or has another frame size.
        UsageError: The weights do not know what was asked for.
        WeightsError: See ``people.check_origin``.
        ConflictError: See ``people.check_origin``.
    """
    if isinstance(entry, MadeEntry):
        return _open_made(entry, real)
    return _open_planned(entry, real)


def _open_made(entry: MadeEntry, real: RealPeople) -> MadeSource:
    store = SilhouetteStore(entry.root)
    keys = store.require_keys()
    names: Sequence[str] = store.identities()
    if entry.partition is not None:
        partition = Partition.load(entry.partition)
        partition.check(store)
        names = partition.train
    plan = OutputFolder(store.root.parent).plan() if store.root.name == "pkl" else None
    recipes = {} if plan is None else plan.recipes
    origin = str(store.root.resolve())
    people = tuple(
        person_of(name, recipes[name], plan.weights) if plan is not None and name in recipes else stranger(name, origin)
        for name in names
    )
    parents = {parent for recipe in recipes.values() for parent in recipe}
    check_origin(str(entry.root), "" if plan is None else plan.dataset, parents, people, real)
    chosen = set(names)
    kept = tuple(key for key in keys if key.identity in chosen)
    if not kept:
        raise MissingError(f"{entry.root}: no clip of the {len(names)} people that {entry.partition} trains on")
    _check_one_clip_each(store, kept)
    return MadeSource(store, people, kept)


def _check_one_clip_each(store: SilhouetteStore, keys: tuple[ClipKey, ...]) -> None:
    """Read each person's first clip: a root of another frame size is refused before training starts."""
    first: dict[str, ClipKey] = {}
    for key in keys:
        first.setdefault(key.identity, key)
    for key in first.values():
        store.read(key)


def _open_planned(entry: WeightsEntry, real: RealPeople) -> PlannedSource:
    weights = locate(entry.weights)
    card = read_card(weights)
    plan = plan_of(entry, card)
    people = tuple(person_of(name, recipe, plan.weights) for name, recipe in plan.recipes.items())
    check_origin(f"weights '{entry.weights}'", card.trained_on.dataset, card.vocabulary.identities, people, real)
    check_weights(weights, card)
    return PlannedSource(entry, weights, plan, people)


def plan_of(entry: WeightsEntry, card: Card) -> Plan:
    """The plan that ``tools/synthesize.py`` would make of the same wish.

    Raises:
        UsageError: The weights do not know a name, or an option is out of its range.
    """
    words, where = card.vocabulary, "data_cfg.synthetic"
    identities = choose(_text(entry.identities), words.identities, f"{where}.identities")
    conditions = choose(_text(entry.conditions), words.conditions, f"{where}.conditions")
    views = choose(_text(entry.views), list(words.views), f"{where}.views")
    takes = tuple(take_names(dict.fromkeys(conditions, entry.takes), conditions))
    guidance = card.sampling.guidance if entry.guidance is None else float(entry.guidance)
    if guidance < 0:
        raise UsageError(f"{where}.guidance: {guidance}; allowed: 0 or more (1 = none)")
    sampler = check_sampler(entry.sampler or card.sampling.sampler, f"{where}.sampler")
    redraws = redraws_of(entry.redraws, card, f"{where}.redraws")
    sampling = Sampling(sampler, entry.steps or card.sampling.steps, guidance, FRAMES, entry.seed, redraws=redraws)
    blend = BlendSettings(entry.blend_parents, entry.concentration, entry.identity_seed, entry.blend)
    return make_plan(card, Selection(identities, entry.novel, takes, views, blend), sampling)


def _text(names: tuple[str, ...] | str) -> str:
    return names if isinstance(names, str) else ",".join(names)

"""What to make: every clip of a run, in order, with all that decides its bytes.

A plan is written before the first clip. Its text is the run's identity: an equal plan resumes, another is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Any

from gaitcrafter_ext.errors import DataError, UsageError
from gaitcrafter_ext.generator.card import Card
from gaitcrafter_ext.identities.codes import BlendSettings, known_recipe, novel_identities
from gaitcrafter_ext.vocabulary import ClipKey

__all__ = ["ClipRequest", "Plan", "Redraws", "Sampling", "Selection", "clip_seed", "make_plan", "noise_key"]

#: Version of the plan's text and of how it is sampled; 4: clips drawn as level sets.
FORMAT = 4


@dataclass(frozen=True)
class Redraws:
    """Which clips are drawn again, see :mod:`gaitcrafter_ext.synthesis.redrawing`.

    Attributes:
        times: How often at most.
        shortest: Shortest gait cycle, frames, that is not drawn again.
        longest: Longest one.
    """

    times: int
    shortest: float
    longest: float

    def __post_init__(self) -> None:
        if type(self.times) is not int or self.times < 1 or not 0 < self.shortest <= self.longest:
            raise ValueError(f"redraws {self}")


@dataclass(frozen=True)
class Sampling:
    """How clips are sampled; every field decides their bytes.

    Attributes:
        sampler: One of ``generator.samplers.SAMPLER_NAMES``.
        steps: Sampling steps.
        guidance: Weight of the guidance towards what is asked for.
        frames: Length of each clip.
        seed: Of the run; each clip's noise is keyed by it, the clip's name and its recipe.
        precision: ``fp32`` or ``bf16``, see ``generator.samplers.PRECISIONS``.
        redraws: Which clips are drawn again; None draws each once.
    """

    sampler: str
    steps: int
    guidance: float
    frames: int
    seed: int
    precision: str = "fp32"
    redraws: Redraws | None = None

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Sampling:
        """What ``facts`` gave; raises TypeError, ValueError or AttributeError for anything else."""
        redraws = facts.get("redraws")
        return cls(**{**facts, "redraws": None if redraws is None else Redraws(**redraws)})

    def facts(self) -> dict[str, Any]:
        """The fields by name, as JSON takes them; ``redraws`` only where clips are drawn again."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Selection:
    """Who, how dressed, from where, how often.

    Attributes:
        identities: Known people.
        novel: How many novel people beside them.
        takes: Take names, e.g. ``"nm-01"``, in the order in which they are made.
        views: View names, in the order in which they are made.
        blend: How novel people are made.
        frozen: Recipes of novel people whom a filter chose, instead of the first ``novel`` of ``blend``.
        frozen_by: Fingerprint of what the filter wrote; empty without one.
    """

    identities: tuple[str, ...]
    novel: int
    takes: tuple[str, ...]
    views: tuple[str, ...]
    blend: BlendSettings = field(default_factory=BlendSettings)
    frozen: Mapping[str, Mapping[str, float]] | None = None
    frozen_by: str = ""


@dataclass(frozen=True)
class ClipRequest:
    """One clip to make.

    Attributes:
        key: Its name.
        recipe: Training person -> weight.
        view_deg: Its view in degrees; None where the weights' dataset does not know angles.
        seed: Key of its noise, 0 <= seed < 2**63.
    """

    key: ClipKey
    recipe: Mapping[str, float]
    view_deg: float | None
    seed: int


@dataclass(frozen=True)
class Plan:
    """A whole run.

    Attributes:
        weights: Fingerprint of the weights.
        dataset: What the weights were trained on.
        sampling: How clips are sampled.
        recipes: Person -> recipe, in canonical order: known people first, then novel ones by number.
        views: View -> degrees, as the weights understand them.
        clips: Every clip, in canonical order: by person, then take, then view.
        filter: Fingerprint of the frozen identities; empty without a filter, and then not in the text.
    """

    weights: str
    dataset: str
    sampling: Sampling
    recipes: Mapping[str, Mapping[str, float]]
    views: Mapping[str, float | None]
    clips: tuple[ClipKey, ...]
    filter: str = ""

    @property
    def fingerprint(self) -> str:
        """Short name of exactly this plan: 16 hex digits of the SHA-256 of its text."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    @property
    def identities(self) -> tuple[str, ...]:
        """Everybody in the plan, in canonical order."""
        return tuple(self.recipes)

    def requests(self) -> list[ClipRequest]:
        """One request a clip, in the plan's order."""
        return [self._request(key, self.recipes[key.identity]) for key in self.clips]

    def _request(self, key: ClipKey, recipe: Mapping[str, float]) -> ClipRequest:
        return ClipRequest(key, recipe, self.views[key.view], clip_seed(self.sampling.seed, key, recipe))

    def to_json(self) -> str:
        """The text of ``plan.json``; equal plans have equal texts."""
        return json.dumps({"format": FORMAT, **_facts(self)}, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read a plan's text.

        Raises:
            DataError: It is not a plan, or one of another version.
        """
        try:
            facts = json.loads(text)
            if facts.pop("format") != FORMAT:
                raise DataError(f"a plan of another version; this one reads {FORMAT}")
            facts["sampling"] = Sampling.from_facts(facts["sampling"])
            facts["clips"] = tuple(ClipKey(*name.split("/")) for name in facts["clips"])
            plan = cls(**facts)
            plan.requests()
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(f"not a plan ({error})") from None
        return plan

    def differences(self, other: Plan) -> list[str]:
        """What differs from another plan, by name, e.g. ``["seed", "views"]``."""
        mine, theirs = _flat(self), _flat(other)
        return [name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)]


def clip_seed(seed: int, key: ClipKey, recipe: Mapping[str, float]) -> int:
    """Key of a clip's noise: the same clip of the same person, whatever else the run makes, and in whatever order."""
    return noise_key(seed, str(key), sorted(recipe.items()))


def noise_key(*facts: object) -> int:
    """Key of the noise that belongs to some facts, anything JSON can hold: 0 <= key < 2**63."""
    return int.from_bytes(hashlib.sha256(json.dumps(facts).encode()).digest()[:8], "big") >> 1


def make_plan(card: Card, selection: Selection, sampling: Sampling, there: Set[ClipKey] = frozenset()) -> Plan:
    """Lay out a run: every person x take x view that is not there yet.

    Args:
        card: Of the weights.
        selection: Who and what; names must be the card's.
        sampling: How.
        there: Clips that exist already and are left out.

    Raises:
        UsageError: Nobody, no take or no view was chosen, or novel people cannot be blended as asked.
    """
    recipes = _recipes(selection, card.vocabulary.identities)
    for what, names, option in (
        ("nobody", list(recipes), "--identities all or --novel 10"),
        ("no condition", selection.takes, "--conditions all"),
        ("no view", selection.views, "--views all"),
    ):
        if not names:
            raise UsageError(f"{what} to synthesize; use e.g. {option}")
    grid = [ClipKey(*cell) for cell in product(recipes, selection.takes, selection.views)]
    clips = tuple(key for key in grid if key not in there)
    busy = {key.identity for key in clips}
    return Plan(
        weights=card.fingerprint,
        dataset=card.trained_on.dataset,
        sampling=sampling,
        recipes={name: recipe for name, recipe in recipes.items() if name in busy},
        views={view: card.vocabulary.views[view] for view in selection.views},
        clips=clips,
        filter=selection.frozen_by,
    )


def _recipes(selection: Selection, subjects: Sequence[str]) -> dict[str, Mapping[str, float]]:
    known: dict[str, Mapping[str, float]] = {name: known_recipe(name) for name in selection.identities}
    if selection.frozen is not None:
        return known | dict(selection.frozen)
    blend = selection.blend
    novel = novel_identities(selection.novel, subjects, blend.seed, blend.parents, blend.concentration, blend.strategy)
    return known | {person.name: person.recipe for person in novel}


def _facts(plan: Plan) -> dict[str, Any]:
    facts = {
        "weights": plan.weights,
        "dataset": plan.dataset,
        "sampling": plan.sampling.facts(),
        "recipes": {name: dict(recipe) for name, recipe in plan.recipes.items()},
        "views": dict(plan.views),
        "clips": [str(key) for key in plan.clips],
    }
    return {**facts, "filter": plan.filter} if plan.filter else facts


def _flat(plan: Plan) -> dict[str, Any]:
    facts = _facts(plan)
    return {**facts.pop("sampling"), **facts}

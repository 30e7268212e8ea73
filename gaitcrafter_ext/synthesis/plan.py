"""What to make: every clip of a run, in order, with all that decides its bytes.

A plan is written before the first clip. Its text is the run's identity: an equal plan resumes, another is refused.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from gaitcrafter_ext.errors import ConflictError, DataError, UsageError
from gaitcrafter_ext.generator.sampling import FRAMES, LONGEST, SHORTEST, IdentityScale
from gaitcrafter_ext.generator.weights import Card
from gaitcrafter_ext.records import fill, record
from gaitcrafter_ext.synthesis.identities import BlendSettings, Identity, mixture, novel_identities
from gaitcrafter_ext.vocabulary import DEFAULT_FILE, ClipKey

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gaitcrafter_ext.synthesis.selection import SelectedIdentities

#: Version of the plan's text and of how it is sampled; 7: first and last rows are ragged, identity scale by condition.
FORMAT = 7

#: Gait cycles that can be asked for, and to which a person's are held, frames.
CYCLE_MIN, CYCLE_MAX = 10.0, 80.0


@record
class Sampling:
    """How clips are sampled; every field decides their bytes.

    ``cadence``: ``""`` = each person's own; ``"27"`` = so many frames a gait cycle; ``"x1.1"`` = so much longer.
    ``size``: rows of a written frame; ``columns`` are those of one of 64 rows (of 128: twice as many).
    """

    sampler: str
    steps: Annotated[int, Field(ge=1)]
    guidance: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    seed: Annotated[int, Field(ge=0)]
    frames: Annotated[int, Field(ge=SHORTEST, le=LONGEST)] = FRAMES
    precision: str = "fp32"
    cadence: str = ""
    size: Literal[64, 128] = 64
    columns: Literal[44, 64] = 64
    identity_scale: IdentityScale = 1.0

    def __post_init__(self) -> None:
        self.cycle(1.0)

    def cycle(self, own: float) -> float:
        """What ``cadence`` makes of a person's own gait cycle, frames; ``UsageError`` where it is neither of both."""
        try:
            value = float(self.cadence.removeprefix("x") or "nan")
        except ValueError:
            value = math.nan
        if not self.cadence:
            return own
        if self.cadence.startswith("x") and 0.5 <= value <= 2:
            return own * value
        if not self.cadence.startswith("x") and CYCLE_MIN <= value <= CYCLE_MAX:
            return value
        raise UsageError(
            f"--cadence: '{self.cadence}'; allowed: frames a gait cycle ({CYCLE_MIN:g} to {CYCLE_MAX:g}) or a factor "
            "(x0.5 to x2)"
        )


def sampling_by(
    card: Card,
    sampler: str | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    identity_scale: IdentityScale | None = None,
    **others: Any,
) -> Sampling:
    """What is given, completed by the weights' defaults; ``others`` are further fields of :class:`Sampling`."""
    how = card.sampling.choose(sampler, steps, guidance, identity_scale)
    columns = card.dataset.columns or 64
    return Sampling(how.sampler, how.steps, how.guidance, identity_scale=how.identity_scale, columns=columns, **others)


@dataclass(frozen=True)
class Selection:
    """Who (known people, so many novel ones made as ``blend`` says, and others), in which takes, from which views.

    ``like`` are people read from silhouettes; novel people whom a filter ``selected`` come instead of the first
    ``novel`` of ``blend``.
    """

    identities: tuple[str, ...]
    novel: int
    takes: tuple[str, ...]
    views: tuple[str, ...]
    blend: BlendSettings = field(default_factory=BlendSettings)
    like: Mapping[str, Identity] = field(default_factory=dict)
    selected: SelectedIdentities | None = None


@dataclass(frozen=True)
class ClipRequest:
    """One clip to make: ``seed`` is the key of its noise, below 2**63, ``start`` the phase of its first frame, radians.

    ``view_deg`` is None where the weights' dataset does not know angles, ``cycle`` [frames] where it is not known.
    """

    key: ClipKey
    condition: str
    identity: Identity
    view_deg: float | None
    seed: int
    cycle: float | None
    start: float


#: Makes the clips, uint8 [n, T, h, w], of n requests; a clip depends on its own request alone.
ClipSampler = Callable[[Sequence[ClipRequest]], "NDArray[np.uint8]"]


@record
class Stored:
    """A record that is the text of a file; equal records have equal texts."""

    @property
    def fingerprint(self) -> str:
        """Short name of exactly this record: 16 hex digits of the SHA-256 of its text."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """The text."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    def differences(self, other: Stored) -> list[str]:
        """What differs from another one, by name, e.g. ``["seed", "views"]``; of ``sampling`` its fields."""
        mine, theirs = ({**facts.pop("sampling", {}), **facts} for facts in (asdict(self), asdict(other)))
        return [name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)]


@record
class Plan(Stored):
    """A whole run, in canonical order: known people, those read from silhouettes, novel ones; takes; views.

    ``weights`` and ``filter`` are fingerprints (of the selected identities; empty without a filter); ``conditions``:
    take -> walking condition; ``views``: view -> degrees, as the weights understand them; ``clips``:
    ``identity/take/view``; ``seen``: ``dataset/identity`` of all people whom the weights ever saw, so that none of them
    is tested on.
    """

    weights: str
    dataset: str
    sampling: Sampling
    people: dict[str, Identity]
    conditions: dict[str, str]
    views: dict[str, float | None]
    clips: tuple[str, ...]
    filter: str = ""
    trained_people: Annotated[int, Field(ge=0)] = 0
    seen: tuple[str, ...] = ()
    file: str = DEFAULT_FILE
    format: int = FORMAT

    @property
    def identities(self) -> tuple[str, ...]:
        """All people of the plan, in canonical order."""
        return tuple(self.people)

    @property
    def keys(self) -> tuple[ClipKey, ...]:
        """Every clip's name."""
        return tuple(_key(name) for name in self.clips)

    def request(self, key: ClipKey) -> ClipRequest:
        """The request for a clip of the plan."""
        condition, view_deg = self.conditions[key.take], self.views[key.view]
        return make_request(key, self.people[key.identity], condition, view_deg, self.sampling)

    def requests(self) -> list[ClipRequest]:
        """One request a clip, in the plan's order."""
        return [self.request(key) for key in self.keys]

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read a plan's text; ``DataError`` if it is none, ``ConflictError`` if it is one that cannot be used."""
        try:
            facts = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataError(f"not a plan ({error})") from None
        found = facts.get("format") if isinstance(facts, dict) else None
        if isinstance(found, int) and found != FORMAT and "clips" in facts:
            raise ConflictError(f"a plan of version {found}, this program reads {FORMAT}; choose another --out")
        if found != FORMAT:
            raise DataError("not a plan")
        plan = fill(cls, facts, "a plan that cannot be used", ConflictError)
        for key in plan.keys:
            for name, known in ((key.identity, plan.people), (key.take, plan.conditions), (key.view, plan.views)):
                if name not in known:
                    raise DataError(f"plan: its clips name {name}, of whom it says nothing")
        return plan


def _key(name: str) -> ClipKey:
    parts = name.split("/")
    if len(parts) != 3:
        raise DataError(f"plan: '{name}' names no clip; expected identity/take/view")
    return ClipKey(*parts)


def make_request(
    key: ClipKey, who: Identity, condition: str, view_deg: float | None, sampling: Sampling
) -> ClipRequest:
    """The request for a clip: what is made of it depends on these alone, whatever else a run makes."""
    cycle, start = _walk(key, who, sampling)
    return ClipRequest(key, condition, who, view_deg, clip_seed(sampling.seed, key, who), cycle, start)


def clip_seed(seed: int, key: ClipKey, who: Identity) -> int:
    """Key of a clip's noise."""
    return _noise_key(seed, str(key), sorted(who.mix.items()), list(who.code))


def _walk(key: ClipKey, who: Identity, sampling: Sampling) -> tuple[float | None, float]:
    """Gait cycle, frames, and phase of the first frame, radians: the views of a take show one walk.

    A cadence that was asked for in frames is met exactly; else takes differ as the person's own do.
    """
    facts = (sampling.seed, key.identity, key.take, sorted(who.mix.items()), list(who.code))
    rng = np.random.default_rng(_noise_key(*facts))
    start, wander = round(2 * math.pi * float(rng.random()), 4), float(rng.standard_normal())
    if sampling.cadence and not sampling.cadence.startswith("x"):
        return sampling.cycle(math.nan), start
    if who.cadence is None:
        return None, start
    cycle = sampling.cycle(who.cadence.mean + who.cadence.spread * min(2.0, max(-2.0, wander)))
    return round(min(CYCLE_MAX, max(CYCLE_MIN, cycle)), 3), start


def _noise_key(*facts: object) -> int:
    """Key of the noise that belongs to some facts, anything JSON can hold: 0 <= key < 2**63."""
    return int.from_bytes(hashlib.sha256(json.dumps(facts).encode()).digest()[:8], "big") >> 1


def make_plan(card: Card, selection: Selection, sampling: Sampling, there: Set[ClipKey] = frozenset()) -> Plan:
    """Lay out a run: every person x take x view but those that are ``there`` already; names must be the card's.

    ``UsageError`` where no person, take or view was chosen, or novel people cannot be made as asked.
    """
    people = _people(selection, card)
    for what, names, option in (
        ("no person", list(people), "--identities all or --novel 10"),
        ("no condition", selection.takes, "--conditions all"),
        ("no view", selection.views, "--views all"),
    ):
        if not names:
            raise UsageError(f"{what} to synthesize; use e.g. {option}")
    grid = [ClipKey(*cell) for cell in product(people, selection.takes, selection.views)]
    clips = tuple(str(key) for key in grid if key not in there)
    busy = {name.split("/")[0] for name in clips}
    return Plan(
        weights=card.fingerprint,
        dataset=card.trained_on.dataset,
        sampling=sampling,
        people={name: who for name, who in people.items() if name in busy},
        conditions={take: card.dataset.condition_of(take) for take in selection.takes},
        views={view: card.vocabulary.views[card.dataset.view_name(view)] for view in selection.views},
        clips=clips,
        filter=selection.selected.fingerprint if selection.selected else "",
        trained_people=len(card.vocabulary.identities),
        seen=tuple(sorted(card.everybody())),
        file=card.dataset.file,
    )


def _people(selection: Selection, card: Card) -> dict[str, Identity]:
    known = {name: mixture({name: 1.0}, card.cadence) for name in selection.identities} | dict(selection.like)
    if selection.selected is not None:
        novel = selection.selected.people
    else:
        words = card.vocabulary.identities
        novel = novel_identities(selection.novel, words, selection.blend, card.cadence, card.code_dim)
    if taken := set(novel) & set(known):
        raise UsageError(f"--like: a person is called {min(taken)}, as novel ones are; use --novel 0 and no --filter")
    return known | novel

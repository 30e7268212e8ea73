"""``index.html`` beside the clips: some of them walking, who they are, how they were made, and lines for OpenGait.

One file that opens without a network: clips are strips of frames, moved by CSS.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.silhouettes.pictures import spread
from gaitcrafter_ext.silhouettes.store import read_clip
from gaitcrafter_ext.synthesis.folder import OutputFolder
from gaitcrafter_ext.synthesis.identities import Identity
from gaitcrafter_ext.synthesis.plan import ClipRequest, Plan

#: Clips and bytes of pictures that a page holds at most.
MOST_CLIPS, MOST_BYTES = 40, 1_900_000

#: Frames of a clip that are shown at most, views of a person, and parents beside a novel one.
MOST_FRAMES, VIEWS, PARENTS = 40, 2, 3


@dataclass(frozen=True)
class Figure:
    """A clip that walks: a PNG of its frames side by side, base64."""

    png: str
    frames: int
    label: str
    caption: str


@dataclass
class Person:
    """A card of the page: ``rows`` are condition -> clips, ``parents`` their clips beside."""

    name: str
    origin: str
    rows: list[tuple[str, list[Figure]]] = field(default_factory=list)
    parents: list[Figure] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of its pictures in the page."""
        clips = [figure for _, figures in self.rows for figure in figures] + self.parents
        return sum(len(figure.png) for figure in clips)


def page(plan: Plan, folder: OutputFolder, entry: str) -> str:
    """The page of a finished plan; ``entry`` is the text of the lines for OpenGait."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("gaitcrafter_ext.synthesis", package_path="")
    pages = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    people = chosen_people(plan, folder)
    return pages.get_template("page.html.j2").render(plan=plan, people=people, facts=_facts(plan), entry=entry)


def chosen_people(plan: Plan, folder: OutputFolder) -> list[Person]:
    """People spread over the plan, each once a condition from two views, as many as a page holds."""
    requests = _by_person(plan)
    cells = max(len(_cells(mine)) for mine in requests.values())
    parents = PARENTS if any(name in requests for who in plan.people.values() for name in _parents(who)) else 0
    count = max(1, MOST_CLIPS // (cells + parents))
    found, size = list[Person](), 0
    for index in spread(len(plan.identities), count):
        person = _person(plan, folder, plan.identities[index], requests)
        size += person.size
        if found and size > MOST_BYTES:
            break
        found.append(person)
    return found


def _by_person(plan: Plan) -> dict[str, list[ClipRequest]]:
    found: dict[str, list[ClipRequest]] = {}
    for request in plan.requests():
        found.setdefault(request.key.identity, []).append(request)
    return found


def _cells(mine: Sequence[ClipRequest]) -> list[ClipRequest]:
    """Clips of a person to show: the first take of each condition, from the side and obliquely."""
    takes: dict[str, list[ClipRequest]] = {}
    for request in mine:
        clips = takes.setdefault(request.condition, [])
        if not clips or clips[0].key.take == request.key.take:
            clips.append(request)
    return [each for clips in takes.values() for each in _two_views(clips)]


def _two_views(clips: list[ClipRequest]) -> list[ClipRequest]:
    chosen: list[ClipRequest] = []
    for wanted in (90.0, 36.0)[:VIEWS]:
        left = [each for each in clips if each not in chosen]
        if left:
            chosen.append(min(left, key=lambda each: abs((each.view_deg or 0.0) - wanted)))
    return chosen


def _person(plan: Plan, folder: OutputFolder, name: str, requests: dict[str, list[ClipRequest]]) -> Person:
    who = plan.people[name]
    person = Person(name, _origin(name, who))
    for request in _cells(requests[name]):
        if not person.rows or person.rows[-1][0] != request.condition:
            person.rows.append((request.condition, []))
        cycle = "" if request.cycle is None else f" · {request.cycle:.1f}"
        person.rows[-1][1].append(_figure(folder, request, f"{request.key.view}{cycle}"))
    there = [parent for parent in _parents(who) if parent in requests]
    for parent in there[:PARENTS]:
        first = _cells(requests[parent])[0]
        person.parents.append(_figure(folder, first, f"{parent} {who.mix[parent]:.0%}"))
    return person


def _parents(who: Identity) -> list[str]:
    """Parents of a novel person, strongest first; none of a known one."""
    return sorted(who.mix, key=lambda name: -abs(who.mix[name])) if len(who.mix) > 1 else []


def _origin(name: str, who: Identity) -> str:
    """Who that is, in words."""
    if len(who.mix) == 1:
        return "known: one of the people that the generator was trained on"
    if who.mix:
        parents = _parents(who)
        shown = ", ".join(f"{parent} {who.mix[parent]:.0%}" for parent in parents[:4])
        return f"novel: {shown}" + (f" and {len(parents) - 4} more" if len(parents) > 4 else "")
    return "a place in the space of people, read from silhouettes or drawn"


def _figure(folder: OutputFolder, request: ClipRequest, caption: str) -> Figure:
    frames = _loop(read_clip(folder.path(request.key)), request.cycle)
    strip = frames.transpose(1, 0, 2).reshape(frames.shape[1], -1)
    png = base64.b64encode(cv2.imencode(".png", strip)[1].tobytes()).decode()
    return Figure(png, len(frames), str(request.key), caption)


def _loop(frames: NDArray[np.uint8], cycle: float | None) -> NDArray[np.uint8]:
    """The beginning of a clip: whole cycles where it shows one, in 16 grey levels to keep the page small."""
    length = min(len(frames), MOST_FRAMES)
    if cycle is not None and round(cycle) <= length:
        length = round(length // cycle * cycle)
    return (frames[:length] // 17 * 17).astype(np.uint8)


def _facts(plan: Plan) -> dict[str, str]:
    """What the manifest says of all clips."""
    sampling = plan.sampling
    cycles = [request.cycle for request in plan.requests() if request.cycle is not None]
    cycle = f"{min(cycles):.1f} to {max(cycles):.1f} frames" if cycles else "not known"
    return {
        "People": f"{len(plan.people):,}",
        "Clips": f"{len(plan.clips):,}",
        "Conditions": ", ".join(dict.fromkeys(plan.conditions.values())),
        "Views": ", ".join(plan.views),
        "Frames a clip": str(sampling.frames),
        "Gait cycle": cycle,
        "Sampler": f"{sampling.sampler}, {sampling.steps} steps, guidance {sampling.guidance:g}, "
        f"identity scale {sampling.identity_scale:g}, {sampling.precision}",
        "Seed": str(sampling.seed),
        "Weights": plan.weights,
        "Plan": plan.fingerprint,
    }

"""What stands beside the clips of a finished plan: partition, lines for OpenGait, manifest, contact sheet, web page.

The page is one file that opens without a network: clips are strips of frames, moved by CSS.
"""

from __future__ import annotations

import base64
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.silhouettes import manifest
from gaitcrafter_ext.silhouettes.files import atomic_write_text
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.pictures import contact_sheet, spread
from gaitcrafter_ext.silhouettes.store import read_clip
from gaitcrafter_ext.synthesis.folder import ENTRY, MANIFEST, PAGE, PARTITION, SHEET, OutputFolder
from gaitcrafter_ext.synthesis.identities import Identity
from gaitcrafter_ext.synthesis.plan import ClipRequest, Plan
from gaitcrafter_ext.vocabulary import DEFAULT_FILE, ClipKey

#: Rows of the contact sheet at most; clips and bytes of pictures on the page at most.
MOST_ROWS, MOST_CLIPS, MOST_BYTES = 40, 40, 1_900_000

#: On the page: frames of a clip at most, parents beside a novel person, views that are looked for.
MOST_FRAMES, PARENTS, VIEWS_DEG = 40, 3, (90.0, 36.0)


def write_outputs(plan: Plan, folder: OutputFolder) -> None:
    """Write all of it, in the plan's order; the manifest last, so that it marks a finished folder.

    ``ConflictError`` where two shards made one clip differently.
    """
    Partition(train=plan.identities).save(folder.root / PARTITION)
    entry = opengait_entry(plan, folder.root)
    atomic_write_text(folder.root / ENTRY, entry)
    atomic_write_text(folder.root / PAGE, page(plan, folder, entry))
    labels = {key: str(key).replace("/", " ").encode("ascii", "replace").decode() for key in sheet_keys(plan)}
    contact_sheet([(label, read_clip(folder.path(key))) for key, label in labels.items()], folder.root / SHEET)
    manifest.merge(folder.manifests(), folder.root / MANIFEST, plan.keys)


def opengait_entry(plan: Plan, root: Path) -> str:
    """Lines to paste into an OpenGait config, as YAML that says where each goes."""
    people = len(plan.people)
    new = sum(who.mix != {name: 1.0} for name, who in plan.people.items())
    clips, partition = _quoted(root.resolve() / "pkl"), _quoted(root.resolve() / PARTITION)
    file = "" if plan.file == DEFAULT_FILE else f"\n      file: {_quoted(plan.file)}"
    return f"""\
# {people} synthetic people, {len(plan.clips)} clips; plan {plan.fingerprint}, weights {plan.weights} ({plan.dataset}).

# Beside real people: paste 'synthetic' into data_cfg of your config, and run it by 'gaitcrafter opengait --cfgs'.
data_cfg:
  synthetic:
    - root: {clips}
      partition: {partition}{file}

# On them alone, with OpenGait as it is: these two lines in data_cfg. TEST_SET is empty: test with your own data_cfg.
alone:
  dataset_root: {clips}
  dataset_partition: {partition}

# People to train on: alone, and beside the {plan.trained_people} people of {plan.dataset} whom the generator knows (who
# count once if they are in the clips too). Beside another set: the size of its TRAIN_SET and {new} more.
classes: {{alone: {people}, beside_real: {plan.trained_people + new}}}

# Where the number goes, in model_cfg of each model (here for 'alone').
class_count:
  Baseline:          # GaitBase
    model_cfg: {{SeparateBNNecks: {{class_num: {people}}}}}
  DeepGaitV2:
    model_cfg: {{SeparateBNNecks: {{class_num: {people}}}}}
  GaitGL:
    model_cfg: {{class_num: {people}}}
  GaitSet: {{}}        # has no class count: nothing to set
  GaitPart: {{}}       # neither has this one
"""


def _quoted(path: Path | str) -> str:
    """A path as a YAML scalar, whatever characters are in it."""
    return "'" + str(path).replace("'", "''") + "'"


def sheet_keys(plan: Plan) -> list[ClipKey]:
    """Which clips the contact sheet shows: all, or each chosen person once a condition, from changing views."""
    if len(plan.clips) <= MOST_ROWS:
        return list(plan.keys)
    clips = defaultdict[tuple[str, str], list[ClipKey]](list)
    for key in plan.keys:
        clips[key.identity, plan.conditions[key.take]].append(key)
    conditions = len({condition for _, condition in clips})
    people = [plan.identities[index] for index in spread(len(plan.identities), max(1, MOST_ROWS // conditions))]
    rows = [keys for (identity, _), keys in clips.items() if identity in people][:MOST_ROWS]
    return [keys[number * 5 % len(keys)] for number, keys in enumerate(rows)]


def page(plan: Plan, folder: OutputFolder, entry: str) -> str:
    """The page of a finished plan; ``entry`` is the text of the lines for OpenGait."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("gaitcrafter_ext.synthesis", package_path="")
    pages = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    requests = plan.requests()
    cycles = [request.cycle for request in requests if request.cycle is not None]
    people = _people_shown(plan, requests, folder)
    return pages.get_template("page.html.j2").render(plan=plan, people=people, cycles=cycles, entry=entry)


def _people_shown(plan: Plan, requests: list[ClipRequest], folder: OutputFolder) -> list[dict[str, Any]]:
    """People spread over the plan, each once a condition from two views, as many as a page holds."""
    clips = defaultdict[str, list[ClipRequest]](list)
    for request in requests:
        clips[request.key.identity].append(request)
    shown = {name: _shown(mine) for name, mine in clips.items()}
    beside = PARENTS if any(parent in shown for who in plan.people.values() for parent in _parents(who)) else 0
    count = max(1, MOST_CLIPS // (max(map(len, shown.values())) + beside))
    found, size = list[dict[str, Any]](), 0
    for index in spread(len(plan.identities), count):
        name = plan.identities[index]
        person = _person(name, plan.people[name], shown, folder)
        size += sum(len(clip["png"]) for clips in (*person["rows"].values(), person["beside"]) for clip in clips)
        if found and size > MOST_BYTES:
            break
        found.append(person)
    return found


def _shown(mine: list[ClipRequest]) -> list[ClipRequest]:
    """Clips of a person to show: the first take of each condition, from the side and obliquely."""
    takes = defaultdict[str, list[ClipRequest]](list)
    for request in mine:
        clips = takes[request.condition]
        if not clips or clips[0].key.take == request.key.take:
            clips.append(request)
    chosen = list[ClipRequest]()
    for clips in takes.values():
        for wanted in VIEWS_DEG[: len(clips)]:
            left = [each for each in clips if each not in chosen]
            chosen.append(min(left, key=lambda each: abs((each.view_deg or 0.0) - wanted)))
    return chosen


def _person(name: str, who: Identity, shown: dict[str, list[ClipRequest]], folder: OutputFolder) -> dict[str, Any]:
    """A card of the page: condition -> clips, and clips of the parents beside."""
    rows, parents = defaultdict[str, list[dict[str, Any]]](list), _parents(who)
    for request in shown[name]:
        cycle = "" if request.cycle is None else f" · {request.cycle:.1f}"
        rows[request.condition].append(_figure(folder, request, f"{request.key.view}{cycle}"))
    there = [parent for parent in parents if parent in shown][:PARENTS]
    beside = [_figure(folder, shown[parent][0], f"{parent} {who.mix[parent]:.0%}") for parent in there]
    return {"name": name, "mix": who.mix, "parents": parents, "rows": rows, "beside": beside}


def _parents(who: Identity) -> list[str]:
    """Parents of a novel person, strongest first; none of a known one."""
    return sorted(who.mix, key=lambda name: -who.mix[name]) if len(who.mix) > 1 else []


def _figure(folder: OutputFolder, request: ClipRequest, caption: str) -> dict[str, Any]:
    """A clip that walks, a PNG of its frames side by side: whole cycles, in 16 grey levels to keep the page small."""
    frames: NDArray[np.uint8] = read_clip(folder.path(request.key))
    length = min(len(frames), MOST_FRAMES)
    if request.cycle is not None and round(request.cycle) <= length:
        length = round(length // request.cycle * request.cycle)
    strip = (frames[:length] // 17 * 17).transpose(1, 0, 2).reshape(frames.shape[1], -1)
    png = base64.b64encode(cv2.imencode(".png", strip)[1].tobytes()).decode()
    return {"png": png, "frames": length, "label": str(request.key), "caption": caption}

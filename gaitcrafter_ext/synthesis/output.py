"""What stands beside the clips of a finished plan: partition, lines for OpenGait, merged manifest, pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.silhouettes import manifest
from gaitcrafter_ext.silhouettes.files import atomic_write_text
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.pictures import contact_sheet, spread
from gaitcrafter_ext.silhouettes.store import read_clip
from gaitcrafter_ext.synthesis.folder import ENTRY, MANIFEST, OUTPUTS, PAGE, PARTITION, SHEET, OutputFolder
from gaitcrafter_ext.synthesis.page import page
from gaitcrafter_ext.synthesis.plan import Plan
from gaitcrafter_ext.vocabulary import DEFAULT_FILE, ClipKey

#: Rows of the contact sheet at most.
MOST_ROWS = 40


def outputs_there(folder: OutputFolder) -> bool:
    """Whether everything that ``write_outputs`` writes is there."""
    return all((folder.root / name).is_file() for name in OUTPUTS)


def write_outputs(plan: Plan, folder: OutputFolder) -> None:
    """Write all of it, in the plan's order; the manifest last, so that it marks a finished folder.

    Raises:
        ConflictError: Two shards made one clip differently.
        StorageError: The disk refused.
    """
    Partition(train=plan.identities).save(folder.root / PARTITION)
    entry = opengait_entry(plan, folder.root)
    atomic_write_text(folder.root / ENTRY, entry)
    atomic_write_text(folder.root / PAGE, page(plan, folder, entry))
    contact_sheet([(_label(key), _clip(folder, key)) for key in sheet_keys(plan)], folder.root / SHEET)
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


def sheet_keys(plan: Plan) -> list[ClipKey]:
    """Which clips the contact sheet shows: all, or each chosen person once a condition, from changing views."""
    if len(plan.clips) <= MOST_ROWS:
        return list(plan.keys)
    clips: dict[tuple[str, str], list[ClipKey]] = {}
    for key in plan.keys:
        clips.setdefault((key.identity, plan.conditions[key.take]), []).append(key)
    conditions = len({condition for _, condition in clips})
    people = [plan.identities[index] for index in spread(len(plan.identities), max(1, MOST_ROWS // conditions))]
    rows = [keys for (identity, _), keys in clips.items() if identity in people][:MOST_ROWS]
    return [keys[number * 5 % len(keys)] for number, keys in enumerate(rows)]


def _label(key: ClipKey) -> str:
    return f"{key.identity} {key.take} {key.view}".encode("ascii", "replace").decode()


def _clip(folder: OutputFolder, key: ClipKey) -> NDArray[np.uint8]:
    return read_clip(folder.path(key))


def _quoted(path: Path | str) -> str:
    """A path as a YAML scalar, whatever characters are in it."""
    return "'" + str(path).replace("'", "''") + "'"

"""Clips made on demand: once, whoever asks, kept under the name of exactly what was asked for.

``<cache>/synthetic/<name>/`` is an output folder of ``synthesize``. Its name is a fingerprint of the plan and of the
code that draws, so that equal wishes share it and other ones never touch it. A run that was killed leaves what it made,
and the next one goes on.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import math
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from gaitcrafter_ext.errors import GaitCrafterError, MissingError, StorageError
from gaitcrafter_ext.generator.sampling import FRAMES
from gaitcrafter_ext.generator.weights import Card
from gaitcrafter_ext.hardware import this_process
from gaitcrafter_ext.opengait.config_keys import GeneratedEntry
from gaitcrafter_ext.opengait.device import VISIBLE_VARIABLE, notify
from gaitcrafter_ext.opengait.people import RealPeople
from gaitcrafter_ext.silhouettes.files import FileLock, atomic_write_text, cache_root
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.synthesis.folder import MANIFEST, PLAN, OutputFolder, Shard
from gaitcrafter_ext.synthesis.identities import BlendSettings, Identity, usual_parents
from gaitcrafter_ext.synthesis.plan import ClipSampler, Plan, Selection, make_plan, sampling_by
from gaitcrafter_ext.synthesis.real_people import people_like
from gaitcrafter_ext.synthesis.selection import selected_for
from gaitcrafter_ext.vocabulary import choose

#: Environment variable that names the interpreter of the generator's environment.
PYTHON_VARIABLE = "GAITCRAFTER_PYTHON"

#: Loads the package from its folder, and from nowhere else, then makes the clips.
BOOT = """
import importlib.util, sys
folder, *arguments = sys.argv[1:]
sys.path[:] = [entry for entry in sys.path if entry]
spec = importlib.util.spec_from_file_location(
    "gaitcrafter_ext", folder + "/__init__.py", submodule_search_locations=[folder])
package = sys.modules["gaitcrafter_ext"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
from gaitcrafter_ext.opengait.on_demand import main
main(*arguments)
"""


def plan_of(entry: GeneratedEntry, card: Card, weights: Path, real: RealPeople) -> Plan:
    """The plan that ``gaitcrafter synthesize`` would make of the same options: the one place where they are mapped."""
    where, words = "data_cfg.synthetic", card.vocabulary
    how = (entry.sampler, entry.steps, entry.guidance, entry.identity_scale)
    others = {name: getattr(entry, name) for name in ("seed", "precision", "cadence", "size")}
    sampling = sampling_by(card, *how, frames=entry.frames or FRAMES, **others)
    conditions = choose(entry.conditions, words.conditions, f"{where}.conditions")
    parents = entry.blend_parents or usual_parents(len(words.identities))
    chosen = entry.filter and selected_for(card, Path(entry.filter), entry.novel or None, f"{where}.{{}}")
    selection = Selection(
        identities=choose(entry.identities, words.identities, f"{where}.identities"),
        novel=entry.novel,
        takes=tuple(card.dataset.take_names(dict.fromkeys(conditions, entry.takes))),
        views=choose(entry.views, list(words.views), f"{where}.views"),
        blend=BlendSettings(parents, entry.concentration, entry.identity_seed, entry.blend),
        like=_like(entry, card, weights, real),
        selected=chosen or None,
    )
    return make_plan(card, selection, sampling)


def _like(entry: GeneratedEntry, card: Card, weights: Path, real: RealPeople) -> dict[str, Identity]:
    """People of ``like``, without those of the config's own dataset whom it tests on, or leaves out of TRAIN_SET."""
    if entry.like is None:
        return {}
    store = SilhouetteStore(entry.like, card.dataset)
    barred = (real.there | set(real.test)) - set(real.train)
    people = dict.fromkeys(key.identity for key in store)  # a folder may hold no clip
    return people_like(card, weights, store, [name for name in people if name not in barred])


def get_or_synthesize(plan: Plan, weights: Path, python: str | None = None, device: str = "auto") -> OutputFolder:
    """The folder that holds the clips of ``plan``; they are made first where they are not there yet.

    Any number of processes may ask at once: one makes them, the others wait. What was made before a failure stays, and
    the next call goes on. ``device`` may be ``auto`` or ``cuda``, which use every visible GPU; ``python`` is the
    interpreter that runs the generator, else $GAITCRAFTER_PYTHON, else this one.
    """
    name = hashlib.sha256(f"{plan.fingerprint} {code_fingerprint()}".encode()).hexdigest()[:16]
    folder = OutputFolder(cache_root() / "synthetic" / name)
    if not _is_complete(folder, plan):
        waiting = functools.partial(notify, "waiting for another process that is making the clips of this config")
        with FileLock(folder.root.with_suffix(".lock"), "the clips of this config", math.inf, waiting):
            if not _is_complete(folder, plan):
                _make(plan, folder, weights, python, device)
    return folder


@functools.cache
def code_fingerprint() -> str:
    """What changes with the code that draws: SHA-256 of the sources of generator and synthesis, and of the frames'."""
    package, found = Path(__file__).parents[1], hashlib.sha256()
    for pattern in ("generator/*.py", "synthesis/*.py", "silhouettes/clip.py"):
        for path in sorted(package.glob(pattern)):
            found.update(path.read_bytes())
    return found.hexdigest()


def _is_complete(folder: OutputFolder, plan: Plan) -> bool:
    """Whether every clip of ``plan`` is there, and what is written after the last one, too."""
    return (
        (folder.root / MANIFEST).is_file()
        and folder.plan() == plan
        and all(folder.path(key).is_file() for key in plan.keys)
    )


def _make(plan: Plan, folder: OutputFolder, weights: Path, python: str | None, device: str) -> None:
    named = python or os.environ.get(PYTHON_VARIABLE) or sys.executable
    interpreter = shutil.which(os.path.expanduser(named))
    if interpreter is None:
        raise MissingError(f"there is no interpreter '{named}'; set 'python:' or {PYTHON_VARIABLE} to one that is")
    atomic_write_text(folder.root / PLAN, plan.to_json())
    what = f"{len(plan.clips)} clips of {len(plan.identities)} people"
    notify(f"making {what} in {folder.root}, once; later runs reuse them", every_process=True)
    run_generators(interpreter, (str(folder.root), str(weights), device))


def run_generators(python: str, arguments: Sequence[str], count: int = 1) -> None:
    """Run so many generators side by side until all have ended.

    Raises:
        GaitCrafterError: What the first of them reported that failed.
    """
    with contextlib.ExitStack() as running:
        children = [running.enter_context(start_generator(python, arguments, rank, count)) for rank in range(count)]
        reports = [child.stdout.read().strip() if child.stdout else "" for child in children]
    for child, report in zip(children, reports, strict=True):
        if child.returncode:
            reason = report or f"ended with code {child.returncode}"
            raise GaitCrafterError(f"making the clips: {reason}; what was made is kept, and the same command goes on")


def start_generator(python: str, arguments: Sequence[str], rank: int = 0, count: int = 1) -> subprocess.Popen[str]:
    """Start one of ``count`` generators, see ``main``; its stdin and stdout are pipes, its stderr is ours.

    It runs the code of this very package, whichever interpreter runs it (OpenGait's environment may be too old for the
    generator); only third-party packages come from the other environment. The pipe to its stdin closes when this
    process ends, however it ends, and the generator ends then, too. It is no rank of the run that starts it.
    """
    environment = {**os.environ, "RANK": str(rank), "WORLD_SIZE": str(count), "LOCAL_RANK": str(rank)}
    visible = environment.pop(VISIBLE_VARIABLE, None)
    if visible == "all":
        environment.pop("CUDA_VISIBLE_DEVICES", None)
    elif visible is not None:
        environment["CUDA_VISIBLE_DEVICES"] = visible
    command = [python, "-c", BOOT, str(Path(__file__).resolve().parents[1]), *arguments]
    try:
        return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    except OSError as error:
        raise StorageError(f"cannot start {python}: {error.strerror or error}") from error


def main(*arguments: str) -> None:
    """The child process, see ``make_clips``; it ends when its stdin closes, that is, when its parent ends.

    Progress goes to stderr; why it failed is one line on stdout, for the process that started this one.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        make_clips(*arguments)
    except ImportError as error:
        advice = f"name an interpreter that has it by 'python:' or {PYTHON_VARIABLE}, or make the clips before"
        print(f"the generator needs a package that {sys.executable} lacks ({error}); {advice}")
        sys.exit(1)
    except (GaitCrafterError, OSError) as error:
        print(" ".join(str(error).split()))
        sys.exit(1)


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(143)


def make_clips(root: str, weights: str, device: str) -> None:
    """Make the clips of a folder's plan, or this process's shard; of several GPUs each gets a process of its own."""
    import torch
    from tqdm import tqdm

    from gaitcrafter_ext.synthesis.run import pipeline_sampler, synthesize

    gpus, process, folder = torch.cuda.device_count(), this_process(), OutputFolder(root)
    if device in ("auto", "cuda") and gpus > 1 and process.count == 1:
        return run_generators(sys.executable, (root, weights, "auto"), gpus)
    plan, hidden = Plan.from_json((folder.root / PLAN).read_text(encoding="utf-8")), process.rank > 0
    with tqdm(desc="synthesizing", unit="clip", file=sys.stderr, leave=False, mininterval=0.5, disable=hidden) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        def load() -> ClipSampler:
            return pipeline_sampler(Path(weights), plan.sampling, device)

        synthesize(plan, folder, load, Shard.of_process(), progress=show)

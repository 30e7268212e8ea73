"""Child process: keep a pool filled with fresh clips. ``... FOLDER WEIGHTS SLOTS REUSE DEVICE``.

It ends when its stdin closes, that is, when the process that started it ends, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

from gaitcrafter_ext.generator.shape import TILE
from gaitcrafter_ext.opengait.generate import reported
from gaitcrafter_ext.opengait.pool import Pool
from gaitcrafter_ext.silhouettes.files import FileLock
from gaitcrafter_ext.synthesis.plan import ClipRequest, Plan, clip_seed
from gaitcrafter_ext.synthesis.redrawing import ClipSampler, draw
from gaitcrafter_ext.synthesis.sampler import pipeline_sampler
from gaitcrafter_ext.vocabulary import ClipKey, condition_of

__all__ = ["fill", "fresh_request", "main"]

_IDLE_S = 0.2

#: Slots that are filled at a time; clips that are drawn again find others to be computed with.
SLOTS = 4 * TILE


def fresh_request(plan: Plan, person: str, number: int) -> ClipRequest:
    """Clip ``number`` of an endless series: conditions and views take turns, the noise is new each time."""
    conditions = list(dict.fromkeys(condition_of(key.take) for key in plan.clips))
    cells = list(product(conditions, plan.views))
    condition, view = cells[(number + number // len(plan.recipes)) % len(cells)]
    key, recipe = ClipKey(person, f"{condition}-{number:08d}", view), plan.recipes[person]
    return ClipRequest(key, recipe, plan.views[view], clip_seed(plan.sampling.seed, key, recipe))


def fill(pool: Pool, plan: Plan, reuse: int, sample: ClipSampler, stopped: Callable[[], bool]) -> None:
    """Give a clip to every slot that wants one, until ``stopped``; clips of an earlier run stay until they are worn."""
    made = pool.status().made
    while not stopped():
        slots = pool.wanted(reuse)[:SLOTS]
        if not slots:
            time.sleep(_IDLE_S)
            continue
        requests = [fresh_request(plan, pool.owner(slot), made + place) for place, slot in enumerate(slots)]
        made += len(slots)
        slot_of = {request.key: slot for request, slot in zip(requests, slots, strict=True)}
        for drawn in draw(requests, sample, plan.sampling):
            pool.put(slot_of[drawn.request.key], drawn.frames)
        pool.tell(pool.count(reuse, made))


def _end_with_parent() -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stdin.read()
    os._exit(0)


def main(arguments: list[str]) -> int:
    """Fill the pool until the parent ends."""
    folder, weights, slots, reuse, device = arguments
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def work() -> None:
        plan = Plan.from_json((Path(folder) / "plan.json").read_text(encoding="utf-8"))
        with FileLock(Path(folder) / "lock", f"the pool {folder} (another run's; set online: {{name: ...}})"):
            pool = Pool(folder, plan.identities, int(slots))
            with contextlib.suppress(AttributeError, OSError):
                os.nice(5)  # the recogniser goes first
            sample = pipeline_sampler(Path(weights), plan.sampling, device)
            print("ready", flush=True)
            fill(pool, plan, int(reuse), sample, lambda: False)

    return reported(work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

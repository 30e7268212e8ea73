"""A process of its own for each contender: reads requests from stdin and answers on stdout, a JSON object a line.

Run as ``python -m gaitcrafter_ext.benchmarks.worker NAME THREADS [FOLDER]``; FOLDER is where the peers' packages lie.
What a peer imports, allocates or patches stays in its own process.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import json
import resource
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

from gaitcrafter_ext.benchmarks.results import CONVOLUTION, OPENGAIT, OURS, PEERS, RECOGNISERS
from gaitcrafter_ext.errors import GaitCrafterError

if TYPE_CHECKING:
    from gaitcrafter_ext.benchmarks.timing import Subject

__all__ = ["MAKERS", "make_subject", "serve"]

#: Contender -> module of this room and what makes it; only that module is imported.
MAKERS = {
    CONVOLUTION: ("convolutions", "Convolutions"),
    OURS: ("ours", "gait_unet"),
    PEERS[0]: ("peers", "unet3d"),
    PEERS[1]: ("peers", "diffusers_unet"),
    **{model: ("recognisers", model) for model in RECOGNISERS},
    **{theirs: ("opengait", model) for model, theirs in OPENGAIT.items()},
}


def make_subject(name: str, threads: int) -> Subject:
    """The contender of that name, ready to be measured."""
    module, maker = MAKERS[name]
    import torch

    torch.set_num_threads(threads)
    subject: Subject = getattr(importlib.import_module(f"gaitcrafter_ext.benchmarks.{module}"), maker)()
    return subject


def serve(make: Callable[[], Subject], requests: TextIO, answer: Callable[[dict[str, Any]], None]) -> None:
    """Introduce the subject, or say why there is none, then answer requests until they end."""
    try:
        subject = make()
    except GaitCrafterError as error:
        answer({"absent": str(error)})
        return
    answer({**dataclasses.asdict(subject.contender), "torch": importlib.metadata.version("torch")})
    for line in requests:
        request = json.loads(line)
        rate, gflop = subject.measure(request["task"], request["precision"], request["seconds"])
        answer({"rate": rate, "gflop": gflop, "peak_gb": peak_memory_gb()})


def peak_memory_gb() -> float:
    """Most memory that this process has held so far, 10^9 bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e9 if sys.platform == "darwin" else peak * 1024 / 1e9


def _main(name: str, threads: str, folder: str | None = None) -> None:
    if folder is not None:
        sys.path.append(folder)
    answers, sys.stdout = sys.stdout, sys.stderr  # what a package prints must not pass for an answer

    def answer(content: dict[str, Any]) -> None:
        print(json.dumps(content), file=answers, flush=True)

    serve(lambda: make_subject(name, int(threads)), sys.stdin, answer)


if __name__ == "__main__":
    _main(*sys.argv[1:])

"""Child process: make the clips of a plan. ``python -m gaitcrafter_ext.opengait.generate PLAN WEIGHTS OUT``.

Progress goes to stderr; a failure is one line of JSON on stdout, for the process that started this one.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from gaitcrafter_ext.errors import GaitCrafterError
from gaitcrafter_ext.synthesis.folder import OutputFolder
from gaitcrafter_ext.synthesis.plan import Plan
from gaitcrafter_ext.synthesis.redrawing import ClipSampler
from gaitcrafter_ext.synthesis.run import synthesize
from gaitcrafter_ext.synthesis.sampler import pipeline_sampler

__all__ = ["main", "reported"]


def reported(work: Callable[[], None]) -> int:
    """Run ``work``; what it refuses, or lacks, is reported on stdout as JSON. Returns the exit code."""
    try:
        work()
    except ImportError as error:
        advice = "name an interpreter that has it by 'python:' or GAITCRAFTER_PYTHON, or make the clips before"
        print(json.dumps({"error": f"the generator needs a package that {sys.executable} lacks ({error}); {advice}"}))
        return 1
    except (GaitCrafterError, OSError) as error:
        print(json.dumps({"error": " ".join(str(error).split())}))
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # whatever it was, the parent has one line to say
        traceback.print_exc()
        print(json.dumps({"error": f"{type(error).__name__}: {' '.join(str(error).split())[-200:]}"}))
        return 1
    return 0


def main(arguments: list[str]) -> int:
    """Make the plan's clips in the output folder."""
    plan_file, weights, out = (Path(argument) for argument in arguments)

    def work() -> None:
        from tqdm import tqdm

        plan = Plan.from_json(plan_file.read_text(encoding="utf-8"))

        def load() -> ClipSampler:
            return pipeline_sampler(weights, plan.sampling)

        with tqdm(desc="synthesizing", unit="clip", file=sys.stderr, leave=False, mininterval=0.5) as bar:

            def show(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            synthesize(plan, OutputFolder(out), load, progress=show)

    return reported(work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

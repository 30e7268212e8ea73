"""``gaitcrafter recognise train``: train a recogniser, then test it."""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaitcrafter_ext.cli._options import at_least, number
from gaitcrafter_ext.cli.recognition import test
from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.recognition.config import MODELS, TrainingConfig, preset
from gaitcrafter_ext.recognition.mixing_schedule import read_schedule

if TYPE_CHECKING:
    import torch

    from gaitcrafter_ext.recognition.data import TrainingSet
    from gaitcrafter_ext.recognition.training import Step
    from gaitcrafter_ext.silhouettes.dataset import DatasetConfig
    from gaitcrafter_ext.silhouettes.partition import Partition
    from gaitcrafter_ext.silhouettes.store import SilhouetteStore

HELP = "train a recogniser on the people of TRAIN_SET, then print its table on those of TEST_SET"
SHAPE = "PxKxL"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    test.add_data_arguments(parser)
    parser.add_argument("--synthetic", metavar="DIR", action="append", default=[],
                        help="synthetic clips to train on too; may be given several times")  # fmt: skip
    parser.add_argument("--synthetic-share", metavar="S",
                        help="share of synthetic clips, by novel people or else by clips of each person: 0.5, or points"
                        " ITERATION:SHARE, e.g. 0:1,150:0 (default: all people and clips alike)")  # fmt: skip
    parser.add_argument("--model", default="gaitset", help=f"{' or '.join(MODELS)} (default gaitset)")
    parser.add_argument("--preset", default="cpu", help="small, cpu: minutes on a laptop; full: OpenGait's schedule")
    parser.add_argument("--iterations", type=at_least(1), metavar="N", help="instead of the preset's")
    parser.add_argument("--batch", metavar=SHAPE, help="people x clips x frames, instead of the preset's")
    parser.add_argument("--learning-rate", type=number(0, 1000), metavar="LR", help="instead of the preset's")
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto",
                        help="arithmetic of training (default auto: bfloat16 where it is fast)")  # fmt: skip
    parser.add_argument("--seed", type=at_least(0), default=0, help="initial weights and batches (default 0)")
    parser.add_argument(
        "--save-every", type=at_least(1), default=100, metavar="N", help="iterations between saves (default 100)"
    )
    parser.add_argument("--no-test", action="store_true", help="stop after training")
    parser.add_argument("--force", action="store_true", help="delete an earlier run in --out first")


def run(args: argparse.Namespace) -> int:
    """Train (or resume), test, print the table."""
    config = _config(args)

    from gaitcrafter_ext.hardware import pick_device
    from gaitcrafter_ext.recognition.checkpoint import load_recogniser
    from gaitcrafter_ext.recognition.data import training_set
    from gaitcrafter_ext.recognition.training import sampler_of

    data = test.open_data(args)
    out, device = Path(args.out), pick_device(args.device)
    synthetic = [_synthetic(folder, data.partition, data.store.dataset) for folder in args.synthetic]
    people = training_set(data.store, data.partition, synthetic, data.views)
    sampler_of(config, people)  # refuses what cannot be drawn, and what cannot be tested, before anything is deleted
    clips = None if args.no_test or not data.partition.test else test.test_set(data)
    if args.force:
        _delete_run(out, args.table)
    print(
        f"training {config.model} on {len(people.people)} people, {len(people.clips)} clips, {device}", file=sys.stderr
    )
    _train(config, people, out, device, args.save_every)
    network, card = load_recogniser(out)
    if clips is not None:
        test.report(args, network, card, data, clips)
    elif args.json:
        print(json.dumps(test.about(args, card) | {"columns": None}, indent=2))
    return 0


def _config(args: argparse.Namespace) -> TrainingConfig:
    """The preset with what the options change."""
    asked: dict[str, Any] = {"seed": args.seed, "precision": args.precision}
    if args.synthetic_share is not None:
        asked["synthetic_share"] = read_schedule(args.synthetic_share)
    for name in ("iterations", "learning_rate"):
        if getattr(args, name) is not None:
            asked[name] = getattr(args, name)
    if args.batch:
        asked.update(zip(("people", "clips", "frames"), _shape(args.batch), strict=True))
    return preset(args.model, args.preset).replaced(**asked)


def _shape(text: str) -> tuple[int, ...]:
    sizes = re.fullmatch("([0-9]{1,4})x([0-9]{1,4})x([0-9]{1,4})", text)
    if sizes is None:
        raise UsageError(f"--batch: cannot read '{text}'; write {SHAPE}, e.g. 8x4x8, each at most 9999")
    return tuple(int(size) for size in sizes.groups())


def _synthetic(folder: str, partition: Partition, dataset: DatasetConfig) -> SilhouetteStore:
    """The clips that ``synthesize`` wrote: they lie in the folder's ``pkl``; their generator saw no test person."""
    from gaitcrafter_ext.generator.weights import names_in
    from gaitcrafter_ext.silhouettes import manifest
    from gaitcrafter_ext.silhouettes.store import SilhouetteStore
    from gaitcrafter_ext.synthesis.folder import OutputFolder

    inner = Path(folder) / "pkl"
    store = SilhouetteStore(inner if inner.is_dir() else folder, dataset)
    root = store.root.resolve()
    made = OutputFolder(root.parent if root.name == "pkl" else root)
    plan = made.plan()
    seen = {name for record in made.records() for name in record.mix}
    seen |= names_in(plan.seen, plan.dataset) if plan else set()
    manifest.refuse_tested(f"--synthetic: {folder}", seen, partition.test)
    return store


def _delete_run(out: Path, table: str) -> None:
    """Delete what an earlier run wrote, and nothing else."""
    from gaitcrafter_ext.recognition.checkpoint import CARD_FILE, MODEL_FILE
    from gaitcrafter_ext.recognition.training import STATE_FILE

    for name in (STATE_FILE, MODEL_FILE, CARD_FILE, table):
        (out / name).unlink(missing_ok=True)
    for events in (out / "tensorboard").glob("events.out.tfevents.*"):
        events.unlink()


def _train(config: TrainingConfig, people: TrainingSet, out: Path, device: torch.device, save_every: int) -> None:
    from gaitcrafter_ext.generator.training import keep_freed_memory
    from gaitcrafter_ext.recognition.training import train

    keep_freed_memory()
    with _Scalars(out / "tensorboard") as scalars:
        bar = _Bar(config.iterations)

        def on_step(step: Step) -> None:
            bar.show(step)
            scalars.write(step)

        train(config, people, out, device, save_every, on_step, bar)


class _Bar:
    """The progress bar; a resumed run starts where it was cut."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.bar: Any = None

    def __call__(self, numbers: range) -> Iterable[int]:
        from tqdm import tqdm

        self.bar = tqdm(numbers, desc="training", unit="it", total=self.total, initial=numbers.start)
        return self.bar

    def show(self, step: Step) -> None:
        """Show the losses."""
        entropy = "" if step.cross_entropy is None else f", cross-entropy {step.cross_entropy:.2f}"
        self.bar.set_postfix_str(f"triplet {step.triplet:.3f}{entropy}", refresh=False)


class _Scalars:
    """Writes losses for TensorBoard, every tenth iteration; nothing is made before the first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer: Any = None

    def __enter__(self) -> _Scalars:
        return self

    def __exit__(self, *_: object) -> None:
        if self.writer is not None:
            self.writer.close()

    def write(self, step: Step) -> None:
        """Write one iteration's figures."""
        if step.iteration % 10:
            return
        if self.writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self.writer = SummaryWriter(str(self.folder))
        for name, value in dataclasses.asdict(step).items():
            if name != "iteration" and value is not None:
                self.writer.add_scalar(f"train/{name}", value, step.iteration)

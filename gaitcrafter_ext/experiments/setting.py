"""How large an experiment is: sizes that a laptop finishes, and one for CASIA-B on a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import VIEWS

__all__ = ["SIZES", "Setting", "known_views", "late_share"]


@dataclass(frozen=True)
class Setting:
    """Everything about an experiment besides its question.

    Attributes:
        data: Folder of identities of a real dataset; ``None`` = a cohort is simulated.
        partition: Whom of them to train on and to test.
        weights: Generator of exactly the training people, ``"bundled"`` or a folder; ``None`` = one is trained.
        config: YAML for the generators that are trained.
        subjects: People to simulate.
        train: How many of them are trained on; the weights that come with the package know the first 50.
        views: Views, by name; ``("all",)`` = those of the dataset.
        takes: Synthetic takes of each condition and person.
        generator_clips: Budget of each generator that is trained, in clips seen.
        model: Recogniser.
        preset: Its schedule, see ``recognise train --preset``.
        iterations: Instead of the schedule's; ``None`` = the schedule's.
        synthetic_share: Share of synthetic clips in the batches of arms that have both kinds, as ``recognise train
            --synthetic-share`` takes it; ``None`` draws from all people and clips alike.
        labels: Shares of the training people in ``few-labels``, percent.
        seeds: Trainings of each arm; they vary the recogniser, not the generator.
    """

    data: Path | None = None
    partition: Partition | None = None
    weights: str | Path | None = "bundled"
    config: Path | None = None
    subjects: int = 75
    train: int = 50
    views: tuple[str, ...] = ("036", "090", "144")
    takes: int = 1
    generator_clips: int = 5000
    model: str = "gaitset"
    preset: str = "small"
    iterations: int | None = 600
    synthetic_share: str | None = None
    labels: tuple[int, ...] = (10, 25, 50, 100)
    seeds: int = 3

    @property
    def people(self) -> Partition:
        """Who is trained on and who is tested."""
        if self.partition is not None:
            return self.partition
        names = tuple(f"sim-{number:03d}" for number in range(1, self.subjects + 1))
        return Partition(names[: self.train], names[self.train :])


#: ``cpu``: hours on a laptop. ``gpu``: OpenGait's own schedules, for a real dataset.
SIZES = {
    "cpu": Setting(),
    "gpu": Setting(
        weights=None,
        views=("all",),
        takes=2,
        generator_clips=2_000_000,
        model="gaitbase",
        preset="full",
        iterations=None,
    ),
}


def known_views(data: Path | None) -> tuple[str, ...]:
    """Views of a dataset, by name; where there is none, those that can be simulated.

    Raises:
        MissingError: There is no such folder, or no clip in it.
    """
    if data is None:
        return VIEWS
    return tuple(sorted({key.view for key in SilhouetteStore(data).require_keys()}))


def late_share(iterations: int) -> str:
    """Batches that begin synthetic and end real: the last quarter of a training sees real clips alone.

    Chosen with 25 test people of another cohort (seed 7), one training each of 600 iterations: real people alone gave
    98.3 / 89.7 / 73.3 % (NM / BG / CL), with novel people in this way 98.3 / 88.7 / 76.0 %.
    """
    return f"0:1,{max(1, iterations * 3 // 4)}:0"

"""Our keys in an OpenGait config (``data_cfg.synthetic``, the sampler's arguments), and what changes one from outside.

OpenGait drops a key that it does not know without a word; ours are refused, with the nearest name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.generator.sampling import LONGEST, SHORTEST, Factor, check_sampler
from gaitcrafter_ext.recognition.mixing_schedule import MixingSchedule, check_schedule
from gaitcrafter_ext.records import fill, record
from gaitcrafter_ext.synthesis.identities import Strategy
from gaitcrafter_ext.synthesis.plan import Sampling

#: Name of our sampler in ``trainer_cfg.sampler.type``.
OUR_SAMPLER = "RealSyntheticTripletSampler"

#: How the keys of ``trainer_cfg.sampler`` begin that OpenGait reads itself.
HOST_KEYS = ("type", "sample_type", "frames_", "points_in_use")


def _joined(value: Any, info: ValidationInfo) -> str:
    """``all``, ``none`` or names, as one text; YAML reads 000 as a number."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"'{info.field_name}' is {value!r}; expected all, or names in quotes such as ['000', '018']")
    return ",".join(names)


def _cadence(value: Any) -> str:
    """Frames of a gait cycle, or a factor such as ``x1.1``, as text."""
    try:
        return Sampling("euler", 1, 1.0, seed=0, cadence=str(value)).cadence
    except UsageError as error:
        raise ValueError(str(error).removeprefix("--")) from None


def _share(value: Any) -> MixingSchedule:
    points = [[0, value]] if isinstance(value, (int, float)) and not isinstance(value, bool) else value
    try:
        schedule = tuple((float(iteration), float(share)) for iteration, share in points)
    except (TypeError, ValueError):
        schedule = ()
    check_schedule(schedule, value)
    return schedule


Names = Annotated[str, BeforeValidator(_joined)]
Natural = Annotated[int, Field(ge=0, strict=True)]
Positive = Annotated[int, Field(ge=1, strict=True)]
Share = Annotated[MixingSchedule, BeforeValidator(_share)]


@record
class FolderEntry:
    """Clips that are there."""

    root: str  # the folder of identities
    partition: str | None = None  # its TRAIN_SET says who joins; all identities where not given
    file: str | None = None  # of view folders with several, e.g. {view}-aligned-sils.pkl; else named as the real clips


@record
class GeneratedEntry:
    """Clips made on demand; the options of ``synthesize`` by the same names."""

    weights: str
    identities: Names = "none"
    like: str | None = None  # a tree of people the generator was never trained on, who join as themselves
    novel: Annotated[int, Field(ge=0, le=100_000, strict=True)] = 0
    filter: str | None = None  # identities.json of `gaitcrafter filter`: who is novel
    blend: Strategy = "even"
    blend_parents: Annotated[int, Field(ge=2, strict=True)] | None = None  # None: as synthesize
    concentration: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] = 5.0
    identity_seed: Natural = 0
    conditions: Names = "all"
    views: Names = "all"
    takes: Annotated[int, Field(ge=1, le=1000, strict=True)] = 1
    frames: Annotated[int, Field(ge=SHORTEST, le=LONGEST, strict=True)] | None = None  # None: what the sampler needs
    cadence: Annotated[str, BeforeValidator(_cadence)] = ""  # each person's own
    size: Literal[64, 128] = 64
    seed: Natural = 0
    steps: Positive | None = None
    sampler: Annotated[str, AfterValidator(check_sampler)] | None = None
    guidance: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] | None = None
    identity_scale: Factor | None = None
    precision: Literal["fp32", "bf16"] = "fp32"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"  # auto: every visible GPU
    python: str | None = None  # interpreter of an environment that has the generator's packages


Entry = FolderEntry | GeneratedEntry


@record
class Mixing:
    """The arguments of our sampler, see ``sampler.RealSyntheticTripletSampler``."""

    batch_size: tuple[Positive, Positive]
    batch_shuffle: bool = False
    synthetic_people: Share | None = None
    synthetic_takes: Share | None = None
    seed: Natural = 0
    start_iter: Natural = 0


def entries_of(value: Any) -> list[dict[str, Any]]:
    """The value of ``data_cfg.synthetic``, as yet unread: a list of entries, or a single one; None is none."""
    entries = [value] if isinstance(value, dict) else [] if value is None else value
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UsageError(
            f"data_cfg.synthetic: found {value!r}; expected a list of entries with 'root' or 'weights' each"
        )
    return entries


def read_entries(value: Any) -> tuple[Entry, ...]:
    """Read the value of ``data_cfg.synthetic``.

    Raises:
        UsageError: A key or value is not allowed, or two entries are the same.
    """
    found: list[Entry] = []
    for number, entry in enumerate(entries_of(value)):
        found.append(_entry(entry, where := f"data_cfg.synthetic[{number}]"))
        if found[-1] in found[:-1]:
            raise UsageError(f"{where}: the same as an earlier entry, which would double its clips")
    return tuple(found)


def _entry(entry: dict[str, Any], where: str) -> Entry:
    if ("root" in entry) == ("weights" in entry):
        raise UsageError(f"{where}: an entry names either 'root' (clips that are there) or 'weights' (made on demand)")
    if "root" in entry:
        return fill(FolderEntry, entry, where, UsageError)
    made = fill(GeneratedEntry, entry, where, UsageError)
    if not made.novel and made.identities == "none" and made.like is None and made.filter is None:
        raise UsageError(f"{where}: no people asked for; set 'novel: 50' or 'identities: all'")
    return made


def read_sampler(section: Mapping[str, Any]) -> Mixing | None:
    """The arguments of our sampler in ``trainer_cfg.sampler``, or the batch size of OpenGait's ``TripletSampler``."""
    if section.get("type") == OUR_SAMPLER:
        ours = {key: value for key, value in section.items() if not key.startswith(HOST_KEYS)}
    elif section.get("type") == "TripletSampler":
        ours = {"batch_size": section.get("batch_size")}
    else:
        return None
    return fill(Mixing, ours, "trainer_cfg.sampler", UsageError)


def apply_arm(cfgs: dict[str, Any], arm: Mapping[str, Any]) -> None:
    """Lay an arm over a config in place, as OpenGait lays a config over its defaults: sections merge, lists replace."""
    for key, value in arm.items():
        if isinstance(value, Mapping) and isinstance(cfgs.get(key), dict):
            apply_arm(cfgs[key], value)
        else:
            cfgs[key] = value


def parse_override(text: str) -> dict[str, Any]:
    """The arm that ``trainer_cfg.total_iter=100`` means; the value is read as YAML.

    Raises:
        UsageError: It is not ``a.b=value``.
    """
    path, equals, value = text.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise UsageError(f"--set: '{text}' is not a.b=value; write e.g. --set trainer_cfg.total_iter=100")
    try:
        arm: Any = yaml.safe_load(value)
    except yaml.YAMLError:
        raise UsageError(f"--set: '{value}' of '{text}' is not YAML; quote it") from None
    for key in reversed(keys):
        arm = {key: arm}
    return arm

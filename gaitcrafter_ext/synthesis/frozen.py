"""Identities that a filter chose, frozen: who stays, by which thresholds, and why the others fell."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gaitcrafter_ext.errors import DataError, MissingError
from gaitcrafter_ext.identities.codes import BlendSettings
from gaitcrafter_ext.identities.selection import Criteria, Verdict, tally
from gaitcrafter_ext.silhouettes.files import storage_error
from gaitcrafter_ext.synthesis.plan import Sampling

__all__ = ["FilterRequest", "FilterSettings", "FrozenIdentities", "Probes", "read_frozen"]

#: Version of the file's text.
FORMAT = 1


@dataclass(frozen=True)
class Probes:
    """Which clips of each person are judged.

    Attributes:
        takes: Take names.
        views: View -> degrees, as the weights understand them.
    """

    takes: tuple[str, ...]
    views: Mapping[str, float | None]


@dataclass(frozen=True)
class FilterSettings:
    """What a filter shall deliver.

    Attributes:
        wanted: How many people.
        most: How many candidates to judge at most.
        false_match_rate: Share of pairs of real people that the thresholds take for one, and so of good candidates
            that fall for each person they are compared to.
        consistency: Least share of a candidate's clips that must lie near its centre.
    """

    wanted: int
    most: int
    false_match_rate: float = 0.01
    consistency: float = 0.75


@dataclass(frozen=True)
class FilterRequest:
    """All that decides who stays.

    Attributes:
        weights: Fingerprint of the generator's weights.
        recogniser: Fingerprint of the recogniser's.
        settings: What to deliver.
        blend: How candidates are made.
        sampling: How their clips are sampled.
        probes: Which clips they are judged by.
    """

    weights: str
    recogniser: str
    settings: FilterSettings
    blend: BlendSettings
    sampling: Sampling
    probes: Probes

    def differences(self, other: FilterRequest) -> list[str]:
        """What differs from another request, by name."""
        mine, theirs = asdict(self), asdict(other)
        return [name for name in mine if mine[name] != theirs[name]]


@dataclass(frozen=True)
class FrozenIdentities:
    """Who stays.

    Attributes:
        request: What decided it.
        criteria: The thresholds that the recogniser's calibration gave.
        control: How the training people fare, as the weights make them: how many there are, how many of them are
            consistent, and how many would be kept as unique.
        notes: What a reader should know, a line each.
        verdicts: Of every candidate that was judged, in order.
        recipes: Those that stayed: name -> recipe.
    """

    request: FilterRequest
    criteria: Criteria
    control: Mapping[str, int]
    notes: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    recipes: Mapping[str, Mapping[str, float]]

    @property
    def counts(self) -> dict[str, int]:
        """How many candidates had each outcome."""
        return tally(self.verdicts)

    @property
    def short(self) -> int:
        """How many people are missing from what was wanted."""
        return self.request.settings.wanted - len(self.recipes)

    @property
    def fingerprint(self) -> str:
        """Short name of exactly this selection: 16 hex digits of the SHA-256 of its text."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """The text of the file; equal selections have equal texts."""
        facts = {"format": FORMAT, "judged": len(self.verdicts), "counts": self.counts, **asdict(self)}
        facts["request"]["sampling"] = self.request.sampling.facts()
        verdicts = [json.dumps(list(asdict(verdict).values()), ensure_ascii=False) for verdict in self.verdicts]
        facts["verdicts"] = []
        text = json.dumps(facts, indent=1, ensure_ascii=False)
        # One line a verdict: name, outcome, consistency, nearest, distance.
        return text.replace('"verdicts": []', '"verdicts": [\n  ' + ",\n  ".join(verdicts) + "\n ]") + "\n"

    @classmethod
    def from_json(cls, text: str) -> FrozenIdentities:
        """Read a file's text.

        Raises:
            DataError: It is no selection, or one of another version.
        """
        try:
            facts = json.loads(text)
            if facts["format"] != FORMAT:
                raise DataError(f"a selection of another version; this one reads {FORMAT}")
            return cls(
                request=_request(facts["request"]),
                criteria=Criteria(**facts["criteria"]),
                control=facts["control"],
                notes=tuple(facts["notes"]),
                verdicts=tuple(Verdict(*row) for row in facts["verdicts"]),
                recipes=facts["recipes"],
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(f"not frozen identities ({error})") from None


def read_frozen(path: Path) -> FrozenIdentities:
    """Read frozen identities.

    Raises:
        MissingError: There is no such file.
        DataError: It holds something else.
        StorageError: It cannot be read.
    """
    try:
        return FrozenIdentities.from_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingError(f"there is no file {path}; 'filter --out' writes one") from None
    except (DataError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {error}") from None
    except OSError as error:
        raise storage_error(path, error, "read") from error


def _request(facts: Mapping[str, Any]) -> FilterRequest:
    return FilterRequest(
        weights=facts["weights"],
        recogniser=facts["recogniser"],
        settings=FilterSettings(**facts["settings"]),
        blend=BlendSettings(**facts["blend"]),
        sampling=Sampling.from_facts(facts["sampling"]),
        probes=Probes(tuple(facts["probes"]["takes"]), facts["probes"]["views"]),
    )

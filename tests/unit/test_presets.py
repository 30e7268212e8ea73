"""Generator presets of known datasets: one schema, and patterns that read the datasets' own folder names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "opengait_configs" / "gaitcrafter"
PRESETS = {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}

# Type folders as OpenGait's own tutorials and evaluators write them, with the condition each stands for.
TAKES = {
    "simulated": {"nm-01": "nm", "cl-02": "cl"},
    "casia-b": {"nm-06": "nm", "bg-01": "bg", "cl-02": "cl"},
    "casia-b-star": {"nm-06": "nm", "bg-01": "bg"},
    "oumvlp": {"00": "nm", "01": "nm"},
    "gait3d": {"camid33_videoid2": "nm"},
    "grew": {"00": "nm"},
    "ccpg": {"U0_D0": "U0_D0", "U0_D0_BG": "U0_D0_BG", "U3_D3": "U3_D3"},
    "sustech1k": {"00-nm": "nm", "01-nm": "nm", "02-bg": "bg", "03-cl-nt": "cl"},
}


def load(name: str) -> dict:
    return yaml.safe_load(PRESETS[name].read_text())


def test_every_promised_dataset_has_a_preset() -> None:
    assert set(PRESETS) == set(TAKES)


@pytest.mark.parametrize("name", TAKES)
def test_a_preset_says_what_the_schema_asks(name: str) -> None:
    preset = load(name)
    assert set(preset) == {"dataset", "model", "training"}
    assert set(preset["dataset"]) == {"name", "takes_pattern", "conditions", "views"}


@pytest.mark.parametrize("name", TAKES)
def test_the_pattern_reads_the_condition_of_a_type_folder(name: str) -> None:
    dataset = load(name)["dataset"]
    for take, condition in TAKES[name].items():
        match = re.fullmatch(dataset["takes_pattern"], take)
        assert match is not None, take
        found = match.groupdict().get("condition", dataset["conditions"][0])
        assert found == condition
        assert found in dataset["conditions"]


@pytest.mark.parametrize("name", TAKES)
def test_views_are_angles_named_by_their_degrees(name: str) -> None:
    views = load(name)["dataset"]["views"]
    if views != "unknown":
        assert all(name == f"{degrees:03d}" and 0 <= degrees < 360 for name, degrees in views.items())

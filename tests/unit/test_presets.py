"""Generator presets of known datasets: they load, and read the datasets' own folder names."""

from __future__ import annotations

from pathlib import Path

import pytest

from gaitcrafter_ext.generator.config import load_config

FOLDER = Path(__file__).parents[2] / "opengait_configs" / "gaitcrafter"
PRESETS = sorted(path.stem for path in FOLDER.glob("*.yaml"))

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

# A view folder of each, with its angle in degrees.
VIEWS = {
    "simulated": ("090", 90.0),
    "casia-b": ("018", 18.0),
    "casia-b-star": ("018", 18.0),
    "oumvlp": ("270", 270.0),
    "gait3d": ("seq0", None),
    "grew": ("4XPn5Z28", None),
    "ccpg": ("01_1", None),
    "sustech1k": ("045", 45.0),
}


#: Presets of a dataset that has another one already.
VARIANTS = {"simulated-small": "simulated", "simulated-continued": "simulated"}


def test_every_promised_dataset_has_a_preset() -> None:
    assert set(TAKES) == set(PRESETS) - set(VARIANTS) == set(VIEWS)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_reads_the_same_dataset_and_trains_otherwise(name: str) -> None:
    variant, base = (load_config(FOLDER / f"{each}.yaml") for each in (name, VARIANTS[name]))
    assert variant.dataset == base.dataset
    assert (variant.model, variant.training) != (base.model, base.training)


@pytest.mark.parametrize("name", TAKES)
def test_the_pattern_reads_the_condition_of_a_type_folder(name: str) -> None:
    dataset = load_config(FOLDER / f"{name}.yaml").dataset
    assert {take: dataset.condition_of(take) for take in TAKES[name]} == TAKES[name]


@pytest.mark.parametrize("name", VIEWS)
def test_the_angle_of_a_view_folder_is_known_or_said_to_be_unknown(name: str) -> None:
    view, degrees = VIEWS[name]
    assert load_config(FOLDER / f"{name}.yaml").dataset.view_deg(view) == degrees

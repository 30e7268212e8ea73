"""The class counts of ``opengait_entry.yaml`` stand where OpenGait's own CASIA-B configs have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from gaitcrafter_ext.synthesis.output import opengait_entry
from tests.opengait_fakes import CHECKOUT
from tests.synthesis_fakes import small_plan

CONFIGS = {
    "Baseline": "gaitbase/gaitbase_da_casiab.yaml",
    "DeepGaitV2": "deepgaitv2/DeepGaitV2_casiab.yaml",
    "GaitGL": "gaitgl/gaitgl.yaml",
    "GaitSet": "gaitset/gaitset.yaml",
    "GaitPart": "gaitpart/gaitpart.yaml",
}

pytestmark = pytest.mark.opengait


def places(config: Any, name: str, at: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Paths of every key called ``name``."""
    if not isinstance(config, dict):
        return set()
    here = {(*at, key) for key in config if key == name}
    return here.union(*(places(value, name, (*at, key)) for key, value in config.items()))


def test_class_counts_stand_where_opengait_has_them_and_data_keys_are_opengaits() -> None:
    entry = yaml.safe_load(opengait_entry(small_plan(), Path("out")))
    assert set(entry["class_count"]) == set(CONFIGS)
    for model, path in CONFIGS.items():
        config = yaml.safe_load((CHECKOUT / "configs" / path).read_text())
        assert config["model_cfg"]["model"] == model
        assert places(entry["class_count"][model], "class_num") == places(config, "class_num")
    default = yaml.safe_load((CHECKOUT / "configs" / "default.yaml").read_text())
    assert set(entry["alone"]) <= set(default["data_cfg"])

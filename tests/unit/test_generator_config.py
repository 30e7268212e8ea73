from pathlib import Path

import pytest

from gaitcrafter_ext.errors import DataError, GaitCrafterError, MissingError, UsageError
from gaitcrafter_ext.generator.config import GeneratorConfig, load_config


def _write(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def test_a_file_changes_only_what_it_names(tmp_path: Path) -> None:
    config = load_config(_write(tmp_path, "training: {learning_rate: 1, warmup_steps: 0, validate_every: 1}\n"))
    assert (config.training.learning_rate, config.training.warmup_steps) == (1.0, 0)
    assert config.model == GeneratorConfig().model
    assert load_config(None) == GeneratorConfig()


def test_wrong_keys_and_types_are_named(tmp_path: Path) -> None:
    for text, message in {
        "training: {batchsize: 4}": "unknown key 'training.batchsize'; did you mean 'batch_size'",
        "traning: {}": "unknown key 'traning'; did you mean 'training'",
        "training: {batch_size: many}": "'training.batch_size' is 'many'",
        "training: 3": "'training' is a int; expected max_clips",
    }.items():
        with pytest.raises(UsageError, match=message) as caught:
            load_config(_write(tmp_path, text))
        assert "\n" not in str(caught.value)


def test_values_outside_their_range_are_refused(tmp_path: Path) -> None:
    wrong = {
        "max_clips": (0,),
        "batch_size": (0, -4),
        "learning_rate": (0, -1, ".inf", ".nan"),
        "warmup_steps": (-1,),
        "cooldown": (1.5, -0.1),
        "weight_decay": (-1,),
        "gradient_clip": (0,),
        "ema_decay": (1.0, 2),
        "drop_all": (7.0, 1.0),
        "drop_identity": (-0.1,),
        "drop_phase": (1.0,),
        "code_noise": (-1,),
        "feet": (0,),
        "condition_balance": (2,),
        "noise_shift": (0,),
        "held_out_takes": (-1,),
        "precision": ("fp4",),
        "validate_every": (0,),
        "save_minutes": (0,),
        "seed": (-1,),
    }
    for key, values in wrong.items():
        for value in values:
            with pytest.raises(UsageError, match=rf"'training\.{key}' is "):
                load_config(_write(tmp_path, f"training: {{{key}: {value}}}"))
    for text, message in {
        "channels: [8, 16], blocks: [1, 1]": "model.channels ends with 16; the last one must be a multiple of 64",
        "channels: [8, 64]": r"model.blocks names 3 resolutions, model.channels 2",
        "channels: [64]": "'model.channels' is",
        "blocks: [0, 1, 1]": "'model.blocks.0' is 0",
        "embedding: 30": "'model.embedding' is 30",
        "code_dim: 0": "'model.code_dim' is 0",
    }.items():
        with pytest.raises(UsageError, match=message):
            load_config(_write(tmp_path, f"model: {{{text}}}"))


def test_a_file_that_is_missing_or_not_yaml_is_refused(tmp_path: Path) -> None:
    cases: dict[Path, tuple[type[GaitCrafterError], str]] = {
        _write(tmp_path, "training: [1,\n"): (DataError, "is not YAML"),
        tmp_path / "nowhere.yaml": (MissingError, r"nowhere\.yaml is not there"),
    }
    for path, (error, message) in cases.items():
        with pytest.raises(error, match=message):
            load_config(path)

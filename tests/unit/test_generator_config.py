"""The YAML of ``train --config``: what it leaves out keeps its default, what is wrong is named."""

from pathlib import Path

import pytest

from gaitcrafter_ext.errors import DataError, MissingError, UsageError
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


def test_wrong_keys_types_and_values_outside_their_range_are_named(tmp_path: Path) -> None:
    for text, message in {
        "training: {batchsize: 4}": "unknown key 'training.batchsize'; did you mean 'batch_size'",
        "traning: {}": "unknown key 'traning'; did you mean 'training'",
        "training: {batch_size: many}": "'training.batch_size' is 'many'",
        "training: 3": "'training' is a int; expected max_clips",
        "model: {channels: [8, 16], blocks: [1, 1]}": "model.channels ends with 16; .* must be a multiple of 64",
        "model: {channels: [8, 64]}": r"model.blocks names 3 resolutions, model.channels 2",
        "model: {channels: [64]}": "'model.channels' is",
        "model: {blocks: [0, 1, 1]}": "'model.blocks.0' is 0",
        "model: {embedding: 30}": "'model.embedding' is 30",
        "model: {code_dim: 0}": "'model.code_dim' is 0",
    }.items():
        with pytest.raises(UsageError, match=message) as caught:
            load_config(_write(tmp_path, text))
        assert "\n" not in str(caught.value)
    wrong = {
        (0, -4): ("max_clips", "batch_size", "validate_every", "save_minutes"),
        (0, -1, ".inf", ".nan"): ("learning_rate", "gradient_clip"),
        (-1, 7.0): ("cooldown", "weight_decay", "ema_decay", "drop_all", "drop_identity", "drop_phase", "code_noise"),
        (-1, 0): ("feet", "noise_shift"),
        (-1,): ("warmup_steps", "held_out_takes", "seed", "condition_balance"),
        ("fp4",): ("precision",),
    }
    for values, keys in wrong.items():
        for key in keys:
            for value in values:
                with pytest.raises(UsageError, match=rf"'training\.{key}' is "):
                    load_config(_write(tmp_path, f"training: {{{key}: {value}}}"))


def test_a_file_that_is_missing_or_not_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not YAML"):
        load_config(_write(tmp_path, "training: [1,\n"))
    with pytest.raises(MissingError, match=r"nowhere\.yaml is not there"):
        load_config(tmp_path / "nowhere.yaml")

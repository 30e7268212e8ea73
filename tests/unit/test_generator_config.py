from pathlib import Path

import pytest

from gaitcrafter_ext.errors import DataError, MissingError, UsageError
from gaitcrafter_ext.generator.config import DatasetConfig, GeneratorConfig, load_config


def _write(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def test_no_file_means_the_defaults() -> None:
    assert load_config(None) == GeneratorConfig()


def test_a_file_changes_only_what_it_names(tmp_path: Path) -> None:
    config = load_config(_write(tmp_path, "model: {channels: [8, 16]}\ntraining: {learning_rate: 1}\n"))
    assert config.model.channels == (8, 16)
    assert config.training.learning_rate == 1.0
    assert config.training.batch_size == GeneratorConfig().training.batch_size


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training: {batchsize: 4}", "unknown key 'training.batchsize'; did you mean 'batch_size'"),
        ("traning: {}", "unknown key 'traning'; did you mean 'training'"),
        ("training: {batch_size: many}", "'training.batch_size' is 'many'; expected int"),
        ("training: {batch_size: true}", "expected int"),
        ("training: 3", "must be a mapping"),
    ],
)
def test_wrong_keys_and_values_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_config(_write(tmp_path, text))


def test_a_file_that_is_not_yaml_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not YAML") as caught:
        load_config(_write(tmp_path, "training: [1,\n"))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"nowhere\.yaml is not there"):
        load_config(tmp_path / "nowhere.yaml")


def test_casia_b_names_need_no_settings() -> None:
    dataset = DatasetConfig()
    assert (dataset.condition_of("bg-02"), dataset.view_deg("054")) == ("bg", 54.0)


def test_a_take_that_does_not_match_is_refused() -> None:
    with pytest.raises(DataError, match=r"take 'x' does not match dataset\.takes_pattern"):
        DatasetConfig(takes_pattern=r"\d+").condition_of("x")


def test_views_without_an_angle_share_one_name() -> None:
    dataset = DatasetConfig(views={"*": None})
    assert (dataset.view_deg("camid3"), dataset.view_name("camid3")) == (None, "any")


def test_a_view_that_is_not_listed_is_refused() -> None:
    with pytest.raises(DataError, match=r"view 'front' is not in dataset\.views"):
        DatasetConfig(views={"side": 90.0}).view_deg("front")

import dataclasses
from pathlib import Path

import pytest
import torch

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.generator.card import TrainedOn, Vocabulary
from gaitcrafter_ext.generator.config import GeneratorConfig
from gaitcrafter_ext.generator.export import write_weights
from gaitcrafter_ext.generator.initial import CONDITIONS, PEOPLE, InitialWeights
from gaitcrafter_ext.generator.network import GaitUNet
from gaitcrafter_ext.generator.training import Trainer
from tests.tiny import tiny_config, tiny_library, tiny_tree

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")

OLD = Vocabulary(("a", "sim-002", "sim-001"), ("bg", "nm"), {"090": 90.0})
NEW = Vocabulary(("sim-001", "sim-002", "new"), ("nm", "cl"), {"000": 0.0})


def _network(words: Vocabulary, seed: int, width: int = 8) -> GaitUNet:
    torch.manual_seed(seed)
    sizes = {"channels": (width, 64), "blocks": (1, 1), "embedding": 16, "canvas_channels": 2}
    return GaitUNet(identities=len(words.identities), conditions=len(words.conditions), **sizes)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    write_weights(folder, _network(OLD, 1), OLD, TrainedOn("old", "0" * 16, ()), {"command": "once"}, 3.0)
    return folder


def test_everything_but_people_and_conditions_is_taken_over(weights: Path) -> None:
    network, old = _network(NEW, 2), _network(OLD, 1).half().state_dict()
    InitialWeights(weights, "new", NEW).give(network)
    for name, tensor in network.state_dict().items():
        assert name in (PEOPLE, CONDITIONS) or torch.equal(tensor, old[name].float()), name


def test_people_and_conditions_are_found_by_name_and_strangers_start_fresh(weights: Path) -> None:
    network, fresh, old = _network(NEW, 2), _network(NEW, 2).state_dict(), _network(OLD, 1).half().state_dict()
    InitialWeights(weights, "new", NEW).give(network)
    found = network.state_dict()
    people = torch.stack([old[PEOPLE][2].float(), old[PEOPLE][1].float(), fresh[PEOPLE][2]])
    conditions = torch.stack([old[CONDITIONS][1].float(), fresh[CONDITIONS][1], old[CONDITIONS][2].float()])
    assert torch.equal(found[PEOPLE], people)
    assert torch.equal(found[CONDITIONS], conditions)


def test_the_card_can_tell_where_the_weights_come_from(weights: Path) -> None:
    facts = InitialWeights(weights, "new", NEW).facts()
    assert (facts["dataset"], facts["training"]) == ("old", {"command": "once"})


def test_a_network_of_another_size_is_refused_with_the_size_to_set(weights: Path) -> None:
    with pytest.raises(UsageError, match=r"channels: \[8, 64\]"):
        InitialWeights(weights, "new", NEW).give(_network(NEW, 2, width=16))


def test_people_of_the_same_dataset_who_are_not_trained_on_are_refused(weights: Path) -> None:
    with pytest.raises(UsageError, match="has seen 1 people of 'old' outside TRAIN_SET"):
        InitialWeights(weights, "old", NEW)


def test_training_from_weights_begins_with_them_and_a_state_goes_before_them(tmp_path: Path) -> None:
    tree, config = tiny_tree(tmp_path), tiny_config(max_clips=8)
    library, out = tiny_library(tree, config), tmp_path / "weights"
    write_weights(out, _trained(config, tmp_path), library.vocabulary, TrainedOn("x", "0" * 16, ()), {}, 3.0)
    initial = InitialWeights(out, "tiny", library.vocabulary)
    (tmp_path / "run").mkdir()
    begun = Trainer(config, library, None, tmp_path / "run", initial)
    assert torch.equal(begun.averaged().enter.weight.half(), _trained(config, tmp_path).enter.weight.half())
    list(begun.run())
    again = Trainer(config, library, None, tmp_path / "run", initial)
    assert again.progress.clips == 8
    assert Trainer(config, library, None, tmp_path / "run").progress.init == initial.facts()
    assert torch.equal(again.averaged().enter.weight, begun.averaged().enter.weight)


def _trained(config: GeneratorConfig, root: Path) -> GaitUNet:
    """A network with other weights than a training of ``config`` begins with."""
    other = dataclasses.replace(config, training=dataclasses.replace(config.training, seed=7))
    folder = root / "other"
    folder.mkdir(exist_ok=True)
    return Trainer(other, tiny_library(root, config), None, folder).averaged()

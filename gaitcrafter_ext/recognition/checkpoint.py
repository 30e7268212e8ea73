"""Recognisers on disk: ours as safetensors beside a JSON card, OpenGait's as the ``.pt`` files it writes.

No code in a checkpoint is ever run: ``.pt`` files are read with ``torch.load(weights_only=True)``.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import warnings
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as dump_tensors
from torch import Tensor, nn

from gaitcrafter_ext.errors import MissingError, WeightsError
from gaitcrafter_ext.recognition.config import GaitBaseConfig, GaitSetConfig, NetworkConfig
from gaitcrafter_ext.recognition.networks import build_network
from gaitcrafter_ext.records import fill, read_json, record
from gaitcrafter_ext.silhouettes.files import atomic_write, atomic_write_text, storage_error

CARD_FILE = "recogniser.json"
MODEL_FILE = "model.safetensors"
FORMAT = 2


@record
class Card:
    """What a recogniser is, the people it knows in the order of its classes, and the folders they came from."""

    network: NetworkConfig
    people: tuple[str, ...]
    trained_on: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    iterations: Annotated[int, Field(ge=0)] = 0
    training: dict[str, Any] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """``"gaitset"`` or ``"gaitbase"``."""
        return self.network.model


def save_recogniser(folder: str | os.PathLike[str], network: nn.Module, card: Card) -> None:
    """Write ``model.safetensors`` and, after it, ``recogniser.json``."""
    content = {"format": FORMAT, **dataclasses.asdict(card)}
    with atomic_write(Path(folder) / MODEL_FILE) as file:
        file.write(dump_tensors(_tensors(network)))
    atomic_write_text(Path(folder) / CARD_FILE, json.dumps(content, indent=2) + "\n")


def load_recogniser(folder: str | os.PathLike[str]) -> tuple[nn.Module, Card]:
    """Read what ``save_recogniser`` wrote.

    Raises:
        MissingError: There is no recogniser in the folder.
        WeightsError: A file is truncated, of another format, or the weights do not fit the sizes.
    """
    card = _read_card(Path(folder) / CARD_FILE)
    path = Path(folder) / MODEL_FILE
    try:
        tensors = load_tensors(path.read_bytes())
    except FileNotFoundError:
        raise MissingError(f"{folder} has a {CARD_FILE} but no {MODEL_FILE}; train it again") from None
    except (SafetensorError, ValueError) as error:
        raise WeightsError(f"{path}: not a whole safetensors file ({error}); copy it again or train again") from None
    except OSError as error:
        raise storage_error(path, error, "read") from error
    network = build_network(card.network, len(card.people))
    _fill(network, tensors, path)
    return network, card


def load_opengait(path: str | os.PathLike[str]) -> tuple[nn.Module, Card]:
    """Read a GaitSet or Baseline (GaitBase) checkpoint of OpenGait; sizes are read off the tensors' shapes.

    Strides and the pyramid's strips leave no trace in a checkpoint: they are taken to be OpenGait's own.

    Raises:
        MissingError: There is no such file.
        WeightsError: It is no checkpoint, holds code, or is of another model.
    """
    tensors = read_tensors(path).get("model")
    if not isinstance(tensors, dict):
        raise WeightsError(f"{os.fspath(path)}: no 'model' in it; expected a checkpoint that OpenGait wrote")
    config, classes = _sizes(tensors, path)
    network = build_network(config, classes)
    _fill(network, tensors, path)
    return network, Card(config, people=())


def save_opengait(path: str | os.PathLike[str], network: nn.Module, iteration: int = 0) -> None:
    """Write weights as a checkpoint that OpenGait's ``restore_hint`` accepts for testing or finetuning."""
    with atomic_write(path) as file:
        torch.save({"model": _tensors(network), "iteration": iteration}, file)


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}


def read_tensors(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A ``.pt`` file's content: tensors and plain values only.

    Raises:
        MissingError: There is no such file.
        WeightsError: It is truncated or holds anything else.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a pickle protocol that it does not know well; it is refused or read
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise MissingError(f"there is no checkpoint {os.fspath(path)}") from None
    except pickle.UnpicklingError:
        raise WeightsError(f"{os.fspath(path)}: holds more than tensors and plain values; refused") from None
    except (RuntimeError, EOFError, ValueError, KeyError) as error:
        raise WeightsError(f"{os.fspath(path)}: not a whole checkpoint ({str(error).splitlines()[0]})") from None
    except OSError as error:
        raise storage_error(path, error, "read") from error
    return content if isinstance(content, dict) else {}


def _read_card(path: Path) -> Card:
    try:
        content = read_json(path)
    except MissingError:
        raise MissingError(
            f"there is no recogniser in {path.parent} (no {CARD_FILE}); train one with 'recognise train'"
        ) from None
    found = content.pop("format", None) if isinstance(content, dict) else None
    if found != FORMAT:
        raise WeightsError(f"{path}: format {found}; this version reads format {FORMAT}: train the recogniser again")
    return fill(Card, content, path, WeightsError)


def _sizes(tensors: dict[str, Tensor], path: str | os.PathLike[str]) -> tuple[NetworkConfig, int]:
    """Configuration and class count that a checkpoint's shapes tell."""
    try:
        if "Head.fc_bin" in tensors:
            blocks = [tensors[f"set_block{number}.forward_block.0.conv.weight"].shape[0] for number in (1, 2, 3)]
            return GaitSetConfig((blocks[0], blocks[1], blocks[2]), tensors["Head.fc_bin"].shape[2]), 0
        layers = [tensors[f"Backbone.forward_block.layer{number}.0.conv1.weight"].shape[0] for number in (1, 2, 3, 4)]
        blocks = [_count_blocks(tensors, f"Backbone.forward_block.layer{number}.") for number in (1, 2, 3, 4)]
        sizes = {"channels": layers, "layers": blocks, "embedding": tensors["FCs.fc_bin"].shape[2]}
        return fill(GaitBaseConfig, sizes, path, WeightsError), tensors["BNNecks.fc_bin"].shape[2]
    except (KeyError, IndexError, AttributeError) as error:
        what = f"{os.fspath(path)}: neither OpenGait's GaitSet nor its Baseline (GaitBase)"
        raise WeightsError(f"{what}: no tensor {error}") from None


def _count_blocks(tensors: dict[str, Tensor], prefix: str) -> int:
    return len({name[len(prefix) :].split(".")[0] for name in tensors if name.startswith(prefix)})


def _fill(network: nn.Module, tensors: dict[str, Tensor], path: str | os.PathLike[str]) -> None:
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).split("\n")[1:2]).strip()
        raise WeightsError(f"{os.fspath(path)}: the weights do not fit the network: {reason}") from None

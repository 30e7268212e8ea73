"""Starting from weights that exist: a network takes over what an older one has learned of walking.

Tensors of the same name and shape are taken over; the rows of people and conditions by their names, so that people the
old weights did not know start as fresh codes. What the old network does not have keeps its own beginning.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.generator.card import WEIGHTS_NAME, Card, Vocabulary, check_weights, read_card
from gaitcrafter_ext.generator.network import GaitUNet
from gaitcrafter_ext.generator.weights import locate

__all__ = ["InitialWeights"]

#: Parameters with a row a person and a row a condition (one more for "not told").
PEOPLE, CONDITIONS = "conditioner.identities", "conditioner.condition"


class InitialWeights:
    """Weights to begin a training with.

    Args:
        name: ``"bundled"`` or a folder of weights.
        dataset: Name of the dataset that will be trained on.
        vocabulary: Its people and conditions.

    Raises:
        MissingError: No weights are there.
        WeightsError: They are damaged or of another version.
        UsageError: They know people of the same dataset who are not among those to train on: the new weights would
            know them too, and nobody could tell.
    """

    def __init__(self, name: str | Path, dataset: str, vocabulary: Vocabulary) -> None:
        self.folder, self.vocabulary = locate(name), vocabulary
        self.card: Card = read_card(self.folder)
        check_weights(self.folder, self.card)
        strangers = set(self.card.vocabulary.identities) - set(vocabulary.identities)
        if strangers and self.card.trained_on.dataset == dataset:
            raise UsageError(
                f"--init: {name} has seen {len(strangers)} people of '{dataset}' outside TRAIN_SET "
                f"({', '.join(sorted(strangers)[:3])}...); start from other weights, or from none"
            )

    def give(self, denoiser: GaitUNet) -> None:
        """Overwrite what ``denoiser`` has in common with the weights.

        Raises:
            UsageError: The network is of another size.
        """
        ours, theirs = denoiser.state_dict(), load_file(self.folder / WEIGHTS_NAME)
        common = (ours.keys() & theirs.keys()) - {PEOPLE, CONDITIONS}
        taken = {name: theirs[name].float() for name in common}
        if any(ours[name].shape != tensor.shape for name, tensor in taken.items()):
            size = json.loads((self.folder / "denoiser" / "config.json").read_text(encoding="utf-8"))
            model = ", ".join(f"{key}: {size[key]}" for key in ("channels", "blocks", "embedding", "canvas_channels"))
            raise UsageError(f"--init: {self.folder.name} is of another size; set 'model: {{{model}}}' in --config")
        old, new = self.card.vocabulary, self.vocabulary
        taken[PEOPLE] = _rows(ours[PEOPLE], theirs[PEOPLE], old.identities, new.identities)
        taken[CONDITIONS] = _rows(ours[CONDITIONS], theirs[CONDITIONS], old.conditions, new.conditions)
        taken[CONDITIONS][-1] = theirs[CONDITIONS][-1]  # "not told"
        denoiser.load_state_dict({**ours, **taken})

    def facts(self) -> dict[str, Any]:
        """For the new weights' card: whom the old ones had seen, and how those were made."""
        known = self.card.trained_on
        return {
            "fingerprint": self.card.fingerprint,
            "dataset": known.dataset,
            "identities_hash": known.identities_hash,
            "training": self.card.training,
        }


def _rows(fresh: Tensor, learned: Tensor, old: tuple[str, ...], new: tuple[str, ...]) -> Tensor:
    """``fresh`` [n, e] with the learned rows of those names that both know."""
    rows = fresh.clone()
    for index, name in enumerate(new):
        if name in old:
            rows[index] = learned[old.index(name)]
    return rows

"""Ordinary training: noisy clips of a dataset in, clean ones out, from random weights or from given ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.generator.config import GeneratorConfig
from gaitcrafter_ext.generator.data import ClipDataset, drop_conditions
from gaitcrafter_ext.generator.network import GaitUNet
from gaitcrafter_ext.generator.noise import keyed, noise_like
from gaitcrafter_ext.generator.objective import add_noise, shift_t
from gaitcrafter_ext.generator.people import PeopleSpace
from gaitcrafter_ext.generator.training import Examples, HeldOut
from gaitcrafter_ext.generator.weights import (
    PEOPLE_NAME,
    WEIGHTS_NAME,
    Card,
    TrainedOn,
    Vocabulary,
    check_weights,
    locate,
    read_card,
    trainable,
)
from gaitcrafter_ext.vocabulary import ClipKey, identities_hash

#: Held-out windows on which the validation loss is taken.
HELD_OUT_WINDOWS = 64

#: Share of a GPU's free memory that the clips may take.
ON_DEVICE = 0.5


class InitialWeights:
    """Weights to begin a training on ``people`` of ``dataset`` with: tensors are taken over, conditions by their names.

    People are placed in the space that the weights know (:meth:`ClipDataset.encode_people`), so that those whom the
    network has never seen begin near people who look like them.

    ``UsageError`` where they are distilled, or know people of the same dataset who are not among those to train on: the
    new weights would know them too, and test people would no longer be unseen.
    """

    def __init__(self, name: str | Path, dataset: str, people: tuple[str, ...]) -> None:
        self.folder = locate(trainable(name))
        self.card = read_card(self.folder)
        check_weights(self.folder, self.card)
        if self.card.sampling.baked_in:
            raise UsageError(
                f"--init: {name} is distilled and trains no further; name the weights it was distilled from"
            )
        known = {entry.partition("/")[2] for entry in self.card.everybody() if entry.partition("/")[0] == dataset}
        if strangers := sorted(known - set(people)):
            raise UsageError(
                f"--init: {name} has seen {len(strangers)} people of '{dataset}' outside TRAIN_SET "
                f"({', '.join(strangers[:3])}...); start from other weights, or from none"
            )
        self.people = PeopleSpace.from_pretrained(self.folder / Path(PEOPLE_NAME).parent)

    def load_into(self, denoiser: GaitUNet, vocabulary: Vocabulary) -> None:
        """Overwrite what ``denoiser`` has in common with the weights; raises ``UsageError`` if the sizes differ."""
        rows = "conditioner.condition"
        ours, theirs = denoiser.state_dict(), load_file(self.folder / WEIGHTS_NAME)
        taken = {name: tensor.float() for name, tensor in theirs.items() if name in ours and name != rows}
        if any(ours[name].shape != tensor.shape for name, tensor in taken.items()):
            size = json.loads((self.folder / "denoiser" / "config.json").read_text(encoding="utf-8"))
            keys = ("channels", "blocks", "embedding", "canvas_channels", "code_dim")
            model = ", ".join(f"{key}: {size[key]}" for key in keys)
            raise UsageError(f"--init: {self.folder.name} is of another size; set 'model: {{{model}}}' in --config")
        conditions = ours[rows].clone()
        for index, name in enumerate(vocabulary.conditions):
            if name in self.card.vocabulary.conditions:
                conditions[index] = theirs[rows][self.card.vocabulary.conditions.index(name)]
        conditions[-1] = theirs[rows][-1]  # not given
        denoiser.load_state_dict({**ours, **taken, rows: conditions})


class DenoiseClips:
    """An objective: examples from a dataset of clips, validated on ``held_out`` ones.

    ``initial`` are weights to begin with instead of random ones, ``held`` the names of all clips that were kept from
    training, short ones too.
    """

    def __init__(
        self,
        config: GeneratorConfig,
        dataset: ClipDataset,
        held_out: ClipDataset | None,
        initial: InitialWeights | None = None,
        held: Sequence[ClipKey] = (),
    ) -> None:
        self.config, self.dataset, self.validation, self.initial, self.held = config, dataset, held_out, initial, held
        self.people = dataset.encode_people(initial.people) if initial else dataset.fit_people(config.model.code_dim)
        for clips in filter(None, (dataset, held_out)):
            clips.codes = self.people.codes.clone()
        self.shift = config.training.noise_shift
        self.cumulative = np.cumsum(dataset.weights(config.training.condition_balance))
        self.device = torch.device("cpu")
        card = initial.card if initial else None
        self.facts = {"clips": dataset.fingerprint, "init": card.fingerprint if card else ""}
        self.origin = {"init": {"fingerprint": card.fingerprint, "training": card.training} if card else None}

    def network(self) -> GaitUNet:
        """A network for these people, the same for the same seed."""
        words, size = self.dataset.vocabulary, asdict(self.config.model)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.training.seed)
            denoiser = GaitUNet(conditions=len(words.conditions), **size)
        if self.initial is not None:
            self.initial.load_into(denoiser, words)
        return denoiser

    def to(self, device: torch.device) -> None:
        """Gather batches on the GPU where all clips fit there."""
        self.device = device
        if device.type == "cuda" and self.dataset.frames.numel() < ON_DEVICE * torch.cuda.mem_get_info(device)[0]:
            self.dataset.frames = self.dataset.frames.to(device)

    def examples(self, rng: np.random.Generator) -> Examples:
        """Windows of random clips at random noise levels, some of what is known of them left out."""
        settings = self.config.training
        clean, given = self.dataset.sample_batch(settings.batch_size, rng, self.cumulative)
        alone = (settings.drop_identity, settings.drop_condition, settings.drop_view, settings.drop_phase)
        given = drop_conditions(given, (settings.drop_all, *alone), rng).to(self.device)
        clean, generator = clean.to(self.device, non_blocking=True), keyed(rng)
        # One noise level in each of as many equal parts of [0, 1], in random order, makes the loss less noisy.
        offsets = torch.rand(settings.batch_size, generator=generator)
        even = (torch.randperm(settings.batch_size, generator=generator) + offsets) / settings.batch_size
        t = shift_t(even, settings.noise_shift).to(self.device)
        wander = settings.code_noise * torch.randn(given.code.shape, generator=generator).to(self.device)
        noise = noise_like(clean.shape, self.device, generator)
        return Examples(add_noise(clean, noise, t), t, clean, given._replace(code=given.code + wander))

    @cached_property
    def held_out(self) -> HeldOut | None:
        """The same windows, noise and noise levels at every call; the codes of others for the identity gain."""
        clips, seed = self.validation, self.config.training.seed
        if clips is None:
            return None
        chosen = np.sort(np.random.default_rng([seed, 1]).permutation(len(clips))[:HELD_OUT_WINDOWS])
        generator = torch.Generator().manual_seed(seed)
        clean, given = clips.batch(chosen, np.zeros(len(chosen), dtype=np.int64))
        t = shift_t((torch.randperm(len(chosen), generator=generator) + 0.5) / len(chosen), self.shift)
        noise = torch.randn(clean.shape, generator=generator)
        swapped = clips.codes[(torch.from_numpy(clips.person[chosen]) + 1) % len(clips.codes)]
        return HeldOut(Examples(add_noise(clean, noise, t), t, clean, given), swapped)

    def card(self, training: dict[str, Any]) -> Card:
        """What the weights know, and everybody whom they or those they began with ever saw."""
        words, config = self.dataset.vocabulary, self.config
        before = self.initial.card.everybody() if self.initial else set()
        known = {f"{config.dataset.name}/{name}" for name in words.identities}
        trained_on = TrainedOn(
            config.dataset.name,
            identities_hash(words.identities),
            tuple(sorted({f"{key.identity}/{key.take}" for key in self.held})),
            tuple(sorted({key.take for key in (*self.dataset.keys, *self.held)})),
            tuple(sorted(before - known)),
        )
        cadence = self.dataset.cadence
        return Card(words, trained_on, config.dataset, cadence, training=training, code_dim=config.model.code_dim)

"""Recipes: of whom a person is made, and the identity code that says so to a network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.vocabulary import suggest

__all__ = ["code_matrix"]


def code_matrix(recipes: Sequence[Mapping[str, float]], subjects: Sequence[str]) -> NDArray[np.float32]:
    """Identity codes of several recipes.

    Args:
        recipes: Known person -> weight, one a row, summing to 1; a weight below 0 leads away from that person.
        subjects: Known people, in the order of the columns.

    Returns:
        float32 [len(recipes), len(subjects)], each row summing to 1.

    Raises:
        UsageError: A recipe names somebody whom the weights do not know, or its weights do not sum to 1.
    """
    column = {name: index for index, name in enumerate(subjects)}
    codes = np.zeros((len(recipes), len(subjects)))
    for row, recipe in enumerate(recipes):
        if not math.isclose(sum(recipe.values()), 1.0, abs_tol=1e-4):
            raise UsageError(f"identity recipe {dict(recipe)}: the weights must sum to 1")
        for name, weight in recipe.items():
            if name not in column:
                raise UsageError(f"identity '{name}' is unknown to these weights; {suggest(name, list(subjects))}")
            codes[row, column[name]] = weight
    return codes.astype(np.float32)

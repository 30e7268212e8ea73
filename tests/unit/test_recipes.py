"""Recipes become identity codes, or are refused."""

from __future__ import annotations

import numpy as np
import pytest

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.recipes import code_matrix

SUBJECTS = ("ann", "bob", "cyd")


def test_each_row_holds_the_weights_of_its_recipe() -> None:
    codes = code_matrix([{"bob": 1.0}, {"ann": 0.25, "cyd": 0.75}, {"ann": 1.5, "bob": -0.5}], SUBJECTS)
    assert codes.dtype == np.float32
    assert codes.tolist() == [[0, 1, 0], [0.25, 0, 0.75], [1.5, -0.5, 0]]


def test_a_stranger_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"identity 'anne' is unknown to these weights; did you mean 'ann'\?"):
        code_matrix([{"anne": 1.0}], SUBJECTS)


@pytest.mark.parametrize("recipe", [{}, {"ann": 0.5}, {"ann": float("nan")}])
def test_weights_that_are_no_recipe_are_refused(recipe: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="the weights must sum to 1"):
        code_matrix([recipe], SUBJECTS)

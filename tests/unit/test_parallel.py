"""Work on several processes: the same results in the same order, and one line if a process dies."""

from __future__ import annotations

import os

import pytest

from gaitcrafter_ext.errors import StorageError
from gaitcrafter_ext.silhouettes.parallel import available_cores, map_in_order


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_keep_the_order_of_the_items(jobs: int) -> None:
    assert list(map_in_order(abs, range(-40, 0), jobs)) == list(range(40, 0, -1))


def test_little_work_stays_in_this_process() -> None:
    seen: list[int] = []
    list(map_in_order(seen.append, range(16), jobs=8))
    assert seen == list(range(16))


def test_a_process_that_dies_is_told_in_one_line() -> None:
    with pytest.raises(StorageError, match=r"ended a worker process.*fewer --jobs"):
        list(map_in_order(os._exit, [1] * 40, jobs=2))


def test_an_error_in_a_worker_arrives_as_it_was_raised() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        list(map_in_order(int, ["1"] * 39 + ["x"], jobs=2))


def test_there_is_a_core() -> None:
    assert 1 <= available_cores() <= (os.cpu_count() or 1)

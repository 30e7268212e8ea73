"""``evaluate pairs``: what is shown beside what."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey
from tests.stick_walkers import stick_clip


def _store(root: Path, *names: str) -> Path:
    store = SilhouetteStore(root, create=True)
    for name in names:
        store.write(ClipKey(*name.split("/")), stick_clip(0, 25.0, 30))
    return root


def test_the_sheet_has_two_rows_a_pair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    real = _store(tmp_path / "real", "a/nm-01/000", "a/nm-01/090")
    made = _store(tmp_path / "made", "a/nm-01/000", "a/nm-01/090")
    options = ["--real", str(real), "--synthetic", str(made), "--out", str(tmp_path / "s.png"), "--json"]
    assert main(["evaluate", "pairs", *options]) == 0
    assert json.loads(capsys.readouterr().out)["pairs"] == 2
    assert cv2.imread(str(tmp_path / "s.png")).shape[0] == 4 * 65


def test_nothing_in_common_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    real, made = _store(tmp_path / "real", "a/nm-01/000"), _store(tmp_path / "made", "b/nm-01/000")
    options = ["--real", str(real), "--synthetic", str(made), "--out", str(tmp_path / "s.png")]
    assert main(["evaluate", "pairs", *options]) == 1
    error = capsys.readouterr().err
    assert "share no person, condition and view" in error
    assert error.count("\n") == 1

"""``gaitcrafter verify`` as a user types it."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey


def verify(*arguments: object) -> tuple[int, str, str]:
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = main(["verify", *map(str, arguments)])
    return code, out.getvalue(), err.getvalue()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    store = SilhouetteStore(tmp_path / "pkl", create=True)
    for identity in ("001", "002"):
        for take in ("nm-01", "cl-01"):
            for view in ("018", "090"):
                clip = np.zeros((30, 64, 64), np.uint8)
                clip[:, :, 20:40] = 255
                store.write(ClipKey(identity, take, view), clip)
    (store.path(ClipKey("002", "cl-01", "018"))).unlink()
    store.path(ClipKey("002", "cl-01", "018")).parent.rmdir()
    return store.root


def test_a_tree_is_described_and_a_bad_file_named_with_exit_code_one(root: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    code, out, err = verify(root, "--sheet", sheet, "--rows", 3)
    assert (code, err) == (0, "")
    for words in ("7 clips of 2 identities", "cl 3, nm 4", "1: 002/cl-01/018 (of 8)", "bad files      none"):
        assert words in out
    assert cv2.imread(str(sheet), cv2.IMREAD_GRAYSCALE).shape[0] == 3 * 65
    (root / "001" / "nm-01" / "090" / "090.pkl").write_bytes(b"no pickle")
    code, out, err = verify(root, "--json", "--sheet", sheet)
    assert (code, err) == (1, "")
    report = json.loads(out)
    assert ([fault["path"] for fault in report["bad"]], report["clips"]) == (["001/nm-01/090/090.pkl"], 6)

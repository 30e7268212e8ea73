"""Asked-for cycles and seams, of a run whose clips are drawn here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.audit.control import control, phase_errors
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.silhouettes.manifest import ManifestRecord
from gaitcrafter_ext.silhouettes.store import write_clip
from gaitcrafter_ext.synthesis.folder import OutputFolder


def run_of(root: Path, cycle: float | None, jump: bool = False) -> OutputFolder:
    """One clip of 60 frames, 25 frames a cycle; ``jump``: the body moves where the second window begins."""
    time = np.arange(60)[:, None, None]
    y, x = np.arange(64)[None, :, None], np.arange(64)[None, None]
    reach = np.where(y > 40, 6 * np.sin(2 * np.pi * time / 25) + 2 * np.cos(4 * np.pi * time / 25), 0)
    shift = np.where(time >= 15, 12, 0) if jump else 0
    clip = np.where((np.abs(x - 28 - reach - shift) < 5) & (y > 4), 255, 0).astype(np.uint8)
    folder = OutputFolder(root)
    record = ManifestRecord("a", "nm-01", "090", 0, "w", "euler", 3, 1.0, 60, "", cycle=cycle)
    write_clip(folder.path(record.key), clip)
    folder.state.mkdir()
    for manifest in (root / "manifest.jsonl", folder.state / "shard-1-of-1.jsonl"):  # as a finished run has them
        manifest.write_text(record.to_line())
    return folder


def test_the_cycle_read_is_set_beside_the_one_asked_for(tmp_path: Path) -> None:
    found = control(run_of(tmp_path, 27.0), np.random.default_rng(0))
    assert found.views["090"] == (pytest.approx(2.0, abs=0.3), 1)
    assert found.worst == pytest.approx(2.0, abs=0.3)


def test_a_jump_at_a_window_border_shows_as_a_seam(tmp_path: Path) -> None:
    smooth = control(run_of(tmp_path / "smooth", 25.0), np.random.default_rng(0))
    torn = control(run_of(tmp_path / "torn", 25.0, jump=True), np.random.default_rng(0))
    assert smooth.seams.value == pytest.approx(smooth.elsewhere.value, abs=0.1)
    assert torn.seams.value < torn.elsewhere.value - 0.1


def test_a_run_without_cycles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no clip was asked for with a gait cycle"):
        control(run_of(tmp_path, None), np.random.default_rng(0))


@pytest.mark.slow
def test_phases_are_read_within_degrees_where_cameras_share_a_clock() -> None:
    rows = phase_errors(12, ("nm-01",), ("054", "090", "126"), 40, seed=77)
    assert [row.view for row in rows] == ["054", "090", "126"]
    assert all(row.cycle < 0.6 and row.shared < 12 and row.shared_flipped <= 0.1 for row in rows)

from __future__ import annotations

import pytest

from gaitcrafter_ext.audit.phases import phase_errors


@pytest.mark.slow
def test_phases_are_read_within_degrees_where_cameras_share_a_clock() -> None:
    rows = phase_errors(12, ("nm-01",), ("054", "090", "126"), 40, seed=77)
    assert [row.view for row in rows] == ["054", "090", "126"]
    assert all(row.cycle < 0.6 and row.shared < 12 and row.shared_flipped <= 0.1 for row in rows)

"""The tables of ``evaluate clips``."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gaitcrafter_ext.audit.cadence import Cadence
    from gaitcrafter_ext.audit.copies import Copies, Nearness
    from gaitcrafter_ext.audit.data import Splits
    from gaitcrafter_ext.audit.statistics import Motion, RangeCheck
    from gaitcrafter_ext.metrics.identification import RankRow, Ranks
    from gaitcrafter_ext.metrics.intervals import Estimate

__all__ = ["as_text"]


def as_text(splits: Splits, results: dict[str, Any]) -> str:
    """All tables, each with its floor, ceiling or chance."""
    head = [
        f"{len(splits.synthetic)} synthetic clips; real: {len(splits.training)} training clips,"
        f" {len(splits.held_out)} held-out clips ({splits.rule}); {len(splits.people)} people in common",
    ]
    if splits.passed_over:
        head.append(f"left out: {splits.passed_over} synthetic clips of views that the real clips lack")
    tables: dict[str, Callable[[Any], list[str]]] = {
        "rank": _ranks, "copies": _copies, "cadence": _cadence, "masks": _masks, "motion": _motion,
    }  # fmt: skip
    return "\n\n".join(["\n".join(head), *("\n".join(tables[name](result)) for name, result in results.items())])


def _ranks(result: Ranks) -> list[str]:
    rows = [result.synthetic, result.same_gallery, result.leave_one_out, result.seen, result.seen_ceiling]
    notes = ["the figure", "ceiling, same gallery", "ceiling", "the generator saw these", "ceiling of the line above"]
    ratios = [("same gallery", result.of_same_gallery), ("leave one take out", result.of_leave_one_out)]
    return [
        f"Is it the person asked for? Rank-1 % by pixel GEI, same view; chance {100 * result.chance:.1f}"
        f" (1 of {result.people})",
        f"{'probes':<27}{'gallery':<17}{'rank-1':>7}{'95 % interval':>16}{'probes':>8}  by condition",
        *(_rank_row(row, note) for row, note in zip(rows, notes, strict=True)),
        *(f"synthetic / ceiling ({name}): {each.value:.2f} [{each.low:.2f}, {each.high:.2f}]" for name, each in ratios),
    ] + ([f"left out: {result.synthetic.left_out} synthetic clips of people or views without a held-out clip"]
         if result.synthetic.left_out else [])  # fmt: skip


def _rank_row(row: RankRow, note: str) -> str:
    conditions = "  ".join(f"{each.condition} {100 * each.share.value:.0f}" for each in row.conditions)
    share = f"{100 * row.share.value:>7.1f}{_interval(row.share, 100, 1):>16}{row.share.count:>8}"
    return f"{row.probes:<27}{row.gallery:<17}{share}  {conditions:<19} {note}"


def _copies(result: Copies) -> list[str]:
    among = "of the same view and condition" if result.scope == "same" else "of any view and condition"
    how = "cyclic shifts" if result.cyclic else "shifts"
    worst = min(result.synthetic.matches, key=lambda match: match.ratio)
    return [
        f"Was training data copied? Nearest training clip {among}, over all {how}; distance: root mean square of grey"
        " levels 0..1; second nearest: of another take; copy: ratio below 1/3",
        f"{'':<22}{'clips':>6}{'copies %':>10}{'median distance':>17}{'median ratio':>14}{'lowest ratio':>14}",
        _near_row("synthetic", result.synthetic),
        _near_row("held-out real (floor)", result.held_out),
        f"nearer than held-out real: {100 * result.closer:.0f} % of pairs (50 = as real, 100 = all nearer)",
        f"nearest of all: {worst.clip} to {worst.nearest} from frame {worst.shift},"
        f" distance {worst.distance:.3f}, ratio {worst.ratio:.2f}",
    ]


def _near_row(name: str, near: Nearness) -> str:
    lowest = min((match.ratio for match in near.matches), default=math.nan)
    left = f"  ({near.left_out} left out: no two training takes)" if near.left_out else ""
    return (
        f"{name:<22}{len(near.matches):>6}{100 * near.share:>10.1f}{near.distance:>17.3f}{near.ratio:>14.2f}"
        f"{lowest:>14.2f}{left}"
    )


def _cadence(result: Cadence) -> list[str]:
    rows = [
        ("synthetic", result.synthetic),
        ("everyone the median", result.median),
        ("training takes (floor)", result.floor),
        ("synthetic - median", result.difference),
    ]
    verdict = "knows" if result.difference.high < 0 else "is not shown to know"
    blunt = ["real training takes do no better than the median: cadence tells no people apart in these clips"]
    return [
        f"Does each person keep their cadence? Mean absolute error of the gait cycle against held-out clips, frames at"
        f" {result.fps} a second",
        f"{'':<24}{'error':>7}{'95 % interval':>16}{'clips':>7}",
        *(f"{name:<24}{each.value:>7.2f}{_interval(each, 1, 2):>16}{each.count:>7}" for name, each in rows),
        f"the generator {verdict} who walks how (below 0 = better than the median)"
        + (f"; left out: {result.left_out} clips (frontal view, no cycle, no held-out clip of the person)"
           if result.left_out else ""),
        *(blunt if result.floor.value >= result.median.value else ()),
    ]  # fmt: skip


def _masks(result: RangeCheck) -> list[str]:
    return [
        "Is it a valid mask? Means over a clip's frames",
        *_beside(result),
        *_left(result.left_out),
    ]


def _motion(result: Motion) -> list[str]:
    arrow = (
        f"fits real clips better forward than backward: synthetic {100 * result.synthetic_forward.value:.0f} %,"
        f" held-out real {100 * result.held_out_forward:.0f} % (ceiling), chance 50 %"
    )
    return [
        "Does it move like gait?",
        *_beside(result),
        arrow,
        f"{'spoilt held-out clips':<24}{'iou':>9}{'flicker':>9}{'periodicity':>13}{'outside %':>11}{'forward %':>11}",
        *(
            f"{each.name:<24}{each.statistics.iou:>9.3f}{each.statistics.flicker:>9.3f}"
            f"{each.statistics.periodicity:>13.3f}{100 * each.outside:>11.0f}{100 * each.forward:>11.0f}"
            for each in result.controls
        ),
        *_left(result.left_out),
    ]


def _beside(result: RangeCheck) -> list[str]:
    """Medians of each statistic and shares outside the real range."""
    shares = (result.synthetic_outside.value, result.held_out_outside)
    head = (
        f"{'median of clips':<16}{'synthetic':>10}{'held-out':>10}{'training':>10}"
        f"{'outside %: synthetic':>24}{'held-out':>10}  (of the training clips' 1-99 % range)"
    )
    rows = [
        f"{each.name:<16}{each.synthetic.value:>10.3f}{each.held_out:>10.3f}{each.training:>10.3f}"
        f"{100 * each.synthetic_outside.value:>24.1f}{100 * each.held_out_outside:>10.1f}"
        for each in result.statistics
    ]
    return [head, *rows, f"{'any of these':<46}{100 * shares[0]:>24.1f}{100 * shares[1]:>10.1f}"]


def _left(count: int) -> list[str]:
    return [f"left out: {count} synthetic clips of a view and condition without training clips"] if count else []


def _interval(each: Estimate, scale: float, digits: int) -> str:
    return f"[{scale * each.low:.{digits}f}, {scale * each.high:.{digits}f}]"

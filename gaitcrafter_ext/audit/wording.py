"""How a card's numbers are written."""

from __future__ import annotations

import math

from gaitcrafter_ext.audit.card import QUESTIONS, Row

__all__ = ["LABELS", "QUESTIONS", "figure", "interval", "label"]


def figure(value: float, unit: str) -> str:
    """A number as the tables show it: per cent of shares, a dash where there is none."""
    if not math.isfinite(value):
        return "-"
    if unit == "share":
        return f"{100 * value:.1f} %"
    return f"{value:.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:.3f}"


def interval(row: Row) -> str:
    """``[low, high]`` of a row, without its unit; nothing where there is none."""
    if not (math.isfinite(row.low) and math.isfinite(row.high)):
        return ""
    low, high = (figure(value, row.unit).removesuffix(" %") for value in (row.low, row.high))
    return f"[{low}, {high}]"


#: What a measure is called in tables; others bear their own name.
LABELS = {
    "rank1": "rank-1",
    "u": "U, share kept",
    "c_intra": "C_intra",
    "parent_retrieval": "leads to a parent",
    "best_match": "matches a training person",
    "d_intra": "D_intra",
    "copies": "copies",
    "closer": "nearer than real",
    "three_sample": "three-sample C_T",
    "membership_auc": "membership AUC",
    "kid": "KID",
    "motion_outside": "motion out of range",
    "forward": "runs forward",
    "cadence_error": "cadence error, frames",
    "rank1_gain": "gain in rank-1",
    "mask_outside": "mask out of range",
    "iou": "frame-to-frame overlap",
}


def label(measure: str) -> str:
    """Name of a measure for readers: ``rank1_nm`` is rank-1 nm."""
    stem, _, part = measure.partition("_")
    return LABELS.get(measure) or f"{LABELS.get(stem, stem)} {part}".strip().replace("_", " ")

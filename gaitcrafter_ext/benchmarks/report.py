"""A benchmark as text: one table a task and precision, ratios beside their causes."""

from __future__ import annotations

from collections.abc import Iterator

from gaitcrafter_ext.benchmarks.results import CONVOLUTION, PEERS, Benchmark, Contender, Rate

__all__ = ["describe"]

CAUSE = """GFLOP: 10^9 operations a clip, as torch counts them. Their ratio comes from pixel folding: 2 frames x 4 x 4
pixels become channels before the first convolution, so every layer sees 32 times fewer positions. The rest of the
speed ratio is how much of the machine each network's layers use. The quality of the peers' clips is not measured."""

WHAT = {
    "training": "training (forward, backward, AdamW step), clips/s",
    "sampling": "sampling (one network evaluation a clip; a sampler makes equally many with each), clips/s",
    "recognition": "recognition (a training iteration: forward, losses, backward, SGD step), iterations/s",
}
HEADER = ("", "params", "batch", "rate", "range", "GFLOP", "GFLOP/s", "of conv", "speed ratio", "GFLOP ratio")


def describe(found: Benchmark) -> str:
    """The report for people."""
    return "\n".join(_lines(found))


def _lines(found: Benchmark) -> Iterator[str]:
    machine, repeats = found.machine, len(found.rates[0].repetitions) if found.rates else 0
    load = "" if machine.load is None else f"; load before the run {machine.load:.1f}"
    yield f"{machine.processor}, {machine.threads} threads of {machine.cores} cores, torch {machine.torch}{load}"
    yield f"medians of {repeats} alternating turns; denoisers on clips of 30 x 64 x 48, the middle of 30 x 64 x 64"
    roofs = [rate for rate in found.rates if rate.task == CONVOLUTION]
    yield "the machine's own convolutions: " + ", ".join(
        f"{rate.precision} {rate.gflop_per_second:.0f} GFLOP/s" for rate in roofs
    )
    for rates in _tables(found):
        yield ""
        yield f"{WHAT[rates[0].task]}, {rates[0].precision}"
        yield from _columns([HEADER, *(_row(found, rate) for rate in rates)])
    if found.memory_gb:
        yield ""
        peaks = ", ".join(f"{precision} {peak:.2f} GB" for precision, peak in found.memory_gb.items())
        yield f"peak memory of training ours at batch {_batch_of_training(found)}: {peaks}"
    if any(rate.contender in PEERS for rate in found.rates):
        yield from ("", CAUSE)
    yield from (f"note: {note}" for note in found.notes)


def _tables(found: Benchmark) -> list[list[Rate]]:
    """Rates that belong in one table."""
    tables: dict[tuple[str, str], list[Rate]] = {}
    for rate in found.rates:
        if rate.task != CONVOLUTION:
            tables.setdefault((rate.task, rate.precision), []).append(rate)
    return [tables[key] for key in sorted(tables, key=lambda key: list(WHAT).index(key[0]))]


def _row(found: Benchmark, rate: Rate) -> tuple[str, ...]:
    contender, share = _contender(found, rate), found.share_of_machine(rate)
    speedup, work = found.speedup(rate), found.work_ratio(rate)
    return (
        contender.label,
        f"{contender.parameters / 1e6:.1f} M",
        str(contender.batch[rate.task]),
        f"{rate.median:.3g}",
        f"{min(rate.repetitions):.3g}-{max(rate.repetitions):.3g}",
        f"{rate.gflop:.3g}",
        f"{rate.gflop_per_second:.0f}",
        "" if share is None else f"{share:.0%}",
        "" if speedup is None else f"{speedup:.3g}x",
        "" if work is None else f"{work:.1f}x",
    )


def _columns(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Rows in columns, the first aligned left, the others right; a column with nothing under its header is left out."""
    kept = [column for column in range(len(rows[0])) if any(row[column] for row in rows[1:])]
    rows = [tuple(row[column] for column in kept) for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        yield "  " + "  ".join(cells).rstrip()


def _contender(found: Benchmark, rate: Rate) -> Contender:
    return next(contender for contender in found.contenders if contender.name == rate.contender)


def _batch_of_training(found: Benchmark) -> int:
    return next(contender.batch["training"] for contender in found.contenders if "training" in contender.batch)

"""The figures of restoring as rows of text, and as Markdown in the marked place of a page."""

from __future__ import annotations

import math
from pathlib import Path

from rrframe.pages.markdown import filled, read_page, table
from rrframe.pairs.files import write_whole
from rrframe.restoring.bench import UNTRAINED, Measured, RestoringBench

_SECTION = "restore"


def check_page(page: Path) -> None:
    """Refuse a page without the marker ``<!-- bench: restore -->`` before anything is measured.

    Raises:
        RRFrameError: It is missing, or the page.
    """
    filled(read_page(page), {_SECTION: ""}, page)


def write_page(bench: RestoringBench, page: Path) -> None:
    """Put what was measured in its place in ``page``.

    Raises:
        RRFrameError: There is no such place, or no page.
    """
    write_whole(page, filled(read_page(page), {_SECTION: _text(bench)}, page))


def columns(bench: RestoringBench) -> list[str]:
    """The titles of ``cells``."""
    memory = "GPU memory" if bench.best_rate else "process memory"
    rates = ["TFLOP/s", "of peak"] if bench.best_rate else []
    return ["variant", "seconds", "x exact", "first run", memory, *rates, "PSNR", "SSIM", "remarks"]


def cells(bench: RestoringBench, row: Measured) -> list[str]:
    """A row of the table; what is not known is a dash."""
    if row.reason:
        return [row.name, *["-"] * (len(columns(bench)) - 2), row.remarks]
    rate = bench.rate(row)
    rates = [f"{rate / 1e12:.0f}", f"{rate / bench.best_rate:.0%}"] if rate and bench.best_rate else []
    if bench.best_rate and not rates:
        rates = ["-", "-"]
    exact = row is bench.rows[0]
    psnr = "same" if math.isinf(row.likeness.psnr) else f"{row.likeness.psnr:.1f}"
    return [
        row.name,
        f"{row.seconds:.3g}",
        f"{bench.times_as_fast(row):.2f}",
        f"{row.first:.3g}",
        f"{row.memory / 2**20:.0f} MiB",
        *rates,
        *(("-", "-") if exact else (psnr, f"{row.likeness.ssim:.4f}")),
        row.remarks,
    ]


def _text(bench: RestoringBench) -> str:
    warnings = [f"**Warning: {UNTRAINED.format(f'`{name}`')}.**" for name in bench.untrained]
    steps = f", {bench.steps} steps" if bench.steps else ""
    what = f"`{bench.backbone}`, {bench.width} x {bench.height} pixels{steps}, {bench.dtype} on {bench.device}."
    if bench.best_rate:
        what += f" The GPU's best rate, of products of large bfloat16 matrices: {bench.best_rate / 1e12:.0f} TFLOP/s."
    facts = table(("", ""), list(bench.machine.items()))
    rows = table(columns(bench), [cells(bench, row) for row in bench.rows])
    missing = [f"- not run, {row.name}: {row.reason}" for row in bench.rows if row.reason]
    return "\n\n".join(filter(None, [what, *warnings, rows, "\n".join(missing), facts]))

"""Figures as Markdown, written into a page between markers: the prose around them is people's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rrframe.pages.markdown import filled, read_page, table
from rrframe.pairs.files import write_whole
from rrframe.synthesis.bench import Bench
from rrframe.synthesis.bench.beside import Beside
from rrframe.synthesis.bench.operators import Batches

_SLOW = 150.0  # milliseconds that an operator should stay within


def check_page(page: Path) -> None:
    """Refuse a page without markers before anything is measured.

    Raises:
        RRFrameError: A marker is missing, or the page.
    """
    filled(read_page(page), dict.fromkeys(_SECTIONS, ""), page)


def write_page(bench: Bench, page: Path) -> None:
    """Put what was measured between the markers ``<!-- bench: NAME -->`` and ``<!-- end -->`` of ``page``. A section
    that was not measured keeps what an earlier call wrote there; the machine is that of the call that measured runs.

    Raises:
        RRFrameError: A marker is missing, or the page.
    """
    sections: dict[str, str] = {}
    if bench.parts:
        sections |= {"machine": _machine(bench), "run": _run(bench)}
    if bench.components:
        sections["components"] = _components(bench)
    if bench.against is not None:
        sections["against"] = _beside(bench.against, "chain")
    if bench.peers is not None:
        sections["peers"] = _beside(bench.peers, "operator")
    if bench.batches is not None:
        sections["batches"] = _batches(bench.batches, bench.machine, bench.size)
    write_whole(page, filled(read_page(page), sections, page).encode())


_SECTIONS = ("machine", "against", "peers", "run", "components", "batches")


def _machine(bench: Bench) -> str:
    facts = table(("", ""), [(what, value) for what, value in bench.machine.items()])
    return f"Pictures of {bench.size} x {bench.size} pixels; one process, one thread.\n\n{facts}"


def _beside(rows: list[Beside], what: str) -> str:
    return table(
        (f"our {what}", "images/s", "beside", "images/s", "times as fast"),
        [
            (
                f"`{row.ours}`",
                f"{row.our_times.rate:.1f}",
                row.theirs,
                f"{row.their_times.rate:.1f}",
                f"{row.ratio:.1f}",
            )
            for row in rows
        ],
    )


def _run(bench: Bench) -> str:
    parts = table(("part, for one pair", "ms"), [(part, f"{spent:.1f}") for part, spent in bench.parts.items()])
    of_parts, of_one = bench.run_rate / bench.parts_rate, bench.two_worker_rate / bench.run_rate
    rates = table(
        ("", "pairs/s", ""),
        [
            ("the parts add up to", f"{bench.parts_rate:.1f}", ""),
            ("a run with one worker", f"{bench.run_rate:.1f}", f"{of_parts:.0%} of its parts"),
            ("a run with two workers", f"{bench.two_worker_rate:.1f}", f"{of_one:.2f} x one"),
        ],
    )
    memory = [(pairs, f"{size / 2**20:.0f} MiB") for pairs, size in bench.peak_memory.items()]
    return "\n\n".join([parts, rates, table(("pairs made", "peak memory of the worker"), memory)])


def _components(bench: Bench) -> str:
    rows = [
        (f"`{name}`", f"{times.mean:.1f}", f"{times.worst:.1f}", f"{times.rate:.1f}")
        for name, times in bench.components.items()
    ]
    slow = [name for name, times in bench.components.items() if times.worst > _SLOW]
    told = f"Slower than {_SLOW:.0f} ms at worst: " + (", ".join(f"`{name}`" for name in slow) or "none") + "."
    return table(("component", "mean ms", "worst ms", "images/s"), rows) + "\n\n" + told


def _batches(found: Batches, machine: Mapping[str, str], size: int) -> str:
    rows = [
        (f"`{name}`", f"{rate:.1f}", f"{found.differences[name]:.1e}" if found.differences[name] else "none")
        for name, rate in found.rates.items()
    ]
    times = table(("component", "images/s", "difference from one by one"), rows)
    where = machine.get("GPU", "cuda") if found.device == "cuda" else f"the CPU ({machine['processor']})"
    return f"Batches of {found.size} pictures of {size} x {size} on {where}, torch {machine['torch']}.\n\n{times}"

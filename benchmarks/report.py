"""What was measured, as tables of text: on the terminal, in RESULTS.md, and in short in the README."""

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

BEGIN = "<!-- measured: `make bench` writes from here -->"
END = "<!-- to here -->"


class Table(Struct, kw_only=True):
    """Lines of text under a title."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    note: str = ""

    def markdown(self) -> str:
        lines = [self.columns, ["---", *["---:"] * (len(self.columns) - 1)], *self.rows]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"**{self.title}**\n\n{table}\n" + (f"\n{self.note}\n" if self.note else "")

    def text(self) -> str:
        widths = [max(len(line[i]) for line in [self.columns, *self.rows]) for i in range(len(self.columns))]
        lines = [
            "  ".join(
                cell.ljust(width) if not i else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in [self.columns, *self.rows]
        ]
        return "\n".join([f"\n{self.title}", *lines, *([self.note] if self.note else [])])


class Verdict(Struct, frozen=True):
    """A budget, what was measured, and whether it is met."""

    claim: str
    budget: str
    measured: str
    met: bool

    def cells(self) -> list[str]:
        return [self.claim, self.budget, self.measured, "met" if self.met else "**missed**"]


class Bars(Struct, frozen=True):
    """Ratios to the minimal client, by client."""

    title: str
    ratios: dict[str, float]


class Measured(Struct, kw_only=True):
    """All of a section."""

    tables: list[Table]
    verdicts: list[Verdict]
    bars: list[Bars] = []


def spread(values: Sequence[float], digits: int = 2) -> list[str]:
    """Median, least and most."""
    return [f"{value:,.{digits}f}" for value in (statistics.median(values), min(values), max(values))]


def machine() -> str:
    """What this ran on, without its name."""
    chip = platform.machine()
    cpu = Path("/proc/cpuinfo")
    if cpu.exists():
        names = [
            line.partition(":")[2].strip()
            for line in cpu.read_text("utf-8").splitlines()
            if line.startswith("model name")
        ]
        chip = f"{chip}, {names[0]}" if names else chip
    load = f", load average {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    return f"{platform.system()} {chip}, {os.cpu_count()} CPUs{load}"


def results(head: str, minutes: float, sections: Mapping[str, Measured], versions: Mapping[str, str]) -> str:
    """RESULTS.md."""
    verdicts = [verdict for each in sections.values() for verdict in each.verdicts]
    met = sum(verdict.met for verdict in verdicts)
    summary = Table(
        title=f"{met} of {len(verdicts)} budgets met",
        columns=["claim", "budget", "measured", ""],
        rows=[verdict.cells() for verdict in verdicts],
    )
    parts = [
        "# What was measured\n",
        "Written by `make bench`; see [README.md](README.md) for how.\n",
        f"- {datetime.now(UTC):%Y-%m-%d}, {minutes:.0f} minutes",
        f"- {head}",
        f"- {platform.python_implementation()} {platform.python_version()}\n",
        summary.markdown(),
    ]
    for title, each in sections.items():
        parts += [f"## {title}\n", *(table.markdown() for table in each.tables)]
    parts += ["## Versions\n", *(f"- {name}: {what}" for name, what in versions.items())]
    return "\n".join(parts).rstrip() + "\n"


def in_short(bars: Sequence[Bars]) -> str:
    """The README's table: ratios to the minimal client."""
    names = list(dict.fromkeys(name for each in bars for name in each.ratios if name != "minimal"))
    rows = [[each.title, *(_shown(each.ratios.get(name)) for name in names)] for each in bars]
    head = ["CPU of the client", *names]
    lines = [head, ["---", *["---:"] * len(names)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _shown(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"  # noqa: PLR2004 - digits that say something


def write_between(page: Path, text: str) -> None:
    """Put a text between the marks of a page."""
    before, begin, rest = page.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page.name} has no place for what was measured")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", "utf-8")

"""Claim: OneLLM costs little more than the least that its libraries cost, and much less than other clients.

    python -m benchmarks.run [--only SECTION,...] [--rounds N] [--write]

Each client runs in a process and an environment of its own and they take turns in each round, against one server in
another process; a ratio is of two turns of the same round. Other work on the machine moves the microseconds and hardly
the ratios. `--write` puts what was measured into RESULTS.md, the chart and the README. Ends with status 1 where a
budget is missed.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack

from benchmarks import chart, environments, fresh, report, server, slices
from benchmarks.cases import CASES, SECTIONS, Budget, Case
from benchmarks.clients import CLIENTS, OURS
from benchmarks.environments import Installed, NotInstalledError
from benchmarks.reducers import native
from benchmarks.report import Bars, Measured, Table, Verdict
from benchmarks.workers import Interleaved, Ran, Worker

HERE = environments.ROOT / "benchmarks"
README = environments.ROOT / "README.md"
CHART = environments.ROOT / "docs" / "benchmarks.svg"
CAPTION = "CPU of the client, as multiples of a minimal client of aiohttp and msgspec"


class Setup:
    """The environments and processes of one run; what cannot be installed is left out, and said."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.installed: dict[str, Installed] = {}
        self.missing: dict[str, str] = {}
        for name in ("onellm", *environments.PEERS):
            try:
                self.installed[name] = environments.installed(name)
            except NotInstalledError as exc:
                self.missing[name] = str(exc)
                print(f"  {name}: {exc}", file=sys.stderr)
        pythons = {name: each.python for name, each in self.installed.items()}
        pythons |= dict.fromkeys(OURS, pythons["onellm"])
        self.workers = {name: Worker(name, python, url) for name, python in pythons.items()}
        self.clients = [name for name in CLIENTS if name in self.workers]

    def close(self) -> None:
        for worker in self.workers.values():
            worker.stop()


def cases(setup: Setup, section: str, most_rounds: int) -> Measured:
    """The cases of a section."""
    done = Measured(tables=[], verdicts=[])
    for case in CASES:
        if case.section == section:
            _case(setup, case, most_rounds, done)
    return done


def _case(setup: Setup, case: Case, most_rounds: int, done: Measured) -> None:
    turns = {
        name: (
            (name, case.turn, min(case.rounds, most_rounds))
            if name in OURS
            else (name, case.peer_turn, min(case.peer_rounds, most_rounds))
        )
        for name in setup.clients
    }
    if case.base == "onellm, async":
        asked = {key: case.turn[key] for key in ("path", "events")}
        turns = {case.base: ("onellm", {"do": "stream", "streams": 1, **asked}, turns["onellm"][2]), **turns}
        del turns["minimal"], turns["aiohttp"]  # which have no such calls
    ran, failed = Interleaved(setup.workers).run(turns)
    shown = {"lateness": ("p50", "p99", "latest"), "memory": ("bytes",)}.get(case.turn["do"], ("cpu",))
    for what in shown:
        done.tables.append(_table(case, what, ran, failed))
    done.verdicts += [verdict for budget in case.budgets if (verdict := _verdict(budget, ran)) is not None]
    if case.short and "minimal" in ran:
        ratios = {name: statistics.median(_ratios(each, ran[case.base], "cpu", "cpu")) for name, each in ran.items()}
        done.bars.append(Bars(case.short, ratios))


def _value(ran: Ran, what: str) -> float:
    """Seconds of CPU a unit, or what else was measured."""
    return float(ran["cpu"] / ran["units"] if what == "cpu" else ran[what])


def _ratios(one: Sequence[Ran], other: Sequence[Ran], what: str, others: str) -> list[float]:
    """Of turns of the same round; a client with fewer rounds was there in the first ones."""
    return [_value(a, what) / _value(b, others) for a, b in zip(one, other, strict=False)]


_UNITS = {"cpu": ("µs of CPU a {unit}", 1e6), "bytes": ("bytes a {unit}", 1.0)}
_LATE = ("ms", 1e3)


def _table(case: Case, what: str, ran: dict[str, list[Ran]], failed: dict[str, str]) -> Table:
    unit, scale = _UNITS.get(what, _LATE)
    columns = [unit.format(unit=case.unit), "median", f"ratio to {case.base}", "min", "max", "times OneLLM's"]
    rows: list[list[str]] = []
    for name, each in ran.items():
        median = statistics.median(_value(one, what) for one in each) * scale
        ratios = report.spread(_ratios(each, ran[case.base], what, what)) if case.base in ran else ["", "", ""]
        times = statistics.median(_ratios(each, ran["onellm"], what, what)) if "onellm" in ran else 0.0
        rows.append([name, f"{median:,.{1 if what != 'bytes' else 0}f}", *ratios, f"{times:.2f}"])
    rows += [[name, why, "", "", "", ""] for name, why in failed.items() if why != "has no such call"]
    title = case.name if what in {"cpu", "bytes"} else f"{case.name}: {what}"
    return Table(title=title, columns=columns, rows=rows)


def _verdict(budget: Budget, ran: dict[str, list[Ran]]) -> Verdict | None:
    """None where one of the two was not measured."""
    ours = ran.get("onellm")
    what, others = budget.of
    if ours is None or (budget.other and budget.other not in ran):
        return None
    if not budget.other and budget.most is not None:
        value = statistics.median(_value(one, what) for one in ours)
        return Verdict(budget.claim, f"at most {budget.most:,.0f} bytes", f"{value:,.0f}", value <= budget.most)
    if budget.most is not None:
        ratio = statistics.median(_ratios(ours, ran[budget.other], what, others))
        return Verdict(
            budget.claim, f"at most {budget.most:.2f} x {budget.other}", f"{ratio:.2f} x", ratio <= budget.most
        )
    assert budget.least is not None  # noqa: S101 - a budget has one of the two
    ratio = statistics.median(_ratios(ran[budget.other], ours, others, what))
    return Verdict(
        budget.claim, f"{budget.other} at least {budget.least:.0f} x as much", f"{ratio:.1f} x", ratio >= budget.least
    )


def measured(setup: Setup, section: str, most_rounds: int) -> Measured:
    if section == "import":
        return fresh.imports(setup.installed, min(most_rounds, 7))
    if section == "install":
        return fresh.installs(setup.installed, setup.missing)
    if section == "cold":
        return fresh.cold(setup.installed, setup.url, min(most_rounds, 9))
    if section == "native":
        return native(most_rounds)
    if section == "sse":
        return slices.sse(setup.workers, min(most_rounds, 5))
    return cases(setup, section, most_rounds)


def write(sections: dict[str, Measured], head: str, minutes: float, setup: Setup) -> None:
    """RESULTS.md, the chart, and the README's table."""
    versions = {
        name: ", ".join(f"{package} {version}" for package, version in sorted(each.versions.items()))
        for name, each in setup.installed.items()
    }
    titled = {SECTIONS[name]: each for name, each in sections.items()}
    (HERE / "RESULTS.md").write_text(report.results(head, minutes, titled, versions), "utf-8")
    bars = [bar for each in sections.values() for bar in each.bars]
    CHART.write_text(chart.svg(bars, CAPTION), "utf-8")
    report.write_between(README, report.in_short(bars))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="OneLLM against the least possible.")
    parser.add_argument("--only", default="", help=f"of {', '.join(SECTIONS)}; several with commas")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--write", action="store_true", help="RESULTS.md, the chart and the README's table")
    arguments = parser.parse_args()
    chosen = [name for name in arguments.only.split(",") if name] or list(SECTIONS)
    if unknown := [name for name in chosen if name not in SECTIONS]:
        parser.error(f"--only takes {', '.join(SECTIONS)}; not {', '.join(unknown)}")
    if arguments.write and arguments.only:
        parser.error("--write needs all sections")
    head = report.machine()
    sections: dict[str, Measured] = {}
    with ExitStack() as stack:
        setup = Setup(stack.enter_context(server.running()))
        stack.callback(setup.close)
        begun = time.monotonic()
        for name in chosen:
            sections[name] = measured(setup, name, arguments.rounds)
            for table in sections[name].tables:
                print(table.text(), flush=True)
        minutes = (time.monotonic() - begun) / 60
    verdicts = [verdict for each in sections.values() for verdict in each.verdicts]
    rows = [[*verdict.cells()[:3], "met" if verdict.met else "MISSED"] for verdict in verdicts]
    print(Table(title="Budgets", columns=["claim", "budget", "measured", ""], rows=rows).text())
    if arguments.write:
        write(sections, head, minutes, setup)
    sys.exit(0 if all(verdict.met for verdict in verdicts) else 1)


if __name__ == "__main__":
    main()

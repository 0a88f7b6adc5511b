"""What is measured in fresh interpreters: imports, the way to a first answer, and what an installation is."""

import json
import statistics
from collections.abc import Mapping
from pathlib import Path

from benchmarks import environments
from benchmarks.clients import CLIENTS, IMPORTS, OURS
from benchmarks.environments import Installed
from benchmarks.report import Measured, Table, Verdict, spread

MOST_IMPORT_MS = 60.0
MOST_MODULES = 150
MOST_DIRECT = 4
MOST_COLD = 1.15
PEER_ROUNDS = 3
LEAST = "aiohttp"
HTTP = ("aiohttp", "httpx", "httpx2", "requests", "urllib3", "http.client")


def imports(installed: Mapping[str, Installed], rounds: int) -> Measured:
    """CPU of a fresh interpreter, less that of one that imports nothing."""
    spent: dict[str, list[float]] = {name: [] for name in IMPORTS if name in installed}
    modules: dict[str, list[str]] = {}
    for number in range(rounds + 1):
        for name, each in spent.items():
            if name != "onellm" and number > PEER_ROUNDS:
                continue
            python = installed[name].python
            bare, _ = _import(python, "pass")
            seconds, modules[name] = _import(python, IMPORTS[name])
            each.append((seconds - bare) * 1e3)
    rows: list[list[str]] = []
    for name, each in spent.items():
        loaded = ", ".join(module for module in HTTP if module in modules[name]) or "none"
        rows.append([IMPORTS[name], *spread(each[1:], 0), f"{len(modules[name]):,}", loaded])
    columns = ["ms of CPU over a bare interpreter", "median", "min", "max", "modules", "HTTP libraries loaded"]
    ms = statistics.median(spent["onellm"][1:])
    count = len(modules["onellm"])
    http = any(module in modules["onellm"] for module in HTTP)
    return Measured(
        tables=[Table(title="import", columns=columns, rows=rows)],
        verdicts=[
            Verdict("import onellm", f"at most {MOST_IMPORT_MS:.0f} ms", f"{ms:.0f} ms", ms <= MOST_IMPORT_MS),
            Verdict("modules after it", f"fewer than {MOST_MODULES}", str(count), count < MOST_MODULES),
            Verdict("HTTP libraries after it", "none", "some" if http else "none", not http),
        ],
    )


def _import(python: Path, statement: str) -> tuple[float, list[str]]:
    code = f"""{statement}
import sys, time
spent, names = time.process_time(), [*sys.modules]
import json
print(json.dumps([spent, names]))
"""
    seconds, names = json.loads(environments.run(python, "-c", code).splitlines()[-1])
    return seconds, names


def cold(installed: Mapping[str, Installed], url: str, rounds: int) -> Measured:
    """CPU of a program that asks once, from the start of its interpreter to the answer.

    The minimal client is the one of aiohttp's documentation: the other imports some of OneLLM.
    """
    names = [name for name in CLIENTS if name == LEAST or name in installed]
    spent: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds + 1):
        for name, each in spent.items():
            if name not in OURS and number > PEER_ROUNDS:
                continue
            python = installed["onellm" if name in OURS else name].python
            printed = environments.run(python, "-m", "benchmarks.cold", name, url).splitlines()
            each += [float(line.split()[1]) for line in printed if line.startswith("cpu ")]  # some print more
    base = spent[LEAST][1:]
    rows: list[list[str]] = []
    for name, each in spent.items():
        ratios = [one / least for one, least in zip(each[1:], base, strict=False)]
        rows.append([name, f"{statistics.median(each[1:]) * 1e3:,.0f}", *spread(ratios)])
    columns = ["ms of CPU, from the interpreter's start", "median", f"ratio to {LEAST}", "min", "max"]
    ratio = statistics.median(one / least for one, least in zip(spent["onellm"][1:], base, strict=True))
    verdict = Verdict(
        "cold start to the first answer", f"at most {MOST_COLD:.2f} x {LEAST}", f"{ratio:.2f} x", ratio <= MOST_COLD
    )
    return Measured(tables=[Table(title="cold start", columns=columns, rows=rows)], verdicts=[verdict])


def installs(installed: Mapping[str, Installed], missing: Mapping[str, str]) -> Measured:
    """What stands in an environment into which nothing else was installed."""
    rows: list[list[str]] = []
    for name, each in installed.items():
        if name in CLIENTS:
            count = len(each.versions) + (name == "onellm")  # which is on the path, and not installed
            rows.append([name, f"{each.size / 1e6:.1f}", str(count), str(len(each.direct))])
    rows += [[name, why, "", ""] for name, why in missing.items()]
    ours = installed["onellm"]
    least = min(each.size for name, each in installed.items() if name in CLIENTS and name != "onellm")
    columns = ["installed alone", "MB", "distributions", "direct dependencies"]
    return Measured(
        tables=[
            Table(title="install", columns=columns, rows=rows, note="Without what Python compiles, and without pip.")
        ],
        verdicts=[
            Verdict(
                "direct dependencies", f"at most {MOST_DIRECT}", str(len(ours.direct)), len(ours.direct) <= MOST_DIRECT
            ),
            Verdict(
                "the smallest installation",
                f"below {least / 1e6:.1f} MB",
                f"{ours.size / 1e6:.1f} MB",
                ours.size < least,
            ),
        ],
    )

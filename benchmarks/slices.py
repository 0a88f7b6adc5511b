"""Claim: the decoder of event streams is the fastest in Python at every slicing, and linear."""

import statistics
from collections.abc import Mapping

from benchmarks.decoders import DECODERS, LARGE, ONE_LINE_END, SLICES, STREAMS
from benchmarks.report import Measured, Table, Verdict
from benchmarks.workers import Interleaved, Ran, Worker

MOST_GROWTH = 3.0  # of the time a byte, for an event ten times as large: caches are not linear, and 10 is quadratic
SLICE = 1400


def sse(workers: Mapping[str, Worker], rounds: int) -> Measured:
    """CPU an event, for each kind of line end."""
    done = Measured(tables=[], verdicts=[])
    decoders = {name: worker for name, (worker, _) in DECODERS.items() if worker in workers}
    ours: list[tuple[float, str]] = []
    for stream in STREAMS:
        able = [name for name in decoders if stream == "LF" or name not in ONE_LINE_END]
        rows = {name: [name] for name in able}
        for size in SLICES:
            spent = _spent(workers, {name: decoders[name] for name in able}, stream, size, rounds)
            for name, each in spent.items():
                rows[name].append(f"{statistics.median(each) * 1e6:.2f}")
            fastest = [
                min(times) for times in zip(*(each for name, each in spent.items() if name != "onellm"), strict=True)
            ]
            ratio = statistics.median(other / one for one, other in zip(spent["onellm"], fastest, strict=True))
            ours.append((ratio, f"{stream}, {size:,} B"))
        columns = ["µs of CPU an event", *(f"{size:,} B" for size in SLICES)]
        done.tables.append(Table(title=f"{stream}, by the size of a slice", columns=columns, rows=list(rows.values())))
    slowest, where = min(ours)
    done.verdicts.append(
        Verdict(
            "SSE alone, against the fastest decoder of each slicing",
            "at least 1.00 x as fast",
            f"{slowest:.2f} x ({where})",
            slowest >= 1,
        )
    )
    _linear(workers, decoders, rounds, done)
    return done


def _linear(workers: Mapping[str, Worker], decoders: dict[str, str], rounds: int, done: Measured) -> None:
    by_size = [_spent(workers, decoders, f"large {size}", SLICE, min(rounds, 3)) for size in LARGE]
    rows = []
    growth = {}
    for name in decoders:
        times = [statistics.median(each[name]) * 1e9 for each in by_size]
        growth[name] = times[1] / times[0]
        rows.append([name, *(f"{time:.2f}" for time in times), f"{growth[name]:.1f}"])
    columns = ["ns of CPU a byte", *(f"an event of {size:,} B" for size in LARGE), "ratio"]
    done.tables.append(Table(title=f"One large event in slices of {SLICE:,} B", columns=columns, rows=rows))
    done.verdicts.append(
        Verdict(
            "SSE alone, time a byte of an event ten times as large",
            f"at most {MOST_GROWTH:.0f} x",
            f"{growth['onellm']:.1f} x",
            growth["onellm"] <= MOST_GROWTH,
        )
    )


def _spent(
    workers: Mapping[str, Worker], decoders: Mapping[str, str], stream: str, size: int, rounds: int
) -> dict[str, list[float]]:
    """Seconds of CPU a unit, by decoder."""
    turns = {
        name: (worker, {"do": "decode", "decoder": name, "stream": stream, "size": size}, rounds)
        for name, worker in decoders.items()
    }
    ran, _ = Interleaved(workers).run(turns)

    def of(each: list[Ran]) -> list[float]:
        return [one["cpu"] / one["units"] for one in each]

    return {name: of(each) for name, each in ran.items()}

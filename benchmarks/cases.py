"""What is compared: the turns of each case, how often, and the budgets that they are held to."""

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct

from benchmarks import server

PACED_STREAMS = 50
TOGETHER = 200


class Budget(Struct, frozen=True, kw_only=True):
    """What OneLLM's median is held to, beside `other`'s.

    most:   at most this many times the other's
    least:  the other needs at least this many times as much
    of:     what is compared, of OneLLM and of the other
    """

    claim: str
    other: str = "minimal"
    most: float | None = None
    least: float | None = None
    of: tuple[str, str] = ("cpu", "cpu")


def _limits(claim: str, most: float, of: tuple[str, str] = ("cpu", "cpu")) -> list[Budget]:
    """Beside the minimal client where OneLLM has moved the limit, and beside the one of aiohttp's documentation."""
    return [Budget(claim=claim, other=other, most=most, of=of) for other in ("minimal", "aiohttp")]


class Case(Struct, frozen=True, kw_only=True):
    """A line of turns.

    unit:         what the CPU of a turn is divided by
    turn:         what a worker is asked
    peer_turn:    the same with less to do, for those who need much longer
    rounds:       how often, beside the first time, which does not count
    peer_rounds:  likewise for the peers
    short:        its name in the chart; "" for those that are not in it
    base:         whose turns the ratios are to; "onellm, async" is OneLLM's same stream with an event loop
    """

    section: str
    name: str
    unit: str
    turn: dict[str, Any]
    peer_turn: dict[str, Any]
    budgets: Sequence[Budget] = ()
    rounds: int = 11
    peer_rounds: int = 4
    short: str = ""
    base: str = "minimal"


def _chat(  # noqa: PLR0917 - a line of a table
    name: str, in_flight: int, each: int, peers_each: int, peer_rounds: int, budgets: Sequence[Budget], short: str = ""
) -> Case:
    turn = {"do": "chat", "path": "v1", "in_flight": in_flight}
    return Case(
        section="chat",
        name=name,
        unit="call",
        turn={**turn, "each": each},
        peer_turn={**turn, "each": peers_each},
        peer_rounds=peer_rounds,
        budgets=budgets,
        short=short,
    )


def _stream(  # noqa: PLR0917 - likewise
    name: str,
    path: str,
    events: int,
    budgets: Sequence[Budget],
    short: str = "",
    streams: int = 1,
    spread: float = 0.0,
    each: int = 1,
    peer_rounds: int = 4,
) -> Case:
    turn = {"do": "stream", "path": path, "events": events, "streams": streams, "spread": spread}
    return Case(
        section="stream",
        name=name,
        unit="chunk",
        turn={**turn, "each": each},
        peer_turn=turn,
        peer_rounds=peer_rounds,
        budgets=budgets,
        short=short,
    )


def _simple(section: str, name: str, unit: str, turn: dict[str, Any], **more: Any) -> Case:
    return Case(section=section, name=name, unit=unit, turn=turn, **{"peer_turn": turn, **more})


_TIMED = {"path": "timed", "streams": TOGETHER, "events": server.TIMED_EVENTS}
_THROUGHPUT = 1 / 0.80

CASES = (
    _chat(
        "chat, one at a time",
        1,
        200,
        40,
        5,
        [
            *_limits("a chat, one at a time", 1.20),
            Budget(claim="a chat, one at a time", other="openai", least=6),
            Budget(claim="a chat, one at a time", other="litellm", least=20),
        ],
        short="chat, one at a time",
    ),
    _chat(
        "chat, 256 in flight",
        256,
        2,
        1,
        2,
        _limits("a chat, 256 in flight (0.80 of the calls a CPU second)", _THROUGHPUT),
        short="chat, 256 in flight",
    ),
    _chat(
        "chat, 1,000 in flight",
        1000,
        2,
        1,
        1,
        _limits("a chat, 1,000 in flight, collector as shipped (0.80 of the calls a CPU second)", _THROUGHPUT),
    ),
    _stream(
        "stream, one chunk a write",
        "one",
        server.ONE_EVENTS,
        [
            *_limits("a chunk, one a write", 1.30),
            Budget(claim="a chunk, one a write", other="openai", least=12),
        ],
        short="stream, one chunk a write",
        each=4,  # how many writes a read finds is chance
    ),
    _stream(
        f"stream, {server.EVENTS_A_WRITE} chunks a write",
        "packed",
        server.PACKED_EVENTS,
        [
            *_limits(f"a chunk, {server.EVENTS_A_WRITE} a write", 2.5),
            Budget(claim=f"a chunk, {server.EVENTS_A_WRITE} a write", other="openai", least=25),
        ],
        short=f"stream, {server.EVENTS_A_WRITE} chunks a write",
        peer_rounds=1,
    ),
    _stream(
        f"{PACED_STREAMS} paced streams, a chunk each {server.PACE * 1e3:.0f} ms",
        "paced",
        server.PACED_EVENTS,
        _limits(f"a chunk of {PACED_STREAMS} paced streams", 1.25),
        streams=PACED_STREAMS,
        spread=server.PACE / PACED_STREAMS,
        peer_rounds=1,
    ),
    _simple(
        "many",
        f"{TOGETHER} streams at once, lateness",
        "chunk",
        {"do": "lateness", **_TIMED},
        rounds=9,
        peer_rounds=1,
        budgets=[
            *_limits(f"lateness of {TOGETHER} streams at once, p99", 1.5, ("p99", "p99")),
            *_limits(f"lateness of {TOGETHER} streams at once, the last of all chunks", 1.5, ("latest", "p99")),
        ],
    ),
    _simple(
        "many",
        f"{TOGETHER} streams at once, memory",
        "stream",
        {"do": "memory", **_TIMED},
        rounds=1,
        peer_rounds=1,
        budgets=[Budget(claim="memory of an open stream, in Python", other="", most=64 * 1024, of=("bytes", "bytes"))],
    ),
    _simple(
        "embeddings",
        f"{server.VECTORS} vectors of {server.DIMENSIONS}",
        "vector",
        {"do": "embeddings", "each": 4},
        peer_turn={"do": "embeddings", "each": 1},
        peer_rounds=2,
        budgets=[
            *_limits("a vector, in base64", 1.2),
            Budget(claim="a vector", other="openai", least=8),
        ],
        short=f"{server.VECTORS} vectors of {server.DIMENSIONS}",
    ),
    _simple(
        "blocking",
        "blocking chat",
        "call",
        {"do": "chat_blocking", "path": "v1", "each": 150},
        peer_turn={"do": "chat_blocking", "path": "v1", "each": 30},
        budgets=[
            *_limits("a blocking chat (minimal, aiohttp: behind a loop thread)", 1.2),
            Budget(claim="a blocking chat", other="openai", least=3),
        ],
        short="blocking chat",
    ),
    _simple(
        "blocking",
        "blocking stream, one chunk a write",
        "chunk",
        {"do": "stream_blocking", "path": "one", "events": server.ONE_EVENTS},
        base="onellm, async",
        budgets=[Budget(claim="a chunk of a blocking stream, one a write", other="onellm, async", most=2.0)],
    ),
    _simple(
        "blocking",
        f"blocking stream, {server.EVENTS_A_WRITE} chunks a write",
        "chunk",
        {"do": "stream_blocking", "path": "packed", "events": server.PACKED_EVENTS},
        base="onellm, async",
        peer_rounds=1,
        budgets=[
            Budget(
                claim=f"a chunk of a blocking stream, {server.EVENTS_A_WRITE} a write", other="onellm, async", most=2.0
            )
        ],
    ),
)

Section = Literal["import", "install", "cold", "chat", "stream", "many", "embeddings", "blocking", "native", "sse"]
SECTIONS: dict[str, str] = {
    "import": "Import",
    "install": "Install",
    "cold": "Cold start to the first answer",
    "chat": "Chat",
    "stream": "Streams",
    "many": "Two hundred streams at once",
    "embeddings": "Embeddings",
    "blocking": "Without an event loop",
    "native": "Native streams",
    "sse": "Server-sent events alone",
}

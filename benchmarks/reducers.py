"""Claim: a chunk of a native API costs little more CPU than one of OpenAI's.

Microseconds of CPU a chunk, from the bytes of a read to the chunks that a caller gets; medians of rounds in turn, and
the ratio to OpenAI's in the same round.
"""

import json
import statistics
import struct
import time
import zlib
from typing import Any

from msgspec import Struct

from benchmarks.report import Measured, Table, Verdict, spread
from onellm.providers.registry import get_provider
from onellm.types.chat_params import ChatRequest

CHUNKS = 3200
BUDGET = 1.5
EVENTS_A_READ = (1, 64)


class Wire(Struct, frozen=True):
    """A provider's stream: what begins it, and an event with content."""

    provider: str
    begin: bytes
    event: bytes


def _sse(value: dict[str, Any], *, line_end: str = "\n", named: bool = False) -> bytes:
    name = f"event: {value['type']}{line_end}" if named else ""
    return f"{name}data: {json.dumps(value)}{line_end * 2}".encode()


def _frame(kind: str, payload: dict[str, Any]) -> bytes:
    """A message of Amazon's event stream."""
    pairs = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    texts = [(name.encode(), value.encode()) for name, value in pairs.items()]
    head = b"".join(struct.pack(">B", len(n)) + n + struct.pack(">BH", 7, len(v)) + v for n, v in texts)
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(head) + len(body), len(head))
    frame = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + body
    return frame + struct.pack(">I", zlib.crc32(frame))


_OPENAI = {
    "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
    "object": "chat.completion.chunk",
    "created": 1741570283,
    "model": "gpt-5.4-mini-2026-01-01",
    "service_tier": "default",
    "system_fingerprint": "fp_44709d6fcb",
    "choices": [{"index": 0, "delta": {"content": " token"}, "logprobs": None, "finish_reason": None}],
}
_GEMINI = {
    "candidates": [{"content": {"parts": [{"text": " token"}], "role": "model"}, "index": 0}],
    "usageMetadata": {
        "promptTokenCount": 19,
        "candidatesTokenCount": 34,
        "totalTokenCount": 53,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 19}],
    },
    "modelVersion": "gemini-3-flash",
    "responseId": "yoRyaY6lHJ6Kz7IPjPvq2QI",
}
_MESSAGE: dict[str, Any] = {
    "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5",
    "content": [],
    "stop_reason": None,
    "usage": {"input_tokens": 19, "output_tokens": 1},
}
_ANTHROPIC = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " token"}}
_COHERE = {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": " token"}}}}
_BEDROCK = {"contentBlockIndex": 0, "delta": {"text": " token"}, "p": "abcdefghijklmnopqrstuvwxyzABCDEFG"}

WIRES = (
    Wire("openai", b"", _sse(_OPENAI)),
    Wire(
        "anthropic",
        _sse({"type": "message_start", "message": _MESSAGE}, named=True)
        + _sse({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}, named=True),
        _sse(_ANTHROPIC, named=True),
    ),
    Wire("google", b"", _sse(_GEMINI, line_end="\r\n")),
    Wire(
        "cohere", _sse({"type": "message-start", "id": "29f14a5a", "delta": {}}, named=True), _sse(_COHERE, named=True)
    ),
    Wire("bedrock", _frame("messageStart", {"role": "assistant"}), _frame("contentBlockDelta", _BEDROCK)),
)


def seconds(wire: Wire, events_a_read: int) -> float:
    """CPU a chunk."""
    provider: Any = get_provider(wire.provider)
    request = ChatRequest(provider=wire.provider, model="m", messages=[], params={})
    reducer: Any = provider.chat.reducer(request, max_event_bytes=1 << 26)
    reducer.feed(wire.begin)
    read = wire.event * events_a_read
    feed = reducer.feed
    count = 0
    start = time.process_time()
    for _ in range(CHUNKS // events_a_read):
        for chunk in feed(read):
            if chunk.choices[0].delta.content:
                count += 1
    spent = time.process_time() - start
    if count != CHUNKS:
        raise AssertionError(f"{wire.provider}: {count} chunks, not {CHUNKS}: {reducer.error}")
    return spent / CHUNKS


def native(rounds: int) -> Measured:
    """The tables for reads of one event and of many."""
    done = Measured(tables=[], verdicts=[])
    worst: dict[str, float] = {}
    for events_a_read in EVENTS_A_READ:
        spent: dict[str, list[float]] = {wire.provider: [] for wire in WIRES}
        for _ in range(rounds + 1):
            for wire in WIRES:
                spent[wire.provider].append(seconds(wire, events_a_read))
        rows: list[list[str]] = []
        for provider, times in spent.items():
            ratios = [one / base for one, base in zip(times[1:], spent["openai"][1:], strict=True)]
            rows.append([provider, f"{statistics.median(times[1:]) * 1e6:.2f}", *spread(ratios)])
            worst[provider] = max(worst.get(provider, 0.0), statistics.median(ratios))
        columns = ["µs of CPU a chunk", "median", "ratio to openai", "min", "max"]
        done.tables.append(Table(title=f"OneLLM's own streams, {events_a_read} a read", columns=columns, rows=rows))
    del worst["openai"]
    for provider, ratio in worst.items():
        claim = f"a chunk of {provider}, from its bytes"
        done.verdicts.append(
            Verdict(claim, f"at most {BUDGET:.2f} x OneLLM's openai", f"{ratio:.2f} x", ratio <= BUDGET)
        )
    return done

"""Claim: the decoder with the whole event-stream grammar is as fast as the simplest ones that lack it, and linear.

Microseconds an event, best of some rounds in turn. `split` and `find` know one kind of line end, whole `data: ` lines
and no bound.
"""

import time
from collections.abc import Callable

from onellm.transport.sse import SseDecoder, SseEvent

Feed = Callable[[bytes], list[SseEvent]]

EVENT = b'data: {"id":"chatcmpl-0","choices":[{"index":0,"delta":{"content":" token"}}],"pad":"%s"}\n\n' % (b"." * 200)
CRLF = EVENT.replace(b"\n", b"\r\n")
NAMED = b"event: content_block_delta\n" + EVENT
LARGE = b'data: "%s"\n\n' % (b"." * 1_000_000)
ROUNDS = 9


def split(line_end: bytes) -> Feed:
    tail = b""
    blank = line_end * 2

    def feed(chunk: bytes) -> list[SseEvent]:
        nonlocal tail
        *blocks, tail = (tail + chunk).split(blank)
        return [SseEvent(block[block.find(b"data: ") + 6 :]) for block in blocks]

    return feed


def find(line_end: bytes) -> Feed:
    tail = bytearray()
    lines: list[bytes] = []
    searched = 0

    def feed(chunk: bytes) -> list[SseEvent]:
        nonlocal tail, lines, searched
        tail += chunk
        events: list[SseEvent] = []
        start = 0
        while (end := tail.find(line_end, searched)) >= 0:
            if end > start:
                lines.append(bytes(tail[start:end]))
            else:
                events.append(SseEvent(b"\n".join([line[6:] for line in lines if line.startswith(b"data: ")])))
                lines = []
            start = searched = end + len(line_end)
        del tail[:start]
        searched = max(len(tail) - len(line_end) + 1, 0)
        return events

    return feed


def onellm(_line_end: bytes) -> Feed:
    return SseDecoder().feed


def cut(stream: bytes, size: int) -> list[bytes]:
    return [stream[i : i + size] for i in range(0, len(stream), size)]


CASES: dict[str, tuple[list[bytes], int]] = {
    "one event a chunk": ([EVENT] * 2000, 2000),
    "64 KiB chunks": (cut(EVENT * 2000, 65536), 2000),
    "7 B chunks": (cut(EVENT * 100, 7), 100),
    "1 B chunks": (cut(EVENT * 100, 1), 100),
    "CRLF, one a chunk": ([CRLF] * 2000, 2000),
    "CRLF, 64 a chunk": ([CRLF * 64] * 32, 2048),
    "CRLF, 64 KiB chunks": (cut(CRLF * 2000, 65536), 2000),
    "CRLF, 1400 B chunks": (cut(CRLF * 2000, 1400), 2000),
    "CRLF, 7 B chunks": (cut(CRLF * 100, 7), 100),
    "CRLF, 1 B chunks": (cut(CRLF * 100, 1), 100),
    "named, one a chunk": ([NAMED] * 2000, 2000),
    "named, 64 KiB chunks": (cut(NAMED * 2000, 65536), 2000),
    "1 MB event, 1400 B chunks": (cut(LARGE, 1400), 1),
}


def seconds(decoder: Callable[[bytes], Feed], chunks: list[bytes], events: int, line_end: bytes) -> float:
    feed = decoder(line_end)
    start = time.perf_counter()
    count = sum([len(feed(chunk)) for chunk in chunks])
    spent = time.perf_counter() - start
    if count != events:
        raise AssertionError(f"{decoder.__name__}: {count} events, not {events}")
    return spent


def main() -> None:
    decoders = (onellm, split, find)
    print(f"{'us an event':28}" + "".join(f"{decoder.__name__:>12}" for decoder in decoders))
    for name, (chunks, events) in CASES.items():
        line_end = b"\r\n" if name.startswith("CRLF") else b"\n"
        best = dict.fromkeys(decoders, float("inf"))
        for _ in range(ROUNDS):
            for decoder in decoders:
                best[decoder] = min(best[decoder], seconds(decoder, chunks, events, line_end))
        print(f"{name:28}" + "".join(f"{best[decoder] / events * 1e6:12.2f}" for decoder in decoders))


if __name__ == "__main__":
    main()

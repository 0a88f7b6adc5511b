"""Decoders of event streams, each given the same bytes in the same slices; imports only what Python has.

`split` and `find` are what many write by hand: one kind of line end, whole `data: ` lines, no bound. The others are
those of the packages in whose environments this runs.
"""

import importlib
import time
from collections.abc import Callable, Iterable
from typing import Any

EVENT = b'data: {"id":"chatcmpl-0","choices":[{"index":0,"delta":{"content":" token"}}],"pad":"%s"}\n\n' % (b"." * 200)
STREAMS = {"LF": EVENT, "CRLF": EVENT.replace(b"\n", b"\r\n"), "named": b"event: content_block_delta\n" + EVENT}
SLICES = (1, 7, 64, len(EVENT), 1400, 4096, 16384, 65536)
LARGE = (100_000, 1_000_000)  # bytes of one event
BYTES = {1: 20_000, 7: 60_000, 64: 200_000}  # how much of a stream is decoded in slices of this size
MOST_BYTES = 600_000

Decode = Callable[[Iterable[bytes]], int]  # how many events there are


def onellm() -> Decode:
    make: Any = importlib.import_module("onellm.transport.sse").SseDecoder

    def decode(chunks: Iterable[bytes]) -> int:
        feed = make().feed
        return sum([len(feed(chunk)) for chunk in chunks])

    return decode


def split() -> Decode:
    event: Any = importlib.import_module("onellm.transport.sse").SseEvent

    def decode(chunks: Iterable[bytes]) -> int:
        count = 0
        tail = b""
        for chunk in chunks:
            *blocks, tail = (tail + chunk).split(b"\n\n")
            count += len([event(block[block.find(b"data: ") + 6 :]) for block in blocks])
        return count

    return decode


def find() -> Decode:
    event: Any = importlib.import_module("onellm.transport.sse").SseEvent

    def decode(chunks: Iterable[bytes]) -> int:
        count = searched = 0
        tail = bytearray()
        lines: list[bytes] = []
        for chunk in chunks:
            tail += chunk
            start = 0
            while (end := tail.find(b"\n", searched)) >= 0:
                if end > start:
                    lines.append(bytes(tail[start:end]))
                else:
                    event(b"\n".join([line[6:] for line in lines if line.startswith(b"data: ")]))
                    count += 1
                    lines = []
                start = searched = end + 1
            del tail[:start]
            searched = len(tail)
        return count

    return decode


def of_openai() -> Decode:
    make: Any = importlib.import_module("openai._streaming").SSEDecoder
    return lambda chunks: sum(1 for _ in make().iter_bytes(iter(chunks)))


def of_anthropic() -> Decode:
    make: Any = importlib.import_module("anthropic._streaming").SSEDecoder
    return lambda chunks: sum(1 for _ in make().iter_bytes(iter(chunks)))


def of_httpx_sse() -> Decode:
    """From the body of an answer on, as its users have it."""
    httpx: Any = importlib.import_module("httpx")
    source: Any = importlib.import_module("httpx_sse").EventSource
    headers = {"Content-Type": "text/event-stream"}
    return lambda chunks: sum(1 for _ in source(httpx.Response(200, headers=headers, content=iter(chunks))).iter_sse())


DECODERS: dict[str, tuple[str, Callable[[], Decode]]] = {
    # whose environment it runs in
    "onellm": ("onellm", onellm),
    "split": ("onellm", split),
    "find": ("onellm", find),
    "httpx-sse": ("httpx-sse", of_httpx_sse),
    "openai": ("openai", of_openai),
    "anthropic": ("anthropic", of_anthropic),
}
ONE_LINE_END = {"split", "find"}  # these know LF only


def turn(decoder: str, stream: str, size: int) -> dict[str, Any]:
    """Decode a stream in slices of `size` bytes; a stream "large N" is one event of N bytes."""
    if stream.startswith("large "):
        whole = b'data: "%s"\n\n' % (b"." * int(stream.split()[1]))
        events = 1
    else:
        event = STREAMS[stream]
        events = max(BYTES.get(size, MOST_BYTES) // len(event), 1)
        whole = event * events
    chunks = [whole[i : i + size] for i in range(0, len(whole), size)]
    decode = DECODERS[decoder][1]()
    start = time.process_time()
    count = decode(chunks)
    spent = time.process_time() - start
    if count != events:
        raise AssertionError(f"{decoder}: {count} events, not {events}")
    return {"cpu": spent, "units": len(whole) if stream.startswith("large") else events}

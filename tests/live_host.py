"""A Live session that answers each message with its own words, for pages and examples."""

import asyncio

from loopback import Recorded
from realtime_server import BINARY, Peer, echoes, talk
from wire import gemini_live as wire


async def live_host(peer: Peer) -> None:
    """Speaks and writes down what it was told; says handles, and what it counts."""
    while (event := await peer._inbox.get()) is not None:
        match event:
            case {"setup": _}:
                peer.frame(wire.SETUP_COMPLETE, BINARY)
            case {"clientContent": {"turns": [{"parts": [{"text": words}, *_]}, *_]}}:
                answer = (wire.sound(b"\x00\x01" * 240), wire.said(words), wire.GENERATED, wire.TURN_COMPLETE)
                for frame in (*answer, wire.handle("h1")):
                    peer.frame(frame, BINARY)
            case _:
                pass


async def either(request: Recorded, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The host of either protocol, by its path."""
    if "BidiGenerateContent" in request.target:
        await talk(Peer(request.target, request.headers, reader, writer), live_host)
    else:
        await echoes(request, reader, writer)

"""Claim: a realtime session adds little to each frame of sound that a bare aiohttp WebSocket would not cost.

A frame of 40 ms goes out and one comes back, in turn: the time until it is there, and the processor time of this
process; then many come at once, as an answer does: processor time a frame. Medians of some rounds in turn, in
microseconds. The host is a process of its own.

`json` is what one writes by hand: `json` and `base64` around aiohttp. `msgspec` is the least that it can cost.
"""

import asyncio
import base64
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias

import aiohttp
import msgspec
from aiohttp import web

from onellm import AsyncOneLLM, AudioDelta, ResponseDone

FRAME = bytes(1920)  # 40 ms at 24000 samples a second
TURNS = 1_000
FLOOD = 2_000
ROUNDS = 7

DELTA = {
    "type": "response.output_audio.delta",
    "event_id": "event_CCXGLfp1Zn7LGQRrVOeA9",
    "response_id": "resp_1",
    "item_id": "item_1",
    "output_index": 0,
    "content_index": 0,
    "delta": base64.b64encode(FRAME).decode(),
}
TALK = {"event_id": "ev", "response": {"id": "resp_1", "status": "completed", "output": []}}

Turn: TypeAlias = Callable[[], Awaitable[object]]
Round: TypeAlias = Callable[[str], Coroutine[Any, Any, tuple[float, float, float]]]


# --- the host ---


async def host(request: web.Request) -> web.WebSocketResponse:
    """Answers a piece of sound with one, and a wish for an answer with many."""
    ws = web.WebSocketResponse(max_msg_size=0)
    await ws.prepare(request)
    delta = json.dumps(DELTA)
    await ws.send_json({"type": "session.created", "session": {"id": "s"}})
    async for message in ws:
        if '"input_audio_buffer.append"' in message.data:
            await ws.send_str(delta)
        elif '"session.update"' in message.data:
            await ws.send_json({"type": "session.updated", "session": {"id": "s"}})
        elif '"response.create"' in message.data:
            for _ in range(FLOOD):
                await ws.send_str(delta)
            await ws.send_json({"type": "response.done", **TALK})
    return ws


async def serve() -> None:
    app = web.Application()
    app.router.add_get("/v1/realtime", host)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


# --- the clients ---


async def measured(turn: Turn, flood: Turn) -> tuple[float, float, float]:
    """Microseconds a frame: until it is back, of the processor for that, and of the processor in a flood."""
    for _ in range(50):
        await turn()
    waits: list[float] = []
    cpu = time.process_time()
    for _ in range(TURNS):
        start = time.perf_counter()
        await turn()
        waits.append(time.perf_counter() - start)
    turned = time.process_time() - cpu
    cpu = time.process_time()
    await flood()
    flooded = time.process_time() - cpu
    return statistics.median(waits) * 1e6, turned / TURNS * 1e6, flooded / FLOOD * 1e6


async def by_hand(url: str) -> tuple[float, float, float]:
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{url}/realtime", max_msg_size=0) as ws:
        await ws.receive()

        async def turn() -> None:
            await ws.send_json({"type": "input_audio_buffer.append", "audio": base64.b64encode(FRAME).decode()})
            base64.b64decode(json.loads((await ws.receive()).data)["delta"])

        async def flood() -> None:
            await ws.send_json({"type": "response.create"})
            while (event := json.loads((await ws.receive()).data))["type"] != "response.done":
                base64.b64decode(event["delta"])

        return await measured(turn, flood)


class Append(msgspec.Struct, tag_field="type", tag="input_audio_buffer.append"):
    audio: bytes


class Sound(msgspec.Struct):
    type: str
    delta: bytes = b""


async def by_msgspec(url: str) -> tuple[float, float, float]:
    encode, decode = msgspec.json.Encoder().encode, msgspec.json.Decoder(Sound).decode
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{url}/realtime", max_msg_size=0, decode_text=False) as ws,
    ):
        await ws.receive()

        async def turn() -> None:
            await ws.send_frame(encode(Append(FRAME)), aiohttp.WSMsgType.TEXT)
            decode((await ws.receive()).data)

        async def flood() -> None:
            await ws.send_frame(b'{"type":"response.create"}', aiohttp.WSMsgType.TEXT)
            while decode((await ws.receive()).data).type != "response.done":
                pass

        return await measured(turn, flood)


async def onellm(url: str) -> tuple[float, float, float]:
    async with (
        AsyncOneLLM(api_key="k", base_url=url) as client,
        client.realtime.connect(model="openai/gpt-realtime", turn_detection="none") as session,
    ):

        async def turn() -> None:
            await session.send_audio(FRAME)
            async for event in session:
                if isinstance(event, AudioDelta):
                    return

        async def flood() -> None:
            await session.send_raw({"type": "response.create"})
            async for event in session:
                if isinstance(event, ResponseDone):
                    return

        return await measured(turn, flood)


def main() -> None:
    if "--serve" in sys.argv:
        asyncio.run(serve())
        return
    command = [sys.executable, "-m", "benchmarks.realtime", "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - this file
        try:
            url = f"http://127.0.0.1:{process.stdout.readline().strip()}/v1" if process.stdout else ""
            clients: dict[str, Round] = {"aiohttp, json": by_hand, "aiohttp, msgspec": by_msgspec, "onellm": onellm}
            found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in clients}
            for _ in range(ROUNDS):
                for name, client in clients.items():
                    found[name].append(asyncio.run(client(url)))
        finally:
            process.terminate()
    print(f"{'a frame of 40 ms, µs':24}{'there and back':>16}{'processor':>12}{'in a flood':>12}")
    for name, rows in found.items():
        wait, cpu, flooded = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"{name:24}{wait:16.1f}{cpu:12.1f}{flooded:12.1f}")


if __name__ == "__main__":
    main()

"""A session whose sound is at another rate than the provider's, and what it tells of what was heard."""

import asyncio
import base64
import sys
from collections.abc import AsyncIterator
from functools import partial

import numpy as np
import pytest
from realtime_server import (
    Peer,
    RealtimeServer,
    of_response,
    ready,
    response_created,
    response_done,
    sound,
)
from voice_host import echoes, speech_started, spoken

from onellm import AsyncOneLLM, MissingDependencyError, PlaybackQueue, resampler
from onellm.resources.realtime import AsyncRealtimeSession
from onellm.types.realtime_events import AudioDelta, AudioDone, ResponseDone

pytest.importorskip("soxr")

MODEL = "openai/gpt-realtime"
OURS, THEIRS = 16_000, 24_000
TONE = (np.sin(np.arange(OURS) / 7) * 9000).astype("<i2").tobytes()  # a second of it


@pytest.fixture
async def server() -> AsyncIterator[RealtimeServer]:
    async with RealtimeServer() as running:
        yield running


@pytest.fixture
async def client(server: RealtimeServer) -> AsyncIterator[AsyncOneLLM]:
    async with AsyncOneLLM(api_key="sk-1", base_url=f"{server.url}/v1") as bound:
        yield bound


def whole(pcm: bytes, given: int, wanted: int) -> bytes:
    into = resampler(given, wanted)
    return into.feed(pcm) + into.flush()


def sent(peer: Peer) -> bytes:
    return b"".join(base64.b64decode(event["audio"]) for event in peer.received if "audio" in event)


async def said(session: AsyncRealtimeSession) -> bytes:
    """The sound of an answer, which ends before its end is told."""
    pieces: list[bytes] = []
    async with asyncio.timeout(20):
        async for event in session:
            match event:
                case AudioDelta(pcm=pcm, item_id=item_id):
                    assert item_id == "item_1"
                    pieces.append(pcm)
                case AudioDone():
                    pieces.append(b"|")
                case ResponseDone():
                    break
                case _:
                    pass
    *pieces, end = pieces
    assert end == b"|"
    return b"".join(pieces)


async def test_sound_is_converted_both_ways(server: RealtimeServer, client: AsyncOneLLM) -> None:
    """In pieces that cut samples in two; all of it, to the last sample, is there at the end of a turn."""
    server.plays(echoes)
    async with client.realtime.connect(model=MODEL, input_rate=OURS, output_rate=48_000) as session:
        assert (session.input_rate, session.output_rate) == (OURS, 48_000)
        for at in range(0, len(TONE), 777):
            await session.send_audio(memoryview(TONE)[at : at + 777])
        await session.commit()
        heard = await said(session)
    assert sent(server.peer) == whole(TONE, OURS, THEIRS)
    assert heard == whole(sent(server.peer), THEIRS, 48_000)
    assert len(heard) == 3 * len(TONE)


async def test_one_side_can_be_converted_alone(server: RealtimeServer, client: AsyncOneLLM) -> None:
    server.plays(echoes)
    async with client.realtime.connect(model=MODEL, output_rate=8000) as session:
        assert (session.input_rate, session.output_rate) == (THEIRS, 8000)
        await session.send_audio(TONE)
        await session.commit()
        assert await said(session) == whole(TONE, THEIRS, 8000)
    assert sent(server.peer) == TONE


async def test_a_turn_has_nothing_of_the_one_that_was_cut(server: RealtimeServer, client: AsyncOneLLM) -> None:
    """What was held back of an answer that was interrupted is not heard at the beginning of the next."""

    async def script(peer: Peer) -> None:
        await ready(peer)
        peer.send(response_created("resp_0"), sound(b"\xff\x7f" * 2400, "resp_0", "item_0"))
        await peer.expect("response.cancel")
        peer.send(response_done("resp_0", "cancelled"))
        peer.send(response_created(), *spoken(TONE, "Yes."), response_done())

    server.plays(script)
    async with client.realtime.connect(model=MODEL, output_rate=OURS) as session:
        async for event in session:
            if isinstance(event, AudioDelta):
                break
        await session.interrupt()
        async for event in session:
            if isinstance(event, ResponseDone):
                break
        assert await said(session) == whole(TONE, THEIRS, OURS)


async def test_sound_that_is_cleared_is_not_sent_later(server: RealtimeServer, client: AsyncOneLLM) -> None:
    async def script(peer: Peer) -> None:
        await ready(peer)
        await peer.expect(*(f"input_audio_buffer.{verb}" for verb in ("append", "clear", "append", "append", "commit")))
        peer.send(response_created(), response_done())

    server.plays(script)
    async with client.realtime.connect(model=MODEL, input_rate=OURS) as session:
        await session.send_audio(b"\xff\x7f" * 1600)
        await session.clear()
        await session.send_audio(TONE)
        await session.commit(respond=False)
        async for event in session:
            if isinstance(event, ResponseDone):
                break
    kinds = [event["type"] for event in server.peer.received]
    del server.peer.received[: kinds.index("input_audio_buffer.clear")]
    assert sent(server.peer) == whole(TONE, OURS, THEIRS)


async def test_the_extra_is_missed_before_anything_is_sent(
    server: RealtimeServer, client: AsyncOneLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not missed at the provider's own rate."""
    server.plays(ready)
    monkeypatch.setitem(sys.modules, "soxr", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "onellm\[voice\]"'):
        await client.realtime.connect(model=MODEL, input_rate=OURS)
    assert not server.peers
    async with client.realtime.connect(model=MODEL, input_rate=THEIRS, output_rate=THEIRS):
        assert len(server.peers) == 1


async def three_items(peer: Peer, *, taken: bool) -> None:
    """An answer in three items, and the user, who speaks up before or after all of it was taken."""
    await ready(peer)
    peer.send(response_created())
    for item in ("item_1", "item_2", "item_3"):
        peer.send(sound(bytes(4800), item=item), of_response("output_audio.done", item=item))
    peer.send(response_done())
    if taken:
        await peer.expect("taken")
    peer.send(speech_started())
    await peer.expect(*["conversation.item.truncate"] * (2 if taken else 3))
    peer.send(response_created("resp_2"), response_done("resp_2"))


async def hears(client: AsyncOneLLM, milliseconds: int) -> None:
    """Play some of what comes, and tell what was heard where the user speaks up."""
    async with client.realtime.connect(model=MODEL, output_rate=8000) as session:
        playback = PlaybackQueue(session.output_rate)
        async for event in session:
            if heard := playback.feed(event):
                await session.interrupt(heard=heard)
                assert not playback.playing
            match event:
                case ResponseDone(response_id="resp_1") if milliseconds:
                    playback.take(16 * milliseconds)
                    await session.send_raw({"type": "taken"})
                case ResponseDone(response_id="resp_2"):
                    break
                case _:
                    pass


def cuts(peer: Peer) -> list[tuple[str, int]]:
    return [(event["item_id"], event["audio_end_ms"]) for event in peer.received if "audio_end_ms" in event]


async def test_the_model_is_told_what_was_heard_of_each_item(server: RealtimeServer, client: AsyncOneLLM) -> None:
    """The second of three was being played: it is cut there, and the third before it began.

    All had come long before: a model speaks faster than it is heard.
    """
    server.plays(partial(three_items, taken=True))
    await hears(client, 140)
    assert cuts(server.peer) == [("item_2", 40), ("item_3", 0)]


async def test_sound_that_was_never_taken_was_not_heard(server: RealtimeServer, client: AsyncOneLLM) -> None:
    """The session drops it when the user speaks, and the model is told that too."""
    server.plays(partial(three_items, taken=False))
    await hears(client, 0)
    assert cuts(server.peer) == [("item_1", 0), ("item_2", 0), ("item_3", 0)]

"""A host of OpenAI's realtime protocol that answers by voice: what it heard comes back, with words."""

import base64
import zlib
from typing import Any

from realtime_server import Peer, of_response, ready, response_created, response_done, sound, tool_call

RATE = 24_000


async def hear(peer: Peer) -> bytes:
    """What is said, up to the end of the turn."""
    heard = b""
    while True:
        event = await peer._inbox.get()
        assert event is not None, "the client is gone in the middle of a turn"
        if event["type"] == "input_audio_buffer.commit":
            return heard
        assert event["type"] == "input_audio_buffer.append", event
        heard += base64.b64decode(event["audio"])


def committed(item: str = "user_1") -> dict[str, Any]:
    return {"type": "input_audio_buffer.committed", "event_id": "ev", "item_id": item}


def speech_started(item: str = "user_1") -> dict[str, Any]:
    return {"type": "input_audio_buffer.speech_started", "event_id": "ev", "item_id": item, "audio_start_ms": 0}


def written_down(text: str, item: str = "user_1") -> dict[str, Any]:
    """What the user said, in words."""
    kind = "conversation.item.input_audio_transcription.completed"
    return {"type": kind, "event_id": "ev", "item_id": item, "content_index": 0, "transcript": text}


def spoken(pcm: bytes, text: str, name: str = "resp_1", item: str = "item_1") -> list[dict[str, Any]]:
    """An answer by voice from its first word to its last, in pieces of a tenth of a second; not the response's end."""
    step = RATE // 10 * 2
    words = text.split(" ")
    return [
        *(sound(pcm[at : at + step], name, item) for at in range(0, len(pcm), step)),
        *(of_response("output_audio_transcript.delta", name, item, delta=word + " ") for word in words[:-1]),
        of_response("output_audio_transcript.done", name, item, transcript=text),
        of_response("output_audio.done", name, item),
    ]


async def echoes(peer: Peer) -> None:
    """One turn: it is said again, and written down only then. A function that was given is called first."""
    await ready(peer)
    heard = await hear(peer)
    await peer.expect("response.create")
    peer.send(committed(), response_created())
    tools = peer.received[0]["session"].get("tools")
    if tools:
        peer.send(*tool_call("call_1", tools[0]["name"], '{"city":"Oslo"}'), response_done())
        result = (await peer.expect("conversation.item.create", "response.create"), peer.received[-2])[1]
        peer.send(response_created("resp_2"), *spoken(heard, result["item"]["output"], "resp_2", "item_2"))
        peer.send(response_done("resp_2"))
    else:
        peer.send(*spoken(heard, f"I heard {zlib.crc32(heard):08x}."), response_done())
    peer.send(written_down("What did I say?"))


async def say_much(peer: Peer) -> None:
    """Hear something, and say 10 seconds of which about one is heard."""
    await ready(peer)
    await peer.expect("input_audio_buffer.append")
    peer.send(speech_started(), committed(), response_created())
    peer.send(*spoken(b"\x02\x20" * 10 * RATE, "A long story."), response_done(), written_down("Tell me a story."))
    await peer.expect(*["input_audio_buffer.append"] * 25)


async def interrupts(peer: Peer) -> int:
    """Have the user speak up in the midst of what is said; gives the milliseconds that were heard of it."""
    await say_much(peer)
    peer.send(speech_started("user_2"))
    while (event := await peer._inbox.get())["type"] == "input_audio_buffer.append":
        pass
    assert (event["type"], event["item_id"]) == ("conversation.item.truncate", "item_1"), event
    heard: int = event["audio_end_ms"]
    return heard

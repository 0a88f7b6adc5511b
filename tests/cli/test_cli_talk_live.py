"""`onellm talk` with a Live model: the same command, another protocol."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import ROOT, Ran, require
from realtime_server import BINARY, Peer, RealtimeServer
from wire import gemini_live as wire

from onellm import WavReader, WavWriter

Run = Callable[..., Awaitable[Ran]]
Start = Callable[..., Awaitable[asyncio.subprocess.Process]]
ANSWER = b"\x02\x20" * 24_000  # a second


@pytest.fixture
async def server(nothing_set: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RealtimeServer]:
    """Gemini, where `question.wav`, of 0.2 s, is in the working directory."""
    require("soxr", "numpy")
    async with RealtimeServer() as server:
        monkeypatch.setenv("GOOGLE_API_KEY", "g-1")
        file = nothing_set / "hosts.toml"
        file.write_text(f'[providers.google]\nbase_url = "{server.url}/v1beta"\n')
        monkeypatch.setenv("ONELLM_CONFIG", str(file))
        with WavWriter(nothing_set / "question.wav", 24_000) as recording:
            recording.write(b"\x01\x10" * 4800)
        yield server


def says(peer: Peer, *frames: bytes) -> None:
    for frame in frames:
        peer.frame(frame, BINARY)


async def hear(peer: Peer) -> bytes:
    """What is said, up to the end of the activity."""
    heard = b""
    event: Any = await peer.expect("realtimeInput")
    assert event["realtimeInput"] == {"activityStart": {}}
    while "audio" in (said := (await peer.expect("realtimeInput"))["realtimeInput"]):
        assert said["audio"]["mimeType"] == "audio/pcm;rate=24000"
        heard += base64.b64decode(said["audio"]["data"])
    assert said == {"activityEnd": {}}
    return heard


async def test_a_recording_is_answered_in_a_file(onellm: Run, server: RealtimeServer) -> None:
    """As one activity, at its own rate, which Live takes; sound and words of the answer are written."""
    heard: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.expect("setup")
        says(peer, wire.SETUP_COMPLETE)
        heard.append(await hear(peer))
        says(peer, wire.heard("What is "), wire.heard("that?"), wire.sound(ANSWER), wire.said("A tone."))
        says(peer, wire.GENERATED, wire.TURN_COMPLETE)

    server.plays(script)
    ran = await onellm("talk", "-m", "google/gemini-live", "--input", "question.wav", "--output", "answer.wav")
    assert ran == Ran(0, "you: What is that?\nmodel: A tone.\n", "onellm: answer.wav: 1.0 s\n")
    assert len(heard[0]) == 2 * 4800
    with WavReader("answer.wav") as answer:
        assert (answer.rate, b"".join(answer.pieces())) == (24_000, ANSWER)


async def test_who_speaks_over_the_model_stops_it(
    start: Start, server: RealtimeServer, nothing_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Live cuts by itself, and is told nothing; what it said next is played."""
    await asyncio.to_thread((nothing_set / "heard.pcm").write_bytes, b"\x01\x10" * 8000)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'tests' / 'scripted_sound'}")
    monkeypatch.setenv("SCRIPTED_MICROPHONE", str(nothing_set / "heard.pcm"))
    monkeypatch.setenv("SCRIPTED_SPEAKER", str(nothing_set / "played.pcm"))

    async def script(peer: Peer) -> None:
        await peer.expect("setup")
        says(peer, wire.SETUP_COMPLETE)
        await peer.expect("realtimeInput")
        says(peer, wire.heard("Tell me a story."), *[wire.sound(ANSWER)] * 10, wire.said("A long"))
        await peer.expect(*["realtimeInput"] * 25)
        says(peer, wire.INTERRUPTED, wire.TURN_COMPLETE)
        await peer.expect(*["realtimeInput"] * 25)
        says(peer, wire.heard("Stop."), wire.sound(ANSWER), wire.said("Well."), wire.GENERATED, wire.TURN_COMPLETE)
        await peer.expect(*["realtimeInput"] * 50)
        await peer.close(1000)

    server.plays(script)
    process = await start("talk", "-m", "google/gemini-live")
    out, err = await process.communicate()
    assert process.returncode == 0, err
    assert out.decode() == "you: Tell me a story.\nmodel: A long\nyou: Stop.\nmodel: Well.\n"
    assert all("audio" in event["realtimeInput"] for event in server.peer.received[1:])
    played = await asyncio.to_thread((nothing_set / "played.pcm").read_bytes)
    sounding = (len(played) - played.count(b"\0\0")) / 2 / 16_000
    assert 1 < sounding < 5  # not the 11 seconds that came

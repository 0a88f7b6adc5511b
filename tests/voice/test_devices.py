"""The microphone and the loudspeaker, with a scripted `sounddevice`."""

import asyncio
import importlib.util
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from onellm import ConfigurationError, HeardAudio, Microphone, MissingDependencyError, Speaker
from onellm.types.realtime_events import AudioDelta, AudioDone, Interrupted

SCRIPTED = Path(__file__).parents[1] / "scripted_sound" / "sounddevice.py"


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The scripted module; at the end every stream that was opened is closed."""
    spec = importlib.util.spec_from_file_location("sounddevice", SCRIPTED)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    yield module
    assert {stream.state for stream in module.opened} <= {"closed"}


async def test_a_microphone_gives_what_it_hears(sound: ModuleType) -> None:
    """At the device's own rate, one channel, in pieces of 40 ms; after the block there is nothing more."""
    microphone = Microphone()
    assert (microphone.rate, microphone.name, sound.opened) == (16_000, "scripted microphone", [])
    async with microphone:
        (stream,) = sound.opened
        assert stream.settings == {"samplerate": 16_000, "device": None, "channels": 1, "dtype": "int16"}
        assert (stream.kind, stream.state, stream.blocksize) == ("input", "started", 640)
        stream.drive(bytearray(b"one!"))
        assert await anext(microphone) == b"one!"
        waiting = asyncio.create_task(anext(microphone))
        await asyncio.sleep(0)
        stream.drive(b"two!")
        assert await waiting == b"two!"
        stream.drive(b"late")
    assert [pcm async for pcm in microphone] == []
    assert stream.state == "closed"


async def test_a_microphone_keeps_ten_seconds(sound: ModuleType) -> None:
    """Then the oldest is dropped, and counted."""
    async with Microphone(device="headset", rate=1000) as microphone:
        (stream,) = sound.opened
        assert (stream.settings["device"], stream.settings["samplerate"]) == ("headset", 1000)
        for number in range(260):
            stream.drive(number.to_bytes(2, "little") * 40)
        await asyncio.sleep(0)
        assert await anext(microphone) == (10).to_bytes(2, "little") * 40
        assert microphone.lost_ms == 400


async def test_a_microphone_that_is_unplugged_is_an_error(sound: ModuleType) -> None:
    """After what it heard."""
    async with Microphone() as microphone:
        sound.opened[0].drive(b"last")
        sound.opened[0].unplug()
        assert await anext(microphone) == b"last"
        with pytest.raises(ConfigurationError, match="the microphone 'scripted microphone' has gone"):
            await anext(microphone)


async def test_a_speaker_plays_what_is_fed(sound: ModuleType) -> None:
    """And knows what was heard of it, less what the device holds: 10 ms."""
    async with Speaker() as speaker:
        (stream,) = sound.opened
        assert (stream.kind, stream.state, speaker.playback.latency) == ("output", "started", 0.01)
        speaker.playback.feed(AudioDelta(pcm=b"ab" * 1600, item_id="i", response_id="r"))
        buffer = bytearray(640)
        stream.drive(memoryview(buffer))
        assert buffer == b"ab" * 320
        assert speaker.playback.feed(Interrupted()) == HeardAudio(item_id="i", response_id="r", played_ms=10)
        stream.drive(buffer)
        assert buffer == bytes(640)


async def test_a_speaker_is_drained_when_all_was_heard(sound: ModuleType) -> None:
    """Also what the device still holds; at once where there is nothing."""
    async with Speaker() as speaker:
        await speaker.adrain()
        speaker.playback.feed(AudioDelta(pcm=bytes(640), item_id="i", response_id="r"))
        speaker.playback.feed(AudioDone(item_id="i", response_id="r"))
        drained = asyncio.create_task(speaker.adrain())
        await asyncio.sleep(0)
        for size in (640, 160):
            sound.opened[0].drive(bytearray(size))
            await asyncio.sleep(0)
            assert not drained.done()
        sound.opened[0].drive(bytearray(160))
        await drained


async def test_a_speaker_that_is_gone_is_not_waited_for(sound: ModuleType) -> None:
    async with Speaker() as speaker:
        speaker.playback.feed(AudioDelta(pcm=bytes(640), item_id="i", response_id="r"))
        drained = asyncio.create_task(speaker.adrain())
        await asyncio.sleep(0)
        sound.opened[0].unplug()
        await drained
    await speaker.adrain()


def test_without_a_loop_a_thread_hears(sound: ModuleType) -> None:
    """Waiting for what comes, to the end of the block, or an error."""
    microphone = Microphone()
    heard: list[bytes] = []
    first = threading.Event()

    def hear() -> None:
        for pcm in microphone:
            heard.append(pcm)
            first.set()

    thread = threading.Thread(target=hear)
    with microphone:
        thread.start()
        sound.opened[0].drive(b"one!")
        assert first.wait(30)
    thread.join(30)
    assert (heard, thread.is_alive()) == ([b"one!"], False)
    with microphone:
        sound.opened[1].drive(b"two!")
        assert next(microphone) == b"two!"
        sound.opened[1].unplug()
        with pytest.raises(ConfigurationError, match="has gone"):
            next(microphone)


def test_without_a_loop_a_thread_waits_for_what_is_heard(sound: ModuleType) -> None:
    with Speaker() as speaker:
        speaker.drain()
        speaker.playback.feed(AudioDelta(pcm=bytes(640), item_id="i", response_id="r"))
        speaker.playback.feed(AudioDone(item_id="i", response_id="r"))
        thread = threading.Thread(target=speaker.drain)
        thread.start()
        sound.opened[0].drive(bytearray(800))
        assert speaker.playback.playing
        sound.opened[0].drive(bytearray(160))
        thread.join(30)
        assert not thread.is_alive()
    speaker.drain()


async def test_a_device_may_outlive_the_loop(sound: ModuleType) -> None:
    """Its thread is told nothing, for nobody is there to hear it."""

    async def open_one() -> None:
        async with Microphone():
            pass

    await asyncio.to_thread(asyncio.run, open_one())
    sound.opened[0].drive(b"ab")


@pytest.mark.parametrize("kind", [Microphone, Speaker])
async def test_no_device_is_an_error_that_says_which(
    kind: type[Microphone] | type[Speaker], sound: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = kind.__name__.lower().replace("speaker", "loudspeaker")
    monkeypatch.setenv("SCRIPTED_SOUND", f"no {name}")
    with pytest.raises(ConfigurationError, match=f"^no {name}: Error querying device -1"):
        kind()
    monkeypatch.delenv("SCRIPTED_SOUND")
    with pytest.raises(ConfigurationError, match=f"^no {name} 'none of that name': No input device matching"):
        kind(device="none of that name")
    monkeypatch.setenv("SCRIPTED_SOUND", "busy")
    with pytest.raises(ConfigurationError, match=f"^the {name} 'scripted {name}' at 16000 Hz: Device unavailable"):
        await kind().__aenter__()
    assert not sound.opened


def test_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(MissingDependencyError, match=r'need sounddevice: pip install "onellm\[voice\]"'):
        Microphone()


def test_the_error_says_that_portaudio_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On Linux the package does not bring it."""
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingDependencyError, match=r"needs PortAudio.*not found.*apt install libportaudio2"):
        Speaker()

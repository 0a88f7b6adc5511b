"""A microphone and a loudspeaker, by `sounddevice` (https://python-sounddevice.readthedocs.io)."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Literal, Protocol, Self

from onellm.errors import ConfigurationError, MissingDependencyError
from onellm.voice.playback import PlaybackQueue

_SAMPLE = 2  # bytes
_PIECE_MS = 40
_NAMES = {"input": "microphone", "output": "loudspeaker"}

# The callback of a stream: its buffer, frames in it, times, and what went wrong.
_Callback = Callable[[Any, int, object, object], None]


class _Stream(Protocol):
    """What is used of sounddevice's streams."""

    @property
    def latency(self) -> float: ...
    def start(self) -> None: ...
    def abort(self) -> None: ...
    def close(self) -> None: ...


class _OpensStream(Protocol):
    def __call__(
        self,
        *,
        samplerate: int,
        blocksize: int,
        device: int | str | None,
        channels: int,
        dtype: str,
        callback: _Callback,
        finished_callback: Callable[[], None],
    ) -> _Stream: ...


class _Backend:
    """What is used of the module."""

    def __init__(self) -> None:
        try:
            module: Any = import_module("sounddevice")
        except ImportError as exc:
            raise MissingDependencyError(
                'a microphone and a loudspeaker need sounddevice: pip install "onellm[voice]"'
            ) from exc
        except OSError as exc:
            raise MissingDependencyError(
                f"sounddevice needs PortAudio, which is not installed ({exc}): "
                "`apt install libportaudio2`, or what your system calls it"
            ) from exc
        self.query: Callable[[int | str | None, str], Mapping[str, Any]] = module.query_devices
        self.opens: dict[str, _OpensStream] = {"input": module.RawInputStream, "output": module.RawOutputStream}
        failures: tuple[type[Exception], ...] = (module.PortAudioError, ValueError)
        self.failures = failures


class _Device:
    """One direction of sound, 16-bit mono; it runs while the block lasts."""

    def __init__(self, kind: Literal["input", "output"], device: int | str | None, rate: int | None) -> None:
        self._kind: Literal["input", "output"] = kind
        self._backend = _Backend()
        self._device = device
        self._stream: _Stream | None = None
        try:
            found = self._backend.query(device, kind)
        except self._backend.failures as exc:
            raise ConfigurationError(f"no {_NAMES[kind]}{self._named}: {exc}") from exc
        self.rate = rate or round(found["default_samplerate"])
        self.name = str(found["name"])

    @property
    def _named(self) -> str:
        return "" if self._device is None else f" {self._device!r}"

    def _open(self, callback: _Callback, finished: Callable[[], None]) -> _Stream:
        try:
            self._stream = stream = self._backend.opens[self._kind](
                samplerate=self.rate,
                blocksize=self.rate * _PIECE_MS // 1000,
                device=self._device,
                channels=1,
                dtype="int16",
                callback=callback,
                finished_callback=finished,
            )
            stream.start()
        except self._backend.failures as exc:
            self._close()
            raise ConfigurationError(f"the {_NAMES[self._kind]} {self.name!r} at {self.rate} Hz: {exc}") from exc
        return stream

    def _close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.abort()
            stream.close()


class Microphone(_Device):
    """What a microphone hears, piece by piece, while the block lasts.

        async with microphone:
            async for pcm in microphone:
                await session.send_audio(pcm)

    Pieces are of 40 ms, 16-bit mono. At most 10 seconds wait; of what comes beyond, the oldest is dropped.

    device:  its number or name, as `python -m sounddevice` lists them; the system's own choice unless told otherwise
    rate:    samples a second; the device's own unless told otherwise, for not every device has others

    Raises:
        MissingDependencyError: sounddevice is not installed, or PortAudio is not.
        ConfigurationError: there is no microphone, or it cannot be opened.
    """

    def __init__(self, *, device: int | str | None = None, rate: int | None = None) -> None:
        super().__init__("input", device, rate)
        self._pieces: deque[bytes] = deque(maxlen=10_000 // _PIECE_MS)
        self._came = asyncio.Event()
        self._dropped = 0
        self._over = False

    @property
    def lost_ms(self) -> int:
        """Milliseconds of sound that nobody took in time."""
        return self._dropped * 1000 // (self.rate * _SAMPLE)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()

        def heard(buffer: Any, _frames: int, _times: object, _flags: object) -> None:
            _tell(loop, self._put, bytes(buffer))

        self._over = False
        self._open(heard, lambda: _tell(loop, self._end))
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._close()
        self._pieces.clear()
        self._end()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self._over:
                if self._stream is None:
                    raise StopAsyncIteration
                raise ConfigurationError(f"the microphone {self.name!r} has gone")
            self._came.clear()
            await self._came.wait()
        return self._pieces.popleft()

    def _put(self, pcm: bytes) -> None:
        if len(self._pieces) == self._pieces.maxlen:
            self._dropped += len(self._pieces[0])
        self._pieces.append(pcm)
        self._came.set()

    def _end(self) -> None:
        self._over = True
        self._came.set()


class Speaker(_Device):
    """Plays what a session says, while the block lasts.

        async with speaker:
            async for event in session:
                if heard := speaker.playback.feed(event):
                    await session.interrupt(heard=heard)

    playback:  what waits to be played, at `rate`
    device:    its number or name, as `python -m sounddevice` lists them; the system's own choice unless told otherwise
    rate:      samples a second; the device's own unless told otherwise, for not every device has others

    Raises:
        MissingDependencyError: sounddevice is not installed, or PortAudio is not.
        ConfigurationError: there is no loudspeaker, or it cannot be opened.
    """

    def __init__(self, *, device: int | str | None = None, rate: int | None = None) -> None:
        super().__init__("output", device, rate)
        self.playback = PlaybackQueue(self.rate)
        self._silent = asyncio.Event()
        self._awaited = False

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()

        def play(buffer: Any, _frames: int, _times: object, _flags: object) -> None:
            buffer[:] = self.playback.take(len(buffer))
            if self._awaited and not self.playback.playing:
                _tell(loop, self._silent.set)

        self.playback.latency = self._open(play, lambda: _tell(loop, self._silent.set)).latency
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._close()

    async def drain(self) -> None:
        """Wait until all that was said is heard, or the loudspeaker is gone."""
        self._silent.clear()
        self._awaited = True
        try:
            if self.playback.playing and self._stream is not None:
                await self._silent.wait()
        finally:
            self._awaited = False


def _tell(loop: asyncio.AbstractEventLoop, call: Callable[..., object], *given: object) -> None:
    """Have a call made in the loop, from the device's thread; nothing where the loop has gone before the device."""
    try:
        loop.call_soon_threadsafe(call, *given)
    except RuntimeError:
        if not loop.is_closed():
            raise

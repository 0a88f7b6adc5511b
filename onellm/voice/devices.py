"""A microphone and a loudspeaker, by `sounddevice` (https://python-sounddevice.readthedocs.io)."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Literal, Protocol, Self

from onellm.errors import ConfigurationError, MissingDependencyError
from onellm.voice.playback import PlaybackQueue

_SAMPLE = 2  # bytes
_PIECE_MS = 40
_LOOK = 0.5  # seconds between two looks of a thread that waits: on Windows Ctrl-C is seen between waits
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
    """One direction of sound, 16-bit mono; it runs while the block lasts, `with` or `async with`."""

    def __init__(self, kind: Literal["input", "output"], device: int | str | None, rate: int | None) -> None:
        self._kind: Literal["input", "output"] = kind
        self._backend = _Backend()
        self._device = device
        self._stream: _Stream | None = None
        self._over = False
        self._news = threading.Condition()  # for threads that wait
        self._bell = asyncio.Event()  # for tasks that wait
        self._loop: asyncio.AbstractEventLoop | None = None
        try:
            found = self._backend.query(device, kind)
        except self._backend.failures as exc:
            named = "" if device is None else f" {device!r}"
            raise ConfigurationError(f"no {_NAMES[kind]}{named}: {exc}") from exc
        self.rate = rate or round(found["default_samplerate"])
        self.name = str(found["name"])

    def __enter__(self) -> Self:
        self._begin(None)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._finish()

    async def __aenter__(self) -> Self:
        self._begin(asyncio.get_running_loop())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._finish()

    def _begin(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self._loop = loop
        self._over = False
        try:
            self._stream = self._backend.opens[self._kind](
                samplerate=self.rate,
                blocksize=self.rate * _PIECE_MS // 1000,
                device=self._device,
                channels=1,
                dtype="int16",
                callback=self._turn,
                finished_callback=self._end,
            )
            self._stream.start()
        except self._backend.failures as exc:
            self._finish()
            raise ConfigurationError(f"the {_NAMES[self._kind]} {self.name!r} at {self.rate} Hz: {exc}") from exc

    def _finish(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.abort()
            stream.close()
        self._end()

    def _turn(self, buffer: Any, _frames: int, _times: object, _flags: object) -> None:
        """What the device does again and again, in its own thread."""
        raise NotImplementedError  # a microphone gives, a loudspeaker takes

    def _end(self) -> None:
        self._over = True
        self._wake()

    def _wake(self) -> None:
        """Let those who wait look again; from any thread."""
        with self._news:
            self._news.notify_all()
        loop = self._loop
        if loop is None:
            return
        try:
            loop.call_soon_threadsafe(self._bell.set)
        except RuntimeError:  # the loop has gone before the device
            if not loop.is_closed():
                raise


class Microphone(_Device):
    """What a microphone hears, piece by piece, while the block lasts.

        async with microphone:
            async for pcm in microphone:
                await session.send_audio(pcm)

    Without an event loop it is `with` and `for`, in a thread of its own beside the session's events. Pieces are of
    40 ms, 16-bit mono. At most 10 seconds wait; of what comes beyond, the oldest is dropped.

    device:  its number or name, as `python -m sounddevice` lists them; the system's own choice unless told otherwise
    rate:    samples a second; the device's own unless told otherwise, for not every device has others

    Raises:
        MissingDependencyError: sounddevice is not installed, or PortAudio is not.
        ConfigurationError: there is no microphone, it cannot be opened, or it has gone.
    """

    def __init__(self, *, device: int | str | None = None, rate: int | None = None) -> None:
        super().__init__("input", device, rate)
        self._pieces: deque[bytes] = deque(maxlen=10_000 // _PIECE_MS)
        self._dropped = 0

    @property
    def lost_ms(self) -> int:
        """Milliseconds of sound that nobody took in time."""
        return self._dropped * 1000 // (self.rate * _SAMPLE)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while (piece := self._next()) is None:
            self._bell.clear()
            await self._bell.wait()
        if not piece:
            raise StopAsyncIteration
        return piece

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        with self._news:
            while (piece := self._next()) is None:
                self._news.wait(_LOOK)
        if not piece:
            raise StopIteration
        return piece

    def _next(self) -> bytes | None:
        """The next piece; None where it is to be waited for, b"" where there will be none."""
        if self._pieces:
            return self._pieces.popleft()
        if self._over and self._stream is not None:
            raise ConfigurationError(f"the microphone {self.name!r} has gone")
        return b"" if self._over else None

    def _turn(self, buffer: Any, _frames: int, _times: object, _flags: object) -> None:
        if len(self._pieces) == self._pieces.maxlen:
            self._dropped += len(buffer)
        self._pieces.append(bytes(buffer))
        self._wake()

    def _finish(self) -> None:
        super()._finish()
        self._pieces.clear()


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
        self._awaited = False

    async def adrain(self) -> None:
        """Wait until all that was said is heard, or the loudspeaker is gone."""
        while self._sounds():
            self._awaited = True
            self._bell.clear()
            await self._bell.wait()

    def drain(self) -> None:
        """Wait until all that was said is heard, or the loudspeaker is gone; for threads."""
        with self._news:
            while self._sounds():
                self._awaited = True
                self._news.wait(_LOOK)

    def _sounds(self) -> bool:
        return not self._over and self._stream is not None and self.playback.playing

    def _begin(self, loop: asyncio.AbstractEventLoop | None) -> None:
        super()._begin(loop)
        if self._stream is not None:
            self.playback.latency = self._stream.latency

    def _turn(self, buffer: Any, _frames: int, _times: object, _flags: object) -> None:
        buffer[:] = self.playback.take(len(buffer))
        if self._awaited and not self.playback.playing:
            self._awaited = False
            self._wake()

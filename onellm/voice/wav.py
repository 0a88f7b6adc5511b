"""WAV files as the sound of a session: 16-bit little-endian mono samples, piece by piece."""

import sys
import wave
from array import array
from collections.abc import Iterator
from os import PathLike, fspath
from pathlib import Path
from typing import IO, Literal, Self

from onellm.errors import InvalidRequestError

_SAMPLE = 2  # bytes
_FLIP = bytes(byte ^ 0x80 for byte in range(256))  # 8-bit samples count from 128


class WavReader:
    """A WAV file of whole-number samples, of any width, rate and number of channels, which are mixed into one.

        with WavReader("question.wav") as recording:
            async with client.realtime.connect(model=..., input_rate=recording.rate) as session:
                for pcm in recording.pieces():
                    await session.send_audio(pcm)

    rate:     samples a second
    seconds:  how long it is, as the file says

    Raises:
        OSError: the file cannot be read.
        InvalidRequestError: it is no such file.
    """

    def __init__(self, file: str | PathLike[str] | IO[bytes]) -> None:
        name, self._file, self._ours = _opened(file, "rb")
        try:
            self._wave = wave.open(self._file, "rb")  # noqa: SIM115 - closed with this
            self.rate = _rate(self._wave)
        except (wave.Error, EOFError) as exc:
            self._close()
            why = str(exc) or "it ends too soon"
            raise InvalidRequestError(f"{name} is no WAV file of whole-number samples: {why}") from exc
        self.seconds = self._wave.getnframes() / self.rate
        self._channels = self._wave.getnchannels()
        self._width = self._wave.getsampwidth()

    def pieces(self, milliseconds: int = 100) -> Iterator[bytes]:
        """The sound from where it was read to; each piece but the last is this long."""
        count = max(1, self.rate * milliseconds // 1000)
        while frames := self._wave.readframes(count):
            yield _mixed(_of_two_bytes(frames, self._width), self._channels)

    def close(self) -> None:
        """Close the file, unless it was given open."""
        self._wave.close()
        self._close()

    def _close(self) -> None:
        if self._ours:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class WavWriter:
    """A WAV file of 16-bit mono samples, written as they come; whole once it is closed.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, file: str | PathLike[str] | IO[bytes], rate: int) -> None:
        self.rate = rate
        _, self._file, self._ours = _opened(file, "wb")
        self._wave = wave.open(self._file, "wb")  # noqa: SIM115 - closed with this
        self._wave.setparams((1, _SAMPLE, rate, 0, "NONE", "not compressed"))
        self._wave.writeframesraw(b"")  # the header, so that a file without sound is one, too

    @property
    def seconds(self) -> float:
        """How much was written."""
        return self._wave.getnframes() / self.rate

    def write(self, pcm: bytes) -> None:
        """Add sound, in whole samples."""
        self._wave.writeframesraw(pcm)

    def close(self) -> None:
        """Write how long it is, and close the file, unless it was given open."""
        try:
            self._wave.close()
        finally:
            if self._ours:
                self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _opened(file: str | PathLike[str] | IO[bytes], mode: Literal["rb", "wb"]) -> tuple[str, IO[bytes], bool]:
    """The file's name, the file, and whether it was opened here."""
    if isinstance(file, str | PathLike):
        return fspath(file), Path(file).open(mode), True
    return str(getattr(file, "name", "the file")), file, False


def _rate(opened: wave.Wave_read) -> int:
    if not (rate := opened.getframerate()):
        raise wave.Error("its rate is 0")
    return rate


def _of_two_bytes(frames: bytes, width: int) -> bytes:
    """Samples of `width` bytes as samples of two: the louder bytes of each."""
    count = len(frames) // width
    frames = frames[: count * width]
    if width == _SAMPLE:
        return frames
    samples = bytearray(count * _SAMPLE)
    if width == 1:
        samples[1::2] = frames.translate(_FLIP)
    else:
        samples[0::2] = frames[width - 2 :: width]
        samples[1::2] = frames[width - 1 :: width]
    return bytes(samples)


def _mixed(pcm: bytes, channels: int) -> bytes:
    """The mean of the channels, whose samples take turns."""
    if channels == 1:
        return pcm
    samples = array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    of_each = [samples[channel::channels] for channel in range(channels)]
    mixed = array("h", [sum(together) // channels for together in zip(*of_each, strict=False)])  # a cut frame is left
    if sys.byteorder == "big":
        mixed.byteswap()
    return mixed.tobytes()

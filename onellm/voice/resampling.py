"""Sound at another rate, piece by piece, by `soxr` (https://github.com/dofuuz/python-soxr)."""

from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from onellm.errors import InvalidRequestError, MissingDependencyError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SAMPLE = 2  # bytes
_QUALITY = "HQ"  # of soxr's five; holds back at most 40 ms of sound at 16 kHz and above, 75 ms at 8 kHz


class _Stream(Protocol):
    """What is used of `soxr.ResampleStream`."""

    def resample_chunk(self, x: "NDArray[np.float32]", last: bool, /) -> "NDArray[np.float32]": ...
    def clear(self) -> None: ...


def resampler(from_rate: int, to_rate: int) -> "Resampler":
    """What turns sound of one rate into sound of another. Equal rates need no extra.

    Raises:
        InvalidRequestError: a rate is not above 0.
        MissingDependencyError: soxr or numpy is not installed.
    """
    for name, rate in (("from_rate", from_rate), ("to_rate", to_rate)):
        if rate <= 0:
            raise InvalidRequestError(f"{name}: {rate} is no rate: samples a second, above 0")
    return Resampler(from_rate, to_rate, _stream(from_rate, to_rate) if from_rate != to_rate else None)


def _stream(from_rate: int, to_rate: int) -> _Stream:
    try:
        import_module("numpy")
        made: _Stream = import_module("soxr").ResampleStream(from_rate, to_rate, 1, dtype="float32", quality=_QUALITY)
    except ImportError as exc:
        raise MissingDependencyError(
            f'sound at {from_rate} Hz becomes sound at {to_rate} Hz by soxr: pip install "onellm[voice]"'
        ) from exc
    return made


class Resampler:
    """Made by `resampler`: 16-bit little-endian mono samples in and out, cut anywhere, also inside a sample.

    What comes of all pieces is what would come of the whole, however it was cut. The filter looks ahead, so `feed`
    holds back some sound, and gives nothing where a piece is short; `flush` gives the rest.
    """

    def __init__(self, from_rate: int, to_rate: int, stream: _Stream | None) -> None:
        self.from_rate = from_rate
        self.to_rate = to_rate
        self._stream = stream
        self._rest = b""  # half a sample, or nothing

    def feed(self, pcm: bytes | bytearray | memoryview) -> bytes:
        """What can be said already about sound that goes on."""
        if self._rest:
            pcm = self._rest + pcm
        whole = len(pcm) - len(pcm) % _SAMPLE
        self._rest = bytes(pcm[whole:])
        if self._rest:
            pcm = pcm[:whole]
        return _run(self._stream, pcm, last=False) if self._stream is not None and pcm else bytes(pcm)

    def flush(self) -> bytes:
        """The rest of the sound, which is over; half a sample at its end is dropped. Other sound may begin then."""
        self._rest = b""
        if self._stream is None:
            return b""
        rest = _run(self._stream, b"", last=True)
        self._stream.clear()
        return rest

    def reset(self) -> None:
        """Forget what was held back: what comes next is other sound."""
        self._rest = b""
        if self._stream is not None:
            self._stream.clear()


def _run(stream: _Stream, pcm: bytes | bytearray | memoryview, *, last: bool) -> bytes:
    import numpy as np  # noqa: PLC0415 - an extra; there is a stream, so it is installed

    # As floats: soxr dithers its whole numbers, so that the same sound would not give the same twice.
    out = stream.resample_chunk(np.frombuffer(pcm, "<i2").astype(np.float32), last)
    return np.clip(np.rint(out), -32_768, 32_767).astype("<i2").tobytes()

"""WAV files in and out."""

import io
import struct
import wave
from pathlib import Path

import pytest

from onellm import InvalidRequestError, WavReader, WavWriter


def wav(samples: bytes, *, rate: int = 16_000, channels: int = 1, width: int = 2) -> io.BytesIO:
    """A file as others write it."""
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(channels)
        written.setsampwidth(width)
        written.setframerate(rate)
        written.writeframes(samples)
    file.seek(0)
    return file


def read(file: io.BytesIO) -> list[int]:
    with WavReader(file) as recording:
        pcm = b"".join(recording.pieces())
    return list(struct.unpack(f"<{len(pcm) // 2}h", pcm))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """In pieces of the length that was asked for, the last one with what is left."""
    sound = struct.pack("<5h", 1, -2, 300, 32_767, -32_768) * 500
    file = tmp_path / "said.wav"
    with WavWriter(file, 8_000) as written:
        written.write(sound[:1000])
        written.write(sound[1000:])
        assert written.seconds == 2500 / 8_000
    with wave.open(str(file)) as plain:
        assert plain.getparams()[:4] == (1, 2, 8_000, 2500)
    with WavReader(str(file)) as recording:
        assert (recording.rate, recording.seconds) == (8_000, 2500 / 8_000)
        pieces = list(recording.pieces(100))
    assert [len(piece) for piece in pieces] == [1600, 1600, 1600, 200]
    assert b"".join(pieces) == sound


def test_a_file_without_sound_is_one(tmp_path: Path) -> None:
    with WavWriter(tmp_path / "empty.wav", 24_000):
        pass
    with WavReader(tmp_path / "empty.wav") as recording:
        assert (list(recording.pieces()), recording.rate, recording.seconds) == ([], 24_000, 0)


def test_a_file_that_was_given_open_stays_open() -> None:
    file = io.BytesIO()
    with WavWriter(file, 24_000) as written:
        written.write(b"\1\0\2\0")
    file.seek(0)
    assert read(file) == [1, 2]
    assert not file.closed


@pytest.mark.parametrize(
    ("width", "samples"),
    [
        (1, bytes([0, 128, 255])),
        (2, struct.pack("<3h", -32_768, 0, 32_512)),
        (3, b"\xff\x00\x80" + b"\xff\x00\x00" + b"\xff\x00\x7f"),
        (4, struct.pack("<3i", -(2**31), 1000, 127 << 24)),
    ],
)
def test_samples_of_any_width(width: int, samples: bytes) -> None:
    """Their louder 16 bits: the silent, the loudest and the middle."""
    assert read(wav(samples, width=width)) == pytest.approx([-32_768, 0, 32_512], abs=1)


def test_channels_are_mixed() -> None:
    """To their mean, which cannot be too loud."""
    stereo = struct.pack("<6h", 32_767, 32_767, 100, -300, -32_768, -32_768)
    assert read(wav(stereo, channels=2)) == [32_767, -100, -32_768]
    assert read(wav(struct.pack("<6h", 1, 2, 3, 30, 30, 33), channels=3)) == [2, 31]


def test_a_file_that_is_cut_is_read_to_there() -> None:
    """Also inside a sample, and where the header says that there is more."""
    whole = wav(struct.pack("<4h", 1, 2, 3, 4), channels=2).getvalue()
    assert read(io.BytesIO(whole[:-1])) == [1]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it ends too soon"),
        (b"ID3\x04" + bytes(60), "file does not start with RIFF id"),
        (wav(b"").getvalue()[:20], "it ends too soon"),
        (wav(b"").getvalue()[:36], "missing"),
        (wav(b"").getvalue().replace(b"\x01\x00\x01\x00", b"\x03\x00\x01\x00"), "unknown format: 3"),
        (wav(b"").getvalue().replace(struct.pack("<I", 16_000), bytes(4)), "its rate is 0"),
    ],
)
def test_what_is_no_wav_file_is_refused(content: bytes, why: str, tmp_path: Path) -> None:
    """With the file's name; the file is closed."""
    file = tmp_path / "sound.wav"
    file.write_bytes(content)
    with pytest.raises(InvalidRequestError, match=f"sound.wav is no WAV file of whole-number samples: .*{why}"):
        WavReader(file)


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        WavReader(tmp_path / "none.wav")
    with pytest.raises(IsADirectoryError):
        WavWriter(tmp_path, 24_000)

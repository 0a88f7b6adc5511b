"""Sound at another rate: the same tone, as long, however it was cut."""

import itertools
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from onellm import InvalidRequestError, MissingDependencyError
from onellm.voice.resampling import Resampler, resampler

RATES = [(16_000, 24_000), (48_000, 24_000), (44_100, 24_000), (24_000, 44_100), (8_000, 24_000), (24_000, 8_000)]
every_pair = pytest.mark.parametrize(("from_rate", "to_rate"), RATES)


def tone(rate: int, seconds: float = 1.0, hertz: float = 440.0) -> bytes:
    """A tone at half the loudest."""
    times = np.arange(round(rate * seconds)) / rate
    return (np.sin(2 * np.pi * hertz * times) * 16_000).astype("<i2").tobytes()


def samples(pcm: bytes) -> NDArray[np.float64]:
    return np.frombuffer(pcm, "<i2").astype(np.float64)


def through(into: Resampler, *pieces: bytes) -> bytes:
    return b"".join(map(into.feed, pieces)) + into.flush()


@every_pair
def test_a_tone_stays_that_tone_and_as_long(from_rate: int, to_rate: int) -> None:
    """Its length is right to a sample, and away from its ends each sample is right to a thousandth."""
    out = samples(through(resampler(from_rate, to_rate), tone(from_rate)))
    assert abs(len(out) - to_rate) <= 1
    expected = samples(tone(to_rate))
    middle = slice(to_rate // 10, -to_rate // 10)
    assert np.abs(out[middle] - expected[middle]).max() < 16
    strongest = np.abs(np.fft.rfft(out[:to_rate])).argmax() * to_rate / len(out)
    assert strongest == pytest.approx(440, abs=1)


def test_what_the_new_rate_cannot_hold_is_filtered_out() -> None:
    """A tone of 10 kHz would be heard as another at 8,000 samples a second."""
    out = samples(through(resampler(24_000, 8_000), tone(24_000, hertz=10_000)))
    assert np.abs(out[800:-800]).max() < 16


def test_what_would_be_too_loud_is_as_loud_as_can_be() -> None:
    """A filter overshoots at steps; a sample that wrapped around would be a crack."""
    steps = np.tile(np.repeat(np.array([32_767, -32_768], "<i2"), 20), 100)
    out = samples(through(resampler(16_000, 48_000), steps.tobytes())).reshape(-1, 60)[10:-10]
    assert (out[0::2, 5:-5] > 25_000).all()
    assert (out[1::2, 5:-5] < -25_000).all()
    assert out.max() == 32_767


@every_pair
def test_pieces_are_the_whole(from_rate: int, to_rate: int) -> None:
    """Of 20 ms, as they come from a microphone, and of 333 bytes, which cut samples in two."""
    sound = tone(from_rate)
    whole = through(resampler(from_rate, to_rate), sound)
    for size in (from_rate // 25, 333):
        pieces = [sound[at : at + size] for at in range(0, len(sound), size)]
        assert through(resampler(from_rate, to_rate), *pieces) == whole


@given(st.lists(st.integers(0, 4000)), st.sampled_from([(16_000, 24_000), (24_000, 8_000), (24_000, 24_000)]))
def test_where_the_pieces_are_cut_does_not_matter(cuts: list[int], rates: tuple[int, int]) -> None:
    sound = tone(rates[0], 0.1)
    edges = [0, *sorted(cuts), len(sound)]
    pieces = [sound[first:last] for first, last in itertools.pairwise(edges)]
    assert through(resampler(*rates), *pieces) == through(resampler(*rates), sound)


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_any_buffer_is_sound(kind: type[bytearray] | type[memoryview]) -> None:
    """A sound card's, for one, which is used again."""
    sound = tone(16_000, 0.1)
    for rates in ((16_000, 24_000), (16_000, 16_000)):
        into = resampler(*rates)
        pieces = [into.feed(kind(sound[:777])), into.feed(kind(sound[777:])), into.flush()]
        assert b"".join(pieces) == through(resampler(*rates), sound)


def test_sound_comes_out_while_it_goes_in() -> None:
    """No more than 40 ms is held back."""
    into = resampler(16_000, 24_000)
    given_out = 0
    for number in range(1, 51):
        given_out += len(into.feed(bytes(640)))  # 20 ms
        assert number * 0.02 - given_out / 48_000 < 0.04


def test_after_a_flush_other_sound_begins() -> None:
    """Nothing of the first is in the second, and half a sample at the end of the first does not shift it."""
    into = resampler(16_000, 24_000)
    first = through(into, tone(16_000) + b"\x01")
    assert through(into, tone(16_000)) == first
    assert into.flush() == b""


def test_a_reset_forgets_what_was_held_back() -> None:
    into = resampler(16_000, 24_000)
    into.feed(tone(16_000, hertz=100) + b"\x01")
    into.reset()
    assert through(into, tone(16_000)) == through(resampler(16_000, 24_000), tone(16_000))
    into = resampler(8_000, 8_000)
    into.feed(b"\x01")
    into.reset()
    assert into.feed(b"ab") == b"ab"


def test_equal_rates_give_whole_samples_and_need_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soxr", None)
    into = resampler(24_000, 24_000)
    assert [into.feed(piece) for piece in (b"a", b"bc", b"", b"def")] == [b"", b"ab", b"", b"cdef"]
    assert into.feed(b"g") == b""
    assert into.flush() == b""
    assert (into.from_rate, into.to_rate) == (24_000, 24_000)


@pytest.mark.parametrize("missing", ["soxr", "numpy"])
def test_the_error_names_the_extra(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingDependencyError, match=r'16000 Hz .* 24000 Hz by soxr: pip install "onellm\[voice\]"'):
        resampler(16_000, 24_000)


@pytest.mark.parametrize(("rates", "name"), [((0, 24_000), "from_rate"), ((24_000, -1), "to_rate")])
def test_a_rate_is_above_nothing(rates: tuple[int, int], name: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"^{name}: "):
        resampler(*rates)

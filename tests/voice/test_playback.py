"""The play queue: what a loudspeaker gets, and what was heard when the user speaks up."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onellm import HeardAudio, InvalidRequestError, PlaybackQueue
from onellm.types.realtime_events import (
    AudioDelta,
    AudioDone,
    InputSpeechStarted,
    Interrupted,
    RealtimeEvent,
    ResponseDone,
    TextDelta,
)

RATE = 1000  # a sample a millisecond


def sound(milliseconds: int, byte: bytes = b"s", item: str | None = "item_1", response: str = "resp_1") -> AudioDelta:
    return AudioDelta(pcm=byte * 2 * milliseconds, item_id=item, response_id=response)


def over(item: str | None = "item_1", response: str = "resp_1") -> AudioDone:
    return AudioDone(item_id=item, response_id=response)


def playing(*events: RealtimeEvent, latency: float = 0.0, longest: float = 600.0) -> PlaybackQueue:
    playback = PlaybackQueue(RATE, latency=latency, longest=longest)
    for event in events:
        assert playback.feed(event) is None
    return playback


def test_sound_is_played_in_order_and_then_there_is_silence() -> None:
    """Whatever sizes it comes and goes in."""
    playback = playing(sound(3, b"a"), sound(1, b"b"), sound(2, b"c"))
    assert playback.waiting_ms == 6
    assert playback.take(4) == b"aaaa"
    assert playback.take(6) == b"aabbcc"
    assert playback.take(6) == b"cc\0\0\0\0"
    assert playback.take(2) == b"\0\0"
    assert playback.waiting_ms == 0


def test_what_was_heard_is_what_was_taken() -> None:
    """The rest is dropped, and so is what still comes of the turn; the next turn is played."""
    playback = playing(sound(500))
    playback.take(2 * 120)
    assert playback.feed(Interrupted(item_id="item_1", response_id="resp_1")) == HeardAudio(
        item_id="item_1", response_id="resp_1", played_ms=120
    )
    assert not playback.playing
    assert playback.feed(sound(300)) is None
    assert playback.take(2) == b"\0\0"
    playback.feed(sound(1, b"n", "item_2", "resp_2"))
    assert playback.take(2) == b"nn"


@pytest.mark.parametrize("event", [Interrupted(), InputSpeechStarted()])
def test_nothing_is_cut_where_nothing_is_played(event: RealtimeEvent) -> None:
    """Neither at first, nor the second time, nor when all of it was heard."""
    playback = playing(event, sound(10))
    assert playback.feed(event) == HeardAudio(item_id="item_1", response_id="resp_1", played_ms=0)
    assert playback.feed(event) is None
    playback.feed(sound(10, item="item_2"))
    playback.feed(over("item_2"))
    playback.take(20)
    assert playback.feed(event) is None


def test_the_model_speaks_on_where_speech_does_not_interrupt_it() -> None:
    playback = playing(sound(500), InputSpeechStarted(interrupts=False))
    assert playback.waiting_ms == 500


def test_sound_that_is_late_is_still_awaited() -> None:
    """All that came was heard, but the item has not ended: it is cut off there, and silence is not counted."""
    playback = playing(sound(10))
    playback.take(2 * 50)
    playback.feed(sound(10))
    playback.take(2 * 50)
    assert playback.feed(InputSpeechStarted()) == HeardAudio(item_id="item_1", response_id="resp_1", played_ms=20)


def test_what_the_loudspeaker_holds_is_not_heard_yet() -> None:
    """With 40 ms between the queue and the ear."""
    playback = playing(sound(100), over(), latency=0.04)
    playback.take(2 * 30)
    assert playback.playing
    playback.take(2 * 70)
    assert playback.feed(Interrupted()) == HeardAudio(item_id="item_1", response_id="resp_1", played_ms=60)
    playback = playing(sound(100), over(), latency=0.04)
    playback.take(2 * 139)
    assert playback.playing
    playback.take(2)
    assert not playback.playing
    assert playback.feed(Interrupted()) is None


def test_what_waited_behind_it_was_not_heard() -> None:
    """A response of two items, and the answer after a tool: the first is cut, the others are named."""
    playback = playing(
        sound(10, b"a"), over(), sound(10, b"b", "item_2"), over("item_2"), sound(10, b"c", "item_3", "resp_2")
    )
    assert playback.take(30) == b"a" * 20 + b"b" * 10
    assert playback.feed(InputSpeechStarted()) == HeardAudio(
        item_id="item_2", response_id="resp_1", played_ms=5, unheard=("item_3",)
    )
    for item in ("item_2", "item_3"):
        assert playback.feed(sound(1, item=item)) is None
    assert playback.take(2) == b"\0\0"


def test_an_item_whose_end_was_not_said_ends_where_the_next_begins() -> None:
    playback = playing(sound(10), sound(10, b"b", "item_2"))
    playback.take(30)
    heard = playback.stop()
    assert heard == HeardAudio(item_id="item_2", response_id="resp_1", played_ms=5)


def test_an_item_that_was_cut_before_it_came_was_not_heard() -> None:
    """The session dropped its sound with its queue. One that was heard to its end is another matter."""
    playback = playing(sound(10), over())
    playback.take(20)
    assert playback.feed(Interrupted(item_id="item_1", response_id="resp_1")) is None
    assert playback.feed(Interrupted(item_id="item_2", response_id="resp_2")) == HeardAudio(
        item_id="item_2", response_id="resp_2", played_ms=0
    )
    assert playback.feed(Interrupted(item_id="item_2", response_id="resp_2")) is None
    assert playback.feed(sound(10, item="item_2", response="resp_2")) is None
    assert playback.waiting_ms == 0


def test_items_without_ids_are_told_apart_by_their_response() -> None:
    playback = playing(sound(10, item=None), ResponseDone(response_id="resp_1"))
    playback.take(20)
    assert playback.feed(Interrupted()) is None
    playback.feed(sound(10, item=None, response="resp_2"))
    assert playback.feed(Interrupted()) == HeardAudio(item_id=None, response_id="resp_2", played_ms=0)
    playback.feed(sound(10, item=None, response="resp_2"))
    assert playback.waiting_ms == 0


def test_other_events_are_no_matter() -> None:
    playback = playing(sound(1), TextDelta(text="s", response_id="resp_1"), over("another"))
    assert playback.waiting_ms == 1


def test_half_a_sample_waits_for_its_other_half() -> None:
    """Silence that came between them would make noise of all that follows."""
    playback = playing(AudioDelta(pcm=b"abc", response_id="resp_1"))
    assert playback.take(4) == b"ab\0\0"
    playback.feed(AudioDelta(pcm=b"d", response_id="resp_1"))
    assert playback.take(4) == b"cd\0\0"


def test_no_more_is_kept_than_was_allowed() -> None:
    """What is beyond is counted, and once there is room again, sound is kept."""
    playback = playing(sound(60), sound(60), longest=0.1)
    assert (playback.waiting_ms, playback.lost_ms) == (100, 20)
    playback.take(100)
    playback.feed(sound(10))
    assert (playback.waiting_ms, playback.lost_ms) == (60, 20)


def test_a_rate_is_above_nothing() -> None:
    with pytest.raises(InvalidRequestError, match=r"^rate: 0 "):
        PlaybackQueue(0)


@given(st.lists(st.integers(0, 50), max_size=20), st.lists(st.integers(1, 50), max_size=20), st.integers(0, 60))
def test_what_is_taken_is_what_came_and_heard_is_never_more(pieces: list[int], takes: list[int], latency: int) -> None:
    """Where sound never runs out, all that is played is a beginning of what came; heard is that less the latency."""
    playback = playing(latency=latency / 1000)
    came = bytes(number % 251 for number in range(2 * sum(pieces)))
    at = 0
    for piece in pieces:
        playback.feed(AudioDelta(pcm=came[at : at + 2 * piece], item_id="i", response_id="r"))
        at += 2 * piece
    played = b"".join(playback.take(2 * size) for size in takes)
    assert played == came[: len(played)].ljust(len(played), b"\0")
    taken = min(sum(takes), sum(pieces))
    heard = playback.stop()
    assert (heard.played_ms if heard else 0) == max(0, min(taken, sum(takes) - latency))


def test_a_thread_may_take_while_another_feeds() -> None:
    """All of the sound comes out once, in order, with silence between."""
    playback = PlaybackQueue(RATE)
    numbers = [number.to_bytes(2, "little") for number in range(1, 5001)]
    played: list[bytes] = []

    def take() -> None:
        while len(played) < len(numbers):
            taken = playback.take(64)
            played.extend(taken[at : at + 2] for at in range(0, 64, 2) if taken[at : at + 2] != b"\0\0")

    speaker = threading.Thread(target=take)
    speaker.start()
    for number in numbers:
        playback.feed(AudioDelta(pcm=number, item_id="i", response_id="r"))
    speaker.join(30)
    assert played == numbers

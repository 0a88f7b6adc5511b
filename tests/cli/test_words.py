"""The lines of a conversation by voice."""

from typing import Literal

import pytest

from onellm.cli._words import Words
from onellm.types.realtime_events import (
    AudioDelta,
    InputCommitted,
    RealtimeEvent,
    ResponseDone,
    TextDelta,
    TextDone,
    TranscriptDelta,
    TranscriptDone,
)


def heard(text: str, item: str | None = "u1", *, cumulative: bool = False) -> TranscriptDelta:
    return TranscriptDelta(role="user", text=text, item_id=item, cumulative=cumulative)


def said(text: str, item: str = "a1", response: str = "r1") -> TranscriptDelta:
    return TranscriptDelta(role="assistant", text=text, item_id=item, response_id=response)


ASKED = TranscriptDone(role="user", text="Hello?", item_id="u1")
ANSWERED = TranscriptDone(role="assistant", text="Hi there.", item_id="a1", response_id="r1")
CASES: dict[str, tuple[list[RealtimeEvent | Literal["close"]], str]] = {
    "in order": (
        [InputCommitted(item_id="u1"), heard("Hel"), ASKED, said("Hi"), ANSWERED],
        "user: Hello? / assistant: Hi there.",
    ),
    "the question after the answer": (
        [InputCommitted(item_id="u1"), said("Hi there."), ANSWERED, ResponseDone(response_id="r1"), ASKED],
        "user: Hello? / assistant: Hi there.",
    ),
    "a question that was not understood": (
        [InputCommitted(item_id="u1"), ANSWERED, TranscriptDone(role="user", text="", error="no", item_id="u1")],
        "assistant: Hi there.",
    ),
    "a question that nobody wrote down": (
        [InputCommitted(item_id="u0"), ANSWERED, InputCommitted(item_id="u1"), ASKED],
        "assistant: Hi there. / user: Hello?",
    ),
    "words that revise those before": (
        [heard("Hallo", cumulative=True), heard("Hello", cumulative=True), ANSWERED, "close"],
        "user: Hello… / assistant: Hi there.",
    ),
    "cut short": (
        [said("I was going to"), ResponseDone(response_id="r1", status="cancelled"), said("Yes", "a2", "r2"), "close"],
        "assistant: I was going to… / assistant: Yes…",
    ),
    "cut before a word": ([said(""), ResponseDone(response_id="r1", status="cancelled"), "close"], ""),
    "text": (
        [*(TextDelta(text=text, response_id="r1") for text in "ok"), TextDone(text="ok", response_id="r1")],
        "assistant: ok",
    ),
    "turns without ids": (
        [
            TranscriptDelta(role="user", text="One"),
            TranscriptDone(role="user", text="One"),
            TranscriptDelta(role="user", text="Two"),
            TranscriptDone(role="user", text="Two"),
            AudioDelta(pcm=b"", response_id="r1"),
        ],
        "user: One / user: Two",
    ),
}


@pytest.mark.parametrize(("events", "lines"), CASES.values(), ids=CASES)
def test_lines(events: list[RealtimeEvent | Literal["close"]], lines: str) -> None:
    """Each turn a line, in the order of the turns; what was cut ends in an ellipsis."""
    given: list[str] = []
    words = Words(lambda role, text: given.append(f"{role}: {text}"))
    for event in events:
        if isinstance(event, str):
            words.close()
        else:
            words.feed(event)
    assert " / ".join(given) == lines


def test_the_words_of_a_question_are_waited_for() -> None:
    words = Words(lambda *_: None)
    assert not words.waiting
    words.feed(InputCommitted(item_id="u1"))
    words.feed(ANSWERED)
    assert words.waiting
    words.feed(ASKED)
    assert not words.waiting

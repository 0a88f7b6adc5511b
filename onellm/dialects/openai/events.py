"""Streams of events whose `type` stands in their JSON: audio and images.

https://platform.openai.com/docs/api-reference/audio/transcript-text-delta-event and …/images-streaming
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

from onellm.dialects import errors, lenient
from onellm.dialects.error_in_answer import is_error
from onellm.dialects.lenient import DECODE_ERRORS
from onellm.errors import APIStatusError, OneLLMError, ResponseDecodeError, StreamInterruptedError
from onellm.transport.sse import EventTooLargeError, SseDecoder
from onellm.types.base import Answer
from onellm.types.request import Request

if TYPE_CHECKING:
    import msgspec

AnswerT = TypeVar("AnswerT", bound=Answer)
EventT = TypeVar("EventT", bound=Answer)
T = TypeVar("T")


def decode(body: bytes, decoder: "msgspec.json.Decoder[T]", what: str) -> T:
    """A body or an event by its decoder; without the fields that do not fit where some do not.

    Raises:
        ResponseDecodeError: it is no JSON object; `what` says what was expected.
    """
    try:
        return decoder.decode(body)
    except DECODE_ERRORS:
        return lenient.convert(lenient.decode_json(body, what), decoder.type, what)


def has_error(data: bytes) -> bool:
    """Whether JSON that came with status 200 is an error all the same."""
    return b'"error"' in data and is_error(data)


class EventReducer(Generic[EventT, AnswerT]):
    """Folds one stream. A subclass reads its own events, and says what they add up to."""

    def __init__(self, request: Request, codes: Mapping[str, type[APIStatusError]], decoder: SseDecoder) -> None:
        self.error: OneLLMError | None = None
        self.finished = False
        self._request = request
        self._codes = codes
        self._decoder = decoder

    def feed(self, data: bytes) -> list[EventT]:
        events: list[EventT] = []
        try:
            for event in self._decoder.feed(data):
                if event.data.startswith(b"[DONE]"):
                    self.finished = True
                    events.extend(self.end())
                elif event.event == "error" or has_error(event.data):
                    raise errors.decode_error(200, {}, event.data, now=0.0, codes=self._codes)
                else:
                    events.extend(self.read(event.data))
                if self.finished:
                    break
            if self._decoder.error is not None and not self.finished:  # not to be waited for
                self.error = ResponseDecodeError(str(self._decoder.error))
        except EventTooLargeError as exc:
            self.error = ResponseDecodeError(str(exc))
        except OneLLMError as exc:
            self.error = exc
        return events

    def close(self) -> AnswerT:
        if self.error is not None:
            raise self.error
        if not self.finished:
            raise StreamInterruptedError(
                "the stream ended before its last event; what came until then may be cut short",
                provider=self._request.provider,
                model=self._request.model,
            )
        return self.whole()

    def read(self, data: bytes) -> list[EventT]:
        """One event's JSON; an event of an unknown type is none."""
        raise NotImplementedError  # a subclass knows its own events

    def end(self) -> list[EventT]:
        """What is still to be said when `[DONE]` comes."""
        return []

    def whole(self) -> AnswerT:
        """What the events add up to."""
        raise NotImplementedError  # a subclass knows its own events

"""What the hooks of a client are told. No event holds a key."""

from typing import Any

from msgspec import Struct

from onellm.errors import OneLLMError
from onellm.types.request import Request


class CallEvent(Struct, frozen=True, kw_only=True):
    """What every event says.

    operation:  what was called: "chat.completions.create"
    provider:   the name of the one it is about
    model:      its own model id; "" where the call has none
    stream:     whether the answer is read as it comes
    attempt:    which request of the call it is, from 1, those to other providers counted
    """

    operation: str
    provider: str
    model: str
    stream: bool
    attempt: int


class RequestEvent(CallEvent, frozen=True, kw_only=True):
    """A request is about to be sent. `request` is what it asks, where that is more than an id."""

    request: Request | None


class ResponseEvent(CallEvent, frozen=True, kw_only=True):
    """A call has its answer, and a stream its end.

    answer:   the whole answer; bytes that are read as they come have just begun
    seconds:  since the call began
    """

    answer: Any
    seconds: float


class RetryEvent(CallEvent, frozen=True, kw_only=True):
    """A request has failed, and another follows.

    error:  why
    wait:   seconds until the next
    next:   who is asked then, as "provider/model"
    """

    error: OneLLMError
    wait: float
    next: str


class ErrorEvent(CallEvent, frozen=True, kw_only=True):
    """A call has failed for good, or a stream has broken off. `attempt` is how many requests there were."""

    error: OneLLMError
    seconds: float

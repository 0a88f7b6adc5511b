"""Responses as they are received: whole, and as a stream of typed events.

An item is decoded once, by the class that its `type` names, and keeps the bytes it came as.
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import msgspec
from msgspec import Raw, Struct, field, structs

from onellm.dialects import errors, lenient
from onellm.dialects.error_in_answer import is_error
from onellm.dialects.lenient import DECODE_ERRORS
from onellm.dialects.openai.lists import Paging
from onellm.dialects.sse_reducer import interrupted
from onellm.errors import APIStatusError, OneLLMError, ResponseDecodeError
from onellm.transport.sse import EventTooLargeError, SseDecoder
from onellm.types.base import Answer
from onellm.types.pages import Listing
from onellm.types.request import Request
from onellm.types.response_events import (
    EVENTS,
    ResponseEventWithItem,
    ResponseEventWithResponse,
    ResponseStreamEvent,
    ResponseUnknownEvent,
)
from onellm.types.response_items import ITEMS, ResponseItem, ResponseOutputItem, ResponseUnknownItem
from onellm.types.responses import InputTokenCountResponse, Response, ResponseDeleted

T = TypeVar("T")
A = TypeVar("A", bound=Answer)
Codes = Mapping[str, type[APIStatusError]]

TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
_OPAQUE = ("output", "item", "response")  # fields that hold what is decoded by a type of its own


class _Typed(Struct):
    type: str = ""


_decode_type = msgspec.json.Decoder(_Typed).decode
_decoders: dict[type, Callable[[bytes | Raw], Any]] = {}  # made when their type first comes


def _decoder(cls: type[T]) -> Callable[[bytes | Raw], T]:
    found = _decoders.get(cls)
    if found is None:
        found = _decoders[cls] = msgspec.json.Decoder(cls, strict=False).decode
    return found


def _type(data: bytes | Raw) -> str:
    try:
        return _decode_type(data).type
    except DECODE_ERRORS:
        return ""


def _decode(data: bytes | Raw, cls: type[T], what: str) -> T:
    """JSON as one of the received types; without the fields that do not fit where some do not.

    Raises:
        ResponseDecodeError: it is no JSON object.
    """
    try:
        return _decoder(cls)(data)
    except DECODE_ERRORS:
        value = lenient.decode_json(bytes(data), what)
    opaque = {name: value.pop(name) for name in _OPAQUE if name in value} if isinstance(value, dict) else {}
    if issubclass(cls, ResponseItem):
        value |= opaque
        return lenient.convert(value, cls, what)
    found = lenient.convert(value, cls, what)
    for name, given in opaque.items():
        if name in cls.__struct_fields__:  # type: ignore[attr-defined] # all received types are Structs
            as_items = isinstance(given, list) and name == "output"
            raw = [_raw(each) for each in given] if as_items else [] if name == "output" else _raw(given)
            setattr(found, name, raw)
    return found


def _raw(value: Any) -> Raw:
    return Raw(msgspec.json.encode(value))


def read_item(source: Raw) -> ResponseOutputItem:
    """An item by its type; one that is of no known type, or no object, is a `ResponseUnknownItem`."""
    kind = _type(source)
    cls = ITEMS.get(kind)
    if cls is None:
        item: ResponseItem = ResponseUnknownItem(type=cast("Any", kind))
    else:
        item = _decode(source, cls, "an item")
    structs.force_setattr(item, "source", source)
    return cast("ResponseOutputItem", item)


def _finish(reply: Response, body: bytes) -> Response:
    reply.raw = body
    reply.output = [read_item(cast("Any", each)) for each in reply.output]
    return reply


def read_response(body: bytes, codes: Codes) -> Response:
    """A whole response.

    Raises:
        APIStatusError: it is an error inside a 200.
        ResponseDecodeError: it is no response.
    """
    reply = _decode(body, Response, "a response")
    if not (reply.id or reply.output or reply.status):
        _raise_error(body, codes)
        raise ResponseDecodeError("not a response: it has no id, no status and no output", body=body[:2000])
    return _finish(reply, body)


def failure(reply: Response, body: bytes, codes: Codes) -> APIStatusError:
    """The exception for a response that failed."""
    found = errors.decode_error(200, {}, msgspec.json.encode({"error": reply.error}), now=0.0, codes=codes)
    found.raw = body
    return found


def _raise_error(body: bytes, codes: Codes) -> None:
    if errors.is_error(lenient.decode_json(body, "a response")):
        raise errors.decode_error(200, {}, body, now=0.0, codes=codes)


def _read(body: bytes, cls: type[A], what: str, codes: Codes) -> A:
    if b'"error"' in body and is_error(body):
        raise errors.decode_error(200, {}, body, now=0.0, codes=codes)
    found = _decode(body, cls, what)
    found.raw = body
    return found


def read_deleted(body: bytes, codes: Codes) -> ResponseDeleted:
    """That a response is gone; some hosts say it by the status alone."""
    return _read(body, ResponseDeleted, "a deletion", codes) if body.strip() else ResponseDeleted()


def read_count(body: bytes, codes: Codes) -> InputTokenCountResponse:
    """The tokens of an input."""
    return _read(body, InputTokenCountResponse, "a count of tokens", codes)


class _Items(Answer, kw_only=True, gc=False):
    data: list[Raw] = field(default_factory=list[Raw])
    has_more: bool | None = None


def read_items(body: bytes, paging: Paging, query: Mapping[str, str], codes: Codes) -> Listing[ResponseOutputItem]:
    """A page of items.

    Raises:
        APIStatusError: it is an error inside a 200.
        ResponseDecodeError: it is no list.
    """
    if b'"error"' in body and is_error(body):
        raise errors.decode_error(200, {}, body, now=0.0, codes=codes)
    try:
        page = _decoder(_Items)(body)
    except DECODE_ERRORS as exc:
        raise ResponseDecodeError(f"not a list of items: {exc}", body=body[:2000]) from exc
    items = [read_item(each) for each in page.data]
    following = paging.next({"has_more": page.has_more}, [item.id or "" for item in items], query)
    return Listing(data=items, next=following, raw=body)


class ResponseReducer:
    """Folds one stream: its last event holds the whole response."""

    def __init__(self, request: Request, codes: Codes, *, max_event_bytes: int) -> None:
        self.error: OneLLMError | None = None
        self.finished = False
        self._request = request
        self._codes = codes
        self._decoder = SseDecoder(max_event_bytes=max_event_bytes)
        self._whole: Response | None = None

    def feed(self, data: bytes) -> list[ResponseStreamEvent]:
        events: list[ResponseStreamEvent] = []
        if self.finished or self.error is not None:
            return events
        try:
            for event in self._decoder.feed(data):
                read = self._read(event.event, event.data)
                if read is not None:
                    events.append(read)
                if self.finished:
                    break
            if self._decoder.error is not None and not self.finished:  # not to be waited for
                self.error = ResponseDecodeError(str(self._decoder.error))
        except EventTooLargeError as exc:
            self.error = ResponseDecodeError(str(exc))
        except OneLLMError as exc:
            self.error = exc
        return events

    def close(self) -> Response:
        if self.error is not None:
            raise self.error
        if self._whole is None:
            raise interrupted(self._request)
        return self._whole

    def _read(self, name: str, data: bytes) -> ResponseStreamEvent | None:
        if name not in EVENTS:  # most hosts name the event on a line of its own
            name = _type(data) or ("error" if name == "error" else "")
        cls = EVENTS.get(name)
        if cls is None:
            return self._read_unknown(name, data)
        event = _decode(data, cls, "an event")
        event.raw = data
        if isinstance(event, ResponseEventWithItem):
            event.item = read_item(cast("Any", event.item))
        elif isinstance(event, ResponseEventWithResponse):
            self._read_response(name, event, data)
        return cast("ResponseStreamEvent", event)

    def _read_response(self, name: str, event: ResponseEventWithResponse, data: bytes) -> None:
        body = bytes(cast("Any", event.response))
        event.response = reply = _finish(_decode(body, Response, "a response"), body)
        reply.provider = self._request.provider
        if name in TERMINAL:
            if not (reply.id or reply.output or reply.status):
                raise ResponseDecodeError(f"not the end of a response: {name} has none", body=data[:2000])
            if name == "response.failed" and reply.error is not None:
                raise failure(reply, data, self._codes)
            self._whole = reply
            self.finished = True

    def _read_unknown(self, name: str, data: bytes) -> ResponseStreamEvent | None:
        if name == "error" or (not name and b'"error"' in data and is_error(data)):
            raise errors.decode_error(200, {}, data, now=0.0, codes=self._codes)
        if not name:  # `[DONE]`, or a ping
            return None
        event = _decode(data, ResponseUnknownEvent, "an event")
        event.raw = data
        return event

"""One connection of OpenAI's Realtime: commands to frames, frames to events.

https://developers.openai.com/api/reference/resources/realtime
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from msgspec import Struct

from onellm.dialects.lenient import encode_json
from onellm.dialects.openai.realtime_session import (
    G711_RATE,
    encode_items,
    encode_message,
    encode_session,
    merged,
    rates,
)
from onellm.dialects.openai.realtime_wire import (
    Answered,
    Event,
    Item,
    decode_event,
    decode_sound,
    rate_limits,
    replayable,
    usage,
)
from onellm.dialects.realtime import RealtimeFacts
from onellm.errors import UnsupportedFeatureError
from onellm.types import realtime as commands
from onellm.types.realtime_events import (
    AudioDelta,
    AudioDone,
    InputCommitted,
    InputSpeechStarted,
    InputSpeechStopped,
    Interrupted,
    RateLimitsUpdated,
    RealtimeEvent,
    RealtimeToolCall,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    SessionError,
    SessionReady,
    SessionUpdated,
    SessionWarning,
    TextDelta,
    TextDone,
    ToolCallDelta,
    ToolCallReady,
    ToolCallsCancelled,
    TranscriptDelta,
    TranscriptDone,
    UnknownEvent,
)

if TYPE_CHECKING:
    from onellm.dialects.openai.realtime import OpenAIRealtime

_STATUSES: dict[str, ResponseStatus] = {
    "completed": "completed",
    "cancelled": "cancelled",
    "incomplete": "incomplete",
    "failed": "failed",
}
_LARGEST_APPEND = 8 << 20  # bytes of sound; 15 MiB of base64 are taken
_MOST_REMEMBERED = 256  # responses and items that late events may still name
_MOST_REFUSALS = 3  # times that an answer is asked for again because another was under way
_ALREADY = "conversation_already_has_active_response"
_NOTHING_TO_CANCEL = "response_cancel_not_active"


class _Append(Struct, tag_field="type", tag="input_audio_buffer.append"):
    event_id: str
    audio: bytes


_encode_append = msgspec.json.Encoder().encode


class _Response(Struct):
    """A response that is under way. muted: nothing more of it comes out; aside: it is not part of the conversation."""

    aside: bool = False
    muted: bool = False
    item_id: str | None = None


class OpenAIRealtimeCodec:
    """See `RealtimeCodec`."""

    def __init__(
        self,
        dialect: "OpenAIRealtime",
        request: commands.RealtimeRequest,
        *,
        session: dict[str, Any] | None = None,
        items: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Take a session's arguments. session, items: as they were on a connection that this one replaces."""
        self._dialect = dialect
        self._request = request
        self._params = dict(request.params)
        self._session = encode_session(dialect, request, request.params) if session is None else session
        self._seed = (
            list(encode_items(dialect, request, request.params.get("messages") or ())) if items is None else list(items)
        )
        heard, said = rates(dialect, request.params)
        self._bytes_a_second = said if said == G711_RATE else said * 2
        self._facts = RealtimeFacts(
            input_rate=heard,
            output_rate=said,
            cancels=True,
            truncates=dialect.truncates,
            clears=True,
            updates=True,
            creates_responses=not request.params.get("transcribe_only"),
            images=True,
            resumes="items",
            lifetime=dialect.lifetime,
        )
        self._count = 0
        self._ready = False
        self._responses: dict[str, _Response] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._asked: dict[str, dict[str, Any]] = {}  # answers asked for that have not begun, by event
        self._aside: set[str] = set()
        self._wanted: list[dict[str, Any]] = []  # answers that cannot be asked for yet
        self._refusals = 0
        self._blocked = False
        self._cancels = False
        self._calls: dict[str, str] = {}  # of tools, by id, with their response; not answered yet
        self._announced: OrderedDict[str, None] = OrderedDict()
        self._answers_tools = False
        self._names: OrderedDict[str, tuple[str, str]] = OrderedDict()  # id and name of a call, by item
        self._lengths: OrderedDict[str, int] = OrderedDict()  # bytes of sound, by item
        self._indexes: OrderedDict[str, int] = OrderedDict()
        self._stopped: str | None = None
        # The conversation, to be said again in its order; items of ours before the host has named them, too.
        self._said: dict[int, dict[str, Any]] = {}
        self._places: dict[str, int] = {}
        self._unnamed: list[int] = []
        self._next = 0

    @property
    def facts(self) -> RealtimeFacts:
        return self._facts

    # --- what is sent ---

    def open(self) -> Sequence[bytes]:
        return (self._update(self._session),)

    def seed(self) -> Sequence[bytes]:
        return [self._say(dict(item)) for item in self._seed]

    def encode(self, command: commands.RealtimeCommand) -> Sequence[bytes]:  # noqa: C901, PLR0911 - a command a case
        match command:
            case commands.AppendAudio(audio=audio):
                return self._append(audio)
            case commands.CommitAudio(respond=respond):
                committed = self._frame("input_audio_buffer.commit")
                return (committed, *self._ask({})) if respond and self._facts.creates_responses else (committed,)
            case commands.ClearAudio():
                return (self._frame("input_audio_buffer.clear"),)
            case commands.CreateMessage(role=role, content=content, respond=respond):
                item = encode_message(self._dialect, self._request, role, content)
                created = self._say(item)
                return (created, *self._ask({})) if respond else (created,)
            case commands.SendToolResult(call_id=call_id, output=output, respond=respond):
                self._calls.pop(call_id, None)
                self._answers_tools = self._answers_tools or respond
                item = {"type": "function_call_output", "call_id": call_id, "output": output}
                return (self._say(item), *self.due())
            case commands.CreateResponse(options=options):
                if not self._facts.creates_responses:
                    raise UnsupportedFeatureError("a session that only writes down does not answer")
                return tuple(self._ask(dict(options)))
            case commands.CancelResponse(response_id=response_id):
                return tuple(self._cancel(response_id))
            case commands.TruncateAudio(item_id=item_id, played_ms=played_ms):
                return self._truncate(item_id, played_ms)
            case commands.UpdateSession(params=params):
                changed = encode_session(self._dialect, self._request, params, update=True)
                self._session = merged(self._session, changed)
                return (self._update(changed),)
            case commands.SendRaw(event=event):
                return (encode_json({"event_id": self._event_id(), **event}),)

    def due(self) -> Sequence[bytes]:
        """The answers that were waiting for the end of another one, or for the results of all tools."""
        if not (self._wanted or self._answers_tools or self._cancels):
            return ()
        frames: list[bytes] = []
        if self._cancels and self._responses:
            self._cancels = False
            frames += self._cancel(None)
        if self._is_busy():
            return frames
        if self._wanted:
            wanted = self._wanted.pop(0)
            self._answers_tools = self._answers_tools and bool(self._calls)
            frames.append(self._create(wanted))
        elif self._answers_tools and not self._calls:
            self._answers_tools = False
            frames.append(self._create({}))
        return frames

    def _event_id(self) -> str:
        self._count += 1
        return f"event_{self._count}"

    def _frame(self, kind: str, **fields: Any) -> bytes:
        return encode_json({"type": kind, "event_id": self._event_id(), **fields})

    def _say(self, item: dict[str, Any]) -> bytes:
        self._unnamed.append(self._next)
        self._said[self._next] = item
        self._next += 1
        return self._frame("conversation.item.create", item=item)

    def _update(self, session: dict[str, Any]) -> bytes:
        writes = self._dialect.shape == "beta" and self._params.get("transcribe_only")
        return self._frame("transcription_session.update" if writes else "session.update", session=session)

    def _append(self, audio: bytes) -> Sequence[bytes]:
        if len(audio) <= _LARGEST_APPEND:
            return (_encode_append(_Append(self._event_id(), audio)),) if audio else ()
        pieces = (audio[start : start + _LARGEST_APPEND] for start in range(0, len(audio), _LARGEST_APPEND))
        return [_encode_append(_Append(self._event_id(), piece)) for piece in pieces]

    def _is_busy(self) -> bool:
        asked = any(event not in self._aside for event in self._asked)
        return self._blocked or asked or any(not response.aside for response in self._responses.values())

    def _ask(self, options: dict[str, Any]) -> Iterator[bytes]:
        """An answer, now or when the one that is under way has ended."""
        if options.get("conversation") == "none" or not self._is_busy():
            yield self._create(options)
        elif options or not any(not wanted for wanted in self._wanted):  # one answer is one to all that was said
            self._wanted.append(options)

    def _create(self, options: dict[str, Any]) -> bytes:
        event_id = self._event_id()
        self._asked[event_id] = options
        if options.get("conversation") == "none":
            self._aside.add(event_id)
        response = {"response": options} if options else {}
        return encode_json({"type": "response.create", "event_id": event_id, **response})

    def _cancel(self, response_id: str | None) -> Iterator[bytes]:
        found = [
            name
            for name, response in self._responses.items()
            if not response.muted and (name == response_id if response_id else not response.aside)
        ]
        for name in found:
            self._responses[name].muted = True
            yield self._frame("response.cancel", response_id=name)
        if not found and self._asked and response_id is None:
            self._cancels = True  # it has not begun yet

    def _truncate(self, item_id: str, played_ms: int) -> Sequence[bytes]:
        received = self._lengths.get(item_id)
        if received is None:
            return ()
        whole = received * 1000 // self._bytes_a_second
        item = {
            "item_id": item_id,
            "content_index": self._indexes.get(item_id, 0),
            "audio_end_ms": max(0, min(played_ms, whole)),
        }
        return (self._frame("conversation.item.truncate", **item),)

    # --- what comes ---

    def decode(self, frame: bytes) -> Sequence[RealtimeEvent]:
        if (sound := decode_sound(frame)) is not None:
            return self._sound(sound.response_id, sound.item_id, sound.delta, frame)
        event = decode_event(frame)
        read = self._READERS.get(event.type)
        if read is not None:
            return list(read(self, event, frame))
        if event.type == "ping":
            return ()
        return (UnknownEvent(type=event.type, raw=frame),)

    def close(self) -> Sequence[RealtimeEvent]:
        events: list[RealtimeEvent] = []
        if self._calls:
            events.append(ToolCallsCancelled(call_ids=tuple(self._calls)))
            self._calls.clear()
        events += [
            ResponseDone(response_id=name, status="cancelled", reason="connection_lost") for name in self._responses
        ]
        self._responses.clear()
        return events

    def resumed(self) -> "OpenAIRealtimeCodec | None":
        answered = {item["call_id"] for item in self._said.values() if item["type"] == "function_call_output"}
        said = [
            item
            for item in self._said.values()
            if item.get("content", True) and (item["type"] != "function_call" or item["call_id"] in answered)
        ]
        return OpenAIRealtimeCodec(self._dialect, self._request, session=self._session, items=said)

    def _sound(self, response_id: str | None, item_id: str | None, pcm: bytes, frame: bytes) -> list[RealtimeEvent]:
        name, started = self._of(response_id)
        if name is None:
            return started
        self._responses[name].item_id = item_id
        if item_id is not None:
            _remember(self._lengths, item_id, self._lengths.get(item_id, 0) + len(pcm))
        return [*started, AudioDelta(pcm=pcm, response_id=name, item_id=item_id, raw=frame)]

    def _of(self, response_id: str | None) -> tuple[str | None, list[RealtimeEvent]]:
        """The response that an event belongs to, and its beginning where nothing has told it; None if it is over."""
        name = response_id or next(reversed(self._responses), None)
        if name is not None:
            if (response := self._responses.get(name)) is not None:
                return (None if response.muted else name), []
            if name in self._ended:
                return None, []
        return self._start(name, None)

    def _start(
        self, response_id: str | None, answered: Answered | None, raw: bytes = b""
    ) -> tuple[str, list[RealtimeEvent]]:
        name = response_id or f"response_{self._event_id()}"
        aside = answered is not None and answered.conversation_id is None
        self._responses[name] = _Response(aside=aside)
        if aside:
            for event_id in [each for each in self._asked if each in self._aside][:1]:
                self._aside.discard(event_id)
                del self._asked[event_id]
        else:
            self._asked = {each: options for each, options in self._asked.items() if each in self._aside}
        return name, [ResponseStarted(response_id=name, raw=raw)]

    def _over(self, name: str) -> None:
        self._responses.pop(name, None)
        _remember(self._ended, name, None)
        self._blocked = False

    # --- a reader for each event ---

    def _on_session(self, event: Event, frame: bytes) -> Iterator[RealtimeEvent]:
        session = event.session
        if event.type == "session.created":
            yield UnknownEvent(type=event.type, raw=frame)
        elif self._ready:
            yield SessionUpdated(raw=frame)
        else:
            self._ready = True
            found = (session.id, session.model) if session is not None else (None, None)
            yield SessionReady(session_id=found[0], model=found[1] or self._request.model, raw=frame)

    def _on_speech_started(self, event: Event, frame: bytes) -> Iterator[RealtimeEvent]:
        interrupts = self._interrupts()
        yield InputSpeechStarted(
            item_id=event.item_id, offset_ms=_ms(event.audio_start_ms), interrupts=interrupts, raw=frame
        )
        lost = self._dialect.loses_responses and event.item_id is not None and event.item_id == self._stopped
        self._stopped = None
        if lost or interrupts:
            for name, response in list(self._responses.items()):
                if not response.muted and not response.aside:
                    response.muted = True
                    yield Interrupted(response_id=name, item_id=response.item_id, raw=frame)
                if lost and not response.aside:  # no word comes of its end
                    self._over(name)
                    yield ResponseDone(response_id=name, status="cancelled", reason="turn_detected")

    def _on_speech_stopped(self, event: Event, frame: bytes) -> Iterator[RealtimeEvent]:
        self._stopped = event.item_id
        yield InputSpeechStopped(item_id=event.item_id, offset_ms=_ms(event.audio_end_ms), raw=frame)

    def _on_committed(self, event: Event, frame: bytes) -> Iterator[RealtimeEvent]:
        self._stopped = None
        yield InputCommitted(item_id=event.item_id, raw=frame)

    def _on_heard(self, event: Event, frame: bytes) -> Iterator[RealtimeEvent]:
        """What the user said, in words."""
        match event.type.rpartition(".")[2]:
            case "delta":
                yield TranscriptDelta(role="user", text=event.delta or "", item_id=event.item_id, raw=frame)
            case "updated":
                yield TranscriptDelta(
                    role="user", text=event.transcript or "", cumulative=True, item_id=event.item_id, raw=frame
                )
            case "completed":
                place = self._places.get(event.item_id or "")
                if place is not None and event.transcript:
                    self._said[place]["content"] = [{"type": "input_text", "text": event.transcript}]
                yield TranscriptDone(role="user", text=event.transcript or "", item_id=event.item_id, raw=frame)
            case _:
                why = (event.error.message or event.error.code) if event.error is not None else None
                yield TranscriptDone(role="user", text="", error=why or "unknown", item_id=event.item_id, raw=frame)

    def _on_item(self, event: Event, frame: bytes) -> Iterator[RealtimeEvent]:
        if event.item is not None:
            self._keep(event.item)
        yield UnknownEvent(type=event.type, raw=frame)

    def _on_item_gone(self, event: Event, frame: bytes) -> Iterator[RealtimeEvent]:
        """Deleted; or cut, which takes its words away too."""
        if (place := self._places.pop(event.item_id or "", None)) is not None:
            self._said.pop(place, None)
        yield UnknownEvent(type=event.type, raw=frame)

    def _on_response_created(self, event: Event, frame: bytes) -> Iterator[RealtimeEvent]:
        answered = event.response or Answered()
        if answered.id in self._responses or answered.id in self._ended:
            return
        if self._dialect.loses_responses:
            for name in list(self._responses):
                self._over(name)
                yield ResponseDone(response_id=name, status="cancelled", reason="turn_detected")
        self._refusals = 0
        yield from self._start(answered.id, answered, frame)[1]

    def _on_output_item(self, event: Event, frame: bytes) -> Iterator[RealtimeEvent]:
        item = event.item
        if item is not None and item.type == "function_call":
            if item.id and item.call_id:
                _remember(self._names, item.id, (item.call_id, item.name or ""))
            if event.type == "response.output_item.done":
                yield from self._call(event.response_id, item.call_id, item.name, item.arguments, frame)
        if item is not None and event.type == "response.output_item.done":
            self._keep(item)
        yield UnknownEvent(type=event.type, raw=frame)

    def _on_text(self, event: Event, frame: bytes) -> Iterator[RealtimeEvent]:
        name, started = self._of(event.response_id)
        yield from started
        if name is None:
            return
        item_id = event.item_id
        match event.type:
            case "response.output_text.delta":
                yield TextDelta(text=event.delta or "", response_id=name, item_id=item_id, raw=frame)
            case "response.output_text.done":
                yield TextDone(text=event.text or "", response_id=name, item_id=item_id, raw=frame)
            case "response.output_audio_transcript.delta":
                yield TranscriptDelta(
                    role="assistant", text=event.delta or "", response_id=name, item_id=item_id, raw=frame
                )
            case "response.output_audio_transcript.done":
                yield TranscriptDone(
                    role="assistant", text=event.transcript or "", response_id=name, item_id=item_id, raw=frame
                )
            case _:
                if item_id is not None and event.content_index is not None:
                    _remember(self._indexes, item_id, event.content_index)
                yield AudioDone(response_id=name, item_id=item_id, raw=frame)

    def _on_sound(self, event: Event, frame: bytes) -> Iterator[RealtimeEvent]:
        """Sound that could not be decoded in one go: with its type far inside, or base64 of another kind."""
        from binascii import a2b_base64  # noqa: PLC0415 - hardly ever so

        text = (event.delta or "").translate({ord("-"): "+", ord("_"): "/"}).rstrip("=")
        pcm = a2b_base64(text + "=" * (-len(text) % 4))
        yield from self._sound(event.response_id, event.item_id, pcm, frame)

    def _on_arguments(self, event: Event, frame: bytes) -> Iterator[RealtimeEvent]:
        call_id, name = self._names.get(event.item_id or "", (event.call_id, event.name))
        if event.type.endswith(".done"):
            yield from self._call(
                event.response_id, event.call_id or call_id, event.name or name, event.arguments, frame
            )
            return
        response_id, started = self._of(event.response_id)
        yield from started
        if response_id is not None:
            yield ToolCallDelta(
                call_id=event.call_id or call_id or "",
                name=name or None,
                arguments=event.delta or "",
                response_id=response_id,
                raw=frame,
            )

    def _call(
        self, response_id: str | None, call_id: str | None, name: str | None, arguments: str | None, frame: bytes
    ) -> Iterator[RealtimeEvent]:
        """A call that is whole, told once: it is said up to three times."""
        if not call_id or call_id in self._announced or not name:
            return
        response, started = self._of(response_id)
        yield from started
        if response is None:
            return
        _remember(self._announced, call_id, None)
        self._calls[call_id] = response
        call = RealtimeToolCall(id=call_id, name=name, arguments=arguments or "")
        yield ToolCallReady(call=call, response_id=response, raw=frame)

    def _on_response_done(self, event: Event, frame: bytes) -> Iterator[RealtimeEvent]:
        answered = event.response or Answered()
        name = answered.id or next(iter(self._responses), None)
        if name is None or name in self._ended:
            return
        if name not in self._responses:
            yield from self._start(name, answered)[1]
        for item in answered.output or ():
            if item.type == "function_call" and (answered.status or "completed") == "completed":
                yield from self._call(name, item.call_id, item.name, item.arguments, frame)
        details = answered.status_details
        status = _STATUSES.get(answered.status or "", "completed")
        reason = details.reason if details is not None else None
        failed = details.error if details is not None else None
        response = self._responses[name]
        if reason == "turn_detected" and not response.muted:
            yield Interrupted(response_id=name, item_id=response.item_id, raw=frame)
        self._over(name)
        yield ResponseDone(
            response_id=name,
            status=status,
            reason=reason or ((failed.code or failed.type) if failed is not None else None),
            error=(failed.message or failed.code or failed.type) if failed is not None else None,
            usage=usage(answered.usage),
            raw=frame,
        )

    def _on_limits(self, event: Event, frame: bytes) -> Iterator[RealtimeEvent]:
        yield RateLimitsUpdated(limits=rate_limits(event.rate_limits or []), raw=frame)

    def _on_error(self, event: Event, frame: bytes) -> Iterator[RealtimeEvent]:
        error = event.error
        code = error.code if error is not None else None
        event_id = error.event_id if error is not None else None
        options = self._asked.pop(event_id, None) if event_id is not None else None
        if options is not None and code == _ALREADY and self._refusals < _MOST_REFUSALS:
            self._refusals += 1
            self._blocked = True  # until that one has ended
            self._wanted.insert(0, options)
            return
        message = error.message if error is not None else None
        if code == _NOTHING_TO_CANCEL:
            yield SessionWarning(message=message or code, code=code, raw=frame)
            return
        yield SessionError(
            message=message or "an error without an explanation",
            type=error.type if error is not None else None,
            code=code,
            param=error.param if error is not None else None,
            event_id=event_id,
            raw=frame,
        )

    def _interrupts(self) -> bool:
        """Whether the host stops an answer that the user speaks into."""
        match self._session:
            case {"turn_detection": turns} | {"audio": {"input": {"turn_detection": turns}}}:
                return turns is not None and turns.get("interrupt_response") is not False
            case _:
                return True

    def _keep(self, item: Item) -> None:
        """Note an item, to be said again on another connection."""
        kept = replayable(item)
        if not item.id or kept is None:
            return
        place = self._places.get(item.id)
        if place is None:
            mine = (each for each in self._unnamed if _is_alike(self._said[each], kept))
            if (place := next(mine, None)) is not None:
                self._unnamed.remove(place)
            else:
                place, self._next = self._next, self._next + 1
                self._said[place] = kept
            self._places[item.id] = place
        elif kept.get("content", True):
            self._said[place] = kept

    _READERS: ClassVar[dict[str, Callable[..., Iterator[RealtimeEvent]]]] = {
        "session.created": _on_session,
        "session.updated": _on_session,
        "input_audio_buffer.speech_started": _on_speech_started,
        "input_audio_buffer.speech_stopped": _on_speech_stopped,
        "input_audio_buffer.committed": _on_committed,
        "conversation.item.input_audio_transcription.delta": _on_heard,
        "conversation.item.input_audio_transcription.updated": _on_heard,
        "conversation.item.input_audio_transcription.completed": _on_heard,
        "conversation.item.input_audio_transcription.failed": _on_heard,
        "conversation.item.added": _on_item,
        "conversation.item.done": _on_item,
        "conversation.item.deleted": _on_item_gone,
        "conversation.item.truncated": _on_item_gone,
        "response.created": _on_response_created,
        "response.output_item.added": _on_output_item,
        "response.output_item.done": _on_output_item,
        "response.output_text.delta": _on_text,
        "response.output_text.done": _on_text,
        "response.output_audio_transcript.delta": _on_text,
        "response.output_audio_transcript.done": _on_text,
        "response.output_audio.delta": _on_sound,
        "response.output_audio.done": _on_text,
        "response.function_call_arguments.delta": _on_arguments,
        "response.function_call_arguments.done": _on_arguments,
        "response.done": _on_response_done,
        "rate_limits.updated": _on_limits,
        "error": _on_error,
    }


def _is_alike(sent: Mapping[str, Any], named: Mapping[str, Any]) -> bool:
    """Whether an item may be the one that was sent: of the same kind, and of the same call where it belongs to one."""
    return all(sent.get(name) == named.get(name) for name in ("type", "role", "call_id"))


def _remember(kept: "OrderedDict[str, Any]", name: str, value: Any) -> None:
    kept[name] = value
    if len(kept) > _MOST_REMEMBERED:
        kept.popitem(last=False)


def _ms(value: float | None) -> int | None:
    return None if value is None else int(value)

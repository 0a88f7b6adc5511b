"""One connection to a Live model: commands as frames, frames as events. https://ai.google.dev/api/live"""

from base64 import b64encode
from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from onellm.dialects import errors
from onellm.dialects.gemini.contents import Places
from onellm.dialects.gemini.live_history import encode_content, encode_turns
from onellm.dialects.gemini.live_setup import OUTPUT_RATE, Asked, encode_tools
from onellm.dialects.gemini.live_turns import Counts, Events, Turns
from onellm.dialects.gemini.live_wire import (
    FunctionCalls,
    GoAway,
    Ids,
    Resumption,
    ServerContent,
    SetUp,
    SignalledActivity,
    Usage,
    VoiceActivity,
    read,
    seconds,
)
from onellm.dialects.lenient import DECODE_ERRORS, encode_json
from onellm.dialects.params import native_options
from onellm.dialects.realtime import RealtimeFacts
from onellm.errors import InvalidRequestError, ResponseDecodeError, UnsupportedFeatureError
from onellm.types.google import GoogleOptions
from onellm.types.realtime import (
    AppendAudio,
    CancelResponse,
    ClearAudio,
    CommitAudio,
    CreateMessage,
    CreateResponse,
    RealtimeCommand,
    RealtimeRequest,
    SendRaw,
    SendToolResult,
    TruncateAudio,
    UpdateSession,
)
from onellm.types.realtime_events import (
    InputSpeechStarted,
    InputSpeechStopped,
    RealtimeEvent,
    RealtimeToolCall,
    SessionError,
    SessionExpiring,
    SessionReady,
    SessionResumable,
    ToolCallReady,
    ToolCallsCancelled,
    UnknownEvent,
)

_ACTIVITY_START = b'{"realtimeInput":{"activityStart":{}}}'
_ACTIVITY_END = b'{"realtimeInput":{"activityEnd":{}}}'
_STREAM_END = b'{"realtimeInput":{"audioStreamEnd":true}}'
_UPDATES = frozenset({"instructions", "tools", "tool_choice"})
_REMEMBERED = 256  # calls that were withdrawn: their results may still be on the way

_NULL = Raw(b"null")
# What a frame may hold, in the order in which it is told.
_ORDER = (
    "error",
    "setupComplete",
    "sessionResumptionUpdate",
    "goAway",
    "voiceActivity",
    "voiceActivityDetectionSignal",
    "toolCallCancellation",
    "usageMetadata",
    "serverContent",
    "toolCall",
)
_PLACES = {name: place for place, name in enumerate(_ORDER)}
_KNOWN = frozenset(ServerContent.__struct_fields__)

_decode_keys = msgspec.json.Decoder(dict[str, Raw]).decode


class LiveCodec:
    """A connection's state.

    said: the turns since the last handle, to be said again where there is none
    """

    def __init__(
        self,
        request: RealtimeRequest,
        asked: Asked,
        places: Places,
        *,
        counts: Counts | None = None,
        said: Sequence[dict[str, Any]] = (),
    ) -> None:
        self._request = request
        self._asked = asked
        self._places = places
        self._counts = counts or Counts()
        self._handle = asked.handle
        self._turns = Turns(self._counts, list(said), keeps=not asked.handle)
        self._calls: dict[str, tuple[str, bool]] = {}  # by id: the function's name, and whether the id is Live's own
        self._withdrawn: deque[str] = deque(maxlen=_REMEMBERED)
        self._due: list[bytes] = []
        self._tools = {name: request.params.get(name) for name in ("tools", "tool_choice")}  # as they are now
        self._speaking = False  # between activityStart and activityEnd

    @property
    def facts(self) -> RealtimeFacts:
        return RealtimeFacts(
            input_rate=self._asked.rate,
            output_rate=OUTPUT_RATE,
            cancels=True,
            truncates=False,
            clears=False,
            updates=True,
            creates_responses=False,
            images=True,
            resumes="session" if self._handle else "items",
        )

    # --- what is said to the model ---

    def open(self) -> Sequence[bytes]:
        setup = self._asked.setup
        if self._handle and "sessionResumption" in setup:
            setup = {**setup, "sessionResumption": {**setup["sessionResumption"], "handle": self._handle}}
        return (encode_json({"setup": setup}),)

    def seed(self) -> Sequence[bytes]:
        if self._handle:
            return ()  # it knows
        turns = encode_turns(self._request.params.get("messages") or (), self._request, self._places) + self._turns.said
        waits = self._asked.options.initial_history
        if not turns and not waits:
            return ()
        content = {"turns": turns} if turns else {}
        return (encode_json({"clientContent": {**content, "turnComplete": waits}}),)

    def encode(self, command: RealtimeCommand) -> Sequence[bytes]:  # noqa: C901, PLR0911 - a command a case
        match command:
            case AppendAudio():
                return self._append(command.audio)
            case CommitAudio():
                return self._commit(command)
            case CreateMessage():
                return self._message(command)
            case SendToolResult():
                return self._result(command)
            case CancelResponse():
                response = self._turns.response
                if response is not None and command.response_id in (None, response.id):
                    response.muted = True
                return ()
            case TruncateAudio():
                return ()  # it keeps no more than was played, by its own clock
            case UpdateSession():
                return self._update(command)
            case SendRaw():
                return (encode_json(dict(command.event)),)
            case ClearAudio():
                raise self._unsupported("clear()", "what was sent is heard")
            case CreateResponse():
                raise self._unsupported("respond()", "it answers each turn by itself: send a message, or commit()")

    def due(self) -> Sequence[bytes]:
        due, self._due = self._due, []
        return due

    def _append(self, audio: bytes) -> Sequence[bytes]:
        head = b'{"realtimeInput":{"audio":{"mimeType":"audio/pcm;rate=%d","data":"' % self._asked.rate
        frame = b"".join((head, b64encode(audio), b'"}}}'))
        if self._asked.manual and not self._speaking:
            self._speaking = True
            return (_ACTIVITY_START, frame)
        return (frame,)

    def _commit(self, command: CommitAudio) -> Sequence[bytes]:
        if not command.respond:
            raise self._unsupported("commit(respond=False)", "it answers each turn by itself")
        if not self._asked.manual:
            return (_STREAM_END,)
        if not self._speaking:
            raise InvalidRequestError("there is no audio to commit: send some first", provider=self._request.provider)
        self._speaking = False
        self._turns.awaited = True
        return (_ACTIVITY_END,)

    def _message(self, command: CreateMessage) -> Sequence[bytes]:
        if command.role == "system":
            self._request.adjustments.append("sent a system message as the user's")
        parts = encode_content(command.content, "message", self._request, self._places)
        pictures = [part["inlineData"] for part in parts if "inlineData" in part]
        role = "model" if command.role == "assistant" else "user"
        if len(pictures) == len(parts) and not command.respond:  # what a camera sees
            return tuple(encode_json({"realtimeInput": {"video": picture}}) for picture in pictures)
        turn = {"role": role, "parts": parts}
        if self._asked.options.realtime_text and role == "user":
            if not command.respond:
                raise self._unsupported(
                    "a message that is not to be answered",
                    "with LiveOptions(realtime_text=True) each is: send it later",
                )
            self._expect(turn)
            return tuple(encode_json({"realtimeInput": self._input(part)}) for part in parts)
        self._expect(turn, answered=command.respond)
        return (encode_json({"clientContent": {"turns": [turn], "turnComplete": command.respond}}),)

    def _input(self, part: dict[str, Any]) -> dict[str, Any]:
        """A part as input in real time."""
        if "inlineData" in part:
            return {"video": part["inlineData"]}
        if "text" in part:
            return {"text": part["text"]}
        raise self._unsupported("file by address", "give the image itself")

    def _expect(self, turn: dict[str, Any], *, answered: bool = True) -> None:
        self._turns.awaited = self._turns.awaited or answered
        self._turns.remember(turn["role"], turn["parts"])

    def _result(self, command: SendToolResult) -> Sequence[bytes]:
        found = self._calls.pop(command.call_id, None)
        if found is None:
            if command.call_id in self._withdrawn:
                return ()  # nobody waits for it
            raise InvalidRequestError(
                f"no call {command.call_id!r} waits for a result in this session", provider=self._request.provider
            )
        self._turns.awaited = self._turns.awaited or command.respond
        options = self._asked.options
        scheduling = options.tool_scheduling if command.respond else "silent"
        # An object, and never the tool's own: a `$ref` in that would be followed.
        return (self._answer(command.call_id, found, {"output": command.output}, scheduling),)

    def _answer(
        self, call_id: str, call: tuple[str, bool], response: dict[str, Any], scheduling: str | None = None
    ) -> bytes:
        name, has_id = call
        answer: dict[str, Any] = {"id": call_id} if has_id else {}
        answer |= {"name": name, "response": response}
        if scheduling is not None:
            answer["scheduling"] = scheduling.upper()
        return encode_json({"toolResponse": {"functionResponses": [answer]}})

    def _update(self, command: UpdateSession) -> Sequence[bytes]:
        if others := sorted(command.params.keys() - _UPDATES):
            raise self._unsupported(
                f"an update of {', '.join(others)}", "give it to connect(), or to a connection with resume=handle"
            )
        update: dict[str, Any] = {}
        setup = dict(self._asked.setup)  # a later connection begins with what holds now
        if "instructions" in command.params:
            setup["systemInstruction"] = {"parts": [{"text": command.params["instructions"] or ""}]}
            update["systemInstruction"] = setup["systemInstruction"]
        if "tools" in command.params or "tool_choice" in command.params:
            self._tools |= command.params
            google = native_options(self._request, "google", GoogleOptions)
            setup["tools"] = encode_tools(self._tools, google, self._request)
            update["tools"] = {"tools": setup["tools"]}
        self._asked.setup = setup
        return (encode_json({"contextUpdate": update}),)

    def _unsupported(self, what: str, hint: str) -> UnsupportedFeatureError:
        request = self._request
        return UnsupportedFeatureError(
            f"{request.provider} has no {what} in a session: {hint}", provider=request.provider, model=request.model
        )

    # --- what the model says ---

    def decode(self, frame: bytes) -> Sequence[RealtimeEvent]:
        try:
            found = _decode_keys(frame)
        except DECODE_ERRORS as exc:
            raise ResponseDecodeError(f"not a frame of a Live session: {exc}", body=frame[:2000]) from exc
        events = Events(frame)
        content = ServerContent()
        unknown: list[str] = []
        for name in sorted(found, key=_place):
            raw = found[name]
            if raw == _NULL:
                continue
            if name == "serverContent":
                content = read(raw, ServerContent)
                unknown += _others(raw)
                self._turns.hear(content, events)
            elif not self._told(name, raw, events):
                unknown.append(name)
        for name in unknown:
            events.add(UnknownEvent, type=name)
        if content.turnComplete:
            self._turns.complete(content, events)
        return events.found

    def _told(self, name: str, raw: Raw, events: Events) -> bool:
        """What a frame says beside what the model does; False where the key is not known."""
        match name:
            case "setupComplete":
                events.add(SessionReady, session_id=read(raw, SetUp).sessionId, model=self._request.model)
            case "sessionResumptionUpdate":
                self._resumable(read(raw, Resumption), events)
            case "goAway":
                events.add(SessionExpiring, time_left=seconds(read(raw, GoAway).timeLeft), handle=self._handle)
            case "voiceActivity":
                activity = read(raw, VoiceActivity)
                return self._spoken(activity.voiceActivityType, seconds(activity.audioOffset), events)
            case "voiceActivityDetectionSignal":
                return self._spoken(read(raw, SignalledActivity).vadSignalType, None, events)
            case "toolCallCancellation":
                self._withdraw(read(raw, Ids).ids, events)
            case "usageMetadata":
                self._turns.count(read(raw, Usage))
            case "toolCall":
                self._called(read(raw, FunctionCalls), events)
            case "error":
                info = errors.parse_error(events.raw)
                code = info.code or (str(info.status) if info.status else None)
                events.add(SessionError, message=info.message, type=info.type, code=code)
            case _:
                return False
        return True

    def _spoken(self, kind: str | int | None, offset: float | None, events: Events) -> bool:
        """Where the user speaks, and stops; False for a kind that is not known."""
        at = None if offset is None else round(offset * 1000)
        match kind:
            case "ACTIVITY_START" | "VAD_SIGNAL_TYPE_SOS":
                events.add(InputSpeechStarted, offset_ms=at, interrupts=self._asked.interrupts)
            case "ACTIVITY_END" | "VAD_SIGNAL_TYPE_EOS":
                events.add(InputSpeechStopped, offset_ms=at)
            case _:
                return False
        return True

    def _resumable(self, update: Resumption, events: Events) -> None:
        handle = update.newHandle if update.resumable is not False else None
        if handle:
            self._handle = handle
            self._turns.forget()
        events.add(SessionResumable, handle=handle or None)

    def _withdraw(self, ids: Sequence[str], events: Events) -> None:
        for call_id in ids:
            self._calls.pop(call_id, None)
            self._withdrawn.append(call_id)
        if ids:
            events.add(ToolCallsCancelled, call_ids=tuple(ids))

    def _called(self, calls: FunctionCalls, events: Events) -> None:
        for call in calls.functionCalls or ():
            response = self._turns.output(events)
            if not (call_id := call.id):
                self._counts.calls += 1
                call_id = f"call_{self._counts.calls}"
            if response.muted:  # the model waits for it all the same
                gone = {"error": "the answer was cancelled"}
                self._due.append(self._answer(call_id, (call.name, bool(call.id)), gone))
                continue
            self._calls[call_id] = (call.name, bool(call.id))
            made = RealtimeToolCall(
                id=call_id, name=call.name, arguments=bytes(call.args).decode() or "{}", has_id=bool(call.id)
            )
            events.add(ToolCallReady, call=made, response_id=response.id)

    # --- the end ---

    def close(self) -> Sequence[RealtimeEvent]:
        events = Events(b"")
        self._turns.close(events)
        if self._calls:
            self._withdraw(tuple(self._calls), events)
        return events.found

    def resumed(self) -> "LiveCodec":
        """With the newest handle; without one the conversation is said again. Calls that were waiting are lost."""
        asked = Asked(self._asked.setup, self._asked.options, self._request.params)
        asked.handle = self._handle
        codec = LiveCodec(self._request, asked, self._places, counts=self._counts, said=self._turns.said)
        codec._withdrawn.extend((*self._withdrawn, *self._calls))
        codec._tools = self._tools
        return codec


def _place(name: str) -> int:
    return _PLACES.get(name, len(_PLACES))


def _others(raw: Raw) -> list[str]:
    """What the model says beside what is read, such as `groundingMetadata`."""
    return [name for name in _decode_keys(raw) if name not in _KNOWN]

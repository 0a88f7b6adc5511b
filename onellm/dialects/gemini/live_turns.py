"""Whose turn it is in a Live session, and what was said in it. https://ai.google.dev/api/live

Live says less than others of where a response begins and ends, so that much is made here. A response begins with
the first output after the last one's end, and ends with `turnComplete`. One of its items is what was generated up to
`generationComplete`. A turn of the user's has no beginning: its transcript is done when that is said, or else when
the model has answered, since its words mostly come after the answer has begun.
"""

from typing import Any

from onellm.dialects.gemini.live_wire import (
    TURN_REASONS,
    Part,
    ServerContent,
    Transcription,
    Usage,
    sum_known,
    usage_of,
)
from onellm.types.realtime_events import (
    AudioDelta,
    AudioDone,
    Interrupted,
    RealtimeEvent,
    RealtimeUsage,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    TextDelta,
    TextDone,
    TranscriptDelta,
    TranscriptDone,
    UnknownEvent,
)

_NO_REASON = "TURN_COMPLETE_REASON_UNSPECIFIED"


class Events:
    """The events of one frame."""

    __slots__ = ("found", "raw")

    def __init__(self, raw: bytes) -> None:
        self.found: list[RealtimeEvent] = []
        self.raw = raw

    def add(self, kind: type[RealtimeEvent], **fields: Any) -> None:
        self.found.append(kind(raw=self.raw, **fields))


class Item:
    """What one generation of a response gave, or one turn of the user's. heard: whether there was sound."""

    __slots__ = ("generated", "heard", "id", "text", "words")

    def __init__(self, id_: str) -> None:
        self.id = id_
        self.text: list[str] = []
        self.words: list[str] = []
        self.heard = False
        self.generated = False


class Response:
    """A response that is under way. muted: the caller wants nothing more of it."""

    __slots__ = ("id", "interrupted", "item", "muted")

    def __init__(self, id_: str, item: Item) -> None:
        self.id = id_
        self.item = item
        self.interrupted = False
        self.muted = False


class Counts:
    """How many ids were made up, in all connections of a session."""

    __slots__ = ("calls", "items", "responses")

    def __init__(self) -> None:
        self.responses = self.items = self.calls = 0


class Turns:
    """The turns of one connection.

    response:  the one that is under way
    awaited:   a turn was sent, and its response has not begun
    said:      finished turns that are to be said again should the connection be lost
    keeps:     whether they are kept: as long as no handle stands for them
    """

    def __init__(self, counts: Counts, said: list[dict[str, Any]], *, keeps: bool) -> None:
        self.response: Response | None = None
        self.awaited = False
        self.said = said
        self.keeps = keeps
        self._counts = counts
        self._user: Item | None = None
        self._usage: RealtimeUsage | None = None

    def count(self, wire: Usage) -> None:
        """Tokens of the response that is under way, or of the next: each report is of one generation."""
        usage = usage_of(wire)
        if (held := self._usage) is not None:
            both = {name: (getattr(held, name), getattr(usage, name)) for name in usage.__struct_fields__}
            usage = RealtimeUsage(**{name: sum_known(*counts) for name, counts in both.items()})
        self._usage = usage

    def hear(self, content: ServerContent, events: Events) -> None:
        """What both sides say; the turn's end is for `complete`."""
        if (heard := content.inputTranscription) is not None:
            self._hear_user(heard, events)
        for part in (content.modelTurn.parts or ()) if content.modelTurn is not None else ():
            self._hear_part(part, events)
        if (words := content.outputTranscription) is not None and words.text:
            self._hear_words(words.text, events)
        response = self.response
        if content.interrupted:
            self._close_user(events)
            if response is None:
                events.add(Interrupted)
            else:
                response.interrupted = True
                events.add(Interrupted, response_id=response.id, item_id=response.item.id)
        if content.generationComplete and response is not None:
            self._close_item(response, events)

    def output(self, events: Events) -> Response:
        """The response that new output belongs to: not one that was interrupted, nor what was generated before."""
        response = self.response
        if response is not None and response.interrupted:
            self._end(response, events)
            response = None
        if response is None:
            return self._start(events)
        if response.item.generated:
            self._close_words(response, events)
            response.item = self._item()
        return response

    def complete(self, content: ServerContent, events: Events) -> None:
        """The model's turn is over."""
        reason = content.turnCompleteReason or ""
        reason = "" if reason == _NO_REASON else reason
        response = self.response
        if response is None:
            if not (self.awaited or reason):
                events.add(UnknownEvent, type="turnComplete")  # of nothing, as there is around a tool's result
                return
            response = self._start(events)
        if not response.interrupted:
            self._close_user(events)
        status: ResponseStatus = "completed"
        why = None
        if reason:
            status, named = TURN_REASONS.get(reason, ("incomplete", None))
            why = named or reason.lower()
        more = content.interactionStatus == "IN_PROGRESS"
        self._end(response, events, status=status, reason=why, error=reason or None, more=more)

    def close(self, events: Events) -> None:
        """The connection is gone."""
        self._close_user(events)
        if self.response is not None:
            self._end(self.response, events, status="cancelled", reason="connection_lost")

    def remember(self, role: str, parts: list[dict[str, Any]]) -> None:
        if parts and self.keeps:
            self.said.append({"role": role, "parts": parts})

    def forget(self) -> None:
        """There is a handle, which stands for all that was said."""
        self.said.clear()
        self.keeps = False

    # --- the user ---

    def _hear_user(self, heard: Transcription, events: Events) -> None:
        if heard.text:
            if self._user is None:
                self._user = self._item()
            self._user.words.append(heard.text)
            events.add(TranscriptDelta, role="user", text=heard.text, item_id=self._user.id)
        if heard.finished:
            self._close_user(events)

    def _close_user(self, events: Events) -> None:
        """All words of the user's turn are there, as far as is known."""
        if (user := self._user) is None:
            return
        self._user = None
        text = "".join(user.words)
        self.remember("user", [{"text": text}])
        events.add(TranscriptDone, role="user", text=text, item_id=user.id)

    # --- the model ---

    def _start(self, events: Events) -> Response:
        self._counts.responses += 1
        self.awaited = False
        self.response = response = Response(f"resp_{self._counts.responses}", self._item())
        events.add(ResponseStarted, response_id=response.id)
        return response

    def _item(self) -> Item:
        self._counts.items += 1
        return Item(f"item_{self._counts.items}")

    def _hear_part(self, part: Part, events: Events) -> None:
        if part.thought:
            events.add(UnknownEvent, type="thought")
        elif part.inlineData is not None and part.inlineData.mimeType.startswith("audio/"):
            if (response := self.output(events)).muted:
                return
            response.item.heard = True
            events.add(AudioDelta, pcm=part.inlineData.data, response_id=response.id, item_id=response.item.id)
        elif part.text is not None:
            if not part.text or (response := self.output(events)).muted:
                return
            response.item.text.append(part.text)
            events.add(TextDelta, text=part.text, response_id=response.id, item_id=response.item.id)
        else:
            events.add(UnknownEvent, type="modelTurn")

    def _hear_words(self, text: str, events: Events) -> None:
        """Words may come after the sound: they belong to what is there, even after an interruption."""
        if (response := self.response or self._start(events)).muted:
            return
        item = response.item
        item.words.append(text)
        events.add(TranscriptDelta, role="assistant", text=text, response_id=response.id, item_id=item.id)

    def _close_item(self, response: Response, events: Events) -> None:
        """No more is generated; words may still come."""
        item = response.item
        if item.generated:
            return
        item.generated = True
        if item.text:
            events.add(TextDone, text="".join(item.text), response_id=response.id, item_id=item.id)
        if item.heard:
            events.add(AudioDone, response_id=response.id, item_id=item.id)

    def _close_words(self, response: Response, events: Events) -> None:
        item = response.item
        words = "".join(item.words)
        if words:
            events.add(TranscriptDone, role="assistant", text=words, response_id=response.id, item_id=item.id)
        if said := words or "".join(item.text):
            self.remember("model", [{"text": said}])

    def _end(
        self,
        response: Response,
        events: Events,
        *,
        status: ResponseStatus = "completed",
        reason: str | None = None,
        error: str | None = None,
        more: bool = False,
    ) -> None:
        self._close_item(response, events)
        self._close_words(response, events)
        if response.muted:
            status, reason = "cancelled", "client_cancelled"
        elif response.interrupted:
            status, reason = "cancelled", "turn_detected"
        usage, self._usage = self._usage, None
        self.response = None
        events.add(
            ResponseDone,
            response_id=response.id,
            status=status,
            reason=reason,
            error=error,
            usage=usage,
            more_expected=more,
        )

"""What a session says, waiting to be played, and how much of it was really heard."""

import threading
from collections import deque

from msgspec import Struct, field

from onellm.errors import InvalidRequestError
from onellm.types.realtime_events import (
    AudioDelta,
    AudioDone,
    InputSpeechStarted,
    Interrupted,
    RealtimeEvent,
    ResponseDone,
)

_SAMPLE = 2  # bytes
_REMEMBERED = 64  # turns: those that were cut off have late sound, which is not played


class HeardAudio(Struct, frozen=True, kw_only=True):
    """What was heard of a turn that was cut off: for `session.interrupt(heard=heard)`.

    item_id:    of what was being played
    played_ms:  how much of it was heard, never more than has come
    unheard:    the items that waited behind it, of which nothing was heard
    """

    item_id: str | None
    response_id: str
    played_ms: int
    unheard: tuple[str, ...] = ()


class PlaybackQueue:
    """The sound that a session's events bring, until a loudspeaker takes it; it knows what was heard.

        if heard := playback.feed(event):
            await session.interrupt(heard=heard)

    It does no I/O: the loudspeaker asks it for sound, from any thread. A model speaks faster than it is heard, so much
    of a turn waits here when the user cuts it short.

    rate:     samples a second of the 16-bit mono sound: `session.output_rate`
    latency:  seconds between `take` and the ear: what the loudspeaker holds is not heard yet
    longest:  seconds of sound that may wait. What comes beyond is not kept, and `lost_ms` counts it
    """

    def __init__(self, rate: int, *, latency: float = 0.0, longest: float = 600.0) -> None:
        if rate <= 0:
            raise InvalidRequestError(f"rate: {rate} is no rate: samples a second, above 0")
        self.rate = rate
        self.latency = latency
        self._longest = int(longest * rate) * _SAMPLE
        self._lock = threading.Lock()
        self._turns: deque[_Turn] = deque()  # the first is being played; those behind it wait
        self._known: deque[str] = deque(maxlen=_REMEMBERED)
        self._cut: deque[str] = deque(maxlen=_REMEMBERED)
        self._taken = 0  # bytes that were given to the loudspeaker, silence included
        self._waiting = 0
        self._lost = 0

    def feed(self, event: RealtimeEvent) -> HeardAudio | None:
        """Keep what an event brings to be played; where the user has spoken up, drop it, and say what was heard of it.

        None where nothing was cut off: no sound was being played, or the event is about something else.
        """
        match event:
            case AudioDelta():
                self._put(event)
            case AudioDone() | ResponseDone():
                self._end(event)
            case InputSpeechStarted(interrupts=True):
                return self.stop()
            case Interrupted():
                return self.stop() or self._never_came(event)
            case _:
                pass
        return None

    def take(self, size: int) -> bytes:
        """The next `size` bytes to be played: sound as far as there is some, then silence."""
        with self._lock:
            pieces: list[memoryview] = []
            missing = size
            for turn in self._turns:
                while missing and turn.pieces:
                    piece = turn.take(missing, self._taken + size - missing)
                    pieces.append(piece)
                    missing -= len(piece)
            self._taken += size
            self._waiting -= size - missing
            self._forget_what_was_heard()
            return b"".join(pieces).ljust(size, b"\0")

    def stop(self) -> HeardAudio | None:
        """Drop all that was not heard, also what still comes of it; says what was heard, None where nothing was cut."""
        with self._lock:
            self._forget_what_was_heard()
            if not self._turns:
                return None
            cut = list(self._turns)
            self._turns.clear()
            self._waiting = 0
            self._cut.extend(turn.key for turn in cut)
            first, *others = cut
            return HeardAudio(
                item_id=first.item_id,
                response_id=first.response_id,
                played_ms=self._milliseconds(first.heard_until(self._heard)),
                unheard=tuple(turn.item_id for turn in others if turn.item_id is not None),
            )

    @property
    def playing(self) -> bool:
        """Whether there is sound that was not heard yet."""
        with self._lock:
            heard = self._heard
            return any(turn.heard_until(heard) < turn.size for turn in self._turns)

    @property
    def waiting_ms(self) -> int:
        """Milliseconds of sound that no loudspeaker has taken yet."""
        return self._milliseconds(self._waiting)

    @property
    def lost_ms(self) -> int:
        """Milliseconds of sound that came while `longest` was reached, and will not be heard."""
        return self._milliseconds(self._lost)

    def _put(self, event: AudioDelta) -> None:
        with self._lock:
            key = event.item_id or event.response_id
            if key in self._cut:
                return
            room = self._longest - self._waiting
            pcm = event.pcm[:room] if len(event.pcm) > room else event.pcm
            self._lost += len(event.pcm) - len(pcm)
            turn = next((turn for turn in self._turns if turn.key == key), None)
            if turn is None:
                if self._turns:
                    self._turns[-1].over = True
                turn = _Turn(item_id=event.item_id, response_id=event.response_id)
                self._turns.append(turn)
                self._known.append(key)
            self._waiting += turn.put(pcm)

    def _never_came(self, event: Interrupted) -> HeardAudio | None:
        """An item that was cut before any sound of it was here, because it was still in the session's queue."""
        with self._lock:
            if event.item_id is None or event.item_id in self._known:
                return None
            self._known.append(event.item_id)
            self._cut.append(event.item_id)
            return HeardAudio(item_id=event.item_id, response_id=event.response_id or "", played_ms=0)

    def _end(self, event: AudioDone | ResponseDone) -> None:
        with self._lock:
            for turn in self._turns:
                if isinstance(event, AudioDone) and event.item_id is not None:
                    turn.over |= turn.item_id == event.item_id
                else:
                    turn.over |= turn.response_id == event.response_id
            self._forget_what_was_heard()

    @property
    def _heard(self) -> int:
        """Bytes that have reached the ear, silence included."""
        return self._taken - int(self.latency * self.rate) * _SAMPLE

    def _forget_what_was_heard(self) -> None:
        while self._turns and self._turns[0].over and self._turns[0].heard_until(self._heard) == self._turns[0].size:
            self._turns.popleft()

    def _milliseconds(self, size: int) -> int:
        return size * 1000 // (self.rate * _SAMPLE)


class _Turn(Struct, kw_only=True):
    """What is said in one item. Positions are in bytes of all that the loudspeaker was given.

    pieces:  what waits, in whole samples; half a sample waits in `half` for its other half
    runs:    what was taken and is not all heard: from where to where, without the silence where nothing was there in
             time
    heard:   of what was taken, how much is no more in `runs`
    size:    of all that has come
    """

    item_id: str | None
    response_id: str
    pieces: deque[memoryview] = field(default_factory=deque[memoryview])
    half: bytes = b""
    runs: deque[tuple[int, int]] = field(default_factory=deque[tuple[int, int]])
    heard: int = 0
    size: int = 0
    over: bool = False

    @property
    def key(self) -> str:
        return self.item_id or self.response_id

    def put(self, pcm: bytes) -> int:
        """Keep a piece; gives how many bytes of whole samples there are now more."""
        pcm = self.half + pcm
        whole = len(pcm) - len(pcm) % _SAMPLE
        self.half = pcm[whole:]
        if whole:
            self.pieces.append(memoryview(pcm)[:whole])
            self.size += whole
        return whole

    def take(self, size: int, position: int) -> memoryview:
        """At most `size` bytes of the first piece, to be played from `position`."""
        piece = self.pieces.popleft()
        if len(piece) > size:
            self.pieces.appendleft(piece[size:])
            piece = piece[:size]
        end = position + len(piece)
        if self.runs and self.runs[-1][1] == position:
            self.runs[-1] = (self.runs[-1][0], end)
        else:
            self.runs.append((position, end))
        return piece

    def heard_until(self, position: int) -> int:
        """How much of it lies before a position, which is never before one that was asked for earlier."""
        while self.runs and self.runs[0][1] <= position:
            first, last = self.runs.popleft()
            self.heard += last - first
        return self.heard + (max(0, position - self.runs[0][0]) if self.runs else 0)

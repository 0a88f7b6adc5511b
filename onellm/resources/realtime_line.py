"""The inside of a realtime session: its connections, its queue of events, its functions."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec
from msgspec import Struct, structs

from onellm.dialects.realtime import RealtimeCodec
from onellm.errors import (
    APIConnectionError,
    APITimeoutError,
    ClientClosedError,
    OneLLMError,
    api_error_class,
)
from onellm.policy.retry import RetryPolicy, retry
from onellm.providers.protocols import RealtimeHost, Socket
from onellm.resources.calling import call_function, said
from onellm.types.functions import FunctionTool
from onellm.types.realtime import (
    AppendAudio,
    CancelResponse,
    ClearAudio,
    CommitAudio,
    CreateMessage,
    CreateResponse,
    RealtimeCommand,
    Reconnect,
    SendToolResult,
    TruncateAudio,
)
from onellm.types.realtime_events import (
    AudioDelta,
    AudioDone,
    InputSpeechStarted,
    Interrupted,
    RealtimeEvent,
    RealtimeToolCall,
    ResponseDone,
    SessionClosed,
    SessionError,
    SessionExpiring,
    SessionReady,
    SessionReconnected,
    SessionWarning,
    ToolCallReady,
    ToolCallsCancelled,
    ToolResultSent,
)
from onellm.voice.playback import HeardAudio
from onellm.voice.resampling import Resampler, resampler

NORMAL = 1000
_OVERHEAD = 256  # bytes that an event takes beside its sound and its frame
_NOTICE = 300.0  # seconds before the end of a connection's life that it is announced
_SETTLED = 30.0  # seconds after which a connection was a good one, and attempts are counted anew


class Terms(Struct, frozen=True, kw_only=True):
    """What a session goes by.

    functions:    those that are called by themselves, by name
    most_queued:  bytes of events that wait to be taken; beyond them nothing more is read
    step:         seconds for each step of getting ready
    idle:         seconds that sending may wait for the other side
    """

    model: str
    provider: str
    functions: Mapping[str, FunctionTool]
    reconnect: Reconnect | None
    retry: RetryPolicy
    most_queued: int
    step: float | None
    idle: float | None
    input_rate: int | None = None
    output_rate: int | None = None


class Line:
    """A session without its face. Its reader holds it, and not the session: one that is let go is closed."""

    def __init__(self, host: RealtimeHost, terms: Terms) -> None:
        self.host = host
        self.terms = terms
        self.session_id: str | None = None
        self.over = False
        self._leaves = False  # it is being closed, maybe by another thread
        self._loop = asyncio.get_running_loop()
        self._events: deque[RealtimeEvent] = deque()
        self._queued = 0
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._connected = asyncio.Event()
        self._error: OneLLMError | None = None
        self._why: OneLLMError | None = None
        self._socket: Socket | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._heard: str | None = None  # the item of the sound that was taken last
        self._unheard: list[str] = []  # items whose sound was dropped before any of it was taken
        self._attempts = 0
        self._since = 0.0
        self.codec: RealtimeCodec = host.codec()
        facts = self.codec.facts
        self.input_rate = terms.input_rate or facts.input_rate
        self.output_rate = terms.output_rate or facts.output_rate
        self._in = _between(self.input_rate, facts.input_rate)
        self._out = _between(facts.output_rate, self.output_rate)

    # --- beginning and end ---

    async def open(self) -> None:
        """Connect, and wait until the session is ready."""

        async def begin() -> tuple[RealtimeCodec, Socket, list[RealtimeEvent]]:
            codec = self.host.codec()
            return codec, *await self._begin(codec)

        self._go_on(*await retry(begin, self.terms.retry))
        self._reader = self._loop.create_task(self._read())

    async def aclose(self) -> None:
        """End the session: say so to the provider, and let nothing of it run on."""
        if (socket := self._socket) is not None and not self.over:
            reader, self._reader = self._reader, None
            try:
                if reader is not None:
                    await _ended([reader])
                await socket.aclose()
            finally:
                socket.close_now()
        self._finish(NORMAL, "", None)
        await _ended([*self._tasks.values(), *([self._reader] if self._reader is not None else [])])

    def close_now(self) -> None:
        """End it without waiting for anything; from any thread."""
        socket, reader = self._socket, self._reader
        self._leaves = True
        if socket is not None:
            socket.close_now()
        if self._loop.is_closed():
            return
        if asyncio._get_running_loop() is self._loop:  # noqa: SLF001 - documented for library authors
            self._finish(NORMAL, "", None)
            if reader is not None:
                reader.cancel()
        elif reader is not None:
            self._loop.call_soon_threadsafe(reader.cancel)

    async def _begin(self, codec: RealtimeCodec) -> tuple[Socket, list[RealtimeEvent]]:
        """A connection that is ready, and the events until then.

        Raises:
            APIConnectionError: it was closed, or did not get ready in time.
            APIStatusError: the provider refused.
        """
        socket = await self.host.connect()
        try:
            try:
                async with asyncio.timeout(self.terms.step):
                    events = await self._until_ready(codec, socket)
            except TimeoutError:
                error = APITimeoutError(f"the session was not ready within {self.terms.step:g} s (first_byte)")
                error.phase = "first_byte"
                raise error from None
            for frame in codec.seed():
                await socket.send(frame, self.terms.idle)
        except BaseException as exc:
            socket.close_now()
            if isinstance(exc, OneLLMError):
                exc.provider, exc.model = exc.provider or self.terms.provider, exc.model or self.terms.model
            raise
        return socket, events

    async def _until_ready(self, codec: RealtimeCodec, socket: Socket) -> list[RealtimeEvent]:
        events: list[RealtimeEvent] = []
        for frame in codec.open():
            await socket.send(frame, self.terms.idle)
        while not any(isinstance(event, SessionReady) for event in events):
            received = await socket.receive()
            if received is None:
                raise self._not_ready(socket)
            for event in codec.decode(received):
                if isinstance(event, SessionError):
                    raise _refusal(event)
                events.append(event)
            for frame in codec.due():
                socket.send_now(frame)
        events.sort(key=lambda event: not isinstance(event, SessionReady))  # it comes first, the others as they came
        return events

    def _not_ready(self, socket: Socket) -> OneLLMError:
        ending = self.host.ending(socket.code, socket.reason)
        said = f": {socket.reason}" if socket.reason else ""
        return ending.error or APIConnectionError(
            f"the session was closed before it was ready, code {socket.code}{said}"
        )

    def _go_on(self, codec: RealtimeCodec, socket: Socket, events: Sequence[RealtimeEvent]) -> None:
        self.codec, self._socket = codec, socket
        self._since = self._loop.time()
        self._connected.set()
        if (lifetime := codec.facts.lifetime) is not None:
            notice = min(_NOTICE, lifetime)
            self._expiry = self._loop.call_later(lifetime - notice, self._expires, notice)
        for event in events:
            self._take(event)

    def _expires(self, notice: float) -> None:
        self._put(SessionExpiring(time_left=notice))

    def _finish(self, code: int, reason: str, error: OneLLMError | None) -> None:
        """The end of all, once."""
        if self.over:
            return
        for event in self.codec.close():
            self._take(event)
        self.over = True
        self._error = self._why = error
        self._let_go()
        self._connected.set()  # who waits to send is told
        for task in self._tasks.values():
            task.cancel()
        self._put(SessionClosed(code=code, reason=reason, clean=error is None))
        self._room.set()

    def _let_go(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        if self._socket is not None:
            self._socket.close_now()
        self._socket = None

    # --- reading ---

    async def _read(self) -> None:
        code, reason, error = NORMAL, "", None
        try:
            while (socket := self._socket) is not None:
                await self._read_all(socket)
                if self._leaves:
                    return
                code, reason = socket.code, socket.reason
                ending = self.host.ending(code, reason)
                error = ending.error
                if not ending.reconnects or self.terms.reconnect is None:
                    return
                error = await self._reconnect(self.terms.reconnect, error)
                if error is not None:
                    return
        except OneLLMError as exc:
            error = exc
        except asyncio.CancelledError:
            error = None
            raise
        finally:
            self._finish(code, reason, error)

    async def _read_all(self, socket: Socket) -> None:
        """Read to the end of a connection; while too much waits to be taken, nothing."""
        codec = self.codec
        while (frame := await socket.receive()) is not None:
            events = codec.decode(frame)
            for event in events:
                self._take(event)
            if events and isinstance(events[0], InputSpeechStarted):
                self._hush(events[0])
            with contextlib.suppress(APIConnectionError):  # which `receive` tells, too
                for due in codec.due():
                    socket.send_now(due)
            while self._queued > self.terms.most_queued:
                self._room.clear()
                await self._room.wait()

    async def _reconnect(self, policy: Reconnect, error: OneLLMError | None) -> OneLLMError | None:
        """Put another connection in the place of the one that was lost; None where there is one."""
        lost = self.codec
        for event in lost.close():
            self._take(event)
        self._connected.clear()
        self._let_go()
        if self._loop.time() - self._since > _SETTLED:
            self._attempts = 0
        while self._attempts < policy.attempts:
            self._attempts += 1
            if self._attempts > 1:
                await asyncio.sleep(min(policy.first_wait * 2 ** (self._attempts - 2), policy.max_wait))
            codec = lost.resumed()
            if codec is None:
                return error
            try:
                socket, events = await self._begin(codec)
            except OneLLMError as exc:
                error = exc
                if not exc.retryable:
                    return error
                continue
            reconnected = SessionReconnected(restored=codec.facts.resumes, attempt=self._attempts)
            self._go_on(codec, socket, [events[0], reconnected, *events[1:]])
            return None
        return error

    def _take(self, event: RealtimeEvent) -> None:  # noqa: C901, PLR0912 - an event a case
        """What follows from an event, and into the queue with it."""
        match event:
            case AudioDelta():
                if self._out is not None:
                    event = structs.replace(event, pcm=self._out.feed(event.pcm))
            case AudioDone(response_id=response_id, item_id=item_id):
                if self._out is not None and (rest := self._out.flush()):
                    self._put(AudioDelta(pcm=rest, response_id=response_id, item_id=item_id))
            case SessionReady(session_id=session_id):
                self.session_id = session_id
            case Interrupted():
                self._drop_sound()
            case ResponseDone():
                self._attempts = 0
            case ToolCallReady(call=call):
                if call.name in self.terms.functions:
                    self._tasks[call.id] = self._loop.create_task(self._call(call))
            case ToolCallsCancelled(call_ids=call_ids):
                for call_id in call_ids:
                    if (task := self._tasks.get(call_id)) is not None:
                        task.cancel()
            case _:
                pass
        self._put(event)

    def _hush(self, speech: InputSpeechStarted) -> None:
        """Drop what waits to be taken of an answer that has already ended: it would be played over the user."""
        if speech.interrupts and (dropped := self._drop_sound()) is not None:
            self._put(Interrupted(response_id=dropped.response_id, item_id=dropped.item_id, raw=speech.raw))

    def _put(self, event: RealtimeEvent) -> None:
        self._events.append(event)
        self._queued += _size(event)
        self._news.set()

    async def take(self) -> RealtimeEvent | None:
        """The next event; None after the last one.

        Raises:
            OneLLMError: the session did not end in order.
        """
        while not self._events:
            if self.over:
                error, self._error = self._error, None
                if error is not None:
                    raise error
                return None
            self._news.clear()
            await self._news.wait()
        event = self._events.popleft()
        self._queued -= _size(event)
        if self._queued <= self.terms.most_queued // 2:
            self._room.set()
        if isinstance(event, AudioDelta) and event.item_id != self._heard:
            self._heard = event.item_id
            self._unheard.clear()
        return event

    def _drop_sound(self) -> AudioDelta | None:
        """Take the sound out of the queue; the first piece of it, where there was any."""
        first: AudioDelta | None = None
        kept: deque[RealtimeEvent] = deque()
        for event in self._events:
            if not isinstance(event, AudioDelta):
                kept.append(event)
                continue
            self._queued -= _size(event)
            first = first or event
            item_id = event.item_id
            if item_id is not None and item_id != self._heard and item_id not in self._unheard:
                self._unheard.append(item_id)
        self._events = kept
        self._room.set()
        if self._out is not None:
            self._out.reset()
        return first

    # --- sending ---

    async def send(self, *commands: RealtimeCommand) -> None:
        """Say something. While there is no connection, and a policy that gets one, it waits.

        Raises:
            APIConnectionError: the connection is gone, or takes nothing.
            ClientClosedError: the session is over.
            UnsupportedFeatureError: the protocol has no such thing.
        """
        for command in commands:
            while True:
                socket = await self._live()
                try:
                    frames = self.codec.encode(command)
                    for frame in frames[:-1]:
                        socket.send_now(frame)
                    if frames:
                        await socket.send(frames[-1], self.terms.idle)
                except APITimeoutError:
                    raise
                except APIConnectionError:
                    if self.terms.reconnect is None:
                        raise
                    await self._until(partial(self._has_another_than, socket))
                    left = _left_to_say(command, self.codec)
                    if left is None:
                        break
                    command = left  # noqa: PLW2901 - what of it is not said yet
                else:
                    break

    async def append(self, audio: bytes) -> None:
        if self._in is not None:
            audio = self._in.feed(audio)
        if audio:
            await self.send(AppendAudio(audio))

    async def clear(self) -> None:
        if self._in is not None:
            self._in.reset()
        await self.send(ClearAudio())

    async def commit(self, *, respond: bool) -> None:
        if self._in is not None and (rest := self._in.flush()):
            await self.send(AppendAudio(rest))
        await self.send(CommitAudio(respond))

    async def interrupt(self, played_ms: int | None, heard: HeardAudio | None = None) -> None:
        """Stop the answer, drop its sound, and say how much of it was heard."""
        self._drop_sound()
        if heard is not None:
            played_ms, self._heard = heard.played_ms, heard.item_id
            unheard = dict.fromkeys((*heard.unheard, *self._unheard))
            self._unheard = [item_id for item_id in unheard if item_id != heard.item_id]
        commands: list[RealtimeCommand] = [CancelResponse()]
        if played_ms is not None and self.codec.facts.truncates:
            if self._heard is not None:
                commands.append(TruncateAudio(self._heard, played_ms))
            commands += [TruncateAudio(item_id, 0) for item_id in self._unheard]
            self._heard = None
            self._unheard.clear()
        await self.send(*commands)

    def _has_another_than(self, lost: Socket) -> bool:
        return self._socket is not lost

    async def _live(self) -> Socket:
        await self._until(lambda: self._socket is not None)
        if self._socket is None:
            raise self._why or ClientClosedError("the session is over")
        return self._socket

    async def _until(self, holds: Callable[[], bool]) -> None:
        """Until something holds, the session is over, or it takes too long."""
        if holds() or self.over:
            return
        try:
            async with asyncio.timeout(self.terms.idle):
                while not holds() and not self.over:
                    self._connected.clear()
                    await self._connected.wait()
        except TimeoutError:
            error = APITimeoutError(f"no connection within {self.terms.idle:g} s (idle)")
            error.phase = "idle"
            raise error from None

    # --- functions ---

    async def _call(self, call: RealtimeToolCall) -> None:
        """Call a function that was given as a tool, and send what it gave. What it raises, the model is told."""
        error: Exception | None = None
        try:
            output = await _output(self.terms.functions[call.name], call.arguments)
        except Exception as exc:  # noqa: BLE001 - whatever a function raises, the model is told
            error = exc
            output = f"Error: {exc.message if isinstance(exc, OneLLMError) else f'{type(exc).__name__}: {exc}'}"
        try:
            await self.send(SendToolResult(call.id, output))
            self._put(ToolResultSent(call=call, output=output, error=error))
        except OneLLMError as exc:
            if not self.over:
                self._put(SessionWarning(message=f"the result of {call.name} was not sent: {exc}"))
        finally:
            self._tasks.pop(call.id, None)


def _between(given: int, wanted: int) -> Resampler | None:
    return resampler(given, wanted) if given != wanted else None


def _left_to_say(command: RealtimeCommand, codec: RealtimeCodec) -> RealtimeCommand | None:
    """What of a command a new connection has not been told: an item went out with the others of the conversation."""
    if codec.facts.resumes != "items" or not isinstance(command, CreateMessage | SendToolResult):
        return command
    return CreateResponse() if command.respond else None


async def _output(tool: FunctionTool, arguments: str) -> str:
    positional, named = tool.arguments(arguments)
    told = said(await call_function(tool.function, positional, named))
    return told if isinstance(told, str) else msgspec.json.encode(told).decode()


async def _ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks, and wait for them; the one that asks for it goes on."""
    others = [task for task in tasks if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _size(event: RealtimeEvent) -> int:
    sound = len(event.pcm) if isinstance(event, AudioDelta) else 0
    return _OVERHEAD + len(event.raw) + sound


def _refusal(event: SessionError) -> OneLLMError:
    """An error before the session was ready: it was not taken on."""
    return api_error_class(None, (event.code, event.type))(
        event.message, code=event.code, type=event.type, param=event.param, body=event.raw
    )

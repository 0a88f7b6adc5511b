"""`realtime`: conversations by voice or text over one connection, while they happen.

https://developers.openai.com/api/docs/guides/realtime
"""

import base64
from collections.abc import Callable, Generator, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, cast

from msgspec import structs
from typing_extensions import Unpack

from onellm.errors import InvalidRequestError
from onellm.resources import validation
from onellm.resources.core import Core
from onellm.types.options import Timeouts
from onellm.types.realtime import (
    CreateMessage,
    CreateResponse,
    RealtimeParams,
    RealtimeRequest,
    RealtimeToken,
    Reconnect,
    SendRaw,
    SendToolResult,
    UpdateSession,
)

if TYPE_CHECKING:
    from onellm.dialects.realtime import RealtimeFacts
    from onellm.providers.protocols import RealtimeProvider, RealtimeTokenProvider
    from onellm.resources.realtime_line import Line
    from onellm.types.functions import FunctionTool
    from onellm.types.realtime_events import RealtimeEvent
    from onellm.voice.playback import HeardAudio

_STEP = 30.0  # seconds for each step of getting ready, unless `Timeouts` say otherwise
_ONLY_AT_FIRST = ("messages", "resume", "transcribe_only", "run_tools", "input_rate", "output_rate", "timeout")


class AsyncRealtimeSession:
    """A session: say something with its methods, and iterate over what happens.

    Sending and iterating are for different tasks, as many as you like. Use it in `async with`: leaving closes the
    connection, at once where it is left by cancelling. What nobody takes is kept up to a bound, and then not read any
    more. One that is let go is closed.
    """

    def __init__(self, line: "Line") -> None:
        self._line = line

    @property
    def session_id(self) -> str | None:
        """The provider's id of the session, where it has one."""
        return self._line.session_id

    @property
    def model(self) -> str:
        """The provider's own model id."""
        return self._line.terms.model

    @property
    def provider(self) -> str:
        """The provider's name."""
        return self._line.terms.provider

    @property
    def input_rate(self) -> int:
        """Samples a second of the sound that `send_audio` takes."""
        return self._line.input_rate

    @property
    def output_rate(self) -> int:
        """Samples a second of the sound in `AudioDelta`."""
        return self._line.output_rate

    @property
    def facts(self) -> "RealtimeFacts":
        """What the session can do with this provider."""
        return self._line.codec.facts

    @property
    def closed(self) -> bool:
        """Whether it has ended; events may still be there to be taken."""
        return self._line.over

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> "RealtimeEvent":
        """The next event.

        Raises:
            StreamInterruptedError: the connection was lost, after `SessionClosed` has said so.
        """
        event = await self._line.take()
        if event is None:
            raise StopAsyncIteration
        return event

    async def send_text(self, text: str, *, respond: bool = True) -> None:
        """Say something in text, and unless `respond=False` have it answered.

        An answer that is under way is not cut off: the next one follows it.

        Raises:
            APIConnectionError: the connection is gone, or takes nothing.
        """
        await self._line.send(CreateMessage("user", ({"type": "text", "text": text},), respond))

    async def send_audio(self, audio: bytes | bytearray | memoryview) -> None:
        """Send sound as it is recorded: bare samples in the session's format, at `input_rate`, any number at a time.

        Raises:
            APIConnectionError: the connection is gone, or takes nothing.
        """
        await self._line.append(audio)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - they encode alike

    async def send_image(
        self, image: str | bytes, *, media_type: str = "image/jpeg", text: str | None = None, respond: bool = False
    ) -> None:
        """Show an image, by its bytes or its URL, with a text beside it or without.

        Raises:
            UnsupportedFeatureError: the provider sees no images here.
            APIConnectionError: the connection is gone, or takes nothing.
        """
        url = image if isinstance(image, str) else f"data:{media_type};base64,{base64.b64encode(image).decode()}"
        parts: list[Mapping[str, Any]] = [{"type": "image_url", "image_url": {"url": url}}]
        if text is not None:
            parts.insert(0, {"type": "text", "text": text})
        await self._line.send(CreateMessage("user", tuple(parts), respond))

    async def send_message(
        self,
        content: str | Iterable[Mapping[str, Any]],
        *,
        role: Literal["user", "assistant", "system"] = "user",
        respond: bool = False,
    ) -> None:
        """Add a message to the conversation; content is a text, or parts as in chat.

        Raises:
            APIConnectionError: the connection is gone, or takes nothing.
        """
        parts = ({"type": "text", "text": content},) if isinstance(content, str) else tuple(content)
        await self._line.send(CreateMessage(role, parts, respond))

    async def commit(self, *, respond: bool = True) -> None:
        """The user's turn is over: for `turn_detection="none"`, where nobody else says so.

        Raises:
            APIConnectionError: the connection is gone, or takes nothing.
        """
        await self._line.commit(respond=respond)

    async def clear(self) -> None:
        """Forget the sound that was sent since the last turn.

        Raises:
            UnsupportedFeatureError: the provider cannot.
            APIConnectionError: the connection is gone, or takes nothing.
        """
        await self._line.clear()

    async def respond(self, **options: Any) -> None:
        """Have the model answer now, or after the answer that is under way; options are OpenAI's of `response.create`.

        Raises:
            UnsupportedFeatureError: the provider cannot.
            APIConnectionError: the connection is gone, or takes nothing.
        """
        await self._line.send(CreateResponse(options))

    async def interrupt(self, played_ms: int | None = None, *, heard: "HeardAudio | None" = None) -> None:
        """Stop the answer that is under way; no more of its sound comes, that in the queue neither.

        played_ms:  how much of the item whose sound was taken last was heard, in milliseconds: the model is told, where
                    that goes
        heard:      the same as a `PlaybackQueue` says it, which knows what was being played

        Raises:
            APIConnectionError: the connection is gone, or takes nothing.
        """
        await self._line.interrupt(played_ms, heard)

    async def send_tool_result(self, call_id: str, output: object, *, respond: bool = True) -> None:
        """Answer a call of a tool. output: a text, or what JSON can say.

        The model goes on when all calls of its answer have been answered.

        Raises:
            APIConnectionError: the connection is gone, or takes nothing.
        """
        from onellm.resources.calling import said  # noqa: PLC0415 - only for those who use it

        told = said(output)
        if not isinstance(told, str):
            import msgspec  # noqa: PLC0415 - likewise

            told = msgspec.json.encode(told).decode()
        await self._line.send(SendToolResult(call_id, told, respond))

    async def update(self, **params: Unpack[RealtimeParams]) -> None:
        """Change settings from now on; `SessionUpdated` says that it was done.

        Raises:
            UnsupportedFeatureError: the provider takes no changes, or not this one.
            APIConnectionError: the connection is gone, or takes nothing.
        """
        given = validation.params(cast("dict[str, Any]", params), RealtimeParams, "session.update")
        for name in _ONLY_AT_FIRST:
            if name in given:
                raise InvalidRequestError(f"session.update: {name} is for realtime.connect alone", param=name)
        if "tools" in given:
            given["tools"] = _tools(given["tools"])[0]
        await self._line.send(UpdateSession(given))

    async def send_raw(self, event: Mapping[str, Any]) -> None:
        """Send an event of the provider's own.

        Raises:
            APIConnectionError: the connection is gone, or takes nothing.
        """
        await self._line.send(SendRaw(event))

    async def aclose(self) -> None:
        """End the session. Events that have come can still be taken."""
        await self._line.aclose()

    def close_now(self) -> None:
        """End it without waiting for anything; safe from any thread."""
        self._line.close_now()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if exc is not None and not isinstance(exc, Exception):  # cancelled: nothing is waited for
            self._line.close_now()
        await self._line.aclose()

    def __del__(self) -> None:
        if not self._line.over:
            self._line.close_now()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(provider={self.provider!r}, model={self.model!r}, closed={self.closed})"


class AsyncRealtimeConnect:
    """A session that has not begun: `async with` it, or await it and close what that gives."""

    def __init__(self, line: "Callable[[], Line]") -> None:
        self._new = line
        self._session: AsyncRealtimeSession | None = None

    def __await__(self) -> Generator[Any, Any, AsyncRealtimeSession]:
        return self._connected().__await__()

    async def _connected(self) -> AsyncRealtimeSession:
        line = self._new()
        await line.open()
        return AsyncRealtimeSession(line)

    async def __aenter__(self) -> AsyncRealtimeSession:
        self._session = await self._connected()
        return self._session

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.__aexit__(exc_type, exc, traceback)


class AsyncRealtime:
    """Conversations while they happen."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def connect(
        self,
        *,
        model: str,
        reconnect: Reconnect | int | None = None,
        max_queued_bytes: int = 16 << 20,
        **params: Unpack[RealtimeParams],
    ) -> AsyncRealtimeConnect:
        """Begin a session: `async with client.realtime.connect(model=...) as session`.

        model is "provider/model"; the other arguments are in `RealtimeParams`. `timeout` is for getting ready.

        reconnect:         what becomes of a session whose connection is lost: nothing unless told; a number is of
                           attempts in a row
        max_queued_bytes:  events that wait to be taken; beyond them nothing more is read

        Raises:
            UsageError: the call is wrong; nothing was sent.
            MissingDependencyError: another rate was asked for than the provider's, and soxr is not installed.
            APIConnectionError: there is no connection, or it was closed before the session was ready.
            APIStatusError: the provider refused.
        """
        name, own_model = self._core.split(model)
        given = validation.params(cast("dict[str, Any]", params), RealtimeParams, "realtime.connect")
        bound = self._core.require(name, "realtime")
        timeout = given.get("timeout")
        options = self._core.options(bound, given)
        functions: dict[str, FunctionTool] = {}
        if "tools" in given:
            given["tools"], functions = _tools(given["tools"])
        if given.pop("run_tools", True) is False:
            functions = {}
        if "messages" in given:
            given["messages"] = validation.messages(given["messages"])
        _check_rates(given)
        request = RealtimeRequest(
            provider=name, model=own_model, params=given, on_unsupported=options.on_unsupported, adjustments=[]
        )
        limits = options.call.timeouts
        if not isinstance(timeout, Timeouts):
            limits = structs.replace(limits, first_byte=min(limits.first_byte or _STEP, _STEP))
        host = cast("RealtimeProvider", bound.provider).realtime_host(
            request, structs.replace(options.call, timeouts=limits)
        )

        def line() -> "Line":
            from onellm.resources.realtime_line import Line, Terms  # noqa: PLC0415 - imports asyncio

            rates = given.get("input_rate"), given.get("output_rate")
            return Line(
                host,
                Terms(
                    model=own_model,
                    provider=name,
                    functions=functions,
                    reconnect=Reconnect(attempts=reconnect) if isinstance(reconnect, int) else reconnect,
                    retry=options.retry,
                    most_queued=max_queued_bytes,
                    step=limits.first_byte,
                    idle=limits.idle,
                    input_rate=rates[0],
                    output_rate=rates[1],
                ),
            )

        return AsyncRealtimeConnect(line)

    async def create_token(
        self, *, model: str, seconds: int | None = None, **params: Unpack[RealtimeParams]
    ) -> RealtimeToken:
        """A token for one session, for a browser or another client that may not have the key.

        seconds:  how long a session can be begun with it; the provider's usual time unless given

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        name, own_model = self._core.split(model)
        given = validation.params(cast("dict[str, Any]", params), RealtimeParams, "realtime.create_token")
        bound = self._core.require(name, "realtime_tokens")
        options = self._core.options(bound, given)
        for unused in ("run_tools", "messages", "resume", "input_rate", "output_rate"):
            if given.pop(unused, None) is not None:
                raise InvalidRequestError(
                    f"realtime.create_token: {unused} is for realtime.connect alone", param=unused
                )
        if "tools" in given:
            given["tools"] = _tools(given["tools"])[0]
        request = RealtimeRequest(
            provider=name, model=own_model, params=given, on_unsupported=options.on_unsupported, adjustments=[]
        )
        provider = cast("RealtimeTokenProvider", bound.provider)
        return await options.send(provider.create_realtime_token, request, seconds)


def _tools(given: Iterable[Any]) -> "tuple[list[Mapping[str, Any]], dict[str, FunctionTool]]":
    """The tools as chat says them, and the functions among them by name."""
    from onellm.types.functions import FunctionTool, as_tool  # noqa: PLC0415 - for callers who give tools

    tools = [as_tool(tool, place) for place, tool in enumerate(given)]
    functions = [tool for tool in tools if isinstance(tool, FunctionTool)]
    named = {tool.name: tool for tool in functions}
    if len(named) < len(functions):
        raise InvalidRequestError(
            "tools: two functions have one name; FunctionTool(function, name=...) gives another", param="tools"
        )
    return [dict(tool.param()) if isinstance(tool, FunctionTool) else tool for tool in tools], named


def _check_rates(given: Mapping[str, Any]) -> None:
    for side in ("input", "output"):
        rate = given.get(f"{side}_rate")
        if rate is not None and rate <= 0:
            raise InvalidRequestError(f"{side}_rate must be samples a second, not {rate}", param=f"{side}_rate")
        if rate not in (None, 8000) and given.get(f"{side}_audio_format", "pcm16") != "pcm16":
            raise InvalidRequestError(f"{side}_rate: G.711 has 8000 samples a second", param=f"{side}_rate")

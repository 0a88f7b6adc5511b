# GENERATED from onellm/resources/realtime.py by onellm._sync.generate. Do not edit: run make sync.

"""`realtime`: conversations by voice or text over one connection, while they happen.

https://developers.openai.com/api/docs/guides/realtime
"""

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from typing_extensions import Unpack

from onellm._sync.iteration import awaited
from onellm._sync.portal import run
from onellm.resources.realtime import AsyncRealtime, AsyncRealtimeSession
from onellm.types.realtime import RealtimeParams, RealtimeToken, Reconnect

if TYPE_CHECKING:
    from onellm.dialects.realtime import RealtimeFacts
    from onellm.types.realtime_events import RealtimeEvent
    from onellm.voice.playback import HeardAudio


class RealtimeSession:
    """A session: say something with its methods, and iterate over what happens.

    Sending and iterating are for different tasks, as many as you like. Use it in `with`: leaving closes the
    connection, at once where it is left by cancelling. What nobody takes is kept up to a bound, and then not read any
    more. One that is let go is closed.
    """

    def __init__(self, held: AsyncRealtimeSession) -> None:
        self._async = held

    @property
    def session_id(self) -> str | None:
        """The provider's id of the session, where it has one."""
        return self._async.session_id

    @property
    def model(self) -> str:
        """The provider's own model id."""
        return self._async.model

    @property
    def provider(self) -> str:
        """The provider's name."""
        return self._async.provider

    @property
    def input_rate(self) -> int:
        """Samples a second of the sound that `send_audio` takes."""
        return self._async.input_rate

    @property
    def output_rate(self) -> int:
        """Samples a second of the sound in `AudioDelta`."""
        return self._async.output_rate

    @property
    def facts(self) -> "RealtimeFacts":
        """What the session can do with this provider."""
        return self._async.facts

    @property
    def closed(self) -> bool:
        """Whether it has ended; events may still be there to be taken."""
        return self._async.closed

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> "RealtimeEvent":
        """The next event.

        Raises:
            StreamInterruptedError: the connection was lost, after `SessionClosed` has said so.
        """
        try:
            return run(self._async.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def send_text(self, text: str, *, respond: bool = True) -> None:
        """Say something in text, and unless `respond=False` have it answered.

        An answer that is under way is not cut off: the next one follows it.

        Raises:
            APIConnectionError: the connection is gone, or takes nothing.
        """
        run(self._async.send_text(text, respond=respond))

    def send_audio(self, audio: bytes | bytearray | memoryview) -> None:
        """Send sound as it is recorded: bare samples in the session's format, at `input_rate`, any number at a time.

        Raises:
            APIConnectionError: the connection is gone, or takes nothing.
        """
        run(self._async.send_audio(audio))

    def send_image(
        self, image: str | bytes, *, media_type: str = "image/jpeg", text: str | None = None, respond: bool = False
    ) -> None:
        """Show an image, by its bytes or its URL, with a text beside it or without.

        Raises:
            UnsupportedFeatureError: the provider sees no images here.
            APIConnectionError: the connection is gone, or takes nothing.
        """
        run(self._async.send_image(image, media_type=media_type, text=text, respond=respond))

    def send_message(
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
        run(self._async.send_message(content, role=role, respond=respond))

    def commit(self, *, respond: bool = True) -> None:
        """The user's turn is over: for `turn_detection="none"`, where nobody else says so.

        Raises:
            APIConnectionError: the connection is gone, or takes nothing.
        """
        run(self._async.commit(respond=respond))

    def clear(self) -> None:
        """Forget the sound that was sent since the last turn.

        Raises:
            UnsupportedFeatureError: the provider cannot.
            APIConnectionError: the connection is gone, or takes nothing.
        """
        run(self._async.clear())

    def respond(self, **options: Any) -> None:
        """Have the model answer now, or after the answer that is under way; options are OpenAI's of `response.create`.

        Raises:
            UnsupportedFeatureError: the provider cannot.
            APIConnectionError: the connection is gone, or takes nothing.
        """
        run(self._async.respond(**options))

    def interrupt(self, played_ms: int | None = None, *, heard: "HeardAudio | None" = None) -> None:
        """Stop the answer that is under way; no more of its sound comes, that in the queue neither.

        played_ms:  how much of the item whose sound was taken last was heard, in milliseconds: the model is told, where
                    that goes
        heard:      the same as a `PlaybackQueue` says it, which knows what was being played

        Raises:
            APIConnectionError: the connection is gone, or takes nothing.
        """
        run(self._async.interrupt(played_ms, heard=heard))

    def send_tool_result(self, call_id: str, output: object, *, respond: bool = True) -> None:
        """Answer a call of a tool. output: a text, or what JSON can say.

        The model goes on when all calls of its answer have been answered.

        Raises:
            APIConnectionError: the connection is gone, or takes nothing.
        """
        run(self._async.send_tool_result(call_id, output, respond=respond))

    def update(self, **params: Unpack[RealtimeParams]) -> None:
        """Change settings from now on; `SessionUpdated` says that it was done.

        Raises:
            UnsupportedFeatureError: the provider takes no changes, or not this one.
            APIConnectionError: the connection is gone, or takes nothing.
        """
        run(self._async.update(**params))

    def send_raw(self, event: Mapping[str, Any]) -> None:
        """Send an event of the provider's own.

        Raises:
            APIConnectionError: the connection is gone, or takes nothing.
        """
        run(self._async.send_raw(event))

    def close(self) -> None:
        """End the session. Events that have come can still be taken."""
        run(self._async.aclose())

    def close_now(self) -> None:
        """End it without waiting for anything; safe from any thread."""
        self._async.close_now()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        run(self._async.__aexit__(exc_type, exc, traceback))

    def __repr__(self) -> str:
        return repr(self._async).removeprefix("Async")


class Realtime:
    """Conversations while they happen."""

    def __init__(self, held: AsyncRealtime) -> None:
        self._async = held

    def connect(
        self,
        *,
        model: str,
        reconnect: Reconnect | int | None = None,
        max_queued_bytes: int = 16 << 20,
        **params: Unpack[RealtimeParams],
    ) -> RealtimeSession:
        """Begin a session: `with client.realtime.connect(model=...) as session`.

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
        return RealtimeSession(
            run(
                awaited(
                    self._async.connect(
                        model=model,
                        reconnect=reconnect,
                        max_queued_bytes=max_queued_bytes,
                        **params,
                    )
                )
            )
        )

    def create_token(
        self, *, model: str, seconds: int | None = None, **params: Unpack[RealtimeParams]
    ) -> RealtimeToken:
        """A token for one session, for a browser or another client that may not have the key.

        seconds:  how long a session can be begun with it; the provider's usual time unless given

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        return run(self._async.create_token(model=model, seconds=seconds, **params))

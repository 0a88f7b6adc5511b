"""`onellm talk`: a conversation by voice, or a recording and what a model says to it."""

import asyncio
import sys
from argparse import Namespace
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from onellm import config as config_module
from onellm.cli._words import Words
from onellm.cli.report import notice, one_line, printable
from onellm.client import AsyncOneLLM
from onellm.errors import APIError, ConfigurationError, InvalidRequestError
from onellm.types.realtime_events import (
    AudioDelta,
    RealtimeEvent,
    ResponseDone,
    Role,
    SessionError,
    SessionExpiring,
    SessionReconnected,
    SessionWarning,
)
from onellm.voice.wav import WavReader, WavWriter

if TYPE_CHECKING:
    from onellm.resources.realtime import AsyncRealtimeSession
    from onellm.voice.devices import Microphone, Speaker

# What is asked where a provider is configured and no model is named.
_MODELS = {"openai": "openai/gpt-realtime"}
_LATE = 5.0  # seconds that the words of the question may come after the answer
_ATTEMPTS = 3  # in a row, to get a lost connection back
_LONGEST = 300  # characters of a notice
_WHO: dict[Role, str] = {"user": "you", "assistant": "model"}
_RESTORED = {
    "session": "the conversation goes on",
    "items": "the conversation goes on from what was said",
    "nothing": "a new conversation begins",
}


def run(arguments: Namespace) -> int:
    """Talk until Ctrl-C, or until the recording is answered."""
    if arguments.output and not arguments.input:
        arguments.misused("--output needs --input")
    model = arguments.model or _default_model()
    try:
        asyncio.run(_run(model, arguments))
    except KeyboardInterrupt:
        if arguments.input:
            raise
        print(file=sys.stderr)  # the way out of a conversation
    return 0


def _default_model() -> str:
    name = config_module.load().default_provider
    if name not in _MODELS:
        raise ConfigurationError(f"name a model, --model {name}/…; `onellm models {name}` lists them")
    return _MODELS[name]


async def _run(model: str, arguments: Namespace) -> None:
    async with AsyncExitStack() as stack:
        file = _created(stack, arguments.transcript) if arguments.transcript else None
        words = Words(lambda role, text: _say(role, text, file))
        stack.callback(words.close)
        client = await stack.enter_async_context(AsyncOneLLM())
        settings = {"model": model, "voice": arguments.voice, "instructions": arguments.instructions}
        if arguments.input:
            await _answer(stack, client, settings, arguments, words)
        else:
            await _converse(stack, client, settings, arguments, words)


def _created(stack: AsyncExitStack, path: str) -> BinaryIO:
    try:
        return stack.enter_context(Path(path).open("wb"))
    except OSError as exc:
        raise InvalidRequestError(f"{path} cannot be written: {exc.strerror}") from exc


def _say(role: Role, text: str, file: BinaryIO | None) -> None:
    line = f"{_WHO[role]}: {' '.join(text.split())}"
    print(printable(line) if sys.stdout.isatty() else line, flush=True)
    if file is not None:
        file.write(f"{line}\n".encode())
        file.flush()


# --- a conversation ---------------------------------------------------------------------------------------------


async def _converse(
    stack: AsyncExitStack, client: AsyncOneLLM, settings: dict[str, Any], arguments: Namespace, words: Words
) -> None:
    from onellm.voice.devices import Microphone  # noqa: PLC0415 - only for those who have one

    microphone, speaker = Microphone(device=_device(arguments.microphone)), _speaker(arguments.speaker)
    session = await stack.enter_async_context(
        client.realtime.connect(**settings, reconnect=_ATTEMPTS, input_rate=microphone.rate, output_rate=speaker.rate)
    )
    await stack.enter_async_context(speaker)
    await stack.enter_async_context(microphone)
    notice(f"{settings['model']} listens to {microphone.name}; Ctrl-C ends")
    async with _beside(_listen(session, microphone, speaker if arguments.half_duplex else None)):
        async for event in session:
            await _play(session, speaker, event)
            words.feed(event)
            _tell(event)


async def _listen(session: "AsyncRealtimeSession", microphone: "Microphone", muted_by: "Speaker | None") -> None:
    """Send what the microphone hears; silence in its place while something is played that it must not hear."""
    async for pcm in microphone:
        if session.closed:
            return  # its last event says why
        await session.send_audio(bytes(len(pcm)) if muted_by is not None and muted_by.playback.playing else pcm)


async def _play(session: "AsyncRealtimeSession", speaker: "Speaker", event: RealtimeEvent) -> None:
    """Play what an event brings; where the user spoke up, stop, and tell the model what was heard of it."""
    lost = speaker.playback.lost_ms
    if heard := speaker.playback.feed(event):
        await session.interrupt(heard=heard)
    if speaker.playback.lost_ms and not lost:
        notice("the model speaks for so long that not all of it is kept to be played")


# --- a recording ------------------------------------------------------------------------------------------------


async def _answer(
    stack: AsyncExitStack, client: AsyncOneLLM, settings: dict[str, Any], arguments: Namespace, words: Words
) -> None:
    """Send a recording as one turn; write what is answered to a file, or play it."""
    recording = _opened(stack, arguments.input)
    target = _created(stack, arguments.output) if arguments.output else None
    speaker = _speaker(arguments.speaker) if target is None else None
    output_rate = speaker.rate if speaker is not None else None
    session = await stack.enter_async_context(
        client.realtime.connect(**settings, turn_detection="none", input_rate=recording.rate, output_rate=output_rate)
    )
    spoken = stack.enter_context(WavWriter(target, session.output_rate)) if target is not None else None
    if speaker is not None:
        await stack.enter_async_context(speaker)
    async with _beside(_send(session, recording)):
        async for event in _until_answered(session, words):
            if spoken is not None and isinstance(event, AudioDelta):
                spoken.write(event.pcm)
            if speaker is not None:
                await _play(session, speaker, event)
    if spoken is not None:
        notice(f"{arguments.output}: {spoken.seconds:.1f} s")
    if speaker is not None:
        await speaker.adrain()


def _opened(stack: AsyncExitStack, path: str) -> WavReader:
    try:
        recording = stack.enter_context(WavReader(path))
    except OSError as exc:
        raise InvalidRequestError(f"{path} cannot be read: {exc.strerror}") from exc
    if not recording.seconds:
        raise InvalidRequestError(f"{path} has no sound in it")
    return recording


def _speaker(device: str | None) -> "Speaker":
    from onellm.voice.devices import Speaker  # noqa: PLC0415 - only for those who have one

    return Speaker(device=_device(device))


async def _send(session: "AsyncRealtimeSession", recording: WavReader) -> None:
    for pcm in recording.pieces():
        if session.closed:
            return  # its last event says why
        await session.send_audio(pcm)
    await session.commit()


async def _until_answered(session: "AsyncRealtimeSession", words: Words) -> AsyncGenerator[RealtimeEvent]:
    """The events up to the end of the answer, and, where they come soon, of the words of the question.

    Raises:
        APIError: there is no answer.
    """
    answered = False
    try:
        async with asyncio.timeout(None) as limit:
            async for event in session:
                yield event
                words.feed(event)
                _tell(event)
                match event:
                    case SessionError(message=message) if not answered:  # what was refused is not answered
                        raise APIError(message, code=event.code, provider=session.provider, model=session.model)
                    case ResponseDone(status="failed", error=error, reason=reason):
                        raise APIError(f"no answer: {error or reason}", provider=session.provider, model=session.model)
                    case ResponseDone(more_expected=False):
                        answered = True
                        limit.reschedule(asyncio.get_running_loop().time() + _LATE)
                    case _:
                        pass
                if answered and not words.waiting:
                    return
    except TimeoutError:
        return  # nobody wrote the question down
    if not answered:
        raise APIError("the session was ended before the answer", provider=session.provider, model=session.model)


# --- both -------------------------------------------------------------------------------------------------------


def _device(named: str | None) -> int | str | None:
    return int(named) if named is not None and named.isdecimal() else named


def _tell(event: RealtimeEvent) -> None:
    """Say what is not part of the conversation."""
    match event:
        case SessionError(message=message) | SessionWarning(message=message):
            notice(one_line(message, _LONGEST))
        case SessionExpiring(time_left=left) if left is not None:
            notice(f"the provider ends the session in {left:.0f} s")
        case SessionReconnected(restored=restored):
            notice("the connection was lost; " + _RESTORED[restored])
        case _:
            pass


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Do something while the block lasts; where it fails, so does the block."""
    try:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(work)
            yield
            task.cancel()
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None

"""Streams of generateContent, and whole answers, which are streams of one chunk.

https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Raw, Struct

from onellm.dialects import errors, lenient
from onellm.dialects.chat_fold import ChoiceFold
from onellm.dialects.gemini import pcm, sources
from onellm.dialects.gemini.contents import merged
from onellm.dialects.gemini.partial import OpenCall, PartialArg
from onellm.dialects.lenient import DECODE_ERRORS
from onellm.dialects.sse_reducer import SseReducer, interrupted
from onellm.errors import ResponseDecodeError
from onellm.transport.sse import SseDecoder
from onellm.types.chat import (
    Annotation,
    ChatCompletion,
    ChatCompletionAudio,
    ChatCompletionChunk,
    Choice,
    ChoiceDelta,
    ChoiceDeltaToolCall,
    ChoiceLogprobs,
    ChunkChoice,
    CompletionTokensDetails,
    CompletionUsage,
    DeltaAudio,
    DeltaFunction,
    FinishReason,
    ImageSource,
    OutputImage,
    PromptTokensDetails,
    ProviderData,
    TokenLogprob,
    TopLogprob,
)
from onellm.types.chat_params import ChatRequest

# https://ai.google.dev/api/generate-content#FinishReason; what is not here is "other".
FINISH: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "LANGUAGE": "content_filter",
    "MALFORMED_FUNCTION_CALL": "error",
    "UNEXPECTED_TOOL_CALL": "error",
    "TOO_MANY_TOOL_CALLS": "error",
    "MISSING_THOUGHT_SIGNATURE": "error",
    "MALFORMED_RESPONSE": "error",
    "OTHER": "stop",
    "NO_IMAGE": "stop",
    "IMAGE_OTHER": "stop",
    "ESCALATION": "stop",
    "PUP_LIMITED_DISABLED": "stop",
    "FINISH_REASON_UNSPECIFIED": "stop",
    # Their numbers, for who asks with `$alt=json;enum-encoding=int`.
    "1": "stop",
    "2": "length",
    "3": "content_filter",
    "4": "content_filter",
}


class _Blob(Struct, gc=False):
    mimeType: str = ""  # noqa: N815 - the wire's name
    data: str = ""


class _Call(Struct, gc=False):
    id: str | None = None
    name: str = ""
    args: Raw = Raw(b"{}")
    partialArgs: list[PartialArg] | None = None  # noqa: N815 - the wire's names
    willContinue: bool | None = None  # noqa: N815


class _Part(Struct, gc=False):
    """Of an unknown kind where no field is set: kept, and shown to nobody."""

    text: str | None = None
    thought: bool | None = None
    thoughtSignature: str | None = None  # noqa: N815 - the wire's name
    functionCall: _Call | None = None  # noqa: N815
    inlineData: _Blob | None = None  # noqa: N815


class _Content(Struct, gc=False):
    parts: list[_Part] | None = None


class _Candidate(Struct, gc=False):
    content: _Content | None = None
    index: int | None = None
    finishReason: str | int | None = None  # noqa: N815 - the wire's name
    groundingMetadata: sources.Grounding | None = None  # noqa: N815
    citationMetadata: sources.Recited | None = None  # noqa: N815
    logprobsResult: Any = None  # noqa: N815


class _RawContent(Struct, gc=False):
    parts: list[Raw] = []


class _RawCandidate(Struct, gc=False):
    content: _RawContent = msgspec.field(default_factory=_RawContent)


class _RawChunk(Struct, gc=False):
    """The same chunk, its parts as they came."""

    candidates: list[_RawCandidate] = []


class _Modality(Struct, gc=False):
    modality: str | int = ""
    tokenCount: int = 0  # noqa: N815 - the wire's name


class _Usage(Struct, gc=False):
    promptTokenCount: int | None = None  # noqa: N815 - the wire's names
    cachedContentTokenCount: int | None = None  # noqa: N815
    candidatesTokenCount: int | None = None  # noqa: N815
    thoughtsTokenCount: int | None = None  # noqa: N815
    toolUsePromptTokenCount: int | None = None  # noqa: N815
    totalTokenCount: int | None = None  # noqa: N815
    promptTokensDetails: list[_Modality] | None = None  # noqa: N815
    candidatesTokensDetails: list[_Modality] | None = None  # noqa: N815
    serviceTier: str | int | None = None  # noqa: N815


class _Feedback(Struct, gc=False):
    blockReason: str | int | None = None  # noqa: N815 - the wire's name


class _Chunk(Struct, gc=False):
    candidates: list[_Candidate] | None = None
    promptFeedback: _Feedback | None = None  # noqa: N815 - the wire's names
    usageMetadata: Raw = Raw()  # noqa: N815 - each chunk repeats it; read when it is asked for
    modelVersion: str | None = None  # noqa: N815
    responseId: str | None = None  # noqa: N815
    createTime: str | None = None  # noqa: N815
    error: Raw = Raw()


_decode_chunk = msgspec.json.Decoder(_Chunk, strict=False).decode
_decode_part = msgspec.json.Decoder(_Part, strict=False).decode
_decode_raw = msgspec.json.Decoder(_RawChunk).decode
_decode_usage = msgspec.json.Decoder(_Usage, strict=False).decode

_WHAT = "an answer of generateContent"
_FIELDS = (b"data", b"event", b"id", b"retry", b":")


class GeminiSse(SseDecoder):
    """Server-sent events, between which an error may stand as bare JSON, over several lines.

    stray:  the lines that are no event's
    """

    def __init__(self, *, max_event_bytes: int) -> None:
        super().__init__(max_event_bytes=max_event_bytes)
        self.stray = b""

    def _parse(self, whole: bytes) -> Any:
        lines = [line for line in whole.split(b"\n") if line and not line.startswith(_FIELDS)]
        if lines:
            self.stray = b"\n".join([self.stray, *lines] if self.stray else lines)
        return super()._parse(whole)

    def unfinished(self) -> bytes:
        """The stray lines, with those after which no blank line came."""
        lines = [line for line in bytes(self._tail).split(b"\n") if line and not line.startswith(_FIELDS)]
        return b"\n".join([self.stray, *lines])

    @staticmethod
    def refusal(lines: bytes) -> bytes:
        """These lines, where they are an error; b"" where they are not, or not whole yet."""
        try:
            return lines if lines and errors.is_error(msgspec.json.decode(lines)) else b""
        except DECODE_ERRORS:
            return b""


class PartsFold(ChoiceFold):
    """A choice, with its parts as they came."""

    __slots__ = ("calls", "grounding", "index", "kept", "open_call", "recited", "sound", "sound_type", "special")

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index
        self.kept: list[_Part | Raw] = []  # parsed where it is text and nothing else
        self.open_call: OpenCall | None = None
        self.special = False  # something came that has to go back as it is
        self.calls = 0
        self.grounding: sources.Grounding | None = None
        self.recited: sources.Recited | None = None
        self.sound: list[bytes] = []
        self.sound_type = ""

    def take_sound(self) -> list[bytes]:
        """The samples that have come since the last time; they are no longer held."""
        taken, self.sound = self.sound, []
        self.audio_data.clear()
        return taken


class GeminiReducer(SseReducer[ChatCompletionChunk]):
    """Folds a stream of generateContent. It has no last event: it ends with the body, after each choice's reason."""

    def __init__(self, request: ChatRequest, decoder: GeminiSse | None) -> None:
        super().__init__({}, decoder)
        self._sse = decoder
        self._request = request
        self._id = ""
        self._model = ""
        self._created = 0
        self._tier: str | None = None
        self._usage: Raw = Raw()
        self._choices: dict[int, PartsFold] = {}
        self._blocked = False
        self._begun = False
        self._data = b""  # the chunk that is being read, and its parts as they came once one is wanted
        self._raws: list[list[Raw]] | None = None

    def feed(self, data: bytes) -> list[ChatCompletionChunk]:
        chunks = super().feed(data)
        sse = self._sse
        if sse is not None and sse.stray and self.error is None and (refused := sse.refusal(sse.stray)):
            self.error = self._refusal(refused)
        return chunks

    def feed_chunk(self, data: bytes, emit: Callable[[ChatCompletionChunk], object]) -> None:
        """Take one chunk's JSON in; `emit` gets what the caller is to see of it.

        Raises:
            APIStatusError: it is an error.
            ResponseDecodeError: it is no chunk.
        """
        try:
            wire = _decode_chunk(data)
        except DECODE_ERRORS:
            wire = self._repaired(data)
        candidates = wire.candidates
        if candidates is None and wire.error and errors.is_error(msgspec.json.decode(data)):
            raise self._refusal(data)
        self._data, self._raws = data, None
        if not self._begun:
            self._begin(wire)
        if wire.usageMetadata:
            self._usage = wire.usageMetadata
        if candidates is not None and len(candidates) == 1:
            choices = [self._choice(0, candidates[0])]
        else:
            choices = [self._choice(place, candidate) for place, candidate in enumerate(candidates or ())]
        if not choices and wire.promptFeedback is not None and wire.promptFeedback.blockReason is not None:
            choices = [self._block(str(wire.promptFeedback.blockReason))]
        if not choices:
            return
        chunk = ChatCompletionChunk(id=self._id, created=self._created, model=self._model, choices=choices, raw=data)
        for choice in choices:
            if choice.finish_reason is not None:
                chunk.usage = self._counted()
                chunk.service_tier = self._tier
                break
        emit(chunk)

    def close(self) -> ChatCompletion:
        sse = self._sse
        if sse is not None and self.error is None and (refused := sse.refusal(sse.unfinished())):
            self.error = self._refusal(refused)
        self._settle()
        choices = self._choices
        wanted: int = 1 if self._blocked else self._request.params.get("n", 1)
        if sse is None:
            if not choices:
                raise ResponseDecodeError(f"not {_WHAT}: it has no candidates")
        elif len(choices) < wanted or any(state.finish is None for state in choices.values()):
            raise interrupted(self._request)
        return ChatCompletion(
            id=self._id,
            created=self._created,
            model=self._model,
            choices=[self._whole(state) for _, state in sorted(choices.items())],
            usage=self._counted(),
            service_tier=self._tier,
        )

    def states(self) -> Iterable[PartsFold]:
        """What the choices have added up to."""
        return self._choices.values()

    def _repaired(self, data: bytes) -> _Chunk:
        """A chunk that does not decode."""
        value = lenient.decode_json(data, _WHAT)
        if errors.is_error(value):
            raise self._refusal(data) from None
        return lenient.convert(value, _Chunk, _WHAT)

    def _begin(self, wire: _Chunk) -> None:
        """Take over what is said of the whole."""
        self._id = self._id or wire.responseId or ""
        self._model = self._model or wire.modelVersion or ""
        if wire.createTime and not self._created:
            self._created = _unix_time(wire.createTime)
        self._begun = bool(self._id and self._model)

    def _choice(self, place: int, candidate: _Candidate) -> ChunkChoice:
        index = place if candidate.index is None else candidate.index
        state = self._choices.get(index)
        delta = ChoiceDelta()
        if state is None:
            state = self._choices[index] = PartsFold(index)
            delta.role = "assistant"
        content = candidate.content
        if content is not None and content.parts:
            for number, part in enumerate(content.parts):
                text = part.text
                if not text or part.thought or part.thoughtSignature is not None:
                    self._part(part, (place, number), state, delta)
                    continue
                delta.content = text if delta.content is None else delta.content + text
                state.kept.append(part)
        choice = ChunkChoice(index=index, delta=delta)
        if candidate.logprobsResult is not None:
            choice.logprobs = _logprobs(candidate.logprobsResult)
        if candidate.groundingMetadata is not None and (
            candidate.groundingMetadata.groundingChunks or not state.grounding
        ):
            state.grounding = candidate.groundingMetadata
        if candidate.citationMetadata is not None:
            state.recited = candidate.citationMetadata
        if candidate.finishReason is not None:
            self._finish(choice, str(candidate.finishReason), state)
        state.add(choice)
        return choice

    def _part(self, part: _Part, place: tuple[int, int] | Raw, state: PartsFold, delta: ChoiceDelta) -> None:
        """A part that is not text alone; place is where in the chunk it stands, or the part itself."""
        text = part.text
        if text and part.thought:
            delta.reasoning = text if delta.reasoning is None else delta.reasoning + text
        elif text:
            delta.content = text if delta.content is None else delta.content + text
        elif (call := part.functionCall) is not None:
            if state.open_call is not None or call.willContinue:
                self._continue(call, part.thoughtSignature, state, delta)
                return
            self._call(call, state, delta)
        elif (blob := part.inlineData) is not None:
            if blob.mimeType.startswith("audio/"):
                self._sound(blob, state, delta)
                return  # samples do not go back
            if part.thought:
                return  # a sketch, of which the answer has the finished one
            url = f"data:{blob.mimeType};base64,{blob.data}"
            delta.images = [*(delta.images or ()), OutputImage(image_url=ImageSource(url=url))]
        if text is not None and part.thoughtSignature is None:
            state.kept.append(part)
        else:
            state.special = True
            state.kept.append(place if isinstance(place, Raw) else self._raw(*place, part))

    def _raw(self, candidate: int, number: int, part: _Part) -> Raw:
        """A part of the chunk as it came; what we know of it where the chunk is not quite as documented."""
        try:
            if self._raws is None:
                self._raws = [each.content.parts for each in _decode_raw(self._data).candidates]
            return self._raws[candidate][number]
        except (*DECODE_ERRORS, IndexError):
            known = {name: value for name in part.__struct_fields__ if (value := getattr(part, name)) is not None}
            return Raw(msgspec.json.encode(known))

    def _call(self, call: _Call, state: PartsFold, delta: ChoiceDelta) -> None:
        given = bytes(call.args)
        arguments = "{}" if given in (b"", b"null") else _compact(given)  # laid out for readers, as a rule
        # Where the host gives none: the same in a stream and in a whole answer, another in each turn.
        made = f"{self._id}/{state.index}/{state.calls}/{call.name}" + ("" if self._id else arguments)
        id_ = call.id or f"call_{sha256(made.encode()).hexdigest()[:24]}"
        function = DeltaFunction(name=call.name, arguments=arguments)
        made_call = ChoiceDeltaToolCall(index=state.calls, id=id_, type="function", function=function)
        state.calls += 1
        delta.tool_calls = [*(delta.tool_calls or ()), made_call]

    def _continue(self, call: _Call, signature: str | None, state: PartsFold, delta: ChoiceDelta) -> None:
        """A piece of a call; the last one has no `willContinue`."""
        held = state.open_call = state.open_call or OpenCall()
        held.id, held.name = held.id or call.id, held.name or call.name
        held.signature = held.signature or signature
        for given in call.partialArgs or ():
            held.add(given)
        if not call.willContinue:
            state.open_call = None
            whole = Raw(msgspec.json.encode(held.part()))
            self._part(_decode_part(whole), whole, state, delta)

    def _sound(self, blob: _Blob, state: PartsFold, delta: ChoiceDelta) -> None:
        try:
            state.sound.append(b64decode(blob.data, validate=True))
        except ValueError as exc:
            raise ResponseDecodeError(f"sound that is not base64: {exc}") from exc
        state.sound_type = state.sound_type or blob.mimeType
        delta.audio = DeltaAudio(id=self._id, data=(delta.audio.data or "" if delta.audio else "") + blob.data)

    def _finish(self, choice: ChunkChoice, raw: str, state: PartsFold) -> None:
        choice.finish_reason_raw = raw
        choice.finish_reason = FINISH.get(raw, "other")
        if choice.finish_reason == "stop" and state.calls:
            choice.finish_reason = "tool_calls"
        if state.grounding is not None or state.recited is not None:
            content = "".join(state.content) + (choice.delta.content or "")
            choice.delta.citations = found = sources.citations(state.grounding, state.recited, content)
            choice.delta.annotations = [
                Annotation(type="url_citation", url_citation=url) for url in sources.urls(found)
            ]

    def _block(self, reason: str) -> ChunkChoice:
        """The prompt was refused, and there is no candidate."""
        self._blocked = True
        state = self._choices.setdefault(0, PartsFold(0))
        delta = ChoiceDelta(role="assistant")
        choice = ChunkChoice(delta=delta, finish_reason="content_filter", finish_reason_raw=reason)
        state.add(choice)
        return choice

    def _counted(self) -> CompletionUsage | None:
        if not self._usage:
            return None
        try:
            wire = _decode_usage(self._usage)
        except DECODE_ERRORS:
            wire = lenient.convert(msgspec.json.decode(self._usage), _Usage, "a usage")
        if wire.serviceTier is not None:
            self._tier = str(wire.serviceTier)
        return usage(wire)

    def _whole(self, state: PartsFold) -> Choice:
        choice = state.whole(state.index)
        message = choice.message
        if state.sound:
            samples = b"".join(state.sound)
            asked: Mapping[str, Any] = self._request.params.get("audio") or {}
            if asked.get("format") == "wav":
                samples = pcm.as_wav(samples, state.sound_type)
            message.audio = ChatCompletionAudio(id=self._id, data=b64encode(samples).decode())
        if state.special:
            parts = merged(map(_kept, state.kept))
            message.provider_data = ProviderData(provider=self._request.provider, data={"parts": parts})
        return choice


def _kept(part: _Part | Raw) -> dict[str, Any]:
    if isinstance(part, _Part):
        return {"text": part.text, "thought": True} if part.thought else {"text": part.text}
    found: dict[str, Any] = msgspec.json.decode(part)
    return found


def _compact(arguments: bytes) -> str:
    try:
        return msgspec.json.encode(msgspec.json.decode(arguments)).decode()
    except (*DECODE_ERRORS, OverflowError):  # a number of more than 64 bits
        return arguments.decode()


def _unix_time(text: str) -> int:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return 0
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())


def usage(wire: _Usage) -> CompletionUsage:
    """Tokens under OpenAI's meaning."""
    prompt = (wire.promptTokenCount or 0) + (wire.toolUsePromptTokenCount or 0)
    # candidatesTokenCount leaves thoughts out; ours counts them.
    completion = (wire.candidatesTokenCount or 0) + (wire.thoughtsTokenCount or 0)
    into = _by_modality(wire.promptTokensDetails)
    out = _by_modality(wire.candidatesTokensDetails)
    return CompletionUsage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=wire.totalTokenCount or prompt + completion,
        prompt_tokens_details=PromptTokensDetails(
            cached_tokens=wire.cachedContentTokenCount or 0,
            audio_tokens=into.get("AUDIO"),
            image_tokens=into.get("IMAGE"),
            text_tokens=into.get("TEXT"),
        ),
        completion_tokens_details=CompletionTokensDetails(
            reasoning_tokens=wire.thoughtsTokenCount or 0,
            audio_tokens=out.get("AUDIO"),
            text_tokens=out.get("TEXT"),
        ),
    )


def _by_modality(details: list[_Modality] | None) -> dict[str | int, int]:
    return {each.modality: each.tokenCount for each in details or ()}


class _Token(Struct, gc=False):
    token: str = ""
    logProbability: float = 0.0  # noqa: N815 - the wire's name


class _Alternatives(Struct, gc=False):
    candidates: list[_Token] = []


class _Logprobs(Struct, gc=False):
    chosenCandidates: list[_Token] = []  # noqa: N815 - the wire's names
    topCandidates: list[_Alternatives] = []  # noqa: N815


def _logprobs(value: Any) -> ChoiceLogprobs:
    wire = lenient.convert(value, _Logprobs, "log probabilities")
    content: list[TokenLogprob] = []
    for place, chosen in enumerate(wire.chosenCandidates):
        others = wire.topCandidates[place].candidates if place < len(wire.topCandidates) else []
        top = [TopLogprob(token=each.token, logprob=each.logProbability, bytes=_bytes(each.token)) for each in others]
        content.append(
            TokenLogprob(
                token=chosen.token, logprob=chosen.logProbability, bytes=_bytes(chosen.token), top_logprobs=top
            )
        )
    return ChoiceLogprobs(content=content)


def _bytes(token: str) -> list[int]:
    return list(token.encode("utf-8", "surrogatepass"))

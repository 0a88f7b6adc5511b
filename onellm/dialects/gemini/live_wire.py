"""What a Live session sends, as received. https://ai.google.dev/api/live#BidiGenerateContentServerMessage"""

# ruff: noqa: N815 - the wire's names
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart where it is not as documented.

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from onellm.dialects import lenient
from onellm.dialects.lenient import DECODE_ERRORS
from onellm.types.realtime_events import RealtimeUsage, ResponseStatus

WireT = TypeVar("WireT", bound=Struct)

_DURATION = re.compile(r"(\d+(?:\.\d+)?)s")

# https://ai.google.dev/api/live#TurnCompleteReason; others are "incomplete", under their own names. The second is
# the reason, where it has a name that others have too.
TURN_REASONS: dict[str, tuple[ResponseStatus, str | None]] = {
    "MALFORMED_FUNCTION_CALL": ("failed", None),
    "RESPONSE_REJECTED": ("failed", None),
    "MAX_REGENERATION_REACHED": ("failed", None),
    "NEED_MORE_INPUT": ("incomplete", None),
    **dict.fromkeys(
        (
            "BLOCKLIST",
            "GENERATED_AUDIO_SAFETY",
            "GENERATED_CONTENT_BLOCKLIST",
            "GENERATED_CONTENT_PROHIBITED",
            "GENERATED_CONTENT_SAFETY",
            "GENERATED_IMAGE_CELEBRITY",
            "GENERATED_IMAGE_IDENTIFIABLE_PEOPLE",
            "GENERATED_IMAGE_MINORS",
            "GENERATED_IMAGE_PROHIBITED",
            "GENERATED_IMAGE_PROMINENT_PEOPLE_DETECTED_BY_REWRITER",
            "GENERATED_IMAGE_SAFETY",
            "GENERATED_OTHER",
            "GENERATED_VIDEO_SAFETY",
            "IMAGE_PROHIBITED_INPUT_CONTENT",
            "INPUT_IMAGE_CELEBRITY",
            "INPUT_IMAGE_PHOTO_REALISTIC_CHILD_PROHIBITED",
            "INPUT_IP_PROHIBITED",
            "INPUT_OTHER",
            "INPUT_TEXT_CONTAIN_PROMINENT_PERSON_PROHIBITED",
            "INPUT_TEXT_NCII_PROHIBITED",
            "OUTPUT_IMAGE_IP_PROHIBITED",
            "PROHIBITED_INPUT_CONTENT",
            "UNSAFE_PROMPT_FOR_IMAGE_GENERATION",
        ),
        ("incomplete", "content_filter"),
    ),
}


class SetUp(Struct, gc=False):
    sessionId: str | None = None


class Resumption(Struct, gc=False):
    newHandle: str | None = None
    resumable: bool | None = None


class GoAway(Struct, gc=False):
    timeLeft: str | None = None


class VoiceActivity(Struct, gc=False):
    voiceActivityType: str | int | None = None
    audioOffset: str | None = None


class SignalledActivity(Struct, gc=False):
    vadSignalType: str | int | None = None


class Ids(Struct, gc=False):
    ids: tuple[str, ...] = ()


class FunctionCall(Struct, gc=False):
    id: str | None = None
    name: str = ""
    args: Raw = Raw(b"{}")


class FunctionCalls(Struct, gc=False):
    functionCalls: list[FunctionCall] | None = None


class Blob(Struct, gc=False):
    """data: base64 on the wire."""

    mimeType: str = "audio/pcm"
    data: bytes = b""


class Part(Struct, gc=False):
    text: str | None = None
    thought: bool | None = None
    inlineData: Blob | None = None


class ModelTurn(Struct, gc=False):
    parts: list[Part] | None = None


class Transcription(Struct, gc=False):
    text: str | None = None
    finished: bool | None = None


class ServerContent(Struct, gc=False):
    modelTurn: ModelTurn | None = None
    turnComplete: bool | None = None
    turnCompleteReason: str | None = None
    interactionStatus: str | None = None
    generationComplete: bool | None = None
    interrupted: bool | None = None
    inputTranscription: Transcription | None = None
    outputTranscription: Transcription | None = None


class _Modality(Struct, gc=False):
    modality: str | int = ""
    tokenCount: int = 0


class Usage(Struct, gc=False):
    promptTokenCount: int | None = None
    cachedContentTokenCount: int | None = None
    responseTokenCount: int | None = None
    toolUsePromptTokenCount: int | None = None
    thoughtsTokenCount: int | None = None
    totalTokenCount: int | None = None
    promptTokensDetails: list[_Modality] | None = None
    responseTokensDetails: list[_Modality] | None = None


_decoders: Mapping[type[Struct], "msgspec.json.Decoder[Struct]"] = {
    kind: msgspec.json.Decoder(kind, strict=False)
    for kind in (
        FunctionCalls,
        GoAway,
        Ids,
        Resumption,
        ServerContent,
        SetUp,
        SignalledActivity,
        Usage,
        VoiceActivity,
    )
}


def read(raw: Raw, kind: type[WireT]) -> WireT:
    """A part of a frame; what does not fit is left out of it.

    Raises:
        ResponseDecodeError: it is no object.
    """
    try:
        found = _decoders[kind].decode(raw)
    except DECODE_ERRORS:
        value = lenient.decode_json(bytes(raw), "a frame of a Live session")
        return lenient.convert(_usual_base64(value), kind, kind.__name__)
    assert isinstance(found, kind)  # noqa: S101 - the decoder is its own
    return found


def _usual_base64(value: Any) -> Any:
    """The same with `+` and `/` in what is base64 for addresses, which the API takes, too."""
    match value:
        case {"modelTurn": {"parts": [*parts]}}:
            for part in parts:
                match part:
                    case {"inlineData": {"data": str() as data} as blob}:
                        blob["data"] = data.replace("-", "+").replace("_", "/")
                    case _:
                        pass
        case _:
            pass
    return value


def seconds(duration: str | None) -> float | None:
    """A duration of protobuf's JSON: "9.5s"."""
    found = _DURATION.fullmatch(duration or "")
    return float(found[1]) if found else None


def usage_of(wire: Usage) -> RealtimeUsage:
    """Tokens under OpenAI's meaning: responseTokenCount leaves thoughts out, ours counts them."""
    into = {each.modality: each.tokenCount for each in wire.promptTokensDetails or ()}
    out = {each.modality: each.tokenCount for each in wire.responseTokensDetails or ()}
    given = sum_known(wire.promptTokenCount, wire.toolUsePromptTokenCount)
    made = sum_known(wire.responseTokenCount, wire.thoughtsTokenCount)
    return RealtimeUsage(
        input_tokens=given,
        output_tokens=made,
        total_tokens=sum_known(given, made) if wire.totalTokenCount is None else wire.totalTokenCount,
        input_text_tokens=into.get("TEXT"),
        input_audio_tokens=into.get("AUDIO"),
        input_image_tokens=sum_known(into.get("IMAGE"), into.get("VIDEO")),
        cached_tokens=wire.cachedContentTokenCount,
        output_text_tokens=out.get("TEXT"),
        output_audio_tokens=out.get("AUDIO"),
        reasoning_tokens=wire.thoughtsTokenCount,
    )


def sum_known(*counts: int | None) -> int | None:
    """None where none is known."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None

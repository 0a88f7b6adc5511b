"""What a session is asked for, and what is said in it, as OpenAI's Realtime writes it.

https://developers.openai.com/api/reference/resources/realtime/client-events
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# Messages and tools of any shape are taken apart here.

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from onellm.dialects.params import refuse
from onellm.errors import InvalidRequestError

if TYPE_CHECKING:
    from onellm.dialects.openai.realtime import OpenAIRealtime
    from onellm.types.realtime import RealtimeRequest

G711_RATE = 8_000
_FORMATS = {"g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}
# How loud speech must be to count: the host's usual 0.5 is "medium".
_THRESHOLDS = {"low": 0.7, "medium": 0.5, "high": 0.3}
_OF_ANSWERS = (
    "instructions", "voice", "output_modalities", "output_audio_format", "tools", "tool_choice", "messages",
    "max_output_tokens", "reasoning_effort", "speed",
)  # fmt: skip
_GONE = {
    "temperature": "Realtime has no such setting any more",
    "top_p": "Realtime has no such setting",
    "seed": "Realtime has no such setting",
    "language": "say it in instructions; that of the user's speech is input_transcription's",
    "resume": "a session cannot be taken up again; give what was said as messages",
}
_GONE_THEN = {name: why for name, why in _GONE.items() if name != "temperature"} | {
    "reasoning_effort": "the older session has no such setting"
}


def rates(dialect: "OpenAIRealtime", params: Mapping[str, Any]) -> tuple[int, int]:
    """Samples a second, in and out."""
    return _rate(dialect, params, "input"), _rate(dialect, params, "output")


def encode_session(
    dialect: "OpenAIRealtime", request: "RealtimeRequest", params: Mapping[str, Any], *, update: bool = False
) -> dict[str, Any]:
    """The session object; with `update` only what is given.

    Raises:
        UnsupportedParameterError: the host cannot express an argument; unless the call or the client relaxes it.
    """
    given = dict(params)
    writes = bool(request.params.get("transcribe_only"))
    refuse(given, {**(_GONE_THEN if dialect.shape == "beta" else _GONE), **dialect.refuses}, request)
    if writes:
        only = "a session that only writes down does not answer"
        refuse(given, dict.fromkeys(_OF_ANSWERS, only), request)
    if not dialect.g711:
        for name in ("input_audio_format", "output_audio_format"):
            if given.get(name, "pcm16") != "pcm16":
                request.unsupported(name, "it takes 16-bit samples only: pcm16")
                del given[name]
    if dialect.shape == "beta":
        session = _beta(dialect, request, given, writes=writes, update=update)
    else:
        session = _nested(dialect, request, given, writes=writes, update=update)
        if dialect.shape == "flat":
            session = _flat(session)
    return merged(session, given.get("session") or {})


def _nested(
    dialect: "OpenAIRealtime", request: "RealtimeRequest", given: dict[str, Any], *, writes: bool, update: bool
) -> dict[str, Any]:
    heard = _input(dialect, request, given, writes=writes, update=update)
    if (encoded := _format(dialect, given, "input")) is not None:
        heard["format"] = encoded
    spoken = _present(voice=given.get("voice"), format=_format(dialect, given, "output"), speed=given.get("speed"))
    session: dict[str, Any] = {"type": "transcription" if writes else "realtime"}
    if (modalities := _modalities(dialect, request, given)) is not None:
        session["output_modalities"] = modalities
    session |= _common(given)
    if (effort := given.get("reasoning_effort")) is not None:
        session["reasoning"] = {"effort": effort}
    if (most := given.get("max_output_tokens")) is not None:
        session["max_output_tokens"] = most
    audio = {name: value for name, value in (("input", heard), ("output", spoken)) if value}
    if audio:
        session["audio"] = audio
    return session


def _flat(session: dict[str, Any]) -> dict[str, Any]:
    """Without a type; with the voice and the turn detection on top."""
    session.pop("type")
    session.pop("output_modalities", None)
    audio = session.get("audio", {})
    for part, name in (("output", "voice"), ("input", "turn_detection")):
        if name in audio.get(part, {}):
            session[name] = audio[part].pop(name)
    session["audio"] = {part: value for part, value in audio.items() if value}
    return session


def _beta(
    dialect: "OpenAIRealtime", request: "RealtimeRequest", given: dict[str, Any], *, writes: bool, update: bool
) -> dict[str, Any]:
    heard = _input(dialect, request, given, writes=writes, update=update)
    session = _common(given)
    if (modalities := _modalities(dialect, request, given)) is not None:
        session["modalities"] = ["audio", "text"] if "audio" in modalities else modalities
    session |= _present(
        voice=given.get("voice"),
        speed=given.get("speed"),
        temperature=given.get("temperature"),
        input_audio_format=given.get("input_audio_format"),
        output_audio_format=given.get("output_audio_format"),
        max_response_output_tokens=given.get("max_output_tokens"),
    )
    names = {
        "transcription": "input_audio_transcription",
        "noise_reduction": "input_audio_noise_reduction",
        "turn_detection": "turn_detection",
    }
    return session | {names[name]: value for name, value in heard.items()}


def _input(
    dialect: "OpenAIRealtime", request: "RealtimeRequest", given: dict[str, Any], *, writes: bool, update: bool
) -> dict[str, Any]:
    """What is done with the sound that comes."""
    heard: dict[str, Any] = {}
    usual = request.model if writes else dialect.transcriber
    match given.get("input_transcription", None if update else True):
        case None:
            pass
        case False:
            if update:
                heard["transcription"] = None
        case True:
            heard["transcription"] = {"model": usual}
        case how:
            heard["transcription"] = {"model": usual, **how}
    if writes and not update and "transcription" not in heard:
        heard["transcription"] = {"model": usual}
    if "turn_detection" in given:
        heard["turn_detection"] = _turns(given["turn_detection"])
    if (reduction := given.get("noise_reduction")) is not None:
        heard["noise_reduction"] = {"type": reduction}
    return heard


def _common(given: Mapping[str, Any]) -> dict[str, Any]:
    session = _present(instructions=given.get("instructions"))
    if "tools" in given:
        session["tools"] = [_tool(tool, place) for place, tool in enumerate(given["tools"])]
    return session | _present(tool_choice=given.get("tool_choice"))


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _modalities(dialect: "OpenAIRealtime", request: "RealtimeRequest", given: Mapping[str, Any]) -> list[str] | None:
    """One of the two: sound has its words with it."""
    asked = given.get("output_modalities")
    if asked is None:
        return None
    wanted = "audio" if "audio" in asked else "text"
    if wanted == "text" and not dialect.texts:
        request.unsupported("output_modalities", "it always speaks; the words come as transcripts")
        wanted = "audio"
    if len(asked) > 1:
        request.adjustments.append("asked for audio alone: its words come as transcripts")
    return [wanted]


def _turns(given: Any) -> dict[str, Any] | None:
    if given == "none":
        return None
    turns: dict[str, Any] = {"type": given} if isinstance(given, str) else dict(given)
    if (sensitivity := turns.pop("sensitivity", None)) is not None:
        turns.setdefault("threshold", _THRESHOLDS[sensitivity])
    return turns


def _rate(dialect: "OpenAIRealtime", params: Mapping[str, Any], side: str) -> int:
    if params.get(f"{side}_audio_format", "pcm16") != "pcm16":
        return G711_RATE
    asked = params.get(f"{side}_rate")
    return asked if asked in dialect.rates else dialect.rates[0]


def _format(dialect: "OpenAIRealtime", given: Mapping[str, Any], side: str) -> dict[str, Any] | None:
    """The format of sound, where it is asked for; else the host's usual one, which all of these take."""
    named = given.get(f"{side}_audio_format")
    rate = _rate(dialect, given, side)
    if named in _FORMATS:
        return {"type": _FORMATS[named]}
    if named is None and rate == dialect.rates[0]:
        return None
    return {"type": "audio/pcm", "rate": rate}


def _tool(tool: Mapping[str, Any], place: int) -> dict[str, Any]:
    """A tool of chat's, without its inner object; one of Realtime's own as it is."""
    inner = tool.get("function")
    if tool.get("type") != "function" or not isinstance(inner, Mapping):
        if not isinstance(tool.get("type"), str):
            raise InvalidRequestError(f"tools[{place}].type is missing", param="tools")
        return dict(tool)
    flat = {"type": "function", **inner}
    flat.pop("strict", None)  # Realtime has no such field
    return flat


def merged(ours: dict[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """A session object with what another one has, at any depth."""
    result = dict(ours)
    for name, value in theirs.items():
        inner = result.get(name)
        result[name] = merged(inner, value) if isinstance(inner, dict) and isinstance(value, Mapping) else value
    return result


# --- what is said ---


def encode_items(
    dialect: "OpenAIRealtime", request: "RealtimeRequest", messages: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Messages of a chat as items, in their order."""
    for place, message in enumerate(messages):
        role = message.get("role")
        content = message.get("content")
        if role == "tool":
            yield {
                "type": "function_call_output",
                "call_id": message.get("tool_call_id", ""),
                "output": content if isinstance(content, str) else _joined(content),
            }
            continue
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
        if encoded := _parts(dialect, request, role, parts, f"messages[{place}]"):
            yield {"type": "message", "role": "system" if role == "developer" else role, "content": encoded}
        for call in message.get("tool_calls") or ():
            function = call.get("function") or {}
            yield {
                "type": "function_call",
                "call_id": call.get("id", ""),
                "name": function.get("name", ""),
                "arguments": function.get("arguments", ""),
            }


def encode_message(
    dialect: "OpenAIRealtime", request: "RealtimeRequest", role: str, content: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": _parts(dialect, request, role, content, "the message")}


def _parts(
    dialect: "OpenAIRealtime", request: "RealtimeRequest", role: Any, parts: Sequence[Mapping[str, Any]], where: str
) -> list[dict[str, Any]]:
    said = "input_text"
    if role == "assistant":
        said = "text" if dialect.shape == "beta" else "output_text"
    encoded: list[dict[str, Any]] = []
    for place, part in enumerate(parts):
        match part:
            case {"type": "text", "text": str() as text}:
                if text:
                    encoded.append({"type": said, "text": text})
            case {"type": "refusal", "refusal": str() as text}:
                encoded.append({"type": said, "text": text})
            case {"type": "image_url", "image_url": image} if role == "user":
                shown = {"url": image} if isinstance(image, str) else dict(image)
                encoded.append({
                    "type": "input_image", "image_url": shown.get("url"), **_present(detail=shown.get("detail"))
                })  # fmt: skip
            case {"type": "input_audio", "input_audio": {"data": str() as heard, "format": "pcm16"}} if role == "user":
                encoded.append({"type": "input_audio", "audio": heard})
            case {"type": "input_audio"} if role == "user":
                request.unsupported(f"{where}.content[{place}]", 'its sound must be bare samples, "format": "pcm16"')
            case _:
                request.unsupported(f"{where}.content[{place}]", f"it has no part {part.get('type')!r} of the {role}'s")
    return encoded


def _joined(content: Any) -> str:
    parts = content if isinstance(content, list) else []
    return "".join(part.get("text") or "" for part in parts if isinstance(part, Mapping))

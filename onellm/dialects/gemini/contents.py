"""Histories as contents: whose turn, and parts. https://ai.google.dev/api/caching#Content"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from onellm.dialects import data_url
from onellm.dialects.said import calls_of, text_of
from onellm.errors import InvalidRequestError
from onellm.types.chat_params import ChatRequest
from onellm.types.files import CONTENT_TYPES
from onellm.types.request import Request

# Stands for the signature of a call that another model made.
# https://ai.google.dev/gemini-api/docs/thought-signatures
NO_SIGNATURE = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="

_ADDRESSES = ("https://", "http://", "gs://")
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-\s]*={0,2}\s*")
_SOUNDS = {"pcm16": "audio/pcm;rate=24000", "mpeg": "audio/mpeg"}
_MODIFIERS = {"video_metadata": "videoMetadata", "media_resolution": "mediaResolution"}


class Places:
    """How a host finds files: what differs between the two.

    file_uri:        the address of one of its own files, with `{}` for its id; "" where it has none
    needs_mime_type: whether it must be told the type of what stands at an address
    """

    __slots__ = ("file_uri", "needs_mime_type")

    def __init__(self, file_uri: str, needs_mime_type: bool) -> None:
        self.file_uri = file_uri
        self.needs_mime_type = needs_mime_type


def encode_contents(request: ChatRequest, places: Places) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The parts of the system instruction, and the contents.

    Raises:
        InvalidRequestError: nothing but a system message, a tool's result without its call, or an unreadable part.
    """
    system: list[dict[str, Any]] = []
    contents: list[dict[str, Any]] = []
    calls: dict[str, tuple[str, bool]] = {}  # by id: the function's name, and whether its host knows the id
    named = False
    for place, message in enumerate(request.messages):
        named = named or (message.get("name") is not None and message["role"] != "function")
        match message["role"]:
            case "system" | "developer" if not contents:
                system += _parts(message, place, request, places)
            case "system" | "developer":
                request.adjustments.append(f"sent messages[{place}], a later system message, as the user's")
                _add(contents, "user", _parts(message, place, request, places))
            case "assistant":
                _add(contents, "model", _answered(message, place, calls, request, places))
            case "tool":
                _add(contents, "user", [_result(message, place, calls, request, places)])
            case "function":
                response = {"name": message["name"], "response": {"output": message.get("content") or ""}}
                _add(contents, "user", [{"functionResponse": response}])
            case _:
                _add(contents, "user", _parts(message, place, request, places))
    if named:
        request.adjustments.append("left the names of messages out")
    if not contents:
        raise InvalidRequestError("messages: give at least one that is not a system message", param="messages")
    return system, contents


def _add(contents: list[dict[str, Any]], role: str, parts: list[dict[str, Any]]) -> None:
    """Turns alternate: neighbours of one role become one, above all the results of calls that were made together."""
    if not parts:
        return
    if contents and contents[-1]["role"] == role:
        contents[-1]["parts"] += parts
    else:
        contents.append({"role": role, "parts": parts})


def _parts(message: dict[str, Any], place: int, request: ChatRequest, places: Places) -> list[dict[str, Any]]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"text": content}]
    found: list[dict[str, Any]] = []
    for number, part in enumerate(content or ()):
        encoded = encode_part(part, f"messages[{place}].content[{number}]", request, places)
        if encoded is not None:
            found.append(encoded)
    return found


def _answered(
    message: dict[str, Any], place: int, calls: dict[str, tuple[str, bool]], request: ChatRequest, places: Places
) -> list[dict[str, Any]]:
    """The model's own turn: the very parts that came, where they came from this host."""
    kept: dict[str, Any] | None = message.get("provider_data")
    made = message.get("tool_calls") or ()
    own = kept["data"].get("parts") if kept is not None and kept["provider"] == request.provider else None
    if isinstance(parts := own, list) and not _is_as_received(message, parts):
        request.adjustments.append(
            f"messages[{place}] was changed since it was received: its native parts and signatures do not go back"
        )
    elif isinstance(parts, list):
        given = {call["id"] for part in parts if isinstance(call := part.get("functionCall"), dict) and call.get("id")}
        for call in made:
            calls[call["id"]] = (_function(call)["name"], call["id"] in given)
        return list(parts)
    found = _parts(message, place, request, places)
    if not found and (audio := message.get("audio")) and audio.get("transcript"):
        found = [{"text": audio["transcript"]}]
    found = [part for part in found if part != {"text": ""}]
    if refusal := message.get("refusal"):
        found.append({"text": refusal})
    for number, call in enumerate(made):
        function = _function(call)
        calls[call["id"]] = (function["name"], True)
        where = f"messages[{place}].tool_calls[{number}]"
        part: dict[str, Any] = {
            "functionCall": {"id": call["id"], "name": function["name"], "args": _arguments(function, where)}
        }
        signature = None if kept is not None else _signature(call)
        if signature is not None or number == 0:
            part["thoughtSignature"] = signature or NO_SIGNATURE
        found.append(part)
    if (named := message.get("function_call")) is not None:
        where = f"messages[{place}].function_call"
        call = {"name": named["name"], "args": _arguments(named, where)}
        found.append({"functionCall": call, "thoughtSignature": NO_SIGNATURE})
    return found


def _is_as_received(message: dict[str, Any], parts: list[dict[str, Any]]) -> bool:
    """Whether a message says what its parts do."""
    text = "".join(part.get("text") or "" for part in parts if not part.get("thought"))
    made = [
        (call.get("name"), call.get("args") or {})
        for part in parts
        if isinstance(call := part.get("functionCall"), dict)
    ]
    return text == text_of(message) and made == calls_of(message)


def _function(call: Mapping[str, Any]) -> dict[str, Any]:
    if call.get("type") == "custom":
        custom = call["custom"]
        return {"name": custom["name"], "arguments": msgspec.json.encode({"input": custom["input"]}).decode()}
    function: dict[str, Any] = call["function"]
    return function


def _signature(call: Mapping[str, Any]) -> str | None:
    """The one that a caller kept on the call, as the compatible API of the same models has it."""
    match call.get("extra_content"):
        case {"google": {"thought_signature": str() as signature}}:
            return signature
        case _:
            return None


def _arguments(function: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Arguments as the object that the API wants.

    Raises:
        InvalidRequestError: they are none.
    """
    text = function.get("arguments") or "{}"
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError) as exc:
        raise InvalidRequestError(f"{where}: the arguments are not JSON: {exc}", param="messages") from exc
    if not isinstance(value, dict):
        raise InvalidRequestError(f"{where}: the arguments must be a JSON object", param="messages")
    return value


def _result(
    message: dict[str, Any], place: int, calls: dict[str, tuple[str, bool]], request: ChatRequest, places: Places
) -> dict[str, Any]:
    id_ = message["tool_call_id"]
    if id_ not in calls:
        raise InvalidRequestError(
            f"messages[{place}].tool_call_id: no earlier message has a call {id_!r}; its function's name is needed",
            param="messages",
        )
    name, known = calls[id_]
    found = _parts(message, place, request, places)
    # An object, and never the tool's own: a `$ref` in that would be followed.
    output = "".join(part["text"] for part in found if "text" in part)
    response: dict[str, Any] = {"id": id_} if known else {}
    response |= {"name": name, "response": {"error" if message.get("is_error") else "output": output}}
    if media := [part for part in found if "text" not in part]:
        response["parts"] = media
    return {"functionResponse": response}


def encode_part(  # noqa: PLR0911 - a kind a line
    part: dict[str, Any], where: str, request: Request, places: Places
) -> dict[str, Any] | None:
    """One part of a message; None where it was left out.

    Raises:
        InvalidRequestError: a file or an address that the API cannot take as it is.
    """
    match part:
        case {"type": "text", "text": str() as text}:
            return {"text": text}
        case {"type": "refusal", "refusal": str() as text}:
            return {"text": text}
        case {"type": "input_audio", "input_audio": {"data": str() as sound, "format": str() as format_}}:
            return _inline(_SOUNDS.get(format_, f"audio/{format_}"), sound)
        case {"type": "input_audio", "input_audio": str() as sound}:
            return _at(sound, {}, where, places)
        case {"type": "file", "file": dict() as file}:
            return _file(file, where, places)
        case {"type": str() as kind} if isinstance(media := part.get(kind), str | dict) and kind.endswith("_url"):
            details = media if isinstance(media, dict) else {}
            url = details.get("url") if isinstance(media, dict) else media
            if not isinstance(url, str):
                raise InvalidRequestError(f"{where}.{kind}: it has no url", param="messages")
            if details.get("detail") not in (None, "auto"):
                request.adjustments.append(
                    f"left out {where}.{kind}.detail: give google=GoogleOptions(media_resolution=)"
                )
            return _at(url, details, where, places) | {
                wire: part[name] for name, wire in _MODIFIERS.items() if name in part
            }
        case _:
            request.unsupported(where, f"it takes no {part.get('type')}")
            return None


def _inline(mime_type: str, data: str) -> dict[str, Any]:
    return {"inlineData": {"mimeType": mime_type, "data": data}}


def _at(url: str, details: Mapping[str, Any], where: str, places: Places) -> dict[str, Any]:
    """What stands at an address, or in it."""
    if found := data_url.parse(url):
        return _inline((found.media_type or "application/octet-stream") + found.parameters, found.data)
    if data_url.is_data_url(url):
        raise InvalidRequestError(f"{where}: a data: URL must be data:<type>;base64,<data>", param="messages")
    mime_type = details.get("mime_type") or _type_of(url)
    if mime_type is None and places.needs_mime_type:
        raise InvalidRequestError(
            f'{where}: say what stands at {url[:80]!r}, as "mime_type" beside "url"', param="messages"
        )
    return {"fileData": {"fileUri": url} | ({"mimeType": mime_type} if mime_type else {})}


def _type_of(url: str) -> str | None:
    """The type that the last part of an address has by its extension."""
    name = url.partition("?")[0].partition("#")[0].rpartition("/")[2]
    return CONTENT_TYPES.get(name.rpartition(".")[2].lower()) if "." in name else None


def _file(file: Mapping[str, Any], where: str, places: Places) -> dict[str, Any]:
    details = dict(file)
    if "mime_type" not in details and (named := _type_of(str(file.get("filename") or ""))):
        details["mime_type"] = named
    match file:
        case {"file_data": str() as content}:
            if content.startswith(_ADDRESSES):
                return _at(content, details, where, places)
            held = data_url.parse(content)
            if _BASE64.fullmatch(content if held is None else held.data) is None:
                raise InvalidRequestError(
                    f"{where}.file: file_data must be base64, a data URL of it, or an address", param="messages"
                )
            if held is not None:
                return _at(content, details, where, places)
            if "mime_type" not in details:
                raise InvalidRequestError(
                    f"{where}: give file_data as a data URL, or with a filename that says its type", param="messages"
                )
            return _inline(details["mime_type"], content)
        case {"file_id": str() as id_}:
            if "://" in id_:
                return _at(id_, details, where, places)
            if not places.file_uri:
                raise InvalidRequestError(
                    f"{where}: this host keeps no files; give an address such as gs://bucket/name", param="messages"
                )
            uri = {"fileUri": places.file_uri.format(id_.removeprefix("files/"))}
            return {"fileData": uri | ({"mimeType": details["mime_type"]} if details.get("mime_type") else {})}
        case _:
            raise InvalidRequestError(f"{where}.file: give file_id or file_data", param="messages")


def merged(parts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Parts as they go back: texts that came in pieces are one, and what has a signature stays by itself."""
    found: list[dict[str, Any]] = []
    for part in parts:
        last = found[-1] if found else {}
        plain = part.keys() <= {"text", "thought"} and "text" in part
        if plain and part.keys() == last.keys() and part.get("thought") == last.get("thought"):
            found[-1] = {**last, "text": last["text"] + part["text"]}
        else:
            found.append(part)
    return found

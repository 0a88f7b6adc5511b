"""What was said before, as turns of a Live session. https://ai.google.dev/api/live#BidiGenerateContentClientContent"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# Messages are JSON of any shape.

from collections.abc import Iterable, Mapping
from typing import Any

from onellm.dialects.gemini.contents import Places, encode_part
from onellm.errors import UnsupportedFeatureError
from onellm.types.realtime import RealtimeRequest


def encode_turns(
    messages: Iterable[Mapping[str, Any]], request: RealtimeRequest, places: Places
) -> list[dict[str, Any]]:
    """Turns, in which calls of tools and their results stand as text: a session refuses others than its own.

    System messages at the head are left out: they are in the setup.
    """
    turns: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    told = False
    for place, message in enumerate(messages):
        role = message["role"]
        parts: list[dict[str, Any]] = []
        match role:
            case "system" | "developer":
                if not turns:
                    continue
                request.adjustments.append(f"sent messages[{place}], a later system message, as the user's")
                parts = encode_content(message.get("content"), f"messages[{place}]", request, places)
            case "tool":
                told = True
                name = names.get(message["tool_call_id"], "a tool")
                parts = [{"text": f"[{name} gave: {_text(message.get('content'))}]"}]
            case "function":
                told = True
                parts = [{"text": f"[{message['name']} gave: {_text(message.get('content'))}]"}]
            case _:
                parts = encode_content(message.get("content"), f"messages[{place}]", request, places)
                if not parts and (spoken := (message.get("audio") or {}).get("transcript")):
                    parts = [{"text": spoken}]
                for call in message.get("tool_calls") or ():
                    told = True
                    called = call.get("function") or call.get("custom") or {}
                    names[call["id"]] = called.get("name", "a tool")
                    said = called.get("arguments", called.get("input", ""))
                    parts.append({"text": f"[called {names[call['id']]} with {said}]"})
        _add(turns, "model" if role == "assistant" else "user", parts)
    if told:
        request.adjustments.append("sent the calls of tools in messages, and their results, as text")
    return turns


def encode_content(content: Any, where: str, request: RealtimeRequest, places: Places) -> list[dict[str, Any]]:
    """The parts of a message.

    Raises:
        UnsupportedFeatureError: sound, which a session hears and does not read.
        InvalidRequestError: an image that is not in the message itself.
    """
    if isinstance(content, str):
        return [{"text": content}] if content else []
    found: list[dict[str, Any]] = []
    for number, part in enumerate(content or ()):
        if part["type"] == "input_audio":
            raise UnsupportedFeatureError(
                f"{where}.content[{number}]: sound is heard and not read: send_audio(...), or give its words",
                provider=request.provider,
                model=request.model,
            )
        encoded = encode_part(dict(part), f"{where}.content[{number}]", request, places)
        if encoded is not None and encoded != {"text": ""}:
            found.append(encoded)
    return found


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part.get("text") or "" for part in content or ())


def _add(turns: list[dict[str, Any]], role: str, parts: list[dict[str, Any]]) -> None:
    if not parts:
        return
    if turns and turns[-1]["role"] == role:
        turns[-1]["parts"] += parts
    else:
        turns.append({"role": role, "parts": parts})

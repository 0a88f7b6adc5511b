"""Answers that are not quite Chat Completions, brought near enough to be read. Plain JSON values, changed in place."""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from onellm.dialects import lenient
from onellm.types.chat import ChoiceLogprobs, Citation, CompletionUsage, PromptFilterResult

if TYPE_CHECKING:
    from onellm.types.completions import Completion


def completion(value: Any) -> Any:
    """A whole answer that did not decode."""
    return _choices(value, "message")


def chunk(value: Any) -> Any:
    """A chunk that did not decode."""
    return _choices(value, "delta")


def usage(data: bytes, path: tuple[str | int, ...]) -> CompletionUsage | None:
    """A chunk's usage from where it stands instead of the top."""
    found = at(data, path)
    return lenient.convert(found, CompletionUsage, "usage") if isinstance(found, dict) else None


def at(data: bytes, path: tuple[str | int, ...]) -> Any:
    """What stands at a place in JSON; None where there is no such place."""
    found = lenient.decode_json(data, "a chat completion chunk")
    try:
        for step in path:
            found = found[step]
    except (KeyError, IndexError, TypeError):
        return None
    return found


def prompt_annotations(value: Any) -> list[PromptFilterResult]:
    """What filters found in the question, under the name that it once had; [] where it is not there."""
    match value:
        case {"prompt_annotations": [*found]}:
            what = "what filters found"
            return [lenient.convert(each, PromptFilterResult, what) for each in found if isinstance(each, dict)]
        case _:
            return []


def usage_field(data: bytes, name: str) -> int | None:
    """A count that a host keeps directly in `usage`."""
    match lenient.decode_json(data, "usage"):
        case {"usage": dict() as found}:
            count = found.get(name)
            return count if isinstance(count, int) else None
        case _:
            return None


def completion_logprobs(reply: "Completion", data: bytes) -> None:
    """Log probabilities that a host has in a chat's shape, as lists side by side; changes the reply in place."""
    from onellm.types.completions import CompletionLogprobs  # noqa: PLC0415 - chats have another shape

    match lenient.decode_json(data, "log probabilities"):
        case {"choices": [*choices]}:
            for choice, wire in zip(reply.choices, choices, strict=False):
                match wire:
                    case {"logprobs": {"content": [*_]} as found}:
                        content = lenient.convert(found, ChoiceLogprobs, "log probabilities").content or []
                        choice.logprobs = CompletionLogprobs(
                            tokens=[item.token for item in content],
                            token_logprobs=[item.logprob for item in content],
                            top_logprobs=[{top.token: top.logprob for top in item.top_logprobs} for item in content],
                        )
                    case _:
                        pass
        case _:
            pass


def citations(data: bytes, fields: tuple[str, ...]) -> list[Citation] | None:
    """Sources from the first of these top-level fields that has any: texts are URLs, objects have their parts."""
    value = lenient.decode_json(data, "an answer") if data else {}
    for field in fields:
        match value.get(field):
            case [*items] if items:
                return [_citation(item) for item in items]
            case _:
                pass
    return None


def _citation(item: Any) -> Citation:
    match item:
        case str():
            return Citation(url=item)
        case dict():
            fields = {"url": item.get("url"), "title": item.get("title"), "text": item.get("snippet")}
            return lenient.convert(fields, Citation, "a citation")
        case _:
            return Citation()


def _choices(value: Any, key: Literal["message", "delta"]) -> Any:
    match value:
        case {"choices": [*choices]}:
            for choice in choices:
                match choice:
                    case {"message": dict() as message} if key == "message":
                        _message(message)
                    case {"delta": dict() as message} if key == "delta":
                        _message(message)
                    case _:
                        pass
        case _:
            pass
    return value


def _message(message: dict[str, Any]) -> None:
    if isinstance(content := message.get("content"), list):
        message["content"] = "".join(_text(part) for part in content if not _is_thinking(part)) or None
        if thinking := "".join(_text(part) for part in content if _is_thinking(part)):
            message["reasoning"] = thinking
    match message.get("tool_calls"):
        case [*calls]:
            for call in calls:
                match call:
                    case {"function": {"arguments": dict() | list() as arguments}}:
                        call["function"]["arguments"] = msgspec.json.encode(arguments).decode()
                    case _:
                        pass
        case _:
            pass


def _is_thinking(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "thinking"


def _text(part: Any) -> str:
    match part:
        case str():
            return part
        case {"text": str() as text}:
            return text
        case {"thinking": [*parts]}:
            return "".join(_text(item) for item in parts)
        case {"thinking": str() as text}:
            return text
        case _:
            return ""

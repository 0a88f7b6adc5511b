"""Histories as the Messages API takes them: turns of blocks, results first, thinking where it was.

https://platform.claude.com/docs/en/api/messages
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# Blocks are JSON of any shape.

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from onellm.dialects.anthropic.names import tool_id
from onellm.dialects.anthropic.parts import PartEncoder
from onellm.dialects.lenient import DECODE_ERRORS
from onellm.errors import InvalidRequestError
from onellm.types.anthropic import AnthropicOptions
from onellm.types.chat_params import ChatRequest

Block: TypeAlias = dict[str, Any]

THINKING = frozenset({"thinking", "redacted_thinking"})
_SYSTEM = ("system", "developer")
_UNREADABLE = "INVALID_JSON"  # the key under which the API's documentation puts arguments that are no object


class HistoryEncoder:
    """Encodes the messages of one call. names: of tools, as they are sent where that differs."""

    def __init__(
        self, request: ChatRequest, options: AnthropicOptions, names: Mapping[str, str], *, urls: bool, files: bool
    ) -> None:
        self._request = request
        self._options = options
        self._names = names
        self._parts = PartEncoder(request, cites=options.citations, urls=urls, files=files)
        self._turns: list[dict[str, Any]] = []

    def encode(self) -> tuple[str | list[Block] | None, list[dict[str, Any]]]:
        """The system prompt and the turns.

        Raises:
            InvalidRequestError: there is no turn.
        """
        messages = self._request.messages
        first = next((at for at, each in enumerate(messages) if each["role"] not in _SYSTEM), len(messages))
        system = self._system(messages[:first])
        for place in range(first, len(messages)):
            self._add_message(messages[place], f"messages[{place}]")
        if not self._turns:
            raise InvalidRequestError(
                "messages holds nothing but a system prompt: add a user's message", param="messages"
            )
        if any("name" in message for message in messages):
            self._request.adjustments.append("left the names of messages out")
        self._trim_prefill(messages[-1])
        return system, self._turns

    def _system(self, messages: list[dict[str, Any]]) -> str | list[Block] | None:
        match messages:
            case [{"content": str() as text, **rest}] if not rest.get("cache_control"):
                return text or None
            case _:
                found = [block for at, each in enumerate(messages) for block in self._blocks(each, f"messages[{at}]")]
                return found or None

    def _add_message(self, message: dict[str, Any], where: str) -> None:
        content = message.get("content")
        match message["role"]:
            case "user":
                plain = isinstance(content, str) and content and not message.get("cache_control")
                self._add("user", content if plain else self._blocks(message, where))
            case "tool":
                self._add("user", [self._result(message, where)])
            case "assistant":
                self._add("assistant", self._assistant(message, where))
            case "function":
                self._request.unsupported(f"{where} of role function", "send a tool message in its place")
            case _:
                self._add_late_system(message, where)

    def _add_late_system(self, message: dict[str, Any], where: str) -> None:
        blocks = self._blocks(message, where)
        if self._options.late_system == "system":
            self._add("system", blocks)
        elif blocks:
            blocks[0] = {**blocks[0], "text": f"<system>\n{blocks[0]['text']}"}
            blocks[-1] = {**blocks[-1], "text": f"{blocks[-1]['text']}\n</system>"}
            self._add("user", blocks)
            self._request.adjustments.append(f"sent {where}, of role {message['role']}, as a user's text in <system>")

    def _add(self, role: str, content: Any) -> None:
        """Add a turn; what follows tool results, or brings some, is of the same turn, with the results first."""
        if not content:
            return
        last = self._turns[-1] if self._turns else None
        if (
            last is None
            or last["role"] != role
            or role != "user"
            or not (_results(last["content"]) or _results(content))
        ):
            self._turns.append({"role": role, "content": content})
            return
        blocks = [*_listed(last["content"]), *_listed(content)]
        last["content"] = sorted(blocks, key=lambda block: block["type"] != "tool_result")  # stable

    def _blocks(self, message: dict[str, Any], where: str) -> list[Block]:
        return _cached(self._parts.blocks(message.get("content"), where), message)

    def _result(self, message: dict[str, Any], where: str) -> Block:
        content = message.get("content")
        result: Block = {"type": "tool_result", "tool_use_id": tool_id(message["tool_call_id"])}
        if sent := content if isinstance(content, str) else self._parts.blocks(content, where):
            result["content"] = sent
        if isinstance(failed := message.get("is_error"), bool):
            result["is_error"] = failed
        return _cached([result], message)[0]

    def _assistant(self, message: dict[str, Any], where: str) -> Any:
        kept = message.get("provider_data")
        if kept is not None and kept["provider"] == self._request.provider:
            received: list[Block] = kept["data"].get("content") or []
            if _says(received) == self._said(message):
                return _cached([block for block in received if block["type"] != "text" or block["text"]], message)
            if received:
                self._request.adjustments.append(
                    f"{where} was changed since it was received: its thinking goes back, its other native blocks do not"
                )
            thinking = [block for block in received if block["type"] in THINKING]
        else:
            thinking = []
        for name, hint in (("function_call", "send tool_calls in its place"), ("audio", "it has no sound")):
            if message.get(name):
                self._request.unsupported(f"{where}.{name}", hint)
        spoken = self._parts.blocks(message.get("content") or message.get("refusal"), where)
        calls = [
            self._call(call, f"{where}.tool_calls[{at}]") for at, call in enumerate(message.get("tool_calls") or ())
        ]
        content = message.get("content")
        if isinstance(content, str) and not (calls or thinking or message.get("cache_control")):
            return content
        return _cached([*thinking, *spoken, *calls], message)

    def _call(self, call: Mapping[str, Any], where: str) -> Block:
        if call["type"] == "custom":
            name, given = call["custom"]["name"], {"input": call["custom"]["input"]}
            self._request.adjustments.append(f'sent {where}, a custom call, as one with the argument "input"')
        else:
            name, given = call["function"]["name"], decode_arguments(call["function"]["arguments"])
            if _UNREADABLE in given:
                self._request.adjustments.append(f'sent {where}, whose arguments are no object, as "{_UNREADABLE}"')
        return {"type": "tool_use", "id": tool_id(call["id"]), "name": self._names.get(name, name), "input": given}

    def _said(self, message: dict[str, Any]) -> tuple[str, list[tuple[Any, Any]]]:
        content = message.get("content")
        text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content or ())
        calls = [
            (call["id"], decode_arguments(call["function"]["arguments"]))
            for call in message.get("tool_calls") or ()
            if call["type"] == "function"
        ]
        return text, calls

    def _trim_prefill(self, last: dict[str, Any]) -> None:
        """An answer that is to be gone on with may not end in white space."""
        turn = self._turns[-1]
        if last["role"] != "assistant" or turn["role"] != "assistant" or last.get("provider_data"):
            return
        content = turn["content"]
        holder, key = (turn, "content") if isinstance(content, str) else (content[-1], "text")
        if isinstance(text := holder.get(key), str) and text != text.rstrip():
            holder[key] = text.rstrip()
            if not holder[key]:  # an empty text is refused, too
                turn["content"] = "" if holder is turn else content[:-1]
                if not turn["content"]:
                    self._turns.pop()
            self._request.adjustments.append("left out the white space at the end of the last message")


def mark_prompt(body: dict[str, Any], mark: Mapping[str, str]) -> None:
    """Set two cache breakpoints: after what comes first, the tools and the system prompt, and after the last turn."""
    marked = {"cache_control": mark}
    if body.get("system"):
        body["system"] = _cached(_listed(body["system"]), marked)
    elif tools := body.get("tools"):
        at = next((at for at in reversed(range(len(tools))) if not tools[at].get("defer_loading")), None)
        if at is not None:  # a tool that is loaded later is no part of what comes first
            body["tools"] = [*tools[:at], {**tools[at], **marked}, *tools[at + 1 :]]
    last = body["messages"][-1]
    body["messages"] = [*body["messages"][:-1], {**last, "content": _cached(_listed(last["content"]), marked)}]


def decode_arguments(text: str) -> dict[str, Any]:
    """A call's arguments as an object; what is none stands in one."""
    try:
        value = msgspec.json.decode(text or "{}")
    except DECODE_ERRORS:
        value = None
    return value if isinstance(value, dict) else {_UNREADABLE: text}


def is_plain(blocks: list[Block]) -> bool:
    """Whether a message of text and tool calls alone says all that these blocks do."""
    called = False
    for block in blocks:
        match block:
            case {"type": "text", **rest} if not called and not rest.get("citations"):
                pass
            case {"type": "tool_use", **rest} if rest.keys() <= {"id", "name", "input", "caller"} and rest.get(
                "caller"
            ) in (None, {"type": "direct"}):
                called = True
            case _:
                return False
    return True


def _says(blocks: list[Block]) -> tuple[str, list[tuple[Any, Any]]]:
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    return text, [(block.get("id"), block.get("input")) for block in blocks if block["type"] == "tool_use"]


def _results(content: Any) -> bool:
    return isinstance(content, list) and any(block.get("type") == "tool_result" for block in content)


def _listed(content: Any) -> list[Block]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _cached(blocks: list[Block], message: Mapping[str, Any]) -> list[Block]:
    """With the message's cache breakpoint on its last block that can have one."""
    if (control := message.get("cache_control")) is None:
        return blocks
    for at in reversed(range(len(blocks))):
        if blocks[at]["type"] not in THINKING:
            return [*blocks[:at], {**blocks[at], "cache_control": control}, *blocks[at + 1 :]]
    return blocks

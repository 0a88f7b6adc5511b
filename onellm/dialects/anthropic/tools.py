"""Tools, and which of them is to be called, in the Messages API's words.

https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# Schemas and tools are JSON of any shape.

from collections.abc import Mapping
from typing import Any

from onellm.dialects.anthropic.schema import subset
from onellm.types.chat_params import ChatRequest

_BESIDE = ("cache_control", "defer_loading", "eager_input_streaming", "input_examples", "allowed_callers")
_LOCATION = ("city", "region", "country", "timezone")


def encode_tools(request: ChatRequest, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The tools of `tools`; those that are no functions are the API's own and go as they are."""
    found: list[dict[str, Any]] = []
    for place, tool in enumerate(request.params.get("tools") or ()):
        if "function" in tool:
            found.append(_function(tool, f"tools[{place}]", request, names))
        elif "custom" in tool:
            request.unsupported(f"tools[{place}]", "its tools take JSON, and no free text")
        else:
            found.append(dict(tool))
    return found


def _function(tool: Mapping[str, Any], where: str, request: ChatRequest, names: Mapping[str, str]) -> dict[str, Any]:
    function = tool["function"]
    name: str = function["name"]
    parameters = {"type": "object", "properties": {}, **(function.get("parameters") or {})}
    strict = function.get("strict")
    if strict:
        parameters = held_to(parameters, f"{where}.function.parameters", request)
    sent: dict[str, Any] = {"name": names.get(name, name), "input_schema": parameters}
    if description := function.get("description"):
        sent["description"] = description
    if strict:
        sent["strict"] = True
    return sent | {key: tool[key] for key in _BESIDE if tool.get(key) is not None}


def held_to(schema: Any, where: str, request: ChatRequest) -> Any:
    """A schema that the provider holds the model to: in its subset."""
    moved: list[str] = []
    found = subset(schema, where, moved)
    if moved:
        request.adjustments.append(f"moved into descriptions what schemas may not say: {', '.join(moved)}")
    return found


def tools_of_history(request: ChatRequest, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Bare tools for the calls of a history, where the request has none: the API refuses such a history without."""
    called = dict.fromkeys(
        call["custom" if call["type"] == "custom" else "function"]["name"]
        for message in request.messages
        for call in message.get("tool_calls") or ()
    )
    return [{"name": names.get(name, name), "input_schema": {"type": "object", "properties": {}}} for name in called]


def encode_choice(choice: Any, request: ChatRequest, names: Mapping[str, str]) -> dict[str, Any] | None:
    """`tool_choice`; None where there is nothing to say."""
    match choice:
        case None:
            return None
        case "auto" | "none":
            return {"type": choice}
        case "required":
            return {"type": "any"}
        case {"type": "function", "function": {"name": str() as name}}:
            return {"type": "tool", "name": names.get(name, name)}
        case _:
            kind = choice.get("type") if isinstance(choice, Mapping) else choice
            request.unsupported(f"tool_choice of type {kind!r}", "it takes auto, none, required or one function")
            return None


def web_search(kind: str, options: Mapping[str, Any], request: ChatRequest) -> dict[str, Any]:
    """OpenAI's `web_search_options` as the tool that searches."""
    tool: dict[str, Any] = {"type": kind, "name": "web_search"}
    match options.get("user_location"):
        case {"approximate": Mapping() as place}:
            known = {key: place[key] for key in _LOCATION if place.get(key)}
            tool["user_location"] = {"type": "approximate", **known}
        case _:
            pass
    if options.get("search_context_size") not in (None, "medium"):
        request.unsupported("web_search_options.search_context_size", "its search has no sizes")
    request.adjustments.append(f"sent web_search_options as the tool {kind}")
    return tool

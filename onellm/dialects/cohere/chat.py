"""Cohere's v2 chat. https://docs.cohere.com/reference/chat"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# Tools and formats are JSON of any shape, taken apart by patterns that prove what they use.

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from onellm.dialects import errors
from onellm.dialects.base import HttpRequest
from onellm.dialects.cohere import messages
from onellm.dialects.cohere.stream import CohereReducer
from onellm.dialects.lenient import encode_json
from onellm.dialects.params import native_options, refuse, refuse_foreign_options, rename, take_stream_options
from onellm.errors import APIStatusError, InvalidRequestError
from onellm.transport.sse import SseDecoder
from onellm.types.chat import ChatCompletion
from onellm.types.chat_params import ChatRequest
from onellm.types.cohere import CohereOptions

# Tokens to think with, by effort. The API knows a number only, and advises to stay below 31,000.
BUDGETS = {"minimal": 512, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 31000, "max": 31000}
_MOST_STOPS = 5
_LACKS = "its API does not have it"
_REFUSES: dict[str, str] = {
    "audio": _LACKS,
    "cache": "it is not known to keep prompts",
    "function_call": "give tool_choice",
    "functions": "give tools",
    "logit_bias": _LACKS,
    "metadata": _LACKS,
    "moderation": _LACKS,
    "n": _LACKS,
    "parallel_tool_calls": "the model decides how many tools it calls",
    "prediction": _LACKS,
    "prompt_cache_key": _LACKS,
    "prompt_cache_options": _LACKS,
    "prompt_cache_retention": _LACKS,
    "safety_identifier": _LACKS,
    "service_tier": "give priority in CohereOptions",
    "store": _LACKS,
    "top_logprobs": "it gives the log probabilities of the chosen tokens only",
    "user": _LACKS,
    "verbosity": _LACKS,
    "web_search_options": _LACKS,
}
# Values that ask for what the API does unasked.
_UNASKED: tuple[tuple[str, Any], ...] = (
    ("cache", "off"),
    ("modalities", ["text"]),
    ("parallel_tool_calls", True),
    ("store", False),
    ("tool_choice", "auto"),
    ("top_logprobs", 0),
)
_RENAMES = {"max_completion_tokens": "max_tokens", "stop": "stop_sequences", "top_p": "p"}
_BOUNDS = {"temperature": (0, 1), "p": (0.01, 0.99), "frequency_penalty": (0, 1), "presence_penalty": (0, 1)}
_AS_IT_IS = frozenset({"logprobs", "max_tokens", "seed", "stop_sequences", *_BOUNDS})


class CohereChat(Struct, frozen=True, kw_only=True):
    """The v2 chat. Fields are a host's quirks; the defaults are Cohere's own behaviour.

    path:    joined to the base URL
    vision, tools, reasoning:  False where the host is known to have none; True where some model may
    codes:   error codes, and statuses as text, that mean something else than usual
    """

    path: str = "v2/chat"
    response_formats: frozenset[str] = frozenset({"text", "json_object", "json_schema"})
    tools: bool = True
    vision: bool = True
    audio_input: bool = False
    reasoning: bool = True
    codes: Mapping[str, type[APIStatusError]] = {}

    @property
    def native_options(self) -> frozenset[str]:
        return frozenset({"cohere"})

    def encode_request(self, request: ChatRequest) -> HttpRequest:
        return self._encode(request, {})

    def encode_stream(self, request: ChatRequest) -> HttpRequest:
        return self._encode(request, {"stream": True})

    def decode_response(self, body: bytes, request: ChatRequest) -> ChatCompletion:
        return CohereReducer(self.codes, request).fold_whole(body)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)

    def reducer(self, request: ChatRequest, *, max_event_bytes: int) -> CohereReducer:
        return CohereReducer(self.codes, request, SseDecoder(max_event_bytes=max_event_bytes))

    def _encode(self, request: ChatRequest, stream: dict[str, Any]) -> HttpRequest:
        history = messages.encode(request)
        body: dict[str, Any] = {"model": request.model, "messages": history.messages}
        options = native_options(request, "cohere", CohereOptions)
        documents: list[Any] = [*(options.documents or ()), *history.documents]
        if documents:
            body["documents"] = documents
        body.update(_encode_params(request, options, documents=bool(documents)))
        return HttpRequest(path=self.path, body=encode_json({**body, **stream, **(request.extra_body or {})}))


def _encode_params(request: ChatRequest, options: CohereOptions, *, documents: bool) -> dict[str, Any]:
    """The arguments under the API's names; each one is sent, or refused."""
    params = dict(request.params)
    params.pop("cohere", None)  # read by now
    for name, usual in _UNASKED:
        if name in params and params[name] == usual:
            del params[name]
    refuse_foreign_options(params, request)
    refuse(params, _REFUSES, request)
    rename(params, _RENAMES, request)
    body = _encode_options(options)
    _encode_tools(params, body, request)
    _encode_format(params, body, request, documents=documents)
    _encode_thinking(params, body, request)
    take_stream_options(params, request)
    _bound(params, request)
    for name, value in params.items():
        if name in _AS_IT_IS:
            body[name] = value
        else:
            request.unsupported(name, _LACKS)
    return body


def _encode_options(options: CohereOptions) -> dict[str, Any]:
    given = {name: value for name, value in msgspec.to_builtins(options).items() if value is not None}
    given.pop("documents", None)  # they are sent with those of the history
    if (mode := given.pop("citation_mode", None)) is not None:
        given["citation_options"] = {"mode": mode}
    return given


def _encode_tools(params: dict[str, Any], body: dict[str, Any], request: ChatRequest) -> None:
    tools: list[dict[str, Any]] = []
    strict: list[bool] = []
    for number, tool in enumerate(params.pop("tools", ())):
        match tool:
            case {"type": "function", "function": {"name": str()} as function}:
                strict.append(bool(function.get("strict")))
                own = {name: value for name, value in function.items() if name != "strict" and value is not None}
                own.setdefault("parameters", {"type": "object", "properties": {}})
                tools.append({"type": "function", "function": own})
            case _:
                request.unsupported(f"tools[{number}]", "its tools are functions")
    if any(strict) and "strict_tools" not in body:
        body["strict_tools"] = True
        request.adjustments.append(
            "sent strict as strict_tools" + ("" if all(strict) else ", which holds for every tool")
        )
    if (choice := params.pop("tool_choice", None)) is not None:
        tools = _encode_choice(choice, tools, body, request)
    if tools:
        body["tools"] = tools


def _encode_choice(
    choice: Any, tools: list[dict[str, Any]], body: dict[str, Any], request: ChatRequest
) -> list[dict[str, Any]]:
    """The API can demand a call, but not a certain one: then only the tools that may be called are sent."""
    match choice:
        case "none" | "required":
            body["tool_choice"] = choice.upper()
            return tools
        case {"type": "function", "function": {"name": str() as name}}:
            names, demanded = {name}, True
        case {"type": "allowed_tools", "allowed_tools": {"tools": [*allowed], **rest}}:
            names = {tool["function"]["name"] for tool in allowed if tool.get("type") == "function"}
            demanded = rest.get("mode") == "required"
        case _:
            request.unsupported(f"tool_choice={choice!r}", "its tools are functions")
            return tools
    if unknown := names - {tool["function"]["name"] for tool in tools}:
        raise InvalidRequestError(f"tool_choice names {', '.join(sorted(unknown))}: not in tools", param="tool_choice")
    if demanded:
        body["tool_choice"] = "REQUIRED"
    request.adjustments.append(f"sent only the tools that tool_choice names: {', '.join(sorted(names))}")
    return [tool for tool in tools if tool["function"]["name"] in names]


def _encode_format(params: dict[str, Any], body: dict[str, Any], request: ChatRequest, *, documents: bool) -> None:
    form = params.pop("response_format", None)
    if form is None:
        return
    if form["type"] != "text" and documents:
        request.unsupported("response_format", "it does not answer in JSON from documents")
    elif form["type"] == "json_schema":
        body["response_format"] = {"type": "json_object"}
        schema = form.get("json_schema", {}).get("schema")
        if schema is not None:
            body["response_format"]["json_schema"] = schema
        request.adjustments.append("sent response_format json_schema as json_object with its schema")
    else:
        body["response_format"] = {"type": form["type"]}


def _encode_thinking(params: dict[str, Any], body: dict[str, Any], request: ChatRequest) -> None:
    effort = params.pop("reasoning_effort", None)
    if effort is None:
        return
    if "thinking" in body:
        raise InvalidRequestError("give reasoning_effort or thinking, not both", param="reasoning_effort")
    if effort == "none":
        body["thinking"] = {"type": "disabled"}
        request.adjustments.append("sent reasoning_effort='none' as thinking that is disabled")
    else:
        body["thinking"] = {"type": "enabled", "token_budget": BUDGETS[effort]}
        request.adjustments.append(f"sent reasoning_effort={effort!r} as a budget of {BUDGETS[effort]} tokens")


def _bound(params: dict[str, Any], request: ChatRequest) -> None:
    """Numbers in the ranges that the API has: nearly all of its are smaller."""
    for name, (least, most) in _BOUNDS.items():
        if name not in params:
            continue
        given = params[name]
        if given < 0:
            request.unsupported(f"{name}={given}", f"it goes from {least} to {most}")
            del params[name]
        elif not least <= given <= most:
            params[name] = min(max(given, least), most)
            request.adjustments.append(f"sent {name}={given} as {params[name]}: it goes from {least} to {most}")
    if "logprobs" in params and not params["logprobs"]:
        del params["logprobs"]
    if params.get("seed", 0) < 0:
        request.unsupported(f"seed={params['seed']}", "it is a number from 0")
        del params["seed"]
    if (stops := params.get("stop_sequences")) is not None:
        stops = [stops] if isinstance(stops, str) else list(stops)
        if len(stops) > _MOST_STOPS:
            request.unsupported("stop", f"it takes {_MOST_STOPS} texts at most")
        params["stop_sequences"] = stops[:_MOST_STOPS]

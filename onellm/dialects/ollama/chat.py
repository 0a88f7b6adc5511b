"""Ollama's chat. https://docs.ollama.com/api/chat"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# Tools and formats are JSON of any shape, taken apart by patterns that prove what they use.

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from onellm.dialects import errors
from onellm.dialects.base import HttpRequest
from onellm.dialects.lenient import encode_json
from onellm.dialects.ollama import messages
from onellm.dialects.ollama.options import take_sampling, with_extra
from onellm.dialects.ollama.stream import OllamaReducer
from onellm.dialects.params import native_options, refuse, refuse_foreign_options
from onellm.errors import APIStatusError, InvalidRequestError
from onellm.transport.ndjson import NdjsonDecoder
from onellm.types.chat import ChatCompletion
from onellm.types.chat_params import ChatRequest
from onellm.types.ollama import OllamaOptions

# How much is thought, by effort; the API has fewer steps.
EFFORTS: dict[str, bool | str] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "max",
    "max": "max",
}
_LACKS = "its API does not have it"
_REFUSES: dict[str, str] = {
    "audio": _LACKS,
    "function_call": "give tool_choice",
    "functions": "give tools",
    "logit_bias": _LACKS,
    "metadata": _LACKS,
    "modalities": "it answers in text",
    "moderation": _LACKS,
    "n": "make a call for each answer",
    "parallel_tool_calls": "the model decides how many tools it calls",
    "prediction": _LACKS,
    "prompt_cache_key": "it caches prompts by itself",
    "prompt_cache_options": "it caches prompts by itself",
    "prompt_cache_retention": "give keep_alive in OllamaOptions",
    "safety_identifier": _LACKS,
    "service_tier": _LACKS,
    "store": _LACKS,
    "user": _LACKS,
    "verbosity": _LACKS,
    "web_search_options": _LACKS,
}
# Values that ask for what the API does unasked.
_UNASKED: tuple[tuple[str, Any], ...] = (
    ("modalities", ["text"]),
    ("parallel_tool_calls", True),
    ("tool_choice", "auto"),
    ("logprobs", False),
)
_TOP = ("think", "keep_alive", "truncate", "shift")  # of OllamaOptions, what stands beside `options`
_AS_IT_IS = ("logprobs", "top_logprobs")


class OllamaChat(Struct, frozen=True, kw_only=True):
    """The chat. Fields are a host's quirks; the defaults are the API's own behaviour.

    path:    joined to the base URL
    vision, tools, reasoning:  False where the host is known to have none; True where some model may
    codes:   error codes, and statuses as text, that mean something else than usual
    """

    path: str = "api/chat"
    response_formats: frozenset[str] = frozenset({"text", "json_object", "json_schema"})
    tools: bool = True
    vision: bool = True
    audio_input: bool = False
    reasoning: bool = True
    codes: Mapping[str, type[APIStatusError]] = {}

    @property
    def native_options(self) -> frozenset[str]:
        return frozenset({"ollama"})

    def encode_request(self, request: ChatRequest) -> HttpRequest:
        return self._encode(request, stream=False)

    def encode_stream(self, request: ChatRequest) -> HttpRequest:
        return self._encode(request, stream=True)

    def decode_response(self, body: bytes, request: ChatRequest) -> ChatCompletion:
        return OllamaReducer(self.codes, request).fold_whole(body)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)

    def reducer(self, request: ChatRequest, *, max_event_bytes: int) -> OllamaReducer:
        return OllamaReducer(self.codes, request, NdjsonDecoder(max_event_bytes=max_event_bytes))

    def _encode(self, request: ChatRequest, *, stream: bool) -> HttpRequest:
        body: dict[str, Any] = {"model": request.model, "messages": messages.encode(request)}
        body.update(_encode_params(request))
        body["stream"] = stream  # unasked, it streams
        return HttpRequest(path=self.path, body=encode_json(with_extra(body, request.extra_body)))


def _encode_params(request: ChatRequest) -> dict[str, Any]:
    """The arguments under the API's names; each one is sent, or refused."""
    own = native_options(request, "ollama", OllamaOptions)
    params = dict(request.params)
    params.pop("ollama", None)  # read by now
    for name, usual in _UNASKED:
        if name in params and params[name] == usual:
            del params[name]
    refuse_foreign_options(params, request)
    refuse(params, _REFUSES, request)
    options = take_sampling(params, request)
    body: dict[str, Any] = {}
    for name, value in msgspec.to_builtins(own).items():
        if value is not None:
            (body if name in _TOP else options)[name] = value
    if options:
        body["options"] = options
    _encode_tools(params, body, request)
    _encode_format(params, body)
    _encode_thinking(params, body, request)
    if (stream_options := params.pop("stream_options", None)) and stream_options.get("include_obfuscation"):
        request.unsupported("stream_options.include_obfuscation", _LACKS)
    for name, value in params.items():
        if name in _AS_IT_IS:
            body[name] = value
        else:
            request.unsupported(name, _LACKS)
    return body


def _encode_tools(params: dict[str, Any], body: dict[str, Any], request: ChatRequest) -> None:
    tools: list[dict[str, Any]] = []
    for number, tool in enumerate(params.pop("tools", ())):
        match tool:
            case {"type": "function", "function": {"name": str()} as function}:
                if function.get("strict"):
                    request.unsupported(f"tools[{number}].function.strict", "arguments may differ from their schema")
                kept = {name: value for name, value in function.items() if name != "strict" and value is not None}
                kept.setdefault("parameters", {"type": "object", "properties": {}})
                tools.append({"type": "function", "function": kept})
            case _:
                request.unsupported(f"tools[{number}]", "its tools are functions")
    match params.pop("tool_choice", None):
        case None:
            pass
        case "none":
            tools = []
            request.adjustments.append("sent no tools for tool_choice='none'")
        case {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [*allowed]}}:
            names = {tool["function"]["name"] for tool in allowed if tool.get("type") == "function"}
            tools = [tool for tool in tools if tool["function"]["name"] in names]
            request.adjustments.append(f"sent only the tools that tool_choice names: {', '.join(sorted(names))}")
        case choice:
            request.unsupported(f"tool_choice={choice!r}", "the model decides whether it calls")
    if tools:
        body["tools"] = tools


def _encode_format(params: dict[str, Any], body: dict[str, Any]) -> None:
    match params.pop("response_format", None):
        case {"type": "json_schema", "json_schema": {"schema": Mapping() as schema}}:
            body["format"] = schema
        case {"type": "json_schema" | "json_object"}:
            body["format"] = "json"
        case _:
            pass


def _encode_thinking(params: dict[str, Any], body: dict[str, Any], request: ChatRequest) -> None:
    effort = params.pop("reasoning_effort", None)
    if effort is None:
        return
    if "think" in body:
        raise InvalidRequestError("give reasoning_effort or think, not both", param="reasoning_effort")
    body["think"] = EFFORTS[effort]
    if body["think"] != effort:
        request.adjustments.append(f"sent reasoning_effort={effort!r} as think={body['think']!r}")

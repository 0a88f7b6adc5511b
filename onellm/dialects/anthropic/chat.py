"""Messages, spoken by its inventor and by two clouds that host the same models.

https://platform.claude.com/docs/en/api/messages and, for the stream, …/build-with-claude/streaming
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# Schemas are JSON of any shape.

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from onellm.dialects import errors, prompt_cache
from onellm.dialects.anthropic.messages import HistoryEncoder, mark_prompt
from onellm.dialects.anthropic.names import respelled
from onellm.dialects.anthropic.stream import MessageReducer, fold_message
from onellm.dialects.anthropic.tools import encode_choice, encode_tools, held_to, tools_of_history, web_search
from onellm.dialects.base import HttpRequest, with_model
from onellm.dialects.lenient import encode_json
from onellm.dialects.params import native_options, refuse, refuse_foreign_options, take_stream_options
from onellm.errors import (
    APIStatusError,
    ConflictError,
    InternalServerError,
    InvalidRequestError,
    QuotaExceededError,
    RequestTimeoutError,
    RequestTooLargeError,
)
from onellm.transport.sse import SseDecoder
from onellm.types.anthropic import AnthropicOptions
from onellm.types.chat import ChatCompletion
from onellm.types.chat_params import ChatRequest

# https://platform.claude.com/docs/en/api/errors: those that a status does not say, or a stream says without one.
CODES: dict[str, type[APIStatusError]] = {
    "billing_error": QuotaExceededError,
    "contract_spend_limit_reached": QuotaExceededError,
    "enforced_spend_limit_reached": QuotaExceededError,
    "conflict_error": ConflictError,
    "request_too_large": RequestTooLargeError,
    "timeout_error": RequestTimeoutError,
    "api_error": InternalServerError,
}

_LACKS = "its API does not have it"
REFUSES: dict[str, str] = {
    **dict.fromkeys(
        (
            "audio",
            "frequency_penalty",
            "logit_bias",
            "logprobs",
            "moderation",
            "n",
            "prediction",
            "presence_penalty",
            "seed",
            "top_logprobs",
            "verbosity",
        ),
        _LACKS,
    ),
    "functions": "give tools",
    "function_call": "give tool_choice",
    **dict.fromkeys(
        ("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"),
        "say with cache_control what is to be cached",
    ),
}
_NO_SAMPLING_FROM = "2026-10-21"  # versions are dates
_EFFORT = {"minimal": "low"}
# Options that stand in the body under their own names.
_AS_THEY_ARE = (
    "cache_control",
    "container",
    "context_management",
    "diagnostics",
    "inference_geo",
    "mcp_servers",
    "speed",
)
_SERVER_SIDE = frozenset({"container", "mcp_servers"})
_RUN_BY_THE_PROVIDER = ("code_execution_", "mcp_toolset", "web_fetch_", "web_search_")
_RUNS_NONE = "this host of the API runs no such tools"
_TIERS = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}


class AnthropicMessages(Struct, frozen=True, kw_only=True):
    """The Messages API. Fields are a host's quirks; the defaults are its inventor's own behaviour.

    path:                joined to the base URL; `{model}` in it is the model
    stream_path:         where a streamed answer is asked for, where that is another path
    model_in_body:       whether the body names the model
    stream_in_body:      whether the body says that the answer is to be streamed
    version_in_body:     the `anthropic_version` that the body must have; "" where it is a header
    betas_in_body:       whether betas stand in the body as `anthropic_beta`; else they are a header
    urls:                whether the host fetches images and documents that have a URL
    server_side:         whether the host keeps files, and runs tools beside the one for `web_search`
    web_search:          the tool that `web_search_options` asks for; "" where the host has none
    default_max_tokens:  the limit of an answer where the call gives none; the API needs one. What is in service since
                         2025 can write as much; larger ones are the caller's to ask for, and cost time
    refuses, codes:      arguments that the host does not take, and codes of its errors, beside those of the API
    response_formats, tools, vision, audio_input, reasoning, native_options:  see `ChatDialect`
    """

    path: str = "v1/messages"
    stream_path: str = ""
    model_in_body: bool = True
    stream_in_body: bool = True
    version_in_body: str = ""
    betas_in_body: bool = False
    urls: bool = True
    server_side: bool = True
    web_search: str = "web_search_20250305"
    default_max_tokens: int = 32_000
    response_formats: frozenset[str] = frozenset({"text", "json_schema"})
    tools: bool = True
    vision: bool = True
    audio_input: bool = False
    reasoning: bool = True
    native_options: frozenset[str] = frozenset({"anthropic"})
    refuses: Mapping[str, str] = {}
    codes: Mapping[str, type[APIStatusError]] = {}

    @property
    def caching(self) -> Literal["marks"]:
        """As `OpenAIChat.caching` has it."""
        return "marks"

    @property
    def _codes(self) -> Mapping[str, type[APIStatusError]]:
        return {**CODES, **self.codes} if self.codes else CODES

    def encode_request(self, request: ChatRequest) -> HttpRequest:
        return self._encode(request, self.path, {})

    def encode_stream(self, request: ChatRequest) -> HttpRequest:
        return self._encode(request, self.stream_path or self.path, {"stream": True} if self.stream_in_body else {})

    def _encode(self, request: ChatRequest, path: str, stream: dict[str, Any]) -> HttpRequest:
        options = native_options(request, "anthropic", AnthropicOptions)
        body = self.encode_body(request, options) | stream | dict(request.extra_body or {})
        return HttpRequest(
            path=with_model(path, request.model), body=encode_json(body), headers=self.encode_headers(options)
        )

    def encode_headers(self, options: AnthropicOptions) -> dict[str, str]:
        """What a call's options say in headers; the usual version is the row's."""
        headers: dict[str, str] = {}
        if options.version and not self.version_in_body:
            headers["anthropic-version"] = options.version
        if options.betas and not self.betas_in_body:
            headers["anthropic-beta"] = ",".join(options.betas)
        return headers

    def encode_body(self, request: ChatRequest, options: AnthropicOptions) -> dict[str, Any]:
        """The body without `stream` and the call's own `extra_body`."""
        params = dict(request.params)
        for name in self.native_options:
            params.pop(name, None)
        refuse_foreign_options(params, request)
        refuse(params, REFUSES | dict(self.refuses), request)
        names = respelled(request)
        for name, sent in names.items():
            request.adjustments.append(f"sent the tool name {name!r} as {sent!r}")
        system, turns = HistoryEncoder(request, options, names, urls=self.urls, files=self.server_side).encode()
        body = self._head(request, options)
        body["max_tokens"] = self._max_tokens(params, options, request)
        if system is not None:
            body["system"] = system
        body["messages"] = turns
        self._encode_tools(params, body, options, request, names)
        params.pop("cache", None)
        if (mark := _wanted_mark(request, options)) is not None:
            mark_prompt(body, mark)
        self._encode_thinking(params, body, options, request)
        self._encode_format(params, body, request)
        _encode_sampling(params, body, options, self.version_in_body, request)
        _encode_account(params, body, request)
        body |= self._encode_options(options, request)
        take_stream_options(params, request)
        if params.get("modalities") == ["text"]:
            del params["modalities"]
        for name in params:
            request.unsupported(name, _LACKS)
        return body

    def _encode_options(self, options: AnthropicOptions, request: ChatRequest) -> dict[str, Any]:
        found = {name: value for name in _AS_THEY_ARE if (value := getattr(options, name))}
        for name in () if self.server_side else _SERVER_SIDE & found.keys():
            request.unsupported(f"anthropic.{name}", _RUNS_NONE)
            del found[name]
        return found

    def _run_here(self, tool: Mapping[str, Any], request: ChatRequest) -> bool:
        """Whether the host has a tool; those that the caller runs are everywhere."""
        kind = tool.get("type")
        if self.server_side or not isinstance(kind, str) or not kind.startswith(_RUN_BY_THE_PROVIDER):
            return True
        if kind == self.web_search:
            return True
        request.unsupported(f"the tool {kind}", f"it has {self.web_search}" if self.web_search else _RUNS_NONE)
        return False

    def _head(self, request: ChatRequest, options: AnthropicOptions) -> dict[str, Any]:
        head: dict[str, Any] = {}
        if self.version_in_body:
            head["anthropic_version"] = options.version or self.version_in_body
        if self.betas_in_body and options.betas:
            head["anthropic_beta"] = list(options.betas)
        if self.model_in_body:
            head["model"] = request.model
        return head

    def _max_tokens(self, params: dict[str, Any], options: AnthropicOptions, request: ChatRequest) -> int:
        longer, shorter = params.pop("max_completion_tokens", None), params.pop("max_tokens", None)
        if longer is not None and shorter is not None:
            raise InvalidRequestError("give max_completion_tokens or max_tokens, not both", param="max_tokens")
        given: int | None = shorter if longer is None else longer
        if given is not None:
            return given
        if options.default_max_tokens is not None:
            return options.default_max_tokens
        budget = 0 if options.thinking is None else options.thinking.get("budget_tokens", 0)
        chosen = self.default_max_tokens + budget
        request.adjustments.append(f"sent max_tokens={chosen}, as the call has none and the API needs one")
        return chosen

    def _encode_tools(
        self,
        params: dict[str, Any],
        body: dict[str, Any],
        options: AnthropicOptions,
        request: ChatRequest,
        names: Mapping[str, str],
    ) -> None:
        tools = encode_tools(request, names)
        params.pop("tools", None)
        searching = params.pop("web_search_options", None)
        if searching is not None and not self.web_search:
            request.unsupported("web_search_options", _LACKS)
        elif searching is not None:
            tools.append(web_search(self.web_search, searching, request))
        tools += [dict(tool) for tool in options.tools]
        tools = [tool for tool in tools if self._run_here(tool, request)]
        choice = encode_choice(params.pop("tool_choice", None), request, names)
        one_by_one = params.pop("parallel_tool_calls", None) is False
        if not tools and (tools := tools_of_history(request, names)):
            choice = {"type": "none"}
            request.adjustments.append("sent bare tools for the calls of the history, none of them to be called")
        if not tools:
            if choice is not None and choice["type"] not in ("auto", "none"):
                raise InvalidRequestError("tool_choice asks for a call, and there are no tools", param="tool_choice")
            return
        body["tools"] = tools
        if one_by_one and (choice or {}).get("type") != "none":
            choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
        if choice is not None:
            body["tool_choice"] = choice

    def _encode_thinking(
        self, params: dict[str, Any], body: dict[str, Any], options: AnthropicOptions, request: ChatRequest
    ) -> None:
        thinking = options.thinking
        effort = params.pop("reasoning_effort", None)
        if effort == "none":
            thinking = thinking or {"type": "disabled"}
        elif effort is not None:
            thinking = thinking or {"type": "adaptive"}
            sent = _EFFORT.get(effort, effort)
            body["output_config"] = {"effort": sent}
            if sent != effort:
                request.adjustments.append(f"sent reasoning_effort={effort!r} as {sent!r}")
        if thinking is not None:
            body["thinking"] = thinking

    def _encode_format(self, params: dict[str, Any], body: dict[str, Any], request: ChatRequest) -> None:
        match params.pop("response_format", None):
            case None | {"type": "text"}:
                pass
            case {"type": "json_schema", "json_schema": {"schema": schema, **rest}} if (
                "json_schema" in self.response_formats
            ):
                held = held_to(schema, "response_format.json_schema.schema", request)
                if isinstance(held, dict) and "description" not in held and (said := rest.get("description")):
                    held["description"] = said
                body.setdefault("output_config", {})["format"] = {"type": "json_schema", "schema": held}
            case form:
                hint = "give a JSON schema" if "json_schema" in self.response_formats else _LACKS
                request.unsupported(f'response_format {{"type": "{form["type"]}"}}', hint)

    def decode_response(self, body: bytes, request: ChatRequest) -> ChatCompletion:
        return fold_message(body, request, self._codes)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self._codes)

    def reducer(self, request: ChatRequest, *, max_event_bytes: int) -> MessageReducer:
        return MessageReducer(request, self._codes, SseDecoder(max_event_bytes=max_event_bytes))


def _wanted_mark(request: ChatRequest, options: AnthropicOptions) -> dict[str, str] | None:
    """The mark that `cache` asks for; None where the options set their own."""
    if options.cache_control is not None or any(prompt_cache.MARK in tool for tool in options.tools):
        return None
    return prompt_cache.wanted_mark(request)


def _encode_sampling(
    params: dict[str, Any], body: dict[str, Any], options: AnthropicOptions, usual_version: str, request: ChatRequest
) -> None:
    stop = params.pop("stop", None)
    if stop:
        body["stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
    sampling: dict[str, Any] = {name: params.pop(name) for name in ("temperature", "top_p") if name in params}
    if options.top_k is not None:
        sampling["top_k"] = options.top_k
    if sampling.get("temperature", 0) > 1:
        request.unsupported(f"temperature={sampling.pop('temperature')}", "it takes 0 to 1")
    version = options.version or usual_version
    if version[:1].isdigit() and version >= _NO_SAMPLING_FROM:
        for name in sampling:
            request.unsupported(name, f"version {version} does not have it")
    else:
        body |= sampling


def _encode_account(params: dict[str, Any], body: dict[str, Any], request: ChatRequest) -> None:
    """Who asks, and at which price."""
    user, identifier = params.pop("user", None), params.pop("safety_identifier", None)
    if user is not None and identifier is not None and user != identifier:
        raise InvalidRequestError("give user or safety_identifier, not both: it takes one", param="user")
    metadata = dict(params.pop("metadata", None) or {})
    if (known := identifier or user) is not None:
        name = "user" if identifier is None else "safety_identifier"
        request.adjustments.append(f"sent {name} as metadata.user_id")
        metadata["user_id"] = known
    for name in [name for name in metadata if name != "user_id"]:
        request.unsupported(f"metadata.{name}", "it takes nothing but user_id")
        del metadata[name]
    if metadata:
        body["metadata"] = metadata
    if (tier := params.pop("service_tier", None)) is not None:
        if tier in _TIERS:
            body["service_tier"] = _TIERS[tier]
            if _TIERS[tier] != tier:
                request.adjustments.append(f"sent service_tier={tier!r} as {_TIERS[tier]!r}")
        else:
            request.unsupported(f"service_tier={tier!r}", "it takes auto and default")
    if params.get("store") is False:
        del params["store"]

"""generateContent, spoken by Gemini's models in two places. https://ai.google.dev/api/generate-content"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from msgspec import Struct, to_builtins

from onellm.dialects import errors, prompt_cache
from onellm.dialects.base import HttpRequest, with_model
from onellm.dialects.gemini import schema
from onellm.dialects.gemini.contents import Places, encode_contents
from onellm.dialects.gemini.stream import GeminiReducer, GeminiSse
from onellm.dialects.lenient import encode_json
from onellm.dialects.params import native_options, refuse, refuse_foreign_options, take_stream_options
from onellm.errors import APIStatusError, InvalidRequestError
from onellm.types.chat import ChatCompletion
from onellm.types.chat_params import NATIVE_OPTIONS, ChatRequest
from onellm.types.google import GoogleOptions
from onellm.types.request import Request

RequestT = TypeVar("RequestT", bound=Request)

_LACKS = "its API does not have it"
REFUSES = {
    **dict.fromkeys(
        (
            "logit_bias",
            "moderation",
            "prediction",
            "prompt_cache_key",
            "prompt_cache_options",
            "prompt_cache_retention",
            "safety_identifier",
            "user",
            "verbosity",
        ),
        _LACKS,
    ),
    "functions": "give tools",
    "function_call": "give tool_choice",
}

# Names that change, and nothing else.
_RENAMED = {
    "temperature": "temperature",
    "top_p": "topP",
    "n": "candidateCount",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
_LEVELS = {
    "none": "MINIMAL",
    "minimal": "MINIMAL",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "xhigh": "XHIGH",
    "max": "XHIGH",
}
# As the compatible API of the same models has it: https://ai.google.dev/gemini-api/docs/openai#thinking
_BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576, "max": 24576}
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
_TIERS = {"default": "standard"}  # others have the same name
_BUILT_IN = {
    "code_execution": "codeExecution",
    "computer_use": "computerUse",
    "enterprise_web_search": "enterpriseWebSearch",
    "file_search": "fileSearch",
    "google_maps": "googleMaps",
    "google_search": "googleSearch",
    "google_search_retrieval": "googleSearchRetrieval",
    "retrieval": "retrieval",
    "url_context": "urlContext",
}


class GeminiChat(Struct, frozen=True, kw_only=True):
    """generateContent. Fields are what differs between its two places.

    publishers:    whether models stand under their publishers: `publishers/google/models/…`
    file_uri:      the address of a file that the host keeps, with `{}` for its id; "" where it keeps none
    needs_mime_type:  whether the type of what stands at an address must be said
    tier_header:   the header that names a tier of service, where the body does not
    labels:        whether `metadata` can be sent as labels
    store:         whether `store` is taken
    server_calls:  whether calls of built-in tools are asked for, where they stand beside functions
    refuses:       arguments that the host does not take, each with the reason
    """

    publishers: bool = False
    file_uri: str = "https://generativelanguage.googleapis.com/v1beta/files/{}"
    needs_mime_type: bool = False
    tier_header: str = ""
    labels: bool = False
    store: bool = True
    server_calls: bool = True
    refuses: Mapping[str, str] = {}

    response_formats: frozenset[str] = frozenset({"text", "json_object", "json_schema"})
    tools: bool = True
    vision: bool = True
    audio_input: bool = True
    reasoning: bool = True
    native_options: frozenset[str] = frozenset({"google"})

    @property
    def caching(self) -> Literal["automatic"]:
        """As `OpenAIChat.caching` has it."""
        return "automatic"

    def path(self, model: str, method: str) -> str:
        """Where a method of a model is, joined to the base URL."""
        return with_model("{model}:" + method, model_name(model, publishers=self.publishers))

    def encode_request(self, request: ChatRequest) -> HttpRequest:
        body, headers = self.encode_body(request)
        return HttpRequest(path=self.path(request.model, "generateContent"), body=encode_json(body), headers=headers)

    def encode_stream(self, request: ChatRequest) -> HttpRequest:
        audio = request.params.get("audio")
        if audio and audio["format"] == "wav":
            request.adjustments.append("the pieces of a stream are samples alone; the whole answer is a wav file")
        body, headers = self.encode_body(request)
        path = self.path(request.model, "streamGenerateContent")
        return HttpRequest(path=path, body=encode_json(body), headers=headers, query={"alt": "sse"})

    def encode_body(self, request: ChatRequest) -> tuple[dict[str, Any], dict[str, str]]:
        """The body, and headers that go with it.

        Raises:
            InvalidRequestError, UnsupportedParameterError: what it cannot say.
        """
        options = native_options(request, "google", GoogleOptions)
        params = dict(request.params)
        params.pop("google", None)
        if params:
            refuse(params, {**REFUSES, **self.refuses}, request)
            if not NATIVE_OPTIONS.isdisjoint(params):
                refuse_foreign_options(params, request)
        prompt_cache.refuse_lengths(params, request)
        system, contents = encode_contents(request, Places(self.file_uri, self.needs_mime_type))
        body: dict[str, Any] = {"contents": contents}
        if system:
            body["systemInstruction"] = {"parts": system}
        headers: dict[str, str] = {}
        _encode_tools(params, options, body, request, server_calls=self.server_calls)
        if config := _encode_config(params, options, request):
            body["generationConfig"] = config
        if options.safety_settings:
            body["safetySettings"] = safety_settings(options)
        if options.live is not None:
            request.unsupported("google.live", "it is for realtime sessions")
        if options.cached_content is not None:
            body["cachedContent"] = options.cached_content
        if options.continuation_token is not None:
            body["continuationToken"] = options.continuation_token
        self._encode_account(params, options, body, headers, request)
        for name in params:  # what is left has no counterpart
            request.unsupported(name, _LACKS)
        body |= request.extra_body or {}
        return body, headers

    def _encode_account(
        self,
        params: dict[str, Any],
        options: GoogleOptions,
        body: dict[str, Any],
        headers: dict[str, str],
        request: ChatRequest,
    ) -> None:
        """What is for the bill and not for the model."""
        labels = dict(options.labels or {}) | params.pop("metadata", {})
        if labels and not self.labels:
            request.unsupported("metadata", _LACKS)
        elif labels:
            body["labels"] = labels
        if (store := params.pop("store", None)) is not None:
            if self.store:
                body["store"] = store
            elif store:
                request.unsupported("store", _LACKS)
        tier = params.pop("service_tier", None)
        if tier is not None and tier != "auto":
            if not self.tier_header:
                body["serviceTier"] = _TIERS.get(tier, tier)
            elif tier != "default":
                headers[self.tier_header] = tier
        take_stream_options(params, request)  # usage stands in the last chunk, asked for or not

    def decode_response(self, body: bytes, request: ChatRequest) -> ChatCompletion:
        reducer = GeminiReducer(request, None)
        reducer.feed_chunk(body, _unheard)
        reply = reducer.close()
        reply.raw = body
        return reply

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now)

    def reducer(self, request: ChatRequest, *, max_event_bytes: int) -> GeminiReducer:
        return GeminiReducer(request, GeminiSse(max_event_bytes=max_event_bytes))


def model_name(model: str, *, publishers: bool) -> str:
    """A model's resource name: `models/m`, or `publishers/p/models/m`; one that is given whole stays as it is."""
    if not publishers:
        return model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"
    if model.startswith(("projects/", "publishers/", "endpoints/")):
        return model
    publisher, slash, own = model.removeprefix("models/").partition("/")
    return f"publishers/{publisher}/models/{own}" if slash else f"publishers/google/models/{publisher}"


def _unheard(_: object) -> None:
    """The chunk that a whole answer is; nobody listens."""


def _encode_config(params: dict[str, Any], options: GoogleOptions, request: ChatRequest) -> dict[str, Any]:
    """`generationConfig`; what it holds is taken out of the arguments."""
    config: dict[str, Any] = {wire: params.pop(name) for name, wire in _RENAMED.items() if name in params}
    if config.get("candidateCount") == 1:
        del config["candidateCount"]
    limits = {params.pop(name) for name in ("max_completion_tokens", "max_tokens") if name in params}
    if len(limits) > 1:
        raise InvalidRequestError("give max_completion_tokens or max_tokens, not both", param="max_tokens")
    if limits:
        config["maxOutputTokens"] = limits.pop()
    if (stop := params.pop("stop", None)) is not None:
        config["stopSequences"] = [stop] if isinstance(stop, str) else list(stop)
    if options.top_k is not None:
        config["topK"] = options.top_k
    top = params.pop("top_logprobs", None)
    if params.pop("logprobs", None) or top is not None:
        config["responseLogprobs"] = True
        if top is not None:
            config["logprobs"] = top
    _encode_format(params, config, request)
    encode_thinking(params, options, config, request)
    _encode_media(params, options, config, request)
    config |= options.generation_config
    return config


def _encode_format(params: dict[str, Any], config: dict[str, Any], request: ChatRequest) -> None:
    form = params.pop("response_format", None)
    if form is None or form["type"] == "text":
        return
    config["responseMimeType"] = "application/json"
    if form["type"] == "json_schema" and "schema" in form["json_schema"]:
        config["responseJsonSchema"] = _schema(form["json_schema"]["schema"], "response_format", request)


def _schema(given: Any, what: str, request: ChatRequest) -> Any:
    removed: list[str] = []
    cleaned = schema.clean(to_builtins(given), removed)
    if removed:
        request.adjustments.append(f"left out of the schema of {what} what the API does not know: {', '.join(removed)}")
    return cleaned


def encode_thinking(params: dict[str, Any], options: GoogleOptions, config: dict[str, Any], request: Request) -> None:
    """`thinkingConfig`."""
    effort = params.pop("reasoning_effort", None)
    given = [
        name
        for name, value in (
            ("reasoning_effort", effort),
            ("google.thinking_level", options.thinking_level),
            ("google.thinking_budget", options.thinking_budget),
        )
        if value is not None
    ]
    if len(given) > 1:
        raise InvalidRequestError(f"give one of {' and '.join(given)}", param="reasoning_effort")
    thinking: dict[str, Any] = {}
    if effort is not None:
        if options.effort_as_budget:
            thinking["thinkingBudget"] = _BUDGETS[effort]
            request.adjustments.append(f"sent reasoning_effort={effort!r} as a budget of {_BUDGETS[effort]} tokens")
        else:
            thinking["thinkingLevel"] = level = _LEVELS[effort]
            if level.lower() != effort:
                request.adjustments.append(f"sent reasoning_effort={effort!r} as {level}")
        if effort != "none":
            thinking["includeThoughts"] = True
    if options.thinking_level is not None:
        thinking["thinkingLevel"] = options.thinking_level.upper()
    if options.thinking_budget is not None:
        thinking["thinkingBudget"] = options.thinking_budget
    if options.include_thoughts is not None:
        thinking["includeThoughts"] = options.include_thoughts
    if thinking:
        config["thinkingConfig"] = thinking


def _encode_media(params: dict[str, Any], options: GoogleOptions, config: dict[str, Any], request: ChatRequest) -> None:
    """What is looked at, and what is made beside text."""
    if (modalities := params.pop("modalities", None)) is not None:
        config["responseModalities"] = [kind.upper() for kind in modalities]
    if (audio := params.pop("audio", None)) is not None and audio["format"] not in {"pcm16", "wav"}:
        request.unsupported(f"audio.format={audio['format']!r}", "it speaks in pcm16; wav is made of that")
    speech = speech_config(options, audio["voice"] if audio else None)
    if speech:
        config["speechConfig"] = speech
    if options.media_resolution is not None:
        config["mediaResolution"] = f"MEDIA_RESOLUTION_{options.media_resolution.upper()}"
    if options.image_config is not None:
        config["imageConfig"] = dict(options.image_config)


def safety_settings(options: GoogleOptions) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in to_builtins(setting).items() if value is not None}
        for setting in options.safety_settings
    ]


def speech_config(options: GoogleOptions, voice: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """Who speaks, one or two."""
    if options.speech_config is not None:
        return dict(options.speech_config)
    speech: dict[str, Any] = {}
    if options.speakers:
        speech["multiSpeakerVoiceConfig"] = {
            "speakerVoiceConfigs": [
                {"speaker": speaker.name, "voiceConfig": voice_config(speaker.voice)} for speaker in options.speakers
            ]
        }
    elif voice is not None:
        speech["voiceConfig"] = voice_config(voice if isinstance(voice, str) else str(voice.get("id")))
    if options.language_code is not None:
        speech["languageCode"] = options.language_code
    return speech


def voice_config(voice: str) -> dict[str, Any]:
    return {"prebuiltVoiceConfig": {"voiceName": voice}}


def _encode_tools(
    params: dict[str, Any], options: GoogleOptions, body: dict[str, Any], request: ChatRequest, *, server_calls: bool
) -> None:
    """Functions in one object, each built-in tool in its own; and which of them must or may be called."""
    if params.pop("parallel_tool_calls", True) is False:
        request.unsupported("parallel_tool_calls=False", "it cannot be told to make one call at a time")
    given = to_builtins(list(params.pop("tools", ())))
    functions, built_in = sorted_tools(given, request, _declaration)
    strict = any(tool["type"] == "function" and tool["function"].get("strict") for tool in given)
    if (search := params.pop("web_search_options", None)) is not None:
        built_in.append({"googleSearch": {}})
        if search:
            request.adjustments.append(f"left out of web_search_options: {', '.join(search)}")
    built_in += map(dict, options.tools)
    tools = ([{"functionDeclarations": functions}] if functions else []) + built_in
    if tools:
        body["tools"] = tools
    config: dict[str, Any] = {}
    if calling := _calling(params.pop("tool_choice", None), strict, bool(functions), request):
        config["functionCallingConfig"] = calling
    if server_calls and functions and built_in:
        config["includeServerSideToolInvocations"] = True
    config |= options.tool_config
    if config:
        body["toolConfig"] = config


def sorted_tools(
    tools: list[dict[str, Any]],
    request: RequestT,
    declaration: Callable[[Mapping[str, Any], RequestT], dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Declarations of functions, and built-in tools."""
    functions: list[dict[str, Any]] = []
    built_in: list[dict[str, Any]] = []
    for place, tool in enumerate(tools):
        match tool:
            case {"type": "function", "function": function}:
                functions.append(declaration(function, request))
            case {"type": str() as kind} if (wire := _BUILT_IN.get(kind, kind)) in _BUILT_IN.values():
                built_in.append({wire: tool.get(kind) or tool.get(wire) or {}})
            case _:
                request.unsupported(f"tools[{place}]", f"it has no tool of type {tool['type']!r}")
    return functions, built_in


def _declaration(function: Mapping[str, Any], request: ChatRequest) -> dict[str, Any]:
    declared: dict[str, Any] = {"name": function["name"]}
    if description := function.get("description"):
        declared["description"] = description
    parameters = function.get("parameters")
    if has_parameters(parameters):
        declared["parametersJsonSchema"] = _schema(parameters, f"the tool {function['name']}", request)
    return declared


def has_parameters(parameters: Mapping[str, Any] | None) -> bool:
    """Whether there is anything to declare: an object without properties is refused."""
    return bool(parameters and (parameters.get("properties") or parameters.get("type") != "object"))


def _calling(choice: Any, strict: bool, functions: bool, request: ChatRequest) -> dict[str, Any] | None:
    """`functionCallingConfig`, which may only stand where there are functions."""
    if not functions:
        if choice not in (None, "auto", "none"):
            request.unsupported("tool_choice", "there is no function to call")
        return None
    match choice:
        case None | "auto":
            return {"mode": "VALIDATED"} if strict else {"mode": "AUTO"} if choice else None
        case str():
            return {"mode": _MODES[choice]}
        case {"type": "function", "function": {"name": str() as name}}:
            return {"mode": "ANY", "allowedFunctionNames": [name]}
        case {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}:
            names = [tool["function"]["name"] for tool in tools if tool.get("type") == "function"]
            return {"mode": "ANY" if mode == "required" else "VALIDATED", "allowedFunctionNames": names}
        case _:
            request.unsupported("tool_choice", "it takes auto, none, required, a function or allowed_tools")
            return None

"""The first frame of a Live session: all of its settings. https://ai.google.dev/api/live#BidiGenerateContentSetup"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# Arguments are JSON of any shape, taken apart by patterns that prove what they use.

from collections.abc import Mapping
from typing import Any

from msgspec import structs, to_builtins

from onellm.dialects.gemini import openapi
from onellm.dialects.gemini.chat import (
    encode_thinking,
    has_parameters,
    model_name,
    safety_settings,
    sorted_tools,
    speech_config,
)
from onellm.dialects.params import native_options
from onellm.errors import InvalidRequestError
from onellm.types.google import GoogleOptions, LiveOptions
from onellm.types.realtime import RealtimeRequest

INPUT_RATE = 16_000
OUTPUT_RATE = 24_000

_GENERATION = {"max_output_tokens": "maxOutputTokens", "temperature": "temperature", "top_p": "topP", "seed": "seed"}
_LACKS = {
    "noise_reduction": "it has none",
    "speed": "its voices have one",
    "transcribe_only": "its sessions always answer",
}
_SENSITIVITIES = {"low": "LOW", "high": "HIGH"}
_VAD = {"prefix_padding_ms": "prefixPaddingMs", "silence_duration_ms": "silenceDurationMs"}
# Options of generateContent that sessions do not have.
_CHAT_ONLY = ("tool_config", "image_config", "cached_content", "continuation_token", "speakers")


class Asked:
    """A session as it was asked for: the setup, and what the codec has to know of it.

    setup:       the frame's content, without the handle of a session that is resumed
    options:     those of sessions
    manual:      whether the caller says when a turn begins and ends
    interrupts:  whether the user's speech stops the model
    rate:        of the caller's audio, samples a second
    handle:      of the session that is to go on
    """

    __slots__ = ("handle", "interrupts", "manual", "options", "rate", "setup")

    def __init__(self, setup: dict[str, Any], options: LiveOptions, params: Mapping[str, Any]) -> None:
        self.setup = setup
        self.options = options
        heard: dict[str, Any] = setup.get("realtimeInputConfig") or {}
        detection: dict[str, Any] = heard.get("automaticActivityDetection") or {}
        self.manual = detection.get("disabled") is True
        self.interrupts = heard.get("activityHandling") != "NO_INTERRUPTION"
        self.rate: int = params.get("input_rate") or INPUT_RATE
        self.handle: str | None = params.get("resume")


def encode_setup(request: RealtimeRequest, *, publishers: bool, parent: str = "") -> Asked:
    """The setup that a request asks for. parent: where publishers stand, `projects/p/locations/l/`.

    Raises:
        InvalidRequestError, UnsupportedParameterError: what it cannot say.
    """
    google = native_options(request, "google", GoogleOptions)
    options = google.live or LiveOptions()
    params = {name: value for name, value in request.params.items() if value is not None}
    params.pop("google", None)
    model = model_name(request.model, publishers=publishers)
    setup: dict[str, Any] = {
        "model": parent + model if model.startswith("publishers/") else model,
        "generationConfig": _generation(params, google, request),
    }
    if parts := _instructions(params):
        setup["systemInstruction"] = {"parts": parts}
    if tools := encode_tools(params, google, request):
        setup["tools"] = tools
    _transcriptions(params, setup, request)
    if listening := _listening(params, options, request):
        setup["realtimeInputConfig"] = listening
    setup["sessionResumption"] = {}
    if options.context_window_compression is not None:
        setup["contextWindowCompression"] = dict(options.context_window_compression)
    if options.proactivity is not None:
        setup["proactivity"] = dict(options.proactivity)
    if options.initial_history:
        setup["historyConfig"] = {"initialHistoryInClientContent": True}
    if google.safety_settings:
        setup["safetySettings"] = safety_settings(google)
    if google.labels is not None:
        setup["labels"] = dict(google.labels)
    _refuse(params, google, request)
    _override(setup, params.get("session") or {})
    return Asked(setup, options, params)


def encode_tools(params: Mapping[str, Any], google: GoogleOptions, request: RealtimeRequest) -> list[dict[str, Any]]:
    """Functions in one object, each built-in tool in its own."""
    options = google.live or LiveOptions()

    def declaration(function: Mapping[str, Any], request: RealtimeRequest) -> dict[str, Any]:
        return _declaration(function, request, options.tool_behavior)

    functions, built_in = sorted_tools(to_builtins(list(params.get("tools") or ())), request, declaration)
    match params.get("tool_choice"):
        case "none":
            functions = []
        case None | "auto":
            pass
        case choice:
            request.unsupported(f"tool_choice={choice!r}", "its sessions choose by themselves")
    return (
        ([{"functionDeclarations": functions}] if functions else []) + built_in + [dict(tool) for tool in google.tools]
    )


def _declaration(function: Mapping[str, Any], request: RealtimeRequest, behavior: str | None) -> dict[str, Any]:
    """A function, its arguments as `parameters`: sessions read nothing of `parametersJsonSchema`."""
    declared: dict[str, Any] = {"name": function["name"]}
    if description := function.get("description"):
        declared["description"] = description
    if has_parameters(parameters := function.get("parameters")):
        removed: list[str] = []
        declared["parameters"] = openapi.as_openapi(to_builtins(parameters), removed)
        if removed:
            request.adjustments.append(
                f"left out of the schema of the tool {function['name']} what sessions do not know: {', '.join(removed)}"
            )
    if behavior is not None:
        declared["behavior"] = behavior.upper()
    return declared


def _generation(params: Mapping[str, Any], google: GoogleOptions, request: RealtimeRequest) -> dict[str, Any]:
    modalities = list(params.get("output_modalities") or ("audio",))
    if len(modalities) != 1:
        raise InvalidRequestError("output_modalities: a session answers in one of them", param="output_modalities")
    config: dict[str, Any] = {"responseModalities": [modalities[0].upper()]}
    config |= {wire: params[name] for name, wire in _GENERATION.items() if name in params}
    if google.top_k is not None:
        config["topK"] = google.top_k
    thinking = {name: value for name, value in params.items() if name == "reasoning_effort"}
    encode_thinking(thinking, google, config, request)
    if google.include_thoughts is None and "thinkingConfig" in config:
        config["thinkingConfig"].pop("includeThoughts", None)  # they would be sent, and are heard by nobody
    speech = speech_config(structs.replace(google, speakers=()), params.get("voice"))
    if "language" in params:
        speech["languageCode"] = params["language"]
    if speech:
        config["speechConfig"] = speech
    if google.media_resolution is not None:
        config["mediaResolution"] = f"MEDIA_RESOLUTION_{google.media_resolution.upper()}"
    config |= google.generation_config
    return config


def _instructions(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The session's own, and the system messages that the conversation begins with."""
    parts: list[dict[str, Any]] = []
    if text := params.get("instructions"):
        parts.append({"text": text})
    for message in params.get("messages") or ():
        if message["role"] not in ("system", "developer"):
            break
        content = message.get("content")
        parts += [{"text": content}] if isinstance(content, str) else [{"text": part["text"]} for part in content or ()]
    return parts


def _transcriptions(params: Mapping[str, Any], setup: dict[str, Any], request: RealtimeRequest) -> None:
    heard = params.get("input_transcription", True)
    if heard is not False:
        told = dict(heard) if isinstance(heard, Mapping) else {}
        language = told.pop("language", None)
        for name in told:
            request.unsupported(f"input_transcription.{name}", "the model that answers also writes down what it hears")
        setup["inputAudioTranscription"] = {"languageCodes": [language]} if language else {}
    if setup["generationConfig"]["responseModalities"] == ["AUDIO"]:
        setup["outputAudioTranscription"] = {}


def _listening(params: Mapping[str, Any], options: LiveOptions, request: RealtimeRequest) -> dict[str, Any]:
    """`realtimeInputConfig`: who says when a turn ends, and what belongs to it."""
    config: dict[str, Any] = {}
    detection = params.get("turn_detection")
    told: dict[str, Any] = dict(detection) if isinstance(detection, Mapping) else {"type": detection}
    kind = told.pop("type", None)
    if kind == "none":
        config["automaticActivityDetection"] = {"disabled": True}
    elif kind == "semantic_vad":
        request.unsupported("turn_detection='semantic_vad'", 'it listens for silence: give "server_vad" or "none"')
        told = {name: told[name] for name in ("create_response", "interrupt_response") if name in told}
    if found := _vad(told, request):
        config["automaticActivityDetection"] = found
    if told.pop("interrupt_response", True) is False:
        config["activityHandling"] = "NO_INTERRUPTION"
    if told.pop("create_response", True) is False:
        request.unsupported("turn_detection.create_response=False", "it answers each turn by itself")
    for name, value in told.items():
        if value is not None:
            request.unsupported(f"turn_detection.{name}", "it has no such setting")
    if options.turn_coverage is not None:
        config["turnCoverage"] = options.turn_coverage
    return config


def _vad(told: dict[str, Any], request: RealtimeRequest) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if (level := _SENSITIVITIES.get(told.pop("sensitivity", None) or "")) is not None:  # "medium" is the provider's own
        found["startOfSpeechSensitivity"] = f"START_SENSITIVITY_{level}"
        found["endOfSpeechSensitivity"] = f"END_SENSITIVITY_{level}"
    if told.pop("threshold", None) is not None:
        request.unsupported("turn_detection.threshold", 'give sensitivity: "low", "medium" or "high"')
    for name, wire in _VAD.items():
        if (value := told.pop(name, None)) is not None:
            found[wire] = value
    return found


def _refuse(params: Mapping[str, Any], google: GoogleOptions, request: RealtimeRequest) -> None:
    """Say what has no counterpart."""
    for name, hint in _LACKS.items():
        if params.get(name) not in (None, False):
            request.unsupported(name, hint)
    for name in ("input_audio_format", "output_audio_format"):
        if params.get(name, "pcm16") != "pcm16":
            request.unsupported(f"{name}={params[name]!r}", "it takes and gives samples of 16 bits")
    defaults = GoogleOptions()
    for name in _CHAT_ONLY:
        if getattr(google, name) != getattr(defaults, name):
            request.unsupported(f"google.{name}", "sessions do not have it")


def _override(setup: dict[str, Any], given: Mapping[str, Any]) -> None:
    """The caller's own fields win; those of an object go beside ours, and None takes one of ours away."""
    for name, value in given.items():
        ours = setup.get(name)
        if value is None:
            setup.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(ours, dict):
            _override(ours, value)
        else:
            setup[name] = value

"""One async client for every LLM provider, in OpenAI's shape.

    from onellm import AsyncOneLLM, OneLLM

Names are imported when they are first used, so that `import onellm` stays cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onellm._sync.audio import SpeechResponse, SpeechStream, TranscriptionStream
    from onellm._sync.batches import BatchResults
    from onellm._sync.binary import BinaryResponse
    from onellm._sync.client import OneLLM
    from onellm._sync.completions import CompletionStream
    from onellm._sync.images import ImageStream
    from onellm._sync.models import ModelPull
    from onellm._sync.pages import Page
    from onellm._sync.parsing import ParsedChatCompletionStream
    from onellm._sync.pipelines import ChatMap, EmbeddingStream
    from onellm._sync.realtime import RealtimeSession
    from onellm._sync.responses import ResponseStream
    from onellm._sync.runs import ToolRun
    from onellm._sync.streams import ChatCompletionStream
    from onellm.client import AsyncOneLLM
    from onellm.errors import (
        APIConnectionError,
        APIError,
        APIStatusError,
        APITimeoutError,
        AuthenticationError,
        BadRequestError,
        CacheUnavailableError,
        CheckpointError,
        CircuitOpenError,
        ClientClosedError,
        ConfigurationError,
        ConflictError,
        ContentFilterError,
        ContextLengthExceededError,
        DeadlineExceededError,
        FallbackError,
        InternalServerError,
        InvalidRequestError,
        MaxTurnsError,
        MissingDependencyError,
        MissingKeyError,
        NotFoundError,
        OneLLMError,
        OverloadedError,
        PermissionDeniedError,
        QuotaExceededError,
        RateLimitError,
        RequestTimeoutError,
        RequestTooLargeError,
        ResponseDecodeError,
        ResponseValidationError,
        StreamInterruptedError,
        UnknownProviderError,
        UnprocessableEntityError,
        UnsupportedFeatureError,
        UnsupportedParameterError,
        UsageError,
    )
    from onellm.policy.retry import RetryPolicy
    from onellm.policy.stores import MemoryCache, RedisCache, SQLiteCache
    from onellm.providers.registry import get_provider, list_providers, register_provider
    from onellm.resources.audio import AsyncSpeechResponse, AsyncSpeechStream, AsyncTranscriptionStream
    from onellm.resources.batches import AsyncBatchResults
    from onellm.resources.binary import AsyncBinaryResponse
    from onellm.resources.completions import AsyncCompletionStream
    from onellm.resources.images import AsyncImageStream
    from onellm.resources.media import audio, document, image
    from onellm.resources.models import AsyncModelPull
    from onellm.resources.pages import AsyncPage, AsyncPages
    from onellm.resources.parsing import AsyncParsedChatCompletionStream
    from onellm.resources.pipelines import AsyncChatMap, AsyncEmbeddingStream
    from onellm.resources.realtime import AsyncRealtimeSession
    from onellm.resources.responses import AsyncResponseStream
    from onellm.resources.runs import AsyncToolRun
    from onellm.resources.streams import AsyncChatCompletionStream
    from onellm.short_forms import (
        AudioTranscription,
        AudioTranslation,
        ChatCompletion,
        Completion,
        Embedding,
        File,
        Image,
        Realtime,
        Speech,
        configure,
    )
    from onellm.types.anthropic import AnthropicOptions
    from onellm.types.batches import BatchRequest, BatchResult
    from onellm.types.bedrock import BedrockOptions
    from onellm.types.caching import CacheHit, CacheStore, SemanticCache
    from onellm.types.capabilities import Capabilities, Capability
    from onellm.types.cohere import CohereOptions
    from onellm.types.events import ErrorEvent, RequestEvent, ResponseEvent, RetryEvent
    from onellm.types.execution import Breaker, CircuitState, Route
    from onellm.types.functions import FunctionTool
    from onellm.types.google import GoogleOptions, LiveOptions
    from onellm.types.headers import Headers
    from onellm.types.limits import Limits, RedisLimits
    from onellm.types.ollama import OllamaOptions
    from onellm.types.options import Hedge, HttpOptions, Timeouts
    from onellm.types.parsed import ParsedChatCompletion
    from onellm.types.pipelines import ChatResult, EmbeddingBatch, PipelineFailure, PipelineProgress
    from onellm.types.preview import PreviewedRequest
    from onellm.types.realtime import RealtimeToken, Reconnect
    from onellm.types.realtime_events import (
        AudioDelta,
        AudioDone,
        InputCommitted,
        InputSpeechStarted,
        InputSpeechStopped,
        Interrupted,
        RateLimitsUpdated,
        RealtimeEvent,
        RealtimeToolCall,
        RealtimeUsage,
        ResponseDone,
        ResponseStarted,
        SessionClosed,
        SessionError,
        SessionExpiring,
        SessionReady,
        SessionReconnected,
        SessionResumable,
        SessionUpdated,
        SessionWarning,
        TextDelta,
        TextDone,
        ToolCallDelta,
        ToolCallReady,
        ToolCallsCancelled,
        ToolResultSent,
        TranscriptDelta,
        TranscriptDone,
        UnknownEvent,
    )
    from onellm.types.runs import RunChunk, RunReply, RunToolCall, RunToolResult
    from onellm.types.secret import Secret
    from onellm.types.stats import CallUnderWay, ClientStats, Drained, ModelStats
    from onellm.types.telemetry import Telemetry
    from onellm.voice.devices import Microphone, Speaker
    from onellm.voice.g711 import decode_g711, encode_g711
    from onellm.voice.playback import HeardAudio, PlaybackQueue
    from onellm.voice.resampling import Resampler, resampler
    from onellm.voice.wav import WavReader, WavWriter

__version__ = "0.1.0"

# Where each public name lives. A test holds this table against the imports above and against __all__.
_HOMES = {
    "_sync.audio": ("SpeechResponse", "SpeechStream", "TranscriptionStream"),
    "_sync.batches": ("BatchResults",),
    "_sync.binary": ("BinaryResponse",),
    "_sync.client": ("OneLLM",),
    "_sync.completions": ("CompletionStream",),
    "_sync.images": ("ImageStream",),
    "_sync.models": ("ModelPull",),
    "_sync.pages": ("Page",),
    "_sync.parsing": ("ParsedChatCompletionStream",),
    "_sync.pipelines": ("ChatMap", "EmbeddingStream"),
    "_sync.realtime": ("RealtimeSession",),
    "_sync.responses": ("ResponseStream",),
    "_sync.runs": ("ToolRun",),
    "_sync.streams": ("ChatCompletionStream",),
    "client": ("AsyncOneLLM",),
    "errors": (
        "APIConnectionError",
        "APIError",
        "APIStatusError",
        "APITimeoutError",
        "AuthenticationError",
        "BadRequestError",
        "CacheUnavailableError",
        "CheckpointError",
        "CircuitOpenError",
        "ClientClosedError",
        "ConfigurationError",
        "ConflictError",
        "ContentFilterError",
        "ContextLengthExceededError",
        "DeadlineExceededError",
        "FallbackError",
        "InternalServerError",
        "InvalidRequestError",
        "MaxTurnsError",
        "MissingDependencyError",
        "MissingKeyError",
        "NotFoundError",
        "OneLLMError",
        "OverloadedError",
        "PermissionDeniedError",
        "QuotaExceededError",
        "RateLimitError",
        "RequestTimeoutError",
        "RequestTooLargeError",
        "ResponseDecodeError",
        "ResponseValidationError",
        "StreamInterruptedError",
        "UnknownProviderError",
        "UnprocessableEntityError",
        "UnsupportedFeatureError",
        "UnsupportedParameterError",
        "UsageError",
    ),
    "policy.retry": ("RetryPolicy",),
    "policy.stores": ("MemoryCache", "RedisCache", "SQLiteCache"),
    "providers.registry": ("get_provider", "list_providers", "register_provider"),
    "resources.audio": ("AsyncSpeechResponse", "AsyncSpeechStream", "AsyncTranscriptionStream"),
    "resources.batches": ("AsyncBatchResults",),
    "resources.binary": ("AsyncBinaryResponse",),
    "resources.completions": ("AsyncCompletionStream",),
    "resources.images": ("AsyncImageStream",),
    "resources.media": ("audio", "document", "image"),
    "resources.models": ("AsyncModelPull",),
    "resources.pages": ("AsyncPage", "AsyncPages"),
    "resources.parsing": ("AsyncParsedChatCompletionStream",),
    "resources.pipelines": ("AsyncChatMap", "AsyncEmbeddingStream"),
    "resources.realtime": ("AsyncRealtimeSession",),
    "resources.responses": ("AsyncResponseStream",),
    "resources.runs": ("AsyncToolRun",),
    "resources.streams": ("AsyncChatCompletionStream",),
    "short_forms": (
        "AudioTranscription",
        "AudioTranslation",
        "ChatCompletion",
        "Completion",
        "Embedding",
        "File",
        "Image",
        "Realtime",
        "Speech",
        "configure",
    ),
    "types.anthropic": ("AnthropicOptions",),
    "types.batches": ("BatchRequest", "BatchResult"),
    "types.bedrock": ("BedrockOptions",),
    "types.caching": ("CacheHit", "CacheStore", "SemanticCache"),
    "types.capabilities": ("Capabilities", "Capability"),
    "types.cohere": ("CohereOptions",),
    "types.events": ("ErrorEvent", "RequestEvent", "ResponseEvent", "RetryEvent"),
    "types.execution": ("Breaker", "CircuitState", "Route"),
    "types.functions": ("FunctionTool",),
    "types.google": ("GoogleOptions", "LiveOptions"),
    "types.headers": ("Headers",),
    "types.limits": ("Limits", "RedisLimits"),
    "types.ollama": ("OllamaOptions",),
    "types.options": ("Hedge", "HttpOptions", "Timeouts"),
    "types.parsed": ("ParsedChatCompletion",),
    "types.pipelines": ("ChatResult", "EmbeddingBatch", "PipelineFailure", "PipelineProgress"),
    "types.preview": ("PreviewedRequest",),
    "types.realtime": ("RealtimeToken", "Reconnect"),
    "types.realtime_events": (
        "AudioDelta",
        "AudioDone",
        "InputCommitted",
        "InputSpeechStarted",
        "InputSpeechStopped",
        "Interrupted",
        "RateLimitsUpdated",
        "RealtimeEvent",
        "RealtimeToolCall",
        "RealtimeUsage",
        "ResponseDone",
        "ResponseStarted",
        "SessionClosed",
        "SessionError",
        "SessionExpiring",
        "SessionReady",
        "SessionReconnected",
        "SessionResumable",
        "SessionUpdated",
        "SessionWarning",
        "TextDelta",
        "TextDone",
        "ToolCallDelta",
        "ToolCallReady",
        "ToolCallsCancelled",
        "ToolResultSent",
        "TranscriptDelta",
        "TranscriptDone",
        "UnknownEvent",
    ),
    "types.runs": ("RunChunk", "RunReply", "RunToolCall", "RunToolResult"),
    "types.secret": ("Secret",),
    "types.stats": ("CallUnderWay", "ClientStats", "Drained", "ModelStats"),
    "types.telemetry": ("Telemetry",),
    "voice.devices": ("Microphone", "Speaker"),
    "voice.g711": ("decode_g711", "encode_g711"),
    "voice.playback": ("HeardAudio", "PlaybackQueue"),
    "voice.resampling": ("Resampler", "resampler"),
    "voice.wav": ("WavReader", "WavWriter"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "APITimeoutError",
    "AnthropicOptions",
    "AsyncBatchResults",
    "AsyncBinaryResponse",
    "AsyncChatCompletionStream",
    "AsyncChatMap",
    "AsyncCompletionStream",
    "AsyncEmbeddingStream",
    "AsyncImageStream",
    "AsyncModelPull",
    "AsyncOneLLM",
    "AsyncPage",
    "AsyncPages",
    "AsyncParsedChatCompletionStream",
    "AsyncRealtimeSession",
    "AsyncResponseStream",
    "AsyncSpeechResponse",
    "AsyncSpeechStream",
    "AsyncToolRun",
    "AsyncTranscriptionStream",
    "AudioDelta",
    "AudioDone",
    "AudioTranscription",
    "AudioTranslation",
    "AuthenticationError",
    "BadRequestError",
    "BatchRequest",
    "BatchResult",
    "BatchResults",
    "BedrockOptions",
    "BinaryResponse",
    "Breaker",
    "CacheHit",
    "CacheStore",
    "CacheUnavailableError",
    "CallUnderWay",
    "Capabilities",
    "Capability",
    "ChatCompletion",
    "ChatCompletionStream",
    "ChatMap",
    "ChatResult",
    "CheckpointError",
    "CircuitOpenError",
    "CircuitState",
    "ClientClosedError",
    "ClientStats",
    "CohereOptions",
    "Completion",
    "CompletionStream",
    "ConfigurationError",
    "ConflictError",
    "ContentFilterError",
    "ContextLengthExceededError",
    "DeadlineExceededError",
    "Drained",
    "Embedding",
    "EmbeddingBatch",
    "EmbeddingStream",
    "ErrorEvent",
    "FallbackError",
    "File",
    "FunctionTool",
    "GoogleOptions",
    "Headers",
    "HeardAudio",
    "Hedge",
    "HttpOptions",
    "Image",
    "ImageStream",
    "InputCommitted",
    "InputSpeechStarted",
    "InputSpeechStopped",
    "InternalServerError",
    "Interrupted",
    "InvalidRequestError",
    "Limits",
    "LiveOptions",
    "MaxTurnsError",
    "MemoryCache",
    "Microphone",
    "MissingDependencyError",
    "MissingKeyError",
    "ModelPull",
    "ModelStats",
    "NotFoundError",
    "OllamaOptions",
    "OneLLM",
    "OneLLMError",
    "OverloadedError",
    "Page",
    "ParsedChatCompletion",
    "ParsedChatCompletionStream",
    "PermissionDeniedError",
    "PipelineFailure",
    "PipelineProgress",
    "PlaybackQueue",
    "PreviewedRequest",
    "QuotaExceededError",
    "RateLimitError",
    "RateLimitsUpdated",
    "Realtime",
    "RealtimeEvent",
    "RealtimeSession",
    "RealtimeToken",
    "RealtimeToolCall",
    "RealtimeUsage",
    "Reconnect",
    "RedisCache",
    "RedisLimits",
    "RequestEvent",
    "RequestTimeoutError",
    "RequestTooLargeError",
    "Resampler",
    "ResponseDecodeError",
    "ResponseDone",
    "ResponseEvent",
    "ResponseStarted",
    "ResponseStream",
    "ResponseValidationError",
    "RetryEvent",
    "RetryPolicy",
    "Route",
    "RunChunk",
    "RunReply",
    "RunToolCall",
    "RunToolResult",
    "SQLiteCache",
    "Secret",
    "SemanticCache",
    "SessionClosed",
    "SessionError",
    "SessionExpiring",
    "SessionReady",
    "SessionReconnected",
    "SessionResumable",
    "SessionUpdated",
    "SessionWarning",
    "Speaker",
    "Speech",
    "SpeechResponse",
    "SpeechStream",
    "StreamInterruptedError",
    "Telemetry",
    "TextDelta",
    "TextDone",
    "Timeouts",
    "ToolCallDelta",
    "ToolCallReady",
    "ToolCallsCancelled",
    "ToolResultSent",
    "ToolRun",
    "TranscriptDelta",
    "TranscriptDone",
    "TranscriptionStream",
    "UnknownEvent",
    "UnknownProviderError",
    "UnprocessableEntityError",
    "UnsupportedFeatureError",
    "UnsupportedParameterError",
    "UsageError",
    "WavReader",
    "WavWriter",
    "audio",
    "configure",
    "decode_g711",
    "document",
    "encode_g711",
    "get_provider",
    "image",
    "list_providers",
    "register_provider",
    "resampler",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'onellm' has no attribute {name!r}")
    value = getattr(import_module(f"onellm.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
